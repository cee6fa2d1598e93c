//! Rule files in gitleaks' form.

mod support;

use orch_plugin_secret_scan::pattern::{Pattern, translate};
use orch_plugin_secret_scan::{Input, scan};
use orch_sdk::{Severity, TaskError, TestHost};
use support::{Tree, github_token};

/// `files` scanned with `config` as the tree's `.gitleaks.toml`.
#[track_caller]
fn check(config: &str, files: &[(&str, &str)], expected: &[&str]) {
    let tree = Tree::new(files);
    tree.write(".gitleaks.toml", config.as_bytes());
    assert_eq!(tree.found(Input { exclude: vec![".gitleaks.toml".into()], ..Input::default() }), expected);
}

#[track_caller]
fn check_error(config: &str, expected: &str) {
    let tree = Tree::new(&[(".gitleaks.toml", config)]);
    let error = scan(Input::default(), &tree.host()).unwrap_err();
    assert_eq!(error, TaskError::InvalidInput(expected.to_owned()));
}

#[track_caller]
fn check_warnings(config: &str, expected: &[&str]) {
    let tree = Tree::new(&[(".gitleaks.toml", config)]);
    let host = tree.scan(Input::default()).2;
    let said: Vec<_> = host.logs().into_iter().map(|(_, message)| message).collect();
    assert_eq!(said, expected);
}

const ONE: &str =
    "[[rules]]\nid = 'acme'\ndescription = 'ACME key'\nregex = 'acme_([a-z0-9]{8})'\nkeywords = ['ACME_']\n";

#[test]
fn a_file_of_ones_own_replaces_the_built_in_rules() {
    let token = github_token("own");
    check(ONE, &[("a", &format!("{token}\nx acme_1234abcd\n"))], &["a:2 acme"]);
}

#[test]
fn use_default_adds_to_the_built_in_rules() {
    let token = github_token("both");
    let config = format!("[extend]\nuseDefault = true\n{ONE}");
    check(&config, &[("a", &format!("{token}\nacme_1234abcd\n"))], &["a:1 github-pat", "a:2 acme"]);
    let config = format!("[extend]\nuseDefault = true\ndisabledRules = ['github-pat']\n{ONE}");
    check(&config, &[("a", &format!("{token}\nacme_1234abcd\n"))], &["a:2 acme"]);
}

#[test]
fn a_built_in_rule_can_be_amended() {
    let token = github_token("amended");
    let config = "[extend]\nuseDefault = true\n[[rules]]\nid = 'github-pat'\nseverity = 'low'\n\
                  [[rules.allowlists]]\npaths = ['^fixtures/']\n";
    let tree = Tree::new(&[(".gitleaks.toml", config), ("a", &token), ("fixtures/b", &token)]);
    let (output, findings, _) = tree.scan(Input::default());
    assert_eq!(findings.iter().map(support::place).collect::<Vec<_>>(), ["a:1 github-pat"]);
    assert_eq!(findings[0].severity, Severity::Low);
    assert_eq!(output.suppressed.allowlist, 1);
    assert_eq!(output.config, ".gitleaks.toml");
}

#[test]
fn allowlists() {
    let text = "key acme_1234abcd\nacme_testtest acme_zzzz9999\n";
    let files = [("src/a.txt", text), ("docs/b.txt", text)];
    let all = [
        "docs/b.txt:1 acme",
        "docs/b.txt:2 acme",
        "docs/b.txt:2 acme",
        "src/a.txt:1 acme",
        "src/a.txt:2 acme",
        "src/a.txt:2 acme",
    ];
    for (list, expected) in [
        ("[allowlist]\npaths = ['nothing']", all.to_vec()),
        ("[allowlist]\npaths = ['^docs/']", all[3..].to_vec()),
        ("[rules.allowlist]\npaths = ['(?i)^DOCS/']", all[3..].to_vec()),
        ("[[rules.allowlists]]\nregexes = ['^1234']", vec![all[1], all[2], all[4], all[5]]),
        ("[[rules.allowlists]]\nregexes = ['^acme_1234']\nregexTarget = 'match'", vec![all[1], all[2], all[4], all[5]]),
        ("[[rules.allowlists]]\nregexes = ['^acme_1234']", all.to_vec()),
        ("[[rules.allowlists]]\nregexes = ['^key']\nregexTarget = 'line'", vec![all[1], all[2], all[4], all[5]]),
        ("[[rules.allowlists]]\nstopwords = ['TEST']", vec![all[0], all[1], all[3], all[4]]),
        (
            "[[allowlists]]\ncondition = 'AND'\npaths = ['^docs/']\nstopwords = ['test']",
            vec![all[0], all[1], all[3], all[4], all[5]],
        ),
        ("[[allowlists]]\ncondition = 'AND'\npaths = ['^docs/']\ncommits = ['abc']", all.to_vec()),
        ("[[allowlists]]\ntargetRules = ['acme']\npaths = ['^docs/']", all[3..].to_vec()),
        ("[[allowlists]]\ntargetRules = ['other']\npaths = ['^docs/']", all.to_vec()),
    ] {
        check(&format!("{ONE}{list}\n"), &files, &expected);
    }
}

