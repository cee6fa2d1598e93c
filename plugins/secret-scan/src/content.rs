//! Searches one file, whatever it is: text, text in UTF-16, or an archive with files in it. A file of the tree, of the history
//! and of an archive go the same way.

use crate::archive::budget::{Budget, DEEPEST};
use crate::archive::kind::{self, Kind, PROBE, Packing};
use crate::archive::{tar, zip};
use crate::detect::{Detector, FileFinds};
use memchr::memchr;
use orch_sdk::TaskError;
use std::io::{self, Read};

/// Where NUL bytes are looked for.
const BINARY_PROBE: usize = 8 * 1024;
/// The first read: most files end before it does, and a binary one costs no more.
const FIRST_READ: usize = 64 * 1024;
/// Entries of an archive that could not be read and are named; the others are counted.
const NAMED: usize = 3;

/// Endings of files that are not text. A key store is binary too, but rules on paths see it before this list does.
const BINARY_ENDINGS: &[&str] = &[
    "7z", "a", "avi", "avif", "bin", "bmp", "class", "dll", "dylib", "eot", "exe", "flac", "gif", "icns", "ico",
    "jpeg", "jpg", "jks", "lz4", "mkv", "mov", "mp3", "mp4", "o", "ogg", "otf", "p12", "pdf", "pfx", "png", "pyc",
    "rar", "rlib", "so", "tif", "tiff", "ttf", "wasm", "wav", "webm", "webp", "woff", "woff2",
];

/// Endings of archives: not text either, where archives are not opened.
const ARCHIVE_ENDINGS: &[&str] = &["bz2", "gz", "jar", "tar", "tgz", "war", "xz", "zip", "zst"];

/// What was met while a file was searched.
#[derive(Debug)]
pub enum Told<'a> {
    /// Text was searched.
    Text {
        /// `outer.zip!inner/path` for a file of an archive.
        path: &'a str,
        /// What the places of finds refer to.
        content: &'a [u8],
        /// What was found.
        finds: FileFinds,
    },
    /// A rule on paths alone found something.
    Name {
        /// As above.
        path: &'a str,
        /// What was found.
        finds: FileFinds,
    },
    /// Not text.
    Binary,
    /// Larger than wanted.
    TooLarge,
    /// An allowlist for all rules names its path.
    Allowed,
    /// An archive was opened.
    Archive,
    /// An archive, or a part of it, could not be read.
    Problem {
        /// The archive.
        path: &'a str,
        /// Why.
        reason: String,
    },
}

/// Why a search ends.
#[derive(Debug)]
pub enum Stop {
    /// The file cannot be read.
    Unreadable(io::Error),
    /// The task ends.
    Task(TaskError),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Stop {
        Stop::Unreadable(error)
    }
}

impl From<TaskError> for Stop {
    fn from(error: TaskError) -> Stop {
        Stop::Task(error)
    }
}

/// Who is told.
pub type Tell<'t> = dyn FnMut(&Detector, Told) -> Result<(), TaskError> + 't;

/// A file to search.
pub struct Item<'a> {
    /// For finds.
    pub path: &'a str,
    /// Bytes, where they are known.
    pub size: Option<u64>,
    /// Its content.
    pub content: &'a mut dyn Read,
}

/// Searches files.
#[derive(Debug)]
pub struct Searcher {
    /// The rules.
    pub detector: Detector,
    /// Whether archives are opened.
    archives: bool,
    /// Larger text is not searched.
    limit: usize,
    /// Larger archives are not opened.
    archive_limit: usize,
    /// One for each depth, kept from file to file.
    buffers: Vec<Vec<u8>>,
}

/// Where an item is.
#[derive(Clone, Copy)]
struct Within<'a> {
    depth: usize,
    budget: Option<&'a Budget>,
}

