//! One parser for each format, and what they share. A parser is a function of text alone: it opens no files, never panics,
//! and bounds its work by the size of its text.

pub mod apk;
pub mod cargo_lock;
pub mod composer_lock;
pub mod dpkg;
pub mod gemfile_lock;
pub mod go_mod;
pub mod gradle_lock;
pub mod npm_manifest;
pub mod nuget_lock;
pub mod os_release;
pub mod package_lock;
pub mod pnpm_lock;
pub mod poetry_lock;
pub mod python_metadata;
pub mod requirements;
pub mod requirements_line;
pub mod rpm;
pub(crate) mod scopes;
pub mod sqlite;
pub mod uv_lock;
pub mod yarn_berry;
pub mod yarn_lock;

use crate::model::{Origin, Package, Packages};
use orch_plugin_kit::parse::ParseError;
use std::collections::HashMap;

/// No lock file known to us comes near this; a hostile one must not fill the memory. With hashes and a bill of its own a package
/// takes up to five kilobytes.
pub const MAX_PACKAGES: usize = 50_000;

/// A dependency given by name alone is linked to this many packages of that name at most, so that a hostile file with
/// thousands of equal names does not make an edge for each pair.
pub const MAX_CANDIDATES: usize = 32;

/// Finds the line of a byte offset.
pub struct LineIndex {
    newlines: Vec<usize>,
}

impl LineIndex {
    /// Reads the text once.
    pub fn new(text: &str) -> LineIndex {
        LineIndex { newlines: text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect() }
    }

    /// The 1-based line of a byte offset.
    pub fn line(&self, offset: usize) -> u32 {
        u32::try_from(self.newlines.partition_point(|newline| *newline < offset) + 1).unwrap_or(u32::MAX)
    }
}

/// Reads TOML into a type, with the line of the first mistake.
pub(crate) fn read_toml<'a, T: serde::Deserialize<'a>>(text: &'a str, lines: &LineIndex) -> Result<T, ParseError> {
    toml::from_str(text).map_err(|error| {
        let reason = error.message().lines().collect::<Vec<_>>().join(" ");
        ParseError { line: error.span().map(|span| lines.line(span.start)), reason: shorten(&reason) }
    })
}

/// Keeps a message readable when a hostile file makes its own words part of it.
pub fn shorten(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut short: String = text.chars().filter(|character| !character.is_control()).take(LONGEST).collect();
    if text.chars().count() > LONGEST {
        short.push('…');
    }
    short
}

/// An error of `serde_json` with its line.
pub(crate) fn json_error(error: &serde_json::Error) -> ParseError {
    ParseError { line: u32::try_from(error.line()).ok().filter(|line| *line > 0), reason: shorten(&error.to_string()) }
}

/// Checks what all parsers promise and puts the edges in order.
pub(crate) fn finish(mut packages: Packages) -> Result<Packages, ParseError> {
    check_count(packages.packages.len())?;
    for (index, package) in packages.packages.iter_mut().enumerate() {
        package.dependencies.sort_unstable();
        package.dependencies.dedup();
        package.dependencies.retain(|dependency| *dependency != index);
    }
    Ok(packages)
}

pub(crate) fn check_count(count: usize) -> Result<(), ParseError> {
    if count > MAX_PACKAGES {
        return Err(ParseError::whole(format!("more than {MAX_PACKAGES} packages")));
    }
    Ok(())
}

/// The indices of the packages of each name.
pub(crate) fn by_name(packages: &[Package]) -> HashMap<String, Vec<usize>> {
    let mut names: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, package) in packages.iter().enumerate() {
        names.entry(package.name.clone()).or_default().push(index);
    }
    names
}

/// Splits a git address as lock files write it: `git+` in front, a query, and the commit after `#`.
pub(crate) fn git_origin(address: &str) -> Origin {
    let address = address.strip_prefix("git+").unwrap_or(address);
    let (address, commit) = match address.split_once('#') {
        Some((address, commit)) => (address, Some(commit.to_owned()).filter(|commit| !commit.is_empty())),
        None => (address, None),
    };
    let url = address.split_once('?').map_or(address, |(url, _)| url);
    Origin::Git { url: without_credentials(url), commit }
}

/// Removes `user:password@` from an address: a bill of materials is passed on, and a token must not travel with it.
pub fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.find(['/', '?', '#']).map_or((rest, ""), |end| rest.split_at(end));
    match authority.rsplit_once('@') {
        // `ssh://git@host` names an account that is no secret, and the address does not work without it.
        Some((user, _)) if !user.contains(':') && scheme.ends_with("ssh") => url.to_owned(),
        Some((_, host)) => format!("{scheme}://{host}{path}"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_do_not_travel() {
        assert_eq!(without_credentials("https://u:p@h.example/a@b"), "https://h.example/a@b");
        assert_eq!(without_credentials("https://token@h.example"), "https://h.example");
        assert_eq!(without_credentials("ssh://git@h.example/a"), "ssh://git@h.example/a");
        assert_eq!(without_credentials("https://h.example/a@b"), "https://h.example/a@b");
        assert_eq!(without_credentials("git@h.example:a/b"), "git@h.example:a/b");
    }

    #[test]
    fn lines_are_counted_from_one() {
        let index = LineIndex::new("a\nb\n\nc");
        assert_eq!([0, 1, 2, 3, 4, 5].map(|offset| index.line(offset)), [1, 1, 2, 2, 3, 4]);
    }
}
