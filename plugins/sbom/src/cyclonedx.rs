//! Writes a bill as CycloneDX 1.6 JSON (ECMA-424): <https://cyclonedx.org/docs/1.6/json/>. The same bill gives the same bytes.

use crate::license::License;
use crate::merge::{Bill, Component};
use orch_plugin_kit::digest::{DigestWriter, content_uuid};
use orch_plugin_lockfiles::model::FileHash;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The media type of the artifact.
pub const MEDIA_TYPE: &str = "application/vnd.cyclonedx+json; version=1.6";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    bom_format: &'static str,
    spec_version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    serial_number: Option<String>,
    version: u32,
    metadata: Metadata<'a>,
    components: Vec<Entry<'a>>,
    dependencies: Vec<Dependency<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    compositions: Vec<Composition<'a>>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<&'a str>,
    tools: Tools,
    component: Entry<'a>,
}

#[derive(Serialize)]
struct Tools {
    components: [Tool; 1],
}

#[derive(Serialize)]
struct Tool {
    r#type: &'static str,
    group: &'static str,
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    r#type: &'static str,
    #[serde(rename = "bom-ref")]
    bom_ref: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hashes: Vec<Hash<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    licenses: Vec<LicenseChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    purl: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<Evidence<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    properties: Vec<Property>,
}

#[derive(Serialize)]
struct Hash<'a> {
    alg: &'a str,
    content: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum LicenseChoice<'a> {
    License(LicenseName<'a>),
    Expression(&'a str),
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum LicenseName<'a> {
    Id(&'a str),
    Name(&'a str),
}

#[derive(Serialize)]
struct Evidence<'a> {
    occurrences: Vec<Occurrence<'a>>,
}

#[derive(Serialize)]
struct Occurrence<'a> {
    location: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
}

#[derive(Serialize)]
struct Property {
    name: String,
    value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Dependency<'a> {
    r#ref: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    depends_on: Option<&'a BTreeSet<String>>,
}

#[derive(Serialize)]
struct Composition<'a> {
    aggregate: &'static str,
    assemblies: [&'a str; 1],
}

/// Writes a bill. `incomplete` says that some lock file could not be read.
///
/// # Errors
/// Never in practice: all keys are strings and all values are finite.
pub fn write(bill: &Bill, timestamp: Option<&str>, incomplete: bool) -> Result<Vec<u8>, serde_json::Error> {
    let assemblies = [bill.root.bom_ref.as_str()];
    let mut document = Document {
        bom_format: "CycloneDX",
        spec_version: "1.6",
        serial_number: None,
        version: 1,
        metadata: Metadata {
            timestamp,
            tools: Tools {
                components: [Tool {
                    r#type: "application",
                    group: "orch",
                    name: "sbom",
                    version: env!("CARGO_PKG_VERSION"),
                }],
            },
            component: entry(&bill.root, true),
        },
        components: bill.components.iter().map(|component| entry(component, false)).collect(),
        dependencies: bill
            .edges
            .iter()
            .map(|(from, to)| Dependency { r#ref: from, depends_on: Some(to).filter(|to| !to.is_empty()) })
            .collect(),
        compositions: incomplete.then_some(Composition { aggregate: "incomplete", assemblies }).into_iter().collect(),
    };
    // The number names the content, so it is made from the document without it.
    let mut content = DigestWriter::default();
    serde_json::to_writer(&mut content, &document)?;
    document.serial_number = Some(format!("urn:uuid:{}", content_uuid(&content.finish())));
    let mut text = serde_json::to_vec_pretty(&document)?;
    text.push(b'\n');
    Ok(text)
}

fn entry(component: &Component, is_root: bool) -> Entry<'_> {
    let one_file = one_file(&component.hashes);
    let mut properties: Vec<Property> = Vec::new();
    let mut property =
        |name: &str, value: String| properties.push(Property { name: format!("orch:sbom:{name}"), value });
    if let Some(ecosystem) = component.ecosystem {
        property("ecosystem", ecosystem.name().to_owned());
    }
    if component.first_party && component.ecosystem.is_some() {
        property("first-party", "true".to_owned());
    }
    if !one_file {
        for hash in &component.hashes {
            let file = hash.file.as_ref().map(|file| format!(" {file}")).unwrap_or_default();
            property("hash", format!("{}:{}{file}", hash.algorithm, hash.hex));
        }
    }
    for (name, value) in &component.properties {
        property(name, value.clone());
    }
    let hashes: BTreeMap<&str, &str> =
        component.hashes.iter().filter(|_| one_file).map(|hash| (hash.algorithm, hash.hex.as_str())).collect();
    let occurrences = component.occurrences.iter().map(|(path, line)| Occurrence { location: path, line: *line });
    Entry {
        r#type: if component.first_party { "application" } else { "library" },
        bom_ref: &component.bom_ref,
        group: component.group.as_deref(),
        name: &component.name,
        version: component.version.as_deref(),
        scope: Some(component.scope.cyclonedx()).filter(|_| !is_root),
        hashes: hashes.into_iter().map(|(alg, content)| Hash { alg, content }).collect(),
        licenses: licenses(&component.licenses),
        purl: component.purl.as_deref(),
        evidence: (!component.occurrences.is_empty()).then(|| Evidence { occurrences: occurrences.collect() }),
        properties,
    }
}

/// CycloneDX has one hash for each algorithm, of one file. A Python release has a file for each platform; which of them was
/// installed is not known, so their hashes are written as properties instead.
pub(crate) fn one_file(hashes: &BTreeSet<FileHash>) -> bool {
    let mut by_algorithm: BTreeMap<&str, &str> = BTreeMap::new();
    let consistent = hashes.iter().all(|hash| *by_algorithm.entry(hash.algorithm).or_insert(&hash.hex) == hash.hex);
    let files: BTreeSet<&str> = hashes.iter().filter_map(|hash| hash.file.as_deref()).collect();
    consistent && files.len() <= 1
}

/// A single expression, or a list of identifiers and names: the schema allows no mixture.
fn licenses(licenses: &BTreeSet<License>) -> Vec<LicenseChoice<'_>> {
    if let (1, Some(License::Expression(text))) = (licenses.len(), licenses.first()) {
        return vec![LicenseChoice::Expression(text)];
    }
    licenses.iter().map(|license| LicenseChoice::License(license_name(license))).collect()
}

fn license_name(license: &License) -> LicenseName<'_> {
    match license {
        License::Id(id) => LicenseName::Id(id),
        License::Expression(text) | License::Name(text) => LicenseName::Name(text),
    }
}