impl Searcher {
    /// With limits in bytes.
    pub fn new(detector: Detector, archives: bool, limit: u64, archive_limit: u64) -> Searcher {
        let size = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX - 1).min(usize::MAX - 1);
        Searcher { detector, archives, limit: size(limit), archive_limit: size(archive_limit), buffers: Vec::new() }
    }

    /// Whether a file's ending says that there is nothing to search.
    pub fn is_binary_by_name(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        let Some((_, ending)) = name.rsplit_once('.') else { return false };
        let has = |endings: &[&str]| endings.iter().any(|known| known.eq_ignore_ascii_case(ending));
        has(BINARY_ENDINGS) || (!self.archives && has(ARCHIVE_ENDINGS))
    }

    /// Whether archives are opened.
    pub fn opens_archives(&self) -> bool {
        self.archives
    }

    /// The largest file that is of use.
    pub fn largest(&self) -> usize {
        if self.archives { self.limit.max(self.archive_limit) } else { self.limit }
    }

    /// What the path alone says, for a file that is not opened.
    ///
    /// # Errors
    /// What `tell` returns.
    pub fn search_name(&self, path: &str, tell: &mut Tell) -> Result<(), TaskError> {
        let finds = self.detector.search_path(path);
        if finds == FileFinds::default() { Ok(()) } else { tell(&self.detector, Told::Name { path, finds }) }
    }

    /// Searches a file, and the files in it.
    ///
    /// # Errors
    /// When it cannot be read, or what `tell` returns.
    pub fn search(&mut self, item: Item, tell: &mut Tell) -> Result<(), Stop> {
        self.item(item, Within { depth: 0, budget: None }, tell)
    }

    fn item(&mut self, item: Item, within: Within, tell: &mut Tell) -> Result<(), Stop> {
        self.search_name(item.path, tell)?;
        if self.is_binary_by_name(item.path) {
            return Ok(tell(&self.detector, Told::Binary)?);
        }
        let mut buffer = self.buffers.pop().unwrap_or_default();
        let result = self.buffered(&mut buffer, item, within, tell);
        self.buffers.push(buffer);
        result
    }

    fn buffered(&mut self, buffer: &mut Vec<u8>, item: Item, within: Within, tell: &mut Tell) -> Result<(), Stop> {
        let Item { path, size, content } = item;
        let size = size.map(|size| usize::try_from(size).unwrap_or(usize::MAX));
        let too_large = size.is_some_and(|size| size > self.limit);
        if too_large && !self.archives {
            return Ok(tell(&self.detector, Told::TooLarge)?);
        }
        // Up to the size that was told: asking once more for the end would double the calls for small files.
        let until = size.unwrap_or(usize::MAX);
        let mut length = 0;
        fill(buffer, &mut length, until.min(if too_large { PROBE } else { FIRST_READ }), content)?;
        let archive = if self.archives { kind::kind(&buffer[..length]) } else { None };
        if let Some(kind) = archive {
            if size.is_some_and(|size| size > self.archive_limit) {
                return Ok(self.too_large_archive(path, tell)?);
            }
            fill(buffer, &mut length, until.min(self.archive_limit + 1), content)?;
            if length > self.archive_limit {
                return Ok(self.too_large_archive(path, tell)?);
            }
            return self.archive(path, kind, &buffer[..length], within, tell);
        }
        if too_large {
            return Ok(tell(&self.detector, Told::TooLarge)?);
        }
        let wide = buffer[..length].starts_with(b"\xff\xfe") || buffer[..length].starts_with(b"\xfe\xff");
        if !wide && memchr(0, &buffer[..length.min(BINARY_PROBE)]).is_some() {
            return Ok(tell(&self.detector, Told::Binary)?);
        }
        fill(buffer, &mut length, until.min(self.limit + 1), content)?;
        if length > self.limit {
            return Ok(tell(&self.detector, Told::TooLarge)?);
        }
        let text = &buffer[..length];
        let decoded = if wide { decode_utf16(text) } else { None };
        let content = decoded.as_deref().map_or(text, str::as_bytes);
        let finds = self.detector.search(path, content);
        let finds = finds.map_err(|error| TaskError::InvalidInput(error.to_string()))?;
        Ok(tell(&self.detector, Told::Text { path, content, finds })?)
    }

    fn too_large_archive(&self, path: &str, tell: &mut Tell) -> Result<(), TaskError> {
        let reason = format!("it is larger than {} bytes, the input `max-archive-size`", self.archive_limit);
        tell(&self.detector, Told::Problem { path, reason })
    }

    fn archive(&mut self, path: &str, kind: Kind, bytes: &[u8], within: Within, tell: &mut Tell) -> Result<(), Stop> {
        if within.depth == DEEPEST {
            let reason = format!("it is more than {DEEPEST} archives deep");
            return Ok(tell(&self.detector, Told::Problem { path, reason })?);
        }
        tell(&self.detector, Told::Archive)?;
        let own;
        let budget = match within.budget {
            Some(budget) => budget,
            None => {
                own = Budget::new(bytes.len() as u64);
                &own
            }
        };
        let within = Within { depth: within.depth + 1, budget: Some(budget) };
        let outcome = match kind {
            Kind::Zip => self.zip(path, bytes, within, budget, tell),
            Kind::Tar => self.tar(path, &mut budget.count(bytes), within, budget, tell),
            Kind::Packed(packing) => self.packed(path, packing, bytes, within, budget, tell),
        };
        match outcome {
            Err(Stop::Unreadable(error)) => {
                Ok(tell(&self.detector, Told::Problem { path, reason: error.to_string() })?)
            }
            other => other,
        }
    }

    fn packed(
        &mut self,
        path: &str,
        packing: Packing,
        bytes: &[u8],
        within: Within,
        budget: &Budget,
        tell: &mut Tell,
    ) -> Result<(), Stop> {
        budget.entry().map_err(io::Error::other)?;
        let mut unpacked = budget.count(kind::unpack(packing, bytes)?);
        let (mut head, mut length) = (Vec::new(), 0);
        fill(&mut head, &mut length, PROBE, &mut unpacked)?;
        let mut whole = head[..length].chain(unpacked);
        if kind::kind(&head[..length]) == Some(Kind::Tar) {
            // A packed tar is one archive to people, and need not be in memory at once.
            return self.tar(path, &mut whole, within, budget, tell);
        }
        let inner = format!("{path}!{}", kind::inner_name(path));
        self.item(Item { path: &inner, size: None, content: &mut whole }, within, tell)
    }

    fn tar(
        &mut self,
        path: &str,
        content: &mut dyn Read,
        within: Within,
        budget: &Budget,
        tell: &mut Tell,
    ) -> Result<(), Stop> {
        tar::files::<Stop>(content, &mut |name, file| {
            budget.entry().map_err(io::Error::other)?;
            self.entry(path, name, file, within, tell)
        })
    }

    fn entry(
        &mut self,
        path: &str,
        name: &str,
        content: &mut dyn Read,
        within: Within,
        tell: &mut Tell,
    ) -> Result<(), Stop> {
        let inner = format!("{path}!{}", name.trim_start_matches("./").trim_start_matches('/'));
        if self.detector.allows_file(&inner) {
            return Ok(tell(&self.detector, Told::Allowed)?);
        }
        self.item(Item { path: &inner, size: None, content }, within, tell)
    }

    fn zip(&mut self, path: &str, bytes: &[u8], within: Within, budget: &Budget, tell: &mut Tell) -> Result<(), Stop> {
        let (entries, before) = zip::entries(bytes).map_err(io::Error::other)?;
        let (mut failed, mut named) = (0_u64, Vec::new());
        for entry in &entries {
            budget.entry().map_err(io::Error::other)?;
            let outcome = match zip::open(bytes, before, entry) {
                Ok(content) => self.entry(path, &entry.name, &mut budget.count(content), within, tell),
                Err(reason) => Err(Stop::Unreadable(io::Error::other(reason))),
            };
            match outcome {
                Err(Stop::Unreadable(error)) if budget.is_spent() => return Err(error.into()),
                Err(Stop::Unreadable(error)) => {
                    failed += 1;
                    if named.len() < NAMED {
                        named.push(format!("`{}`: {error}", entry.name));
                    }
                }
                other => other?,
            }
        }
        if failed > 0 {
            let reason = format!("{failed} of its {} files cannot be read: {}", entries.len(), named.join("; "));
            tell(&self.detector, Told::Problem { path, reason })?;
        }
        Ok(())
    }
}

/// Reads until `buffer` has `until` bytes, or to the end. Only the first `length` bytes of the buffer are of this file.
fn fill(buffer: &mut Vec<u8>, length: &mut usize, until: usize, content: &mut dyn Read) -> io::Result<()> {
    while *length < until {
        // Room grows with what is there, so that a size that somebody states costs nothing.
        let room = until.min((*length * 2).max(FIRST_READ));
        if buffer.len() < room {
            buffer.resize(room, 0);
        }
        match content.read(&mut buffer[*length..room]) {
            Ok(0) => break,
            Ok(count) => *length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Text in UTF-16 that begins with its mark. What is no character is replaced.
fn decode_utf16(bytes: &[u8]) -> Option<String> {
    let little = match bytes.get(..2)? {
        [0xff, 0xfe] => true,
        [0xfe, 0xff] => false,
        _ => return None,
    };
    let units = bytes[2..].chunks_exact(2).map(|pair| {
        let pair = [pair[0], pair[1]];
        if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) }
    });
    Some(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}
