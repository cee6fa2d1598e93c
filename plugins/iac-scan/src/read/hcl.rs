//! HCL to blocks and nodes that know their lines. The only file that names the HCL library, which itself refuses more than 64
//! levels of nesting and 128 operators in a row.

use crate::node::{Key, Kind, Node};
use hcl_edit::expr::{Expression, ObjectKey};
use hcl_edit::structure::{Body, Structure};
use hcl_edit::{Span, parser};
use orch_plugin_kit::parse::ParseError;
use std::ops::Range;

/// A block: `resource "kind" "name" { … }`.
#[derive(Debug)]
pub struct Block {
    /// `resource`, `variable`, `ingress`, …
    pub ident: String,
    /// What stands behind it.
    pub labels: Vec<String>,
    /// 1-based.
    pub line: u32,
    /// Its attributes, as a mapping.
    pub attributes: Node,
    /// The blocks in it. A `dynamic` block stands as its content does.
    pub blocks: Vec<Block>,
}

impl Block {
    /// The blocks in it of a kind.
    pub fn all<'a>(&'a self, ident: &'a str) -> impl Iterator<Item = &'a Block> {
        self.blocks.iter().filter(move |block| block.ident == ident)
    }

    /// The value of an attribute.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.attributes.get(name)
    }

    /// A label, or nothing.
    pub fn label(&self, number: usize) -> &str {
        self.labels.get(number).map(String::as_str).unwrap_or_default()
    }
}

/// Reads a file.
///
/// # Errors
/// With the line where the text is no HCL or nested too deep.
pub fn read(text: &str) -> Result<Vec<Block>, ParseError> {
    let body = parser::parse_body(text).map_err(|error| {
        let line = u32::try_from(error.location().line()).unwrap_or(u32::MAX);
        let message: String = error.message().chars().filter(|c| !c.is_control()).take(200).collect();
        ParseError::at(line, format!("no HCL: {message}"))
    })?;
    let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    Ok(Lines { text, starts }.body(&body).1)
}

struct Lines<'a> {
    text: &'a str,
    /// Where each line begins.
    starts: Vec<usize>,
}

impl Lines<'_> {
    fn line(&self, span: Option<Range<usize>>) -> u32 {
        let at = span.map_or(0, |span| span.start);
        u32::try_from(self.starts.partition_point(|start| *start <= at)).unwrap_or(u32::MAX)
    }

    fn body(&self, body: &Body) -> (Vec<(Key, Node)>, Vec<Block>) {
        let (mut attributes, mut blocks) = (Vec::new(), Vec::new());
        for structure in body {
            match structure {
                Structure::Attribute(attribute) => {
                    let line = self.line(attribute.key.span());
                    attributes.push((Key { line, text: attribute.key.to_string() }, self.node(&attribute.value, line)));
                }
                Structure::Block(block) => {
                    let mut ident = block.ident.to_string();
                    let mut labels: Vec<String> = block.labels.iter().map(|it| it.as_str().to_owned()).collect();
                    let line = self.line(block.ident.span());
                    let (inner, mut inside) = self.body(&block.body);
                    let mut attributes = inner;
                    if ident == "dynamic"
                        && labels.len() == 1
                        && let Some(at) = inside.iter().position(|inner| inner.ident == "content")
                    {
                        let content = inside.swap_remove(at);
                        ident = labels.remove(0);
                        inside = content.blocks;
                        if let Kind::Map(entries) = content.attributes.kind {
                            attributes = entries;
                        }
                    }
                    let attributes = Node { line, kind: Kind::Map(attributes) };
                    blocks.push(Block { ident, labels, line, attributes, blocks: inside });
                }
            }
        }
        (attributes, blocks)
    }

    /// A value; `above` is the line of what holds it, for the few expressions that do not know their own.
    fn node(&self, expression: &Expression, above: u32) -> Node {
        let line = expression.span().map_or(above, |span| self.line(Some(span)));
        let kind = match expression {
            Expression::Null(_) => Kind::Null,
            Expression::Bool(value) => Kind::Text(value.value().to_string()),
            Expression::Number(value) => Kind::Text(value.value().to_string()),
            Expression::String(value) => Kind::Text(value.value().clone()),
            Expression::Array(items) => Kind::Seq(items.iter().map(|item| self.node(item, line)).collect()),
            Expression::Object(object) => Kind::Map(
                object
                    .iter()
                    .map(|(key, value)| {
                        let line = key.span().map_or(line, |span| self.line(Some(span)));
                        let text = match key {
                            ObjectKey::Ident(ident) => ident.to_string(),
                            ObjectKey::Expression(key) => {
                                key.as_str().map_or_else(|| self.written(key.span()), str::to_owned)
                            }
                        };
                        (Key { line, text }, self.node(value.expr(), line))
                    })
                    .collect(),
            ),
            Expression::Parenthesis(inner) => return self.node(inner.inner(), line),
            // The two ways to write JSON: as a value, and as a text.
            Expression::FuncCall(call) if call.name.name.as_str() == "jsonencode" => match call.args.iter().next() {
                Some(value) => return self.node(value, line),
                None => Kind::Null,
            },
            Expression::HeredocTemplate(heredoc) => heredoc_text(&self.written(heredoc.span())),
            other => Kind::Computed(self.written(other.span())),
        };
        Node { line, kind }
    }

    fn written(&self, span: Option<Range<usize>>) -> String {
        span.and_then(|span| self.text.get(span)).unwrap_or_default().to_owned()
    }
}

/// What a here-document says, if nothing in it has to be computed.
fn heredoc_text(written: &str) -> Kind {
    if written.contains("${") || written.contains("%{") {
        return Kind::Computed(written.to_owned());
    }
    let lines: Vec<&str> = written.lines().collect();
    let inside = lines.get(1..lines.len().saturating_sub(1)).unwrap_or_default();
    Kind::Text(inside.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_values_and_lines() {
        let text = "resource \"a\" \"b\" {\n  x = true\n  y = [1, \"two\", var.z]\n  p = jsonencode({\n    S = \"*\"\n  })\n  h = <<-E\n    {\"k\": 1}\n  E\n  dynamic \"ingress\" {\n    for_each = var.p\n    content { from_port = 22 }\n  }\n}\n";
        let blocks = read(text).unwrap();
        let block = &blocks[0];
        assert_eq!((block.ident.as_str(), block.label(0), block.label(1), block.line), ("resource", "a", "b", 1));
        assert!(block.get("x").unwrap().is_true());
        let items = block.get("y").unwrap().items();
        assert_eq!((items[0].text(), items[1].text(), items[2].is_computed()), (Some("1"), Some("two"), true));
        let s = block.get("p").unwrap().get("S").unwrap();
        assert_eq!((s.text(), s.line), (Some("*"), 5));
        assert_eq!(block.get("h").unwrap().text().map(str::trim), Some("{\"k\": 1}"));
        assert_eq!(block.all("ingress").next().unwrap().get("from_port").unwrap().text(), Some("22"));
    }

    #[test]
    fn deep_nesting_is_refused() {
        for text in [
            format!("a = {}", "[".repeat(200_000)),
            format!("a = {}", "(".repeat(200_000)),
            format!("a = {}", "{b=".repeat(100_000)),
            format!("a = {}", "!".repeat(200_000)),
            format!("a = {}1", "1 + ".repeat(100_000)),
            format!("a = {}1", "x ? y : ".repeat(50_000)),
            format!("a = \"{}", "${\"".repeat(100_000)),
            "a {\n".repeat(100_000),
        ] {
            assert!(read(&text).is_err());
        }
    }
}
