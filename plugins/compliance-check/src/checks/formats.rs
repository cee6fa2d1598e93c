//! The formats of configuration: each finds what a key is set to, and where.

use super::number;
use crate::root::{Root, Unseen};
use orch_plugin_kit::glob::fits_name;
use std::collections::BTreeMap;

/// Files that one configuration includes, and how deep. sshd itself stops at a depth of 16.
const MAX_INCLUDES: usize = 500;
const MAX_DEPTH: usize = 16;
/// Times that a key may be set; a hostile file must not make a list of millions.
const MAX_VALUES: usize = 1_000;

/// Keywords of sshd_config(5) of which every line counts, not the first.
const REPEATED: [&str; 11] = [
    "acceptenv",
    "allowgroups",
    "allowusers",
    "denygroups",
    "denyusers",
    "hostcertificate",
    "hostkey",
    "listenaddress",
    "port",
    "setenv",
    "subsystem",
];

/// A value and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// What is written.
    pub text: String,
    /// Below the root.
    pub path: String,
    /// 1-based.
    pub line: u32,
    /// Whether it stands below a `Match` of sshd.
    pub in_match: bool,
}

/// The values of a keyword in sshd's configuration: those that count globally, then those in `Match` blocks.
///
/// # Errors
/// When a file cannot be read or includes have no end.
pub fn sshd(files: &[String], key: &str, root: &Root) -> Result<Vec<Value>, String> {
    let key = key.to_ascii_lowercase();
    let mut all = Vec::new();
    let mut opened = 0;
    for pattern in files {
        for path in root.glob(pattern)? {
            sshd_file(&path, &key, false, &mut opened, 0, root, &mut all)?;
        }
    }
    let mut first = true;
    all.retain(|value| value.in_match || REPEATED.contains(&key.as_str()) || std::mem::take(&mut first));
    Ok(all)
}

fn sshd_file(
    path: &str,
    key: &str,
    within_match: bool,
    opened: &mut usize,
    depth: usize,
    root: &Root,
    all: &mut Vec<Value>,
) -> Result<(), String> {
    *opened += 1;
    if depth > MAX_DEPTH || *opened > MAX_INCLUDES {
        return Err(format!("`{path}`: `Include` goes on without end"));
    }
    let text = root.text(path).map_err(|error| format!("`{path}`: {error}"))?;
    let mut in_match = within_match;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (word, rest) = line.split_once([' ', '\t', '=']).unwrap_or((line, ""));
        let rest = rest.trim_start_matches([' ', '\t', '=']).trim_end();
        if word.eq_ignore_ascii_case("match") {
            in_match = true;
        } else if word.eq_ignore_ascii_case("include") {
            for pattern in rest.split_ascii_whitespace().map(unquoted) {
                let pattern = if pattern.starts_with('/') { pattern.to_owned() } else { format!("etc/ssh/{pattern}") };
                for included in root.glob(&pattern)? {
                    if root.resolve(&included) != Err(Unseen::Missing) {
                        sshd_file(&included, key, in_match, opened, depth + 1, root, all)?;
                    }
                }
            }
        } else if word.eq_ignore_ascii_case(key) && all.len() < MAX_VALUES {
            let rest = rest.split_once(" #").map_or(rest, |(value, _)| value.trim_end());
            all.push(Value { text: unquoted(rest).to_owned(), path: path.to_owned(), line: number(index), in_match });
        }
    }
    Ok(())
}

fn unquoted(text: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote)) {
            return inner;
        }
    }
    text
}

/// A key of a format with one value on a line; the last one counts.
pub struct Lines<'a> {
    /// Of `ini`: the section that the key is in.
    pub section: Option<&'a str>,
    /// Whether a blank stands between key and value, not `=`.
    pub blank: bool,
}

