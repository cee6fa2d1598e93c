//! `validate`: everything that a workflow's text alone can get wrong.

use crate::args::Format;
use crate::failure::Problems;
use crate::places::WorkflowPlace;
use crate::prepare::read_source;
use crate::terminal;
use orch_core::{Exit, Sources};
use std::path::PathBuf;

pub(crate) fn run(files: &[PathBuf], format: Format) -> anyhow::Result<Exit> {
    let (mut all, mut sources, mut good) = (Vec::new(), Sources::default(), Vec::new());
    for file in files {
        let place = WorkflowPlace::of(file)?;
        let source = match read_source(&place.file, &place.shown) {
            Ok(source) => source,
            Err(problem) => {
                all.push(*problem);
                continue;
            }
        };
        let (workflow, problems) = orch_workflow::parse(&source);
        if let Some(workflow) = workflow {
            good.push(format!(
                "{}: {} is valid, {}",
                orch_core::visible(&source.name),
                workflow.name(),
                orch_core::plural(workflow.graph().len(), "task")
            ));
        }
        all.extend(problems);
        sources.add(source);
    }
    let failed = all.iter().any(|one| !one.warning);
    if format == Format::Json {
        let lines: Result<String, _> =
            all.iter().map(|one| serde_json::to_string(one).map(|line| line + "\n")).collect();
        terminal::print(&lines?)?;
        return Ok(if failed { Exit::Invalid } else { Exit::Succeeded });
    }
    if failed {
        return Err(Problems { diagnostics: all, sources }.into());
    }
    let style = terminal::style(crate::args::Colour::Auto, &std::io::stderr());
    if !all.is_empty() {
        terminal::talk(&orch_report::render_diagnostics(&all, &sources, style.colour));
    }
    terminal::print(&good.iter().map(|line| format!("{line}\n")).collect::<String>())?;
    Ok(Exit::Succeeded)
}
