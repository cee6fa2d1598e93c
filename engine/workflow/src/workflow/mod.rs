//! A workflow as it was written, checked in itself: names, types, expressions, the graph. What its plugins take and ask for
//! is not known yet; that is the plan's business.

mod admission;
mod gate;
mod hooks;
mod inputs;
pub(crate) mod keys;
mod links;
mod matrix;
mod nested;
mod people;
mod retry;
mod strategy;
mod tasks;
mod top;

pub use gate::OnFail;
pub use inputs::{Input, InputKind};
pub use top::{NamedFile, UsedPlugin, Workflow, parse};

pub(crate) use admission::{secrets as secret_sources, wrong_group};
pub(crate) use gate::Gate;
pub(crate) use hooks::undo_of;
pub(crate) use matrix::{AxisValues, Matrix};
pub(crate) use nested::{Given, Nested};
pub(crate) use people::Approval;
pub(crate) use retry::{merged, merged_timeout};
pub(crate) use strategy::{EachWritten, Strategy};
pub(crate) use tasks::{ACCESSES, Permissions, Task, Uses, Work, limits, permissions};
pub(crate) use top::MOST_TASKS;
