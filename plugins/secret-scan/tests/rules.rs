//! Every built-in rule against its samples, through the whole task.

mod support;

use orch_plugin_secret_scan::Input;
use orch_plugin_secret_scan::ruleset::RuleSet;
use std::collections::BTreeSet;
use support::{Samples, Tree, expand, place, samples};

/// Rules that only look at files of some name.
fn file_name(rule: &str, sample: &str) -> String {
    match rule {
        "pgpass-password" => ".pgpass".into(),
        "netrc-password" => ".netrc".into(),
        "generic-password-env" => "app.env".into(),
        "pkcs12-file" if sample == "x" => "certificates/server.p12".into(),
        _ => "sample.txt".into(),
    }
}

fn seed(rule: &str, kind: &str, index: usize) -> String {
    format!("{rule}/{kind}/{index}")
}

#[test]
fn every_rule_has_samples_and_the_other_way_round() {
    let rules: BTreeSet<String> = RuleSet::built_in().unwrap().rules.into_iter().map(|rule| rule.id).collect();
    let sampled: BTreeSet<String> = samples().into_iter().map(|samples| samples.rule).collect();
    assert_eq!(rules, sampled);
    assert!(rules.len() >= 120);
    for Samples { rule, found, passed } in samples() {
        assert!(!found.is_empty() && !passed.is_empty(), "{rule}");
    }
}

