//! Proves that every match of an expression holds one of its rule's keywords, so that it need only be searched near them.
//!
//! The proof looks at the parsed expression: a part with a small finite language is written out, neighbours are joined, and if
//! each text so made holds a keyword, so does each match. Where nothing is proved the whole file is searched: slower, never wrong.

use regex_syntax::hir::{Class, Hir, HirKind};

/// Joined texts above this many are not written out.
const MAX_TEXTS: usize = 512;
/// A part with more texts than this says too little to be worth its share of them: ` {0,8}` before a name is such a part.
const MAX_PART: usize = 32;

/// How far from a keyword a match can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Nothing is known: search the whole file.
    Anywhere,
    /// Each match holds a keyword.
    Near {
        /// The longest match in bytes, if there is a longest.
        longest: Option<usize>,
        /// Whether matches end with their line.
        within_line: bool,
        /// The exact spellings of which each match holds one, if case matters.
        spellings: Option<Vec<Vec<u8>>>,
    },
}

/// What can be proved about `hir` with `keywords` in lower case.
pub(crate) fn reach(hir: &Hir, keywords: &[String]) -> Reach {
    let longest = hir.properties().maximum_len();
    let within_line = !may_hold_newline(hir);
    if keywords.is_empty() || (longest.is_none() && !within_line) {
        return Reach::Anywhere;
    }
    let mut exact = Proof { keywords, fold: Fold::Keep, spellings: Vec::new() };
    if exact.holds(hir) {
        exact.spellings.sort();
        exact.spellings.dedup();
        // A case-insensitive expression has many; comparing with them all would cost more than it saves.
        let spellings = Some(exact.spellings).filter(|spellings| spellings.len() <= 8);
        return Reach::Near { longest, within_line, spellings };
    }
    let mut folded = Proof { keywords, fold: Fold::Lower, spellings: Vec::new() };
    if folded.holds(hir) {
        return Reach::Near { longest, within_line, spellings: None };
    }
    Reach::Anywhere
}

#[derive(Clone, Copy, PartialEq)]
enum Fold {
    Keep,
    Lower,
}

type Texts = Vec<Vec<u8>>;

struct Proof<'a> {
    keywords: &'a [String],
    fold: Fold,
    spellings: Texts,
}

impl Proof<'_> {
    /// Whether each match of `hir` holds a keyword.
    fn holds(&mut self, hir: &Hir) -> bool {
        match hir.kind() {
            HirKind::Capture(capture) => self.holds(&capture.sub),
            HirKind::Repetition(repetition) => repetition.min > 0 && self.holds(&repetition.sub),
            HirKind::Alternation(branches) => branches.iter().all(|branch| self.holds(branch)),
            HirKind::Concat(parts) => self.concat_holds(parts),
            _ => self.texts(hir).is_some_and(|texts| self.all_hold(&texts)),
        }
    }

    fn concat_holds(&mut self, parts: &[Hir]) -> bool {
        // Texts that end where the next part begins.
        let mut run: Texts = vec![Vec::new()];
        for part in parts {
            match self.texts(part) {
                Some(texts) if run.len() * texts.len() <= MAX_TEXTS => run = product(&run, &texts),
                Some(texts) => {
                    if self.all_hold(&run) {
                        return true;
                    }
                    run = texts;
                }
                None => {
                    if self.all_hold(&run) || self.holds(part) {
                        return true;
                    }
                    run = vec![Vec::new()];
                }
            }
        }
        self.all_hold(&run)
    }

    fn all_hold(&mut self, texts: &Texts) -> bool {
        let mut found = Vec::new();
        for text in texts {
            let hit = self.keywords.iter().find_map(|keyword| {
                text.windows(keyword.len()).find(|window| window.eq_ignore_ascii_case(keyword.as_bytes()))
            });
            let Some(hit) = hit else { return false };
            found.push(hit.to_vec());
        }
        self.spellings.append(&mut found);
        true
    }

    /// All texts of a small finite language.
    fn texts(&self, hir: &Hir) -> Option<Texts> {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => Some(vec![Vec::new()]),
            HirKind::Literal(literal) => Some(vec![literal.0.iter().map(|byte| self.folded(*byte)).collect()]),
            HirKind::Class(class) => self.class_texts(class),
            HirKind::Capture(capture) => self.texts(&capture.sub),
            HirKind::Repetition(repetition) => {
                let most = repetition.max.filter(|most| *most <= 32)?;
                let one = self.texts(&repetition.sub)?;
                let mut power: Texts = vec![Vec::new()];
                let mut all = if repetition.min == 0 { power.clone() } else { Texts::new() };
                for count in 1..=most {
                    if power.len() * one.len() > MAX_TEXTS {
                        return None;
                    }
                    power = product(&power, &one);
                    if count >= repetition.min {
                        all.extend_from_slice(&power);
                    }
                }
                limited(all)
            }
            HirKind::Concat(parts) => {
                let mut all: Texts = vec![Vec::new()];
                for part in parts {
                    let texts = self.texts(part)?;
                    if all.len() * texts.len() > MAX_TEXTS {
                        return None;
                    }
                    all = product(&all, &texts);
                }
                limited(all)
            }
            HirKind::Alternation(branches) => {
                let mut all = Texts::new();
                for branch in branches {
                    all.extend(self.texts(branch)?);
                }
                limited(all)
            }
        }
    }

    fn class_texts(&self, class: &Class) -> Option<Texts> {
        let ranges: Vec<(u32, u32)> = match class {
            Class::Bytes(class) => class.ranges().iter().map(|r| (r.start().into(), r.end().into())).collect(),
            Class::Unicode(class) => class.ranges().iter().map(|r| (r.start().into(), r.end().into())).collect(),
        };
        let mut all = Texts::new();
        for (start, end) in ranges {
            // The keyword search folds ASCII only, so a class with more (Unicode's `K`) proves nothing.
            if end > 0x7F || end - start > 16 {
                return None;
            }
            all.extend((start..=end).filter_map(|byte| u8::try_from(byte).ok()).map(|byte| vec![self.folded(byte)]));
        }
        limited(all)
    }

    fn folded(&self, byte: u8) -> u8 {
        if self.fold == Fold::Lower { byte.to_ascii_lowercase() } else { byte }
    }
}

fn product(left: &Texts, right: &Texts) -> Texts {
    let mut all: Texts = Vec::with_capacity(left.len() * right.len());
    for head in left {
        all.extend(right.iter().map(|tail| [head.as_slice(), tail].concat()));
    }
    all.sort();
    all.dedup();
    all
}

fn limited(mut texts: Texts) -> Option<Texts> {
    texts.sort();
    texts.dedup();
    (texts.len() <= MAX_PART).then_some(texts)
}

fn may_hold_newline(hir: &Hir) -> bool {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => false,
        HirKind::Literal(literal) => literal.0.contains(&b'\n'),
        HirKind::Class(Class::Bytes(class)) => class.ranges().iter().any(|r| (r.start()..=r.end()).contains(&b'\n')),
        HirKind::Class(Class::Unicode(class)) => class.ranges().iter().any(|r| (r.start()..=r.end()).contains(&'\n')),
        HirKind::Capture(capture) => may_hold_newline(&capture.sub),
        HirKind::Repetition(repetition) => may_hold_newline(&repetition.sub),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(may_hold_newline),
    }
}
