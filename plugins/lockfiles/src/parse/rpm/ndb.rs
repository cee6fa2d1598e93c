//! rpm's own database, `Packages.db`: pages of slots, each with the place of a package's header. Numbers are little-endian.

use orch_plugin_kit::parse::ParseError;
use std::io::{Read, Seek, SeekFrom};

const DATABASE: &[u8; 4] = b"RpmP";
const SLOT: &[u8; 4] = b"Slot";
const BLOB: &[u8; 4] = b"BlbS";

/// Slots and headers lie at multiples of this.
const BLOCK: u64 = 16;
const SLOTS_OF_PAGE: usize = 256;

/// The largest database that is read, in bytes.
const MAX_DATABASE: u64 = 2 * 1024 * 1024 * 1024;
/// Pages of slots: four million packages.
const MAX_SLOT_PAGES: usize = 16_384;

/// Visits the header blobs of a database, in the order of their slots.
///
/// # Errors
/// The first that `visit` returns, and where the file is damaged.
pub fn blobs<R: Read + Seek>(
    mut source: R,
    visit: &mut dyn FnMut(&[u8]) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    let size = source.seek(SeekFrom::End(0)).map_err(unreadable)?;
    if size > MAX_DATABASE {
        return Err(ParseError::whole(format!("larger than {} MiB", MAX_DATABASE / 1024 / 1024)));
    }
    let header = read(&mut source, 0, 16, size)?;
    if header[..4] != *DATABASE {
        return Err(ParseError::whole("no database of rpm"));
    }
    if let version @ 1.. = number(&header, 4) {
        return Err(ParseError::whole(format!("version {version} of the format is not known (known: 0)")));
    }
    let pages = number(&header, 12) as usize;
    if pages > MAX_SLOT_PAGES {
        return Err(ParseError::whole("a damaged database of rpm: too many slots"));
    }
    // Headers never overlap in a sound database, so together they are no longer than it.
    let mut left = size;
    for page in 0..pages {
        let slots = read(&mut source, page as u64 * BLOCK * SLOTS_OF_PAGE as u64, SLOTS_OF_PAGE * 16, size)?;
        // The database's own header takes the place of two slots.
        for slot in slots.chunks_exact(16).skip(if page == 0 { 2 } else { 0 }) {
            if slot[..4] != *SLOT {
                return Err(ParseError::whole("a damaged database of rpm: a slot that is none"));
            }
            let (package, place) = (number(slot, 4), u64::from(number(slot, 8)) * BLOCK);
            if package == 0 || place == 0 {
                continue;
            }
            let head = read(&mut source, place, 16, size)?;
            if head[..4] != *BLOB || number(&head, 4) != package {
                return Err(ParseError::whole("a damaged database of rpm: a package that is not in its place"));
            }
            let length = number(&head, 12);
            left = left
                .checked_sub(u64::from(length))
                .ok_or_else(|| ParseError::whole("a damaged database of rpm: packages over each other"))?;
            if length as usize > super::super::sqlite::MAX_ROW {
                return Err(ParseError::whole("a damaged database of rpm: a package's header is too long"));
            }
            visit(&read(&mut source, place + 16, length as usize, size)?)?;
        }
    }
    Ok(())
}

fn read<R: Read + Seek>(source: &mut R, at: u64, length: usize, size: u64) -> Result<Vec<u8>, ParseError> {
    // Asked before the memory is taken.
    if at + length as u64 > size {
        return Err(ParseError::whole("a database of rpm that is cut off"));
    }
    let mut bytes = vec![0; length];
    source.seek(SeekFrom::Start(at)).map_err(unreadable)?;
    source.read_exact(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

fn unreadable(error: std::io::Error) -> ParseError {
    ParseError::whole(format!("cannot be read ({})", error.kind()))
}

fn number(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte))
}
