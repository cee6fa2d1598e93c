//! Matrices: their axes, and what they come to. That is GitHub's: `exclude` takes combinations away, then `include` adds to those
//! that are left, or adds its own.

use super::strategy::{MOST_ITEMS, yields_a_list};
use crate::expr::{Template, Used};
use crate::read::{Reader, known};
use crate::yaml::{Kind, Node};
use orch_core::{Code, InputName, InvalidName, Span};
use serde_json::{Map, Value};

const MOST_RULES: usize = 1_000;
/// Each rule is compared with every combination.
const MOST_COMPARISONS: usize = 1_000_000;
const MOST_AXES: usize = 100;

/// A matrix as written.
#[derive(Debug, Clone)]
pub(crate) struct Matrix {
    pub(crate) span: Span,
    pub(crate) axes: Vec<Axis>,
    pub(crate) include: Vec<Map<String, Value>>,
    pub(crate) exclude: Vec<(Map<String, Value>, Span)>,
    /// What combinations may have: axes, and the keys of `include`.
    names: Vec<String>,
}

/// One axis.
#[derive(Debug, Clone)]
pub(crate) struct Axis {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) values: AxisValues,
}

#[derive(Debug, Clone)]
pub(crate) enum AxisValues {
    Literal(Vec<Value>),
    /// One expression over inputs, known when the plan is made.
    Expression(Box<(Template, Used)>),
}

/// Reads `matrix`.
pub(crate) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Matrix> {
    let mut matrix = Matrix { span: node.span.clone(), axes: vec![], include: vec![], exclude: vec![], names: vec![] };
    let entries = reader.entries(node, "matrix");
    if !matches!(node.kind, Kind::Map(_)) {
        return None;
    }
    if entries.len() > MOST_AXES {
        let message = format!("the matrix has {} axes, at most {MOST_AXES} are allowed", entries.len());
        reader.error(Code::TooMany, &node.span, message);
        return None;
    }
    for (key, node) in entries.iter().filter(|(key, _)| !["include", "exclude"].contains(&key.text.as_str())) {
        let Some(name) = axis_name(reader, &key.text, &key.span) else { continue };
        matrix.names.push(name.clone());
        if let Some(values) = axis(reader, &name, node) {
            matrix.axes.push(Axis { name, span: node.span.clone(), values });
        }
    }
    if let Some((_, node)) = entries.iter().find(|(key, _)| key.text == "exclude") {
        for (rule, keys, span) in rules(reader, "exclude", node) {
            match keys.iter().find(|(name, _)| !matrix.names.contains(name)) {
                Some((name, span)) => {
                    let message = format!("the matrix has no axis `{}`", crate::read::shown(name));
                    reader.error_help(Code::UnknownReference, span, message, known(name, &matrix.names));
                }
                None => matrix.exclude.push((rule, span)),
            }
        }
    }
    if let Some((_, node)) = entries.iter().find(|(key, _)| key.text == "include") {
        for (rule, keys, _) in rules(reader, "include", node) {
            for (name, span) in keys {
                if axis_name(reader, &name, &span).is_some() && !matrix.names.contains(&name) {
                    matrix.names.push(name);
                }
            }
            matrix.include.push(rule);
        }
    }
    let empty = |node: &Node| matches!(&node.kind, Kind::Seq(items) if items.is_empty());
    if entries.iter().all(|(key, node)| key.text == "exclude" || (key.text == "include" && empty(node))) {
        reader.error(Code::MissingKey, &node.span, "a matrix needs an axis, or an entry in `include`");
    }
    let lengths: Option<Vec<usize>> = matrix.axes.iter().map(|axis| axis.literal().map(<[Value]>::len)).collect();
    if let Some(message) = lengths.and_then(|lengths| too_many(&lengths, matrix.include.len())) {
        reader.error(Code::TooMany, &matrix.span, message);
    }
    Some(matrix)
}

