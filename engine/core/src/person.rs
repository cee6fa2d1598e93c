//! What people say to a run from outside: answers and wishes. They reach the log through the one process that drives the run.

use crate::{Digest, StepId, Timestamp};
use serde::{Deserialize, Serialize};

/// Who says something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The name of the account.
    pub name: String,
    /// The groups that the account is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

/// What a person says about a task that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// Yes, to an approval.
    Approve,
    /// No, to an approval.
    Reject,
    /// A task whose end is unknown shall run once more.
    Again,
    /// A task whose end is unknown has done its work.
    Succeeded,
    /// A task whose end is unknown has not done its work, and shall not be tried again.
    Failed,
}

/// Something that a person wants of a run, kept until the process that drives the run takes it into the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Wish {
    /// An answer to a task that waits for one.
    Answer {
        /// Which task.
        task: StepId,
        /// What is said.
        answer: Answer,
        /// By whom.
        by: Person,
        /// The plan that the person saw. An answer to another plan does not count.
        plan_hash: Digest,
        /// Why, for those who read the log.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
        /// When it was said.
        at: Timestamp,
    },
    /// The run shall stop.
    Cancel {
        /// Who wants it.
        by: Person,
        /// Whether what was done shall be undone.
        undo: bool,
    },
}
