//! `context`: facts about the attempt. No authority.

use crate::bindings::orch::task::context::{Host, RunInfo};
use crate::guest::Guest;

impl Host for Guest {
    fn info(&mut self) -> wasmtime::Result<RunInfo> {
        let facts = &self.facts;
        facts.faults.at("host.context.info")?;
        Ok(RunInfo {
            run: facts.run.clone(),
            task: facts.task.clone(),
            attempt: facts.attempt,
            idempotency_key: format!("{}/{}", facts.run, facts.task),
            plugin: facts.plugin.clone(),
            digest: facts.digest.to_string(),
            deadline_ms: Some(facts.timeout_ms),
            dry_run: self.facts.dry_run,
            traceparent: None,
        })
    }

    fn is_cancelled(&mut self) -> wasmtime::Result<bool> {
        Ok(self.stop.is_asked())
    }

    fn has_capability(&mut self, name: String) -> wasmtime::Result<bool> {
        let grants = &self.facts.grants;
        Ok(match name.split_once(':') {
            None => match name.as_str() {
                "fs" => !grants.fs.is_empty(),
                "env" => !grants.env.is_empty(),
                "net" => !grants.net.is_nothing(),
                "secrets" => !grants.secrets.is_empty(),
                "exec" => !grants.exec.is_empty(),
                "kv" => !grants.kv.is_empty(),
                "artifacts" => !grants.artifacts.is_empty(),
                "findings" => grants.findings,
                _ => false,
            },
            Some(("fs", mount)) => grants.fs.iter().any(|granted| granted.mount.as_str() == mount),
            Some(("env", name)) => grants.env.iter().any(|granted| granted.as_str() == name),
            Some(("secrets", name)) => grants.secret(name).is_some(),
            Some(("exec", alias)) => grants.program(alias).is_some(),
            Some(("kv", bucket)) => grants.bucket(bucket).is_some(),
            Some(("artifacts", name)) => grants.artifacts.iter().any(|granted| granted.as_str() == name),
            Some(_) => false,
        })
    }
}
