//! Makes records up, scans them natively, and prints how fast that was: `speed [RECORDS]`.

use orch_plugin_vuln_scan::{Input, scan};
use orch_sdk::TestHost;
use serde_json::json;
use std::fs::{File, create_dir};
use std::io::Write;
use std::path::Path;
use std::time::Instant;
use zip::{ZipWriter, write::SimpleFileOptions};

/// Packages in use, and in how many records one of them is named.
const PACKAGES: usize = 1_000;
const ONE_IN: usize = 50;

fn record(number: usize) -> String {
    let used = number.is_multiple_of(ONE_IN);
    let name = if used { format!("kit-{}", number % PACKAGES) } else { format!("other-{number}") };
    let versions: Vec<String> = (0..40).map(|minor| format!("1.{minor}.0")).collect();
    let text = "What goes wrong, when it does, and what can be done about it until it is repaired. ".repeat(15);
    let record = json!({
        "schema_version": "1.7.0", "id": format!("KIT-{number}"), "modified": "2000-01-01T00:00:00Z",
        "summary": "Something goes wrong", "details": text, "aliases": [format!("CVE-2000-{number}")],
        "severity": [{ "type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" }],
        "affected": [{ "package": { "ecosystem": "npm", "name": name }, "versions": versions,
            "ranges": [{ "type": "SEMVER", "events": [{ "introduced": "1.0.0" }, { "fixed": "1.40.0" }] }] }],
        "references": [{ "type": "ADVISORY", "url": "https://advisories.example/1" }],
    });
    record.to_string()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count: usize = std::env::args().nth(1).map_or(Ok(20_000), |count| count.parse())?;
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    for name in ["source", "files", "zip"] {
        create_dir(path(name))?;
    }
    let components: Vec<_> = (0..PACKAGES).map(|it| json!({ "purl": format!("pkg:npm/kit-{it}@1.5.0") })).collect();
    std::fs::write(
        path("source/bill.json"),
        json!({ "bomFormat": "CycloneDX", "components": components }).to_string(),
    )?;
    let mut zip = ZipWriter::new(File::create(path("zip/all.zip"))?);
    let mut bytes = 0;
    for number in 0..count {
        let text = record(number);
        bytes += text.len();
        std::fs::write(path(&format!("files/{number}.json")), &text)?;
        zip.start_file(format!("{number}.json"), SimpleFileOptions::default())?;
        zip.write_all(text.as_bytes())?;
    }
    zip.finish()?;
    for kind in ["files", "zip"] {
        measure(kind, bytes, &path("source"), &path(kind))?;
    }
    Ok(())
}

fn measure(kind: &str, bytes: usize, source: &Path, records: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let host = TestHost::new().with_mount("source", source).with_mount("advisories", records);
    let input = Input { sbom: Some("bill.json".to_owned()), ..Input::default() };
    let start = Instant::now();
    let output = scan(input, &host)?.succeeded().ok_or("no output")?;
    let seconds = start.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "for people")]
    let megabytes = bytes as f64 / 1e6;
    println!(
        "{kind}: {} records, {megabytes:.1} MB in {seconds:.3} s, {:.0} MB/s; {} of {} packages vulnerable",
        output.records_read,
        megabytes / seconds,
        output.vulnerable,
        output.packages
    );
    Ok(())
}
