//! Inputs of a workflow: their types, and how text from the command line becomes a value.

use crate::expr::Template;
use crate::read::{Reader, known, shown};
use crate::workflow::keys::INPUT;
use crate::yaml::{Kind, Node};
use orch_core::{Code, InputName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An input.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// Its name.
    pub name: InputName,
    /// What it takes.
    pub kind: InputKind,
    /// What it is for.
    pub description: Option<String>,
    /// Its value when none is given.
    pub default: Option<Value>,
    /// Whether a value must be given. An input that is neither required nor has a default is `null` when it is not given.
    pub required: bool,
}

/// The type of an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputKind {
    /// Any text.
    String,
    /// An integer of 64 bits.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// One of these.
    Choice(Vec<String>),
    /// A folder. Relative to the workflow's folder, whether it comes from the default or from the command line; passed on
    /// as the text that was given.
    Directory,
    /// A file, relative to the workflow's folder like [`InputKind::Directory`].
    File,
}

/// More is a list that belongs into a file.
const MOST_OPTIONS: usize = 1_000;

const KINDS: &[&str] = &["string", "integer", "number", "boolean", "choice", "directory", "file"];

impl InputKind {
    /// The word that files use.
    pub fn word(&self) -> &'static str {
        match self {
            InputKind::String => "string",
            InputKind::Integer => "integer",
            InputKind::Number => "number",
            InputKind::Boolean => "boolean",
            InputKind::Choice(_) => "choice",
            InputKind::Directory => "directory",
            InputKind::File => "file",
        }
    }

    /// Whether a value is one of this type.
    pub(crate) fn fits(&self, value: &Value) -> bool {
        match self {
            InputKind::String => value.is_string(),
            InputKind::Integer => value.is_i64(),
            InputKind::Number => value.is_number(),
            InputKind::Boolean => value.is_boolean(),
            InputKind::Choice(options) => {
                value.as_str().is_some_and(|text| options.iter().any(|option| option == text))
            }
            InputKind::Directory | InputKind::File => value.as_str().is_some_and(is_path),
        }
    }

    /// What a value has to be, for messages.
    pub(crate) fn form(&self) -> String {
        match self {
            InputKind::String => "text".to_owned(),
            InputKind::Integer => "an integer of 64 bits".to_owned(),
            InputKind::Number => "a number".to_owned(),
            InputKind::Boolean => "`true` or `false`".to_owned(),
            InputKind::Choice(_) => "one of its options".to_owned(),
            InputKind::Directory => "the path of a folder".to_owned(),
            InputKind::File => "the path of a file".to_owned(),
        }
    }
}

/// Text from the command line that does not fit.
pub(crate) struct Unfit {
    pub(crate) message: String,
    pub(crate) help: String,
}

impl Input {
    /// The value of a text from the command line.
    pub(crate) fn convert(&self, text: &str) -> Result<Value, Unfit> {
        let value = match &self.kind {
            InputKind::String => Some(Value::from(text)),
            InputKind::Integer => text.parse::<i64>().ok().map(Value::from),
            InputKind::Number => match text.parse::<i64>() {
                Ok(value) => Some(Value::from(value)),
                Err(_) => text.parse::<f64>().ok().filter(|value| value.is_finite()).map(Value::from),
            },
            InputKind::Boolean => text.parse::<bool>().ok().map(Value::from),
            InputKind::Choice(options) => options.iter().any(|option| option == text).then(|| Value::from(text)),
            InputKind::Directory | InputKind::File => is_path(text).then(|| Value::from(text)),
        };
        value.ok_or_else(|| Unfit {
            message: format!("`{}` is no value of the input `{}`", shown(text), self.name),
            help: match &self.kind {
                InputKind::Choice(options) => known(text, options),
                kind => format!("it takes {}", kind.form()),
            },
        })
    }
}

fn is_path(text: &str) -> bool {
    !text.is_empty() && !text.contains('\0')
}

