//! What a rule is, and what it finds.

use orch_sdk::Severity;

/// What is said about a rule, in the documentation and in its findings.
#[derive(Debug)]
pub struct About {
    /// The family's name, a slash, and a name that stays.
    pub id: &'static str,
    /// How bad a violation is.
    pub severity: Severity,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// Why that is bad.
    pub why: &'static str,
    /// What to do.
    pub remediation: &'static str,
    /// Addresses of the facts behind it.
    pub references: &'static [&'static str],
}

/// A rule of a family whose files are read into a `T`.
#[derive(Debug)]
pub struct Rule<T: 'static> {
    /// What is said about it.
    pub about: About,
    /// Looks at a file.
    pub check: fn(&T, &mut Hits),
}

/// A row of a table of rules.
pub(crate) const fn rule<T>(
    (id, severity): (&'static str, Severity),
    title: &'static str,
    why: &'static str,
    remediation: &'static str,
    references: &'static [&'static str],
    check: fn(&T, &mut Hits),
) -> Rule<T> {
    Rule { about: About { id, severity, title, why, remediation, references }, check }
}

/// A place where a rule is violated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// 1-based.
    pub line: u32,
    /// What violates it: stays the same when lines move.
    pub subject: String,
}

/// More places than this for one rule in one file tell nobody anything new.
pub const MAX_HITS: usize = 200;

/// The longest subject, in characters: a line of a script may be as long as the file.
const MAX_SUBJECT: usize = 100;

/// The places that a rule found in a file.
#[derive(Debug, Default)]
pub struct Hits {
    /// In the order of the file.
    pub found: Vec<Hit>,
    /// How many were left out because there were too many.
    pub left_out: usize,
}

impl Hits {
    /// Notes a place.
    pub fn add(&mut self, line: u32, subject: impl AsRef<str>) {
        if self.found.len() == MAX_HITS {
            self.left_out += 1;
            return;
        }
        let mut subject = subject.as_ref().split_whitespace().take(MAX_SUBJECT).collect::<Vec<_>>().join(" ");
        subject.retain(|c| !c.is_control());
        if let Some((end, _)) = subject.char_indices().nth(MAX_SUBJECT) {
            subject.truncate(end);
            subject.push('…');
        }
        self.found.push(Hit { line, subject });
    }
}

/// What every rule of a table finds in a file, without those that are left out.
pub fn apply<T>(
    rules: &'static [Rule<T>],
    file: &T,
    is_wanted: &dyn Fn(&About) -> bool,
) -> Vec<(&'static About, Hits)> {
    let wanted = rules.iter().filter(|rule| is_wanted(&rule.about));
    wanted
        .map(|rule| {
            let mut hits = Hits::default();
            (rule.check)(file, &mut hits);
            (&rule.about, hits)
        })
        .collect()
}
