//! The database of apk, `lib/apk/db/installed`, and its indexes, `APKINDEX` in an archive: both have lines of a letter, a colon and a
//! value, and an empty line after each package.

use crate::model::{INSTALLED, Installed};
use std::io::{BufRead, Read};

/// More packages than any repository has.
const MAX_PACKAGES: usize = 200_000;
/// Bytes of one line.
const MAX_LINE: usize = 256 << 10;

/// A package of the database or of an index.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `P`
    pub name: String,
    /// `V`
    pub version: String,
    /// `A`
    pub architecture: Option<String>,
    /// `o`, the package of source code.
    pub origin: Option<String>,
    /// `S`, bytes to download.
    pub size: Option<u64>,
    /// `D`
    pub needs: Option<String>,
    /// `p`
    pub provides: Option<String>,
    /// The 1-based line at which it begins.
    pub line: u32,
}

/// Reads entries and hands over each.
///
/// # Errors
/// With the line, when a line is none of the format, and what `each` says.
pub fn read(mut from: impl BufRead, each: &mut dyn FnMut(Entry) -> Result<(), String>) -> Result<(), String> {
    let (mut number, mut count, mut entry) = (0_u32, 0_usize, None::<Entry>);
    let mut line = Vec::new();
    loop {
        line.clear();
        number = number.saturating_add(1);
        let most = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
        let read = from.by_ref().take(most).read_until(b'\n', &mut line);
        let read = read.map_err(|error| format!("line {number}: it cannot be read further ({error})"))?;
        if read == MAX_LINE {
            return Err(format!("line {number}: a line of more than {MAX_LINE} bytes"));
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\n', '\r']);
        if read == 0 || text.is_empty() {
            if let Some(entry) = entry.take() {
                count += 1;
                if count > MAX_PACKAGES {
                    return Err(format!("more than {MAX_PACKAGES} packages"));
                }
                if entry.name.is_empty() || entry.version.is_empty() {
                    return Err(format!("line {}: a package without name or version", entry.line));
                }
                each(entry)?;
            }
            if read == 0 {
                return Ok(());
            }
            continue;
        }
        let Some((key, value)) = text.split_once(':').filter(|(key, _)| key.len() == 1) else {
            return Err(format!("line {number}: no letter with a colon and a value"));
        };
        let entry = entry.get_or_insert_with(|| Entry { line: number, ..Entry::default() });
        let some = || Some(value.to_owned()).filter(|value| !value.is_empty());
        match key {
            "P" => entry.name = value.to_owned(),
            "V" => entry.version = value.to_owned(),
            "A" => entry.architecture = some(),
            "o" => entry.origin = some(),
            "S" => entry.size = value.parse().ok(),
            "D" => entry.needs = some(),
            "p" => entry.provides = some(),
            _ => {}
        }
    }
}

/// The installed packages. `world` is `etc/apk/world`: a name with a version behind it is to stay where it is.
///
/// # Errors
/// As [`read`].
pub fn installed(from: impl BufRead, world: &str) -> Result<Vec<Installed>, String> {
    let pinned: Vec<&str> = world
        .split_ascii_whitespace()
        .filter_map(|word| word.find(['=', '<', '>', '~']).map(|end| &word[..end]))
        .collect();
    let mut all = Vec::new();
    read(from, &mut |entry| {
        all.push(Installed {
            held: pinned.contains(&entry.name.as_str()),
            name: entry.name,
            version: entry.version,
            architecture: entry.architecture,
            source: entry.origin,
            state: INSTALLED.to_owned(),
            needs: entry.needs.into_iter().collect(),
            provides: entry.provides,
            line: Some(entry.line),
        });
        Ok(())
    })?;
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages() {
        let text = "C:Q1abc=\nP:musl\nV:1.2.4-r2\nA:x86_64\nS:383459\no:musl\np:so:libc.musl-x86_64.so.1=1\nF:lib\nR:libc.so\n\nP:busybox\nV:1.36\n";
        let found = installed(text.as_bytes(), "busybox=1.36\nother>2\nmusl\n").unwrap();
        assert_eq!((found[0].name.as_str(), found[0].held, found[0].line), ("musl", false, Some(1)));
        assert_eq!((found[1].name.as_str(), found[1].held), ("busybox", true));
    }

    #[test]
    fn hostile() {
        for (text, says) in [
            ("P:a\n\n", "line 1: a package without"),
            ("P:a\nV:1\nnonsense\n", "line 3"),
            ("ü", "line 1"),
            ("P", "line 1"),
        ] {
            let error = installed(text.as_bytes(), "").unwrap_err();
            assert!(error.contains(says), "{text:?}: {error}");
        }
        let long = format!("P:{}", "a".repeat(MAX_LINE));
        assert!(installed(long.as_bytes(), "").unwrap_err().contains("more than"));
    }
}
