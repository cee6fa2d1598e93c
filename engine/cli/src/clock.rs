//! The time of day and the ids of runs.

use orch_core::{Clock, RunId, Timestamp};

/// The system's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_millisecond())
    }
}

/// A new run id.
pub(crate) fn new_run() -> RunId {
    let id = uuid::Uuid::now_v7().simple().to_string();
    RunId::try_from(id).unwrap_or_else(|error| unreachable!("a UUID is a run id: {error}"))
}
