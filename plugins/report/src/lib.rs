//! `orch/report`: one HTML page that needs nothing else, for people who do not sit at the terminal.
//!
//! `task` gathers and counts, `trend` remembers, `page` and `chart` write. No script is in the page, and its content policy lets
//! nothing be loaded: what it shows was written by guests.

#![warn(missing_docs)]

mod chart;
mod markup;
mod page;
mod task;
mod trend;

pub use task::{Input, Output, Since, write};

orch_sdk::plugin! { "write" => write }
