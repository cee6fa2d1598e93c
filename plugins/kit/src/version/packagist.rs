//! Composer: up to four numbers and a stability, `dev` < `alpha` < `beta` < `RC` < stable < `patch`
//! (<https://getcomposer.org/doc/articles/versions.md>). Names of branches have no order and are no versions.

use super::{Number, runs};

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    numbers: [Number; 4],
    stability: Stability,
    /// The numbers after the stability.
    counter: Vec<Number>,
    /// `-dev` at the end makes it come before the one without.
    end: End,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stability {
    Dev,
    Alpha,
    Beta,
    Candidate,
    Stable,
    Patch,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Dev,
    Release,
}

pub(super) fn parse(text: &str) -> Option<Version> {
    let text = text.split(['+', '@']).next()?.to_ascii_lowercase();
    let text = text.strip_prefix('v').unwrap_or(&text);
    let end = text.find(|it: char| !it.is_ascii_digit() && it != '.').unwrap_or(text.len());
    let (first, suffix) = text.split_at(end);
    let mut numbers: [Number; 4] = Default::default();
    for (place, part) in first.trim_end_matches('.').split('.').enumerate() {
        *numbers.get_mut(place)? = Number::some(part)?;
    }
    let mut stability = Stability::Stable;
    let mut counter = Vec::new();
    let mut end = End::Release;
    let mut named = false;
    for piece in suffix.split(['-', '_', '.']).filter(|piece| !piece.is_empty()).flat_map(runs) {
        if let Some(number) = Number::some(piece) {
            counter.push(number);
            continue;
        }
        if piece == "dev" {
            end = End::Dev;
            continue;
        }
        if named {
            return None;
        }
        named = true;
        stability = match piece {
            "alpha" | "a" => Stability::Alpha,
            "beta" | "b" => Stability::Beta,
            "rc" => Stability::Candidate,
            "stable" => Stability::Stable,
            "patch" | "pl" | "p" => Stability::Patch,
            _ => return None,
        };
    }
    if !named && !counter.is_empty() {
        return None;
    }
    if end == End::Dev && !named {
        stability = Stability::Dev;
    }
    Some(Version { numbers, stability, counter, end })
}
