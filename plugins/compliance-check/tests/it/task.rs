//! Inputs, profiles of one's own, imports, artifacts, and systems that want to do harm.

use crate::system::System;
use orch_plugin_compliance_check::{Input, Output, check};
use orch_sdk::{Finding, Status, TaskError, TestHost};
use serde_json::{Value, json};
use std::path::Path;

fn system(files: &[(&str, &str)], links: &[(&str, &str)]) -> System {
    let owned =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(one, two)| ((*one).to_owned(), (*two).to_owned())).collect();
    System { files: owned(files), links: owned(links), ..System::default() }
}

fn only(profile: &str, id: &str) -> Input {
    Input { profiles: vec![profile.to_owned()], include: vec![id.to_owned()], ..Input::default() }
}

/// A profile with one check.
fn profile(check: &str) -> String {
    format!(
        "schema: orch-compliance/v1\nname: own\ntitle: Ours\nversion: 1.0.0\ncontrols:\n  - id: one\n    title: One\n    severity: low\n    \
         check: {check}\n"
    )
}

/// Runs a profile of one's own, or an import, on a system without `stat`.
fn run(
    root: &System,
    mounts: &[(&str, &str, &str)],
    input: Input,
) -> (Result<Output, TaskError>, Vec<Finding>, TestHost) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("root")).unwrap();
    root.write(&folder.path().join("root"));
    let mut host = TestHost::new().with_mount("root", folder.path().join("root"));
    for (mount, path, text) in mounts {
        std::fs::create_dir_all(folder.path().join(mount)).unwrap();
        std::fs::write(folder.path().join(mount).join(path), text).unwrap();
        host = host.with_mount(mount, folder.path().join(mount));
    }
    let output = check(input, &host).map(|outcome| outcome.succeeded().unwrap());
    let findings = host.findings();
    (output, findings, host)
}

fn own(root: &System, text: &str) -> (Result<Output, TaskError>, Vec<Finding>) {
    let input = Input { profiles: vec!["own.yaml".to_owned()], ..Input::default() };
    let (output, findings, _) = run(root, &[("profiles", "own.yaml", text)], input);
    (output, findings)
}

#[track_caller]
fn answers(root: &System, check: &str, expected: Status, says: &str) {
    let (output, findings) = own(root, &profile(check));
    output.unwrap();
    let detail = findings[0].detail.as_deref().unwrap_or_default();
    assert!(findings[0].status == expected && detail.contains(says), "{check}: {:?}: {detail}", findings[0].status);
}

