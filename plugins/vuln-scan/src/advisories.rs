//! Reads the records of a folder: JSON files at any depth, and zip files of them. One record is in memory at a time.

use crate::blocks::Blocks;
use crate::matching::Matcher;
use crate::record::MAX_RECORD;
use crate::skipped::{self, Skips};
use orch_plugin_kit::{report, tree};
use orch_sdk::{Host, TaskError};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use zip::ZipArchive;

/// Records in all; the whole of the public records is below a million.
const MAX_RECORDS: usize = 2_000_000;

/// Bytes of records in all, unpacked.
const MAX_BYTES: u64 = 8 * 1024 * 1024 * 1024;

/// The largest zip file. Its list of names is in memory, some hundred bytes for each.
const MAX_ZIP: u64 = 512 * 1024 * 1024;

/// Entries of one zip file.
const MAX_ENTRIES: usize = 600_000;

/// How many records there are between two looks at the host.
const LOOK_EVERY: usize = 512;

struct Reader<'m, 'p> {
    matcher: &'m mut Matcher<'p>,
    skips: &'m mut Skips,
    host: &'m dyn Host,
    bytes: u64,
    full: bool,
    buffer: Vec<u8>,
}

/// Reads all records below a folder.
///
/// # Errors
/// When the host wants the task to stop.
pub fn read_folder(root: &Path, matcher: &mut Matcher, skips: &mut Skips, host: &dyn Host) -> Result<(), TaskError> {
    let mut reader = Reader { matcher, skips, host, bytes: 0, full: false, buffer: Vec::new() };
    let incomplete = tree::walk(root, &[], &mut |folder| {
        for name in folder.files {
            if reader.full {
                break;
            }
            let path = folder.join(name);
            let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
            match extension.as_deref() {
                Some("json") => reader.file(root, &path)?,
                Some("zip") => reader.zip(root, &path)?,
                _ => reader.skips.count("neither JSON nor zip", &path),
            }
        }
        for name in folder.links {
            reader.skips.count("symbolic link", name);
        }
        if reader.full {
            folder.folders.clear();
        }
        Ok::<(), TaskError>(())
    })?;
    for reason in &incomplete {
        skips.unreadable(skipped::RECORDS, ".", "the folder of records", reason);
    }
    // Nothing found because there was nothing to compare with would look like good news.
    for ecosystem in matcher.without_records() {
        skips.unreadable(skipped::RECORDS, ".", ecosystem, "the folder has no record of this ecosystem");
    }
    Ok(())
}

impl Reader<'_, '_> {
    fn file(&mut self, root: &Path, path: &str) -> Result<(), TaskError> {
        match File::open(tree::join(root, path)) {
            Ok(file) => self.record(file, path),
            Err(error) => {
                let reason = format!("cannot be opened ({})", error.kind());
                self.skips.unreadable(skipped::RECORD, ".", path, &reason);
                Ok(())
            }
        }
    }

    fn record(&mut self, content: impl Read, place: &str) -> Result<(), TaskError> {
        if self.matcher.read >= MAX_RECORDS || self.bytes >= MAX_BYTES {
            self.full = true;
            let reason = format!("more than {MAX_RECORDS} records, or {} GiB", MAX_BYTES >> 30);
            self.skips.unreadable(skipped::RECORDS, ".", place, &reason);
            return Ok(());
        }
        if self.matcher.read.is_multiple_of(LOOK_EVERY) {
            report::check_cancelled(self.host)?;
            self.host.progress(self.matcher.read as u64, None, place);
        }
        self.buffer.clear();
        let read = content.take(MAX_RECORD + 1).read_to_end(&mut self.buffer);
        self.bytes += self.buffer.len() as u64;
        match read {
            Err(error) => self.skips.unreadable(skipped::RECORD, ".", place, &error.to_string()),
            Ok(_) if self.buffer.len() as u64 > MAX_RECORD => {
                let reason = format!("larger than {} MiB", MAX_RECORD >> 20);
                self.skips.unreadable(skipped::RECORD, ".", place, &reason);
            }
            Ok(_) => self.matcher.read(&self.buffer, place, self.skips),
        }
        Ok(())
    }

    fn zip(&mut self, root: &Path, path: &str) -> Result<(), TaskError> {
        let opened = File::open(tree::join(root, path)).map_err(|error| error.to_string()).and_then(|file| {
            let length = file.metadata().map_err(|error| error.to_string())?.len();
            if length > MAX_ZIP {
                return Err(format!("larger than {} MiB", MAX_ZIP >> 20));
            }
            let blocks = Blocks::new(file).map_err(|error| error.to_string())?;
            ZipArchive::new(blocks).map_err(|error| error.to_string())
        });
        let mut archive = match opened {
            Ok(archive) => archive,
            Err(reason) => {
                self.skips.unreadable(skipped::RECORDS, ".", path, &reason);
                return Ok(());
            }
        };
        if archive.len() > MAX_ENTRIES {
            self.skips.unreadable(skipped::RECORDS, ".", path, &format!("more than {MAX_ENTRIES} files in it"));
        }
        for number in 0..archive.len().min(MAX_ENTRIES) {
            if self.full {
                break;
            }
            match archive.by_index(number) {
                Ok(entry) if entry.is_dir() => {}
                Ok(entry) => {
                    let place = format!("{path}: {}", entry.name());
                    if entry.name().to_ascii_lowercase().ends_with(".json") {
                        self.record(entry, &place)?;
                    } else {
                        self.skips.count("neither JSON nor zip", &place);
                    }
                }
                Err(error) => {
                    let place = format!("{path}: entry {number}");
                    self.skips.unreadable(skipped::RECORD, ".", &place, &error.to_string());
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Inventory;
    use orch_sdk::TestHost;

    /// Offers a record of 64 MiB after `bytes` were read. Answers with how many were then read of it, whether reading is over, and what is
    /// said.
    fn offer(bytes: u64) -> (u64, bool, String) {
        let (inventory, host, mut skips) = (Inventory::default(), TestHost::new(), Skips::default());
        let mut matcher = Matcher::new(&inventory);
        let (full, buffer) = (false, Vec::new());
        let mut reader = Reader { matcher: &mut matcher, skips: &mut skips, host: &host, bytes, full, buffer };
        reader.record(std::io::repeat(b' ').take(64 << 20), "x").unwrap();
        let (read, full) = (reader.bytes - bytes, reader.full);
        let (_, findings) = skips.finish();
        (read, full, findings.into_iter().map(|finding| finding.title).collect())
    }

    #[test]
    fn reading_stops_at_the_bounds() {
        assert_eq!(offer(0), (MAX_RECORD + 1, false, "x: larger than 16 MiB".to_owned()));
        assert_eq!(offer(MAX_BYTES), (0, true, "x: more than 2000000 records, or 8 GiB".to_owned()));
    }
}
