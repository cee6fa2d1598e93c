//! A workflow as it was written, checked in itself: names, types, expressions, the graph. What its plugins take and ask for
//! is not known yet; that is the plan's business.

mod inputs;
pub(crate) mod keys;
mod links;
mod tasks;
mod top;

pub use inputs::{Input, InputKind};
pub use top::{UsedPlugin, Workflow, parse};

pub use tasks::OnFail;
pub(crate) use tasks::{ACCESSES, Gate, Task, Uses, Work, limits};
