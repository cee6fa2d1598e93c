//! Rules and allowlists, after reading: what to look for, and what to let pass.

use crate::pattern::Pattern;
use crate::required::{Reach, reach};
use orch_sdk::Severity;
use std::cell::OnceCell;

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Its id, unique in a rule set.
    pub id: String,
    /// What it finds.
    pub description: String,
    /// How bad a find is.
    pub severity: Severity,
    /// What to do about a find.
    pub remediation: String,
    /// Where the format is documented.
    pub reference: Option<String>,
    /// What to look for; without it the path alone is the find.
    pub regex: Option<Pattern>,
    /// The capture group that is the secret; 0 means the first group that took part, or all.
    pub secret_group: usize,
    /// A secret must have more Shannon entropy than this, in bits a byte.
    pub entropy: f64,
    /// A secret must hold a letter and a digit.
    pub mixed: bool,
    /// In lower case; one of them must be in a file for the rule to look at it.
    pub keywords: Vec<String>,
    /// Only files whose path fits.
    pub path: Option<Pattern>,
    /// Free words; `generic` and `format` make a rule give way to more specific ones.
    pub tags: Vec<String>,
    /// Finds to let pass.
    pub allowlists: Vec<Allowlist>,
    /// Its finds only count for rules that require it.
    pub skip_report: bool,
    /// Rules that have to find something near, or a find is none.
    pub required: Vec<Required>,
    pub(crate) reach: OnceCell<Reach>,
}

/// Another rule that has to find something too, in the same file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Required {
    /// Its id.
    pub id: String,
    /// The two finds begin at most so many lines apart.
    pub within_lines: Option<u32>,
    /// They begin at most so many columns apart, each in its own line.
    pub within_columns: Option<u32>,
    /// Where the rule file says so.
    pub line: Option<u32>,
}

/// How specific a rule is. Of finds on the same text only the most specific stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Guesses from names and entropy.
    Generic,
    /// Knows a form, not who issued it.
    Format,
    /// Knows the issuer.
    Specific,
}

impl Rule {
    /// How specific it is, from its tags; gitleaks' own generic rules say so in their id.
    pub fn rank(&self) -> Rank {
        let tagged = |tag: &str| self.tags.iter().any(|own| own == tag);
        if tagged("generic") || self.id.starts_with("generic") {
            Rank::Generic
        } else if tagged("format") {
            Rank::Format
        } else {
            Rank::Specific
        }
    }

    /// Whether nothing could be proved about where its matches are, so that the whole file is searched.
    pub fn is_searched_everywhere(&self) -> bool {
        *self.reach() == Reach::Anywhere
    }

    /// How far from its keywords it must be searched.
    pub(crate) fn reach(&self) -> &Reach {
        self.reach.get_or_init(|| {
            let hir = self.regex.as_ref().and_then(|regex| regex.parse().ok());
            hir.map_or(Reach::Anywhere, |hir| reach(&hir, &self.keywords))
        })
    }
}

/// What the expressions of an allowlist are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// The secret.
    Secret,
    /// All that the rule's expression took.
    Match,
    /// The lines of the match.
    Line,
}

/// Whether one check is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Any check.
    Or,
    /// Every kind of check that the allowlist has.
    And,
}

/// Finds to let pass.
#[derive(Debug)]
pub struct Allowlist {
    /// Expressions on the path.
    pub paths: Vec<Pattern>,
    /// Expressions on the target.
    pub regexes: Vec<Pattern>,
    /// What `regexes` are compared with.
    pub target: Target,
    /// Words in lower case that let a secret pass which holds one, in any case.
    pub stopwords: Vec<String>,
    /// Whether one check is enough.
    pub condition: Condition,
    /// Of a global list: only for these rules; all if empty.
    pub target_rules: Vec<String>,
    /// Names of commits in lower case, whose finds it lets pass. A tree of files has none.
    pub commits: Vec<String>,
}

/// A find, as an allowlist sees it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// Relative path with `/`.
    pub path: &'a str,
    /// The secret.
    pub secret: &'a [u8],
    /// The whole match.
    pub matched: &'a [u8],
    /// Its lines.
    pub line: &'a [u8],
}

impl Allowlist {
    /// Whether it lets the find pass.
    pub fn allows(&self, seen: &Seen) -> bool {
        // A file has no commit, so a list that also asks for one does not fit.
        self.fits(seen) && (self.condition == Condition::Or || self.commits.is_empty())
    }

    /// The commits for which it lets the find pass.
    pub fn allows_in(&self, seen: &Seen) -> &[String] {
        if self.condition == Condition::Or || self.has_no_other_check() || self.fits(seen) {
            &self.commits
        } else {
            &[]
        }
    }

    fn has_no_other_check(&self) -> bool {
        self.paths.is_empty() && self.regexes.is_empty() && self.stopwords.is_empty()
    }

    /// Without regard to commits.
    fn fits(&self, seen: &Seen) -> bool {
        let target = match self.target {
            Target::Secret => seen.secret,
            Target::Match => seen.matched,
            Target::Line => seen.line,
        };
        let path = || self.paths.iter().any(|path| path.is_match(seen.path.as_bytes()));
        let regex = || self.regexes.iter().any(|regex| regex.is_match(target));
        let stopword = || {
            let secret = seen.secret.to_ascii_lowercase();
            self.stopwords.iter().any(|word| memchr::memmem::find(&secret, word.as_bytes()).is_some())
        };
        match self.condition {
            Condition::Or => path() || regex() || stopword(),
            Condition::And => {
                !self.has_no_other_check()
                    && (self.paths.is_empty() || path())
                    && (self.regexes.is_empty() || regex())
                    && (self.stopwords.is_empty() || stopword())
            }
        }
    }

    /// Whether it lets a whole file pass unread: a list for all rules of which a fitting path is enough.
    pub fn allows_file(&self, path: &str) -> bool {
        let path_is_enough = self.condition == Condition::Or
            || (self.regexes.is_empty() && self.stopwords.is_empty() && self.commits.is_empty());
        self.target_rules.is_empty() && path_is_enough && self.paths.iter().any(|own| own.is_match(path.as_bytes()))
    }
}
