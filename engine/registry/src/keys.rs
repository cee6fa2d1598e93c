//! Ed25519 keys (RFC 8032) and their files. A file is one line of text, `orch-signing-key-v1 <Base64 of the 32-byte seed>` or
//! `orch-public-key-v1 <Base64 of the 32 bytes>`; lines that begin with `#` are comments.

use crate::Error;
use crate::error::shown;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer as _;
use orch_core::{Digest, SignerId};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use zeroize::Zeroizing;

const SIGNING_KEY: &str = "orch-signing-key-v1";
const PUBLIC_KEY: &str = "orch-public-key-v1";
const TEXT_PREFIX: &str = "ed25519:";

/// A key file has two short lines; whatever is longer is something else.
pub(crate) const MOST_KEY_BYTES: u64 = 4 << 10;

/// A publisher's secret key. It is wiped from memory when dropped.
pub struct SigningKey(ed25519_dalek::SigningKey);

/// A publisher's public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey {
    /// The 32 bytes of RFC 8032, section 5.1.5.
    pub bytes: [u8; 32],
}

impl SigningKey {
    /// A new key from the system's random numbers.
    ///
    /// # Errors
    /// When the system has none.
    pub fn generate() -> Result<SigningKey, Error> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice()).map_err(|error| Error::Io {
            action: "get random numbers from",
            place: "the system".to_owned(),
            source: std::io::Error::other(error.to_string()),
        })?;
        Ok(SigningKey(ed25519_dalek::SigningKey::from_bytes(&seed)))
    }

    /// Writes the key to a new file that only its owner can read.
    ///
    /// # Errors
    /// When the file is already there or cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let mut text =
            Zeroizing::new(format!("# orch-wasm signing key {}: keep it secret\n{SIGNING_KEY} ", self.public().id()));
        let mut line = Zeroizing::new([0; 44]);
        let length = STANDARD.encode_slice(self.0.as_bytes(), line.as_mut_slice()).unwrap_or_default();
        // Base64 is ASCII, and the buffer is exactly as long as 32 bytes need.
        text.push_str(std::str::from_utf8(&line[..length]).unwrap_or_default());
        text.push('\n');
        write_new(path.as_ref(), 0o600, text.as_bytes())
    }

    /// Reads a key from its file.
    ///
    /// # Errors
    /// When the file is missing, readable by others than its owner, or no signing key.
    pub fn load(path: impl AsRef<Path>) -> Result<SigningKey, Error> {
        let path = path.as_ref();
        let unusable =
            |reason: String, help: String| Error::KeyUnusable { path: path.display().to_string(), reason, help };
        let text = read_file(path, |file| {
            let mode = file
                .metadata()
                .map_err(|error| unusable(error.to_string(), "check the path".to_owned()))?
                .permissions()
                .mode();
            match mode & 0o077 {
                0 => Ok(()),
                _ => Err(unusable(
                    format!("others than its owner can use it (its mode is {:04o})", mode & 0o7777),
                    format!(
                        "close it with `chmod 600 {}`, and make a new key if somebody may have read it",
                        shown(&path.display().to_string())
                    ),
                )),
            }
        })?;
        let seed = parse_line(&text, SIGNING_KEY).map_err(|reason| {
            unusable(reason.to_owned(), "make a key with `orch-wasm keys new`, or name the file that has it".to_owned())
        })?;
        Ok(SigningKey(ed25519_dalek::SigningKey::from_bytes(&seed)))
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey { bytes: self.0.verifying_key().to_bytes() }
    }

    /// The signature of some bytes (64 bytes, RFC 8032).
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, secret)", self.public().id())
    }
}

impl PublicKey {
    /// The first 16 hexadecimal digits of the SHA-256 of the key: what a policy names.
    pub fn id(&self) -> SignerId {
        let hex = Digest::of(&self.bytes).hex();
        SignerId::try_from(&hex[..16]).expect("a digest's hexadecimal digits are a signer id")
    }

