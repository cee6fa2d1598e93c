//! A pack: many objects in one file, with an index beside it. Format: gitformat-pack(5), index version 2.

use super::GitError;
use super::id::Id;
use super::object::Kind;
use flate2::{Decompress, FlushDecompress, Status};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// The index of a pack, in memory: a name's place is found without reading.
#[derive(Debug)]
pub struct Index {
    bytes: Vec<u8>,
    count: usize,
    id_length: usize,
}

const HEADER: usize = 8;
const FANOUT: usize = 256 * 4;

impl Index {
    /// Takes the bytes of an index.
    ///
    /// # Errors
    /// When it is of another version, or its length is not what its count of objects asks for.
    pub fn new(bytes: Vec<u8>, id_length: usize) -> Result<Index, GitError> {
        if !bytes.starts_with(&[0xff, b't', b'O', b'c', 0, 0, 0, 2]) {
            return Err(GitError::broken("is no index of version 2"));
        }
        let index = Index { count: 0, bytes, id_length };
        let mut last = 0;
        for first in 0..256 {
            let here = index.number(HEADER + first * 4).ok_or_else(|| GitError::broken("is cut off"))?;
            if here < last {
                return Err(GitError::broken("has counts that fall"));
            }
            last = here;
        }
        let count = last as usize;
        let least = count.checked_mul(id_length + 8).and_then(|all| all.checked_add(HEADER + FANOUT + 2 * id_length));
        if least.is_none_or(|least| index.bytes.len() < least) {
            return Err(GitError::broken("is cut off"));
        }
        Ok(Index { count, ..index })
    }

    fn number(&self, at: usize) -> Option<u32> {
        let bytes = self.bytes.get(at..at + 4)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    }

    fn name(&self, at: usize) -> &[u8] {
        let start = HEADER + FANOUT + at * self.id_length;
        &self.bytes[start..start + self.id_length]
    }

    /// Where in the pack an object begins.
    pub fn find(&self, id: &Id) -> Option<u64> {
        let wanted = id.as_bytes();
        if wanted.len() != self.id_length {
            return None;
        }
        let first = usize::from(wanted[0]);
        let mut low = if first == 0 { 0 } else { self.number(HEADER + (first - 1) * 4)? as usize };
        let mut high = (self.number(HEADER + first * 4)? as usize).min(self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.name(middle).cmp(wanted) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return self.offset(middle),
            }
        }
        None
    }

    fn offset(&self, at: usize) -> Option<u64> {
        let offsets = HEADER + FANOUT + self.count * (self.id_length + 4);
        let offset = self.number(offsets + at * 4)?;
        if offset & 0x8000_0000 == 0 {
            return Some(u64::from(offset));
        }
        // Above 2 GiB it is a place in a table of longer ones.
        let long = offsets + self.count * 4 + (offset & 0x7fff_ffff) as usize * 8;
        let bytes = self.bytes.get(long..long.checked_add(8)?)?;
        Some(u64::from_be_bytes(bytes.try_into().ok()?))
    }
}

/// What stands in front of an object in a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryHead {
    /// What it is.
    pub kind: EntryKind,
    /// Bytes after inflating.
    pub size: u64,
    /// Where its deflated bytes begin.
    pub data: u64,
}

/// An object as it is, or a difference to another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// As it is.
    Whole(Kind),
    /// The base begins at this place of the same pack.
    DeltaAt(u64),
    /// The base has this name.
    DeltaOf(Id),
}

/// Bytes of a page. One read of the host fetches a page; objects that belong together lie near each other.
const PAGE: usize = 64 << 10;
/// Pages that are kept, 16 MiB.
const PAGES: usize = 256;

/// The packs' files, read in pages.
#[derive(Debug)]
pub struct Files {
    files: Vec<(File, u64)>,
    /// Each page has one slot, which it shares with others.
    slots: Vec<Option<Page>>,
    /// Made once: its window takes longer to clear than most objects to inflate.
    inflate: Option<Decompress>,
}

#[derive(Debug)]
struct Page {
    file: usize,
    number: u64,
    bytes: Vec<u8>,
}

impl Default for Files {
    fn default() -> Files {
        Files { files: Vec::new(), slots: (0..PAGES).map(|_| None).collect(), inflate: None }
    }
}

impl Files {
    /// Opens a pack and returns its number.
    ///
    /// # Errors
    /// When it cannot be opened, or is no pack of version 2 or 3.
    pub fn open(&mut self, path: &Path) -> Result<usize, GitError> {
        let unreadable = |error: std::io::Error| GitError::broken(format!("cannot be read ({})", error.kind()));
        let mut file = File::open(path).map_err(unreadable)?;
        let size = file.metadata().map_err(unreadable)?.len();
        let mut head = [0; 12];
        file.read_exact(&mut head).map_err(unreadable)?;
        if !head.starts_with(b"PACK\0\0\0") || !matches!(head[7], 2 | 3) {
            return Err(GitError::broken("is no pack of version 2"));
        }
        self.files.push((file, size));
        Ok(self.files.len() - 1)
    }

