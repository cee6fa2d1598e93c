//! A value of a file and the line it stands in, the same for YAML and HCL.

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// 1-based.
    pub line: u32,
    /// What it is.
    pub kind: Kind,
}

/// What a value is. Numbers and booleans are text: rules ask what is written, whether in quotes or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Null,
    /// Any scalar.
    Text(String),
    /// An expression that only a run can know; what is written.
    Computed(String),
    /// A list.
    Seq(Vec<Node>),
    /// A mapping; no key stands twice.
    Map(Vec<(Key, Node)>),
}

/// A key of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// 1-based.
    pub line: u32,
    /// The key.
    pub text: String,
}

impl Node {
    /// A value below a mapping, by keys with dots between them.
    pub fn at(&self, path: &str) -> Option<&Node> {
        path.split('.').try_fold(self, |node, key| node.get(key))
    }

    /// A value of a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(known, _)| known.text == key).map(|(_, node)| node)
    }

    /// The text, if it is a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a value below a mapping; empty if there is none.
    pub fn text_at(&self, path: &str) -> &str {
        self.at(path).and_then(Node::text).unwrap_or_default()
    }

    /// The items of a list; none for anything else.
    pub fn items(&self) -> &[Node] {
        match &self.kind {
            Kind::Seq(items) => items,
            _ => &[],
        }
    }

    /// The items of a list below a mapping.
    pub fn items_at(&self, path: &str) -> &[Node] {
        self.at(path).map_or(&[], Node::items)
    }

    /// The items of a list, or the value itself if it is none: many formats take both.
    pub fn one_or_more(&self) -> &[Node] {
        match &self.kind {
            Kind::Seq(items) => items,
            _ => std::slice::from_ref(self),
        }
    }

    /// The entries of a mapping; none for anything else.
    pub fn entries(&self) -> &[(Key, Node)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Whether it says yes, in the words of YAML 1.1, which many tools still read.
    pub fn is_true(&self) -> bool {
        self.text().is_some_and(|text| ["true", "yes", "on"].iter().any(|word| text.eq_ignore_ascii_case(word)))
    }

    /// Whether it says no.
    pub fn is_false(&self) -> bool {
        self.text().is_some_and(|text| ["false", "no", "off"].iter().any(|word| text.eq_ignore_ascii_case(word)))
    }

    /// Whether a value below a mapping says yes.
    pub fn is_true_at(&self, path: &str) -> bool {
        self.at(path).is_some_and(Node::is_true)
    }

    /// Whether a value below a mapping says no.
    pub fn is_false_at(&self, path: &str) -> bool {
        self.at(path).is_some_and(Node::is_false)
    }

    /// Whether it is an expression that only a run can know.
    pub fn is_computed(&self) -> bool {
        matches!(self.kind, Kind::Computed(_))
    }
}