impl Axis {
    fn literal(&self) -> Option<&[Value]> {
        match &self.values {
            AxisValues::Literal(values) => Some(values),
            AxisValues::Expression(_) => None,
        }
    }
}

fn axis_name(reader: &mut Reader<'_>, text: &str, span: &Span) -> Option<String> {
    match InputName::try_from(text) {
        Ok(_) => Some(text.to_owned()),
        Err(error) => {
            let error = InvalidName { kind: "matrix axis", ..error };
            reader.error(Code::InvalidName, span, error.to_string());
            None
        }
    }
}

fn axis(reader: &mut Reader<'_>, name: &str, node: &Node) -> Option<AxisValues> {
    match &node.kind {
        Kind::Seq(items) if items.is_empty() => {
            reader.error(Code::WrongType, &node.span, format!("the axis `{name}` has no values"));
            None
        }
        Kind::Seq(items) => {
            let values = items.iter().map(|item| reader.literal(item, "a value of an axis"));
            Some(AxisValues::Literal(values.collect::<Option<Vec<_>>>()?))
        }
        Kind::Text(_) => {
            let mut used = Vec::new();
            match (Template::read(reader, node, &mut used), used.pop()) {
                (template @ Template::Expression(_), Some(used)) => {
                    yields_a_list(reader, &used, "an axis");
                    Some(AxisValues::Expression(Box::new((template, used))))
                }
                // An expression that cannot be parsed has its own error, and comes back as `null`.
                (Template::Literal(Value::Null), None) => None,
                _ => {
                    let message = format!("the axis `{name}` is a list, or one `${{{{ }}}}` that yields one");
                    reader.error(Code::WrongType, &node.span, message);
                    None
                }
            }
        }
        other => {
            let message =
                format!("the axis `{name}` is a list, or one `${{{{ }}}}` that yields one, not {}", other.word());
            reader.error(Code::WrongType, &node.span, message);
            None
        }
    }
}

type Rule = (Map<String, Value>, Vec<(String, Span)>, Span);

/// The mappings of `include` or `exclude`, the places of their keys, and their own.
fn rules(reader: &mut Reader<'_>, what: &str, node: &Node) -> Vec<Rule> {
    let items = reader.items(node, what);
    if items.len() > MOST_RULES {
        let message = format!("`{what}` has {} entries, at most {MOST_RULES} are allowed", items.len());
        reader.error(Code::TooMany, &node.span, message);
        return Vec::new();
    }
    let mut rules = Vec::with_capacity(items.len());
    for item in items {
        let entries = reader.entries(item, what);
        if entries.is_empty() {
            if matches!(item.kind, Kind::Map(_)) {
                reader.error(Code::WrongType, &item.span, format!("an entry of `{what}` is empty"));
            }
            continue;
        }
        let mut rule = Map::new();
        for (key, node) in entries {
            if let Some(value) = reader.literal(node, &format!("`{what}`")) {
                rule.insert(key.text.clone(), value);
            }
        }
        let keys = entries.iter().map(|(key, _)| (key.text.clone(), key.span.clone())).collect();
        rules.push((rule, keys, item.span.clone()));
    }
    rules
}

/// Counted before anything is made.
fn too_many(lengths: &[usize], include: usize) -> Option<String> {
    let product = if lengths.is_empty() { 0 } else { lengths.iter().fold(1_usize, |all, it| all.saturating_mul(*it)) };
    let all = product.saturating_add(include);
    (all > MOST_ITEMS).then(|| format!("the matrix has {all} combinations, at most {MOST_ITEMS} are allowed"))
}

/// What a matrix comes to.
pub(crate) struct Combinations {
    /// Each an object.
    pub(crate) all: Vec<Value>,
    /// Places in `exclude` that take nothing away.
    pub(crate) useless: Vec<usize>,
    /// The most bytes that were made on the way.
    pub(crate) weight: usize,
}

