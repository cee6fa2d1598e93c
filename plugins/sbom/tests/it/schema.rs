//! The bills are valid by the official JSON schema of CycloneDX 1.6. The schema is not kept here: the crate `serde-cyclonedx`
//! ships it, and cargo knows where that crate's folder is.

use crate::common::{case, fixture, run, systems};
use orch_plugin_sbom::Input;
use serde_json::{Value, json};
use std::process::Command;

/// Asks cargo for the folder of a package and reads a schema in it.
pub fn shipped_schema(of: &str, path: &str) -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let text = |arguments: &[&str]| {
        let output = Command::new(&cargo).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let version = text(&["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    // Only this platform's packages: cargo has fetched those to build this test, so no network is needed.
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let arguments =
        ["metadata", "--format-version=1", "--offline", "--filter-platform", host, "--manifest-path", manifest];
    let metadata: Value = serde_json::from_str(&text(&arguments)).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == of).unwrap();
    let folder = std::path::Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap();
    serde_json::from_slice(&std::fs::read(folder.join(path)).unwrap()).unwrap()
}

/// The schema with the two it refers to. Those are not in the crate: the list of SPDX identifiers is made from the crate `spdx`,
/// and signatures, which this plugin never writes, are forbidden.
fn validator() -> jsonschema::Validator {
    let schema = shipped_schema("serde-cyclonedx", "schemas/cyclonedx_1_6.json");
    assert_eq!(schema["$id"], "http://cyclonedx.org/schema/bom-1.6.schema.json", "this is the official schema");
    let ids: Vec<&str> = spdx::identifiers::LICENSES.iter().map(|license| license.name).collect();
    let spdx = json!({ "$schema": "http://json-schema.org/draft-07/schema#", "type": "string", "enum": ids });
    let jsf = json!({ "$schema": "http://json-schema.org/draft-07/schema#", "definitions": { "signature": false } });
    let registry = jsonschema::Registry::new()
        .add("http://cyclonedx.org/schema/spdx.schema.json", spdx)
        .unwrap()
        .add("http://cyclonedx.org/schema/jsf-0.82.schema.json", jsf)
        .unwrap()
        .prepare()
        .unwrap();
    jsonschema::options().with_registry(&registry).should_validate_formats(true).build(&schema).unwrap()
}

#[track_caller]
pub fn check_valid(validator: &jsonschema::Validator, bill: &Value) {
    let errors: Vec<String> =
        validator.iter_errors(bill).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn every_bill_is_valid() {
    let validator = validator();
    let systems = systems();
    for folder in [fixture("shop"), fixture("image"), case("languages"), systems.path().to_owned()] {
        for include_dev in [true, false] {
            let timestamp = include_dev.then(|| "2026-01-31T12:00:00Z".to_owned());
            let bill = run(&folder, Input { include_dev, timestamp, installed: true, ..Input::default() }).bill;
            assert!(!bill["components"].as_array().unwrap().is_empty());
            check_valid(&validator, &bill);
            let _: serde_cyclonedx::cyclonedx::v_1_6::CycloneDx = serde_json::from_value(bill).unwrap();
        }
    }
    let empty = tempfile::tempdir().unwrap();
    check_valid(&validator, &run(empty.path(), Input { name: Some("é \"x\"".into()), ..Input::default() }).bill);
}

#[test]
fn the_schema_notices_mistakes() {
    let validator = validator();
    let good = run(&fixture("shop"), Input::default()).bill;
    let mistakes: [(&str, Value); 5] = [
        ("/specVersion", json!(1.6)),
        ("/serialNumber", json!("urn:uuid:1")),
        ("/components/0/scope", json!("dev")),
        ("/components/0/type", json!("crate")),
        ("/dependencies/0/ref", json!("")),
    ];
    for (pointer, value) in mistakes {
        let mut bill = good.clone();
        let target = bill.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer} is missing"));
        *target = value;
        assert!(!validator.is_valid(&bill), "{pointer}");
    }
    let mut bill = good.clone();
    bill["metadata"]["component"]["licenses"] = json!([{ "license": { "id": "No-Such-License" } }]);
    assert!(!validator.is_valid(&bill), "licences are those of the list");
    let mut bill = good.clone();
    let first = bill["components"][0].clone();
    bill["components"].as_array_mut().unwrap().push(first);
    assert!(!validator.is_valid(&bill), "components are unique");
}
