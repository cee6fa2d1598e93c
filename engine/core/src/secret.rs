//! The value of a secret. It cannot be printed, compared in a way that takes longer for longer matches, or stored; it is wiped from
//! memory when it is dropped.

use zeroize::Zeroizing;

/// The shortest value that can be masked without making logs unreadable.
pub const SHORTEST_SECRET: usize = 6;

/// The longest value.
pub const LONGEST_SECRET: usize = 64 << 10;

/// The value of a secret. Deliberately without `Debug`, `Display`, `Serialize`, `PartialEq` and `Clone`.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a value, without the line break at its end that editors and `echo` leave there.
    ///
    /// # Errors
    /// Why the value cannot be used; the value is not in the reason.
    pub fn new(mut value: String) -> Result<Secret, String> {
        if value.ends_with('\n') {
            value.pop();
            if value.ends_with('\r') {
                value.pop();
            }
        }
        let value = Zeroizing::new(value);
        if value.trim().len() < SHORTEST_SECRET {
            return Err(format!("it has fewer than {SHORTEST_SECRET} characters, so it could not be masked in logs"));
        }
        if value.len() > LONGEST_SECRET {
            return Err(format!("it has more than {LONGEST_SECRET} bytes"));
        }
        Ok(Secret(value))
    }

    /// The value. Whoever calls this is responsible for where it goes.
    pub fn expose(&self) -> &str {
        &self.0
    }
}