impl Matrix {
    /// What combinations may have: axes, and the keys of `include`.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The expressions of its axes.
    pub(crate) fn used(&self) -> impl Iterator<Item = &Used> {
        self.axes.iter().filter_map(|axis| match &axis.values {
            AxisValues::Literal(_) => None,
            AxisValues::Expression(both) => Some(&both.1),
        })
    }

    /// The combinations, when every axis has its values. `room` is how many bytes they may take.
    pub(crate) fn combinations(
        &self,
        axes: &[(String, Vec<Value>)],
        room: usize,
    ) -> Result<Combinations, (Code, String)> {
        let lengths: Vec<_> = axes.iter().map(|(_, values)| values.len()).collect();
        if let Some((name, _)) = axes.iter().find(|(_, values)| values.is_empty()) {
            return Err((Code::WrongType, format!("the axis `{name}` has no values")));
        }
        if let Some(message) = too_many(&lengths, self.include.len()) {
            return Err((Code::TooMany, message));
        }
        let rules = self.include.len() + self.exclude.len();
        let count = lengths.iter().fold(1_usize, |all, length| all.saturating_mul(*length));
        if count.saturating_mul(rules) > MOST_COMPARISONS {
            let message = format!("{count} combinations are too many for {rules} entries of `include` and `exclude`");
            return Err((Code::TooLarge, message));
        }
        let weight = self.heaviest(axes);
        if weight > room {
            return Err((Code::TooLarge, "the combinations of the matrix take too much room".to_owned()));
        }
        let mut all: Vec<Map<String, Value>> = if axes.is_empty() { Vec::new() } else { vec![Map::new()] };
        for (name, values) in axes {
            let longer = all.iter().flat_map(|combination| {
                values.iter().map(|value| {
                    let mut combination = combination.clone();
                    combination.insert(name.clone(), value.clone());
                    combination
                })
            });
            all = longer.collect();
        }
        let mut useless = Vec::new();
        for (number, (rule, _)) in self.exclude.iter().enumerate() {
            let before = all.len();
            all.retain(|combination| !rule.iter().all(|(name, value)| combination.get(name) == Some(value)));
            if all.len() == before {
                useless.push(number);
            }
        }
        // What `include` adds may be overwritten by a later entry, the values of the axes not.
        let originals = all.len();
        let is_axis = |name: &str| axes.iter().any(|(axis, _)| axis == name);
        for rule in &self.include {
            let mut fitted = false;
            for combination in &mut all[..originals] {
                if rule.iter().all(|(name, value)| !is_axis(name) || combination.get(name) == Some(value)) {
                    combination.extend(rule.clone());
                    fitted = true;
                }
            }
            if !fitted {
                all.push(rule.clone());
            }
        }
        if all.is_empty() {
            return Err((Code::Contradiction, "`exclude` leaves nothing of the matrix".to_owned()));
        }
        Ok(Combinations { all: all.into_iter().map(Value::Object).collect(), useless, weight })
    }

