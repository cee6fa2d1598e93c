//! The packages of a bill of materials with what it says of their licences: CycloneDX and SPDX, both as JSON.

use serde_json::Value;
use std::collections::HashMap;

/// A bill with more is none that anybody can read.
pub const MAX_PACKAGES: usize = 100_000;

/// What is longer is the text of a licence and not its name.
const LONGEST_NAME: usize = 200;

/// A package of a bill.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// Its package URL, else its name and version.
    pub id: String,
    /// Its name alone.
    pub name: String,
    /// An SPDX expression, or what somebody wrote in the place of one. `None`: the bill says nothing.
    pub license: Option<String>,
}

/// Reads a bill of either format.
///
/// # Errors
/// When it is neither, or too long; the text says why.
pub fn read(text: &str) -> Result<Vec<Package>, String> {
    let bill: Value = serde_json::from_str(text).map_err(|error| format!("is no JSON: {error}"))?;
    let packages = if bill["bomFormat"] == "CycloneDX" {
        let mut packages = Vec::new();
        components(&bill["components"], &mut packages)?;
        packages
    } else if bill["spdxVersion"].as_str().is_some_and(|version| version.starts_with("SPDX-2.")) {
        spdx(&bill)?
    } else {
        return Err("is neither CycloneDX (`bomFormat`) nor SPDX 2 (`spdxVersion`)".to_owned());
    };
    Ok(packages)
}

fn components(list: &Value, packages: &mut Vec<Package>) -> Result<(), String> {
    // Components may hold components. A queue of our own: a guest's stack is small.
    let mut open: Vec<&Value> = list.as_array().into_iter().flatten().rev().collect();
    while let Some(component) = open.pop() {
        open.extend(component["components"].as_array().into_iter().flatten());
        // Files and the like have no licence of their own that anybody chose.
        let kind = component["type"].as_str().unwrap_or("library");
        // What the tree itself is made of is under the licence that its owner gives it.
        let is_own = component["bom-ref"].as_str().is_some_and(|name| name.starts_with("first-party:"));
        if is_own || matches!(kind, "file" | "data" | "device" | "machine-learning-model") {
            continue;
        }
        push(packages, component, component["purl"].as_str(), "version", of_component(&component["licenses"]))?;
    }
    Ok(())
}

/// The licences of a component: an expression, or a list of which each holds.
fn of_component(licenses: &Value) -> Option<String> {
    let mut all = Vec::new();
    for one in licenses.as_array().into_iter().flatten() {
        let license = &one["license"];
        let text = [&one["expression"], &license["id"], &license["name"]].into_iter().find_map(Value::as_str)?;
        all.push(text.trim().to_owned());
    }
    match all.len() {
        0 => None,
        1 => all.pop(),
        _ => Some(all.iter().map(|one| format!("({one})")).collect::<Vec<_>>().join(" AND ")),
    }
}

fn spdx(bill: &Value) -> Result<Vec<Package>, String> {
    let mut packages = Vec::new();
    let texts = extracted(&bill["hasExtractedLicensingInfos"]);
    for package in bill["packages"].as_array().into_iter().flatten() {
        // As with CycloneDX: `orch/sbom` names the tree's own packages so, and what the whole bill is about.
        let is_own = |id: &str| ["SPDXRef-first-party-", "SPDXRef-root-"].iter().any(|start| id.starts_with(start));
        if package["SPDXID"].as_str().is_some_and(is_own) {
            continue;
        }
        let references = package["externalRefs"].as_array().into_iter().flatten();
        let purl = references
            .filter(|reference| reference["referenceType"] == "purl")
            .find_map(|reference| reference["referenceLocator"].as_str());
        let said = |key: &str| package[key].as_str().filter(|text| !matches!(*text, "NOASSERTION" | "NONE" | ""));
        // What somebody concluded comes before what the package says of itself.
        let license = said("licenseConcluded").or_else(|| said("licenseDeclared"));
        // A reference that stands alone is replaced by what it stands for.
        let license = license.map(|text| (*texts.get(text).unwrap_or(&text)).to_owned());
        push(&mut packages, package, purl, "versionInfo", license)?;
    }
    Ok(packages)
}

/// The names of the licences that have no identifier, by the references to them.
fn extracted(list: &Value) -> HashMap<&str, &str> {
    let pairs = list.as_array().into_iter().flatten().filter_map(|info| {
        let name = info["name"].as_str().or_else(|| info["extractedText"].as_str())?;
        Some((info["licenseId"].as_str()?, name.trim()))
    });
    pairs.filter(|(_, name)| !name.is_empty() && name.len() <= LONGEST_NAME).collect()
}

