//! Writes a bill as SPDX 2.3 JSON (<https://spdx.github.io/spdx-spec/v2.3/>). The same bill gives the same bytes.

use crate::cyclonedx::one_file;
use crate::license::License;
use crate::merge::{Bill, Component};
use orch_plugin_kit::digest::{DigestWriter, content_uuid, sha256};
use orch_plugin_kit::timestamp::utc;
use orch_plugin_lockfiles::model::Scope;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The media type of the artifact.
pub const MEDIA_TYPE: &str = "application/spdx+json; version=2.3";

/// What SPDX writes where nothing is known.
const UNKNOWN: &str = "NOASSERTION";

const DOCUMENT: &str = "SPDXRef-DOCUMENT";

/// The time of a document that is given none: the format must have one, and the same tree must give the same bytes.
const NO_TIME: &str = "1970-01-01T00:00:00Z";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    spdx_version: &'static str,
    data_license: &'static str,
    #[serde(rename = "SPDXID")]
    id: &'static str,
    name: &'a str,
    document_namespace: String,
    creation_info: CreationInfo,
    #[serde(skip_serializing_if = "Option::is_none")]
    comment: Option<&'static str>,
    packages: Vec<Package<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    has_extracted_licensing_infos: Vec<ExtractedLicense>,
    relationships: Vec<Relationship<'a>>,
}

