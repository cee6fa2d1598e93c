//! Writes archives for tests, by the formats' descriptions and without the plugin's readers.

use std::io::Write;

/// A file of a zip.
pub struct Zipped<'a> {
    pub name: &'a str,
    pub content: &'a [u8],
    /// 0 stores, 8 deflates; others are written as they are said and stored.
    pub method: u16,
    pub encrypted: bool,
}

/// Deflated and plain.
pub fn zipped<'a>(name: &'a str, content: &'a [u8]) -> Zipped<'a> {
    Zipped { name, content, method: 8, encrypted: false }
}

pub fn deflate(content: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

pub fn gzip(content: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

pub fn bzip2(content: &[u8]) -> Vec<u8> {
    let mut writer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

pub fn xz(content: &[u8]) -> Vec<u8> {
    let mut writer = lzma_rust2::XzWriter::new(Vec::new(), lzma_rust2::XzOptions::with_preset(1)).unwrap();
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

pub fn zstd(content: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(content, ruzstd::encoding::CompressionLevel::Fastest)
}

/// A zip of these files.
pub fn zip(files: &[Zipped]) -> Vec<u8> {
    let (mut out, mut index) = (Vec::new(), Vec::new());
    for file in files {
        let data = if file.method == 8 { deflate(file.content) } else { file.content.to_vec() };
        let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_le_bytes();
        let mut common = vec![20, 0, u8::from(file.encrypted), 0];
        common.extend(file.method.to_le_bytes());
        // Time, date and checksum, none of which is looked at.
        common.extend([0; 8]);
        common.extend(size(&data));
        common.extend(size(file.content));
        common.extend(u16::try_from(file.name.len()).unwrap().to_le_bytes());
        common.extend([0, 0]);
        let header = u32::try_from(out.len()).unwrap();
        out.extend(b"PK\x03\x04");
        out.extend(&common);
        out.extend(file.name.as_bytes());
        out.extend(data);
        index.extend(b"PK\x01\x02\x14\0");
        index.extend(&common);
        // Comment, disk, attributes.
        index.extend([0; 10]);
        index.extend(header.to_le_bytes());
        index.extend(file.name.as_bytes());
    }
    let start = u32::try_from(out.len()).unwrap();
    let count = u16::try_from(files.len()).unwrap().to_le_bytes();
    out.extend(&index);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend(count);
    out.extend(count);
    out.extend(u32::try_from(index.len()).unwrap().to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0, 0]);
    out
}

/// One entry of a tar with its padding; `kind` is `0` for a file.
pub fn tar_entry(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
    let mut header = [0; 512];
    header[..name.len().min(100)].copy_from_slice(&name.as_bytes()[..name.len().min(100)]);
    header[100..107].copy_from_slice(b"0000644");
    header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
    header[148..156].fill(b' ');
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut entry = header.to_vec();
    entry.extend(content);
    entry.resize(entry.len().next_multiple_of(512), 0);
    entry
}

/// A tar of these files.
pub fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out: Vec<u8> = files.iter().flat_map(|(name, content)| tar_entry(name, b'0', content)).collect();
    out.extend([0; 1024]);
    out
}
