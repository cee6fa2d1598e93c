//! YAML to trees of nodes, for files that are data: one document, without anchors and tags. The only file that names the YAML library.

pub mod node;

use crate::parse::ParseError;
use granit_parser::{Event, Parser, ScalarStyle, options};
use node::{Kind, Node};

/// How large a file may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Values of the file.
    pub values: usize,
    /// Keys of one mapping.
    pub keys: usize,
}

impl Limits {
    /// For files that people write: profiles of controls, configuration.
    pub const WRITTEN: Limits = Limits { values: 100_000, keys: 1_000 };
    /// For files that tools write, such as lock files of some ten thousand packages. A tree of so many values takes some 100 MiB.
    pub const MADE: Limits = Limits { values: 1_000_000, keys: 100_000 };
}

/// Collections inside collections. Every recursion over a tree, and over the checks made from it, relies on this.
pub const DEEPEST: usize = 40;

/// Reads a file of one document, as people write them.
///
/// # Errors
/// With the line where the text is no YAML, breaks a bound, has a key twice, or uses anchors or tags.
pub fn read(text: &str) -> Result<Node, ParseError> {
    read_within(text, Limits::WRITTEN)
}

/// Reads a file of one document within limits.
///
/// # Errors
/// As [`read`].
pub fn read_within(text: &str, limits: Limits) -> Result<Node, ParseError> {
    let mut parser_options = options! {
        flow_nesting_limit: DEEPEST + 1,
        block_nesting_limit: DEEPEST + 1,
    };
    parser_options.set_emit_comments(false);
    let mut tree = Tree { limits, frames: Vec::new(), root: None, values: 0 };
    for event in Parser::new_from_str_with_options(text, parser_options) {
        let (event, span) = event.map_err(|error| {
            let reason: String = error.kind().to_string().chars().filter(|c| !c.is_control()).take(200).collect();
            ParseError::at(line(error.marker().line()), format!("no YAML: {reason}"))
        })?;
        let line = line(span.start.line());
        match event {
            Event::Scalar(_, _, _, Some(_)) => return Err(ParseError::at(line, "a tag (`!…`); write plain values")),
            Event::Scalar(text, style, _, None) => {
                let is_null = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null");
                match tree.awaited_key() {
                    true => tree.key(line, text.into_owned())?,
                    false if is_null => tree.add(Node { line, kind: Kind::Null })?,
                    false => tree.add(Node { line, kind: Kind::Text(text.into_owned()) })?,
                }
            }
            Event::SequenceStart(..) => tree.open(line, Kind::List(Vec::new()))?,
            Event::MappingStart(..) => tree.open(line, Kind::Map(Vec::new()))?,
            Event::SequenceEnd | Event::MappingEnd => tree.close()?,
            Event::Alias(_) => return Err(ParseError::at(line, "an alias (`*…`); write the value out")),
            _ => {}
        }
    }
    tree.root.ok_or_else(|| ParseError::whole("the file is empty"))
}

fn line(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A collection that is not closed yet; of a mapping, the key that waits for its value.
struct Frame {
    node: Node,
    key: Option<(u32, String)>,
}

struct Tree {
    limits: Limits,
    frames: Vec<Frame>,
    root: Option<Node>,
    values: usize,
}

impl Tree {
    fn awaited_key(&self) -> bool {
        self.frames.last().is_some_and(|frame| matches!(frame.node.kind, Kind::Map(_)) && frame.key.is_none())
    }

    fn key(&mut self, line: u32, text: String) -> Result<(), ParseError> {
        let Some(frame) = self.frames.last_mut() else { return Ok(()) };
        frame.key = Some((line, text));
        Ok(())
    }

    fn open(&mut self, line: u32, kind: Kind) -> Result<(), ParseError> {
        if self.awaited_key() {
            return Err(ParseError::at(line, "a key that is a list or a mapping"));
        }
        if self.frames.len() == DEEPEST {
            return Err(ParseError::at(line, format!("nested more than {DEEPEST} deep")));
        }
        self.frames.push(Frame { node: Node { line, kind }, key: None });
        Ok(())
    }

    fn close(&mut self) -> Result<(), ParseError> {
        match self.frames.pop() {
            Some(frame) => {
                unique_keys(&frame.node)?;
                self.add(frame.node)
            }
            None => Ok(()),
        }
    }

    fn add(&mut self, node: Node) -> Result<(), ParseError> {
        self.values += 1;
        if self.values > self.limits.values {
            return Err(ParseError::at(node.line, format!("more than {} values", self.limits.values)));
        }
        let Some(frame) = self.frames.last_mut() else {
            if self.root.is_some() {
                return Err(ParseError::at(node.line, "a second document; write one"));
            }
            self.root = Some(node);
            return Ok(());
        };
        match &mut frame.node.kind {
            Kind::List(items) => items.push(node),
            Kind::Map(entries) => {
                if entries.len() == self.limits.keys {
                    return Err(ParseError::at(
                        node.line,
                        format!("a mapping with more than {} keys", self.limits.keys),
                    ));
                }
                entries.extend(frame.key.take().map(|(line, key)| (line, key, node)));
            }
            Kind::Null | Kind::Text(_) => {}
        }
        Ok(())
    }
}

/// No key may stand twice: two readers would take two different values.
fn unique_keys(node: &Node) -> Result<(), ParseError> {
    let Kind::Map(entries) = &node.kind else { return Ok(()) };
    let mut keys: Vec<(&str, u32)> = entries.iter().map(|(line, key, _)| (key.as_str(), *line)).collect();
    keys.sort_unstable();
    match keys.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        Some(pair) => {
            let shown: String = pair[1].0.chars().filter(|c| !c.is_control()).take(80).collect();
            Err(ParseError::at(pair[1].1, format!("the key `{shown}` stands twice")))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals() {
        let cases = [
            ("[".repeat(100_000), ""),
            ("- ".repeat(100_000), ""),
            ("a: 1\na: 2".to_owned(), "twice"),
            ("b:\n  c: 1\n  a: 1\n  c: 2".to_owned(), "`c` stands twice"),
            ("a: &a x\nb: *a".to_owned(), "alias"),
            ("a: !x y".to_owned(), "tag"),
            ("? [a]\n: b".to_owned(), "a key that"),
            ((0..5_000).map(|number| format!("k{number}: 1\n")).collect(), "more than 1000 keys"),
            ("- 1\n".repeat(Limits::WRITTEN.values + 1), "values"),
            ("a: 'b".to_owned(), "no YAML"),
            ("a: 1\n---\nb: 2\n".to_owned(), "second document"),
            (String::new(), "empty"),
        ];
        for (text, expected) in cases {
            let error = read(&text).unwrap_err();
            assert!(error.reason.contains(expected), "{error}, not {expected}");
        }
    }

    #[test]
    fn limits_are_the_callers() {
        let many: String = (0..5_000).map(|number| format!("k{number}: 1\n")).collect();
        let Kind::Map(entries) = read_within(&many, Limits::MADE).unwrap().kind else { panic!() };
        assert_eq!(entries.len(), 5_000);
    }
}