#[derive(Serialize)]
struct CreationInfo {
    created: String,
    creators: [&'static str; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Package<'a> {
    #[serde(rename = "SPDXID")]
    id: &'a str,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    version_info: Option<&'a str>,
    download_location: String,
    files_analyzed: bool,
    license_concluded: &'static str,
    license_declared: String,
    copyright_text: &'static str,
    primary_package_purpose: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_info: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checksums: Vec<Checksum<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    external_refs: Vec<ExternalRef<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Checksum<'a> {
    algorithm: String,
    checksum_value: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExternalRef<'a> {
    reference_category: &'static str,
    reference_type: &'static str,
    reference_locator: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExtractedLicense {
    license_id: String,
    extracted_text: String,
    name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Relationship<'a> {
    spdx_element_id: &'a str,
    relationship_type: &'static str,
    related_spdx_element: &'a str,
}

/// Writes a bill. `incomplete` says that some lock file could not be read. The time may have any offset; the document has it in UTC.
///
/// # Errors
/// Never in practice: all keys are strings and all values are finite.
pub fn write(bill: &Bill, timestamp: Option<&str>, incomplete: bool) -> Result<Vec<u8>, serde_json::Error> {
    let ids = identifiers(bill);
    let mut licenses = BTreeMap::new();
    let components = || std::iter::once(&bill.root).chain(&bill.components);
    let packages: Vec<Package> =
        components().map(|component| package(component, &ids[component.bom_ref.as_str()], &mut licenses)).collect();
    let scopes: BTreeMap<&str, Scope> = components().map(|it| (it.bom_ref.as_str(), it.scope)).collect();
    let describes = Relationship {
        spdx_element_id: DOCUMENT,
        relationship_type: "DESCRIBES",
        related_spdx_element: &ids[bill.root.bom_ref.as_str()],
    };
    let mut relationships = vec![describes];
    for (from, targets) in &bill.edges {
        let edges = targets.iter().map(|to| relationship(from, to, &scopes, &ids));
        relationships.extend(edges);
    }
    let mut document = Document {
        spdx_version: "SPDX-2.3",
        data_license: "CC0-1.0",
        id: DOCUMENT,
        name: &bill.root.name,
        document_namespace: String::new(),
        creation_info: CreationInfo {
            created: timestamp.and_then(utc).unwrap_or_else(|| NO_TIME.to_owned()),
            creators: [concat!("Tool: orch-sbom-", env!("CARGO_PKG_VERSION"))],
        },
        comment: incomplete
            .then_some("Incomplete: something in the tree could not be read; see the findings of the run."),
        packages,
        has_extracted_licensing_infos: licenses
            .into_iter()
            .map(|(license_id, text)| ExtractedLicense { license_id, extracted_text: text.clone(), name: text })
            .collect(),
        relationships,
    };
    // The namespace names the content, so it is made from the document without it.
    let mut content = DigestWriter::default();
    serde_json::to_writer(&mut content, &document)?;
    let name = plain(&bill.root.name, 60);
    document.document_namespace = format!("https://spdx.org/spdxdocs/{name}-{}", content_uuid(&content.finish()));
    let mut text = serde_json::to_vec_pretty(&document)?;
    text.push(b'\n');
    Ok(text)
}

/// A component that is only for development or optional points at who needs it; all others are pointed at.
fn relationship<'a>(
    from: &str,
    to: &str,
    scopes: &BTreeMap<&str, Scope>,
    ids: &'a BTreeMap<&str, String>,
) -> Relationship<'a> {
    let (from_id, to_id) = (ids[from].as_str(), ids[to].as_str());
    // What is for development as a whole depends on its own like any other.
    let (relationship_type, turned) = match (scopes[from], scopes[to]) {
        (Scope::Required | Scope::Optional, Scope::Dev) => ("DEV_DEPENDENCY_OF", true),
        (Scope::Required, Scope::Optional) => ("OPTIONAL_DEPENDENCY_OF", true),
        _ => ("DEPENDS_ON", false),
    };
    let (spdx_element_id, related_spdx_element) = if turned { (to_id, from_id) } else { (from_id, to_id) };
    Relationship { spdx_element_id, relationship_type, related_spdx_element }
}

/// An identifier for each reference, made of the letters, digits, dots and hyphens that identifiers may have.
fn identifiers(bill: &Bill) -> BTreeMap<&str, String> {
    let mut ids = BTreeMap::new();
    let mut used = BTreeSet::new();
    for component in std::iter::once(&bill.root).chain(&bill.components) {
        let plain = format!("SPDXRef-{}", plain(&component.bom_ref, 120));
        // Others can read the same without their special characters, or in their beginning.
        let id = if used.contains(&plain) {
            format!("{plain}-{}", &sha256(component.bom_ref.as_bytes())[..16])
        } else {
            plain
        };
        used.insert(id.clone());
        ids.insert(component.bom_ref.as_str(), id);
    }
    ids
}

/// A text in the characters of an identifier; a run of others is a hyphen.
fn plain(text: &str, longest: usize) -> String {
    let mut found = String::new();
    for character in text.chars() {
        if character.is_ascii_alphanumeric() || character == '.' {
            found.push(character);
        } else if !found.is_empty() && !found.ends_with('-') {
            found.push('-');
        }
        if found.len() == longest {
            break;
        }
    }
    let found = found.trim_end_matches('-');
    if found.is_empty() { "unnamed".to_owned() } else { found.to_owned() }
}

fn package<'a>(component: &'a Component, id: &'a str, licenses: &mut BTreeMap<String, String>) -> Package<'a> {
    let checksums: BTreeMap<&str, &str> = component
        .hashes
        .iter()
        .filter(|_| one_file(&component.hashes))
        .map(|hash| (hash.algorithm, hash.hex.as_str()))
        .collect();
    Package {
        id,
        name: match &component.group {
            Some(group) if component.purl.as_deref().is_some_and(|purl| purl.starts_with("pkg:maven/")) => {
                format!("{group}:{}", component.name)
            }
            Some(group) => format!("{group}/{}", component.name),
            None => component.name.clone(),
        },
        version_info: component.version.as_deref(),
        download_location: component.download.as_deref().filter(|it| is_location(it)).unwrap_or(UNKNOWN).to_owned(),
        files_analyzed: false,
        license_concluded: UNKNOWN,
        license_declared: declared(&component.licenses, licenses),
        copyright_text: UNKNOWN,
        primary_package_purpose: if component.first_party { "APPLICATION" } else { "LIBRARY" },
        source_info: source_info(component),
        checksums: checksums
            .into_iter()
            .map(|(algorithm, checksum_value)| Checksum { algorithm: algorithm.replace('-', ""), checksum_value })
            .collect(),
        external_refs: component
            .purl
            .as_deref()
            .map(|reference_locator| ExternalRef {
                reference_category: "PACKAGE-MANAGER",
                reference_type: "purl",
                reference_locator,
            })
            .into_iter()
            .collect(),
    }
}

/// What the package was built from, where a system's database says so, and the files that name the package.
fn source_info(component: &Component) -> Option<String> {
    let places: BTreeSet<&str> = component.occurrences.iter().map(|(path, _)| path.as_str()).collect();
    let places: Vec<&str> = places.into_iter().collect();
    let built = component.properties.iter().filter(|(name, _)| name == "source-package");
    let mut parts: Vec<String> = built.map(|(_, source)| format!("built from: {source}")).collect();
    if !places.is_empty() {
        parts.push(format!("named in: {}", places.join(", ")));
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Whether a text is an address that the format's pattern for locations takes.
fn is_location(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let scheme = scheme.strip_prefix("git+").unwrap_or(scheme);
    matches!(scheme, "git" | "http" | "https" | "ssh" | "ftp")
        && !rest.is_empty()
        && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte))
}

/// The licences as one expression. A text that is none becomes a reference to itself, which is noted in `texts`.
fn declared(licenses: &BTreeSet<License>, texts: &mut BTreeMap<String, String>) -> String {
    let mut expressions: Vec<String> = Vec::new();
    for license in licenses {
        match license {
            License::Id(text) | License::Expression(text) => expressions.push(text.clone()),
            License::Name(text) if text.is_empty() => {}
            License::Name(text) => {
                let reference = format!("LicenseRef-{}-{}", plain(text, 40), &sha256(text.as_bytes())[..8]);
                texts.insert(reference.clone(), text.clone());
                expressions.push(reference);
            }
        }
    }
    match &expressions[..] {
        [] => UNKNOWN.to_owned(),
        [one] => one.clone(),
        several => several.iter().map(|one| format!("({one})")).collect::<Vec<_>>().join(" AND "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_few_characters() {
        assert_eq!(plain("pkg:npm/%40acme/kit@1.0", 100), "pkg-npm-40acme-kit-1.0");
        assert_eq!(plain("é/", 100), "unnamed");
        assert_eq!(plain("ab--cd", 4), "ab-c");
    }

    #[test]
    fn locations() {
        for right in
            ["git+https://git.example/kit@abc", "https://files.example/a.tgz?b=c#d", "git+ssh://git@git.example/a"]
        {
            assert!(is_location(right), "{right}");
        }
        for wrong in ["git+git@git.example:a", "", "hg+https://a", "https://", "https://a b", "file:///etc", "git+../a"]
        {
            assert!(!is_location(wrong), "{wrong}");
        }
    }

    #[test]
    fn licenses_are_one_expression() {
        let mut texts = BTreeMap::new();
        let mut of = |all: &[&str]| declared(&all.iter().map(|text| License::new(text)).collect(), &mut texts);
        assert_eq!(of(&[]), "NOASSERTION");
        assert_eq!(of(&[""]), "NOASSERTION");
        assert_eq!(of(&["MIT OR ISC"]), "MIT OR ISC");
        assert_eq!(of(&["MIT", "MIT OR ISC"]), "(MIT) AND (MIT OR ISC)");
        let reference = of(&["GPLv2+ (see file)"]);
        assert!(reference.starts_with("LicenseRef-GPLv2-see-file-"), "{reference}");
        assert_eq!(texts[&reference], "GPLv2+ (see file)");
    }
}