#[test]
fn checks_of_ones_own() {
    let root = system(
        &[
            ("etc/a.conf", "; a comment\n[One]\nkey = 1\n[Two]\nkey = \"two\"\nlist = a, b\n"),
            ("etc/modprobe.d/a.conf", "install usb_storage /bin/true\nblacklist usb-storage\n"),
            ("usr/lib/sysctl.d/50-default.conf", "net.ipv4.conf.*.rp_filter = 2\n-net.ipv4.conf.all.rp_filter\n"),
            ("etc/systemd/system/multi-user.target.wants/own.service", ""),
        ],
        &[("etc/systemd/system/off.service", "/dev/null"), ("srv/link", "/etc/a.conf")],
    );
    let setting = |rest: &str| format!("{{ setting: {{ format: ini, files: [etc/a.conf], {rest} }} }}");
    answers(&root, &setting("section: One, key: key, equals: '1'"), Status::Passed, "");
    answers(&root, &setting("section: Two, key: key, equals: '1'"), Status::Open, "`key` is `two`, expected `1`");
    answers(&root, &setting("section: Two, key: list, only: [a, b]"), Status::Passed, "");
    answers(&root, &setting("section: Two, key: list, without: ['B*']"), Status::Open, "none of `B*`");
    answers(&root, &setting("section: One, key: other, is-set: false"), Status::Passed, "");
    answers(&root, &setting("section: One, key: other, at-least: 1"), Status::Open, "not set, expected at least 1");
    answers(&root, "{ not: { file: { path: etc/a.conf } } }", Status::Open, "is there");
    answers(&root, "{ file: { path: 'etc/*.conf', contains: ['^key'], contains-not: [three] } }", Status::Passed, "");
    answers(&root, "{ file: { path: srv/link, kind: link, contains: ['^key'] } }", Status::Passed, "");
    answers(&root, "{ file: { path: srv/link, kind: file } }", Status::Open, "is link, expected file");
    answers(&root, "{ file: { path: etc/b, missing: not-applicable } }", Status::NotApplicable, "");
    answers(&root, "{ kernel-module: { name: usb-storage } }", Status::Passed, "");
    answers(&root, "{ service: { unit: off.service, state: [masked] } }", Status::Passed, "");
    answers(
        &root,
        "{ service: { unit: none.service, state: [enabled] } }",
        Status::Open,
        "is absent, expected enabled",
    );
    answers(&root, "{ package: { name: sudo, installed: false } }", Status::Error, "no database of dpkg");
    answers(&root, "{ user: { rule: unique-user-ids } }", Status::Error, "etc/passwd");
    let sysctl = |key: &str| format!("{{ setting: {{ format: sysctl, key: {key}, equals: '2' }} }}");
    answers(&root, &sysctl("net.ipv4.conf.eth0.rp_filter"), Status::Passed, "");
    answers(&root, &sysctl("net/ipv4/conf/all/rp_filter"), Status::Open, "not set");
    answers(
        &root,
        "{ any-of: [{ file: { path: no } }, { package: { name: a, installed: true } }] }",
        Status::Error,
        "",
    );
    answers(&root, "{ all-of: [{ file: { path: no } }, { package: { name: a, installed: true } }] }", Status::Open, "");
}

#[test]
fn modes_without_stat_are_errors_that_say_what_to_grant() {
    let root = system(&[("etc/shadow", "root:*:1::::::\n")], &[]);
    answers(
        &root,
        "{ file: { path: etc/shadow, mode: '0640' } }",
        Status::Error,
        "alias: stat, program: /usr/bin/stat",
    );
    answers(&root, "{ not: { file: { path: etc/shadow, owner: root } } }", Status::Error, "alias: stat");
}

#[test]
fn systems_that_want_to_do_harm() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "PermitRootLogin no\n").unwrap();
    let secret = outside.path().join("secret");
    let deep =
        (0..30).map(|number| (format!("etc/ssh/{number}.conf"), format!("Include /etc/ssh/{}.conf\n", number + 1)));
    let mut chain = System { files: deep.collect(), ..System::default() };
    chain.files.insert("etc/ssh/sshd_config".to_owned(), "Include 0.conf\n".to_owned());
    let huge = format!("{}\nPermitRootLogin no\n", "#".repeat(3 << 20));
    let cases = [
        (system(&[("etc/ssh/sshd_config", "Include /etc/ssh/sshd_config\n")], &[]), Status::Error, "without end"),
        (chain, Status::Error, "without end"),
        (system(&[("etc/ssh/sshd_config", &huge)], &[]), Status::Error, "larger than"),
        // The link stays below the root, where there is no such file.
        (system(&[], &[("etc/ssh/sshd_config", secret.to_str().unwrap())]), Status::Error, "missing"),
        (system(&[], &[("etc/ssh/sshd_config", "b"), ("etc/ssh/b", "sshd_config")]), Status::Error, "in a circle"),
        (
            system(&[("srv/config", "PermitRootLogin no\n")], &[("etc/ssh/sshd_config", "/../../srv/config")]),
            Status::Passed,
            "is `no`",
        ),
        (system(&[("etc/ssh/sshd_config", "\u{1b}[2J\0\nPermitRootLogin \u{1b}[1m\n")], &[]), Status::Open, "`[1m`"),
    ];
    for (number, (root, expected, says)) in cases.iter().enumerate() {
        let check = "{ setting: { format: sshd, key: PermitRootLogin, default: prohibit-password, equals: 'no' } }";
        let (output, findings) = own(root, &profile(check));
        output.unwrap();
        let detail = findings[0].detail.as_deref().unwrap_or_default();
        assert!(
            findings[0].status == *expected && detail.contains(says),
            "{number}: {:?} {detail}",
            findings[0].status
        );
    }
}

