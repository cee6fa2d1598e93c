//! The one table of legal moves of a step: a task, or one item of a task that runs for each of several.

use orch_core::{Answer, TaskOutcome, Timestamp};

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Not begun.
    Waiting,
    /// An attempt runs, a gate decides, or the tasks inside of it run.
    Running {
        /// 1 for the first.
        attempt: u32,
    },
    /// An attempt failed, and another one follows.
    Backoff {
        /// The next attempt.
        next: u32,
        /// When it begins.
        due: Timestamp,
    },
    /// The process that ran it is gone, or a person wants it once more: another attempt may begin at once.
    Again {
        /// The next attempt.
        next: u32,
    },
    /// The process that ran it is gone, and a person has to say what comes of it.
    Unknown {
        /// The attempt of which nobody knows the end.
        attempt: u32,
    },
    /// A person said how it ended.
    Answered {
        /// Succeeded or failed.
        outcome: TaskOutcome,
    },
    /// People are asked.
    Asking,
    /// An earlier result stands for it.
    Reused,
    /// Its items run.
    Expanded,
    /// Over, for good.
    Done {
        /// How it ended.
        outcome: TaskOutcome,
        /// Whether its dependants go on whatever the outcome.
        tolerated: bool,
    },
}

/// What can happen to a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// An attempt begins.
    Start {
        /// 1 for the first.
        attempt: u32,
    },
    /// Something is learned of it.
    Tell,
    /// An attempt is over, and another one follows.
    Retry {
        /// The one that is over.
        attempt: u32,
        /// When the next one begins.
        due: Timestamp,
    },
    /// The process that ran an attempt is gone.
    Lose {
        /// Which attempt.
        attempt: u32,
        /// Whether a person has to say what comes of it.
        unknown: bool,
    },
    /// People are asked.
    Ask,
    /// A person answers.
    Answer(Answer),
    /// An earlier result stands for it.
    Reuse,
    /// Its items are known.
    Expand,
    /// It is over.
    Finish {
        /// How it ended.
        outcome: TaskOutcome,
        /// Whether its dependants go on whatever the outcome.
        tolerated: bool,
    },
}

/// A move that the table does not have: a damaged log, or a bug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} cannot happen while the {subject} is {status}")]
pub struct IllegalMove {
    /// `run` or `task x`.
    pub subject: String,
    /// Where it stands.
    pub status: String,
    /// The event.
    pub what: String,
}

impl Status {
    /// Where the step stands after a move; `None` for an illegal one.
    pub fn next(self, step: Move) -> Option<Status> {
        use Status::{Again, Answered, Asking, Backoff, Done, Expanded, Reused, Running, Unknown, Waiting};
        match (self, step) {
            (Done { .. }, _) => None,
            (Waiting, Move::Start { attempt: 1 }) => Some(Running { attempt: 1 }),
            (Backoff { next, .. } | Again { next }, Move::Start { attempt }) if attempt == next => {
                Some(Running { attempt })
            }
            (Running { .. } | Reused, Move::Tell) => Some(self),
            (Running { attempt: now }, Move::Retry { attempt, due }) if attempt == now => {
                Some(Backoff { next: attempt + 1, due })
            }
            (Running { attempt: now }, Move::Lose { attempt, unknown }) if attempt == now => {
                Some(if unknown { Unknown { attempt } } else { Again { next: attempt + 1 } })
            }
            (Waiting, Move::Ask) => Some(Asking),
            (Asking, Move::Answer(Answer::Approve | Answer::Reject)) => Some(Asking),
            (Unknown { attempt }, Move::Answer(Answer::Again)) => Some(Again { next: attempt + 1 }),
            (Unknown { .. }, Move::Answer(Answer::Succeeded)) => Some(Answered { outcome: TaskOutcome::Succeeded }),
            (Unknown { .. }, Move::Answer(Answer::Failed)) => Some(Answered { outcome: TaskOutcome::Failed }),
            // A result of another run stands for a task that never begins; one of the cache for an attempt that has begun.
            (Waiting | Running { .. }, Move::Reuse) => Some(Reused),
            (Waiting, Move::Expand) => Some(Expanded),
            (_, Move::Finish { outcome, tolerated }) => self.may_end_as(outcome).then_some(Done { outcome, tolerated }),
            _ => None,
        }
    }