#[test]
fn rule_keys() {
    for (rule, content, expected) in [
        // Entropy must be above, not at, the figure.
        ("regex = 'k=(\\w+)'\nentropy = 2", "k=abcd", vec![]),
        ("regex = 'k=(\\w+)'\nentropy = 1.9", "k=abcd", vec!["a.txt:1 r"]),
        // The named group is the secret: entropy is its own.
        ("regex = '(\\w+)=(\\w+)'\nsecretGroup = 2\nentropy = 1", "abcdefgh=aaaa", vec![]),
        ("regex = '(\\w+)=(\\w+)'\nsecretGroup = 1\nentropy = 1", "abcdefgh=aaaa", vec!["a.txt:1 r"]),
        ("regex = 'secret'\npath = '\\.md$'", "secret", vec![]),
        ("regex = 'secret'\npath = '\\.txt$'", "secret", vec!["a.txt:1 r"]),
        ("path = '\\.txt$'", "anything", vec!["a.txt r"]),
        ("regex = 'secret'\nkeywords = ['absent']", "secret", vec![]),
        ("regex = 'secret'\nkeywords = ['Present']", "secret\nPRESENT", vec!["a.txt:1 r"]),
        ("regex = 'secret'\nskipReport = true", "secret", vec![]),
        ("regex = 'secret'", "a secret # gitleaks:allow", vec![]),
    ] {
        check(&format!("[[rules]]\nid = 'r'\n{rule}\n"), &[("a.txt", content)], &expected);
    }
}

#[test]
fn mistakes_name_file_rule_and_reason() {
    for (config, expected) in [
        ("rules = 1", "`.gitleaks.toml`: `rules` must be a table, not integer"),
        ("[[rules]]\nregex = 'a'", "`.gitleaks.toml`: rule 1: has no `id`"),
        ("[[rules]]\nid = 'a'", "`.gitleaks.toml`: rule `a`: needs `regex` or `path`"),
        ("[[rules]]\nid = 'a'\nregex = 'x('", "`.gitleaks.toml`: rule `a`: `regex`: unclosed group"),
        ("[[rules]]\nid = 'a'\nregex = 3", "`.gitleaks.toml`: rule `a`: `regex` must be a string, not integer"),
        (
            "[[rules]]\nid = 'a'\nregex = 'x'\nkeywords = 'x'",
            "`.gitleaks.toml`: rule `a`: `keywords` must be an array of strings, not string",
        ),
        (
            "[[rules]]\nid = 'a'\nregex = '(x)'\nsecretGroup = 2",
            "`.gitleaks.toml`: rule `a`: `secretGroup` is above the number of groups in `regex`, 1",
        ),
        (
            "[[rules]]\nid = 'a'\nregex = 'x'\n[[rules]]\nid = 'a'\nregex = 'y'",
            "`.gitleaks.toml`: there are two rules `a`",
        ),
        (
            "[[rules]]\nid = 'a'\nregex = 'x'\nseverity = 'bad'",
            "`.gitleaks.toml`: rule `a`: unknown severity `bad` (known: info, low, medium, high, critical)",
        ),
        ("[[allowlists]]\nregexes = ['a**?+(']", "`.gitleaks.toml`: allowlist 1: `regexes`: `a**?+(`: unclosed group"),
        (
            "[[allowlists]]\ncondition = 'XOR'",
            "`.gitleaks.toml`: allowlist 1: unknown `condition` `XOR` (known: OR, AND)",
        ),
        (
            "[extend]\npath = 'other.toml'",
            "`.gitleaks.toml`: `extend`: `extend.path` is not supported: put the rules into this file, or use `extend.useDefault`",
        ),
    ] {
        check_error(config, expected);
    }
}

