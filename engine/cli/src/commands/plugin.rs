//! `plugin`: make, check and publish plugins.

use super::language::{self, Fetching};
use super::{Context, keys, plugin_test, prebuilt, template};
use crate::args::{Format, PluginVerb, RegistryArguments};
use crate::clock::SystemClock;
use crate::failure::{Failure, Problems};
use crate::places::{self, WorkflowPlace};
use crate::prepare::{self, read_source};
use crate::terminal;
use camino::Utf8PathBuf;
use orch_core::{Clock, Code, Exit, FoundPlugin, Manifest, PluginName, Size, Sources, visible};
use orch_registry::{FactState, FolderRegistry, PublicKey, PublishOptions, Terms, package};
use orch_report::Table;
use orch_workflow::ManifestSource;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) fn run(context: &Context, verb: &PluginVerb) -> anyhow::Result<Exit> {
    match verb {
        PluginVerb::New { name, folder, lang, sdk } => template::run(name, folder.as_deref(), *lang, sdk.as_deref()),
        PluginVerb::Build { folder, out } => {
            let (component, name) = build(folder, Fetching::Allowed)?;
            let out = out.clone().unwrap_or_else(|| folder.join(format!("{}.wasm", name.name())));
            std::fs::write(&out, &component)?;
            terminal::print(&format!("{}\n", out.display()))?;
            terminal::talk(&format!("{}: {}", name, Size::from_bytes(component.len() as u64)));
            Ok(Exit::Succeeded)
        }
        PluginVerb::Check { file } => check(file),
        PluginVerb::Test { plugin, recordings, format } => {
            plugin_test::run(context, plugin, recordings.as_deref(), *format)
        }
        PluginVerb::Inspect { plugin, registry, format } => inspect(plugin, registry, *format),
        PluginVerb::Publish { plugin, registry, sbom, key } => {
            publish(plugin, registry, sbom.as_deref(), key.as_deref())
        }
        PluginVerb::Endorse { name, version, registry, key } => endorse(name, version, registry, key.as_deref()),
        PluginVerb::Confirm { name, registry, key } => {
            let key = keys::load(key.as_deref())?;
            let done = open(registry)?.confirm(name, &key, SystemClock.now()).map_err(Failure::from)?;
            terminal::print(&format!("{name} is confirmed\n"))?;
            terminal::talk(&format!("the index of {name} ends here, says {}", done.signer));
            Ok(Exit::Succeeded)
        }
        PluginVerb::Rotate { name, to, registry, key } => {
            let key = keys::load(key.as_deref())?;
            let successor = PublicKey::load(to).map_err(Failure::from)?;
            let done = open(registry)?.rotate(name, &successor, &key, SystemClock.now()).map_err(Failure::from)?;
            terminal::print(&format!("{name} {}\n", successor.id()))?;
            terminal::talk(&format!("{} signs nothing more of {name}; {} does", done.signer, successor.id()));
            Ok(Exit::Succeeded)
        }
        PluginVerb::Verify { plugin, registry, policy } => verify(plugin, registry, policy.as_deref()),
        PluginVerb::List { registry, format } => list(registry, *format),
        PluginVerb::Yank { name, version, reason, registry, key } => {
            let key = keys::load(key.as_deref())?;
            let registry = open(registry)?;
            registry.yank(name, version, reason, &key, SystemClock.now()).map_err(Failure::from)?;
            terminal::print(&format!("{name} {version} is withdrawn\n"))?;
            Ok(Exit::Succeeded)
        }
    }
}

fn open(registry: &RegistryArguments) -> Result<FolderRegistry, Failure> {
    let here = std::env::current_dir().unwrap_or_default();
    Ok(FolderRegistry::open(places::registry(registry.registry.as_deref(), &here)?)?)
}

