//! The vocabulary of orch-wasm and the ports between its parts.
//!
//! Plain data and traits: no I/O, no clock, no async runtime. Everything else may depend on this crate; it depends on none.
#![warn(missing_docs)]

mod attempt;
mod canonical;
mod code;
mod diagnostic;
mod digest;
mod event;
mod finding;
mod gate;
mod ids;
mod limits;
mod manifest;
mod names;
mod outcome;
mod permission;
mod person;
mod policy;
mod ports;
mod quantity;
mod schema_cost;
mod text;

pub use attempt::{
    Attempt, AttemptOutput, AttemptResult, BoxFuture, CancelReason, PluginTask, StoredArtifact, UpstreamArtifact, Usage,
};
pub use canonical::{canonical_json, digest_of};
pub use code::Code;
pub use diagnostic::{Diagnostic, Source, Sources, Span};
pub use digest::{Digest, InvalidDigest};
pub use event::{Event, Hook, LogLevel, Record, TaskKind, TaskSummary, Timestamp};
pub use finding::{Finding, FindingStatus, Location, Severity};
pub use gate::{CheckResult, CheckVerdict, GateDecision};
pub use ids::{InvalidRunId, RunId};
pub use limits::{LimitName, Limits, LimitsRequest};
pub use manifest::{Manifest, TaskManifest};
pub use names::{
    ArtifactName, EnvName, InputName, InvalidName, MountName, PluginName, PluginTaskName, SecretName, SignerId, StepId,
    TaskId, TaskName,
};
pub use outcome::{Exit, Failure, FailureKind, RunOutcome, TaskOutcome};
pub use permission::{
    Access, ArtifactAsk, Ask, Decision, Effective, EffectiveMount, EnvAsk, Evaluation, FsAsk, FsGrant, Grants, Refusal,
    RefusedBy, Verdict, evaluate,
};
pub use person::{Answer, Person, Wish};
pub use policy::{FsRule, NamePattern, PathRule, PluginRules, Policy, TrustRule};
pub use ports::{
    Admission, BlobWriter, Blobs, Clock, Faults, FoundPlugin, GroupStore, GroupTicket, LiveEvents, NoFaults,
    OnConflict, PlantedBug, PluginSource, RunStore, RunSummary, StagedFolder, StoreError, TaskRunner,
};
pub use quantity::{InvalidQuantity, Period, Size};
pub use schema_cost::check_schema_cost;
pub use text::{inert_json, plural, shorten, visible, visible_multiline};
