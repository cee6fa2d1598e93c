//! From the text of a workflow to a plan.
//!
//! Pure: no I/O, no clock, no async runtime. `Source -> Workflow -> Plan`, each made only from the one before, and every problem
//! of a file found at once. The only crate that knows YAML (in `yaml`) and the expression language (in `expr`).

mod expr;
mod findings;
mod graph;
mod load;
mod manifest;
mod plan;
mod policy;
mod policy_cases;
mod read;
mod reference;
mod rules;
mod schema;
mod scope;
mod syntax;
mod waivers;
mod workflow;
mod yaml;

pub use expr::{Expr, ExprError, Template};
pub use findings::{Counts, FindingsTable};
pub use load::{NestedFile, NestedFiles, absolute, load};
pub use manifest::{ManifestSource, TaskSource, parse_manifest};
pub use plan::{
    Backoff, BaselineRef, Each, Jitter, Plan, PlanRequest, PlannedApproval, PlannedCheck, PlannedConcurrency,
    PlannedGate, PlannedInput, PlannedKind, PlannedPlugin, PlannedSecret, PlannedTask, PlannedWorkflow, PluginTerms,
    Resolved, Retry, Strategy, found_by, plan,
};
pub use policy::parse_policy;
pub use policy_cases::{CaseResult, Expected, PolicyCase, check_policy_case, parse_policy_cases};
pub use reference::PluginReference;
pub use schema::{json_schema, manifest_json_schema, policy_json_schema, waivers_json_schema};
pub use scope::{EachView, RunView, Scope, TaskLookup, TaskView};
pub use waivers::{Covers, Waiver, Waivers, parse_waivers};
pub use workflow::{Input, InputKind, NamedFile, OnFail, UsedPlugin, Workflow, parse};
