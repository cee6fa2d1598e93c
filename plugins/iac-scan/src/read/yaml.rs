//! YAML to trees of nodes. The only file that names the YAML library.
//!
//! Trees are built from the parser's events, so that every node knows its line and each bound is checked before memory is spent.

use crate::node::{Key, Kind, Node};
use granit_parser::{Event, Parser, ScalarStyle, options};
use orch_plugin_kit::parse::ParseError;
use std::collections::{BTreeMap, BTreeSet};

/// Nodes of a file, copies made by aliases included. A bundle of all manifests of a large operator has some ten thousand.
const MOST_NODES: usize = 300_000;
/// Keys of one mapping. Rules look keys up one by one, so this bounds their time; a list may be as long as the file.
const MOST_KEYS: usize = 2_000;
/// Bytes of text that anchors and aliases may copy.
const MOST_COPIED: usize = 4 << 20;
/// Collections inside collections. Every recursion over a tree relies on this.
pub const DEEPEST: usize = 64;

/// Reads the documents of a file; empty ones are left out.
///
/// # Errors
/// With the line where the text is no YAML, breaks a bound, has a key twice, or one that is no text.
pub fn read(text: &str) -> Result<Vec<Node>, ParseError> {
    let mut parser_options = options! {
        flow_nesting_limit: DEEPEST + 1,
        block_nesting_limit: DEEPEST + 1,
    };
    parser_options.set_emit_comments(false);
    let mut tree = Tree::default();
    let mut documents = Vec::new();
    for event in Parser::new_from_str_with_options(text, parser_options) {
        let (event, span) = event.map_err(|error| {
            ParseError::at(line(error.marker().line()), format!("no YAML: {}", printable(&error.kind().to_string())))
        })?;
        let line = line(span.start.line());
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let plain = style == ScalarStyle::Plain;
                match tree.awaited_key() {
                    Some(_) => tree.key(Key { line, text: text.into_owned() })?,
                    None if plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL") => {
                        tree.add(Node { line, kind: Kind::Null }, anchor)?;
                    }
                    None => tree.add(Node { line, kind: Kind::Text(text.into_owned()) }, anchor)?,
                }
            }
            Event::SequenceStart(_, anchor, _) => tree.open(line, anchor, Part::Seq(Vec::new()))?,
            Event::MappingStart(_, anchor, _) => {
                tree.open(line, anchor, Part::Map { entries: Vec::new(), seen: BTreeSet::new(), key: None })?;
            }
            Event::SequenceEnd | Event::MappingEnd => tree.close()?,
            Event::Alias(anchor) => tree.alias(line, anchor)?,
            Event::DocumentEnd => {
                documents.extend(tree.root.take().filter(|node| node.kind != Kind::Null));
                // Anchors end with their document.
                tree.anchors.clear();
            }
            _ => {}
        }
    }
    Ok(documents)
}