    /// The bytes of a pack from `at` to the end of its page; empty at the end of the file.
    fn page(&mut self, file: usize, at: u64) -> Result<&[u8], GitError> {
        let number = at / PAGE as u64;
        let slot = (usize::try_from(number).unwrap_or(0).wrapping_add(file.wrapping_mul(97))) % PAGES;
        let cached = self.slots[slot].as_ref().is_some_and(|page| page.file == file && page.number == number);
        if !cached {
            let unreadable =
                |error: std::io::Error| GitError::broken(format!("a pack cannot be read ({})", error.kind()));
            let mut bytes = self.slots[slot].take().map_or_else(Vec::new, |page| page.bytes);
            let (handle, size) = self.files.get_mut(file).ok_or_else(|| GitError::broken("there is no such pack"))?;
            let start = number * PAGE as u64;
            let length = usize::try_from(size.saturating_sub(start)).unwrap_or(PAGE).min(PAGE);
            bytes.resize(length, 0);
            handle.seek(SeekFrom::Start(start)).map_err(unreadable)?;
            handle.read_exact(&mut bytes).map_err(unreadable)?;
            self.slots[slot] = Some(Page { file, number, bytes });
        }
        let within = usize::try_from(at % PAGE as u64).unwrap_or(0);
        let bytes = self.slots[slot].as_ref().map_or(&[][..], |page| &page.bytes);
        Ok(bytes.get(within..).unwrap_or(&[]))
    }

    fn byte(&mut self, file: usize, at: &mut u64) -> Result<u8, GitError> {
        let byte = *self.page(file, *at)?.first().ok_or_else(|| GitError::broken("a pack ends within an object"))?;
        *at += 1;
        Ok(byte)
    }

    /// What begins at `offset`.
    ///
    /// # Errors
    /// When the pack ends there, or the kind is none.
    pub fn head(&mut self, file: usize, offset: u64, id_length: usize) -> Result<EntryHead, GitError> {
        let mut at = offset;
        let mut byte = self.byte(file, &mut at)?;
        let code = byte >> 4 & 7;
        let mut size = u64::from(byte & 15);
        let mut shift = 4;
        while byte & 0x80 != 0 {
            byte = self.byte(file, &mut at)?;
            if shift > 53 {
                return Err(GitError::broken("an object's size in a pack is too long"));
            }
            size |= u64::from(byte & 0x7f) << shift;
            shift += 7;
        }
        let kind = match code {
            1 => EntryKind::Whole(Kind::Commit),
            2 => EntryKind::Whole(Kind::Tree),
            3 => EntryKind::Whole(Kind::Blob),
            4 => EntryKind::Whole(Kind::Tag),
            6 => {
                let mut byte = self.byte(file, &mut at)?;
                let mut back = u64::from(byte & 0x7f);
                while byte & 0x80 != 0 {
                    byte = self.byte(file, &mut at)?;
                    if back >> 55 != 0 {
                        return Err(GitError::broken("a base's distance in a pack is too long"));
                    }
                    back = ((back + 1) << 7) | u64::from(byte & 0x7f);
                }
                // Only backwards, so that chains end.
                let base = offset.checked_sub(back).filter(|_| back > 0);
                EntryKind::DeltaAt(base.ok_or_else(|| GitError::broken("a base lies outside its pack"))?)
            }
            7 => {
                let mut name = [0; 32];
                for byte in &mut name[..id_length] {
                    *byte = self.byte(file, &mut at)?;
                }
                let id = Id::from_bytes(&name[..id_length]);
                EntryKind::DeltaOf(id.ok_or_else(|| GitError::broken("a base has no name"))?)
            }
            _ => return Err(GitError::broken(format!("an object in a pack has the kind {code}, which is none"))),
        };
        Ok(EntryHead { kind, size, data: at })
    }

    /// Inflates exactly `size` bytes from `at` on.
    ///
    /// # Errors
    /// When there are fewer or more, or they are no deflated bytes.
    pub fn inflate(&mut self, file: usize, mut at: u64, size: u64) -> Result<Vec<u8>, GitError> {
        let broken = || GitError::broken("an object in a pack is damaged");
        let size = usize::try_from(size).map_err(|_error| broken())?;
        // One byte more, to see whether the stream ends where it has to.
        let mut out = vec![0; size + 1];
        let mut length = 0;
        let mut inflate = self.inflate.take().unwrap_or_else(|| Decompress::new(true));
        inflate.reset(true);
        // Deflated bytes are never much more than what they make. If all are in this page, as they nearly always are, they are
        // inflated in one call and without a window between.
        if let Ok(page) = self.page(file, at)
            && page.len() > size + size / 512 + 64
            && matches!(inflate.decompress(page, &mut out, FlushDecompress::Finish), Ok(Status::StreamEnd))
            && inflate.total_out() == size as u64
        {
            self.inflate = Some(inflate);
            out.truncate(size);
            return Ok(out);
        }
        inflate.reset(true);
        let mut outcome = Ok(());
        loop {
            let page = match self.page(file, at) {
                Ok(page) if !page.is_empty() => page,
                Ok(_) => {
                    outcome = Err(broken());
                    break;
                }
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            };
            let before = (inflate.total_in(), inflate.total_out());
            let status = inflate.decompress(page, &mut out[length..], FlushDecompress::None);
            let (read, made) = (inflate.total_in() - before.0, inflate.total_out() - before.1);
            at += read;
            length += usize::try_from(made).unwrap_or(0);
            match status {
                Ok(Status::StreamEnd) => break,
                Ok(_) if length <= size && (read > 0 || made > 0) => {}
                _ => {
                    outcome = Err(broken());
                    break;
                }
            }
        }
        self.inflate = Some(inflate);
        outcome?;
        if length != size {
            return Err(broken());
        }
        out.truncate(size);
        Ok(out)
    }
}
