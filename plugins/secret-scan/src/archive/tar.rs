//! Lists a tar, in the forms that are met: POSIX with its extended headers, and GNU's long names.

use crate::git::object::printable;
use std::io::{self, Read};

const BLOCK: usize = 512;
/// Bytes of a header that only describes the next entry.
const MOST_EXTENDED: u64 = 1 << 20;

fn broken(reason: &str) -> io::Error {
    io::Error::other(reason.to_owned())
}

/// Visits the plain files of a tar: path, size, and a reader that ends with the file.
///
/// # Errors
/// When it cannot be read on; what comes after is unknown. The error of `visit`.
pub fn files<E: From<io::Error>>(
    mut tar: &mut dyn Read,
    visit: &mut dyn FnMut(&str, &mut dyn Read) -> Result<(), E>,
) -> Result<(), E> {
    let mut long_name: Option<Vec<u8>> = None;
    let mut long_size: Option<u64> = None;
    let mut header = [0; BLOCK];
    loop {
        match read_block(tar, &mut header)? {
            0 => return Ok(()),
            BLOCK => {}
            _ => return Err(broken("it ends within a header").into()),
        }
        if header.iter().all(|byte| *byte == 0) {
            // One block of zeros ends a tar as two do.
            return Ok(());
        }
        check_sum(&header)?;
        let stated = number(&header[124..136]).ok_or_else(|| broken("an entry's size is no number"))?;
        let kind = header[156];
        let is_extended = matches!(kind, b'L' | b'K' | b'x' | b'g');
        let size = if is_extended { stated } else { long_size.take().unwrap_or(stated) };
        let mut content = tar.take(size);
        match kind {
            b'L' | b'x' => {
                if size > MOST_EXTENDED {
                    return Err(broken("a name is too long").into());
                }
                let mut bytes = Vec::new();
                content.read_to_end(&mut bytes)?;
                if kind == b'L' {
                    bytes.truncate(bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()));
                    long_name = Some(bytes);
                } else {
                    extended(&bytes, &mut long_name, &mut long_size);
                }
            }
            0 | b'0' | b'7' => {
                let name = long_name.take().unwrap_or_else(|| name(&header));
                visit(&printable(&name), &mut content)?;
            }
            b'S' => return Err(broken("it has a file with holes, in a form of GNU's that is not read").into()),
            b'K' | b'g' => {}
            _ => long_name = None,
        }
        let left = content.limit();
        tar = content.into_inner();
        let padding = (BLOCK as u64 - size % BLOCK as u64) % BLOCK as u64;
        let rest = left.saturating_add(padding);
        let skipped = io::copy(&mut tar.take(rest), &mut io::sink())?;
        // The padding of the last entry is left out by some programs.
        if skipped < left {
            return Err(broken("it ends within an entry").into());
        }
    }
}

fn read_block(tar: &mut dyn Read, block: &mut [u8; BLOCK]) -> io::Result<usize> {
    let mut length = 0;
    while length < BLOCK {
        match tar.read(&mut block[length..])? {
            0 => break,
            count => length += count,
        }
    }
    Ok(length)
}

fn check_sum(header: &[u8; BLOCK]) -> io::Result<()> {
    let stated = number(&header[148..156]);
    let blank = |at: usize| (148..156).contains(&at);
    let sum: u64 = header.iter().enumerate().map(|(at, byte)| if blank(at) { 32 } else { u64::from(*byte) }).sum();
    if stated == Some(sum) { Ok(()) } else { Err(broken("a header's checksum is wrong")) }
}

/// Octal digits, or with the highest bit set a binary number.
fn number(field: &[u8]) -> Option<u64> {
    if field[0] & 0x80 != 0 {
        let (first, rest) = field.split_at(field.len() - 8);
        if first != [0x80, 0, 0, 0] {
            return None;
        }
        return Some(u64::from_be_bytes(rest.try_into().ok()?)).filter(|size| *size < 1 << 62);
    }
    let text = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    if text.is_empty() { Some(0) } else { u64::from_str_radix(text, 8).ok() }
}

fn until_nul(field: &[u8]) -> &[u8] {
    &field[..field.iter().position(|byte| *byte == 0).unwrap_or(field.len())]
}

fn name(header: &[u8; BLOCK]) -> Vec<u8> {
    let name = until_nul(&header[..100]);
    // GNU's older form has other things where POSIX has the first part of a long name.
    let prefix = if &header[257..263] == b"ustar\0" { until_nul(&header[345..500]) } else { b"" };
    if prefix.is_empty() { name.to_vec() } else { [prefix, b"/", name].concat() }
}

/// Records `length key=value\n`.
fn extended(mut bytes: &[u8], name: &mut Option<Vec<u8>>, size: &mut Option<u64>) {
    while let Some(space) = bytes.iter().position(|byte| *byte == b' ') {
        let length = std::str::from_utf8(&bytes[..space]).ok().and_then(|text| text.parse::<usize>().ok());
        let Some(record) = length.and_then(|length| bytes.get(space + 1..length)) else { return };
        let record = record.strip_suffix(b"\n").unwrap_or(record);
        if let Some(path) = record.strip_prefix(b"path=") {
            *name = Some(path.to_vec());
        } else if let Some(text) = record.strip_prefix(b"size=") {
            *size = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).filter(|size| *size < 1 << 62);
        }
        bytes = &bytes[length.unwrap_or(bytes.len())..];
    }
}
