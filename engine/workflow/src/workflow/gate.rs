//! Gates as written: the run to compare with, waivers, and checks.

use super::keys::{CHECK, GATE};
use super::tasks::condition;
use crate::expr::{Expr, Used};
use crate::plan::BaselineRef;
use crate::read::{Reader, shown};
use crate::yaml::{Kind, Node};
use orch_core::{Code, Span, TaskName};
use serde::{Deserialize, Serialize};

/// More would not be read by anybody, and each is evaluated over all findings.
const MOST_CHECKS: usize = 1_000;
/// What a failed check does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFail {
    /// Blocks the run.
    #[default]
    Block,
    /// Is shown.
    Warn,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Gate {
    pub(crate) baseline: Option<BaselineRef>,
    pub(crate) waivers: Option<(String, Span)>,
    pub(crate) checks: Vec<Check>,
}

#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub(crate) id: String,
    pub(crate) assert: Used,
    pub(crate) on_fail: OnFail,
}

/// Reads `gate`.
pub(crate) fn read(reader: &mut Reader<'_>, node: &Node) -> Gate {
    let mut gate = Gate::default();
    let Some(fields) = reader.fields(node, &GATE) else { return gate };
    gate.baseline = fields.get("baseline").and_then(|node| {
        let text = reader.text(node, "baseline")?;
        let is_run =
            (4..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        match text.as_str() {
            "last-succeeded" => Some(BaselineRef::LastSucceeded),
            _ if is_run => Some(BaselineRef::Run(text)),
            _ => {
                let message = format!("`{}` is no baseline", shown(&text));
                let help = "write `last-succeeded` or the id of a run, at least 4 of its hexadecimal digits";
                reader.error_help(Code::WrongType, &node.span, message, help);
                None
            }
        }
    });
    gate.waivers = fields.get("waivers").and_then(|node| {
        let path = reader.text(node, "waivers")?;
        if path.is_empty() {
            reader.error(Code::WrongType, &node.span, "`waivers` is empty");
            return None;
        }
        Some((path, node.span.clone()))
    });
    let Some(list) = reader.require(&fields, "checks", "a gate") else { return gate };
    let items = reader.items(list, "checks");
    if items.is_empty() && matches!(list.kind, Kind::Seq(_)) {
        reader.error(Code::WrongType, &list.span, "a gate without checks lets everything through");
    }
    if items.len() > MOST_CHECKS {
        let message = format!("the gate has {} checks, at most {MOST_CHECKS} are allowed", items.len());
        reader.error(Code::TooMany, &list.span, message);
        return gate;
    }
    for item in items {
        let Some(fields) = reader.fields(item, &CHECK) else { continue };
        let id = reader.require(&fields, "id", "a check").and_then(|node| {
            let id = reader.name::<TaskName>(node, "id")?.to_string();
            if gate.checks.iter().any(|check| check.id == id) {
                reader.error(Code::Contradiction, &node.span, format!("the check `{id}` stands twice"));
            }
            Some(id)
        });
        let assert = reader.require(&fields, "assert", "a check").and_then(|node| condition(reader, node, "assert"));
        let on_fail = fields
            .get("on-fail")
            .and_then(|node| reader.choice(node, "on-fail", &[("block", OnFail::Block), ("warn", OnFail::Warn)]));
        if let (Some(id), Some(assert)) = (id, assert) {
            gate.checks.push(Check { id, assert, on_fail: on_fail.unwrap_or_default() });
        }
    }
    gate
}

impl Check {
    pub(crate) fn expr(&self) -> &Expr {
        &self.assert.expr
    }
}
