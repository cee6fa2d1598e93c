//! `retry` and `timeout`: as written in a task or in `defaults`, and what comes of both together.

use super::keys::{RETRY, TIMEOUT};
use crate::plan::{Backoff, Jitter, Retry};
use crate::read::Reader;
use crate::yaml::{Kind, Node};
use orch_core::{Code, Period, Span, TaskOutcome};

const MOST_ATTEMPTS: u32 = 100;

/// What an attempt may take when nobody says anything.
const DEFAULT_TIMEOUT: Period = Period::from_millis(10 * 60 * 1000);

/// `retry` as written.
#[derive(Debug, Clone)]
pub(crate) enum RetryWritten {
    Never,
    Keys(Box<RetryKeys>),
}

/// The keys of `retry`; what is absent is left to `defaults`.
#[derive(Debug, Clone)]
pub(crate) struct RetryKeys {
    /// Of the mapping's beginning.
    span: Span,
    attempts: Option<u32>,
    /// Whether `attempts` is written at all; one that is wrong has its own error.
    says_attempts: bool,
    backoff: Option<Backoff>,
    initial: Option<(Period, Span)>,
    max: Option<(Period, Span)>,
    jitter: Option<Jitter>,
    on: Option<Vec<TaskOutcome>>,
    budget: Option<Period>,
}

/// `timeout` as written.
#[derive(Debug, Clone)]
pub(crate) struct Timeout {
    pub(crate) span: Span,
    pub(crate) attempt: Option<(Period, Span)>,
    pub(crate) task: Option<(Period, Span)>,
}

/// A timeout that is not zero: of a run.
pub(crate) fn whole_timeout(reader: &mut Reader<'_>, node: &Node) -> Option<Period> {
    reader.period(node, "timeout", "a timeout of nothing would end every task at once")
}

/// A timeout of a task: of each attempt, or of attempts and of the whole.
pub(crate) fn timeout(reader: &mut Reader<'_>, node: &Node) -> Option<Timeout> {
    let span = node.span.clone();
    if !matches!(node.kind, Kind::Map(_)) {
        let attempt = whole_timeout(reader, node)?;
        return Some(Timeout { attempt: Some((attempt, span.clone())), task: None, span });
    }
    let fields = reader.fields(node, &TIMEOUT)?;
    if fields.get("attempt").is_none() && fields.get("task").is_none() {
        let message = "`timeout` needs the key `attempt` or the key `task`";
        reader.error(Code::MissingKey, &fields.start(), message);
        return None;
    }
    let mut part =
        |name: &str| fields.get(name).and_then(|node| Some((whole_timeout(reader, node)?, node.span.clone())));
    Some(Timeout { attempt: part("attempt"), task: part("task"), span: fields.start() })
}

/// Reads `retry`.
pub(crate) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<RetryWritten> {
    if let Kind::Text(text) = &node.kind {
        if text == "never" {
            return Some(RetryWritten::Never);
        }
        let message = format!("`retry` is `never` or a mapping, not `{}`", crate::read::shown(text));
        reader.error_help(Code::WrongType, &node.span, message, "write `retry: { attempts: 3 }`");
        return None;
    }
    let fields = reader.fields(node, &RETRY)?;
    let attempts = fields.get("attempts").and_then(|node| reader.within(node, "attempts", 1..=MOST_ATTEMPTS));
    let backoffs = [("fixed", Backoff::Fixed), ("linear", Backoff::Linear), ("exponential", Backoff::Exponential)];
    let backoff = fields.get("backoff").and_then(|node| reader.choice(node, "backoff", &backoffs));
    let jitters = [("none", Jitter::None), ("full", Jitter::Full)];
    let jitter = fields.get("jitter").and_then(|node| reader.choice(node, "jitter", &jitters));
    let mut wait = |name: &str| {
        fields.get(name).and_then(|node| Some((reader.quantity::<Period>(node, name)?, node.span.clone())))
    };
    let (initial, max) = (wait("initial"), wait("max"));
    let on = fields.get("retry-on").map(|node| outcomes(reader, node));
    let nothing = "a budget of nothing leaves no time for a second attempt";
    let budget = fields.get("budget").and_then(|node| reader.period(node, "budget", nothing));
    Some(RetryWritten::Keys(Box::new(RetryKeys {
        span: fields.start(),
        attempts,
        says_attempts: fields.get("attempts").is_some(),
        backoff,
        initial,
        max,
        jitter,
        on,
        budget,
    })))
}

