//! Searching near keywords must find what searching whole files finds.

mod support;

use orch_plugin_secret_scan::detect::{Detector, Search};
use orch_plugin_secret_scan::ruleset::RuleSet;
use proptest::prelude::*;
use std::cell::RefCell;
use support::{expand, samples};

/// Rules whose matches touch, overlap and cross lines, where a wrong window would show.
const TRICKY: &str = r#"
[[rules]]
id = "touching"
regex = 'ab[a-c]{0,6}'
keywords = ["ab"]
[[rules]]
id = "across-lines"
regex = '(?i)key\s*=\s{0,3}([a-d]{2,5})'
keywords = ["key"]
[[rules]]
id = "keyword-at-the-end"
regex = '[a-f]{1,8}(?:zz|Zz)'
keywords = ["zz"]
[[rules]]
id = "line-edges"
regex = '(?m)^[a-f= ]*tok[a-f= ]*$'
keywords = ["tok"]
[[rules]]
id = "words"
regex = '\b(?:kéy|key)[a-d]?\b'
keywords = ["key", "kéy"]
[[rules]]
id = "lazy"
regex = 'tok[\s\S]{0,9}?zz'
keywords = ["tok", "zz"]
[[rules]]
id = "elsewhere"
regex = '[a-c]{3}=[a-c]'
keywords = ["key"]
[[rules]]
id = "end-of-file"
regex = 'ab(?:[^a-z]|$)'
keywords = ["AB"]
"#;

fn detectors(set: impl Fn() -> RuleSet) -> [RefCell<Detector>; 2] {
    [Search::NearKeywords, Search::WholeFile].map(|search| RefCell::new(Detector::new(set(), search).unwrap()))
}

#[track_caller]
fn check(detectors: &[RefCell<Detector>; 2], content: &[u8]) -> usize {
    let [near, whole] = detectors.each_ref().map(|detector| detector.borrow_mut().search("app.env", content).unwrap());
    assert_eq!(near, whole, "{}", String::from_utf8_lossy(content));
    near.found.len()
}

thread_local! {
    static TRICKY_DETECTORS: [RefCell<Detector>; 2] = detectors(|| RuleSet::from_text("tricky", TRICKY).unwrap());
    static BUILT_IN: [RefCell<Detector>; 2] = detectors(|| RuleSet::built_in().unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tricky_rules_on_random_text(
        parts in proptest::collection::vec(
            prop_oneof![
                Just("key"), Just("KEY"), Just("kéy"), Just("tok"), Just("zz"), Just("Zz"), Just("ab"), Just("AB"), Just("="),
                Just(" "), Just("\n"), Just("\r\n"), Just("a"), Just("b"), Just("cd"), Just("ef"), Just("é"), Just("-"),
            ],
            0..60,
        )
    ) {
        TRICKY_DETECTORS.with(|detectors| check(detectors, parts.concat().as_bytes()));
    }

    #[test]
    fn any_bytes(content in proptest::collection::vec(any::<u8>(), 0..400)) {
        TRICKY_DETECTORS.with(|detectors| check(detectors, &content));
    }
}

#[test]
fn all_samples_in_one_file() {
    let mut content = String::new();
    for samples in samples() {
        for (index, template) in samples.found.iter().chain(&samples.passed).enumerate() {
            content.push_str(&expand(template, &format!("{}/{index}", samples.rule)));
            content.push_str(if index % 3 == 0 { "\n" } else { "; " });
        }
    }
    let found = BUILT_IN.with(|detectors| check(detectors, content.as_bytes()));
    assert!(found > 250, "{found}");
    // The same as one long line, as minified code is.
    BUILT_IN.with(|detectors| check(detectors, content.replace('\n', " ").as_bytes()));
}
