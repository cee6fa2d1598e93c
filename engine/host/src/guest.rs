//! What belongs to one attempt: its store's data.

use crate::cap::clock::FixedCounter;
use crate::cap::exec::Programs;
use crate::cap::http::HttpHooks;
use crate::cap::log::LogBudget;
use crate::egress::Meter;
use crate::held_secrets::HeldSecrets;
use crate::limiter::Limiter;
use crate::mounts::OpenMount;
use crate::tape::Tape;
use orch_core::{
    Access, Blobs, Digest, Effective, Faults, KvStore, Limits, LiveEvents, Masker, PluginName, Refusal, RefusedBy,
    StoreError, shorten, visible,
};
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// Different refusals that are told of one attempt; a guest that tries more is told once that there were more.
const MOST_REFUSALS: usize = 200;

/// A store's data: everything that one attempt has.
pub(crate) struct Guest {
    pub(crate) table: ResourceTable,
    pub(crate) wasi: WasiCtx,
    pub(crate) limiter: Limiter,
    pub(crate) facts: Facts,
    pub(crate) audit: Audit,
    pub(crate) log: Arc<Mutex<LogBudget>>,
    /// The granted variables with their values.
    pub(crate) env: Vec<(String, String)>,
    /// Of a plain program, its own name first; a plugin has none.
    pub(crate) arguments: Vec<String>,
    pub(crate) mounts: Vec<OpenMount>,
    /// Which mount an open directory belongs to, by its index in the table.
    pub(crate) opened: HashMap<u32, usize>,
    /// The files and folders that were opened; some may be closed again.
    pub(crate) files: Vec<Weak<File>>,
    /// How many listings of folders are open.
    pub(crate) listings: usize,
    pub(crate) findings: FindingsBudget,
    pub(crate) artifacts: ArtifactsBudget,
    pub(crate) programs: Programs,
    pub(crate) http: WasiHttpCtx,
    pub(crate) http_hooks: HttpHooks,
    /// What it may send and receive.
    pub(crate) meter: Arc<Meter>,
    pub(crate) secrets: Arc<HeldSecrets>,
    pub(crate) progress_at: Option<Instant>,
    /// Where time is fixed.
    pub(crate) counter: FixedCounter,
    /// Where values are kept.
    pub(crate) kv: Arc<dyn KvStore>,
    /// Data of a guest that must stop: see `Stop`.
    pub(crate) stop: Arc<Stop>,
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.http_hooks }
    }
}

/// Shared with the future that runs the guest.
#[derive(Debug)]
pub(crate) struct Stop {
    /// Somebody asked the attempt to stop.
    pub(crate) asked: AtomicBool,
    /// When it has to be over in any case.
    pub(crate) deadline: Instant,
}

impl Stop {
    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

/// What `context` tells.
pub(crate) struct Facts {
    pub(crate) run: String,
    pub(crate) task: String,
    pub(crate) attempt: u32,
    pub(crate) workflow: Arc<str>,
    /// Nothing outside may be changed.
    pub(crate) dry_run: bool,
    /// With its version.
    pub(crate) plugin: String,
    pub(crate) plugin_name: PluginName,
    pub(crate) digest: Digest,
    pub(crate) timeout_ms: u64,
    pub(crate) grants: Arc<Effective>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) faults: Arc<dyn Faults>,
    /// Whether it is recorded or replayed.
    pub(crate) tape: Tape,
}

/// What was used and what was refused. Cheap to clone: requests run beside the guest and record the same way.
#[derive(Clone)]
pub(crate) struct Audit {
    pub(crate) live: Arc<dyn LiveEvents>,
    masker: Arc<Masker>,
    record: Arc<Mutex<Record>>,
}

#[derive(Default)]
struct Record {
    used: BTreeSet<String>,
    refused: BTreeSet<(String, String)>,
    /// Mounts by index, and whether each was read and changed already.
    touched: Vec<[bool; 2]>,
}

impl Audit {
    pub(crate) fn new(live: Arc<dyn LiveEvents>, masker: Arc<Masker>) -> Audit {
        Audit { live, masker, record: Arc::default() }
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a mount is used in this way for the first time.
    pub(crate) fn first_use(&self, mount: usize, access: Access) -> bool {
        let touched = &mut self.record().touched;
        if touched.len() <= mount {
            touched.resize(mount + 1, [false; 2]);
        }
        !std::mem::replace(&mut touched[mount][usize::from(access == Access::Write)], true)
    }

    pub(crate) fn used(&self, rule: &str) {
        let used = &mut self.record().used;
        if !used.contains(rule) {
            used.insert(rule.to_owned());
        }
    }

    /// Everything that was used.
    pub(crate) fn uses(&self) -> Vec<String> {
        self.record().used.iter().cloned().collect()
    }

    /// Records a refusal, each one once.
    pub(crate) fn refuse(&self, capability: &str, target: &str, by: RefusedBy, reason: &str, fix: Option<String>) {
        let (capability, reason) = (capability.to_owned(), reason.to_owned());
        self.tell(Refusal { capability, target: target.to_owned(), by, reason, fix, counted: false });
    }

    /// Records what a policy that only counts would have refused, each one once.
    pub(crate) fn count(&self, capability: &str, target: &str, by: RefusedBy, reason: &str, fix: Option<String>) {
        let (capability, reason) = (capability.to_owned(), reason.to_owned());
        self.tell(Refusal { capability, target: target.to_owned(), by, reason, fix, counted: true });
    }

    fn tell(&self, mut refusal: Refusal) {
        refusal.target = shorten(&visible(&self.masker.mask(&refusal.target)), 200).into_owned();
        let refused = &mut self.record().refused;
        let key = (refusal.capability.clone(), refusal.target.clone());
        if refused.len() > MOST_REFUSALS || !refused.insert(key) {
            return;
        }
        if refused.len() > MOST_REFUSALS {
            refusal.target = "…".to_owned();
            refusal.reason =
                format!("more than {MOST_REFUSALS} different refusals; further ones are refused, and not listed");
            (refusal.fix, refusal.counted) = (None, false);
        }
        self.live.refused(refusal);
    }
}

/// How many findings there may be, in number and in bytes.
pub(crate) struct FindingsBudget {
    pub(crate) count: u64,
    pub(crate) bytes: u64,
    /// The bound that was reached.
    pub(crate) reached: Option<String>,
}

/// How many bytes of artifacts there may be, and where they go.
pub(crate) struct ArtifactsBudget {
    pub(crate) blobs: Arc<dyn Blobs>,
    pub(crate) bytes: u64,
    pub(crate) names: BTreeSet<String>,
    pub(crate) reached: bool,
    /// Why something could not be stored. The guest is told, and may overhear it.
    pub(crate) broken: Option<String>,
}

impl ArtifactsBudget {
    /// Keeps an error of the store; gives what the guest is told.
    pub(crate) fn broke(&mut self, error: &StoreError) -> String {
        let message = error.to_string();
        self.broken.get_or_insert_with(|| message.clone());
        message
    }
}
