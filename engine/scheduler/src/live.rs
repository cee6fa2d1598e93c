//! From a running attempt to the dispatcher: live events become log events of their task.

use orch_core::{Event, Finding, LiveEvents, LogLevel, Refusal, StoredArtifact, TaskId};
use tokio::sync::mpsc::UnboundedSender;

/// Sends a task's live events to the dispatcher. Unbounded, because a guest must not wait for the disk while it holds a core; the
/// host bounds what one attempt may send.
pub(crate) struct TaskSink {
    pub(crate) task: TaskId,
    pub(crate) events: UnboundedSender<Event>,
}

impl TaskSink {
    fn send(&self, event: Event) {
        // The dispatcher is gone only when the run is over; nobody wants the event then.
        let _ = self.events.send(event);
    }
}

impl LiveEvents for TaskSink {
    fn log(&self, level: LogLevel, message: String, fields: Vec<(String, String)>) {
        self.send(Event::TaskLog { task: self.task.clone(), level, message, fields });
    }

    fn progress(&self, done: u64, total: Option<u64>, note: Option<String>) {
        self.send(Event::TaskProgress { task: self.task.clone(), done, total, note });
    }

    fn findings(&self, findings: Vec<Finding>) {
        self.send(Event::TaskFindings { task: self.task.clone(), findings });
    }

    fn refused(&self, refusal: Refusal) {
        self.send(Event::TaskRefused { task: self.task.clone(), refusal });
    }

    fn stored(&self, artifact: StoredArtifact) {
        self.send(Event::ArtifactStored { task: self.task.clone(), artifact });
    }
}
