//! What people and machines see of a run. Everything here is made from the run's log, live or later: the terminal, JSON lines, a
//! summary, SARIF, JUnit and Markdown. Also the rendering of problems in users' files.
//!
//! Text of guests never reaches a terminal or a report as it is: see [`orch_core::visible`].

mod diagnostics;
pub mod evidence;
mod json;
mod junit;
mod live;
mod markdown;
mod sarif;
mod style;
mod summary;
mod table;
mod view;

pub use diagnostics::render_diagnostics;
pub use json::json_line;
pub use junit::junit;
pub use live::{Live, LiveOptions};
pub use markdown::markdown;
pub use sarif::sarif;
pub use style::Style;
pub use summary::{log_lines, summary, task_table};
pub use table::Table;
pub use view::{ItemCounts, RunView, Said, TaskRow, TaskState, UnusedGrant};
