//! Python: the version specifiers specification, which was PEP 440 (<https://packaging.python.org/en/latest/specifications/version-specifiers/>),
//! with all its other spellings.

use super::Number;

/// The order of the fields is the order of comparison.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    epoch: Number,
    /// Without zeros at its end.
    release: Vec<Number>,
    pre: Pre,
    /// `None`, no post-release, comes first.
    post: Option<Number>,
    dev: Dev,
    local: Vec<Segment>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pre {
    /// A development release of the release itself comes before its first alpha.
    OnlyDev,
    Alpha(Number),
    Beta(Number),
    Candidate(Number),
    Release,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Dev {
    Dev(Number),
    Release,
}

/// Words of a local version come before numbers; no local version is the empty list.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Word(String),
    Number(Number),
}

pub(super) fn parse(text: &str) -> Option<Version> {
    let text = text.to_ascii_lowercase();
    let (public, local) = text.split_once('+').map_or((&*text, None), |(public, local)| (public, Some(local)));
    let public = public.strip_prefix('v').unwrap_or(public);
    let (epoch, rest) = match public.split_once('!') {
        Some((epoch, rest)) => (Number::some(epoch)?, rest),
        None => (Number::default(), public),
    };
    let mut rest = Rest(rest);
    let mut release = vec![rest.number()?];
    while rest.0.strip_prefix('.').is_some_and(|after| after.starts_with(|it: char| it.is_ascii_digit())) {
        rest.0 = &rest.0[1..];
        release.push(rest.number()?);
    }
    while release.last().is_some_and(Number::is_zero) {
        release.pop();
    }
    let pre = match rest.word(&["alpha", "a", "beta", "b", "preview", "pre", "rc", "c"]) {
        Some("alpha" | "a") => Some(Pre::Alpha(rest.counter())),
        Some("beta" | "b") => Some(Pre::Beta(rest.counter())),
        Some(_) => Some(Pre::Candidate(rest.counter())),
        None => None,
    };
    let post = match rest.0.strip_prefix('-').filter(|after| after.starts_with(|it: char| it.is_ascii_digit())) {
        Some(after) => {
            rest.0 = after;
            Some(rest.number()?)
        }
        None => rest.word(&["post", "rev", "r"]).map(|_| rest.counter()),
    };
    let dev = rest.word(&["dev"]).map(|_| rest.counter());
    if !rest.0.is_empty() {
        return None;
    }
    let pre = match pre {
        Some(pre) => pre,
        None if post.is_none() && dev.is_some() => Pre::OnlyDev,
        None => Pre::Release,
    };
    let local = local.map_or(Some(Vec::new()), |local| local.split(['.', '-', '_']).map(segment).collect())?;
    Some(Version { epoch, release, pre, post, dev: dev.map_or(Dev::Release, Dev::Dev), local })
}

fn segment(text: &str) -> Option<Segment> {
    let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    fits.then(|| Number::new(text).map_or_else(|| Segment::Word(text.to_owned()), Segment::Number))
}

/// What is not read yet.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn number(&mut self) -> Option<Number> {
        let end = self.0.find(|character: char| !character.is_ascii_digit()).unwrap_or(self.0.len());
        let (digits, after) = self.0.split_at(end);
        self.0 = after;
        Number::some(digits)
    }

    /// One of some words, with a separator in front of it if there is one.
    fn word(&mut self, words: &[&'a str]) -> Option<&'a str> {
        let after = self.0.strip_prefix(['.', '-', '_']).unwrap_or(self.0);
        let word = words.iter().find(|word| after.starts_with(**word))?;
        self.0 = &after[word.len()..];
        Some(word)
    }

    /// The number after a word; none is zero.
    fn counter(&mut self) -> Number {
        let after = self.0.strip_prefix(['.', '-', '_']).unwrap_or(self.0);
        let mut number = Rest(after);
        match number.number() {
            Some(found) => {
                self.0 = number.0;
                found
            }
            None => Number::default(),
        }
    }
}
