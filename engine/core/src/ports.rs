//! The ports: what the scheduler asks of the world. Each has an in-memory fake where its users are tested.

use crate::{
    Attempt, AttemptResult, BoxFuture, BucketName, Digest, Finding, LogLevel, Manifest, PluginName, Record, Refusal,
    RunId, RunOutcome, Secret, SignerId, Size, StepId, StoredArtifact, Timestamp, UpstreamArtifact, Wish,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Runs one attempt of one task: an in-process sandbox, a remote agent, a scripted fake.
pub trait TaskRunner: Send + Sync {
    /// Runs an attempt to its end. Resolves soon after `attempt.cancel` does.
    fn run(&self, attempt: Attempt, live: Arc<dyn LiveEvents>) -> BoxFuture<AttemptResult>;

    /// The digest of everything that the result of an attempt may depend on: the component, the task, the input, what it may use
    /// up, and the content of all that it may read. Two attempts with the same digest may share a result.
    fn depends_on(&self, attempt: &Attempt) -> BoxFuture<Result<Digest, crate::Failure>>;
}

/// Where a running attempt puts what is worth seeing before its end. Never blocks; the runner bounds how much it sends.
pub trait LiveEvents: Send + Sync {
    /// A log line.
    fn log(&self, level: LogLevel, message: String, fields: Vec<(String, String)>);
    /// How far it is.
    fn progress(&self, done: u64, total: Option<u64>, note: Option<String>);
    /// What it found.
    fn findings(&self, findings: Vec<Finding>);
    /// What it tried and may not.
    fn refused(&self, refusal: Refusal);
    /// What it stored.
    fn stored(&self, artifact: StoredArtifact);
}

/// Why the log could not be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Somebody else has appended to this run.
    #[error("run `{run}` has {found} events, not {expected}: another process has written to it")]
    Conflict {
        /// The run.
        run: RunId,
        /// What the caller believed.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// No run has this id.
    #[error("there is no run `{0}`")]
    UnknownRun(String),
    /// More than one run has this prefix.
    #[error("`{prefix}` fits more than one run: {runs}")]
    Ambiguous {
        /// What was given.
        prefix: String,
        /// What it fits.
        runs: String,
    },
    /// The disk is full.
    #[error("the disk that holds `{0}` is full")]
    Full(String),
    /// Anything else: the place and the reason.
    #[error("`{place}`: {reason}")]
    Broken {
        /// A file or folder.
        place: String,
        /// What the system said.
        reason: String,
    },
}

/// What a list of runs shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSummary {
    /// The run.
    pub run: RunId,
    /// The workflow's name.
    pub workflow: String,
    /// When it was created.
    pub created: Timestamp,
    /// When its last event was appended.
    pub updated: Timestamp,
    /// How it ended; absent while it goes on, or when it was cut off.
    pub outcome: Option<RunOutcome>,
    /// Whether it was left in good order and waits: for people, or to be resumed.
    pub suspended: bool,
    /// The number of its events.
    pub events: u64,
}

/// The append-only log of runs.
pub trait RunStore: Send + Sync {
    /// Appends records to a run whose log ends where they begin. Resolves when they are on disk.
    fn append(&self, run: &RunId, records: Arc<Vec<Record>>) -> BoxFuture<Result<(), StoreError>>;

    /// The events of a run after `after`, in order.
    ///
    /// # Errors
    /// When the run is unknown or the log cannot be read.
    fn read(&self, run: &RunId, after: u64) -> Result<Vec<Record>, StoreError>;

    /// Runs, newest first; of one workflow if it is given.
    ///
    /// # Errors
    /// When the log cannot be read.
    fn list(&self, workflow: Option<&str>, most: usize) -> Result<Vec<RunSummary>, StoreError>;

    /// What people want of a run and the log does not have yet, in order, each with its number.
    ///
    /// # Errors
    /// When it cannot be read.
    fn wishes(&self, run: &RunId) -> Result<Vec<(u64, Wish)>, StoreError>;

    /// Forgets the wishes of a run up to a number; the caller has them in the log. Taking a wish twice changes nothing, so this
    /// need not share the append's transaction.
    fn granted(&self, run: &RunId, number: u64) -> BoxFuture<Result<(), StoreError>>;

