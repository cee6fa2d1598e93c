//! RPM: `[epoch:]version[-release]`, the order of rpm-version(7). A missing release comes first.

use super::{Number, runs};

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    epoch: Number,
    version: Vec<Token>,
    release: Vec<Token>,
}

/// A tilde comes before the end and a caret right after it; words come before numbers.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Token {
    Tilde,
    End,
    Caret,
    Word(String),
    Number(Number),
}

pub(super) fn parse(text: &str) -> Option<Version> {
    let (epoch, rest) = match text.split_once(':') {
        Some((epoch, rest)) => (Number::some(epoch)?, rest),
        None => (Number::default(), text),
    };
    let (version, release) = rest.split_once('-').unwrap_or((rest, ""));
    if version.is_empty() || rest.contains(|it: char| it.is_whitespace() || it.is_control()) {
        return None;
    }
    Some(Version { epoch, version: tokens(version), release: tokens(release) })
}

/// All other characters only separate.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    for run in runs(text) {
        if let Some(number) = Number::some(run) {
            tokens.push(Token::Number(number));
            continue;
        }
        let mut word = String::new();
        for character in run.chars() {
            if character.is_ascii_alphabetic() {
                word.push(character);
                continue;
            }
            if !word.is_empty() {
                tokens.push(Token::Word(std::mem::take(&mut word)));
            }
            match character {
                '~' => tokens.push(Token::Tilde),
                '^' => tokens.push(Token::Caret),
                _ => {}
            }
        }
        if !word.is_empty() {
            tokens.push(Token::Word(word));
        }
    }
    tokens.push(Token::End);
    tokens
}
