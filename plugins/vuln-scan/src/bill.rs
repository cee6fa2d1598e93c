//! Reads the packages of a bill of materials: CycloneDX 1.x or SPDX 2.3, as JSON.

use serde::Deserialize;

/// The largest that is read.
pub const MAX_BILL: u64 = 64 * 1024 * 1024;

/// More packages than this are no bill that anybody can read.
pub const MAX_PACKAGES: usize = 100_000;

/// One package of a bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What the bill calls it.
    pub reference: String,
    /// Its package URL, if it has one.
    pub purl: Option<String>,
    /// The source package and its version, of a Debian package: `kit (1.0-1)`.
    pub source: Option<String>,
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "bomFormat", default)]
    bom_format: Option<String>,
    #[serde(rename = "spdxVersion", default)]
    spdx_version: Option<String>,
    #[serde(default)]
    components: Option<Vec<Component>>,
    #[serde(default)]
    packages: Option<Vec<SpdxPackage>>,
}

#[derive(Deserialize)]
struct Component {
    #[serde(rename = "bom-ref", default)]
    reference: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    purl: Option<String>,
    #[serde(default)]
    properties: Option<Vec<Property>>,
    #[serde(default)]
    components: Option<Vec<Component>>,
}

#[derive(Deserialize)]
struct Property {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    value: Option<String>,
}

#[derive(Deserialize)]
struct SpdxPackage {
    #[serde(rename = "SPDXID")]
    id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(rename = "sourceInfo", default)]
    source_info: Option<String>,
    #[serde(rename = "externalRefs", default)]
    references: Option<Vec<SpdxReference>>,
}

#[derive(Deserialize)]
struct SpdxReference {
    #[serde(rename = "referenceType", default)]
    kind: Option<String>,
    #[serde(rename = "referenceLocator", default)]
    locator: Option<String>,
}

/// Reads a bill.
///
/// # Errors
/// A reason, when it is no bill of either format, or too large.
pub fn parse(text: &str) -> Result<Vec<Entry>, String> {
    // serde_json bounds how deep a text may go, so components in components cannot fill the stack.
    let document: Document = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut entries = Vec::new();
    if document.bom_format.as_deref() == Some("CycloneDX") {
        cyclonedx(document.components.unwrap_or_default(), &mut entries)?;
    } else if document.spdx_version.as_deref().is_some_and(|version| version.starts_with("SPDX-2.")) {
        for package in document.packages.unwrap_or_default() {
            add(&mut entries, spdx(package))?;
        }
    } else {
        return Err("neither CycloneDX (`bomFormat`) nor SPDX 2 (`spdxVersion`)".to_owned());
    }
    Ok(entries)
}

fn add(entries: &mut Vec<Entry>, entry: Entry) -> Result<(), String> {
    if entries.len() == MAX_PACKAGES {
        return Err(format!("more than {MAX_PACKAGES} packages"));
    }
    entries.push(entry);
    Ok(())
}

fn cyclonedx(components: Vec<Component>, entries: &mut Vec<Entry>) -> Result<(), String> {
    let mut open = components;
    open.reverse();
    while let Some(component) = open.pop() {
        let property = |wanted: &str| {
            let properties = component.properties.iter().flatten();
            properties.filter(|it| it.name.as_deref() == Some(wanted)).find_map(|it| it.value.clone())
        };
        let entry = Entry {
            reference: component.reference.clone().or(component.name.clone()).unwrap_or_default(),
            source: property("orch:sbom:source-package").or_else(|| property("source")),
            purl: component.purl.clone(),
        };
        add(entries, entry)?;
        open.extend(component.components.into_iter().flatten().rev());
    }
    Ok(())
}

fn spdx(package: SpdxPackage) -> Entry {
    let mut references = package.references.into_iter().flatten();
    let purl = references.find(|it| it.kind.as_deref() == Some("purl")).and_then(|it| it.locator);
    let name = package.name.unwrap_or_default();
    // As `orch/sbom` writes it; other tools have it in the package URL.
    let source =
        package.source_info.as_deref().and_then(|info| info.split("; ").find_map(|it| it.strip_prefix("built from: ")));
    let source = source.map(str::to_owned);
    Entry { reference: if package.id.is_empty() { name } else { package.id }, purl, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats() {
        let text = r#"{ "bomFormat": "CycloneDX", "specVersion": "1.6", "components": [
            { "bom-ref": "a", "purl": "pkg:deb/debian/libkit@1", "properties": [{ "name": "orch:sbom:source-package", "value": "kit (2)" }],
              "components": [{ "name": "b" }] }, { "bom-ref": "c", "purl": "pkg:npm/c@1" }] }"#;
        let entries = parse(text).unwrap();
        let found: Vec<_> =
            entries.iter().map(|it| (&*it.reference, it.purl.as_deref(), it.source.as_deref())).collect();
        let expected = [
            ("a", Some("pkg:deb/debian/libkit@1"), Some("kit (2)")),
            ("b", None, None),
            ("c", Some("pkg:npm/c@1"), None),
        ];
        assert_eq!(found, expected);
        let text = r#"{ "spdxVersion": "SPDX-2.3", "packages": [{ "SPDXID": "SPDXRef-a", "externalRefs": [
            { "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": "pkg:npm/a@1" }] }] }"#;
        assert_eq!(parse(text).unwrap()[0].purl.as_deref(), Some("pkg:npm/a@1"));
        let text = r#"{ "spdxVersion": "SPDX-2.3", "packages": [{ "SPDXID": "SPDXRef-a", "sourceInfo": "built from: kit (2); named in: x" }] }"#;
        assert_eq!(parse(text).unwrap()[0].source.as_deref(), Some("kit (2)"));
    }

    #[test]
    fn what_is_no_bill() {
        for text in ["", "[]", "{}", "{\"bomFormat\":\"x\"}", &"[".repeat(100_000)] {
            assert!(parse(text).is_err());
        }
        let deep = format!("{{\"bomFormat\":\"CycloneDX\",\"components\":{}", "[{\"components\":".repeat(10_000));
        assert!(parse(&deep).is_err());
    }
}
