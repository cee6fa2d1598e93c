//! From the text of a workflow to a plan.
//!
//! Pure: no I/O, no clock, no async runtime. `Source -> Workflow -> Plan`, each made only from the one before, and every problem
//! of a file found at once. The only crate that knows YAML (in `yaml`) and the expression language (in `expr`).

mod expr;
mod findings;
mod graph;
mod manifest;
mod plan;
mod policy;
mod read;
mod reference;
mod schema;
mod scope;
mod syntax;
mod waivers;
mod workflow;
mod yaml;

pub use expr::{Expr, ExprError, Template};
pub use findings::{Counts, FindingsTable};
pub use manifest::{ManifestSource, TaskSource, parse_manifest};
pub use plan::{
    BaselineRef, Plan, PlanRequest, PlannedCheck, PlannedGate, PlannedKind, PlannedPlugin, PlannedTask, Resolved, plan,
};
pub use policy::parse_policy;
pub use reference::PluginReference;
pub use schema::{json_schema, manifest_json_schema, policy_json_schema, waivers_json_schema};
pub use scope::{RunView, Scope, TaskView};
pub use waivers::{Covers, Waiver, Waivers, parse_waivers};
pub use workflow::{Input, InputKind, OnFail, UsedPlugin, Workflow, parse};