/// Reads the declaration of one input.
pub(crate) fn read(reader: &mut Reader<'_>, name: InputName, node: &Node) -> Option<Input> {
    let fields = reader.fields(node, &INPUT)?;
    let description = fields.get("description").and_then(|node| reader.text(node, "description"));
    let options = fields.get("options").map(|node| {
        let items = reader.items(node, "options");
        if items.is_empty() && matches!(node.kind, Kind::Seq(_)) {
            reader.error(Code::WrongType, &node.span, "`options` is empty");
        }
        if items.len() > MOST_OPTIONS {
            let message = format!("there are {} options, at most {MOST_OPTIONS} are allowed", items.len());
            reader.error(Code::TooMany, &node.span, message);
            return Vec::new();
        }
        let mut options: Vec<String> = Vec::new();
        for item in items {
            let Some(option) = reader.text(item, "options") else { continue };
            if options.contains(&option) {
                reader.error(Code::Contradiction, &item.span, format!("the option `{}` stands twice", shown(&option)));
            } else {
                options.push(option);
            }
        }
        options
    });
    let kind_node = reader.require(&fields, "type", "an input")?;
    let word = reader.text(kind_node, "type")?;
    let kind = match (word.as_str(), options) {
        ("choice", Some(options)) => InputKind::Choice(options),
        ("choice", None) => {
            reader.error(Code::MissingKey, &kind_node.span, "an input of type `choice` needs the key `options`");
            return None;
        }
        (word, options) => {
            if let (Some(_), Some((key, _))) = (options, fields.entry("options")) {
                reader.error(Code::Contradiction, &key.span, "only an input of type `choice` has `options`");
            }
            match word {
                "string" => InputKind::String,
                "integer" => InputKind::Integer,
                "number" => InputKind::Number,
                "boolean" => InputKind::Boolean,
                "directory" => InputKind::Directory,
                "file" => InputKind::File,
                _ => {
                    let message = format!("`{}` is no type of an input", shown(word));
                    reader.error_help(Code::WrongType, &kind_node.span, message, known(word, KINDS));
                    return None;
                }
            }
        }
    };
    let default = fields.get("default").and_then(|node| default(reader, &name, &kind, node));
    let required = fields.get("required").and_then(|node| {
        let required = reader.boolean(node, "required")?;
        if required && fields.get("default").is_some() {
            reader.error(Code::Contradiction, &node.span, "an input that is `required` has no use for a `default`");
        }
        Some(required)
    });
    let required = required.unwrap_or(fields.get("default").is_none());
    Some(Input { name, kind, description, default, required })
}

fn default(reader: &mut Reader<'_>, name: &InputName, kind: &InputKind, node: &Node) -> Option<Value> {
    let value = match (kind, &node.kind) {
        (InputKind::Integer | InputKind::Number, Kind::Int { value, .. }) => Some(Value::from(*value)),
        (InputKind::Number, Kind::Float { value, .. }) => Some(Value::from(*value)),
        (InputKind::Boolean, Kind::Bool(value)) => Some(Value::from(*value)),
        (InputKind::Integer | InputKind::Number | InputKind::Boolean, _) => None,
        (kind, _) => {
            let text = reader.text(node, "default")?;
            // Written where a value is expected, so the template reader can tell whether an expression is inside.
            let mut used = Vec::new();
            Template::read(reader, node, &mut used);
            if !used.is_empty() {
                reader.error(Code::InvalidExpression, &node.span, "the default of an input holds no expressions");
                return None;
            }
            match kind {
                InputKind::Choice(options) if !options.contains(&text) => {
                    let message = format!("`{}` is no option of the input `{name}`", shown(&text));
                    reader.error_help(Code::WrongType, &node.span, message, known(&text, options));
                    return None;
                }
                InputKind::Directory | InputKind::File if !is_path(&text) => None,
                _ => Some(Value::from(text)),
            }
        }
    };
    if value.is_none() {
        let message = format!("the default of the input `{name}` is {}, not {}", kind.form(), node.kind.word());
        reader.error(Code::WrongType, &node.span, message);
    }
    value
}
