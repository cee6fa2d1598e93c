//! Lists a zip by the index at its end. Format: APPNOTE.TXT of PKWARE, sections 4.3 and 4.5.3.

use crate::git::object::printable;
use memchr::memmem;
use std::io::{self, Read};

/// Entries that are listed at all; what may be read is less.
const MOST_ENTRIES: usize = 200_000;

/// A file of a zip.
#[derive(Debug, PartialEq, Eq)]
pub struct Entry {
    /// As the index has it.
    pub name: String,
    method: u16,
    encrypted: bool,
    packed: u64,
    header: u64,
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at.checked_add(8)?)?.try_into().ok()?))
}

/// The index's bytes, and how many were put before the archive, as programs that unpack themselves have them.
fn directory(zip: &[u8]) -> Result<(&[u8], usize), String> {
    // The record at the end has 22 bytes and a comment of up to 65,535.
    let from = zip.len().saturating_sub(22 + 65_535);
    let end = memmem::rfind(&zip[from..], b"PK\x05\x06").map(|at| from + at).ok_or("it has no index: it is cut off")?;
    let read = || {
        let (mut size, mut start) = (u64::from(u32_at(zip, end + 12)?), u64::from(u32_at(zip, end + 16)?));
        let mut stop = end;
        // Beyond four gigabytes or 65,535 entries there is a longer record in front.
        if let Some(locator) = end.checked_sub(20).filter(|at| zip[*at..].starts_with(b"PK\x06\x07")) {
            let record = usize::try_from(u64_at(zip, locator + 8)?).ok()?;
            if zip.get(record..)?.starts_with(b"PK\x06\x06") {
                (size, start, stop) = (u64_at(zip, record + 40)?, u64_at(zip, record + 48)?, record);
            }
        }
        let size = usize::try_from(size).ok()?;
        let begin = stop.checked_sub(size)?;
        let before = begin.checked_sub(usize::try_from(start).ok()?)?;
        Some((&zip[begin..stop], before))
    };
    read().ok_or_else(|| "its index is damaged".to_owned())
}

/// The files of a zip, in the order of its index. Folders are left out.
///
/// # Errors
/// The reason, when the index cannot be read.
pub fn entries(zip: &[u8]) -> Result<(Vec<Entry>, usize), String> {
    let (mut rest, before) = directory(zip)?;
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let entry = entry(rest).ok_or("its index is damaged")?;
        if entries.len() == MOST_ENTRIES {
            return Err(format!("it has more than {MOST_ENTRIES} entries"));
        }
        if !entry.0.name.ends_with('/') {
            entries.push(entry.0);
        }
        rest = &rest[entry.1..];
    }
    Ok((entries, before))
}

/// One record of the index and its length.
fn entry(record: &[u8]) -> Option<(Entry, usize)> {
    if !record.starts_with(b"PK\x01\x02") {
        return None;
    }
    let flags = u16_at(record, 8)?;
    let (mut packed, unpacked) = (u64::from(u32_at(record, 20)?), u64::from(u32_at(record, 24)?));
    let lengths = [28, 30, 32].map(|at| u16_at(record, at).map(usize::from));
    let [Some(name), Some(extra), Some(comment)] = lengths else { return None };
    let mut header = u64::from(u32_at(record, 42)?);
    let length = 46 + name + extra + comment;
    record.get(..length)?;
    let mut fields = &record[46 + name..46 + name + extra];
    while let (Some(id), Some(size)) = (u16_at(fields, 0), u16_at(fields, 2)) {
        let field = fields.get(4..4 + usize::from(size))?;
        if id == 1 {
            // It has only those numbers that did not fit where they belong, in this order.
            let mut at = 0;
            let mut wide = |value: &mut u64| {
                if *value == u64::from(u32::MAX) {
                    *value = u64_at(field, at)?;
                    at += 8;
                }
                Some(())
            };
            wide(&mut unpacked.clone())?;
            wide(&mut packed)?;
            wide(&mut header)?;
        }
        fields = &fields[4 + usize::from(size)..];
    }
    let name = printable(&record[46..46 + name]);
    Some((Entry { name, method: u16_at(record, 10)?, encrypted: flags & 1 != 0, packed, header }, length))
}

/// The content of an entry, unpacked as it is read.
///
/// # Errors
/// The reason: encrypted, packed in a way that is not read, or outside the archive.
pub fn open<'a>(zip: &'a [u8], before: usize, entry: &Entry) -> Result<Box<dyn Read + 'a>, String> {
    if entry.encrypted {
        return Err("it is encrypted".into());
    }
    let data = || {
        let header = before.checked_add(usize::try_from(entry.header).ok()?)?;
        let local = zip.get(header..).filter(|local| local.starts_with(b"PK\x03\x04"))?;
        let start = 30 + usize::from(u16_at(local, 26)?) + usize::from(u16_at(local, 28)?);
        local.get(start..start.checked_add(usize::try_from(entry.packed).ok()?)?)
    };
    let data = data().ok_or("it lies outside the archive")?;
    match entry.method {
        0 => Ok(Box::new(data)),
        8 => Ok(Box::new(flate2::read::DeflateDecoder::new(data))),
        12 => Ok(Box::new(bzip2::read::BzDecoder::new(data))),
        14 => Err("it is packed with LZMA, which is not read in a zip".into()),
        93 => super::kind::unpack(super::kind::Packing::Zstd, data).map_err(|error: io::Error| error.to_string()),
        method => Err(format!("it is packed with method {method}, which is not read")),
    }
}
