//! `docs/security/cases.md`: made from the table of cases and from the tests that are really there.
//!
//! A test belongs to a case by its name (`s1_…` shows S1) or because the table names it. A case without a test, a named test that is
//! not there, and a test of a case that nobody wrote down all fail: the page cannot promise what nothing shows.

mod source;
mod table;

use crate::chores::root;
use anyhow::{Context, Result, ensure};
use source::{Test, tests_below};
use std::collections::BTreeMap;
use table::{CASES, FAMILIES, NOT_BUILT};

const PAGE: &str = "docs/security/cases.md";

/// Tests that a case names beside those that bear its number.
enum Also {
    /// These tests of a file.
    Named(&'static str, &'static [&'static str]),
    /// Every test of a file.
    AllOf(&'static str),
}

/// An attack or an accident, and what has to come of it.
struct Case {
    id: &'static str,
    attack: &'static str,
    outcome: &'static str,
    also: &'static [Also],
    note: &'static str,
}

/// A case of the catalogue that no test shows.
struct NotBuilt {
    id: &'static str,
    attack: &'static str,
    why: &'static str,
}

/// A family of cases: its letter and how many the catalogue has.
struct Family {
    letter: char,
    cases: u32,
    what: &'static str,
}

/// Writes the page.
pub(crate) fn write() -> Result<()> {
    let page = page(&CASES, &NOT_BUILT, &FAMILIES, &tests_below(&root())?)?;
    std::fs::write(root().join(PAGE), page).with_context(|| format!("`{PAGE}` could not be written"))
}

/// The page's text, or every reason why there is none.
fn page(cases: &[Case], not_built: &[NotBuilt], families: &[Family], tests: &[Test]) -> Result<String> {
    let mut problems = numbers(cases, not_built, families);
    let mut rows = String::new();
    for case in cases {
        let shown = shown_by(case, tests, &mut problems);
        let note = if case.note.is_empty() { String::new() } else { format!("<br>{}", case.note) };
        rows += &format!("| {} | {} | {} | {shown}{note} |\n", case.id, case.attack, case.outcome);
    }
    for test in tests {
        if let Some(id) = test.case(families)
            && !cases.iter().any(|case| case.id == id)
        {
            problems.push(format!("`{}` in `{}` is a test of {id}, which is not in the table", test.name, test.file));
        }
    }
    ensure!(
        problems.is_empty(),
        "`{PAGE}` cannot be made; the table is `xtask/src/cases/table.rs`:\n  {}",
        problems.join("\n  ")
    );
    let letters: Vec<String> = families.iter().map(|family| format!("{}: {}", family.letter, family.what)).collect();
    let missing: String =
        not_built.iter().map(|case| format!("| {} | {} | {} |\n", case.id, case.attack, case.why)).collect();
    let page = table::PAGE.replace("{families}", &letters.join(", "));
    Ok(page.replace("{cases}", &rows).replace("{not built}", &missing))
}

/// Each number of the catalogue stands in exactly one of the two tables, and nothing else does.
fn numbers(cases: &[Case], not_built: &[NotBuilt], families: &[Family]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for id in cases.iter().map(|case| case.id).chain(not_built.iter().map(|case| case.id)) {
        *times.entry(id).or_default() += 1;
    }
    let known: Vec<String> = families
        .iter()
        .flat_map(|family| (1..=family.cases).map(move |number| format!("{}{number}", family.letter)))
        .collect();
    for id in &known {
        match times.get(id.as_str()).copied().unwrap_or(0) {
            1 => {}
            0 => problems.push(format!("{id} is in neither table: say how it is tested, or why it is not")),
            times => problems.push(format!("{id} stands {times} times in the tables")),
        }
    }
    let strangers = times.keys().filter(|id| !known.iter().any(|known| known == *id));
    problems.extend(strangers.map(|id| format!("{id} is no case of a family that is known")));
    problems
}

/// The cell of the tests of a case.
fn shown_by(case: &Case, tests: &[Test], problems: &mut Vec<String>) -> String {
    let prefix = format!("{}_", case.id.to_lowercase());
    let mut files: Vec<&str> =
        tests.iter().filter(|test| test.name.starts_with(&prefix)).map(|test| test.file.as_str()).collect();
    files.dedup();
    let mut cells: Vec<String> = files.iter().map(|file| format!("`{file}`: `{prefix}*`")).collect();
    for also in case.also {
        match also {
            Also::Named(file, names) => {
                for name in *names {
                    if !tests.iter().any(|test| test.file == *file && test.name == *name) {
                        problems.push(format!("{} names the test `{name}` in `{file}`, which is not there", case.id));
                    }
                }
                let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                cells.push(format!("`{file}`: {}", names.join(", ")));
            }
            Also::AllOf(file) => {
                if !tests.iter().any(|test| test.file == *file) {
                    problems.push(format!("{} names the tests of `{file}`, which has none", case.id));
                }
                cells.push(format!("`{file}`"));
            }
        }
    }
    if cells.is_empty() {
        problems.push(format!("{} has no test: none begins with `{prefix}`, and the table names none", case.id));
    }
    cells.join("<br>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_up_to_date() {
        let page = page(&CASES, &NOT_BUILT, &FAMILIES, &tests_below(&root()).unwrap()).unwrap();
        let there = std::fs::read_to_string(root().join(PAGE)).unwrap_or_default();
        assert!(there == page, "`{PAGE}` is not what the table says: run `cargo xtask docs`");
    }

    const FAMILY: [Family; 1] = [Family { letter: 'S', cases: 2, what: "the sandbox" }];

    fn case(id: &'static str, also: &'static [Also]) -> Case {
        Case { id, attack: "an attack", outcome: "refused", also, note: "" }
    }

    fn test(name: &str) -> Test {
        Test { file: "tests/a.rs".to_owned(), name: name.to_owned() }
    }

    /// What is wrong with these cases, where S2 is not built unless it is among them.
    #[track_caller]
    fn check(cases: &[Case], tests: &[Test], expected: &[&str]) {
        let open = NotBuilt { id: "S2", attack: "another", why: "there is no such part" };
        let open: Vec<NotBuilt> = if cases.iter().any(|case| case.id == "S2") { Vec::new() } else { Vec::from([open]) };
        let told = page(cases, &open, &FAMILY, tests).map_or_else(|error| error.to_string(), |_| String::new());
        let told: Vec<&str> = told.lines().skip(1).map(str::trim).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_not_shown_is_told() {
        let one = || test("s1_a");
        check(&[case("S1", &[])], &[one()], &[]);
        check(&[case("S1", &[])], &[], &["S1 has no test: none begins with `s1_`, and the table names none"]);
        // A longer number is another case.
        check(
            &[case("S1", &[])],
            &[test("s12_a")],
            &[
                "S1 has no test: none begins with `s1_`, and the table names none",
                "`s12_a` in `tests/a.rs` is a test of S12, which is not in the table",
            ],
        );
        check(
            &[case("S1", &[Also::Named("tests/a.rs", &["lost"])])],
            &[one()],
            &["S1 names the test `lost` in `tests/a.rs`, which is not there"],
        );
        check(&[case("S1", &[Also::Named("tests/a.rs", &["plain"])])], &[test("plain")], &[]);
        check(
            &[case("S1", &[Also::Named("tests/b.rs", &["plain"])])],
            &[test("plain")],
            &["S1 names the test `plain` in `tests/b.rs`, which is not there"],
        );
        check(&[case("S1", &[Also::AllOf("tests/a.rs")])], &[test("plain")], &[]);
        check(
            &[case("S1", &[Also::AllOf("tests/b.rs")])],
            &[test("plain")],
            &["S1 names the tests of `tests/b.rs`, which has none"],
        );
        check(
            &[case("S1", &[])],
            &[one(), test("s2_a")],
            &["`s2_a` in `tests/a.rs` is a test of S2, which is not in the table"],
        );
        // No case at all, but a name that begins like one.
        check(&[case("S1", &[])], &[one(), test("i12_a"), test("s_a"), test("sandbox_1")], &[]);
    }

    #[test]
    fn every_number_stands_once() {
        let (one, two) = (test("s1_a"), test("s2_a"));
        check(
            &[case("S2", &[])],
            std::slice::from_ref(&two),
            &["S1 is in neither table: say how it is tested, or why it is not"],
        );
        check(&[case("S1", &[]), case("S1", &[])], std::slice::from_ref(&one), &["S1 stands 2 times in the tables"]);
        let strange = [case("S1", &[]), case("Q1", &[Also::AllOf("tests/a.rs")])];
        check(&strange, &[one], &["Q1 is no case of a family that is known"]);
        let both = [case("S1", &[]), case("S2", &[])];
        let open = [NotBuilt { id: "S2", attack: "another", why: "no part" }];
        let told = page(&both, &open, &FAMILY, &[test("s1_a"), two]).unwrap_err().to_string();
        assert!(told.contains("S2 stands 2 times in the tables"), "{told}");
    }

    #[test]
    fn a_row_names_every_file_once() {
        let case = Case { note: "with a note", ..case("S1", &[Also::Named("tests/a.rs", &["plain"])]) };
        let open = [NotBuilt { id: "S2", attack: "another", why: "no part" }];
        let page = page(&[case], &open, &FAMILY, &[test("s1_a"), test("s1_b"), test("plain")]).unwrap();
        let row = "| S1 | an attack | refused | `tests/a.rs`: `s1_*`<br>`tests/a.rs`: `plain`<br>with a note |\n";
        assert!(page.contains(row), "{page}");
        assert!(page.contains("| S2 | another | no part |\n") && page.contains("S: the sandbox"), "{page}");
    }
}
