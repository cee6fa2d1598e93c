//! A value with its line, and how serde makes types of it: every error names the line.

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde::forward_to_deserialize_any;
use std::fmt::Display;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// 1-based.
    pub line: u32,
    /// What it is.
    pub kind: Kind,
}

/// What a value is. Numbers and booleans are text until a type asks for them: `mode: 0640` and `id: no` stay what is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Null,
    /// Any scalar.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping: the key's line, the key, the value. No key stands twice.
    Map(Vec<(u32, String, Node)>),
}

/// Why a value does not fit a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// 1-based; 0 as long as nobody said.
    pub line: u32,
    /// A lower-case fragment, with the known choices where there are some.
    pub reason: String,
}

impl Misfit {
    fn at(mut self, line: u32) -> Misfit {
        if self.line == 0 {
            self.line = line;
        }
        self
    }
}

impl Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

impl std::error::Error for Misfit {}

impl serde::de::Error for Misfit {
    fn custom<T: Display>(reason: T) -> Misfit {
        // What a hostile file writes is part of serde's messages.
        let reason = reason.to_string().chars().filter(|c| !c.is_control()).take(1_000).collect();
        Misfit { line: 0, reason }
    }
}

/// Makes a type of a node.
///
/// # Errors
/// With the line of what does not fit.
pub fn read<'de, T: serde::Deserialize<'de>>(node: &'de Node) -> Result<T, Misfit> {
    T::deserialize(node)
}

impl Node {
    fn parsed<T: std::str::FromStr>(&self, what: &str) -> Result<T, Misfit> {
        let reason = match &self.kind {
            Kind::Text(text) => match text.parse() {
                Ok(value) => return Ok(value),
                Err(_) => format!("`{}` is not {what}", text.chars().take(80).collect::<String>()),
            },
            _ => format!("expected {what}"),
        };
        Err(Misfit::custom(reason).at(self.line))
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let found = match &self.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Text(text) => visitor.visit_borrowed_str(text),
            Kind::List(items) => visitor.visit_seq(Items(items.iter())),
            Kind::Map(entries) => visitor.visit_map(Entries { rest: entries.iter(), value: None }),
        };
        found.map_err(|error| error.at(self.line))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_bool(self.parsed("`true` or `false`")?)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_u32(self.parsed("a whole number from 0")?)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_i64(self.parsed("a whole number")?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.kind {
            Kind::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self).map_err(|error| error.at(self.line))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let found = match &self.kind {
            Kind::Text(text) => visitor.visit_enum(Variant { name: text, content: None }),
            Kind::Map(entries) => match &entries[..] {
                [(line, name, content)] => {
                    visitor.visit_enum(Variant { name, content: Some(content) }).map_err(|error| error.at(*line))
                }
                _ => Err(Misfit::custom(format!("{} keys, not one of `{}`", entries.len(), known.join("`, `")))),
            },
            _ => Err(Misfit::custom(format!("expected one of `{}`", known.join("`, `")))),
        };
        found.map_err(|error| error.at(self.line))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        // Serde would read a list as the fields in their order.
        match self.kind {
            Kind::List(_) => Err(Misfit::custom("expected a mapping, not a list").at(self.line)),
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 u8 u16 u64 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map identifier
        ignored_any
    }
}

struct Items<'de>(std::slice::Iter<'de, Node>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        self.0.next().map(|node| seed.deserialize(node).map_err(|error| error.at(node.line))).transpose()
    }
}

struct Entries<'de> {
    rest: std::slice::Iter<'de, (u32, String, Node)>,
    value: Option<&'de Node>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        let Some((line, key, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some(value);
        seed.deserialize(StrDeserializer::<Misfit>::new(key)).map(Some).map_err(|error| error.at(*line))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let node = self.value.take().ok_or_else(|| Misfit::custom("a key without a value"))?;
        seed.deserialize(node).map_err(|error| error.at(node.line))
    }
}

struct Variant<'de> {
    name: &'de str,
    content: Option<&'de Node>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Misfit;
    type Variant = Variant<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Variant<'de>), Misfit> {
        Ok((seed.deserialize(StrDeserializer::<Misfit>::new(self.name))?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        match self.content {
            None => Ok(()),
            Some(_) => Err(Misfit::custom(format!("`{}` takes no value", self.name))),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Misfit> {
        let node = self.content.ok_or_else(|| Misfit::custom(format!("`{}` needs a value", self.name)))?;
        seed.deserialize(node).map_err(|error| error.at(node.line))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Misfit> {
        Err(Misfit::custom("a list of values is not known here"))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Misfit> {
        Err(Misfit::custom("a mapping is not known here"))
    }
}