    /// The newest successful result that depends on the same: the run, and the task there.
    ///
    /// # Errors
    /// When it cannot be read.
    fn result_of(&self, key: &Digest) -> Result<Option<(RunId, StepId)>, StoreError>;
}

/// What happens to a run whose concurrency group has no place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnConflict {
    /// It waits for its turn.
    #[default]
    Queue,
    /// It ends at once, as cancelled.
    Cancel,
    /// Those that have a place are cancelled, and it waits for that.
    CancelRunning,
}

/// What a run asks of its concurrency group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupTicket {
    /// The run.
    pub run: RunId,
    /// The group's name.
    pub group: String,
    /// Runs of the group at once.
    pub limit: u32,
    /// Runs that may wait; one more is turned away.
    pub queue: u32,
    /// What to do when there is no place.
    pub on_conflict: OnConflict,
    /// 0 to 100. A waiting run gains one point a minute, so that none waits for ever.
    pub priority: u8,
    /// When it began to wait.
    pub since: Timestamp,
}

/// How a run stands in its concurrency group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// It has a place.
    Admitted,
    /// So many are before it.
    Waiting {
        /// How many.
        ahead: u32,
    },
    /// There is no place and none to wait in.
    TurnedAway {
        /// Why, for a person.
        reason: String,
    },
}

/// The concurrency groups of all runs of a state folder. A place belongs to a run until it leaves; the place of a run that no
/// process drives and that was not suspended in good order is free.
pub trait GroupStore: Send + Sync {
    /// Asks for a place, or again how it stands. The same ticket may be shown as often as wanted.
    ///
    /// # Errors
    /// When the state cannot be read or written.
    fn enter(&self, ticket: &GroupTicket, now: Timestamp) -> Result<Admission, StoreError>;

    /// Gives the place back.
    ///
    /// # Errors
    /// When the state cannot be written.
    fn leave(&self, run: &RunId) -> Result<(), StoreError>;
}

/// Where a task may keep values from run to run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KvPlace {
    /// The workflow's name: what one workflow keeps, another does not see.
    pub workflow: String,
    /// The plugin's name.
    pub plugin: PluginName,
    /// The bucket's.
    pub bucket: BucketName,
}

/// A kept value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvEntry {
    /// The value.
    pub value: Vec<u8>,
    /// Which change of this key made it, from 1. It never goes back, also not when the key is deleted.
    pub version: u64,
}

/// Why a value was not kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KvError {
    /// Somebody else has changed it.
    #[error("the key has version {found}, not {expected}")]
    Conflict {
        /// What the caller believed; 0 for no value.
        expected: u64,
        /// What is there; 0 for no value.
        found: u64,
    },
    /// Another process is writing. Nothing was changed; whoever can wait asks again.
    #[error("another process is writing")]
    Busy,
    /// The bucket would hold more than it may.
    #[error("the bucket would hold {wanted} bytes, its quota is {quota}")]
    Quota {
        /// How much it would be.
        wanted: u64,
        /// How much it may be.
        quota: Size,
    },
    /// The store is broken.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Values that outlive runs.
pub trait KvStore: Send + Sync {
    /// The value of a key.
    ///
    /// # Errors
    /// When the store is broken.
    fn get(&self, place: &KvPlace, key: &str) -> Result<Option<KvEntry>, StoreError>;

    /// Changes the value of a key, or deletes it (`None`), if it still has the version that the caller expects; without one in any
    /// case. On disk when it returns. Gives the new version.
    ///
    /// # Errors
    /// When somebody else was faster, the quota is reached, or the store is broken.
    fn set(
        &self,
        place: &KvPlace,
        key: &str,
        value: Option<&[u8]>,
        expected: Option<u64>,
        quota: Size,
    ) -> Result<u64, KvError>;
}

/// Finds the values of secrets.
pub trait SecretSource: Send + Sync {
    /// The value that a declaration names: `env:NAME`, `file:PATH`, `exec:PROGRAM` or `store:NAME`.
    ///
    /// # Errors
    /// Why it cannot be had; the value is not in the reason.
    fn find(&self, source: &str) -> Result<Arc<Secret>, String>;
}