#[test]
fn a_stat_that_prints_something_else_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    system(&[("etc/ssh/sshd_config", "")], &[]).write(folder.path());
    for printed in [
        "",
        "81a4 0 0",
        "xyz 0 0 regular file",
        "a1ff 0 0 symbolic link",
        "41ed 0 0 directory",
        "81a4 -1 0 regular file",
    ] {
        let host = TestHost::new().with_mount("root", folder.path()).with_program("stat", move |_| Ok(printed.into()));
        check(only("ssh", "ssh-config-mode"), &host).unwrap();
        assert_eq!(host.findings()[0].status, Status::Error, "{printed}");
    }
}

#[test]
fn broken_profiles_say_where() {
    let good = profile("{ file: { path: etc/passwd } }");
    let cases = [
        (
            good.replace("severity: low", "severity: awful"),
            "line 8: unknown variant `awful`, expected one of `info`, `low`",
        ),
        (
            good.replace("    title: One", "    titel: One"),
            "line 7: unknown field `titel`, expected one of `id`, `title`",
        ),
        (
            profile("{ fille: {} }"),
            "line 9: unknown variant `fille`, expected one of `all-of`, `any-of`, `not`, `file`",
        ),
        (profile("{ file: { path: a, mode: '999' } }"), "is no mode in octal"),
        (profile("{ file: { path: a, contains: ['('] } }"), "is no regular expression: error: unclosed group"),
        (profile("{ file: { path: a, contains: ['(a{500}){500}'] } }"), "size limit"),
        (profile("{ file: { path: [] } }"), "`file` without a path"),
        (profile("{ all-of: [] }"), "an empty list of checks"),
        (profile("{ setting: { format: sshd, key: a } }"), "compares with nothing (known: `is-set`"),
        (profile("{ user: { rule: unique-user-ids, at-most: 1 } }"), "belongs to the rules with days"),
        (good.replace("orch-compliance/v1", "orch-compliance/v9"), "(known: `orch-compliance/v1`)"),
        (format!("{good}{}", good.split_once("controls:\n").unwrap().1), "the id `one` stands twice"),
        (good.replace("id: one", "id: 'o ne'"), "the id `o ne` is not made of"),
        (profile(&"{ not: ".repeat(60)), "nested more than"),
        ("a: [".to_owned(), "no YAML"),
    ];
    for (text, expected) in cases {
        match own(&System::default(), &text).0 {
            Err(TaskError::InvalidInput(reason)) => assert!(reason.contains(expected), "{reason}\nnot\n{expected}"),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

#[test]
fn wrong_input_says_what_is_known() {
    let wrong = |input: Value| match run(&System::default(), &[], serde_json::from_value(input).unwrap()).0 {
        Err(TaskError::InvalidInput(reason)) => reason,
        other => panic!("{other:?}"),
    };
    let known = wrong(json!({ "profiles": ["debian"] }));
    assert!(known.contains("no such profile (known: `debian-12`, `ssh`)"), "{known}");
    let near = wrong(json!({ "exclude": ["ssh-root-logins"] }));
    assert!(near.contains("fits no control (known: `ssh-access`") && !near.contains("mount-tmp"), "{near}");
    assert!(wrong(json!({ "profiles": ["../a.yaml"] })).contains("leaves the mount"));
    assert!(wrong(json!({ "profiles": [] })).contains("nothing to check"));
    assert!(wrong(json!({ "profiles": ["ssh", "ssh"] })).contains("two profiles of the name `ssh`"));
    assert!(wrong(json!({ "timestamp": "yesterday" })).contains("RFC 3339"));
    let denied = check(Input::default(), &TestHost::new());
    assert!(matches!(denied, Err(TaskError::Denied { .. })));
    let host = TestHost::new();
    host.cancel();
    let folder = tempfile::tempdir().unwrap();
    let host = host.with_mount("root", folder.path());
    assert!(matches!(check(Input::default(), &host), Err(TaskError::Cancelled)));
}

#[test]
fn a_profile_for_another_system_does_not_apply() {
    let root = system(&[("etc/os-release", "ID=alpine\nVERSION_ID=3.20\n")], &[]);
    let (output, findings) = root.check(Input::default());
    let output = output.unwrap();
    assert_eq!((output.passed, output.failed, output.errors, output.score), (0, 0, 0, None));
    assert!(findings.iter().all(|one| one.status == Status::NotApplicable));
    assert_eq!(output.not_applicable, findings.len() as u64);
}

fn import(text: &str) -> (Result<Output, TaskError>, Vec<Finding>) {
    let input = Input { profiles: Vec::new(), import: vec!["a.json".to_owned()], ..Input::default() };
    let (output, findings, _) = run(&System::default(), &[("results", "a.json", text)], input);
    (output, findings)
}

#[test]
fn results_of_inspec() {
    let result = |status: &str| json!({ "status": status, "code_desc": "it is so", "start_time": "x" });
    let control = |id: &str, impact: f64, results: Vec<Value>| json!({ "id": id, "title": id, "impact": impact, "results": results, "tags": {}, "refs": [{ "url": "https://a.example" }] });
    let document = json!({ "platform": {}, "version": "5", "profiles": [{ "name": "theirs", "version": "2", "controls": [
        control("a", 0.7, vec![result("passed"), result("failed")]),
        control("b", 1.0, vec![result("passed"), result("error")]),
        control("c", 0.3, vec![result("passed"), result("skipped")]),
        control("d", 0.5, vec![result("skipped")]),
        control("e", 0.0, vec![result("failed")]),
        control("f", 0.5, vec![]),
        control("g", 0.5, vec![result("passed"), result("strange")]),
        control("h", 0.5, vec![result("skipped"), result("strange")]),
    ] }] });
    let (output, findings) = import(&document.to_string());
    let output = output.unwrap();
    assert_eq!((output.passed, output.failed, output.errors, output.not_applicable), (1, 1, 3, 3));
    assert_eq!((output.score, output.failed_controls), (Some(0.5), vec!["theirs/a".to_owned()]));
    let severities: Vec<String> = findings.iter().take(3).map(|one| format!("{:?}", one.severity)).collect();
    assert_eq!(severities, ["High", "Critical", "Low"]);
    assert_eq!(findings[0].data.as_ref().unwrap()["tool"], "inspec");
}

#[test]
fn results_as_sarif() {
    let result = |rule: &str, more: Value| {
        let mut result = json!({ "ruleId": rule, "message": { "text": format!("about {rule}") }, "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": "src/a.c" }, "region": { "startLine": 3 } } }] });
        result.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        result
    };
    let document = json!({ "version": "2.1.0", "runs": [{ "tool": { "driver": { "name": "linter", "rules": [
        { "id": "a", "properties": { "security-severity": "9.8" } }, { "id": "b" } ] } }, "results": [
        result("a", json!({})),
        result("b", json!({ "level": "note" })),
        result("c", json!({ "kind": "pass" })),
        result("d", json!({ "kind": "review" })),
        result("e", json!({ "suppressions": [{ "kind": "inSource" }] })),
        result("f", json!({ "suppressions": [{ "kind": "external", "status": "rejected" }] })),
    ] }] });
    let (output, findings) = import(&document.to_string());
    let output = output.unwrap();
    assert_eq!((output.passed, output.failed, output.errors, output.not_applicable), (1, 3, 1, 1));
    let found: Vec<_> = findings.iter().map(|one| format!("{} {:?}", one.rule, one.severity)).collect();
    assert_eq!(found, ["a Critical", "b Low", "c Medium", "d Medium", "e Medium", "f Medium"]);
    let place = findings[0].location.as_ref().unwrap();
    assert_eq!((place.path.as_str(), place.line), ("src/a.c", Some(3)));
}

