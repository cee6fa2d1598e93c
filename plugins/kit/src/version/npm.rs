//! npm: Semantic Versioning, with the liberties of its loose reading: `v` or `=` in front, and a pre-release without its hyphen
//! (`1.2.3beta`).

use super::semver::{self, Version};

pub(super) fn parse(text: &str) -> Option<Version> {
    let text = text.trim_start_matches(['v', 'V', '=', ' ']);
    if let Some(version) = semver::parse(text) {
        return Some(version);
    }
    let text = text.split_once('+').map_or(text, |(text, _)| text);
    let end = text.find(|character: char| !character.is_ascii_digit() && character != '.')?;
    semver::with_pre(&text[..end], Some(text[end..].trim_start_matches('-')))
}
