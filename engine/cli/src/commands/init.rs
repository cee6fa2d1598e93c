//! `init`: a workflow, a policy and a registry folder with a signed plugin, that run at once.

use super::keys;
use crate::clock::SystemClock;
use crate::failure::Failure;
use crate::{places, terminal};
use orch_core::{Ask, Clock, Code, Exit, LimitsRequest, Manifest, PluginName, PluginTaskName, TaskManifest};
use orch_registry::{FolderRegistry, PublishOptions, SigningKey, package};
use std::collections::BTreeMap;
use std::path::Path;

/// Built from `assets/echo.wat`.
const ECHO: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/echo.wasm"));
const WORKFLOW: &str = include_str!("../../assets/init/workflow.yaml");
const POLICY: &str = include_str!("../../assets/init/policy.yaml.in");

pub(crate) fn run(folder: &Path) -> anyhow::Result<Exit> {
    for name in ["workflow.yaml", "policy.yaml", "registry"] {
        if folder.join(name).exists() {
            let message = format!("`{}` is there already; nothing was written", folder.join(name).display());
            return Err(Failure::new(Code::Usage, message)
                .help("choose another folder: `orch-wasm init FOLDER`")
                .into());
        }
    }
    std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    if let Err(error) = write(folder) {
        // None of this was there before: what is half there would only be in the way of the next `init`.
        let _ = std::fs::remove_dir_all(folder.join("registry"));
        let _ = std::fs::remove_file(folder.join("policy.yaml"));
        let _ = std::fs::remove_file(folder.join("workflow.yaml"));
        return Err(error);
    }
    for name in ["workflow.yaml", "policy.yaml", "registry"] {
        terminal::print(&format!("{}\n", folder.join(name).display()))?;
    }
    let place = if folder == Path::new(".") { String::new() } else { format!("cd {} && ", folder.display()) };
    terminal::talk(&format!("next: {place}orch-wasm run"));
    Ok(Exit::Succeeded)
}

fn write(folder: &Path) -> anyhow::Result<()> {
    let key = signing_key()?;
    let registry = FolderRegistry::create(folder.join("registry")).map_err(Failure::from)?;
    let component = package::embed(ECHO, &manifest()?).map_err(Failure::from)?;
    registry.publish(&component, &key, SystemClock.now(), &PublishOptions::default()).map_err(Failure::from)?;
    let file = |name: &str, text: &str| {
        let place = folder.join(name);
        std::fs::write(&place, text).map_err(|error| unwritable(&place, &error))
    };
    file("policy.yaml", &POLICY.replace("{{signer}}", key.public().id().as_str()))?;
    // Last, so that a folder with a workflow has everything else.
    Ok(file("workflow.yaml", WORKFLOW)?)
}

fn unwritable(place: &Path, error: &std::io::Error) -> Failure {
    let full = matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded);
    let code = if full { Code::DiskFull } else { Code::StateUnusable };
    Failure::new(code, format!("`{}` cannot be written: {error}", place.display())).exit(Exit::Errored)
}

/// This installation's key, made if there is none.
fn signing_key() -> anyhow::Result<SigningKey> {
    if !places::signing_key()?.exists() {
        keys::run(&crate::args::KeysVerb::New { out: None })?;
    }
    Ok(keys::load(None)?)
}

fn manifest() -> anyhow::Result<Manifest> {
    let any_object = serde_json::json!({ "type": "object" });
    let task = TaskManifest {
        description: "Returns its input as its output.".to_owned(),
        idempotent: true,
        input: any_object.clone(),
        output: any_object,
    };
    Ok(Manifest {
        schema: Manifest::SCHEMA.to_owned(),
        name: PluginName::try_from("orch/echo")?,
        version: semver::Version::new(1, 0, 0),
        description: "Returns its input as its output: the smallest plugin there is.".to_owned(),
        license: "Apache-2.0".to_owned(),
        tasks: BTreeMap::from([(PluginTaskName::try_from("echo")?, task)]),
        permissions: Ask::default(),
        limits: LimitsRequest::default(),
    })
}
