//! What belongs to one attempt: its store's data.

use crate::cap::log::LogBudget;
use crate::limiter::Limiter;
use crate::mounts::OpenMount;
use orch_core::{
    Access, Blobs, Digest, Effective, Faults, Limits, LiveEvents, Refusal, RefusedBy, StoreError, shorten, visible,
};
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Instant;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

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
    pub(crate) mounts: Vec<OpenMount>,
    /// Which mount an open directory belongs to, by its index in the table.
    pub(crate) opened: HashMap<u32, usize>,
    /// The files and folders that were opened; some may be closed again.
    pub(crate) files: Vec<Weak<File>>,
    /// How many listings of folders are open.
    pub(crate) listings: usize,
    pub(crate) findings: FindingsBudget,
    pub(crate) artifacts: ArtifactsBudget,
    pub(crate) progress_at: Option<Instant>,
    /// Data of a guest that must stop: see `Stop`.
    pub(crate) stop: Arc<Stop>,
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
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
    pub(crate) plugin: String,
    pub(crate) digest: Digest,
    pub(crate) timeout_ms: u64,
    pub(crate) grants: Arc<Effective>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) faults: Arc<dyn Faults>,
}

/// What was used and what was refused.
pub(crate) struct Audit {
    pub(crate) live: Arc<dyn LiveEvents>,
    pub(crate) used: BTreeSet<String>,
    refused: BTreeSet<(String, String)>,
    /// Mounts by index, and whether each was read and changed already.
    touched: Vec<[bool; 2]>,
}

impl Audit {
    pub(crate) fn new(live: Arc<dyn LiveEvents>) -> Audit {
        Audit { live, used: BTreeSet::new(), refused: BTreeSet::new(), touched: Vec::new() }
    }

    /// Whether a mount is used in this way for the first time.
    pub(crate) fn first_use(&mut self, mount: usize, access: Access) -> bool {
        if self.touched.len() <= mount {
            self.touched.resize(mount + 1, [false; 2]);
        }
        !std::mem::replace(&mut self.touched[mount][usize::from(access == Access::Write)], true)
    }

    pub(crate) fn used(&mut self, rule: &str) {
        if !self.used.contains(rule) {
            self.used.insert(rule.to_owned());
        }
    }

    /// Records a refusal, each one once.
    pub(crate) fn refuse(&mut self, capability: &str, target: &str, by: RefusedBy, reason: &str, fix: Option<String>) {
        let target = shorten(&visible(target), 200).into_owned();
        if self.refused.len() > MOST_REFUSALS || !self.refused.insert((capability.to_owned(), target.clone())) {
            return;
        }
        let refusal = if self.refused.len() > MOST_REFUSALS {
            Refusal {
                capability: capability.to_owned(),
                target: "…".to_owned(),
                by,
                reason: format!(
                    "more than {MOST_REFUSALS} different refusals; further ones are refused, and not listed"
                ),
                fix: None,
            }
        } else {
            Refusal { capability: capability.to_owned(), target, by, reason: reason.to_owned(), fix }
        };
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
