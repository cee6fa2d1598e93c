//! What concerns a run as a whole: its concurrency group, its priority, and where its secrets come from.

use super::keys::{CONCURRENCY, SECRET};
use crate::expr::{Template, Used};
use crate::read::{Reader, known, shown};
use crate::yaml::{Kind, Node};
use orch_core::{Code, EnvName, OnConflict, SecretName, Span};

const MOST_SECRETS: usize = 1_000;
const MOST_RUNS: u32 = 1_000;
const DEFAULT_QUEUE: u32 = 100;
/// Bytes of the path or program that a secret comes from.
const LONGEST_SOURCE: usize = 4 << 10;

/// `concurrency` as written.
#[derive(Debug, Clone)]
pub(crate) struct Concurrency {
    pub(crate) group: Template,
    pub(crate) span: Span,
    pub(crate) used: Vec<Used>,
    pub(crate) limit: u32,
    pub(crate) queue: u32,
    pub(crate) on_conflict: OnConflict,
}

/// Reads `concurrency`.
pub(crate) fn concurrency(reader: &mut Reader<'_>, node: &Node) -> Option<Concurrency> {
    let fields = reader.fields(node, &CONCURRENCY)?;
    let limit = fields.get("limit").and_then(|node| reader.within(node, "limit", 1..=MOST_RUNS));
    let queue = fields.get("queue").and_then(|node| reader.within(node, "queue", 0..=MOST_RUNS));
    let words =
        [("queue", OnConflict::Queue), ("cancel", OnConflict::Cancel), ("cancel-running", OnConflict::CancelRunning)];
    let on_conflict = fields.get("on-conflict").and_then(|node| reader.choice(node, "on-conflict", &words));
    let node = reader.require(&fields, "group", "`concurrency`")?;
    let text = reader.text(node, "group")?;
    if text.trim().is_empty() {
        reader.error(Code::WrongType, &node.span, "`group` is empty");
        return None;
    }
    let mut used = Vec::new();
    let group = match &node.kind {
        Kind::Text(_) => Template::read(reader, node, &mut used),
        _ => Template::Literal(text.into()),
    };
    if let Some(reason) = group.as_literal().and_then(|group| wrong_group(group.as_str().unwrap_or_default())) {
        reader.error(Code::InvalidName, &node.span, reason);
        return None;
    }
    Some(Concurrency {
        group,
        span: node.span.clone(),
        used,
        limit: limit.unwrap_or(1),
        queue: queue.unwrap_or(DEFAULT_QUEUE),
        on_conflict: on_conflict.unwrap_or_default(),
    })
}

/// Why a text is no name of a concurrency group.
pub(crate) fn wrong_group(name: &str) -> Option<String> {
    const LONGEST: usize = 200;
    let reason = match name {
        name if name.trim().is_empty() => "it is empty".to_owned(),
        name if name.chars().count() > LONGEST => format!("it has more than {LONGEST} characters"),
        name if orch_core::visible(name) != name => "it holds characters that cannot be seen".to_owned(),
        _ => return None,
    };
    Some(format!("`{}` is no name of a concurrency group: {reason}", shown(name)))
}

/// Reads `secrets`: names, and where each value comes from.
pub(crate) fn secrets(reader: &mut Reader<'_>, node: &Node) -> Vec<(SecretName, String)> {
    let entries = reader.entries(node, "secrets");
    if entries.len() > MOST_SECRETS {
        let message = format!("there are {} secrets, at most {MOST_SECRETS} are allowed", entries.len());
        reader.error(Code::TooMany, &node.span, message);
        return Vec::new();
    }
    let mut secrets = Vec::with_capacity(entries.len());
    for (key, node) in entries {
        let name = reader.checked_name::<SecretName>(&key.text, &key.span);
        let Some(fields) = reader.fields(node, &SECRET) else { continue };
        let from = reader.require(&fields, "from", "a secret").and_then(|node| from(reader, node));
        if let (Some(name), Some(from)) = (name, from) {
            secrets.push((name, from));
        }
    }
    secrets
}

fn from(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    const SCHEMES: [&str; 4] = ["env:", "file:", "exec:", "store:"];
    let text = reader.text(node, "from")?;
    let Some((scheme, rest)) = text.split_once(':') else {
        let message = format!("`{}` does not say where the secret comes from", shown(&text));
        reader.error_help(
            Code::WrongType,
            &node.span,
            message,
            "write `env:NAME`, `file:PATH`, `exec:PROGRAM` or `store:NAME`",
        );
        return None;
    };
    let checked = match scheme {
        "env" => EnvName::try_from(rest).map(drop).map_err(|error| error.to_string()),
        "store" => SecretName::try_from(rest).map(drop).map_err(|error| error.to_string()),
        "file" | "exec" => match rest {
            "" => Err(format!("`{scheme}:` is followed by a path")),
            rest if rest.len() > LONGEST_SOURCE => {
                Err(format!("the path has {} bytes, at most {LONGEST_SOURCE} are allowed", rest.len()))
            }
            rest if rest.contains("${{") => Err("the source of a secret holds no expressions".to_owned()),
            rest if orch_core::visible(rest) != rest || rest.contains('\n') => {
                Err("the path holds characters that cannot be seen".to_owned())
            }
            _ => Ok(()),
        },
        other => {
            let message = format!("secrets do not come from `{}:`", shown(other));
            reader.error_help(Code::WrongType, &node.span, message, known(&format!("{other}:"), &SCHEMES));
            return None;
        }
    };
    match checked {
        Ok(()) => Some(text),
        Err(message) => {
            reader.error(Code::WrongType, &node.span, message);
            None
        }
    }
}