    /// The most bytes that the combinations can have, without making them.
    fn heaviest(&self, axes: &[(String, Vec<Value>)]) -> usize {
        let count = axes.iter().fold(1_usize, |all, (_, values)| all.saturating_mul(values.len()));
        let mut bytes = 0_usize;
        for (name, values) in axes {
            let one: usize = values.iter().map(|value| crate::expr::weight(value) + name.len() + 4).sum();
            bytes = bytes.saturating_add(one.saturating_mul(count / values.len().max(1)));
        }
        for rule in &self.include {
            let one: usize = rule.iter().map(|(name, value)| crate::expr::weight(value) + name.len() + 4).sum();
            bytes = bytes.saturating_add(one.saturating_mul(count));
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[track_caller]
    fn combined(axes: Value, include: Value, exclude: Value) -> (Value, Vec<usize>) {
        let rules = |value: &Value| value.as_array().unwrap().iter().cloned().map(object).collect::<Vec<_>>();
        let matrix = Matrix {
            span: 0..0,
            axes: vec![],
            include: rules(&include),
            exclude: rules(&exclude).into_iter().map(|rule| (rule, 0..0)).collect(),
            names: vec![],
        };
        let axes: Vec<_> =
            object(axes).into_iter().map(|(name, values)| (name, values.as_array().unwrap().clone())).collect();
        let made = matrix.combinations(&axes, 1 << 20).map_err(|(_, message)| Value::from(message));
        made.map_or_else(|error| (error, vec![]), |made| (Value::Array(made.all), made.useless))
    }

    /// The example of GitHub's documentation of `include`.
    #[test]
    fn include_adds_to_what_agrees_or_stands_alone() {
        let axes = json!({ "fruit": ["apple", "pear"], "animal": ["cat", "dog"] });
        let include = json!([
            { "color": "green" },
            { "color": "pink", "animal": "cat" },
            { "fruit": "apple", "shape": "circle" },
            { "fruit": "banana" },
            { "fruit": "banana", "animal": "cat" },
        ]);
        let (made, _) = combined(axes, include, json!([]));
        let mut made: Vec<_> = made.as_array().unwrap().iter().map(Value::to_string).collect();
        made.sort();
        let mut expected: Vec<_> = [
            json!({ "fruit": "apple", "animal": "cat", "color": "pink", "shape": "circle" }),
            json!({ "fruit": "apple", "animal": "dog", "color": "green", "shape": "circle" }),
            json!({ "fruit": "pear", "animal": "cat", "color": "pink" }),
            json!({ "fruit": "pear", "animal": "dog", "color": "green" }),
            json!({ "fruit": "banana" }),
            json!({ "fruit": "banana", "animal": "cat" }),
        ]
        .iter()
        .map(|value| object(value.clone()))
        .map(|map| Value::Object(map).to_string())
        .collect();
        expected.sort();
        assert_eq!(made, expected);
    }

    #[test]
    fn exclude_takes_away_what_agrees_in_part() {
        let axes = json!({ "os": ["linux", "mac", "windows"], "version": [1, 2] });
        let exclude = json!([{ "os": "mac" }, { "os": "windows", "version": 2 }, { "version": 3 }]);
        let (made, useless) = combined(axes.clone(), json!([]), exclude);
        let expected = json!([
            { "os": "linux", "version": 1 }, { "os": "linux", "version": 2 }, { "os": "windows", "version": 1 },
        ]);
        assert_eq!((made, useless), (expected, vec![2]));
        // What was excluded comes back when `include` says so.
        let exclude = json!([{ "version": 2 }, { "version": 1 }]);
        let (made, _) = combined(axes.clone(), json!([{ "os": "mac", "version": 1 }]), exclude.clone());
        assert_eq!(made, json!([{ "os": "mac", "version": 1 }]));
        assert_eq!(combined(axes, json!([]), exclude).0, json!("`exclude` leaves nothing of the matrix"));
    }

    #[test]
    fn combinations_are_counted_before_they_are_made() {
        let thousand: Vec<u32> = (0..1_000).collect();
        let axes = json!({ "a": thousand, "b": thousand });
        assert_eq!(
            combined(axes, json!([]), json!([])).0,
            json!("the matrix has 1000000 combinations, at most 10000 are allowed")
        );
        let axes: Map<_, _> = (0..100).map(|number| (format!("a{number}"), json!(vec![0; 1_000]))).collect();
        assert_eq!(
            combined(Value::Object(axes), json!([]), json!([])).0,
            json!(format!("the matrix has {} combinations, at most 10000 are allowed", usize::MAX))
        );
        let heavy = json!({ "a": ["x".repeat(1_000)], "b": (0..5_000).collect::<Vec<u32>>() });
        assert_eq!(combined(heavy, json!([]), json!([])).0, json!("the combinations of the matrix take too much room"));
        assert_eq!(combined(json!({}), json!([{ "a": 1 }, { "a": 2 }]), json!([])).0, json!([{ "a": 1 }, { "a": 2 }]));
    }
}