    /// Whether a signature of some bytes is by this key. Strict: no weak keys, one encoding (RFC 8032, section 5.1.7).
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        ed25519_dalek::VerifyingKey::from_bytes(&self.bytes)
            .and_then(|key| key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature)))
            .is_ok()
    }

    /// The text of a key file.
    pub fn file_text(&self) -> String {
        format!("# orch-wasm public key {}\n{PUBLIC_KEY} {}\n", self.id(), STANDARD.encode(self.bytes))
    }

    /// Reads the text of a key file.
    ///
    /// # Errors
    /// When it is no public key.
    pub fn from_file_text(text: &str) -> Result<PublicKey, Error> {
        let bytes = parse_line(text, PUBLIC_KEY)
            .map_err(|reason| Error::InvalidPublicKey { text: text.trim_end().to_owned(), reason })?;
        Ok(PublicKey { bytes: *bytes })
    }

    /// Writes the key to a new file.
    ///
    /// # Errors
    /// When the file is already there or cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        write_new(path.as_ref(), 0o644, self.file_text().as_bytes())
    }

    /// Reads a key from its file.
    ///
    /// # Errors
    /// When the file is missing or no public key.
    pub fn load(path: impl AsRef<Path>) -> Result<PublicKey, Error> {
        let text = read_file(path.as_ref(), |_| Ok(()))?;
        let bytes = parse_line(&text, PUBLIC_KEY).map_err(|reason| Error::KeyUnusable {
            path: path.as_ref().display().to_string(),
            reason: reason.to_owned(),
            help: "name the file with the public key, which ends in `.pub`".to_owned(),
        })?;
        Ok(PublicKey { bytes: *bytes })
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{TEXT_PREFIX}{}", STANDARD.encode(self.bytes))
    }
}

impl std::str::FromStr for PublicKey {
    type Err = Error;
    fn from_str(text: &str) -> Result<PublicKey, Error> {
        let wrong = |reason| Error::InvalidPublicKey { text: text.to_owned(), reason };
        let encoded = text.strip_prefix(TEXT_PREFIX).ok_or_else(|| wrong("it does not begin with `ed25519:`"))?;
        decode(encoded).map(|bytes| PublicKey { bytes: *bytes }).map_err(wrong)
    }
}

/// The 32 bytes of the only line that is no comment.
fn parse_line(text: &str, kind: &str) -> Result<Zeroizing<[u8; 32]>, &'static str> {
    let mut lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let (line, rest) = (lines.next().ok_or("it is empty")?, lines.next());
    if rest.is_some() {
        return Err("it has more than one line besides comments");
    }
    match line.split_once(' ') {
        Some((word, encoded)) if word == kind => decode(encoded),
        Some((PUBLIC_KEY, _)) => Err("it has a public key, not a signing key"),
        Some((SIGNING_KEY, _)) => Err("it has a signing key, not a public key"),
        _ => Err("it is not in the form of a key file"),
    }
}

fn decode(encoded: &str) -> Result<Zeroizing<[u8; 32]>, &'static str> {
    if encoded.len() != 44 {
        return Err("the key does not have 44 characters of Base64");
    }
    // One byte more than wanted: 44 characters without padding are 33 bytes.
    let mut bytes = Zeroizing::new([0; 33]);
    match STANDARD.decode_slice(encoded, bytes.as_mut_slice()) {
        Ok(32) => {
            let mut key = Zeroizing::new([0; 32]);
            key.copy_from_slice(&bytes[..32]);
            Ok(key)
        }
        _ => Err("the key is not the Base64 of 32 bytes"),
    }
}

fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), Error> {
    let place = path.display().to_string();
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(|source| {
            match source.kind() {
                std::io::ErrorKind::AlreadyExists => Error::KeyUnusable {
                    path: place.clone(),
                    reason: "it is already there, and a key is never overwritten".to_owned(),
                    help: "choose another path, or move the old key away".to_owned(),
                },
                _ => Error::Io { action: "create", place: place.clone(), source },
            }
        })?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(Error::io("write", place))
}

fn read_file(path: &Path, check: impl FnOnce(&File) -> Result<(), Error>) -> Result<Zeroizing<String>, Error> {
    let unusable = |reason: String| Error::KeyUnusable {
        path: path.display().to_string(),
        reason,
        help: "check the path; `orch-wasm keys new` makes a key".to_owned(),
    };
    // Without O_NONBLOCK a named pipe would block here for ever.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nonblocking)
        .open(path)
        .map_err(|error| unusable(error.to_string()))?;
    let metadata = file.metadata().map_err(|error| unusable(error.to_string()))?;
    if !metadata.is_file() {
        return Err(unusable("it is no file".to_owned()));
    }
    if metadata.len() > MOST_KEY_BYTES {
        return Err(unusable(format!(
            "it has {} bytes, and a key file is shorter than {MOST_KEY_BYTES}",
            metadata.len()
        )));
    }
    check(&file)?;
    // Reserved at once: growing would leave copies of the secret behind.
    let mut text = Zeroizing::new(String::with_capacity(MOST_KEY_BYTES as usize + 1));
    file.take(MOST_KEY_BYTES).read_to_string(&mut text).map_err(|error| unusable(error.to_string()))?;
    Ok(text)
}
