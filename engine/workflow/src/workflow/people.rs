//! Approvals as written: what people are asked, and who may answer.

use super::keys::{APPROVAL, APPROVERS};
use crate::expr::{Template, Used};
use crate::read::{Reader, shown};
use crate::yaml::{Kind, Node};
use orch_core::{Code, Period};

const MOST_REQUIRED: u32 = 100;
/// Accounts, or groups, of one approval.
const MOST_NAMES: usize = 1_000;
const LONGEST_NAME: usize = 100;
/// Bytes of a prompt as written.
const LONGEST_PROMPT: usize = 4 << 10;

/// An approval as written.
#[derive(Debug, Clone)]
pub(crate) struct Approval {
    pub(crate) prompt: Template,
    pub(crate) used: Vec<Used>,
    pub(crate) users: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) required: u32,
    pub(crate) exclude_requester: bool,
    pub(crate) expires: Option<Period>,
}

/// Reads `approval`.
pub(crate) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Approval> {
    let fields = reader.fields(node, &APPROVAL)?;
    let mut used = Vec::new();
    let prompt = reader.require(&fields, "prompt", "an approval").and_then(|node| prompt(reader, node, &mut used));
    let (users, groups) = fields.get("approvers").map(|node| approvers(reader, node)).unwrap_or_default();
    let required = fields.get("required").and_then(|node| {
        let required = reader.within(node, "required", 1..=MOST_REQUIRED)?;
        if groups.is_empty() && !users.is_empty() && users.len() < required as usize {
            let message = format!("{required} people have to agree, and only {} may", users.len());
            reader.error(Code::Contradiction, &node.span, message);
        }
        Some(required)
    });
    let exclude = fields.get("exclude-requester").and_then(|node| reader.boolean(node, "exclude-requester"));
    let nothing = "an approval that may not wait is rejected at once";
    let expires = fields.get("expires").and_then(|node| reader.period(node, "expires", nothing));
    Some(Approval {
        prompt: prompt?,
        used,
        users,
        groups,
        required: required.unwrap_or(1),
        exclude_requester: exclude.unwrap_or(false),
        expires,
    })
}

fn prompt(reader: &mut Reader<'_>, node: &Node, used: &mut Vec<Used>) -> Option<Template> {
    let text = reader.text(node, "prompt")?;
    if text.trim().is_empty() {
        reader.error(Code::WrongType, &node.span, "`prompt` is empty");
        return None;
    }
    if text.len() > LONGEST_PROMPT {
        let message = format!("`prompt` has {} bytes, at most {LONGEST_PROMPT} are allowed", text.len());
        reader.error(Code::TooLarge, &node.span, message);
        return None;
    }
    Some(match &node.kind {
        Kind::Text(_) => Template::read(reader, node, used),
        _ => Template::Literal(text.into()),
    })
}

fn approvers(reader: &mut Reader<'_>, node: &Node) -> (Vec<String>, Vec<String>) {
    let Some(fields) = reader.fields(node, &APPROVERS) else { return Default::default() };
    if fields.get("users").is_none() && fields.get("groups").is_none() {
        let help = "name `users` or `groups`, or leave `approvers` out if anybody may answer";
        reader.error_help(Code::MissingKey, &fields.start(), "`approvers` names nobody", help);
    }
    let mut part = |name: &str| fields.get(name).map(|node| names(reader, node, name)).unwrap_or_default();
    (part("users"), part("groups"))
}

fn names(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<String> {
    let items = reader.items(node, what);
    if items.is_empty() && matches!(node.kind, Kind::Seq(_)) {
        reader.error(Code::WrongType, &node.span, format!("`{what}` is empty"));
    }
    if items.len() > MOST_NAMES {
        let message = format!("there are {} of `{what}`, at most {MOST_NAMES} are allowed", items.len());
        reader.error(Code::TooMany, &node.span, message);
        return Vec::new();
    }
    let mut names: Vec<String> = Vec::with_capacity(items.len());
    for item in items {
        let Some(name) = reader.text(item, what) else { continue };
        let reason = match &name {
            name if name.trim().is_empty() => "it is empty".to_owned(),
            name if name.contains("${{") => "it holds an expression".to_owned(),
            name if name.chars().count() > LONGEST_NAME => format!("it has more than {LONGEST_NAME} characters"),
            name if orch_core::visible(name) != name.as_str() => "it holds characters that cannot be seen".to_owned(),
            name if names.contains(name) => {
                let message = format!("`{}` stands twice in `{what}`", shown(name));
                reader.error(Code::Contradiction, &item.span, message);
                continue;
            }
            _ => {
                names.push(name);
                continue;
            }
        };
        let message = format!("`{}` is no name in `{what}`: {reason}", shown(&name));
        reader.error(Code::InvalidName, &item.span, message);
    }
    names
}
