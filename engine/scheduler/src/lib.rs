//! Drives a plan: the run as a pure state machine (`state`, `commands`), and a dispatcher that asks it what to do, runs it, and
//! writes down what happened before anybody acts on it or sees it.

mod attempts;
mod baseline;
mod commands;
mod dispatch;
mod hooks;
mod live;
mod lookup;
mod rerun;
mod resume;
mod reuse;
mod state;
mod status;
mod threads;
mod wishes;

pub use commands::Command;
pub use dispatch::{Beginning, Dispatcher, Driven, FAULT_POINTS, Observer, RunError, RunRequest};
pub use rerun::{Carried, RerunError, carried};
pub use resume::stored_plan;
pub use state::{RunState, StepRef};
pub use status::{IllegalMove, Move, Status};
pub use threads::{processors, runtime};
