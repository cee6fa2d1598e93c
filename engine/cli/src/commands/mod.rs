//! One file a verb.

mod answer;
pub(crate) mod cache;
mod doctor;
mod evidence;
mod explain;
mod graph;
mod init;
mod keys;
pub(crate) mod language;
mod lock;
mod permissions;
mod plan;
mod plugin;
mod plugin_test;
mod policy;
mod prebuilt;
mod reference;
mod resume;
mod run;
mod runs;
mod secrets;
mod template;
mod validate;

use crate::args::{AnswerArguments, Arguments, Colour, SchemaOf, Settled, Verb};
use crate::terminal;
use clap::CommandFactory;
use orch_core::{Answer, Exit, Faults};
use std::sync::Arc;

/// What every verb may need.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) colour: Colour,
    /// What tests make fail.
    pub(crate) faults: Arc<dyn Faults>,
}

pub(crate) fn run(arguments: Arguments, faults: Arc<dyn Faults>) -> anyhow::Result<Exit> {
    let context = &Context { colour: arguments.colour, faults };
    match arguments.verb {
        Verb::Init { folder } => init::run(&folder),
        Verb::Run(arguments) => run::run(context, &arguments),
        Verb::Resume { run, state, drive } => resume::run(context, run.as_deref(), &state, &drive),
        Verb::Rerun(arguments) => run::rerun(context, &arguments),
        Verb::Cancel { run, undo, state, drive } => resume::cancel(context, &run, undo, &state, &drive),
        Verb::Approve(arguments) => answer(context, &arguments, Answer::Approve),
        Verb::Reject(arguments) => answer(context, &arguments, Answer::Reject),
        Verb::Settle { answer: arguments, how } => answer(
            context,
            &arguments,
            match how {
                Settled::Succeeded => Answer::Succeeded,
                Settled::Failed => Answer::Failed,
                Settled::Again => Answer::Again,
            },
        ),
        Verb::Plan { workflow, format } => plan::run(context, &workflow, format),
        Verb::Validate { files, format } => validate::run(&files, format),
        Verb::Graph { file, kind } => graph::run(&file, kind),
        Verb::Schema { of } => schema(of),
        Verb::Explain { what, task, state } => explain::run(context, &what, task.as_ref(), &state),
        Verb::Runs(verb) => runs::run(context, &verb),
        Verb::Lock { workflow, update, accept } => lock::run(&workflow, update, accept),
        Verb::Plugin(verb) => plugin::run(context, &verb),
        Verb::Evidence(verb) => evidence::run(context, &verb),
        Verb::Policy(verb) => policy::run(context, &verb),
        Verb::Permissions(verb) => permissions::run(context, &verb),
        Verb::Keys(verb) => keys::run(&verb),
        Verb::Secrets(verb) => secrets::run(&verb),
        Verb::Cache(verb) => cache::run(&verb),
        Verb::Completions { shell } => completions(shell),
        Verb::Doctor { workflow } => doctor::run(context, &workflow),
        Verb::Reference => reference::run(),
    }
}

fn answer(context: &Context, arguments: &AnswerArguments, answer: Answer) -> anyhow::Result<Exit> {
    let AnswerArguments { run, task, comment, state } = arguments;
    answer::run(context, run, task.as_ref(), answer, comment.as_deref(), state)
}

fn schema(of: SchemaOf) -> anyhow::Result<Exit> {
    let schema = match of {
        SchemaOf::Workflow => orch_workflow::json_schema(),
        SchemaOf::Policy => orch_workflow::policy_json_schema(),
        SchemaOf::Plugin => orch_workflow::manifest_json_schema(),
        SchemaOf::Waivers => orch_workflow::waivers_json_schema(),
    };
    terminal::print(&format!("{}\n", serde_json::to_string_pretty(&schema)?))?;
    Ok(Exit::Succeeded)
}

fn completions(shell: clap_complete::Shell) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "orch-wasm", &mut script);
    terminal::print(&String::from_utf8(script)?)?;
    Ok(Exit::Succeeded)
}
