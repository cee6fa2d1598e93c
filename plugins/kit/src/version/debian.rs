//! Debian: `[epoch:]upstream[-revision]` in the order of deb-version(7), Debian Policy 5.6.12.

use super::{Number, runs};

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    epoch: Number,
    upstream: Vec<Piece>,
    revision: Vec<Piece>,
}

/// A run of other characters and the number after it; lists of equal beginning differ by the first such pair.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Piece {
    /// Ends with [`END`], so that `~` comes before the end and all others after it.
    text: Vec<u32>,
    number: Number,
}

const END: u32 = 1;

pub(super) fn parse(text: &str) -> Option<Version> {
    let (epoch, rest) = match text.split_once(':') {
        Some((epoch, rest)) => (Number::some(epoch)?, rest),
        None => (Number::default(), text),
    };
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
    if upstream.is_empty() || revision.is_empty() || rest.contains(|it: char| it.is_whitespace() || it.is_control()) {
        return None;
    }
    Some(Version { epoch, upstream: pieces(upstream), revision: pieces(revision) })
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for run in runs(text) {
        match (Number::some(run), pieces.last_mut()) {
            (Some(number), Some(last)) => last.number = number,
            (Some(number), None) => pieces.push(Piece { text: vec![END], number }),
            (None, _) => pieces.push(Piece { text: weights(run), number: Number::default() }),
        }
    }
    // The end is an empty run and zero: `1.` and `1.0` are equal, and `1~` comes before `1`.
    let end = Piece { text: vec![END], number: Number::default() };
    while pieces.last() == Some(&end) {
        pieces.pop();
    }
    pieces.push(end);
    pieces
}

/// Letters come before everything else but the tilde.
fn weights(text: &str) -> Vec<u32> {
    let weight = |character: char| match character {
        '~' => 0,
        letter if letter.is_ascii_alphabetic() => u32::from(letter),
        other => u32::from(other) + 256,
    };
    text.chars().map(weight).chain([END]).collect()
}
