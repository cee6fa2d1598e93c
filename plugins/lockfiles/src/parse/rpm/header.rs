//! The header of an RPM package as rpm's databases keep it: an index of tags and a store of their values.
//!
//! Numbers are big-endian: how many index entries, how many bytes of store, the entries (tag, type, offset, count) and the store.

use orch_plugin_kit::parse::ParseError;

/// The values of a tag that holds a list. The kernel of an enterprise distribution provides some 30,000 names.
pub const MAX_LIST: usize = 100_000;

/// rpm itself refuses more.
const MAX_ENTRIES: usize = 65_535;

const STRING: u32 = 6;
const STRING_ARRAY: u32 = 8;
const TRANSLATED: u32 = 9;

/// What is read of a package's header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// The package's name.
    pub name: String,
    /// The upstream version, without epoch and release.
    pub version: String,
    /// The release.
    pub release: String,
    /// The epoch, where there is one.
    pub epoch: Option<u32>,
    /// `x86_64`, `noarch`, ...; a key in the database has none.
    pub arch: Option<String>,
    /// The licence as written.
    pub license: Option<String>,
    /// The file name of the source package.
    pub source_rpm: Option<String>,
    /// Who built it.
    pub vendor: Option<String>,
    /// Bytes of its files on the disk.
    pub size: Option<u64>,
    /// Seconds since 1970 when it was installed.
    pub installed_at: Option<u32>,
    /// The names it requires, as they are written.
    pub requires: Vec<String>,
    /// The names it provides.
    pub provides: Vec<String>,
}

impl Header {
    /// Reads a header.
    ///
    /// # Errors
    /// When a length leads out of the header, or name, version or release are missing.
    pub fn parse(blob: &[u8]) -> Result<Header, ParseError> {
        let (entries, store) = split(blob)?;
        let mut header = Header::default();
        for entry in entries.chunks_exact(16) {
            let tag = number(entry, 0);
            let value = Value { kind: number(entry, 4), offset: number(entry, 8), count: number(entry, 12), store };
            match tag {
                1000 => header.name = value.string()?,
                1001 => header.version = value.string()?,
                1002 => header.release = value.string()?,
                1003 => header.epoch = Some(value.int32()?),
                1008 => header.installed_at = Some(value.int32()?),
                1009 => header.size = header.size.or(Some(u64::from(value.int32()?))),
                1011 => header.vendor = Some(value.string()?),
                1014 => header.license = Some(value.string()?),
                1022 => header.arch = Some(value.string()?),
                1044 => header.source_rpm = Some(value.string()?),
                1047 => header.provides = value.strings()?,
                1049 => header.requires = value.strings()?,
                // A package of 4 GiB and more has its size here.
                5009 => header.size = Some(value.int64()?),
                _ => {}
            }
        }
        for (what, text) in [("name", &header.name), ("version", &header.version), ("release", &header.release)] {
            if text.is_empty() {
                return Err(ParseError::whole(format!("a package without a {what}")));
            }
        }
        for text in [&mut header.arch, &mut header.license, &mut header.source_rpm, &mut header.vendor] {
            *text = text.take().filter(|text| !text.is_empty() && text != "(none)");
        }
        Ok(header)
    }
}

fn split(blob: &[u8]) -> Result<(&[u8], &[u8]), ParseError> {
    let short = || ParseError::whole("a package's header is shorter than it says");
    let (lengths, rest) = blob.split_at_checked(8).ok_or_else(short)?;
    let (count, length) = (number(lengths, 0) as usize, number(lengths, 4) as usize);
    if count > MAX_ENTRIES {
        return Err(ParseError::whole(format!("a package's header with more than {MAX_ENTRIES} tags")));
    }
    let (entries, rest) = rest.split_at_checked(count * 16).ok_or_else(short)?;
    Ok((entries, rest.get(..length).ok_or_else(short)?))
}

/// Four bytes at a place that is known to be there.
fn number(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().fold(0, |value, byte| value << 8 | u32::from(*byte))
}

struct Value<'a> {
    kind: u32,
    offset: u32,
    count: u32,
    store: &'a [u8],
}

impl<'a> Value<'a> {
    fn rest(&self) -> Result<&'a [u8], ParseError> {
        let outside = || ParseError::whole("a value lies outside of its package's header");
        self.store.get(self.offset as usize..).ok_or_else(outside)
    }

    /// The first text; all kinds of text begin alike.
    fn string(&self) -> Result<String, ParseError> {
        self.texts(1).map(|mut all| all.pop().unwrap_or_default())
    }

    fn strings(&self) -> Result<Vec<String>, ParseError> {
        self.texts(MAX_LIST)
    }

    fn texts(&self, most: usize) -> Result<Vec<String>, ParseError> {
        if !matches!(self.kind, STRING | STRING_ARRAY | TRANSLATED) {
            return Err(ParseError::whole(format!("a text of type {} in a package's header", self.kind)));
        }
        let mut rest = self.rest()?;
        let mut all = Vec::new();
        for _ in 0..(self.count as usize).min(most) {
            let end = rest.iter().position(|byte| *byte == 0);
            let end = end.ok_or_else(|| ParseError::whole("a text without an end in a package's header"))?;
            // Old packages have Latin-1 in names of people; a name that is not UTF-8 is still better than none.
            all.push(String::from_utf8_lossy(&rest[..end]).chars().filter(|it| !it.is_control()).collect());
            rest = &rest[end + 1..];
        }
        Ok(all)
    }

    fn int32(&self) -> Result<u32, ParseError> {
        let bytes = self.rest()?.get(..4).filter(|_| self.kind == 4 && self.count > 0);
        bytes
            .map(|bytes| number(bytes, 0))
            .ok_or_else(|| ParseError::whole("a number is missing in a package's header"))
    }

    fn int64(&self) -> Result<u64, ParseError> {
        let bytes = self.rest()?.get(..8).filter(|_| self.kind == 5 && self.count > 0);
        bytes
            .map(|bytes| u64::from(number(bytes, 0)) << 32 | u64::from(number(bytes, 4)))
            .ok_or_else(|| ParseError::whole("a number is missing in a package's header"))
    }
}
