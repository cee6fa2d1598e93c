//! The bytes of an entry: a header that is authenticated together with the payload, then the payload.

use hmac::{Hmac, KeyInit, Mac};
use orch_core::Digest;
use sha2::Sha256;

const MAGIC: &[u8; 8] = b"OWCODE1\n";
const HEADER: usize = 8 + 1 + 32 + 8 + 32;

/// The largest file that is read: code of the largest component, and the header.
pub(super) const MOST_BYTES: u64 = (512 << 20) + HEADER as u64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Code = 1,
    Failure = 2,
}

/// Kind, component and payload of an entry that verified.
pub(super) type Verdict = (Kind, Digest, Vec<u8>);

fn authenticate(key: &[u8; 32], name: &str, fields: &[u8], payload: &[u8]) -> Hmac<Sha256> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes a key of any length");
    // The name stands for engine and processor: an entry moved to another name does not verify.
    mac.update(name.as_bytes());
    mac.update(fields);
    mac.update(payload);
    mac
}

pub(super) fn header(key: &[u8; 32], name: &str, component: &Digest, kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER);
    header.extend_from_slice(MAGIC);
    header.push(kind as u8);
    header.extend_from_slice(component.bytes());
    header.extend_from_slice(&(payload.len() as u64).to_be_bytes());
    let tag = authenticate(key, name, &header, payload).finalize().into_bytes();
    header.extend_from_slice(&tag);
    header
}

pub(super) fn decode(key: &[u8; 32], name: &str, mut bytes: Vec<u8>) -> Result<Verdict, String> {
    if bytes.len() < HEADER || !bytes.starts_with(MAGIC) {
        return Err("it is no entry of this cache".to_owned());
    }
    let payload = bytes.split_off(HEADER);
    let (fields, tag) = bytes.split_at(HEADER - 32);
    authenticate(key, name, fields, &payload)
        .verify_slice(tag)
        .map_err(|_| "its authentication code is wrong".to_owned())?;
    let kind = match fields[8] {
        1 => Kind::Code,
        2 => Kind::Failure,
        other => return Err(format!("its kind is {other}")),
    };
    let mut component = [0; 32];
    component.copy_from_slice(&fields[9..41]);
    let mut length = [0; 8];
    length.copy_from_slice(&fields[41..49]);
    if u64::from_be_bytes(length) != payload.len() as u64 {
        return Err("its length is wrong".to_owned());
    }
    Ok((kind, Digest::from_bytes(component), payload))
}
