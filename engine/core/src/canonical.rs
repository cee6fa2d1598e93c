//! One byte sequence for one value: sorted keys, no space. What is hashed and signed is always this text.

use crate::Digest;
use serde::Serialize;
use serde_json::Value;

/// The canonical JSON text of a value: keys sorted by their bytes, no white space.
///
/// # Panics
/// When the value cannot be JSON at all (a map with keys that are no text), which is a bug of the caller.
pub fn canonical_json<T: Serialize + ?Sized>(value: &T) -> String {
    let value = serde_json::to_value(value).expect("only values with text keys are made canonical");
    let mut text = String::new();
    write(&value, &mut text);
    text
}

/// The digest of [`canonical_json`].
pub fn digest_of<T: Serialize + ?Sized>(value: &T) -> Digest {
    Digest::of(canonical_json(value).as_bytes())
}

fn write(value: &Value, text: &mut String) {
    match value {
        // Sorted here and not by the map type, whose order depends on a feature that any dependency may switch on.
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
            text.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write(value, text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (index, value) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(value, text);
            }
            text.push(']');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_are_sorted_at_every_level() {
        let value = json!({ "b": [{ "z": 1, "a": null }], "a": "x\n" });
        assert_eq!(canonical_json(&value), r#"{"a":"x\n","b":[{"a":null,"z":1}]}"#);
    }
}
