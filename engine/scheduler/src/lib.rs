//! Drives a plan to its end.
//!
//! [`state`] is the run as a pure state machine: events in, commands out, no clock and no I/O. [`dispatch`] is the only writer of
//! a run's log: it writes what is about to happen, waits until that is on disk, and only then acts and shows it.

mod baseline;
mod dispatch;
mod live;
mod state;
mod status;

pub use dispatch::{Dispatcher, Observer, RunError, RunRequest};
pub use state::{Command, RunState};
pub use status::{IllegalMove, Status};