#[test]
fn imports_that_cannot_be_read_are_no_pass() {
    let cases = [
        ("{", "no JSON"),
        ("{}", "neither `profiles` nor `runs` (known: the JSON reporter of InSpec, SARIF 2.1.0)"),
        (r#"{ "version": "2.0.0", "runs": [] }"#, "(known: `2.1.0`)"),
        (r#"{ "version": "2.1.0", "runs": [{ "tool": { "driver": { "name": "a" } } }] }"#, "was not finished"),
        (r#"{ "profiles": [{ "name": "a" }] }"#, "has no `controls`"),
        (r#"{ "profiles": [{ "name": "a", "controls": [{}] }] }"#, "has no `id`"),
    ];
    for (text, expected) in cases {
        match import(text).0 {
            Err(TaskError::InvalidInput(reason)) => assert!(reason.contains(expected), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
    let deep = format!("{{ \"profiles\": {} }}", "[".repeat(100_000));
    assert!(matches!(import(&deep).0, Err(TaskError::InvalidInput(_))));
}

#[test]
fn artifacts_have_every_result() {
    let text = profile("{ file: { path: etc/a } }").replace("title: One", "title: 'A <b> & \"c\"'");
    let input = Input { profiles: vec!["own.yaml".to_owned()], ..Input::default() };
    let (_, _, host) = run(&System::default(), &[("profiles", "own.yaml", &text)], input.clone());
    let [hdf, junit] = &host.artifacts()[..] else { panic!("two artifacts") };
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <testsuites name=\"orch/compliance-check\" tests=\"1\" failures=\"1\" errors=\"0\" skipped=\"0\">\n  \
        <testsuite name=\"own\" tests=\"1\" failures=\"1\" errors=\"0\" skipped=\"0\">\n    \
        <testcase classname=\"own\" name=\"one: A &lt;b&gt; &amp; &quot;c&quot;\"><failure message=\"`etc/a` is not there\"></failure></testcase>\n  \
        </testsuite>\n</testsuites>\n";
    assert_eq!(String::from_utf8(junit.content.clone()).unwrap(), expected);
    let hdf: Value = serde_json::from_slice(&hdf.content).unwrap();
    for key in ["platform", "version", "statistics", "profiles"] {
        assert!(!hdf[key].is_null(), "{key}");
    }
    let profile = &hdf["profiles"][0];
    for key in ["name", "sha256", "supports", "attributes", "groups", "controls"] {
        assert!(!profile[key].is_null(), "{key}");
    }
    let control = &profile["controls"][0];
    assert_eq!((&control["id"], &control["impact"]), (&json!("one"), &json!(0.3)));
    assert!(control["refs"].is_array() && control["tags"].is_object() && control["source_location"].is_object());
    let result = &control["results"][0];
    assert_eq!((&result["status"], &result["start_time"]), (&json!("failed"), &json!("1970-01-01T00:00:00Z")));
    // What is written can be read again, by the import of the same plugin.
    let (output, _) = import(&hdf.to_string());
    assert_eq!(output.unwrap().failed_controls, ["own/one"]);
}

#[test]
fn the_readme_counts_right() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    for (name, text) in orch_plugin_compliance_check::profile::BUILT_IN {
        let profile = orch_plugin_compliance_check::profile::read(text).unwrap();
        let row = format!("| `{name}` | {} |", profile.controls.len());
        assert!(readme.contains(&row), "the README has no row `{row}`");
    }
}
