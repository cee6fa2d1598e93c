//! `lock`: pins plugins, and is the only way to accept that one changed or asks for more.

use crate::args::WorkflowArguments;
use crate::failure::Failure;
use crate::prepare::{self, LockMode};
use crate::terminal;
use orch_core::Exit;

pub(crate) fn run(arguments: &WorkflowArguments, update: bool, accept: bool) -> anyhow::Result<Exit> {
    let mode = match (update, accept) {
        (_, true) => LockMode::Accept,
        (true, false) => LockMode::Update,
        (false, false) => LockMode::Follow,
    };
    let prepared = prepare::prepare(arguments, mode)?;
    prepared.lock.write(prepared.place.lock()).map_err(Failure::from)?;
    for news in &prepared.lock_news {
        terminal::talk(&format!("locked {news}"));
    }
    terminal::print(&format!(
        "{}: {} pinned\n",
        prepared.place.lock().display(),
        orch_core::plural(prepared.plugins.len(), "plugin")
    ))?;
    Ok(Exit::Succeeded)
}
