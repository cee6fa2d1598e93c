//! `secrets`: this installation's own secrets. Values come in by standard input and never go out.

use crate::args::{Format, SecretsVerb};
use crate::failure::Failure;
use crate::secrets::{SecretStore, ask, value_of};
use crate::terminal;
use orch_core::{Code, Exit, Secret, SecretName};
use orch_report::Table;
use std::io::IsTerminal;

pub(crate) fn run(verb: &SecretsVerb) -> anyhow::Result<Exit> {
    let store = SecretStore::of_installation()?;
    match verb {
        SecretsVerb::Set { name } => {
            let was_there = store.set(name, &value(name)?)?;
            let what = if was_there { "changed" } else { "kept" };
            terminal::talk(&format!("secret `{name}` is {what}; workflows name it with `from: store:{name}`"));
        }
        SecretsVerb::List { format } => list(&store.names()?, *format)?,
        SecretsVerb::Rm { name } => {
            if !store.remove(name)? {
                return Err(Failure::new(Code::SecretsUnusable, format!("there is no secret `{name}` in the store"))
                    .help("`orch-wasm secrets list` shows those that are there")
                    .into());
            }
            terminal::talk(&format!("secret `{name}` is removed"));
        }
    }
    Ok(Exit::Succeeded)
}

/// What was typed or piped. Never an argument: those can be seen by everybody on the machine.
fn value(name: &SecretName) -> Result<Secret, Failure> {
    let unusable = |reason: String| {
        Failure::new(Code::SecretsUnusable, format!("the value of `{name}` cannot be used: {reason}"))
            .help(format!("give it on standard input: `orch-wasm secrets set {name} < file`"))
    };
    if std::io::stdin().is_terminal() {
        let typed = ask(&format!("value of `{name}` (not shown): ")).map_err(|error| unusable(error.to_string()))?;
        value_of(typed.as_slice()).map_err(unusable)
    } else {
        value_of(std::io::stdin().lock()).map_err(unusable)
    }
}

fn list(names: &[SecretName], format: Format) -> anyhow::Result<()> {
    if format == Format::Json {
        let line = |name: &SecretName| serde_json::json!({ "name": name }).to_string() + "\n";
        return terminal::print(&names.iter().map(line).collect::<String>());
    }
    let mut table = Table::new(["name", "in a workflow"]);
    for name in names {
        table.row([name.as_str(), &format!("from: store:{name}")]);
    }
    terminal::print(&table.render(usize::MAX, ""))
}