#[test]
fn every_true_sample_is_found_by_its_rule_alone() {
    let mut wrong = Vec::new();
    for Samples { rule, found, .. } in samples() {
        for (index, template) in found.iter().enumerate() {
            let text = expand(template, &seed(&rule, "true", index));
            let tree = Tree::new(&[(&file_name(&rule, &text), &format!("first line\n{text}\nlast line\n"))]);
            let rules: Vec<_> = tree.scan(Input::default()).1.into_iter().map(|finding| finding.rule).collect();
            if rules != [rule.as_str()] {
                wrong.push(format!("{rule}: `{template}` = `{text}` is found by {rules:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_false_sample_is_found_by_its_rule() {
    let mut wrong = Vec::new();
    for Samples { rule, passed, .. } in samples() {
        for (index, template) in passed.iter().enumerate() {
            let text = expand(template, &seed(&rule, "false", index));
            let tree = Tree::new(&[(&file_name(&rule, &text), &format!("first line\n{text}\nlast line\n"))]);
            if tree.scan(Input::default()).1.iter().any(|finding| finding.rule == rule) {
                wrong.push(format!("{rule}: `{template}` = `{text}`"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_output_holds_a_secret() {
    for Samples { rule, found, .. } in samples() {
        for (index, template) in found.iter().enumerate().filter(|_| rule != "pkcs12-file") {
            let text = expand(template, &seed(&rule, "true", index));
            let tree = Tree::new(&[(&file_name(&rule, &text), &text)]);
            let (output, findings, host) = tree.scan(Input::default());
            let said = format!(
                "{} {findings:?} {:?} {:?}",
                serde_json::to_string(&output).unwrap(),
                host.logs(),
                host.progress_told()
            );
            // Any eight generated characters in a row would be too much; what is fixed in a template is no secret.
            for chunk in generated(template, &seed(&rule, "true", index)) {
                for part in chunk.as_bytes().windows(8).step_by(3) {
                    let part = std::str::from_utf8(part).unwrap();
                    assert!(!said.contains(part), "{rule}: `{part}` of `{text}` in {said}");
                }
            }
        }
    }
}

/// The generated parts of a sample: what stands in it where the template has a class.
fn generated(template: &str, seed: &str) -> Vec<String> {
    let text = expand(template, seed);
    let fixed: Vec<&str> = template.split(['{', '}']).step_by(2).filter(|part| !part.is_empty()).collect();
    let mut rest = text.as_str();
    let mut parts = Vec::new();
    for piece in fixed {
        let Some(at) = rest.find(piece) else { continue };
        parts.push(rest[..at].to_owned());
        rest = &rest[at + piece.len()..];
    }
    parts.push(rest.to_owned());
    parts.retain(|part| part.len() >= 8 && !part.contains('\n') && part.bytes().any(|byte| byte.is_ascii_digit()));
    parts
}

#[test]
fn built_in_expressions_are_well_formed_and_searched_near_their_keywords() {
    use orch_plugin_secret_scan::detect::{Detector, Search};
    let set = RuleSet::built_in().unwrap();
    assert_eq!(set.warnings, Vec::<String>::new());
    let mut whole_file = Vec::new();
    for rule in &set.rules {
        let Some(regex) = &rule.regex else { continue };
        let hir = regex.parse().unwrap_or_else(|reason| panic!("{}: {reason}", rule.id));
        assert!(rule.secret_group <= hir.properties().explicit_captures_len(), "{}", rule.id);
        regex.regex().unwrap_or_else(|reason| panic!("{}: {reason}", rule.id));
        if rule.is_searched_everywhere() {
            whole_file.push(rule.id.as_str());
        }
        for pattern in rule.allowlists.iter().flat_map(|list| list.regexes.iter().chain(&list.paths)).chain(&rule.path)
        {
            pattern.regex().unwrap_or_else(|reason| panic!("{}: {reason}", rule.id));
        }
        assert!(!rule.remediation.is_empty() && !rule.description.is_empty(), "{}", rule.id);
    }
    // These name a word of the surroundings, or hold their keyword not in each match.
    whole_file.sort_unstable();
    assert_eq!(whole_file, ["asana-access-token", "discord-bot-token", "json-web-key-private", "pgpass-password"]);
    Detector::new(set, Search::NearKeywords).unwrap();
}

#[test]
fn a_specific_rule_wins_over_a_generic_one() {
    let token = support::github_token("specific");
    let tree = Tree::new(&[("a.txt", &format!("api_token = \"{token}\"\n"))]);
    let found: Vec<_> = tree.scan(Input::default()).1.iter().map(place).collect();
    assert_eq!(found, ["a.txt:1 github-pat"]);
}

/// Prints the figures of the README. What is counted is decided by the tests above; here it is also counted what other rules find
/// in samples that are to pass.
#[test]
fn figures() {
    use orch_plugin_secret_scan::detect::{Detector, Search};
    let set = RuleSet::built_in().unwrap();
    let rules = set.rules.len();
    let mut detector = Detector::new(set, Search::NearKeywords).unwrap();
    let (mut found_samples, mut found, mut false_samples, mut false_finds, mut by_others) = (0, 0, 0, 0, 0);
    for Samples { rule, found: found_templates, passed } in samples() {
        for (kind, templates) in [("true", &found_templates), ("false", &passed)] {
            for (index, template) in templates.iter().enumerate() {
                let text = expand(template, &seed(&rule, kind, index));
                let path = file_name(&rule, &text);
                let mut finds =
                    detector.search(&path, format!("first line\n{text}\nlast line\n").as_bytes()).unwrap().found;
                finds.extend(detector.search_path(&path).found);
                let own = finds.iter().any(|find| detector.rules()[find.rule].id == rule);
                if kind == "true" {
                    (found_samples, found) = (found_samples + 1, found + usize::from(own));
                } else {
                    false_samples += 1;
                    false_finds += usize::from(own);
                    by_others += usize::from(!own && !finds.is_empty());
                }
            }
        }
    }
    println!(
        "{rules} rules; {found} of {found_samples} true samples found, {false_finds} of {false_samples} false samples found by \
         their rule and {by_others} by another"
    );
    assert_eq!((found, false_finds), (found_samples, 0));
    // A bound on what it is now, so that a rule which finds everything is noticed.
    assert!(by_others * 10 <= false_samples, "{by_others} of {false_samples}");
}
