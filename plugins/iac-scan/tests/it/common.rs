//! Runs the task on trees that a test writes, and reads the files of fixtures.

use orch_plugin_iac_scan::{Family, Input, Output, scan};
use orch_sdk::{Finding, TestHost};
use std::path::Path;

/// Writes files into a folder.
pub fn write(root: &Path, files: &[(&str, &[u8])]) {
    for (path, content) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
}

/// What a scan of some files returns and finds.
pub fn run(files: &[(&str, &[u8])], input: Input) -> (Output, Vec<Finding>) {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), files);
    run_in(root.path(), input)
}

/// What a scan of a folder returns and finds.
pub fn run_in(root: &Path, input: Input) -> (Output, Vec<Finding>) {
    let host = TestHost::new().with_mount("source", root);
    let output = scan(input, &host).unwrap().succeeded().unwrap();
    (output, host.findings())
}

/// Where a fixture of a family is put if it does not say.
pub fn default_path(family: Family) -> &'static str {
    match family {
        Family::Dockerfile => "Dockerfile",
        Family::Kubernetes => "app.yaml",
        Family::Compose => "compose.yaml",
        Family::Terraform => "main.tf",
        Family::Actions => ".github/workflows/ci.yaml",
    }
}

/// A file of which is known what rules find in it.
pub struct Fixture {
    /// What its heading says, word by word: `base NAME`, or `RULE bad|good`, then what else is found.
    pub heading: Vec<String>,
    /// Whether it is an edit of a base.
    pub is_edit: bool,
    pub text: String,
}

/// Reads `tests/fixtures/FAMILY.txt`. A part begins with a line `=== HEADING`. A heading that ends in `from NAME` makes its text an edit
/// of that base: lines with `-` are lines of the base to replace, lines with `+` what comes in their place, or at the end.
pub fn fixtures(family: Family) -> Vec<Fixture> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{}.txt", family.name()));
    let text = std::fs::read_to_string(path).unwrap();
    let mut found: Vec<Fixture> = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("=== ") {
            Some(heading) => {
                let heading = heading.split_whitespace().map(str::to_owned).collect();
                found.push(Fixture { heading, is_edit: false, text: String::new() });
            }
            None => {
                let fixture = found.last_mut().expect("a heading first");
                fixture.text.push_str(line);
                fixture.text.push('\n');
            }
        }
    }
    for at in 0..found.len() {
        let heading = &found[at].heading;
        let Some(from) = heading.iter().position(|word| word == "from") else { continue };
        let name = heading[from + 1].clone();
        let base = found.iter().find(|it| it.heading[..] == ["base".to_owned(), name.clone()]).expect(&name);
        found[at].text = edited(&base.text, &found[at].text);
        found[at].heading.truncate(from);
        found[at].is_edit = true;
    }
    found
}

fn edited(base: &str, edit: &str) -> String {
    let mut lines: Vec<String> = base.lines().map(str::to_owned).collect();
    let mut at = lines.len();
    for line in edit.lines().filter(|line| !line.is_empty()) {
        if let Some(old) = line.strip_prefix('-') {
            let places: Vec<usize> = (0..lines.len()).filter(|at| lines[*at] == old).collect();
            assert_eq!(places.len(), 1, "`{old}` has to be one line of\n{base}");
            at = places[0];
            lines.remove(at);
        } else {
            lines.insert(
                at,
                line.strip_prefix('+').unwrap_or_else(|| panic!("`{line}` begins with neither - nor +")).to_owned(),
            );
            at += 1;
        }
    }
    lines.join("\n") + "\n"
}
