//! What a file is, by its first bytes. A name says nothing: a document of an office suite is a zip, and so is a `.jar`.

use std::io::{self, BufReader, Read};

/// How many of the first bytes are looked at.
pub const PROBE: usize = 512;

/// An archive, or one packed file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Has an index at its end.
    Zip,
    /// Files one after the other.
    Tar,
    /// One file, often a tar.
    Packed(Packing),
}

/// How one file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the programs' names")]
pub enum Packing {
    Gzip,
    Bzip2,
    Xz,
    Zstd,
}

/// Memory that a decoder of xz may take, in KiB: as much as `xz -9` asks for.
const XZ_KIB: u32 = 66 << 10;

/// Looks at the first bytes.
pub fn kind(head: &[u8]) -> Option<Kind> {
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return Some(Kind::Zip);
    }
    // `ustar` is followed by NUL and `00`, or in GNU's older form by two spaces.
    if head.get(257..262) == Some(b"ustar") {
        return Some(Kind::Tar);
    }
    let packing = match head {
        [0x1f, 0x8b, 8, ..] => Packing::Gzip,
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..] => Packing::Bzip2,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Packing::Xz,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Packing::Zstd,
        _ => return None,
    };
    Some(Kind::Packed(packing))
}

/// Unpacks as it is read.
///
/// # Errors
/// When it does not begin as it has to.
pub fn unpack<'a>(packing: Packing, bytes: &'a [u8]) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match packing {
        Packing::Gzip => Box::new(flate2::read::MultiGzDecoder::new(bytes)),
        Packing::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(bytes)),
        Packing::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(bytes, true, XZ_KIB)),
        Packing::Zstd => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(BufReader::new(bytes));
            Box::new(decoder.map_err(|error| io::Error::other(error.to_string()))?)
        }
    })
}

/// The name of what is in a packed file: `a.sql` in `a.sql.gz`, `a.tar` in `a.tgz`.
pub fn inner_name(name: &str) -> String {
    let name = name.rsplit(['/', '!']).next().unwrap_or(name);
    match name.rsplit_once('.') {
        Some((stem, "tgz" | "tbz" | "tbz2" | "txz" | "tzst")) => format!("{stem}.tar"),
        Some((stem, "gz" | "bz2" | "xz" | "zst" | "z")) if !stem.is_empty() => stem.to_owned(),
        _ => format!("{name}.unpacked"),
    }
}
