//! From what the runtime says to what a person needs to know.

use crate::cap::fs::TooManyOpen;
use crate::command::TooMuchOutput;
use crate::guest::Guest;
use crate::limiter::{MOST_MEMORIES, MOST_TABLES};
use crate::sandbox::MOST_RANDOM;
use orch_core::{Failure, FailureKind, LimitName, PluginTask, Size, shorten, visible};
use wasmtime::Trap;

/// Characters of a guest's own last words in a message.
const LAST_WORDS: usize = 1_000;

/// The guest did not come back with an answer of its own.
pub(crate) fn of_trap(error: &wasmtime::Error, guest: &Guest, plugin: &PluginTask) -> Failure {
    if let Some((limit, value)) = &guest.limiter.reached {
        return limit_reached(limit, value);
    }
    if let Some(open) = error.downcast_ref::<TooManyOpen>() {
        return limit_reached(open.what, &open.most.to_string());
    }
    if error.downcast_ref::<TooMuchOutput>().is_some() {
        return limit_reached("output", &guest.facts.limits.output.to_string());
    }
    let text = format!("{error:#}");
    // These errors have no public type in this version of wasmtime; a test for each keeps the words right.
    if text.contains("fuel allocated for hostcalls has been exhausted") {
        return limit_reached("host call", &guest.facts.limits.host_call.to_string());
    }
    if text.contains("store handle limit exceeded") || text.contains("resource table has no free keys") {
        return limit_reached("handles", &guest.facts.limits.handles.to_string());
    }
    if text.contains("requested len ") && text.contains(" exceeds limit ") {
        return limit_reached("random bytes of one call", &Size::from_bytes(MOST_RANDOM).to_string());
    }
    if let Some((_, what)) = text.split_once("resource limit exceeded: ") {
        let (name, value) = match what.split(' ').next() {
            Some("table") => ("tables", MOST_TABLES.to_string()),
            Some("memory") => ("memories", MOST_MEMORIES.to_string()),
            _ => ("instances", guest.facts.limits.instances.to_string()),
        };
        return limit_reached(name, &value);
    }
    if let Some(exit) = error.downcast_ref::<wasmtime_wasi::I32Exit>() {
        let message = format!("`{}` ended its process with code {} instead of returning a result", plugin.name, exit.0);
        return Failure::new(FailureKind::Trap, with_last_words(message, guest));
    }
    let message = match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => "its stack overflowed".to_owned(),
        Some(Trap::UnreachableCodeReached) => "it panicked or aborted".to_owned(),
        Some(trap) => trap.to_string(),
        // The cause alone: what stands around it is the place in the code, and plugins come without names for it.
        None => {
            let cause = guest.secrets.masker().mask_owned(error.root_cause().to_string());
            shorten(&visible(&cause), LAST_WORDS).into_owned()
        }
    };
    Failure::new(FailureKind::Trap, with_last_words(format!("`{}` trapped: {message}", plugin.name), guest))
}

/// A plain program ended with a code that the task did not expect.
pub(crate) fn of_exit(code: i32, guest: &Guest, plugin: &PluginTask) -> Failure {
    let message = format!("`{}` ended with exit code {code}", plugin.name);
    Failure::new(FailureKind::Failed, with_last_words(message, guest))
        .with_fix("name the code in `exit-codes` if it is no failure")
}

/// The end of what the guest wrote to standard error, where panics and uncaught exceptions tell their reason.
fn with_last_words(message: String, guest: &Guest) -> String {
    let log = guest.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let tail = log.stderr_tail.trim();
    if tail.is_empty() { message } else { format!("{message}; it last said: {}", shorten(tail, LAST_WORDS)) }
}

pub(crate) fn limit_reached(limit: &str, value: &str) -> Failure {
    let failure = Failure::new(
        FailureKind::Limit { limit: limit.to_owned(), value: value.to_owned() },
        format!("the limit `{limit}` of {value} is reached"),
    );
    let adjustable = [
        LimitName::Memory,
        LimitName::Log,
        LimitName::Output,
        LimitName::Findings,
        LimitName::Artifacts,
        LimitName::Requests,
        LimitName::Traffic,
    ];
    match adjustable.iter().find(|name| name.word() == limit) {
        Some(name) => failure.with_fix(format!(
            "the limit is what plugin.yaml wishes (`limits: {{ {name}: … }}`), lowered by the task's `limits` and the policy's"
        )),
        None => failure.with_fix("this limit is the same for all plugins: give the task less work, or split it"),
    }
}
