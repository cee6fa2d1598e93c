//! Reading a value without reading too much, and without leaving copies of it behind.

use orch_core::{LONGEST_SECRET, Secret};
use std::io::Read;
use zeroize::Zeroizing;

/// A value and a line break behind it, and one byte more, so that too long is seen.
const MOST: usize = LONGEST_SECRET + 3;

/// Reads a value to its end.
///
/// # Errors
/// Why it cannot be used; the value is not in the reason.
pub(crate) fn value_of(from: impl Read) -> Result<Secret, String> {
    // Reserved at once: growing would leave copies of the value behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST + 1));
    from.take(MOST as u64).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    secret(bytes)
}

/// A value from its bytes.
///
/// # Errors
/// As [`value_of`].
pub(super) fn secret(mut bytes: Zeroizing<Vec<u8>>) -> Result<Secret, String> {
    match String::from_utf8(std::mem::take(&mut *bytes)) {
        Ok(text) => Secret::new(text),
        Err(error) => {
            drop(Zeroizing::new(error.into_bytes()));
            Err("it is not UTF-8".to_owned())
        }
    }
}
