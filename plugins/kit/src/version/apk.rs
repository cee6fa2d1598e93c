//! apk: `number{.number}[letter]{_suffix[number]}[~commit][-rrevision]`, the order of apk-tools.

use super::Number;

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(Vec<Token>);

/// Where two versions part, the kind of the piece decides, from the first of these to the last.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Token {
    Before(usize),
    End,
    Revision(Number),
    Commit(String),
    SuffixNumber(Number),
    After(usize),
    Letter(char),
    /// A part that begins with a zero is compared as text, as if it stood behind the point of a decimal number.
    Fraction(String),
    Part(Number),
}

const BEFORE: [&str; 4] = ["alpha", "beta", "pre", "rc"];
const AFTER: [&str; 5] = ["cvs", "svn", "git", "hg", "p"];

pub(super) fn parse(text: &str) -> Option<Version> {
    let mut tokens = Vec::new();
    let (first, mut rest) = digits(text);
    tokens.push(Token::Part(Number::some(first)?));
    rest = letter(rest, &mut tokens);
    while let Some(after) = rest.strip_prefix('.') {
        let (part, after) = digits(after);
        let number = Number::some(part)?;
        tokens.push(if part.starts_with('0') { Token::Fraction(part.to_owned()) } else { Token::Part(number) });
        // A letter ends a part, and another part may follow it.
        rest = letter(after, &mut tokens);
    }
    while let Some(after) = rest.strip_prefix('_') {
        let end = after.find(|it: char| !it.is_ascii_lowercase()).unwrap_or(after.len());
        let (name, after) = after.split_at(end);
        let place = |names: &[&str]| names.iter().position(|known| *known == name);
        tokens.push(place(&BEFORE).map(Token::Before).or_else(|| place(&AFTER).map(Token::After))?);
        let (number, after) = digits(after);
        tokens.extend(Number::some(number).map(Token::SuffixNumber));
        rest = after;
    }
    if let Some(after) = rest.strip_prefix('~') {
        let end = after.find(|it: char| !matches!(it, '0'..='9' | 'a'..='f')).unwrap_or(after.len());
        let (commit, after) = after.split_at(end);
        if commit.is_empty() {
            return None;
        }
        tokens.push(Token::Commit(commit.to_owned()));
        rest = after;
    }
    if let Some(after) = rest.strip_prefix("-r") {
        let (number, after) = digits(after);
        tokens.push(Token::Revision(Number::some(number)?));
        rest = after;
    }
    tokens.push(Token::End);
    rest.is_empty().then_some(Version(tokens))
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|it: char| !it.is_ascii_digit()).unwrap_or(text.len()))
}

fn letter<'a>(text: &'a str, tokens: &mut Vec<Token>) -> &'a str {
    match text.chars().next().filter(char::is_ascii_lowercase) {
        Some(letter) => {
            tokens.push(Token::Letter(letter));
            &text[1..]
        }
        None => text,
    }
}
