//! The one table of legal moves of a task.

use orch_core::TaskOutcome;

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Not begun.
    Waiting,
    /// An attempt runs, or a gate decides.
    Running {
        /// 1 for the first.
        attempt: u32,
    },
    /// Over, for good.
    Done {
        /// How it ended.
        outcome: TaskOutcome,
        /// Whether its dependants go on whatever the outcome.
        tolerated: bool,
    },
}

/// What can happen to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// An attempt begins.
    Start {
        /// 1 for the first.
        attempt: u32,
    },
    /// Something is learned of a running attempt.
    Tell,
    /// The task is over.
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
    /// Where the task stands after a move; `None` for an illegal one.
    pub fn next(self, step: Move) -> Option<Status> {
        match (self, step) {
            (Status::Waiting, Move::Start { attempt: 1 }) => Some(Status::Running { attempt: 1 }),
            (Status::Running { attempt }, Move::Tell) => Some(Status::Running { attempt }),
            (Status::Running { .. }, Move::Finish { outcome, tolerated }) => Some(Status::Done { outcome, tolerated }),
            // A task that never began ends only in ways that need no work.
            (Status::Waiting, Move::Finish { outcome, tolerated }) => match outcome {
                TaskOutcome::Skipped | TaskOutcome::Unreachable | TaskOutcome::Cancelled | TaskOutcome::Errored => {
                    Some(Status::Done { outcome, tolerated })
                }
                TaskOutcome::Succeeded | TaskOutcome::Failed | TaskOutcome::Blocked | TaskOutcome::TimedOut => None,
            },
            (Status::Waiting, Move::Start { .. } | Move::Tell)
            | (Status::Running { .. }, Move::Start { .. })
            | (Status::Done { .. }, _) => None,
        }
    }

    /// Whether the task is over.
    pub fn is_done(self) -> bool {
        matches!(self, Status::Done { .. })
    }

    pub(crate) fn words(self) -> String {
        match self {
            Status::Waiting => "waiting".to_owned(),
            Status::Running { attempt } => format!("running (attempt {attempt})"),
            Status::Done { outcome, .. } => format!("done ({outcome})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DONE: Status = Status::Done { outcome: TaskOutcome::Succeeded, tolerated: false };

    fn finish(outcome: TaskOutcome) -> Move {
        Move::Finish { outcome, tolerated: false }
    }

    #[test]
    fn what_is_done_stays_done() {
        for step in [Move::Start { attempt: 1 }, Move::Tell, finish(TaskOutcome::Failed)] {
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
    }
}