#[test]
fn what_has_no_effect_is_a_warning() {
    check_warnings(
        "colour = 1\n[extend]\nuseDefault = true\ndisabledRules = ['no-such']\n[[allowlists]]\ncommits = ['abc']\ntargetRules = ['gone']\n",
        &[
            "`.gitleaks.toml`: unknown key `colour`, which has no effect",
            "`.gitleaks.toml`: allowlist 1: `commits` has no effect: a tree of files is scanned, not its history",
            "`.gitleaks.toml`: `disabledRules` names `no-such`, which is no built-in rule",
            "`.gitleaks.toml`: `targetRules` names `gone`, which is no rule here",
        ],
    );
}

#[test]
fn the_config_mount_goes_before_the_tree() {
    let tree = Tree::new(&[("a", "acme_1234abcd"), ("rules.toml", "not toml")]);
    let config = Tree::new(&[("rules.toml", ONE)]);
    let host = tree.host().with_mount("config", config.0.path());
    let input = Input { config: Some("rules.toml".into()), ..Input::default() };
    let output = scan(input.clone(), &host).unwrap().succeeded().unwrap();
    assert_eq!((output.findings, output.rules, output.config.as_str()), (1, 1, "rules.toml"));
    assert!(matches!(scan(input, &tree.host()), Err(TaskError::InvalidInput(_))));
    for name in ["../x.toml", "/etc/passwd", "", "missing.toml"] {
        let input = Input { config: Some(name.into()), ..Input::default() };
        assert!(matches!(scan(input, &tree.host()), Err(TaskError::InvalidInput(_))), "{name}");
    }
    assert!(matches!(scan(Input::default(), &TestHost::new()), Err(TaskError::Denied { .. })));
}

#[test]
fn the_syntax_of_go() {
    for (go, fits, fails) in [
        (r"^a\z", "a", "ab"),
        (r"(?P<n>a)b", "ab", "b"),
        (r"\Qa.b\E+", "a.bb", "axb"),
        (r"a\<b\>", "a<b>", "ab"),
        (r"\$\{x{2}", "${xx", "${x"),
        (r"^{foo}$", "{foo}", "foo"),
        (r"^a{,3}$", "a{,3}", "aa"),
        (r"^[[a]$", "[", "b"),
        (r"^[]a]$", "]", "b"),
        (r"^[a&&b]+$", "a&b", "c"),
        (r"^[+--]$", ",", "a"),
        (r"^[a-c-]$", "-", "d"),
        (r"^[\w-]+$", "a-b", "a b"),
        (r"^[\w-.]+$", "a-.", "a b"),
        (r"^[[:alpha:]_]+$", "a_", "1"),
        (r"^\101\x41$", "AA", "BB"),
        (r"^\s$", "\t", "\u{b}"),
        (r"^\w$", "a", "é"),
        (r"^é\w$", "éa", "éé"),
        (r"^\pL$", "é", "1"),
        (r"(?U)a+$", "aa", "b"),
        ("\\x60a\\x60", "`a`", "a"),
    ] {
        let pattern = Pattern::new(go);
        if let Err(reason) = pattern.regex() {
            panic!("{go} as {:?}: {reason}", translate(go));
        }
        assert!(pattern.is_match(fits.as_bytes()), "{go} as {:?} should fit {fits}", translate(go));
        assert!(!pattern.is_match(fails.as_bytes()), "{go} as {:?} should not fit {fails}", translate(go));
    }
    for wrong in [r"(a)\1", "a\\", "[a", "(?=a)", "a)", r"\x{41"] {
        assert!(Pattern::new(wrong).regex().is_err(), "{wrong}");
    }
}
