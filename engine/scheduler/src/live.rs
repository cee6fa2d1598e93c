//! From a running attempt to the dispatcher: live events become log events of their step.

use crate::state::StepRef;
use orch_core::{Event, Finding, LiveEvents, LogLevel, Refusal, StepId, StoredArtifact};
use tokio::sync::mpsc::UnboundedSender;

/// Something that an attempt said. What an attempt says that was given up is dropped.
pub(crate) struct Said {
    pub(crate) step: StepRef,
    pub(crate) attempt: u32,
    pub(crate) event: Event,
}

/// Sends a task's live events to the dispatcher. Unbounded, because a guest must not wait for the disk while it holds a core; the
/// host bounds what one attempt may send.
pub(crate) struct TaskSink {
    pub(crate) id: StepId,
    pub(crate) step: StepRef,
    pub(crate) attempt: u32,
    pub(crate) said: UnboundedSender<Said>,
}

impl TaskSink {
    fn send(&self, event: Event) {
        // The dispatcher is gone only when the run is over; nobody wants the event then.
        let _ = self.said.send(Said { step: self.step, attempt: self.attempt, event });
    }
}

impl LiveEvents for TaskSink {
    fn log(&self, level: LogLevel, message: String, fields: Vec<(String, String)>) {
        self.send(Event::TaskLog { task: self.id.clone(), level, message, fields });
    }

    fn progress(&self, done: u64, total: Option<u64>, note: Option<String>) {
        self.send(Event::TaskProgress { task: self.id.clone(), done, total, note });
    }

    fn findings(&self, findings: Vec<Finding>) {
        self.send(Event::TaskFindings { task: self.id.clone(), findings });
    }

    fn refused(&self, refusal: Refusal) {
        self.send(Event::TaskRefused { task: self.id.clone(), refusal });
    }

    fn stored(&self, artifact: StoredArtifact) {
        self.send(Event::ArtifactStored { task: self.id.clone(), artifact });
    }
}
