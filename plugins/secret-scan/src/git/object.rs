//! What objects say: their kind, a commit's fields, a tree's entries, a tag's target.

use super::GitError;
use super::id::Id;
use memchr::{memchr, memmem};
use orch_plugin_kit::timestamp::date;

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the four kinds of Git")]
pub enum Kind {
    Commit,
    Tree,
    Blob,
    Tag,
}

impl Kind {
    /// From the word in front of a loose object.
    pub fn from_word(word: &[u8]) -> Option<Kind> {
        Some(match word {
            b"commit" => Kind::Commit,
            b"tree" => Kind::Tree,
            b"blob" => Kind::Blob,
            b"tag" => Kind::Tag,
            _ => return None,
        })
    }
}

/// When something was written, as a commit says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Time {
    /// Since 1970, in UTC.
    pub seconds: i64,
    /// Of the writer's clock from UTC.
    pub offset_minutes: i32,
}

impl Time {
    /// RFC 3339 with the writer's offset: `2026-01-31T12:00:00+02:00`.
    pub fn rfc3339(&self) -> String {
        let local = self.seconds.saturating_add(i64::from(self.offset_minutes) * 60);
        let (days, second) = (local.div_euclid(86_400), local.rem_euclid(86_400));
        let (year, month, day) = date(days);
        let (sign, offset) =
            if self.offset_minutes < 0 { ('-', -self.offset_minutes) } else { ('+', self.offset_minutes) };
        let clock = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
        format!("{year:04}-{month:02}-{day:02}T{clock}{sign}{:02}:{:02}", offset / 60, offset % 60)
    }
}

/// The fields of a commit that matter here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// What it holds.
    pub tree: Id,
    /// Those before it; none for a first one, several for a merge.
    pub parents: Vec<Id>,
    /// Name and address, as written.
    pub author: String,
    /// When the change was made.
    pub authored: Time,
    /// When the commit was made, in seconds since 1970.
    pub committed: i64,
}

/// More parents than this are nobody's work; the largest known merge has 66.
const MOST_PARENTS: usize = 1024;

impl Commit {
    /// Reads a commit's header.
    ///
    /// # Errors
    /// When it names no tree, or far too many parents.
    pub fn parse(bytes: &[u8]) -> Result<Commit, GitError> {
        let header = &bytes[..memmem::find(bytes, b"\n\n").unwrap_or(bytes.len())];
        let (mut tree, mut parents) = (None, Vec::new());
        let (mut author, mut committer) = (None, None);
        for line in header.split(|byte| *byte == b'\n') {
            let (key, value) = line.split_at(memchr(b' ', line).unwrap_or(line.len()));
            let value = value.strip_prefix(b" ").unwrap_or(value);
            match key {
                b"tree" if tree.is_none() => tree = Id::from_hex(value),
                b"parent" if author.is_none() => {
                    parents.push(Id::from_hex(value).ok_or_else(|| GitError::broken("a commit's parent is no name"))?);
                }
                b"author" if author.is_none() => author = Some(signature(value)),
                b"committer" if committer.is_none() => committer = Some(signature(value)),
                _ => {}
            }
        }
        if parents.len() > MOST_PARENTS {
            return Err(GitError::broken(format!("a commit has {} parents", parents.len())));
        }
        let tree = tree.ok_or_else(|| GitError::broken("a commit names no tree"))?;
        let (author, authored) = author.unwrap_or_default();
        let committed = committer.map_or(authored.seconds, |(_, time)| time.seconds);
        Ok(Commit { tree, parents, author, authored, committed })
    }
}

/// `Name <address> seconds +0100`. What cannot be read is left at nothing: a secret is no less one for it.
fn signature(value: &[u8]) -> (String, Time) {
    let end = value.iter().rposition(|byte| *byte == b'>').map_or(0, |at| at + 1);
    let author = printable(&value[..end]);
    let text = String::from_utf8_lossy(&value[end..]);
    let mut words = text.split_ascii_whitespace();
    let seconds = words.next().and_then(|word| word.parse::<i64>().ok()).unwrap_or(0);
    // Years of more than four digits are no dates.
    let seconds = seconds.clamp(-62_135_596_800, 253_402_214_400);
    let offset = words.next().filter(|word| word.len() == 5).and_then(|word| word.parse::<i32>().ok()).unwrap_or(0);
    let offset_minutes = (offset / 100 * 60 + offset % 100).clamp(-1439, 1439);
    (author, Time { seconds, offset_minutes })
}

