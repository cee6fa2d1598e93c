//! Scans a folder with the plugin's own code, natively, and prints what it found and how fast:
//! `native FOLDER [RUNS] [INPUT AS JSON]`.

use orch_plugin_secret_scan::{Input, scan};
use orch_sdk::{Level, TestHost};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: native FOLDER [RUNS] [INPUT AS JSON]")?;
    let runs: u32 = arguments.next().map_or(Ok(1), |runs| runs.parse())?;
    let input: Input = arguments.next().map_or(Ok(Input::default()), |json| serde_json::from_str(&json))?;
    for _ in 0..runs {
        let host = TestHost::new().with_mount("source", &folder);
        let start = Instant::now();
        let output = scan(input.clone(), &host)?.succeeded().ok_or("no output")?;
        let seconds = start.elapsed().as_secs_f64();
        for finding in host.findings().iter().take(50) {
            let location = finding.location.as_ref().ok_or("a finding without a place")?;
            println!(
                "{}:{} {} {}",
                location.path,
                location.line.unwrap_or(0),
                finding.rule,
                finding.detail.as_deref().unwrap_or(&finding.title)
            );
        }
        for (level, message) in host.logs() {
            if level >= Level::Warn {
                eprintln!("{message}");
            }
        }
        let bytes = output.bytes_scanned + output.history.as_ref().map_or(0, |history| history.bytes_scanned);
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let megabytes = bytes as f64 / 1e6;
        println!("{output:?}");
        println!("{megabytes:.1} MB in {seconds:.3} s: {:.0} MB/s", megabytes / seconds);
    }
    Ok(())
}
