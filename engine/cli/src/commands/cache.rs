//! `cache`: what compiled code is kept.

use crate::args::{CacheVerb, Format};
use crate::failure::Failure;
use crate::{places, terminal};
use orch_core::{Code, Exit, Size};
use orch_host::CodeCache;
use orch_report::Table;

/// How much compiled code is kept by default.
pub(crate) const MOST_BYTES: u64 = 2 << 30;

/// Opens this installation's cache.
pub(crate) fn open() -> Result<CodeCache, Failure> {
    let folder = places::code_cache()?;
    CodeCache::open(&folder, MOST_BYTES).map_err(|error| {
        Failure::new(Code::CacheUnusable, error.to_string()).help("set XDG_CACHE_HOME to a folder of your own")
    })
}

pub(crate) fn run(verb: &CacheVerb) -> anyhow::Result<Exit> {
    let cache = open()?;
    match verb {
        CacheVerb::Ls { format } => list(&cache, *format)?,
        CacheVerb::Verify => {
            let broken = cache.verify()?;
            let total = cache.entries()?.len();
            terminal::print(&format!(
                "{} fine, {} deleted\n",
                orch_core::plural(total, "entry").replace("entrys", "entries"),
                broken.len()
            ))?;
            if !broken.is_empty() {
                return Ok(Exit::Failed);
            }
        }
        CacheVerb::Gc { most } => {
            let freed = cache.collect(most.bytes())?;
            terminal::print(&format!("{freed} bytes freed\n"))?;
        }
    }
    Ok(Exit::Succeeded)
}

fn list(cache: &CodeCache, format: Format) -> anyhow::Result<()> {
    let entries = cache.entries()?;
    if format == Format::Json {
        let lines: String = entries
            .iter()
            .map(|entry| {
                let component = entry.component.map(|digest| digest.to_string());
                serde_json::json!({ "name": entry.name, "component": component, "bytes": entry.bytes, "failure": entry.failure })
                    .to_string()
                    + "\n"
            })
            .collect();
        return terminal::print(&lines);
    }
    let mut table = Table::new(["component", "bytes", "last used", "what"]);
    for entry in &entries {
        let component = entry.component.map_or_else(|| "does not verify".to_owned(), |digest| digest.short());
        let used = super::runs::time(orch_core::Timestamp(entry.used));
        table.row([
            &component,
            &entry.bytes.to_string(),
            &used[..10.min(used.len())],
            if entry.failure { "failure" } else { "code" },
        ]);
    }
    let total = Size::from_bytes(entries.iter().map(|entry| entry.bytes).sum());
    terminal::print(&table.render(terminal::width(), ""))?;
    terminal::talk(&format!("{} in `{}`, at most {}", total, cache.folder().display(), Size::from_bytes(MOST_BYTES)));
    Ok(())
}
