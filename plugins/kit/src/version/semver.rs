//! Semantic Versioning 2.0.0, section 11: <https://semver.org/spec/v2.0.0.html>. Missing numbers are zero, because records shorten
//! `1.0.0` to `1` or `0`. What comes after `+` has no part in the order.

use super::Number;

/// Numbers, then the pre-release.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    numbers: [Number; 3],
    stage: Stage,
}

/// A version without a pre-release comes after all those with one.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Pre(Vec<Identifier>),
    Release,
}

/// Numbers come before words.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Identifier {
    Number(Number),
    Word(String),
}

pub(super) fn parse(text: &str) -> Option<Version> {
    let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
    if build.is_some_and(|build| identifiers(build).is_none()) {
        return None;
    }
    let (numbers, pre) = text.split_once('-').map_or((text, None), |(text, pre)| (text, Some(pre)));
    with_pre(numbers, pre)
}

/// From the numbers and the pre-release, apart.
pub(super) fn with_pre(text: &str, pre: Option<&str>) -> Option<Version> {
    let mut numbers: [Number; 3] = Default::default();
    let mut parts = text.split('.');
    for (place, number) in numbers.iter_mut().enumerate() {
        match parts.next() {
            Some(part) => *number = Number::some(part)?,
            None if place > 0 => break,
            None => return None,
        }
    }
    if parts.next().is_some() {
        return None;
    }
    let stage = match pre {
        Some(pre) => Stage::Pre(identifiers(pre)?),
        None => Stage::Release,
    };
    Some(Version { numbers, stage })
}

pub(super) fn identifiers(text: &str) -> Option<Vec<Identifier>> {
    let identifier = |part: &str| {
        let fits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        fits.then(|| Number::new(part).map_or_else(|| Identifier::Word(part.to_owned()), Identifier::Number))
    };
    text.split('.').map(identifier).collect()
}

/// Go writes `v` in front and its tool chain `go`; records leave both out. A pseudo-version is a pre-release whose time stamp orders
/// it, and `+incompatible` is build metadata (<https://go.dev/ref/mod#versions>).
pub(super) fn parse_go(text: &str) -> Option<Version> {
    parse(text.strip_prefix('v').or_else(|| text.strip_prefix("go")).unwrap_or(text))
}
