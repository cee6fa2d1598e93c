//! A registry in a folder that goes away, small components, and hands to tamper with them.

use base64::Engine as _;
use orch_core::{Code, Digest, Faults, FoundPlugin, Manifest, PluginName, Policy, SignerId, Timestamp, canonical_json};
use orch_registry::{
    Error, FolderRegistry, IndexPosition, LockFile, LockSource, LockedPlugin, PublishOptions, Published, SigningKey,
    Terms, package,
};
use semver::{Version, VersionReq};
use serde_json::{Value, json};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// Imports without authority, exports the runner.
pub(crate) const PLAIN: &str = r#"(component
    (import "orch:task/context@0.1.0" (instance))
    (import "wasi:io/poll@0.2.6" (instance))
    (instance $runner)
    (export "orch:task/runner@0.1.0" (instance $runner)))"#;

pub(crate) fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// A component whose bytes differ with `salt`.
pub(crate) fn salted(salt: &str) -> Vec<u8> {
    component(&PLAIN.replace("(component", &format!("(component (@custom \"salt\" \"{salt}\")")))
}

pub(crate) fn manifest(name: &str, version: &str, asks: Value) -> Manifest {
    serde_json::from_value(json!({
        "schema": "orch-plugin/v1", "name": name, "version": version, "description": "Does it.", "license": "Apache-2.0",
        "tasks": { "go": { "description": "Goes.", "input": { "type": "object" }, "output": true } },
        "permissions": asks,
    }))
    .unwrap()
}

pub(crate) fn reads(mounts: &[&str]) -> Value {
    let fs: Vec<_> =
        mounts.iter().map(|mount| json!({ "mount": mount, "access": "read", "reason": "to read" })).collect();
    json!({ "fs": fs })
}

pub(crate) fn pack(name: &str, version: &str, salt: &str, asks: Value) -> Vec<u8> {
    package::embed(&salted(salt), &manifest(name, version, asks)).unwrap()
}

pub(crate) fn name(text: &str) -> PluginName {
    PluginName::try_from(text).unwrap()
}

pub(crate) fn req(text: &str) -> VersionReq {
    VersionReq::parse(text).unwrap()
}

pub(crate) fn version(text: &str) -> Version {
    Version::parse(text).unwrap()
}

pub(crate) fn trusting(signers: Vec<SignerId>) -> Policy {
    Policy::built_in("/work".into(), signers)
}

pub(crate) struct World {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) registry: FolderRegistry,
    pub(crate) key: SigningKey,
    pub(crate) policy: Policy,
}

impl World {
    pub(crate) fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let registry = FolderRegistry::create(folder.path().join("registry")).unwrap();
        let key = SigningKey::generate().unwrap();
        let policy = trusting(vec![key.public().id()]);
        World { folder, registry, key, policy }
    }

    pub(crate) fn publish(&self, package: &[u8]) -> Result<Published, Error> {
        self.registry.publish(package, &self.key, NOW, &PublishOptions::default())
    }

    /// Publishes `orch/tool` without permissions.
    pub(crate) fn tool(&self, version: &str) -> Published {
        self.publish(&pack("orch/tool", version, version, json!({}))).unwrap()
    }

    pub(crate) fn find(&self, requirement: &str) -> Result<FoundPlugin, Error> {
        self.find_locked(requirement, None)
    }

    pub(crate) fn find_locked(&self, requirement: &str, lock: Option<&LockedPlugin>) -> Result<FoundPlugin, Error> {
        self.find_at(requirement, lock, NOW).map(|(found, _)| found)
    }

    pub(crate) fn find_at(
        &self,
        requirement: &str,
        lock: Option<&LockedPlugin>,
        now: Timestamp,
    ) -> Result<(FoundPlugin, IndexPosition), Error> {
        let terms = Terms::new(&self.policy, now).locked(lock);
        self.registry.find(&name("orch/tool"), &req(requirement), &terms)
    }

    /// With nothing locked.
    pub(crate) fn terms(&self) -> Terms<'_> {
        Terms::new(&self.policy, NOW)
    }

    pub(crate) fn lock(&self, requirement: &str) -> LockFile {
        let mut lock = LockFile::default();
        lock.accept(self.locked(requirement));
        lock
    }

    pub(crate) fn locked(&self, requirement: &str) -> LockedPlugin {
        let source = LockSource::Registry("./registry".to_owned());
        LockedPlugin::new(&self.find(requirement).unwrap(), req(requirement), source)
    }

    /// Version found, or code and message of the refusal.
    pub(crate) fn outcome(&self, requirement: &str) -> String {
        outcome(self.find(requirement))
    }

    pub(crate) fn path(&self, inside: &str) -> PathBuf {
        self.folder.path().join("registry").join(inside)
    }

    pub(crate) fn blob(&self, digest: &Digest) -> PathBuf {
        self.path(&format!("blobs/sha256/{}/{}", &digest.hex()[..2], digest.hex()))
    }

    pub(crate) fn index(&self) -> String {
        std::fs::read_to_string(self.path("index/orch/tool.jsonl")).unwrap()
    }

    pub(crate) fn write_index(&self, text: impl AsRef<[u8]>) {
        std::fs::write(self.path("index/orch/tool.jsonl"), text).unwrap();
    }

    pub(crate) fn lines(&self) -> Vec<Value> {
        self.index().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Writes lines with a chain that holds, as somebody with write access can.
    pub(crate) fn forge(&self, lines: &[Value]) {
        let mut prev = Digest::of(b"orch-wasm index v1\norch/tool");
        let mut text = String::new();
        for line in lines {
            let mut line = line.clone();
            line["prev"] = json!(prev.to_string());
            let line = canonical_json(&line);
            prev = Digest::of(line.as_bytes());
            text.push_str(&line);
            text.push('\n');
        }
        self.write_index(text);
    }

    /// Changes the last line and keeps the chain.
    pub(crate) fn forge_last(&self, change: impl FnOnce(&mut Value)) {
        let mut lines = self.lines();
        change(lines.last_mut().unwrap());
        self.forge(&lines);
    }
}

/// The signature of a publication as the registry makes it.
pub(crate) fn sign(key: &SigningKey, line: &Value) -> String {
    let statement = json!({
        "name": line["name"], "version": line["version"], "digest": line["digest"], "capability_hash": line["capability_hash"],
    });
    let message = format!("orch-wasm plugin v1\n{}", canonical_json(&statement));
    base64::engine::general_purpose::STANDARD.encode(key.sign(message.as_bytes()))
}

pub(crate) fn outcome(found: Result<FoundPlugin, Error>) -> String {
    match found {
        Ok(found) => found.manifest.version.to_string(),
        Err(error) => format!("{} {error}", error.code()),
    }
}

#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Error>, code: Code, message: &str) {
    let error = result.expect_err("it was accepted");
    assert_eq!(error.code(), code, "{error}");
    assert!(error.to_string().contains(message), "{error}");
    assert!(error.help().is_none_or(|help| !help.is_empty()));
}

/// Fails once at a named point.
pub(crate) struct FailAt(pub(crate) &'static str, pub(crate) rustix::io::Errno);

impl Faults for FailAt {
    fn at(&self, point: &'static str) -> io::Result<()> {
        if point == self.0 { Err(self.1.into()) } else { Ok(()) }
    }
}

pub(crate) fn failing(world: &World, point: &'static str, errno: rustix::io::Errno) -> FolderRegistry {
    FolderRegistry::open(world.path("")).unwrap().with_faults(Arc::new(FailAt(point, errno)))
}