/// Compiles a plugin's source and puts its manifest inside.
pub(super) fn build(folder: &Path, fetching: Fetching) -> anyhow::Result<(Vec<u8>, PluginName)> {
    let source = manifest_of(folder)?;
    let component = match &source.component {
        Some(name) => prebuilt::component(folder, name)?,
        None => language::compile(folder, fetching)?,
    };
    let imports = orch_host::precheck(&component)
        .map_err(|error| Failure::new(Code::InvalidComponent, format!("`{}`: {error}", folder.display())))?;
    let complete = source.tasks.values().all(|task| task.input.is_some() && task.output.is_some());
    let described = if complete {
        std::collections::BTreeMap::new()
    } else if imports.is_program() {
        let task = orch_host::Host::describe_program();
        source.tasks.keys().map(|name| (name.to_string(), (task.input.clone(), task.output.clone()))).collect()
    } else {
        let (host, _scratch) = prepare::scratch_host()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let described = runtime.block_on(host.describe(&component)).map_err(|error| {
            Failure::new(
                Code::InvalidManifest,
                format!("the schemas of `{}` are not to be had: {error}", folder.display()),
            )
        })?;
        described.into_iter().map(|(name, task)| (name.to_string(), (task.input, task.output))).collect()
    };
    let manifest = source.complete(&described).map_err(|reason| Failure::new(Code::InvalidManifest, reason))?;
    let package = package::embed(&component, &manifest).map_err(Failure::from)?;
    Ok((package, manifest.name))
}

fn manifest_of(folder: &Path) -> anyhow::Result<ManifestSource> {
    let place = WorkflowPlace::of(&folder.join("plugin.yaml"))?;
    let source = read_source(&place.file, &place.shown).map_err(|problem| {
        let help = "a plugin's folder has a plugin.yaml; `orch-wasm plugin new` writes one";
        Problems { diagnostics: vec![problem.help(help)], sources: Sources::default() }
    })?;
    let (manifest, diagnostics) = orch_workflow::parse_manifest(&source);
    let mut sources = Sources::default();
    sources.add(source);
    manifest.ok_or_else(|| Problems { diagnostics, sources }.into())
}

pub(super) fn read_file(file: &Path) -> Result<Vec<u8>, Failure> {
    let found = std::fs::metadata(file)
        .map_err(|error| Failure::new(Code::UnknownPlugin, format!("`{}`: {error}", file.display())))?;
    if !found.is_file() || found.len() > orch_registry::MOST_PACKAGE_BYTES {
        let message =
            format!("`{}` is no component file (at most {} bytes)", file.display(), orch_registry::MOST_PACKAGE_BYTES);
        return Err(Failure::new(Code::InvalidComponent, message));
    }
    std::fs::read(file).map_err(|error| Failure::new(Code::UnknownPlugin, format!("`{}`: {error}", file.display())))
}

fn check(file: &Path) -> anyhow::Result<Exit> {
    let bytes = read_file(file)?;
    let invalid = |message: String| Failure::new(Code::InvalidComponent, format!("`{}`: {message}", file.display()));
    orch_host::precheck(&bytes).map_err(|error| invalid(error.to_string()))?;
    let manifest = package::extract(&bytes).map_err(Failure::from)?;
    let problems = package::validate(&bytes, &manifest);
    for problem in &problems {
        terminal::talk(&format!("error[{}]: {}", problem.code, visible(&problem.message)));
        if let Some(help) = &problem.help {
            terminal::talk(&format!("  help: {}", visible(help)));
        }
    }
    if !problems.is_empty() {
        return Ok(Exit::Invalid);
    }
    let (host, _scratch) = prepare::scratch_host()?;
    let found = FoundPlugin {
        digest: orch_core::Digest::of(&bytes),
        manifest: Arc::new(manifest),
        signer: None,
        bytes: bytes.into(),
    };
    host.load(&found).map_err(|error| prepare::load_failure(&file.display().to_string(), &error))?;
    terminal::print(&format!("{} {}: fine, {}\n", found.manifest.name, found.manifest.version, found.digest))?;
    Ok(Exit::Succeeded)
}

