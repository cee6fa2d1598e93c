//! Indexes as package managers keep them on disk, unpacked as a stream and within bounds.

use flate2::read::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};

/// Bytes of one index, unpacked. Debian's largest has about 60 MB; what grows beyond this is made to do harm.
pub const MAX_UNPACKED: u64 = 512 << 20;

/// How an index is packed, by the end of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    None,
    /// `.gz`
    Gzip,
    /// `.lz4`
    Lz4,
    /// One that is not read, with its name.
    Unknown(&'static str),
}

impl Packing {
    /// By what stands behind the dot; none if that is no packing.
    pub fn of(extension: &str) -> Option<Packing> {
        Some(match extension {
            "" => Packing::None,
            "gz" => Packing::Gzip,
            "lz4" => Packing::Lz4,
            "xz" => Packing::Unknown("xz"),
            "zst" => Packing::Unknown("zst"),
            "bz2" => Packing::Unknown("bz2"),
            "lzma" => Packing::Unknown("lzma"),
            _ => return None,
        })
    }
}

/// A stream that ends with an error where it would become longer than [`MAX_UNPACKED`].
struct Bounded<R> {
    from: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.from.read(into)?;
        let longer = || std::io::Error::other(format!("it unpacks to more than {MAX_UNPACKED} bytes"));
        self.left = self.left.checked_sub(count as u64).ok_or_else(longer)?;
        Ok(count)
    }
}

/// Unpacks a file.
///
/// # Errors
/// When its packing is not read, or it breaks off; a lower-case fragment.
pub fn open(file: File, packing: Packing) -> Result<Box<dyn BufRead>, String> {
    fn bounded(from: impl Read + 'static) -> Box<dyn BufRead> {
        Box::new(BufReader::with_capacity(64 << 10, Bounded { from, left: MAX_UNPACKED }))
    }
    let mut file = BufReader::with_capacity(64 << 10, file);
    Ok(match packing {
        Packing::None => bounded(file),
        Packing::Gzip => bounded(MultiGzDecoder::new(file)),
        Packing::Lz4 => {
            // The decoder takes a file that ends between two blocks for a whole one.
            whole_lz4(&mut file).map_err(|error| format!("it is no whole LZ4 frame ({error})"))?;
            file.rewind().map_err(|error| format!("it cannot be read ({error})"))?;
            bounded(FrameDecoder::new(file))
        }
        Packing::Unknown(name) => return Err(format!("it is packed as {name}, which is not read")),
    })
}