/// Text for people and paths for findings: what is no UTF-8 and what a terminal would obey are replaced.
pub fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    if text.chars().any(char::is_control) {
        text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
    } else {
        text.into_owned()
    }
}

/// What a tree's entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A folder.
    Tree,
    /// A file.
    Blob,
    /// A symbolic link, or a submodule, whose content is elsewhere.
    Other,
}

/// An entry of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// What it is.
    pub kind: EntryKind,
    /// Its name, without a path; any bytes but NUL.
    pub name: &'a [u8],
    /// The object.
    pub id: Id,
}

/// The entries of a tree, in its own order; `id_length` is 20 or 32.
///
/// # Errors
/// When it ends in an entry, or a mode is none.
pub fn entries(tree: &[u8], id_length: usize) -> Result<Vec<Entry<'_>>, GitError> {
    let broken = || GitError::broken("a tree ends within an entry");
    let mut entries = Vec::with_capacity(tree.len() / 40);
    let mut rest = tree;
    while !rest.is_empty() {
        let space = memchr(b' ', &rest[..rest.len().min(16)]).ok_or_else(broken)?;
        let end = memchr(0, &rest[space..]).ok_or_else(broken)? + space;
        let id = rest.get(end + 1..end + 1 + id_length).and_then(Id::from_bytes).ok_or_else(broken)?;
        let kind = match &rest[..space] {
            b"40000" | b"040000" => EntryKind::Tree,
            mode if mode.starts_with(b"100") => EntryKind::Blob,
            _ => EntryKind::Other,
        };
        entries.push(Entry { kind, name: &rest[space + 1..end], id });
        rest = &rest[end + 1 + id_length..];
    }
    Ok(entries)
}

/// What a tag stands for.
pub fn tag_target(bytes: &[u8]) -> Option<Id> {
    let line = bytes.strip_prefix(b"object ")?;
    Id::from_hex(&line[..memchr(b'\n', line)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for (seconds, offset_minutes, text) in [
            (0, 0, "1970-01-01T00:00:00+00:00"),
            (951_827_696, 60, "2000-02-29T13:34:56+01:00"),
            (-1, -90, "1969-12-31T22:29:59-01:30"),
            (253_402_214_400, 0, "9999-12-31T00:00:00+00:00"),
        ] {
            assert_eq!(Time { seconds, offset_minutes }.rfc3339(), text);
        }
    }

    #[test]
    fn a_commit() {
        let (tree, parent) = ("1".repeat(40), "2".repeat(40));
        let text = format!(
            "tree {tree}\nparent {parent}\nauthor A\u{1b} <a@b> 1700000000 +0130\ncommitter B <b@c> 1700000100 -0800\n\
             gpgsig -----BEGIN\n parent {tree}\n\nparent no\n"
        );
        let commit = Commit::parse(text.as_bytes()).unwrap();
        assert_eq!(commit.parents.len(), 1);
        assert_eq!((commit.author.as_str(), commit.committed), ("A\u{fffd} <a@b>", 1_700_000_100));
        assert_eq!(commit.authored, Time { seconds: 1_700_000_000, offset_minutes: 90 });
        for wrong in ["", "tree x\n\n", "parent 12\n\n", "tree 12"] {
            assert!(Commit::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
        let many = format!("tree {tree}\n{}", format!("parent {parent}\n").repeat(1025));
        assert!(Commit::parse(many.as_bytes()).is_err());
        // A date that is none, and one far away.
        for (date, seconds) in [("x +0000", 0), ("99999999999999 +9999", 253_402_214_400), ("", 0)] {
            let text = format!("tree {tree}\nauthor A <a> {date}\n");
            assert_eq!(Commit::parse(text.as_bytes()).unwrap().authored.seconds, seconds);
        }
    }

    #[test]
    fn trees() {
        let mut tree = b"100644 a/b\0".to_vec();
        tree.extend([1; 20]);
        tree.extend(b"40000 c\0");
        tree.extend([2; 20]);
        tree.extend(b"160000 d\0");
        tree.extend([3; 20]);
        let kinds: Vec<_> = entries(&tree, 20).unwrap().iter().map(|entry| entry.kind).collect();
        assert_eq!(kinds, [EntryKind::Blob, EntryKind::Tree, EntryKind::Other]);
        for end in 1..tree.len() {
            let _ = entries(&tree[..end], 20);
        }
        assert!(entries(&tree[..tree.len() - 1], 20).is_err());
        assert!(entries(b"no space at all in it", 20).is_err());
    }
}