/// `namespace/name[@requirement]`
fn reference(text: &str) -> Result<(PluginName, semver::VersionReq), Failure> {
    let (name, requirement) = text.split_once('@').unwrap_or((text, "*"));
    let name = PluginName::try_from(name).map_err(|error| Failure::new(Code::InvalidReference, error.to_string()))?;
    let requirement = requirement.parse().map_err(|error| {
        Failure::new(Code::InvalidReference, format!("`{requirement}` is no version requirement: {error}"))
            .help("write ^1.2 or =1.2.3")
    })?;
    Ok((name, requirement))
}

fn inspect(plugin: &str, registry: &RegistryArguments, format: Format) -> anyhow::Result<Exit> {
    let (bytes, manifest) = if Path::new(plugin).is_file() {
        let bytes = read_file(Path::new(plugin))?;
        let manifest = package::extract(&bytes).map_err(Failure::from)?;
        (bytes, manifest)
    } else {
        let (name, requirement) = reference(plugin)?;
        let policy = orch_core::Policy::built_in(Utf8PathBuf::from("/"), Vec::new());
        let terms = Terms::new(&policy, SystemClock.now());
        let report = open(registry)?.verify_package(&name, &requirement, &terms).map_err(Failure::from)?;
        let manifest = report.manifest;
        let manifest = manifest
            .ok_or_else(|| Failure::new(Code::InvalidManifest, format!("`{name}` has no readable manifest")))?;
        let path = places::registry(registry.registry.as_deref(), &std::env::current_dir()?)?;
        let hex = report.digest.hex();
        (read_file(&path.join("blobs/sha256").join(&hex[..2]).join(&hex))?, manifest)
    };
    let imports =
        orch_host::precheck(&bytes).map_err(|error| Failure::new(Code::InvalidComponent, error.to_string()))?;
    let digest = orch_core::Digest::of(&bytes);
    if format == Format::Json {
        let whole = serde_json::json!({
            "digest": digest, "bytes": bytes.len(), "manifest": manifest,
            "capability-hash": manifest.capability_hash(), "imports": imports.imports, "exports": imports.exports,
        });
        terminal::print(&format!("{whole}\n"))?;
        return Ok(Exit::Succeeded);
    }
    terminal::print(&inspected(&manifest, &digest, bytes.len(), &imports))?;
    Ok(Exit::Succeeded)
}

