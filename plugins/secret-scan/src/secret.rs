//! What may be said about a secret: its entropy, a mask and a fingerprint, never the secret.

use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Shannon entropy in bits a byte: 0 for `aaaa`, 4 for evenly mixed hexadecimal digits, at most 8.
pub fn entropy(secret: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in secret {
        counts[usize::from(*byte)] += 1;
    }
    #[expect(clippy::cast_precision_loss, reason = "a secret is far shorter than 2^52 bytes")]
    let length = secret.len() as f64;
    let share = |count: &u32| f64::from(*count) / length;
    counts.iter().filter(|count| **count > 0).map(share).map(|share| -share * share.log2()).sum()
}

/// Whether it holds a letter and a digit, as generated values do and most names do not.
pub fn is_mixed(secret: &[u8]) -> bool {
    secret.iter().any(u8::is_ascii_alphabetic) && secret.iter().any(u8::is_ascii_digit)
}

/// The start of the secret and its length: at most four characters, and never more than a quarter.
pub fn mask(secret: &[u8]) -> String {
    let shown = (secret.len() / 4).min(4);
    let start: String =
        secret[..shown].iter().map(|b| if b.is_ascii_graphic() { char::from(*b) } else { '?' }).collect();
    format!("{start}… ({} bytes)", secret.len())
}

/// Names a find from run to run: the rule, the path, a digest of the secret, and which of the equal finds in the file it is.
/// Lines may move without changing it. 32 hexadecimal digits.
pub fn fingerprint(rule: &str, path: &str, secret: &[u8], occurrence: u32) -> String {
    let secret = Sha256::digest(secret);
    let mut hash = Sha256::new();
    for part in [rule.as_bytes(), path.as_bytes(), &secret[..16], &occurrence.to_be_bytes()] {
        // With its length before each part no two finds can give the same bytes.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize()[..16].iter().fold(String::with_capacity(32), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_of_known_texts() {
        assert!(entropy(b"aaaa").abs() < 1e-9);
        assert!((entropy(b"abab") - 1.0).abs() < 1e-9);
        assert!((entropy(b"0123456789abcdef") - 4.0).abs() < 1e-9);
        assert!(entropy(b"").abs() < 1e-9);
    }

    #[test]
    fn a_mask_shows_a_quarter_at_most() {
        for (secret, masked) in [
            ("", "… (0 bytes)"),
            ("abc", "… (3 bytes)"),
            ("abcd", "a… (4 bytes)"),
            ("abcdefghijkl", "abc… (12 bytes)"),
            ("abcdefghijklmnopqrstuvwxyz", "abcd… (26 bytes)"),
            ("\nb\u{e4}defghijklmnopq", "?b??… (18 bytes)"),
        ] {
            assert_eq!(mask(secret.as_bytes()), masked);
        }
    }

    #[test]
    fn a_fingerprint_differs_with_each_part() {
        let base = fingerprint("rule", "a/b", b"secret", 0);
        assert_eq!(base, fingerprint("rule", "a/b", b"secret", 0));
        assert_eq!(base.len(), 32);
        for other in [
            fingerprint("rul", "ea/b", b"secret", 0),
            fingerprint("rule", "a/c", b"secret", 0),
            fingerprint("rule", "a/b", b"secreT", 0),
            fingerprint("rule", "a/b", b"secret", 1),
        ] {
            assert_ne!(base, other);
        }
    }
}
