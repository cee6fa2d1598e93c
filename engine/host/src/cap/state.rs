//! `kv`: values that outlive the run, seen by the same plugin in the same workflow. Every call checks the grant; keys and values are
//! bounded, and the quota is kept by the store.

use crate::bindings::orch::task::state::{Entry, Host, add_to_linker};
use crate::guest::Guest;
use orch_core::{EffectiveBucket, KvError, KvPlace, RefusedBy};
use std::time::{Duration, Instant};
use wasmtime::component::{HasSelf, Linker};

/// Bytes of a key.
const LONGEST_KEY: usize = 512;
/// How long another process may write before that is an error, and how often it is looked.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(10);

pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)
}

/// What a call wants of its bucket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Want {
    Look,
    Change,
}

impl Guest {
    /// The granted bucket, or what the guest is told.
    fn bucket(&mut self, name: &str, key: &str, want: Want) -> Result<(KvPlace, EffectiveBucket), String> {
        let Some(granted) = self.facts.grants.bucket(name).cloned() else {
            let fix = "add to the task: permissions: { kv: [{ bucket: … }] }, and to plugin.yaml that it asks for it";
            self.audit.refuse("kv", name, RefusedBy::Workflow, "no grant names this bucket", Some(fix.to_owned()));
            return Err(format!("the bucket `{}` was not granted", orch_core::visible(name)));
        };
        if want == Want::Change && self.facts.dry_run {
            self.audit.refuse("kv", name, RefusedBy::Engine, "this is a dry run: nothing is kept", None);
            return Err("this is a dry run: nothing is kept".to_owned());
        }
        if key.is_empty() || key.len() > LONGEST_KEY || key.chars().any(char::is_control) {
            return Err(format!("a key has 1 to {LONGEST_KEY} bytes and no control characters"));
        }
        self.audit.used(&format!("kv {}", granted.bucket));
        let place = KvPlace {
            workflow: self.facts.workflow.to_string(),
            plugin: self.facts.plugin_name.clone(),
            bucket: granted.bucket.clone(),
        };
        Ok((place, granted))
    }

    async fn change(
        &mut self,
        bucket: &str,
        key: &str,
        value: Option<&[u8]>,
        expect: Option<u64>,
    ) -> wasmtime::Result<Result<u64, String>> {
        let (place, granted) = match self.bucket(bucket, key, Want::Change) {
            Ok(found) => found,
            Err(told) => return Ok(Err(told)),
        };
        let masker = self.secrets.masker();
        if masker.contains(key.as_bytes()) || value.is_some_and(|value| masker.contains(value)) {
            let reason = "it holds a secret, and what is kept is not encrypted";
            self.audit.refuse("kv", bucket, RefusedBy::Engine, reason, None);
            return Ok(Err(reason.to_owned()));
        }
        let begun = Instant::now();
        loop {
            match self.kv.set(&place, key, value, expect, granted.quota) {
                Ok(version) => return Ok(Ok(version)),
                Err(error @ (KvError::Conflict { .. } | KvError::Quota { .. })) => return Ok(Err(error.to_string())),
                // Waiting here and not in the store leaves the thread to others, and a cancel or timeout ends it.
                Err(KvError::Busy) if begun.elapsed() < LONGEST_WAIT => tokio::time::sleep(LOOK_EVERY).await,
                // The guest cannot mend it, and what it does next would rest on a value that is not there.
                Err(error @ KvError::Busy) => return Err(wasmtime::Error::new(error)),
                Err(KvError::Store(error)) => return Err(wasmtime::Error::new(error)),
            }
        }
    }
}

impl Host for Guest {
    fn get(&mut self, bucket: String, key: String) -> wasmtime::Result<Result<Option<Entry>, String>> {
        let (place, _) = match self.bucket(&bucket, &key, Want::Look) {
            Ok(found) => found,
            Err(told) => return Ok(Err(told)),
        };
        let found = self.kv.get(&place, &key).map_err(wasmtime::Error::new)?;
        Ok(Ok(found.map(|entry| Entry { value: entry.value, version: entry.version })))
    }

    async fn set(
        &mut self,
        bucket: String,
        key: String,
        value: Vec<u8>,
        expect: Option<u64>,
    ) -> wasmtime::Result<Result<u64, String>> {
        self.change(&bucket, &key, Some(&value), expect).await
    }

    async fn delete(
        &mut self,
        bucket: String,
        key: String,
        expect: Option<u64>,
    ) -> wasmtime::Result<Result<u64, String>> {
        self.change(&bucket, &key, None, expect).await
    }
}