fn push(
    packages: &mut Vec<Package>,
    of: &Value,
    purl: Option<&str>,
    version: &str,
    license: Option<String>,
) -> Result<(), String> {
    if packages.len() == MAX_PACKAGES {
        return Err(format!("has more than {MAX_PACKAGES} packages"));
    }
    let name = of["name"].as_str().unwrap_or("unnamed").to_owned();
    let id = match (purl, of[version].as_str()) {
        // Qualifiers tell where it came from, not what it is.
        (Some(purl), _) => purl.split(['?', '#']).next().unwrap_or_default().to_owned(),
        (None, Some(version)) => format!("{name}@{version}"),
        (None, None) => name.clone(),
    };
    packages.push(Package { id, name, license });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read_licenses(bill: &Value) -> Vec<(String, Option<String>)> {
        read(&bill.to_string()).unwrap().into_iter().map(|package| (package.id, package.license)).collect()
    }

    #[track_caller]
    fn check(bill: &Value, expected: &[(&str, Option<&str>)]) {
        let expected: Vec<_> =
            expected.iter().map(|(id, license)| ((*id).to_owned(), license.map(str::to_owned))).collect();
        assert_eq!(read_licenses(bill), expected);
    }

    #[test]
    fn cyclonedx_is_read() {
        let component = |licenses: Value| {
            json!({ "bomFormat": "CycloneDX", "components": [
                { "name": "a", "version": "1", "purl": "pkg:npm/a@1?x=y", "licenses": licenses }
            ] })
        };
        let check = |licenses: Value, expected: Option<&str>| check(&component(licenses), &[("pkg:npm/a@1", expected)]);
        check(json!([{ "license": { "id": "MIT" } }]), Some("MIT"));
        check(json!([{ "license": { "name": "Our own" } }]), Some("Our own"));
        check(json!([{ "expression": "MIT OR ISC" }]), Some("MIT OR ISC"));
        check(json!([{ "license": { "id": "MIT" } }, { "license": { "id": "ISC" } }]), Some("(MIT) AND (ISC)"));
        check(json!([]), None);
        check(json!("MIT"), None);
    }

    #[test]
    fn components_in_components_are_read_and_files_are_not() {
        let bill = json!({ "bomFormat": "CycloneDX", "components": [
            { "type": "application", "name": "a", "components": [{ "name": "b", "version": "2" }, { "name": "f", "type": "file" }] }
        ] });
        check(&bill, &[("a", None), ("b@2", None)]);
        let own = json!({ "bomFormat": "CycloneDX", "components": [{ "name": "a", "bom-ref": "first-party:npm/a" }, { "name": "b" }] });
        check(&own, &[("b", None)]);
    }

    #[test]
    fn spdx_is_read() {
        let bill = json!({ "spdxVersion": "SPDX-2.3", "packages": [
            { "name": "a", "versionInfo": "1", "licenseConcluded": "NOASSERTION", "licenseDeclared": "MIT",
              "externalRefs": [{ "referenceType": "purl", "referenceLocator": "pkg:deb/debian/a@1" }] },
            { "name": "b", "versionInfo": "1", "licenseConcluded": "ISC", "licenseDeclared": "MIT" },
            { "name": "c", "licenseDeclared": "NONE" },
            { "name": "d", "SPDXID": "SPDXRef-first-party-npm-d" },
            { "name": "e", "licenseDeclared": "LicenseRef-x" },
            { "name": "f", "licenseDeclared": "LicenseRef-y" },
        ], "hasExtractedLicensingInfos": [{ "licenseId": "LicenseRef-x", "name": "GPLv2+", "extractedText": "the text" }] });
        let expected = [
            ("pkg:deb/debian/a@1", Some("MIT")),
            ("b@1", Some("ISC")),
            ("c", None),
            ("e", Some("GPLv2+")),
            ("f", Some("LicenseRef-y")),
        ];
        check(&bill, &expected);
    }

    #[test]
    fn what_is_no_bill_is_said() {
        for (text, reason) in [("{", "no JSON"), ("[]", "neither"), (r#"{"spdxVersion":"SPDX-3.0"}"#, "neither")] {
            assert!(read(text).unwrap_err().contains(reason), "{text}");
        }
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(read(&deep).unwrap_err().contains("no JSON"));
    }
}
