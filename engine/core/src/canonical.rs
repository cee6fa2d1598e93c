//! One byte sequence for one value: sorted keys, no space. What is hashed and signed is always this text.

use crate::Digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// The canonical JSON text of a value: keys sorted by their bytes, no white space.
///
/// # Panics
/// When the value cannot be JSON at all (a map with keys that are no text), which is a bug of the caller.
pub fn canonical_json<T: Serialize + ?Sized>(value: &T) -> String {
    let text = serde_json::to_string(value).expect("only values with text keys are made canonical");
    let mut sorter = Sorter { rest: &text, entries: Vec::new(), sorted: String::with_capacity(text.len()) };
    sorter.value();
    sorter.sorted
}

/// The digest of [`canonical_json`].
pub fn digest_of<T: Serialize + ?Sized>(value: &T) -> Digest {
    Digest::of(canonical_json(value).as_bytes())
}

/// A value as its canonical JSON text. It is written into other JSON as it is, and cheap to clone: a plan of thousands of tasks is
/// made into text once for its hash, its place in the log and whoever looks on.
#[derive(Debug, Clone)]
pub struct Canonical(Arc<RawValue>);

impl Canonical {
    /// The text of a value.
    ///
    /// # Panics
    /// As [`canonical_json`].
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Canonical {
        let raw = RawValue::from_string(canonical_json(value)).expect("canonical JSON is JSON");
        Canonical(Arc::from(raw))
    }

    /// The same digest as [`digest_of`] the value.
    pub fn digest(&self) -> Digest {
        Digest::of(self.text().as_bytes())
    }

    /// The text.
    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// The value.
    ///
    /// # Errors
    /// When the text is not one of such a value.
    pub fn parse<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_str(self.text())
    }
}

impl PartialEq for Canonical {
    fn eq(&self, other: &Canonical) -> bool {
        self.text() == other.text()
    }
}

impl Serialize for Canonical {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Canonical {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Canonical, D::Error> {
        // By way of a value: whoever wrote it need not have sorted its keys, and a tagged enum does not hand on the text.
        Value::deserialize(from).map(|value| Canonical::of(&value))
    }
}

/// Sorts the keys of JSON as serde writes it, without a tree of values in between: a plan may have many thousand objects.
struct Sorter<'t> {
    rest: &'t str,
    /// Of the objects around this place, each after the one that holds it: the key, and where its entry stands in `sorted`.
    entries: Vec<(Cow<'t, str>, Range<usize>)>,
    sorted: String,
}

impl<'t> Sorter<'t> {
    fn value(&mut self) {
        match self.rest.as_bytes().first() {
            Some(b'{') => self.object(),
            Some(b'[') => self.list(),
            Some(b'"') => _ = self.string(),
            _ => {
                let end = self.rest.find([',', '}', ']']).unwrap_or(self.rest.len());
                self.take(end);
            }
        }
    }

    fn object(&mut self) {
        let (first, begin) = (self.entries.len(), self.sorted.len() + 1);
        loop {
            // The bracket, or the comma after an entry.
            self.take(1);
            if self.rest.starts_with('}') {
                break;
            }
            let start = self.sorted.len();
            let key = self.string();
            self.take(1);
            self.value();
            self.entries.push((key, start..self.sorted.len()));
            if !self.rest.starts_with(',') {
                break;
            }
        }
        let entries = &mut self.entries[first..];
        if !entries.is_sorted_by(|a, b| a.0 <= b.0) {
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            let unsorted = self.sorted.split_off(begin);
            for (index, (_, place)) in entries.iter().enumerate() {
                if index > 0 {
                    self.sorted.push(',');
                }
                self.sorted.push_str(&unsorted[place.start - begin..place.end - begin]);
            }
        }
        self.entries.truncate(first);
        self.take(1);
    }

    fn list(&mut self) {
        loop {
            self.take(1);
            if self.rest.starts_with(']') {
                break;
            }
            self.value();
            if !self.rest.starts_with(',') {
                break;
            }
        }
        self.take(1);
    }

    /// What a string says.
    fn string(&mut self) -> Cow<'t, str> {
        let bytes = self.rest.as_bytes();
        let mut end = 1;
        while bytes[end] != b'"' {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        let text = self.take(end + 1);
        match text.contains('\\') {
            false => Cow::Borrowed(&text[1..end]),
            true => Cow::Owned(serde_json::from_str(text).expect("serde reads what it wrote")),
        }
    }

    fn take(&mut self, count: usize) -> &'t str {
        let (text, rest) = self.rest.split_at(count);
        self.sorted.push_str(text);
        self.rest = rest;
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    #[test]
    fn keys_are_sorted_at_every_level() {
        let value = json!({ "b": [{ "z": 1, "a": null }], "a": "x\n" });
        assert_eq!(canonical_json(&value), r#"{"a":"x\n","b":[{"a":null,"z":1}]}"#);
        // Also where serde writes them in another order, and where what is written is not what sorts.
        #[derive(Serialize)]
        struct Written {
            z: [bool; 2],
            #[serde(rename = "\u{1}")]
            escaped: &'static str,
            #[serde(rename = "é\\\"")]
            quoted: Vec<f64>,
            empty: std::collections::BTreeMap<String, u8>,
            #[serde(rename = " ")]
            none: Option<()>,
        }
        let written =
            Written { z: [true, false], escaped: "}],\"", quoted: vec![-1.5, 1e300], empty: [].into(), none: None };
        let sorted = "{\"\\u0001\":\"}],\\\"\",\" \":null,\"empty\":{},\"z\":[true,false],\"é\\\\\\\"\":[-1.5,1e+300]}";
        assert_eq!(canonical_json(&written), sorted);
    }

    proptest::proptest! {
        #[test]
        fn sorting_is_what_a_sorted_map_does(value in values()) {
            // serde's map sorts, as long as no feature makes it remember the order instead.
            let sorted: BTreeMap<String, Value> = [("b".to_owned(), value.clone()), ("a".to_owned(), value.clone())].into();
            let unsorted = format!("{{\"b\":{value},\"a\":{value}}}");
            let raw: Box<RawValue> = RawValue::from_string(unsorted).unwrap();
            assert_eq!(canonical_json(&raw), serde_json::to_string(&sorted).unwrap());
        }
    }

    fn values() -> impl proptest::strategy::Strategy<Value = Value> {
        use proptest::prelude::*;
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        scalar.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                proptest::collection::btree_map(".*", inner, 0..8).prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    #[test]
    fn a_text_stays_what_it_is_inside_of_other_json() {
        let value = json!({ "b": [1.5, "é\u{1}"], "a": {} });
        let canonical = Canonical::of(&value);
        assert_eq!((canonical.text(), canonical.digest()), (canonical_json(&value).as_str(), digest_of(&value)));
        assert_eq!(serde_json::to_string(&[&canonical]).unwrap(), format!("[{}]", canonical.text()));
        assert_eq!(serde_json::from_str::<Canonical>(r#" {"b": [1.5,"\u00e9\u0001"], "a": {}}"#).unwrap(), canonical);
        assert_eq!(canonical.parse::<Value>().unwrap(), value);
    }
}