fn inspected(manifest: &Manifest, digest: &orch_core::Digest, bytes: usize, imports: &orch_host::Imports) -> String {
    let mut out = format!("{} {}\n  {}\n", manifest.name, manifest.version, visible(&manifest.description));
    out.push_str(&format!(
        "  licence {}, {}\n  {digest}\n",
        visible(&manifest.license),
        Size::from_bytes(bytes as u64)
    ));
    out.push_str("\nAsks for\n");
    let all = manifest.permissions.items();
    if all.is_empty() {
        out.push_str("  nothing\n");
    }
    for (rule, reason) in all {
        out.push_str(&format!("  {rule}: {}\n", visible(reason)));
    }
    out.push_str("\nTasks\n");
    for (name, task) in &manifest.tasks {
        out.push_str(&format!("  {name}: {}\n", visible(&task.description)));
        let inputs: Vec<_> = task.input["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| visible(name).into_owned())
            .collect();
        out.push_str(&format!(
            "    takes {}\n",
            if inputs.is_empty() { "nothing".to_owned() } else { inputs.join(", ") }
        ));
    }
    out.push_str("\nImports\n");
    imports.imports.iter().for_each(|import| out.push_str(&format!("  {}\n", visible(import))));
    out
}

fn publish(
    plugin: &Path,
    registry: &RegistryArguments,
    sbom: Option<&Path>,
    key: Option<&Path>,
) -> anyhow::Result<Exit> {
    let key = keys::load(key)?;
    let component = if plugin.is_dir() { build(plugin, Fetching::Allowed)?.0 } else { read_file(plugin)? };
    let folder = match places::registry(registry.registry.as_deref(), &std::env::current_dir()?) {
        Ok(folder) => folder,
        Err(_) => PathBuf::from("registry"),
    };
    let registry = FolderRegistry::create(&folder).map_err(Failure::from)?;
    let options = PublishOptions { sbom: sbom.map(read_file).transpose()?, ..PublishOptions::default() };
    let published = registry.publish(&component, &key, SystemClock.now(), &options).map_err(Failure::from)?;
    let state = if published.already_there { "is there already" } else { "is published" };
    terminal::print(&format!("{} {} {}\n", published.name, published.version, published.digest))?;
    terminal::talk(&format!(
        "{} {} {state} in `{}`, signed by {}",
        published.name,
        published.version,
        folder.display(),
        published.signer
    ));
    Ok(Exit::Succeeded)
}

fn endorse(
    name: &PluginName,
    version: &semver::Version,
    registry: &RegistryArguments,
    key: Option<&Path>,
) -> anyhow::Result<Exit> {
    let key = keys::load(key)?;
    let done = open(registry)?.endorse(name, version, &key, SystemClock.now()).map_err(Failure::from)?;
    let state = if done.already_there { "was signed before" } else { "is signed" };
    terminal::print(&format!("{} {} {}\n", done.name, done.version, done.digest))?;
    terminal::talk(&format!("{} {} {state} by {}", done.name, done.version, done.signer));
    Ok(Exit::Succeeded)
}

fn verify(plugin: &str, registry: &RegistryArguments, policy: Option<&Path>) -> anyhow::Result<Exit> {
    let (name, requirement) = reference(plugin)?;
    let here = WorkflowPlace::of(Path::new("workflow.yaml"))?;
    let policy = prepare::load_policy(policy, &here.folder)?;
    let terms = Terms::new(&policy, SystemClock.now());
    let report = open(registry)?.verify_package(&name, &requirement, &terms).map_err(Failure::from)?;
    let mut out = format!("{name} {}\n", report.version.as_ref().map_or_else(|| "?".to_owned(), ToString::to_string));
    for fact in &report.facts {
        let (mark, detail) = match &fact.state {
            FactState::Holds { detail } => ("✔", detail.clone()),
            FactState::Fails { code, message, .. } => ("✘", format!("{code} {message}")),
            FactState::Unknown { reason } => ("·", reason.clone()),
        };
        out.push_str(&format!("  {mark} {:28} {}\n", fact.check.words(), visible(&detail)));
    }
    terminal::print(&out)?;
    Ok(if report.good { Exit::Succeeded } else { Exit::Failed })
}

fn list(registry: &RegistryArguments, format: Format) -> anyhow::Result<Exit> {
    let plugins = open(registry)?.list().map_err(Failure::from)?;
    if format == Format::Json {
        let line = |plugin: &orch_registry::ListedPlugin| {
            let latest = plugin.latest.as_ref().map(ToString::to_string);
            serde_json::json!({ "name": plugin.name, "latest": latest, "versions": plugin.versions, "yanked": plugin.yanked, "signers": plugin.signers, "damage": plugin.damage })
                .to_string()
                + "\n"
        };
        terminal::print(&plugins.iter().map(line).collect::<String>())?;
        return Ok(Exit::Succeeded);
    }
    let mut table = Table::new(["plugin", "latest", "versions", "yanked", "signed by", "state"]);
    for plugin in &plugins {
        let latest = plugin.latest.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        let signers: Vec<_> = plugin.signers.iter().map(|signer| signer.as_str()).collect();
        let state = plugin.damage.as_deref().unwrap_or("fine");
        table.row([
            plugin.name.as_str(),
            &latest,
            &plugin.versions.to_string(),
            &plugin.yanked.to_string(),
            &signers.join(" "),
            state,
        ]);
    }
    terminal::print(&table.render(terminal::width(), ""))?;
    Ok(Exit::Succeeded)
}
