//! Makes an object from another one and the difference, as packs hold them.

use super::GitError;

/// A number in groups of seven bits, the lowest first, and what follows it.
fn size(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().enumerate().take(9) {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}

/// How large the object will be.
///
/// # Errors
/// When the delta ends before it says.
pub fn result_size(delta: &[u8]) -> Result<u64, GitError> {
    let result = size(delta).and_then(|(_, rest)| size(rest));
    result.map(|(result, _)| result).ok_or_else(|| GitError::broken("a delta ends within its sizes"))
}

/// Applies a delta; the caller has looked at [`result_size`].
///
/// # Errors
/// When the delta does not fit the base, or ends within an instruction.
pub fn apply(base: &[u8], delta: &[u8]) -> Result<Vec<u8>, GitError> {
    let broken = |what: &str| GitError::broken(format!("a delta {what}"));
    let (base_size, rest) = size(delta).ok_or_else(|| broken("ends within its sizes"))?;
    let (result_size, mut rest) = size(rest).ok_or_else(|| broken("ends within its sizes"))?;
    if base_size != base.len() as u64 {
        return Err(broken("belongs to another object"));
    }
    let result_size = usize::try_from(result_size).map_err(|_error| broken("is too large"))?;
    let mut result = Vec::with_capacity(result_size);
    while let Some((&instruction, after)) = rest.split_first() {
        rest = after;
        if instruction & 0x80 != 0 {
            let mut field = |bits: std::ops::Range<u8>| {
                let mut value = 0_usize;
                for (shift, bit) in bits.enumerate() {
                    if instruction & 1 << bit != 0 {
                        let (byte, after) = rest.split_first()?;
                        value |= usize::from(*byte) << (8 * shift);
                        rest = after;
                    }
                }
                Some(value)
            };
            let (Some(start), Some(length)) = (field(0..4), field(4..7)) else {
                return Err(broken("ends within a copy"));
            };
            let length = if length == 0 { 0x10000 } else { length };
            let part = start.checked_add(length).and_then(|end| base.get(start..end));
            let part = part.ok_or_else(|| broken("copies what its base does not have"))?;
            if result.len() + part.len() > result_size {
                return Err(broken("makes more than it says"));
            }
            result.extend_from_slice(part);
        } else {
            // Zero is reserved, and would insert nothing.
            let length = usize::from(instruction);
            let part = rest.get(..length).filter(|_| length > 0).ok_or_else(|| broken("ends within an insertion"))?;
            if result.len() + length > result_size {
                return Err(broken("makes more than it says"));
            }
            result.extend_from_slice(part);
            rest = &rest[length..];
        }
    }
    if result.len() == result_size { Ok(result) } else { Err(broken("makes less than it says")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_and_insertions() {
        // Copy "world" (offset 6, length 5), insert " hi".
        let delta = [11, 8, 0x91, 6, 5, 3, b' ', b'h', b'i'];
        assert_eq!(apply(b"hello world", &delta).unwrap(), b"world hi");
        assert_eq!(result_size(&delta).unwrap(), 8);
        // A length of nothing means 64 KiB.
        let base = vec![b'x'; 0x10000];
        assert_eq!(apply(&base, &[0x80, 0x80, 4, 0x80, 0x80, 4, 0x80]).unwrap(), base);
    }

    #[test]
    fn hostile_deltas_end_in_errors() {
        for delta in [
            &[][..],
            &[11],
            &[0x80; 12],
            &[10, 1, 1, b'a'],
            &[11, 1, 0x91, 6],
            &[11, 9, 0x91, 6, 6],
            &[11, 1, 0x91, 6, 5],
            &[11, 1, 2, b'a', b'b'],
            &[11, 1, 5, b'a'],
            &[11, 1, 0],
            &[11, 3, 1, b'a'],
            &[11, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert!(apply(b"hello world", delta).is_err(), "{delta:?}");
        }
    }
}