impl Lines<'_> {
    /// The value that counts.
    ///
    /// # Errors
    /// When a file is there and cannot be read.
    pub fn value(&self, files: &[String], key: &str, root: &Root) -> Result<Option<Value>, String> {
        let mut found = None;
        for pattern in files {
            for path in root.glob(pattern)? {
                let text = match root.text(&path) {
                    Ok(text) => text,
                    Err(Unseen::Missing) => continue,
                    Err(error) => return Err(format!("`{path}`: {error}")),
                };
                let mut here = self.section.is_none();
                for (index, line) in text.lines().enumerate() {
                    let line = line.trim();
                    if line.is_empty() || line.starts_with(['#', ';']) {
                        continue;
                    }
                    if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                        here = self.section.is_none_or(|section| section == name.trim());
                        continue;
                    }
                    let split = if self.blank { line.split_once([' ', '\t']) } else { line.split_once('=') };
                    let (name, value) = split.unwrap_or((line, ""));
                    if here && name.trim() == key {
                        let text = unquoted(value.trim()).to_owned();
                        found = Some(Value { text, path: path.clone(), line: number(index), in_match: false });
                    }
                }
            }
        }
        Ok(found)
    }
}

/// Folders of sysctl.d(5), the strongest first: of files with the same name only the first counts.
const SYSCTL: [&str; 5] =
    ["etc/sysctl.d", "run/sysctl.d", "usr/local/lib/sysctl.d", "usr/lib/sysctl.d", "lib/sysctl.d"];

/// The files of a family of folders in the order in which they are read: by name, each name once.
///
/// # Errors
/// When a folder cannot be read.
pub fn layered(folders: &[&str], root: &Root) -> Result<BTreeMap<String, String>, String> {
    let mut files = BTreeMap::new();
    for folder in folders {
        for path in root.glob(&format!("{folder}/*.conf"))? {
            let name = path.rsplit('/').next().unwrap_or_default().to_owned();
            files.entry(name).or_insert(path);
        }
    }
    Ok(files)
}

/// What the kernel's parameter is set to at boot.
///
/// # Errors
/// When a file cannot be read.
pub fn sysctl(key: &str, root: &Root) -> Result<Option<Value>, String> {
    let mut files = layered(&SYSCTL, root)?;
    if root.resolve("etc/sysctl.conf").is_ok() {
        // Debian links it under this name; where it is not linked, tools read it last all the same.
        files.entry("99-sysctl.conf".to_owned()).or_insert_with(|| "etc/sysctl.conf".to_owned());
    }
    let key = sysctl_name(key);
    let (mut exact, mut by_pattern, mut excluded) = (None, None, false);
    for path in files.into_values() {
        let text = match root.text(&path) {
            Ok(text) => text,
            Err(Unseen::Missing) => continue,
            // A link to `/dev/null` takes a file out (sysctl.d(5)).
            Err(_) if root.link_target(&path).as_deref() == Some("/dev/null") => continue,
            Err(error) => return Err(format!("`{path}`: {error}")),
        };
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            let Some((name, value)) = line.split_once('=') else {
                excluded |= line.strip_prefix('-').is_some_and(|name| sysctl_name(name) == key);
                continue;
            };
            let name = sysctl_name(name.trim().trim_start_matches('-'));
            let text = value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
            let value = Value { text, path: path.clone(), line: number(index), in_match: false };
            if name == key {
                exact = Some(value);
            } else if name.contains('*') && fits_name(&name, &key) {
                by_pattern = Some(value);
            }
        }
    }
    Ok(exact.or(by_pattern.filter(|_| !excluded)))
}

/// With `/` between the parts. If the first separator is a dot, dots and slashes are swapped (sysctl.d(5)).
fn sysctl_name(text: &str) -> String {
    let text = text.trim();
    if text.find(['.', '/']).is_some_and(|at| text[at..].starts_with('.')) {
        let swap = |c| match c {
            '.' => '/',
            '/' => '.',
            other => other,
        };
        return text.chars().map(swap).collect();
    }
    text.to_owned()
}

/// The running kernel's value, where the root shows it.
pub fn sysctl_live(key: &str, root: &Root) -> Option<Value> {
    let path = format!("proc/sys/{}", sysctl_name(key));
    let text = root.text(&path).ok()?.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    Some(Value { text, path, line: 1, in_match: false })
}
