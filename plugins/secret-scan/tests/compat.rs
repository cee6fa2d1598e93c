//! Rule files in gitleaks' form.

mod support;

use orch_plugin_secret_scan::pattern::{Pattern, translate};
use orch_plugin_secret_scan::{FileList, Input, scan};
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
        ("rules = 1", "`.gitleaks.toml` line 1: `rules` must be a table, not integer"),
        ("[[rules]]\nregex = 'a'", "`.gitleaks.toml` line 1: rule 1: has no `id`"),
        (
            "[[rules]]\nid = 'a'",
            "`.gitleaks.toml` line 1: rule `a`: needs `regex` or `path`; only a rule of an earlier file can go without",
        ),
        ("[[rules]]\nid = 'a'\nregex = 'x('", "`.gitleaks.toml` line 3: rule `a`: `regex`: unclosed group"),
        ("[[rules]]\nid = 'a'\nregex = 3", "`.gitleaks.toml` line 3: rule `a`: `regex` must be a string, not integer"),
        (
            "[[rules]]\nid = 'a'\nregex = 'x'\nkeywords = 'x'",
            "`.gitleaks.toml` line 4: rule `a`: `keywords` must be an array of strings, not string",
        ),
        (
            "[[rules]]\nid = 'a'\nregex = '(x)'\nsecretGroup = 2",
            "`.gitleaks.toml` line 4: rule `a`: `secretGroup` is above the number of groups in `regex`, 1",
        ),
        (
            "[[rules]]\nid = 'a'\nregex = 'x'\n[[rules]]\nid = 'a'\nregex = 'y'",
            "`.gitleaks.toml` line 4: rule `a`: there is a rule of this id at line 1 already; rename one",
        ),
        (
            "[[rules]]\nid = 'a'\nregex = 'x'\nseverity = 'bad'",
            "`.gitleaks.toml` line 4: rule `a`: unknown severity `bad` (known: info, low, medium, high, critical)",
        ),
        (
            "[[allowlists]]\nregexes = ['a**?+(']",
            "`.gitleaks.toml` line 2: allowlist 1: `regexes`: `a**?+(`: unclosed group",
        ),
        (
            "[[allowlists]]\ncondition = 'XOR'",
            "`.gitleaks.toml` line 2: allowlist 1: unknown `condition` `XOR` (known: OR, AND)",
        ),
        (
            "[extend]\npath = 'other.toml'",
            "`.gitleaks.toml` line 2: `extend`: `extend.path` is not supported: name several files in the input `config`, or use `extend.useDefault`",
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
            "`.gitleaks.toml` line 1: unknown key `colour`, which has no effect",
            "`.gitleaks.toml` line 6: allowlist 1: `commits`: `abc` fits no commit: write its 40 or 64 digits",
            "`.gitleaks.toml`: `disabledRules` names `no-such`, which is no rule before it",
            "`.gitleaks.toml`: `targetRules` names `gone`, which is no rule here",
            "`.gitleaks.toml` line 6: allowlist 1: `commits` has no effect without the input `history`: a tree of files has no commits",
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

#[test]
fn several_files_extend_each_other() {
    let token = github_token("several");
    let tree = Tree::new(&[("a", &format!("{token}\nacme_1234abcd\nbeta-77\n")), ("docs/b", "acme_1234abcd")]);
    let config = Tree::new(&[
        ("default.toml", "[extend]\nuseDefault = true\n"),
        ("one.toml", ONE),
        ("two.toml", "[[rules]]\nid = 'acme'\nseverity = 'low'\n[[rules]]\nid = 'beta'\nregex = 'beta-\\d+'\n"),
        (
            "three.toml",
            "[extend]\ndisabledRules = ['beta']\n[[allowlists]]\ntargetRules = ['acme']\npaths = ['^docs/']\n",
        ),
        ("wrong.toml", "\n\n[[rules]]\nid = 'acme'\nregex = '('\n"),
    ]);
    let host = || tree.host().with_mount("config", config.0.path());
    let input = |names: &[&str]| Input {
        config: Some(FileList(names.iter().map(|name| (*name).to_owned()).collect())),
        ..Input::default()
    };
    for (names, expected) in [
        (&["one.toml"][..], &["a:2 acme", "docs/b:1 acme"][..]),
        (&["one.toml", "two.toml"], &["a:2 acme", "a:3 beta", "docs/b:1 acme"]),
        (&["one.toml", "two.toml", "three.toml"], &["a:2 acme"]),
        // The built-in rules come first wherever they are asked for.
        (&["one.toml", "default.toml"], &["a:1 github-pat", "a:2 acme", "docs/b:1 acme"]),
    ] {
        let host = host();
        let output = scan(input(names), &host).unwrap().succeeded().unwrap();
        assert_eq!(host.findings().iter().map(support::place).collect::<Vec<_>>(), expected, "{names:?}");
        assert_eq!(output.config, names.join(", "));
    }
    let host = host();
    scan(input(&["one.toml", "two.toml"]), &host).unwrap();
    assert_eq!(host.findings()[0].severity, Severity::Low);
    for (names, reason) in [
        (&["two.toml"][..], "`two.toml` line 1: rule `acme`: needs `regex` or `path`"),
        (&["one.toml", "wrong.toml"], "`wrong.toml` line 5: rule `acme`: `regex`: unclosed group"),
        (&["one.toml", "gone.toml"], "`config`: `gone.toml` cannot be read"),
        (&[], "`config` is an empty list"),
    ] {
        match scan(input(names), &tree.host().with_mount("config", config.0.path())) {
            Err(TaskError::InvalidInput(text)) => assert!(text.starts_with(reason), "{text}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn rules_that_require_others() {
    const PAIR: &str = "[[rules]]\nid = 'secret'\nregex = 'sec_([a-z0-9]{8})'\n[[rules]]\nid = 'name'\nregex = 'user_[a-z0-9]{4}'\n\
                        keywords = ['user_']\nskipReport = true\n[[rules.allowlists]]\nregexes = ['user_test']\n";
    let pair =
        |required: &str| PAIR.replacen("[[rules]]\nid = 'name'", &format!("{required}\n[[rules]]\nid = 'name'"), 1);
    let near = pair("[[rules.required]]\nid = 'name'\nwithinLines = 1\n");
    let alone = "sec_1234abcd\n";
    let beside = "user_ab12 sec_1234abcd\n";
    let apart = "user_ab12\n\n\nsec_1234abcd\nsec_aaaa1111 user_ab12\n";
    for (config, content, expected) in [
        (PAIR.to_owned(), alone, &["a:1 secret"][..]),
        (near.clone(), alone, &[]),
        (near.clone(), beside, &["a:1 secret"]),
        (near.clone(), apart, &["a:4 secret", "a:5 secret"]),
        (near.clone(), "user_ab12\n\nsec_1234abcd\n", &[]),
        (near.clone(), "user_test\nsec_1234abcd\n", &[]),
        (pair("[[rules.required]]\nid = 'name'\n"), "user_ab12\n\n\n\n\n\nsec_1234abcd\n", &["a:7 secret"]),
        (
            pair("[[rules.required]]\nid = 'name'\nwithinColumns = 3\n"),
            "   user_ab12\n\n\nsec_1234abcd\n",
            &["a:4 secret"],
        ),
        (pair("[[rules.required]]\nid = 'name'\nwithinColumns = 2\n"), "   user_ab12\n\n\nsec_1234abcd\n", &[]),
        (pair("[[rules.required]]\nid = 'name'\nwithinLines = 0\nwithinColumns = 10\n"), beside, &["a:1 secret"]),
        (near.replace("skipReport = true\n", ""), beside, &["a:1 name", "a:1 secret"]),
    ] {
        check(&config, &[("a", content)], expected);
    }
    for (required, reason) in [
        (
            "[[rules.required]]\n",
            "line 4: rule `secret`: `required`: has no `id`: name the rule that has to find something too",
        ),
        (
            "[[rules.required]]\nid = 'nobody'\n",
            "line 4: rule `secret`: `required`: `nobody` is no rule of this file or one before it",
        ),
        ("[[rules.required]]\nid = 'secret'\n", "line 4: rule `secret`: `required`: a rule cannot require itself"),
        (
            "[[rules.required]]\nid = 'name'\nwithinLines = -1\n",
            "line 6: rule `secret`: `required`: `withinLines` must be a number from 0 to 4294967295",
        ),
    ] {
        check_error(&pair(required), &format!("`.gitleaks.toml` {reason}"));
    }
    // Many of both on one line each are not compared all with all.
    let many = format!("{}{}", "user_ab12 ".repeat(20_000), "\n\nsec_1234abcd".repeat(20_000));
    let tree = Tree::new(&[(".gitleaks.toml", &near), ("a", &many)]);
    assert_eq!(tree.scan(Input::default()).0.findings, 0);
}
