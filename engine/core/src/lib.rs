//! The vocabulary of orch-wasm and the ports between its parts.
//!
//! Plain data and traits: no I/O, no clock, no async runtime. Everything else may depend on this crate; it depends on none.
#![warn(missing_docs)]

mod attempt;
mod canonical;
mod code;
mod diagnostic;
mod digest;
mod encodings;
mod event;
mod exec;
mod finding;
mod gate;
mod ids;
mod leak;
mod limits;
mod manifest;
mod mask;
mod names;
mod needles;
mod net;
mod outcome;
mod permission;
mod person;
mod policy;
mod ports;
mod quantity;
mod schema_cost;
mod secret;
mod text;

pub use attempt::{
    Attempt, AttemptOutput, AttemptResult, BoxFuture, CancelReason, PluginTask, StoredArtifact, UpstreamArtifact, Usage,
};
pub use canonical::{Canonical, canonical_json, digest_of};
pub use code::Code;
pub use diagnostic::{Diagnostic, Source, Sources, Span};
pub use digest::{Digest, InvalidDigest};
pub use event::{Event, Hook, LogLevel, Record, TaskKind, TaskSummary, Timestamp, chain_link};
pub use exec::{
    ArgTemplate, ExecGrant, LONGEST_ARGUMENT, LONGEST_SLOT, MOST_ARGUMENTS, SlotKind, honours_end_of_options,
    is_interpreter,
};
pub use finding::{Finding, FindingStatus, Location, Severity};
pub use gate::{CheckResult, CheckVerdict, GateDecision};
pub use ids::{InvalidRunId, RunId};
pub use leak::{Leak, LeakScan, LeakStream};
pub use limits::{LimitName, Limits, LimitsRequest};
pub use manifest::{Manifest, TaskManifest};
pub use mask::{MaskStream, Masker, SecretScan};
pub use names::{
    ArtifactName, BucketName, EnvName, ExecName, InputName, InvalidName, MountName, PluginName, PluginTaskName,
    SecretName, SignerId, SlotName, StepId, TaskId, TaskName,
};
pub use net::{
    AddressRange, HeaderName, Host, HostPattern, InvalidNet, Method, NetRule, PathPattern, Scheme, Wanted,
    special_address,
};
pub use outcome::{Exit, Failure, FailureKind, RunOutcome, TaskOutcome};
pub use permission::{
    Access, ArtifactAsk, Ask, Capability, Decision, Effective, EffectiveBucket, EffectiveMount, EffectiveNet,
    EffectiveSecret, Entropy, EnvAsk, Evaluation, ExecAsk, FindingsAsk, FsAsk, FsGrant, Grants, KvAsk, KvGrant, NetAsk,
    NetPass, NetRefused, Refusal, RefusedBy, SecretAsk, SecretGrant, Verdict, evaluate,
};
pub use person::{Answer, Person, Wish};
pub use policy::{
    FsRule, Mode, NamePattern, NetRules, NetworkOptions, PathRule, PluginRules, Policy, ProgramRule, SecretRules,
    TrustRule,
};
pub use ports::{
    Admission, BlobWriter, Blobs, Clock, Faults, FoundPlugin, GroupStore, GroupTicket, KvEntry, KvError, KvPlace,
    KvStore, LiveEvents, NoFaults, NoSecrets, OnConflict, PlantedBug, PluginSource, RunStore, RunSummary, SecretSource,
    StagedFolder, StoreError, TaskRunner,
};
pub use quantity::{InvalidQuantity, Period, Size};
pub use schema_cost::check_schema_cost;
pub use secret::{LONGEST_SECRET, SHORTEST_SECRET, Secret};
pub use text::{inert_json, plural, shorten, visible, visible_multiline};
