//! Names of objects: a SHA-1 or a SHA-256.

use std::fmt;

/// The name of an object. It is not compared with the object's content; Git does not do so either when it reads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// 20 or 32.
    length: u8,
    bytes: [u8; 32],
}

impl Id {
    /// From 20 or 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Id> {
        let length = u8::try_from(bytes.len()).ok().filter(|length| matches!(length, 20 | 32))?;
        let mut id = Id { length, bytes: [0; 32] };
        id.bytes[..bytes.len()].copy_from_slice(bytes);
        Some(id)
    }

    /// From 40 or 64 hexadecimal digits.
    pub fn from_hex(digits: &[u8]) -> Option<Id> {
        if !matches!(digits.len(), 40 | 64) {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Id::from_bytes(&bytes[..digits.len() / 2])
    }

    /// 20 or 32 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_bytes() {
        for digits in ["0123456789abcdef0123456789abcdef01234567", &"Ab".repeat(32)] {
            let id = Id::from_hex(digits.as_bytes()).unwrap();
            assert_eq!(id.to_string(), digits.to_lowercase());
            assert_eq!(Id::from_bytes(id.as_bytes()), Some(id));
        }
        for wrong in ["", "ab", &"g".repeat(40), &"a".repeat(41)] {
            assert_eq!(Id::from_hex(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(Id::from_bytes(&[0; 21]), None);
    }
}
