//! The README's table of rules is the table in the code. With `IAC_SCAN_REWRITE=1` the test writes it.

use orch_plugin_iac_scan::{Family, rules};
use std::fmt::Write;

const BEGIN: &str = "<!-- rules: written by the test `readme` -->\n";
const END: &str = "<!-- end of rules -->";

fn table() -> String {
    let mut text = format!("{} rules in {} families.\n", rules::all().count(), Family::ALL.len());
    for family in Family::ALL {
        let _ =
            write!(text, "\n### {}\n\n| rule | severity | finds | what to do |\n|---|---|---|---|\n", family.name());
        for (_, about) in rules::all().filter(|(of, _)| *of == family) {
            let severity = format!("{:?}", about.severity).to_lowercase();
            let _ =
                writeln!(text, "| `{}` | {severity} | {} | {} |", about.id, cell(about.title), cell(about.remediation));
        }
    }
    text
}

/// A text in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[test]
fn the_table_of_rules() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    if std::env::var_os("IAC_SCAN_REWRITE").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
        return;
    }
    assert!(written == table(), "the README's table is out of date; run this test with IAC_SCAN_REWRITE=1");
}
