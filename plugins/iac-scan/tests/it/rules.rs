//! Every rule finds its bad fixture, and nothing in its good ones.

use crate::common::{Fixture, default_path, fixtures, run};
use orch_plugin_iac_scan::{Family, Input, rules};
use std::collections::BTreeSet;

/// The rules that a fixture violates.
fn found(family: Family, fixture: &Fixture) -> BTreeSet<String> {
    let (output, findings) = run(&[(default_path(family), fixture.text.as_bytes())], Input::default());
    assert!(output.skipped.is_empty(), "{:?}: {:?}", fixture.heading, output.skipped);
    assert_eq!(output.files.get(&family), Some(&1), "{:?}", fixture.heading);
    findings.into_iter().map(|finding| finding.rule).collect()
}

/// Checks the fixtures of a family.
fn check(family: Family) {
    let (mut bad, mut good) = (BTreeSet::new(), BTreeSet::new());
    let mut wrong = Vec::new();
    for fixture in fixtures(family) {
        let words: Vec<&str> = fixture.heading.iter().map(String::as_str).collect();
        let found = found(family, &fixture);
        match words[..] {
            // A base violates nothing at all, so it is a good fixture of each rule that an edit of it violates.
            ["base", _] => {
                if !found.is_empty() {
                    wrong.push(format!("{words:?} finds {found:?}"));
                }
            }
            [rule, "bad", ref others @ ..] => {
                bad.insert(rule.to_owned());
                if fixture.is_edit {
                    good.insert(rule.to_owned());
                }
                let expected: BTreeSet<String> = others.iter().chain([&rule]).map(|&it| it.to_owned()).collect();
                if found != expected {
                    wrong.push(format!("{words:?} finds {found:?}\n{}", fixture.text));
                }
            }
            [rule, "good", ref others @ ..] => {
                good.insert(rule.to_owned());
                let expected: BTreeSet<String> = others.iter().map(|&it| it.to_owned()).collect();
                if found != expected {
                    wrong.push(format!("{words:?} finds {found:?}\n{}", fixture.text));
                }
            }
            _ => wrong.push(format!("the heading {words:?} is not understood")),
        }
    }
    for (_, about) in rules::all().filter(|(of, _)| *of == family) {
        for (kind, known) in [("bad", &mut bad), ("good", &mut good)] {
            if !known.remove(about.id) {
                wrong.push(format!("{} has no {kind} fixture", about.id));
            }
        }
    }
    wrong.extend(bad.iter().chain(&good).map(|rule| format!("there is no rule {rule}")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn dockerfile() {
    check(Family::Dockerfile);
}

#[test]
fn kubernetes() {
    check(Family::Kubernetes);
}

#[test]
fn compose() {
    check(Family::Compose);
}

#[test]
fn terraform() {
    check(Family::Terraform);
}

#[test]
fn actions() {
    check(Family::Actions);
}

#[test]
fn the_table_is_sound() {
    let mut seen = BTreeSet::new();
    for (family, about) in rules::all() {
        let name = about.id.strip_prefix(family.name()).and_then(|rest| rest.strip_prefix('/')).expect(about.id);
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'), "{name}");
        assert!(seen.insert(about.id), "{} stands twice", about.id);
        assert!(
            !about.title.ends_with('.') && about.why.ends_with('.') && about.remediation.ends_with('.'),
            "{}",
            about.id
        );
        assert!(about.references.iter().all(|address| address.starts_with("https://")), "{}", about.id);
    }
}
