//! Ruby: the order that the documentation of `Gem::Version` describes. Numbers and words take turns, a word marks a pre-release, and
//! zeros at the end of the numbers say nothing.

use super::{Number, runs};
use std::cmp::Ordering;

#[derive(Debug)]
pub(super) struct Version(Vec<Segment>);

/// Words come before numbers.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Word(String),
    Number(Number),
}

pub(super) fn parse(text: &str) -> Option<Version> {
    // A hyphen begins a pre-release.
    let text = text.replacen('-', ".pre.", 1).replace('-', ".");
    let mut segments: Vec<Segment> = Vec::new();
    for (place, part) in text.split('.').enumerate() {
        let fits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !fits || place == 0 && !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        for run in runs(part) {
            match Number::some(run) {
                Some(number) => segments.push(Segment::Number(number)),
                None => {
                    if segments.iter().all(|it| matches!(it, Segment::Number(_))) {
                        drop_zeros(&mut segments);
                    }
                    segments.push(Segment::Word(run.to_owned()));
                }
            }
        }
    }
    drop_zeros(&mut segments);
    Some(Version(segments))
}

fn drop_zeros(segments: &mut Vec<Segment>) {
    while matches!(segments.last(), Some(Segment::Number(number)) if number.is_zero()) {
        segments.pop();
    }
}

impl Ord for Version {
    /// The shorter one goes on with zeros.
    fn cmp(&self, other: &Version) -> Ordering {
        let zero = Segment::Number(Number::default());
        let length = self.0.len().max(other.0.len());
        for place in 0..length {
            let order = self.0.get(place).unwrap_or(&zero).cmp(other.0.get(place).unwrap_or(&zero));
            if order.is_ne() {
                return order;
            }
        }
        Ordering::Equal
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Version) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Version) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}
