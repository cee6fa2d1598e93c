//! What a check answers, and how several answers become one.

/// Text of a reason; a hostile file must not fill a report.
const LONGEST: usize = 1_000;

/// Whether it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// There is nothing to check.
    NotApplicable,
    /// It holds.
    Passed,
    /// It could not be found out.
    Error,
    /// It does not hold.
    Failed,
}

/// Where it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Below the root, without a slash in front.
    pub path: String,
    /// 1-based.
    pub line: Option<u32>,
}

/// The answer of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether it holds.
    pub verdict: Verdict,
    /// What was found and what was expected, as a lower-case fragment.
    pub reason: String,
    /// Where.
    pub place: Option<Place>,
}

impl Answer {
    fn new(verdict: Verdict, reason: impl Into<String>) -> Answer {
        Answer { verdict, reason: shown(&reason.into(), LONGEST), place: None }
    }

    /// It holds.
    pub fn passed(reason: impl Into<String>) -> Answer {
        Answer::new(Verdict::Passed, reason)
    }

    /// It does not hold.
    pub fn failed(reason: impl Into<String>) -> Answer {
        Answer::new(Verdict::Failed, reason)
    }

    /// There is nothing to check.
    pub fn not_applicable(reason: impl Into<String>) -> Answer {
        Answer::new(Verdict::NotApplicable, reason)
    }

    /// It could not be found out.
    pub fn error(reason: impl Into<String>) -> Answer {
        Answer::new(Verdict::Error, reason)
    }

    /// Passed or failed.
    pub fn of(holds: bool, reason: impl Into<String>) -> Answer {
        if holds { Answer::passed(reason) } else { Answer::failed(reason) }
    }

    /// The same with its place.
    #[must_use]
    pub fn at(mut self, path: &str, line: impl Into<Option<u32>>) -> Answer {
        self.place = Some(Place { path: path.to_owned(), line: line.into() });
        self
    }

    /// All have to hold: a failure counts most, then an error. What is not applicable does not count.
    pub fn all(answers: Vec<Answer>) -> Answer {
        Answer::most(answers, |verdict| verdict as u8)
    }

    /// One has to hold. An error counts more than a failure: what could not be looked at might be the one that holds.
    pub fn any(answers: Vec<Answer>) -> Answer {
        Answer::most(answers, |verdict| match verdict {
            Verdict::Passed => 3,
            Verdict::Error => 2,
            Verdict::Failed => 1,
            Verdict::NotApplicable => 0,
        })
    }

    /// The opposite.
    #[must_use]
    pub fn negated(mut self) -> Answer {
        self.verdict = match self.verdict {
            Verdict::Passed => Verdict::Failed,
            Verdict::Failed => Verdict::Passed,
            other => other,
        };
        self
    }

    /// Those of the verdict that weighs most, with their reasons and the first place.
    fn most(answers: Vec<Answer>, weight: impl Fn(Verdict) -> u8) -> Answer {
        let Some(verdict) = answers.iter().map(|answer| answer.verdict).max_by_key(|verdict| weight(*verdict)) else {
            return Answer::not_applicable("nothing to check");
        };
        let mut reasons: Vec<String> = Vec::new();
        let mut place = None;
        let mut more = 0_usize;
        for answer in answers.into_iter().filter(|answer| answer.verdict == verdict) {
            place = place.or(answer.place);
            if reasons.contains(&answer.reason) {
                continue;
            }
            // Five reasons say enough; the rest are counted.
            if reasons.len() < 5 { reasons.push(answer.reason) } else { more += 1 }
        }
        let rest = if more > 0 { format!("; {more} more") } else { String::new() };
        Answer { verdict, reason: shown(&format!("{}{rest}", reasons.join("; ")), LONGEST), place }
    }
}

/// A text for a report: no control characters, and an end.
pub fn shown(text: &str, longest: usize) -> String {
    let mut characters = text.chars().filter(|c| !c.is_control());
    let mut short: String = characters.by_ref().take(longest).collect();
    if characters.next().is_some() {
        short.push('…');
    }
    short
}
