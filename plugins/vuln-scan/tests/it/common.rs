//! Folders with made-up packages and records, and what a scan says of them.

use orch_plugin_vuln_scan::{Input, Output, scan};
use orch_sdk::{Finding, Status, TaskError, TestHost};
use serde_json::{Value, json};
use std::io::{Cursor, Write};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// The two mounts of a scan.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        for mount in ["source", "advisories"] {
            std::fs::create_dir(place.0.path().join(mount)).unwrap();
        }
        place
    }

    /// Writes a file: `source/bill.json`.
    pub fn with(self, path: &str, content: impl AsRef<[u8]>) -> Place {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    pub fn with_json(self, path: &str, content: &Value) -> Place {
        self.with(path, content.to_string())
    }

    /// A bill of materials with packages by their package URLs.
    pub fn with_bill(self, purls: &[&str]) -> Place {
        let components: Vec<Value> = purls.iter().map(|purl| json!({ "name": purl, "purl": purl })).collect();
        self.with_json("source/bill.json", &json!({ "bomFormat": "CycloneDX", "components": components }))
    }

    /// Records, each in a file of its own.
    pub fn with_records(self, records: &[Value]) -> Place {
        let named =
            records.iter().map(|record| (format!("advisories/{}.json", record["id"].as_str().unwrap()), record));
        named.fold(self, |place, (path, record)| place.with_json(&path, record))
    }

    pub fn host(&self) -> TestHost {
        TestHost::new()
            .with_mount("source", self.0.path().join("source"))
            .with_mount("advisories", self.0.path().join("advisories"))
    }

    /// Scans `bill.json` with the records of the folder.
    #[track_caller]
    pub fn scan(&self) -> Scanned {
        self.scan_as(of_bill())
    }

    #[track_caller]
    pub fn scan_as(&self, input: Input) -> Scanned {
        Scanned::by(input, self.host()).unwrap()
    }
}

pub fn of_bill() -> Input {
    Input { sbom: Some("bill.json".to_owned()), ..Input::default() }
}

/// What came of a scan.
#[derive(Debug)]
pub struct Scanned {
    pub output: Output,
    pub findings: Vec<Finding>,
}

impl Scanned {
    pub fn by(input: Input, host: TestHost) -> Result<Scanned, TaskError> {
        let output = scan(input, &host)?.succeeded().unwrap();
        let findings = host.findings();
        assert_eq!(output.incomplete, findings.iter().any(|finding| finding.status == Status::Error));
        Ok(Scanned { output, findings })
    }

    /// `rule status` of each finding, sorted.
    pub fn told(&self) -> Vec<String> {
        let word = |status| match status {
            Status::Open => "open",
            Status::NotApplicable => "not applicable",
            Status::Error => "error",
            _ => "other",
        };
        let mut told: Vec<String> =
            self.findings.iter().map(|finding| format!("{} {}", finding.rule, word(finding.status))).collect();
        told.sort();
        told
    }

    #[track_caller]
    pub fn finding(&self, rule: &str) -> &Finding {
        let mut fits = self.findings.iter().filter(|finding| finding.rule == rule);
        let finding = fits.next().unwrap_or_else(|| panic!("no finding `{rule}`: {:?}", self.told()));
        assert!(fits.next().is_none(), "`{rule}` twice");
        finding
    }

    /// How many were left out for a reason.
    pub fn skipped(&self, reason: &str) -> usize {
        self.output.skipped.iter().find(|skipped| skipped.reason == reason).map_or(0, |skipped| skipped.count)
    }
}

/// A record with one range: `introduced 1.0.0 fixed 1.2.0`.
pub fn record(id: &str, ecosystem: &str, name: &str, kind: &str, events: &str) -> Value {
    let words: Vec<&str> = events.split_whitespace().collect();
    let events: Vec<Value> = words.chunks(2).map(|pair| json!({ pair[0]: pair[1] })).collect();
    json!({ "id": id, "summary": format!("About {name}"), "affected": [
        { "package": { "ecosystem": ecosystem, "name": name }, "ranges": [{ "type": kind, "events": events }] }] })
}

/// Adds fields to a record.
pub fn and(mut record: Value, more: Value) -> Value {
    record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    record
}

/// A record that affects every version of the npm package `kit`.
pub fn of_kit(id: &str) -> Value {
    record(id, "npm", "kit", "SEMVER", "introduced 0")
}

pub fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, content) in files {
        zip.start_file(*name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}
