//! Scans a folder natively and prints what it found and how fast: `iac-native FOLDER [RUNS]`. Without a folder it writes one with many files
//! of every family.

use orch_plugin_iac_scan::{Input, scan};
use orch_sdk::TestHost;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Copies of each sample: enough that starting does not count.
const COPIES: usize = 2_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let made = tempfile::tempdir()?;
    let folder = match arguments.next() {
        Some(folder) => PathBuf::from(folder),
        None => samples(made.path())?,
    };
    let runs: u32 = arguments.next().map_or(Ok(3), |runs| runs.parse())?;
    for _ in 0..runs {
        let host = TestHost::new().with_mount("source", &folder);
        let start = Instant::now();
        let output = scan(Input::default(), &host)?.succeeded().ok_or("no output")?;
        let seconds = start.elapsed().as_secs_f64();
        for finding in host.findings().iter().take(20) {
            let line = finding.location.as_ref().and_then(|it| it.line).unwrap_or(0);
            let path = finding.location.as_ref().map(|it| it.path.as_str()).unwrap_or_default();
            println!("{path}:{line} {} {}", finding.rule, finding.title);
        }
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let megabytes = output.bytes as f64 / 1e6;
        println!("{:?} {:?}", output.files, output.findings);
        println!("{megabytes:.1} MB in {seconds:.3} s: {:.1} MB/s", megabytes / seconds);
    }
    Ok(())
}

/// Many copies of the cases' files, each in a folder of its own.
fn samples(root: &Path) -> std::io::Result<PathBuf> {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    for case in std::fs::read_dir(cases)? {
        let tree = case?.path().join("tree");
        for copy in 0..COPIES {
            copy_all(&tree, &root.join(copy.to_string()))?;
        }
    }
    Ok(root.to_owned())
}

fn copy_all(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_all(&entry.path(), &target)?
        } else {
            std::fs::copy(entry.path(), target).map(drop)?
        }
    }
    Ok(())
}
