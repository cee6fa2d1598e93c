//! A workflow, its plugins, a policy and inputs become a plan: a fixed graph with digests, permissions and one hash.

mod gate;
mod grants;
mod make;
mod types;
mod validator;
mod with;

pub use gate::{BaselineRef, PlannedCheck, PlannedGate};
pub use make::{PlanRequest, Resolved, plan};
pub use types::{Plan, PlannedKind, PlannedPlugin, PlannedTask};

pub(crate) use grants::normalised;
pub(crate) use validator::validator;