    /// How a step may end from where it stands: success needs something that was done.
    fn may_end_as(self, outcome: TaskOutcome) -> bool {
        use TaskOutcome::{Cancelled, Errored, Failed, Rejected, Skipped, Succeeded, TimedOut, Unreachable};
        match self {
            Status::Running { .. } | Status::Expanded => outcome != Unreachable,
            Status::Reused => matches!(outcome, Succeeded | Skipped),
            Status::Asking => matches!(outcome, Succeeded | Rejected | Cancelled | Errored),
            Status::Answered { outcome: answered } => outcome == answered || outcome == Cancelled,
            Status::Waiting => matches!(outcome, Skipped | Unreachable | Cancelled | Errored),
            Status::Backoff { .. } | Status::Again { .. } | Status::Unknown { .. } => {
                matches!(outcome, Cancelled | TimedOut | Errored | Failed)
            }
            Status::Done { .. } => false,
        }
    }

    /// Whether the step is over.
    pub fn is_done(self) -> bool {
        matches!(self, Status::Done { .. })
    }

    pub(crate) fn words(self) -> String {
        match self {
            Status::Waiting => "waiting".to_owned(),
            Status::Running { attempt } => format!("running (attempt {attempt})"),
            Status::Backoff { next, .. } => format!("waiting for attempt {next}"),
            Status::Again { next } => format!("about to begin attempt {next}"),
            Status::Unknown { attempt } => format!("unknown (attempt {attempt})"),
            Status::Answered { outcome } => format!("answered ({outcome})"),
            Status::Asking => "waiting for people".to_owned(),
            Status::Reused => "taking an earlier result".to_owned(),
            Status::Expanded => "running its items".to_owned(),
            Status::Done { outcome, .. } => format!("done ({outcome})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DONE: Status = Status::Done { outcome: TaskOutcome::Succeeded, tolerated: false };
    const AT: Timestamp = Timestamp(7);

    fn finish(outcome: TaskOutcome) -> Move {
        Move::Finish { outcome, tolerated: false }
    }

    #[test]
    fn what_is_done_stays_done() {
        let moves = [
            Move::Start { attempt: 1 },
            Move::Tell,
            Move::Retry { attempt: 1, due: AT },
            Move::Lose { attempt: 1, unknown: false },
            Move::Ask,
            Move::Answer(Answer::Again),
            Move::Reuse,
            Move::Expand,
            finish(TaskOutcome::Failed),
        ];
        for step in moves {
            assert_eq!(DONE.next(step), None);
        }
    }

    #[test]
    fn success_needs_a_start() {
        assert_eq!(Status::Waiting.next(finish(TaskOutcome::Succeeded)), None);
        assert_eq!(Status::Waiting.next(Move::Tell), None);
        assert_eq!(Status::Waiting.next(Move::Start { attempt: 2 }), None);
        let running = Status::Waiting.next(Move::Start { attempt: 1 }).unwrap();
        assert_eq!(running.next(Move::Start { attempt: 2 }), None, "attempts of one task never overlap");
        assert_eq!(running.next(finish(TaskOutcome::Succeeded)), Some(DONE));
        assert_eq!(Status::Unknown { attempt: 1 }.next(finish(TaskOutcome::Succeeded)), None, "only a person says so");
    }

    #[test]
    fn attempts_count_up_and_an_old_one_changes_nothing() {
        let second = Status::Running { attempt: 2 };
        assert_eq!(second.next(Move::Retry { attempt: 1, due: AT }), None);
        assert_eq!(second.next(Move::Lose { attempt: 1, unknown: false }), None);
        assert_eq!(second.next(Move::Retry { attempt: 2, due: AT }), Some(Status::Backoff { next: 3, due: AT }));
        let again = second.next(Move::Lose { attempt: 2, unknown: false }).unwrap();
        assert_eq!(again.next(Move::Start { attempt: 2 }), None);
        assert_eq!(again.next(Move::Start { attempt: 3 }), Some(Status::Running { attempt: 3 }));
    }

    #[test]
    fn an_unknown_end_waits_for_a_person() {
        let unknown = Status::Running { attempt: 1 }.next(Move::Lose { attempt: 1, unknown: true }).unwrap();
        assert_eq!(unknown.next(Move::Start { attempt: 2 }), None);
        assert_eq!(unknown.next(Move::Answer(Answer::Approve)), None);
        assert_eq!(unknown.next(Move::Answer(Answer::Again)), Some(Status::Again { next: 2 }));
        let done = unknown.next(Move::Answer(Answer::Succeeded)).unwrap();
        assert_eq!(done.next(finish(TaskOutcome::Failed)), None);
        assert_eq!(done.next(finish(TaskOutcome::Succeeded)), Some(DONE));
    }
}
