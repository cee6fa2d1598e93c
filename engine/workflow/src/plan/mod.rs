//! A workflow, its plugins, a policy and inputs become a plan: a fixed graph with digests, permissions and one hash.

mod approval;
mod call;
mod each;
mod file;
mod gate;
mod grants;
mod make;
mod nested;
mod reads;
mod references;
mod retry;
mod types;
mod validator;
mod with;

pub use approval::PlannedApproval;
pub use gate::{BaselineRef, PlannedCheck, PlannedGate, found_by};
pub use make::{PlanRequest, Resolved, plan};
pub use nested::{PlannedInput, PlannedWorkflow};
pub use retry::{Backoff, Jitter, Retry};
pub use types::{
    Each, Plan, PlannedConcurrency, PlannedKind, PlannedPlugin, PlannedSecret, PlannedTask, PluginTerms, Strategy,
};

pub(crate) use grants::normalised;
pub(crate) use validator::validator;