fn line(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// A collection that is not closed yet.
struct Frame {
    line: u32,
    anchor: usize,
    part: Part,
}

enum Part {
    Seq(Vec<Node>),
    Map { entries: Vec<(Key, Node)>, seen: BTreeSet<String>, key: Option<Key> },
}

/// What an anchor stands for, and what a copy costs.
struct Anchored {
    node: Node,
    weight: Weight,
}

#[derive(Clone, Copy)]
struct Weight {
    nodes: usize,
    bytes: usize,
    depth: usize,
}

#[derive(Default)]
struct Tree {
    frames: Vec<Frame>,
    root: Option<Node>,
    anchors: BTreeMap<usize, Anchored>,
    nodes: usize,
    copied: usize,
}

impl Tree {
    /// The mapping that waits for a key.
    fn awaited_key(&mut self) -> Option<(&mut BTreeSet<String>, &mut Option<Key>)> {
        match self.frames.last_mut().map(|frame| &mut frame.part) {
            Some(Part::Map { seen, key: key @ None, .. }) => Some((seen, key)),
            _ => None,
        }
    }

    fn key(&mut self, text: Key) -> Result<(), ParseError> {
        self.count(1, text.line)?;
        if let Some((seen, key)) = self.awaited_key() {
            // A second merge key is one more merge, not a second value.
            if !seen.insert(text.text.clone()) && text.text != "<<" {
                let shown: String = printable(&text.text).chars().take(80).collect();
                return Err(ParseError::at(text.line, format!("the key `{shown}` stands twice")));
            }
            if seen.len() > MOST_KEYS {
                return Err(ParseError::at(text.line, format!("a mapping with more than {MOST_KEYS} keys")));
            }
            *key = Some(text);
        }
        Ok(())
    }

    fn count(&mut self, nodes: usize, line: u32) -> Result<(), ParseError> {
        self.nodes += nodes;
        if self.nodes > MOST_NODES {
            return Err(ParseError::at(line, format!("more than {MOST_NODES} values")));
        }
        Ok(())
    }

    fn open(&mut self, line: u32, anchor: usize, part: Part) -> Result<(), ParseError> {
        if self.awaited_key().is_some() {
            return Err(ParseError::at(line, "a key that is a list or a mapping"));
        }
        if self.frames.len() == DEEPEST {
            return Err(too_deep(line));
        }
        self.frames.push(Frame { line, anchor, part });
        Ok(())
    }

    fn close(&mut self) -> Result<(), ParseError> {
        let Some(Frame { line, anchor, part }) = self.frames.pop() else { return Ok(()) };
        let kind = match part {
            Part::Seq(items) => Kind::Seq(items),
            Part::Map { entries, .. } => Kind::Map(merged(entries)),
        };
        self.add(Node { line, kind }, anchor)
    }

    fn alias(&mut self, line: u32, anchor: usize) -> Result<(), ParseError> {
        if self.awaited_key().is_some() {
            return Err(ParseError::at(line, "a key that is an alias"));
        }
        let Some(Anchored { weight, .. }) = self.anchors.get(&anchor) else {
            return Err(ParseError::at(line, "an alias to nothing, or to a value that holds it"));
        };
        let weight = *weight;
        self.charge(weight, line)?;
        if self.frames.len() + weight.depth > DEEPEST {
            return Err(too_deep(line));
        }
        let node = self.anchors[&anchor].node.clone();
        self.add(node, 0)
    }

    /// Counts a copy before it is made.
    fn charge(&mut self, weight: Weight, line: u32) -> Result<(), ParseError> {
        self.copied += weight.bytes;
        if self.copied > MOST_COPIED {
            return Err(ParseError::at(line, "anchors and aliases copy too much"));
        }
        self.count(weight.nodes, line)
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), ParseError> {
        self.count(1, node.line)?;
        if anchor != 0 {
            let weight = weigh(&node);
            self.charge(weight, node.line)?;
            self.anchors.insert(anchor, Anchored { node: node.clone(), weight });
        }
        match self.frames.last_mut().map(|frame| &mut frame.part) {
            None => self.root = Some(node),
            Some(Part::Seq(items)) => items.push(node),
            Some(Part::Map { entries, key, .. }) => entries.extend(key.take().map(|key| (key, node))),
        }
        Ok(())
    }
}

fn too_deep(line: u32) -> ParseError {
    ParseError::at(line, format!("nested more than {DEEPEST} deep"))
}

/// A mapping with what its merge keys bring (YAML 1.1 type repository, `merge`): its own keys win, then the first mapping.
fn merged(entries: Vec<(Key, Node)>) -> Vec<(Key, Node)> {
    let (merges, mut entries): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(key, _)| key.text == "<<");
    if merges.is_empty() {
        return entries;
    }
    let mut seen: BTreeSet<String> = entries.iter().map(|(key, _)| key.text.clone()).collect();
    for (_, node) in merges {
        let sources = match node.kind {
            Kind::Seq(items) => items,
            _ => vec![node],
        };
        for source in sources {
            let Kind::Map(more) = source.kind else { continue };
            entries.extend(more.into_iter().filter(|(key, _)| seen.insert(key.text.clone())));
        }
    }
    entries
}

fn weigh(node: &Node) -> Weight {
    let inside = |parts: &mut dyn Iterator<Item = Weight>| {
        parts.fold(Weight { nodes: 1, bytes: 0, depth: 1 }, |sum, part| Weight {
            nodes: sum.nodes + part.nodes,
            bytes: sum.bytes + part.bytes,
            depth: sum.depth.max(part.depth + 1),
        })
    };
    match &node.kind {
        Kind::Null => Weight { nodes: 1, bytes: 0, depth: 0 },
        Kind::Text(text) | Kind::Computed(text) => Weight { nodes: 1, bytes: text.len(), depth: 0 },
        Kind::Seq(items) => inside(&mut items.iter().map(weigh)),
        Kind::Map(entries) => inside(&mut entries.iter().map(|(key, node)| {
            let Weight { nodes, bytes, depth } = weigh(node);
            Weight { nodes: nodes + 1, bytes: bytes + key.text.len(), depth }
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_lines_and_merges() {
        let text = "a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\n---\n# nothing\n---\n- no\n- ~\n";
        let documents = read(text).unwrap();
        assert_eq!(documents.len(), 2);
        let b = documents[0].get("b").unwrap();
        assert_eq!((b.text_at("y"), b.text_at("x"), b.line), ("3", "1", 3));
        assert!(documents[1].items()[0].is_false());
        assert_eq!(documents[1].items()[1], Node { line: 9, kind: Kind::Null });
    }

    #[test]
    fn refusals() {
        let mut laughs = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
        for number in 1..12 {
            let one = format!("*a{}, ", number - 1);
            laughs += &format!("a{number}: &a{number} [{}]\n", one.repeat(9));
        }
        let cases = [
            (laughs, "values"),
            (format!("a: &a {}\nb: [{}]", "x".repeat(1 << 20), "*a, ".repeat(9)), "copy too much"),
            ("[".repeat(100_000), ""),
            ("- ".repeat(100_000), ""),
            ("a: 1\na: 2".to_owned(), "twice"),
            ("a: &a [*a]".to_owned(), "alias to nothing"),
            ("? [a]\n: b".to_owned(), "a key that"),
            ((0..5_000).map(|number| format!("k{number}: 1\n")).collect(), "more than 2000 keys"),
            ("a: 'b".to_owned(), "no YAML"),
        ];
        for (text, expected) in cases {
            let error = read(&text).unwrap_err();
            assert!(error.reason.contains(expected), "{error}, not {expected}");
        }
    }
}
