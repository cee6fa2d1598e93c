//! One component is the whole package: its manifest travels inside it, as canonical JSON in the custom section
//! `orch:manifest`.

use crate::component::{MANIFEST_SECTION, Shape};
use crate::error::shown;
use crate::{Error, MOST_PACKAGE_BYTES};
use orch_core::{Manifest, canonical_json};
use wasm_encoder::{CustomSection, Encode as _};

pub use crate::validate::{Problem, validate};

/// Bytes of a manifest. Those of real plugins have one to ten thousand.
pub const MOST_MANIFEST_BYTES: usize = 256 << 10;

/// The component with the manifest at its end, in place of any earlier one.
///
/// # Errors
/// When the bytes are no component, or the manifest is too large.
pub fn embed(component: &[u8], manifest: &Manifest) -> Result<Vec<u8>, Error> {
    let shape = Shape::read(component)?;
    let text = canonical_json(manifest);
    let mut package = Vec::with_capacity(component.len() + text.len() + 32);
    let mut copied = 0;
    for section in &shape.manifests {
        package.extend_from_slice(&component[copied..section.whole.start]);
        copied = section.whole.end;
    }
    package.extend_from_slice(&component[copied..]);
    package.push(0); // a custom section
    CustomSection { name: MANIFEST_SECTION.into(), data: text.as_bytes().into() }.encode(&mut package);
    if package.len() as u64 > MOST_PACKAGE_BYTES {
        return Err(Error::InvalidComponent(format!(
            "it has {} bytes, at most {MOST_PACKAGE_BYTES} are allowed",
            package.len()
        )));
    }
    // What cannot be read back as it was given (an unknown schema, a number that JSON cannot hold) is found here, not by a user.
    match extract(&package)? == *manifest {
        true => Ok(package),
        false => Err(Error::InvalidManifest("a number in it does not survive being written as JSON".to_owned())),
    }
}

/// The manifest inside a package. Its truth is another matter: see [`validate`].
///
/// # Errors
/// When the bytes are no component, or do not have exactly one manifest in the form that [`embed`] writes.
pub fn extract(component: &[u8]) -> Result<Manifest, Error> {
    manifest_of(component, &Shape::read(component)?)
}

pub(crate) fn manifest_of(component: &[u8], shape: &Shape) -> Result<Manifest, Error> {
    let invalid = |reason: String| Err(Error::InvalidManifest(reason));
    let section = match shape.manifests.as_slice() {
        [] => return invalid(format!("it has no custom section `{MANIFEST_SECTION}`")),
        [section] => section,
        more => {
            return invalid(format!(
                "it has {} custom sections `{MANIFEST_SECTION}`, and only one can be true",
                more.len()
            ));
        }
    };
    let bytes = &component[section.text.clone()];
    if bytes.len() > MOST_MANIFEST_BYTES {
        return invalid(format!("it has {} bytes, at most {MOST_MANIFEST_BYTES} are allowed", bytes.len()));
    }
    let value: serde_json::Value = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(error) => return invalid(format!("it is no JSON: {error}")),
    };
    match value.get("schema").and_then(serde_json::Value::as_str) {
        Some(Manifest::SCHEMA) => {}
        Some(other) => {
            return invalid(format!("its schema is `{}`, and this version reads `{}`", shown(other), Manifest::SCHEMA));
        }
        None => return invalid(format!("it does not name its schema, `{}`", Manifest::SCHEMA)),
    }
    // One value has one text: a key that stands twice would mean one thing here and another to the next reader.
    if canonical_json(&value).as_bytes() != bytes {
        return invalid("its JSON is not in canonical form".to_owned());
    }
    serde_json::from_value(value).or_else(|error| invalid(shown(&error.to_string())))
}