fn outcomes(reader: &mut Reader<'_>, node: &Node) -> Vec<TaskOutcome> {
    let words = [TaskOutcome::Failed, TaskOutcome::Errored, TaskOutcome::TimedOut].map(|it| (it.word(), it));
    let items = reader.items(node, "retry-on");
    if items.is_empty() && matches!(node.kind, Kind::Seq(_)) {
        reader.error_help(Code::WrongType, &node.span, "`retry-on` is empty", "write `retry: never`");
    }
    let mut on = Vec::new();
    for item in items {
        let Some(outcome) = reader.choice(item, "retry-on", &words) else { continue };
        if on.contains(&outcome) {
            reader.error(Code::Contradiction, &item.span, format!("`{outcome}` stands twice in `retry-on`"));
        } else {
            on.push(outcome);
        }
    }
    on
}

/// What a task's `retry` and that of `defaults` come to; key by key, the task's first. Says what does not fit.
pub(crate) fn merged(
    task: Option<&RetryWritten>,
    defaults: Option<&RetryWritten>,
    problem: &mut dyn FnMut(Code, &Span, String),
) -> Retry {
    let (own, below) = match (task, defaults) {
        (Some(RetryWritten::Never), _) | (None, Some(RetryWritten::Never)) => {
            return Retry { never: true, ..Retry::default() };
        }
        (None, None) => return Retry::default(),
        (None, Some(RetryWritten::Keys(below))) => (below, None),
        (Some(RetryWritten::Keys(own)), Some(RetryWritten::Keys(below))) => (own, Some(below.as_ref())),
        (Some(RetryWritten::Keys(own)), _) => (own, None),
    };
    fn first<'k, T>(
        own: &'k RetryKeys,
        below: Option<&'k RetryKeys>,
        key: fn(&RetryKeys) -> &Option<T>,
    ) -> Option<&'k T> {
        key(own).as_ref().or_else(|| below.and_then(|keys| key(keys).as_ref()))
    }
    let default = Retry::default();
    let (initial, max) = (first(own, below, |keys| &keys.initial), first(own, below, |keys| &keys.max));
    if let (Some((initial, _)), Some((max, _))) = (initial, max)
        && max < initial
        // When neither stands here, it is the problem of `defaults`, and told there.
        && let Some((_, place)) = own.max.as_ref().or(own.initial.as_ref())
    {
        let message = format!("the longest wait (`max`, {max}) is shorter than the first one (`initial`, {initial})");
        problem(Code::Contradiction, place, message);
    }
    let attempts = first(own, below, |keys| &keys.attempts).copied();
    if attempts.is_none() && task.is_some() && !own.says_attempts && !below.is_some_and(|keys| keys.says_attempts) {
        let message = "`retry` without `attempts` never tries again".to_owned();
        problem(Code::MissingKey, &own.span, message);
    }
    // What is not written gives way to what is.
    let (initial, max) = match (initial.map(|(it, _)| *it), max.map(|(it, _)| *it)) {
        (Some(initial), Some(max)) => (initial, max),
        (Some(initial), None) => (initial, default.max.max(initial)),
        (None, Some(max)) => (default.initial.min(max), max),
        (None, None) => (default.initial, default.max),
    };
    Retry {
        never: false,
        attempts: attempts.unwrap_or(default.attempts),
        backoff: first(own, below, |keys| &keys.backoff).copied().unwrap_or(default.backoff),
        initial,
        max,
        jitter: first(own, below, |keys| &keys.jitter).copied().unwrap_or(default.jitter),
        on: first(own, below, |keys| &keys.on).cloned().unwrap_or(default.on),
        budget: first(own, below, |keys| &keys.budget).copied(),
    }
}

/// How long an attempt and a whole task may take.
pub(crate) fn merged_timeout(
    task: Option<&Timeout>,
    defaults: Option<&Timeout>,
    problem: &mut dyn FnMut(Code, &Span, String),
) -> (Period, Option<Period>) {
    let part = |key: fn(&Timeout) -> &Option<(Period, Span)>| {
        let own = task.and_then(|timeout| key(timeout).as_ref());
        own.or_else(|| defaults.and_then(|timeout| key(timeout).as_ref())).map(|(period, _)| *period)
    };
    let (attempt, whole) = (part(|timeout| &timeout.attempt), part(|timeout| &timeout.task));
    if let (Some(attempt), Some(whole)) = (attempt, whole)
        && whole < attempt
        && let Some(written) = task.or(defaults)
    {
        let place = written.task.as_ref().or(written.attempt.as_ref()).map_or(&written.span, |(_, span)| span);
        let message = format!("the whole task (`task`, {whole}) has less time than one attempt (`attempt`, {attempt})");
        problem(Code::Contradiction, place, message);
    }
    let attempt = attempt.unwrap_or_else(|| whole.map_or(DEFAULT_TIMEOUT, |whole| whole.min(DEFAULT_TIMEOUT)));
    (attempt, whole)
}
