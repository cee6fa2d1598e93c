//! Whether `with` fits what the plugin's task takes, as far as that can be known before the run, and whether references fit
//! what a task returns.

use super::validator::validator;
use crate::expr::Part;
use crate::read::{Reader, known, shown};
use crate::workflow::Uses;
use crate::yaml::{Kind, Node};
use jsonschema::{ValidationError, Validator, error::ValidationErrorKind};
use orch_core::{Code, Digest, Span};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Problems of one `with` that are shown.
const MOST_PROBLEMS: usize = 20;

/// Validators by what they check and for whom, as many tasks use the same plugin.
#[derive(Default)]
pub(super) struct Validators(HashMap<(Digest, String), Result<Validator, String>>);

/// Reports every place where `with` cannot fit the schema.
pub(super) fn check(
    reader: &mut Reader<'_>,
    validators: &mut Validators,
    digest: Digest,
    plugin: &str,
    schema: &Value,
    uses: &Uses,
) {
    let with = uses.with.as_ref();
    let key = (digest, plugin.to_owned());
    let validator = match validators.0.entry(key).or_insert_with(|| validator(schema)) {
        Ok(validator) => validator,
        Err(error) => {
            let message = format!("the input schema of `{plugin}` is not valid: {error}");
            reader.error(Code::InvalidManifest, &uses.span, message);
            return;
        }
    };
    let (value, unknown) = with.map_or_else(|| (json!({}), Vec::new()), |with| with.template.skeleton());
    let problems: Vec<_> = validator
        .iter_errors(&value)
        .filter(|problem| !depends_on_unknown(problem, &unknown))
        .take(MOST_PROBLEMS)
        .map(|problem| (problem.instance_path().as_str().to_owned(), describe(&problem, schema)))
        .collect();
    for (pointer, (culprit, message, help)) in problems {
        let span = match with {
            Some(with) => place(&with.node, &pointer, culprit.as_deref()),
            None => uses.span.clone(),
        };
        let message = format!("`{plugin}` does not take this: {message}");
        match help {
            Some(help) => reader.error_help(Code::InvalidWith, &span, message, help),
            None => reader.error(Code::InvalidWith, &span, message),
        }
    }
}

/// Whether a problem is at, below or, for rules over several values, above a place whose value is not known yet.
fn depends_on_unknown(problem: &ValidationError<'_>, unknown: &[String]) -> bool {
    let at = problem.instance_path().as_str();
    let below =
        |path: &str, above: &str| path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    // Keys, counts and types are known whatever the values inside turn out to be.
    let certain = matches!(
        problem.kind(),
        ValidationErrorKind::AdditionalProperties { .. }
            | ValidationErrorKind::Required { .. }
            | ValidationErrorKind::Type { .. }
            | ValidationErrorKind::MaxItems { .. }
            | ValidationErrorKind::MinItems { .. }
            | ValidationErrorKind::MaxProperties { .. }
            | ValidationErrorKind::MinProperties { .. }
            | ValidationErrorKind::AdditionalItems { .. }
            | ValidationErrorKind::FalseSchema
    );
    unknown.iter().any(|unknown| below(at, unknown) || (!certain && below(unknown, at)))
}

/// The key at fault if the problem is about one, the message, and what to do.
fn describe(problem: &ValidationError<'_>, schema: &Value) -> (Option<String>, String, Option<String>) {
    let name = problem.instance_path().as_str().rsplit('/').next().filter(|name| !name.is_empty());
    let subject = name.map_or("`with`".to_owned(), |name| format!("`{}`", shown(name)));
    match problem.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let key = unexpected.first().cloned().unwrap_or_default();
            let names = properties(schema, problem.instance_path().as_str());
            (Some(key.clone()), format!("there is no key `{}`", shown(&key)), names.map(|names| known(&key, &names)))
        }
        ValidationErrorKind::Required { property } => {
            let key = shown(property.as_str().unwrap_or_default());
            (None, format!("the key `{key}` is missing"), None)
        }
        ValidationErrorKind::Enum { options } => {
            let words: Option<Vec<_>> =
                options.as_array().map(|all| all.iter().filter_map(Value::as_str).map(str::to_owned).collect());
            let given = problem.instance().as_str().map_or_else(|| problem.instance().to_string(), str::to_owned);
            (None, format!("`{}` is no value of {subject}", shown(&given)), words.map(|words| known(&given, &words)))
        }
        _ => (None, format!("{subject}: {}", shown(&problem.masked().to_string())), None),
    }
}

/// The keys of the object at a pointer, where the schema says so without detours.
fn properties(schema: &Value, pointer: &str) -> Option<Vec<String>> {
    let mut schema = schema;
    for part in pointer.split('/').skip(1) {
        schema = match schema.get("properties").and_then(|properties| properties.get(part)) {
            Some(inner) => inner,
            None => schema.get("items")?,
        };
    }
    Some(schema.get("properties")?.as_object()?.keys().cloned().collect())
}

/// The bytes of the value at a JSON pointer, or of a key in it.
fn place(node: &Node, pointer: &str, key: Option<&str>) -> Span {
    let mut at = node;
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        let inner = match &at.kind {
            Kind::Map(entries) => entries.iter().find(|(key, _)| key.text == part).map(|(_, node)| node),
            Kind::Seq(items) => part.parse().ok().and_then(|index: usize| items.get(index)),
            _ => None,
        };
        match inner {
            Some(inner) => at = inner,
            None => break,
        }
    }
    match (&at.kind, key) {
        (Kind::Map(entries), Some(key)) => {
            entries.iter().find(|(other, _)| other.text == key).map_or(at.span.clone(), |(key, _)| key.span.clone())
        }
        _ => at.span.clone(),
    }
}

/// The first name of a path that a closed schema certainly does not have, and what it has instead.
pub(super) fn missing<'p>(schema: &Value, path: &'p [Part]) -> Option<(&'p str, Vec<String>)> {
    let mut schema = schema;
    for part in path {
        let object = schema.as_object()?;
        // Any of these may add properties; only the plain form is certain.
        const DETOURS: [&str; 9] =
            ["$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "if", "patternProperties", "dependentSchemas", "not"];
        if DETOURS.iter().any(|key| object.contains_key(*key)) {
            return None;
        }
        let part = match part {
            Part::Name(name) => name,
            Part::Item if object.contains_key("prefixItems") => return None,
            Part::Item => {
                schema = object.get("items")?;
                continue;
            }
            Part::Dynamic => return None,
        };
        let properties = object.get("properties")?.as_object()?;
        match properties.get(part) {
            Some(inner) => schema = inner,
            None if object.get("additionalProperties") == Some(&Value::Bool(false)) => {
                return Some((part, properties.keys().cloned().collect()));
            }
            None => return None,
        }
    }
    None
}
