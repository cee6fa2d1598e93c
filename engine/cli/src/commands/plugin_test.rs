//! `plugin test`: recordings of `run --record`, replayed against a plugin as it is now. Nothing outside is reached, and no policy is
//! asked: the grants are those of the recording.

use super::Context;
use super::language::Fetching;
use super::plugin::{build, read_file};
use crate::args::Format;
use crate::failure::Failure;
use crate::{prepare, terminal};
use orch_core::{Code, Digest, Exit, FoundPlugin, visible};
use orch_host::{Host, Recording, Replayed};
use orch_registry::package;
use orch_report::Table;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file that makes a folder a recording.
const RECORDING: &str = "recording.json";

/// What came of one recording.
struct Tested {
    name: String,
    task: String,
    result: Verdict,
}

enum Verdict {
    Replayed(Replayed),
    /// It could not be read, or not be replayed.
    Unusable(String),
    /// It is of another plugin, and says nothing about this one.
    OtherPlugin,
}

impl Tested {
    fn word(&self) -> &'static str {
        match &self.result {
            Verdict::Replayed(replayed) if !replayed.unrecorded.is_empty() => "unrecorded call",
            Verdict::Replayed(replayed) if !replayed.differences.is_empty() => "differs",
            Verdict::Replayed(_) => "passed",
            Verdict::Unusable(_) => "unusable",
            Verdict::OtherPlugin => "other plugin",
        }
    }

    fn failed(&self) -> bool {
        !matches!(self.word(), "passed" | "other plugin")
    }

    fn json(&self) -> serde_json::Value {
        let mut json = serde_json::json!({ "recording": self.name, "task": self.task, "result": self.word() });
        match &self.result {
            Verdict::Replayed(Replayed { unrecorded, differences, unused }) => {
                json["unrecorded"] = serde_json::json!(unrecorded);
                json["differences"] = serde_json::json!(differences);
                json["no-longer-made"] = serde_json::json!(unused);
            }
            Verdict::Unusable(reason) => json["reason"] = serde_json::json!(reason),
            Verdict::OtherPlugin => {}
        }
        json
    }
}

pub(super) fn run(context: &Context, plugin: &Path, recordings: Option<&Path>, format: Format) -> anyhow::Result<Exit> {
    let folder = recordings.map_or_else(|| beside(plugin).join("recordings"), Path::to_owned);
    let found = recordings_in(&folder)?;
    let component = if plugin.is_dir() { build(plugin, Fetching::Offline)?.0 } else { read_file(plugin)? };
    let manifest = package::extract(&component).map_err(Failure::from)?;
    let plugin = FoundPlugin {
        digest: Digest::of(&component),
        manifest: Arc::new(manifest),
        signer: None,
        bytes: component.into(),
    };
    let (host, _scratch) = prepare::scratch_host()?;
    host.load(&plugin).map_err(|error| prepare::load_failure(plugin.manifest.name.as_str(), &error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let tested: Vec<Tested> = found.iter().map(|path| runtime.block_on(test(&host, &plugin, path))).collect();
    runtime.shutdown_background();
    let again = format!("orch-wasm run WORKFLOW --record {}", visible(&folder.display().to_string()));
    if tested.iter().all(|one| matches!(one.result, Verdict::OtherPlugin)) {
        let message = format!("`{}` has no recording of `{}`", folder.display(), plugin.manifest.name);
        return Err(Failure::new(Code::Usage, message).help(format!("make one: {again}")).into());
    }
    let failed = tested.iter().filter(|one| one.failed()).count();
    if format == Format::Json {
        let all: Vec<_> = tested.iter().map(Tested::json).collect();
        let whole = serde_json::json!({
            "plugin": plugin.manifest.name, "version": plugin.manifest.version, "digest": plugin.digest,
            "recordings": all, "failed": failed,
        });
        terminal::print(&format!("{whole}\n"))?;
    } else {
        terminal::print(&told(context, &tested, failed))?;
    }
    if failed > 0 {
        terminal::talk(&format!("if the plugin is right and the recordings are old, record again: {again}"));
    }
    Ok(if failed == 0 { Exit::Succeeded } else { Exit::Failed })
}

/// The folder that a plugin lies in.
fn beside(plugin: &Path) -> PathBuf {
    match plugin.is_dir() {
        true => plugin.to_owned(),
        false => plugin.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned(),
    }
}

/// The recordings in a folder, by name; the folder itself if it is one.
fn recordings_in(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |reason: String| {
        Failure::new(Code::Usage, format!("`{}`: {reason}", folder.display()))
            .help(format!("make recordings: orch-wasm run WORKFLOW --record {}", folder.display()))
    };
    if folder.join(RECORDING).is_file() {
        return Ok(vec![folder.to_owned()]);
    }
    let entries = std::fs::read_dir(folder).map_err(|error| failed(error.to_string()))?;
    let mut all: Vec<_> =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.join(RECORDING).is_file()).collect();
    all.sort();
    if all.is_empty() { Err(failed("there are no recordings in it".to_owned())) } else { Ok(all) }
}

async fn test(host: &Host, plugin: &FoundPlugin, path: &Path) -> Tested {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let recording = match Recording::load(path) {
        Ok(recording) => recording,
        Err(error) => return Tested { name, task: "-".to_owned(), result: Verdict::Unusable(error.to_string()) },
    };
    let task = recording.task().to_string();
    if *recording.plugin() != plugin.manifest.name {
        return Tested { name, task, result: Verdict::OtherPlugin };
    }
    let result = match host.replay(plugin, recording).await {
        Ok(replayed) => Verdict::Replayed(replayed),
        Err(reason) => Verdict::Unusable(reason),
    };
    Tested { name, task, result }
}

fn told(context: &Context, tested: &[Tested], failed: usize) -> String {
    let style = terminal::style(context.colour, &std::io::stdout());
    let mut table = Table::new(["recording", "task", "result"]);
    tested.iter().for_each(|one| table.row([&one.name, &one.task, one.word()]));
    let mut text = table.render(terminal::width(), "");
    for one in tested {
        let lines: Vec<String> = match &one.result {
            Verdict::OtherPlugin => Vec::new(),
            Verdict::Unusable(reason) => vec![reason.clone()],
            Verdict::Replayed(Replayed { unrecorded, differences, unused }) => {
                let unrecorded = unrecorded.iter().map(|call| format!("not in the recording: {call}"));
                let differences = differences.iter().map(|place| format!("differs: {place}"));
                let unused = unused.iter().map(|call| format!("no longer made (no failure): {call}"));
                unrecorded.chain(differences).chain(unused).collect()
            }
        };
        if !lines.is_empty() {
            let name = visible(&one.name);
            text.push_str(&format!("\n{}\n", if one.failed() { style.red(&name) } else { style.bold(&name) }));
            lines.iter().for_each(|line| text.push_str(&format!("  {}\n", visible(line))));
        }
    }
    let replayed = tested.iter().filter(|one| !matches!(one.result, Verdict::OtherPlugin)).count();
    text + &format!("\n{} of {} passed\n", replayed - failed, orch_core::plural(replayed, "recording"))
}