/// Walks over the blocks of an LZ4 frame to its end mark (LZ4 Frame Format 1.6, chapter General Structure). apt writes one frame; what
/// comes behind it would not be read.
fn whole_lz4(file: &mut (impl BufRead + Seek)) -> std::io::Result<()> {
    const MAGIC: u32 = 0x184D_2204;
    fn bytes<const N: usize>(file: &mut impl Read) -> std::io::Result<[u8; N]> {
        let mut bytes = [0; N];
        file.read_exact(&mut bytes).map(|()| bytes)
    }
    let invalid = |reason| Err(std::io::Error::new(std::io::ErrorKind::InvalidData, reason));
    let length = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    if u32::from_le_bytes(bytes(file)?) != MAGIC {
        return invalid("another beginning");
    }
    let [flags, _] = bytes(file)?;
    let has = |bit: u8| i64::from(flags & bit != 0);
    // The size of the content, the number of a dictionary, and the checksum of the header.
    file.seek_relative(8 * has(0x08) + 4 * has(0x01) + 1)?;
    loop {
        let block = u32::from_le_bytes(bytes(file)?);
        if block == 0 {
            break;
        }
        // The highest bit says that the block is not packed.
        file.seek_relative(i64::from(block & 0x7FFF_FFFF) + 4 * has(0x10))?;
        if file.stream_position()? > length {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    file.seek_relative(4 * has(0x04))?;
    match file.stream_position()?.cmp(&length) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => invalid("something behind its end"),
        std::cmp::Ordering::Greater => Err(std::io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Finds a file in a tar archive and gives a stream of its content. Only what stands before it is read.
///
/// # Errors
/// When the archive is none, breaks off, or has no such file.
pub fn in_tar(mut archive: impl Read, name: &str) -> Result<impl Read, String> {
    const BLOCK: usize = 512;
    let broken = |error: std::io::Error| format!("the archive cannot be read further ({error})");
    let mut header = [0_u8; BLOCK];
    loop {
        let mut have = 0;
        while have < BLOCK {
            match archive.read(&mut header[have..]).map_err(broken)? {
                0 if have == 0 => return Err(format!("the archive has no `{name}`")),
                0 => return Err("the archive breaks off".to_owned()),
                more => have += more,
            }
        }
        // Blocks of zeros end an archive; those of apk are several, one behind the other.
        if header.iter().all(|byte| *byte == 0) {
            continue;
        }
        let text = |from: usize, to: usize| {
            let field = &header[from..to];
            let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
            String::from_utf8_lossy(&field[..end]).trim().to_owned()
        };
        let size = u64::from_str_radix(&text(124, 136), 8).map_err(|_| "the archive is no tar".to_owned())?;
        let is_file = matches!(header[156], b'0' | 0);
        if is_file && text(0, 100) == name {
            return Ok(archive.take(size));
        }
        let padded = size.div_ceil(BLOCK as u64).saturating_mul(BLOCK as u64);
        let skipped = std::io::copy(&mut archive.by_ref().take(padded), &mut std::io::sink()).map_err(broken)?;
        if skipped < padded {
            return Err("the archive breaks off".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn header(name: &str, size: usize) -> Vec<u8> {
        let mut header = vec![0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
        header[156] = b'0';
        header
    }

    #[test]
    fn a_file_of_an_archive() {
        let mut tar = header("other", 3);
        tar.extend(b"xyz".iter().copied().chain(std::iter::repeat_n(0, 509 + 1024)));
        tar.extend(header("APKINDEX", 4));
        tar.extend(b"P:aa");
        let mut text = String::new();
        in_tar(&tar[..], "APKINDEX").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "P:aa");
        let error = |tar: &[u8]| in_tar(tar, "APKINDEX").err().unwrap();
        assert!(error(&tar[..600]).contains("breaks off"));
        assert!(error(&tar[..100]).contains("breaks off"));
        assert!(error(b"").contains("has no"));
        assert!(error(&[b'x'; 512]).contains("no tar"));
        // A size of 2^33 - 1 bytes is not read into memory.
        let mut huge = header("other", 0);
        huge[124..135].copy_from_slice(b"77777777777");
        assert!(error(&huge).contains("breaks off"));
    }

    #[test]
    fn packings() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let read = |bytes: &[u8], packing| {
            std::fs::write(&path, bytes).unwrap();
            let mut text = String::new();
            let read = open(File::open(&path).unwrap(), packing)?.read_to_string(&mut text);
            read.map(|_| text).map_err(|error| error.to_string())
        };
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(b"content").unwrap();
        let mut gzip = gzip.finish().unwrap();
        // apk's indexes are several streams.
        gzip.extend(gzip.clone());
        let mut lz4 = lz4_flex::frame::FrameEncoder::new(Vec::new());
        lz4.write_all(b"content").unwrap();
        let lz4 = lz4.finish().unwrap();
        assert_eq!(read(&gzip, Packing::Gzip).unwrap(), "contentcontent");
        assert_eq!(read(&lz4, Packing::Lz4).unwrap(), "content");
        assert_eq!(read(b"content", Packing::None).unwrap(), "content");
        assert!(read(&[&lz4[..], &lz4[..]].concat(), Packing::Lz4).is_err());
        for length in 0..lz4.len() {
            assert!(read(&lz4[..length], Packing::Lz4).is_err(), "{length}");
        }
        for length in 1..gzip.len() / 2 {
            assert!(read(&gzip[..length], Packing::Gzip).is_err(), "{length}");
        }
        for (bytes, packing) in
            [(&b"content"[..], Packing::Gzip), (b"content", Packing::Lz4), (b"", Packing::Unknown("xz"))]
        {
            assert!(read(bytes, packing).is_err(), "{packing:?}");
        }
        assert_eq!((Packing::of("xz"), Packing::of("diff")), (Some(Packing::Unknown("xz")), None));
    }

    #[test]
    fn what_unpacks_to_too_much() {
        let mut text = Vec::new();
        let mut bounded = Bounded { from: std::io::repeat(b'x'), left: 1000 };
        let error = bounded.read_to_end(&mut text).unwrap_err();
        assert!(error.to_string().contains("more than"));
    }
}
