//! `doctor`: is everything in place? Each line is a check; what is wrong comes with what to do.

use super::{Context, cache};
use crate::args::WorkflowArguments;
use crate::places::{self, WorkflowPlace};
use crate::prepare;
use crate::terminal;
use orch_core::Exit;
use orch_registry::FolderRegistry;
use orch_report::Style;
use orch_store::{SqliteStore, StateFolder};
use rustix::fs::Access;
use std::path::Path;

/// One check: what was looked at, and what was found or what is wrong and how to mend it.
struct Check {
    what: &'static str,
    found: Result<String, (String, String)>,
    /// Whether nothing works without it.
    needed: bool,
}

pub(crate) fn run(context: &Context, arguments: &WorkflowArguments) -> anyhow::Result<Exit> {
    let place = WorkflowPlace::of(&arguments.file)?;
    let checks = [
        Check { what: "runtime", found: Ok(orch_host::engine_version().to_owned()), needed: true },
        sandbox(),
        code_cache(),
        keys(),
        policy(arguments, &place),
        registry(arguments, &place),
        state(arguments, &place),
        wasm_target(),
    ];
    let style = terminal::style(context.colour, &std::io::stdout());
    terminal::print(&checks.iter().map(|check| line(check, style)).collect::<String>())?;
    let broken = checks.iter().any(|check| check.needed && check.found.is_err());
    Ok(if broken { Exit::Failed } else { Exit::Succeeded })
}

fn line(check: &Check, style: Style) -> String {
    match &check.found {
        Ok(found) => format!("{} {:12} {found}\n", style.green("✔"), check.what),
        Err((wrong, fix)) => {
            let mark = if check.needed { style.red("✘") } else { style.yellow("!") };
            format!("{mark} {:12} {wrong}\n               {} {fix}\n", check.what, style.dim("fix:"))
        }
    }
}

fn wrong<T>(what: impl std::fmt::Display, fix: &str) -> Result<T, (String, String)> {
    Err((what.to_string(), fix.to_owned()))
}

/// Compiles and loads the smallest component: the child process, its limits and the runtime all have to work for that.
fn sandbox() -> Check {
    let fix = "the program must be able to start itself, and to set resource limits";
    let tried = (|| {
        let (host, _scratch) = prepare::scratch_host()?;
        let empty = b"\0asm\x0d\0\x01\0";
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        // An empty component is no plugin; that this is said means that the sandbox was set up.
        runtime
            .block_on(host.describe(empty))
            .err()
            .filter(|said| said.contains("no plugin"))
            .map(|_| ())
            .ok_or_else(|| anyhow::anyhow!("the sandbox gave no answer"))
    })();
    let found = match tried {
        Ok(()) => Ok("components are checked and linked".to_owned()),
        Err(error) => wrong(format!("{error:#}"), fix),
    };
    Check { what: "sandbox", found, needed: true }
}

fn code_cache() -> Check {
    let found = match cache::open() {
        Ok(cache) => Ok(format!("`{}`", cache.folder().display())),
        Err(failure) => wrong(&failure, failure.help.as_deref().unwrap_or("make the folder usable")),
    };
    Check { what: "code cache", found, needed: false }
}

fn keys() -> Check {
    let found = match prepare::trusted_keys() {
        Ok(keys) if keys.is_empty() => {
            wrong("no key is trusted", "`orch-wasm keys new`, or `orch-wasm keys trust FILE`")
        }
        Ok(keys) => Ok(orch_core::plural(keys.len(), "trusted key")),
        Err(error) => wrong(format!("{error:#}"), "mend or remove the key file"),
    };
    Check { what: "keys", found, needed: false }
}

fn policy(arguments: &WorkflowArguments, place: &WorkflowPlace) -> Check {
    let found = match prepare::load_policy(arguments.policy.as_deref(), &place.folder) {
        Ok(policy) => Ok(policy.origin),
        Err(error) => wrong(format!("{error:#}"), "`orch-wasm plan` shows where"),
    };
    Check { what: "policy", found, needed: true }
}

fn registry(arguments: &WorkflowArguments, place: &WorkflowPlace) -> Check {
    let opened = places::registry(arguments.registry.as_deref(), place.folder.as_std_path())
        .and_then(|path| Ok((FolderRegistry::open(&path)?.list()?, path)));
    let found = match opened {
        Ok((plugins, path)) => {
            match plugins.iter().find_map(|plugin| plugin.damage.as_ref().map(|damage| (&plugin.name, damage))) {
                Some((name, damage)) => wrong(
                    format!("`{}`: {name}: {damage}", path.display()),
                    "restore the folder from where it was published",
                ),
                None => Ok(format!("{} in `{}`", orch_core::plural(plugins.len(), "plugin"), path.display())),
            }
        }
        Err(failure) => wrong(&failure, failure.help.as_deref().unwrap_or("name one with --registry")),
    };
    Check { what: "registry", found, needed: false }
}

fn state(arguments: &WorkflowArguments, place: &WorkflowPlace) -> Check {
    let path = place.state(arguments.state.as_deref());
    let found = if path.symlink_metadata().is_err() {
        match takes_new_folders(&path) {
            Ok(()) => Ok(format!("`{}` will be made by the first run", path.display())),
            Err(error) => {
                wrong(format!("`{}` cannot be made: {error}", path.display()), "choose another place with --state")
            }
        }
    } else {
        let opened = StateFolder::open(&path).and_then(|folder| {
            let store = SqliteStore::new(folder.clone());
            store.prepare()?;
            Ok((folder, store.check()?))
        });
        match opened {
            Ok((_, damage)) if !damage.is_empty() => {
                let more = if damage.len() > 1 { format!(" (and {} more)", damage.len() - 1) } else { String::new() };
                wrong(format!("{}{more}", damage[0]), "other runs can still be read; a new run is not concerned")
            }
            Ok((folder, _)) if folder.open_to_others() => {
                wrong(format!("others may look into `{}`", path.display()), "chmod 700 it")
            }
            Ok(_) => Ok(format!("`{}`", path.display())),
            Err(error) => wrong(error, "choose another place with --state"),
        }
    };
    Check { what: "state", found, needed: true }
}

/// Whether the nearest folder above that is there is one, and can be written.
fn takes_new_folders(path: &Path) -> std::io::Result<()> {
    let path = std::path::absolute(path)?;
    let above = path.ancestors().skip(1).find(|above| above.symlink_metadata().is_ok());
    // With the dot it is an error if it is no folder.
    let above = above.unwrap_or(Path::new("/")).join(".");
    Ok(rustix::fs::access(above, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// Only for those who build plugins.
fn wasm_target() -> Check {
    let listed = std::process::Command::new("rustup").args(["target", "list", "--installed"]).output();
    let found = match listed {
        Ok(output) if String::from_utf8_lossy(&output.stdout).contains("wasm32-wasip2") => {
            Ok("wasm32-wasip2".to_owned())
        }
        _ => wrong(
            "the target wasm32-wasip2 is not installed",
            "rustup target add wasm32-wasip2 (only to build plugins)",
        ),
    };
    Check { what: "toolchain", found, needed: false }
}
