//! `workflow`: a task that runs the tasks of another file. Which file that is, and whether `with` fits its inputs, is looked at
//! when it has been read.

use super::retry::Timeout;
use crate::expr::{Template, Used};
use crate::read::{Fields, Reader, shown};
use crate::yaml::{Kind, Node};
use orch_core::{Code, InputName, Span, TaskName};

/// A task that runs another file.
#[derive(Debug, Clone)]
pub(crate) struct Nested {
    /// As written.
    pub(crate) file: String,
    pub(crate) span: Span,
    pub(crate) with: Vec<Given>,
}

/// A value for an input of the other file.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) name: InputName,
    /// Of the key.
    pub(crate) key: Span,
    /// Of the value.
    pub(crate) span: Span,
    pub(crate) value: Template,
    pub(crate) used: Vec<Used>,
}

/// Reads `workflow` and its `with`.
pub(crate) fn read(reader: &mut Reader<'_>, fields: &Fields<'_>, node: &Node, name: &TaskName) -> Option<Nested> {
    if name.as_str() == "undo" {
        // Its task `a` would have the id of what takes back a task `a`.
        let message = "a task that runs a workflow is not called `undo`";
        reader.error(Code::InvalidName, &node.span, message);
    }
    let with = fields.get("with").map(|node| with(reader, node)).unwrap_or_default();
    let file = reader.text(node, "workflow")?;
    let relative = ["./", "../", "/"].iter().any(|start| file.starts_with(start));
    if !relative || ![".yaml", ".yml", ".json"].iter().any(|end| file.ends_with(end)) {
        let message = format!("`{}` is no path of a workflow", shown(&file));
        let help = "a path starts with `./`, `../` or `/` and ends with `.yaml`, `.yml` or `.json`";
        reader.error_help(Code::WrongType, &node.span, message, help);
        return None;
    }
    Some(Nested { file, span: node.span.clone(), with })
}

fn with(reader: &mut Reader<'_>, node: &Node) -> Vec<Given> {
    let mut all = Vec::new();
    for (key, node) in reader.entries(node, "with") {
        let Some(name) = reader.checked_name::<InputName>(&key.text, &key.span) else { continue };
        let mut used = Vec::new();
        let value = match &node.kind {
            Kind::Seq(_) | Kind::Map(_) => {
                let message = format!("the input `{name}` is a single value, not {}", node.kind.word());
                reader.error(Code::WrongType, &node.span, message);
                continue;
            }
            _ => Template::read(reader, node, &mut used),
        };
        all.push(Given { name, key: key.span.clone(), span: node.span.clone(), value, used });
    }
    all
}

/// A task that runs a workflow has no attempts.
pub(crate) fn check_timeout(reader: &mut Reader<'_>, timeout: Option<&Timeout>) {
    if let Some((period, span)) = timeout.and_then(|timeout| timeout.attempt.as_ref()) {
        let message = "a task that runs a workflow has no attempts, so it takes no timeout of one";
        reader.error_help(Code::Contradiction, span, message, format!("write `timeout: {{ task: {period} }}`"));
    }
}
