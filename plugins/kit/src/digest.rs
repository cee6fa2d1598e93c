//! SHA-256 in the forms this plugin writes it.

use sha2::{Digest, Sha256};
use std::fmt::Write;

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The SHA-256 of some bytes, in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// A stable name for a problem, from the parts that make it what it is. Line numbers and absolute paths are no such parts.
pub fn fingerprint(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        // The length in front keeps `["ab", "c"]` and `["a", "bc"]` apart.
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    // 128 bits are more than enough to tell findings apart, and half as long to read.
    hex(&hash.finalize()[..16])
}

/// Takes content as it is written, so that a large document need not be in memory twice.
#[derive(Debug, Default)]
pub struct DigestWriter(Sha256);

impl DigestWriter {
    /// The SHA-256 of what was written, in hexadecimal digits.
    pub fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

impl std::io::Write for DigestWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The version 5 UUID that belongs to the content with a digest: the same bytes always get the same one.
pub fn content_uuid(sha256: &str) -> String {
    // The namespace is this plugin's own, a version 5 UUID of its name below the URL namespace.
    let namespace = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, b"orch:sbom:serial-number");
    uuid::Uuid::new_v5(&namespace, sha256.as_bytes()).hyphenated().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let mut writer = DigestWriter::default();
        std::io::Write::write_all(&mut writer, b"abc").unwrap();
        assert_eq!(writer.finish(), sha256(b"abc"));
        // The fifteenth digit is the version.
        assert_eq!(content_uuid("").as_bytes()[14], b'5');
        assert_ne!(fingerprint(&["ab", "c"]), fingerprint(&["a", "bc"]));
        assert_eq!(fingerprint(&["a"]).len(), 32);
    }
}
