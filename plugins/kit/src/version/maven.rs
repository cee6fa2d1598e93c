//! Maven: the version order specification of its POM reference (<https://maven.apache.org/pom.html#version-order-specification>).
//!
//! Taken to the letter its padding makes a circle of `1`, `1-1` and `1.0.alpha`. The specification also says that `.qualifier` and
//! `-qualifier` are equal, so zeros in front of either are dropped here; then the order is total and all its examples hold.

use super::{Number, runs};

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(Vec<Token>);

/// In the order of the specification; `End` is where the shorter version ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Token {
    Alpha,
    Beta,
    Milestone,
    Candidate,
    Snapshot,
    End,
    /// `ga`, `final` and `release`, where something follows them.
    Release,
    ServicePack,
    Qualifier(String),
    /// After a hyphen.
    HyphenNumber(Number),
    /// After a dot.
    DotNumber(Number),
}

impl Token {
    fn is_null(&self) -> bool {
        match self {
            Token::Release => true,
            Token::HyphenNumber(number) | Token::DotNumber(number) => number.is_zero(),
            _ => false,
        }
    }

    /// Whether zeros in front of it say nothing.
    fn is_after_hyphen(&self) -> bool {
        !matches!(self, Token::DotNumber(_))
    }
}

pub(super) fn parse(text: &str) -> Option<Version> {
    // The specification has an order for any text; without a digit it is a word and no version.
    if !text.bytes().any(|byte| byte.is_ascii_digit()) || text.contains(char::is_whitespace) {
        return None;
    }
    let text = text.to_lowercase();
    let mut tokens: Vec<Token> = Vec::new();
    let mut after_dot = true;
    let mut rest = &*text;
    loop {
        let end = rest.find(['.', '-', '_']).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        let pieces: Vec<&str> = if part.is_empty() { vec!["0"] } else { runs(part).collect() };
        for (place, piece) in pieces.iter().enumerate() {
            let is_dot = after_dot && place == 0;
            let token = match Number::some(piece) {
                Some(number) if is_dot => Token::DotNumber(number),
                Some(number) => Token::HyphenNumber(number),
                None => qualifier(piece, place + 1 < pieces.len()),
            };
            push(&mut tokens, token);
        }
        let Some(separator) = after.chars().next() else { break };
        after_dot = separator == '.';
        rest = &after[1..];
    }
    drop_nulls(&mut tokens);
    tokens.push(Token::End);
    Some(Version(tokens))
}

fn push(tokens: &mut Vec<Token>, token: Token) {
    if token.is_after_hyphen() {
        drop_nulls(tokens);
    }
    tokens.push(token);
}

/// The first number stays: `0` is a version.
fn drop_nulls(tokens: &mut Vec<Token>) {
    while tokens.len() > 1 && tokens.last().is_some_and(Token::is_null) {
        tokens.pop();
    }
}

fn qualifier(text: &str, before_number: bool) -> Token {
    match text {
        "alpha" => Token::Alpha,
        "beta" => Token::Beta,
        "milestone" => Token::Milestone,
        "a" if before_number => Token::Alpha,
        "b" if before_number => Token::Beta,
        "m" if before_number => Token::Milestone,
        "rc" | "cr" => Token::Candidate,
        "snapshot" => Token::Snapshot,
        "ga" | "final" | "release" => Token::Release,
        "sp" => Token::ServicePack,
        other => Token::Qualifier(other.to_owned()),
    }
}