/// Knows no secret: for runs and tests that have none.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSecrets;

impl SecretSource for NoSecrets {
    fn find(&self, source: &str) -> Result<Arc<Secret>, String> {
        Err(format!(
            "there is no source of secrets here that could have `{}`",
            crate::shorten(&crate::visible(source), 200)
        ))
    }
}

/// Where artifacts are kept, by content.
pub trait Blobs: Send + Sync {
    /// Begins a blob of unknown content. One that is not finished leaves nothing behind.
    ///
    /// # Errors
    /// When nothing can be written.
    fn create(&self) -> Result<Box<dyn BlobWriter>, StoreError>;

    /// Lays artifacts out as `<task>/<name>` in a folder of their own, which goes away with the returned value.
    ///
    /// # Errors
    /// When an artifact is missing or the folder cannot be written.
    fn stage(&self, files: &[UpstreamArtifact]) -> Result<Box<dyn StagedFolder>, StoreError>;

    /// The content of a blob.
    ///
    /// # Errors
    /// When it is missing or cannot be read.
    fn read(&self, digest: &Digest) -> Result<Vec<u8>, StoreError>;
}

/// A blob that is being written.
pub trait BlobWriter: Send + Sync {
    /// Appends bytes.
    ///
    /// # Errors
    /// When the disk is full or broken.
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError>;

    /// Makes the blob durable under its digest.
    ///
    /// # Errors
    /// When the disk is full or broken.
    fn finish(self: Box<Self>) -> Result<Digest, StoreError>;
}

/// A folder that is removed when this value is dropped.
pub trait StagedFolder: Send + Sync {
    /// Where it is.
    fn path(&self) -> &std::path::Path;
}

/// A plugin that was found, verified and may be planned with.
#[derive(Debug, Clone)]
pub struct FoundPlugin {
    /// What it says of itself.
    pub manifest: Arc<Manifest>,
    /// The component.
    pub digest: Digest,
    /// Who signed it; absent for an unsigned file that the policy admits.
    pub signer: Option<SignerId>,
    /// The component's bytes.
    pub bytes: Arc<[u8]>,
}

/// Finds plugins by reference.
pub trait PluginSource {
    /// Why a plugin could not be had.
    type Error;

    /// The best version of a plugin that fits, verified.
    ///
    /// # Errors
    /// When there is none, or it fails verification.
    fn find(&self, name: &PluginName, requirement: &semver::VersionReq) -> Result<FoundPlugin, Self::Error>;
}

/// The time of day. Never used for order.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Named points at which tests make things fail.
pub trait Faults: Send + Sync {
    /// Called at a named point; an error there counts as the system's own.
    ///
    /// # Errors
    /// When a test wants one.
    fn at(&self, point: &'static str) -> std::io::Result<()>;

    /// Whether this part shall be wrong in a way that a test must notice.
    fn planted(&self, _bug: PlantedBug) -> bool {
        false
    }
}

/// Mistakes that tests make on purpose, to see whether their checkers find them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlantedBug {
    /// The log is not made durable.
    SkipFsync,
    /// An append is acknowledged before it is committed.
    AcknowledgeEarly,
    /// A step is started twice.
    DoubleDispatch,
    /// The result of an attempt that was given up counts.
    NoFencing,
    /// A task that has ended is run again after a crash.
    RequeueFinished,
    /// The number of attempts is forgotten in a crash.
    LoseRetryCount,
}

impl PlantedBug {
    /// All of them.
    pub const ALL: [PlantedBug; 6] = [
        PlantedBug::SkipFsync,
        PlantedBug::AcknowledgeEarly,
        PlantedBug::DoubleDispatch,
        PlantedBug::NoFencing,
        PlantedBug::RequeueFinished,
        PlantedBug::LoseRetryCount,
    ];
}

/// No faults: what the program runs with.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFaults;

impl Faults for NoFaults {
    fn at(&self, _point: &'static str) -> std::io::Result<()> {
        Ok(())
    }
}
