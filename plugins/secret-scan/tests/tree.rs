//! Which files are read, what is left out, and what is said about a find.

mod support;

use orch_plugin_secret_scan::{ByteSize, Input, scan};
use orch_sdk::{Severity, Status, TaskError};
use support::{Tree, expand, github_token};

fn token() -> String {
    github_token("tree")
}

/// Which of the files, each holding a token, are read.
#[track_caller]
fn check(ignore_files: &[(&str, &str)], files: &[&str], input: Input, expected: &[&str]) {
    let token = token();
    let mut all: Vec<(&str, &str)> = files.iter().map(|file| (*file, token.as_str())).collect();
    all.extend_from_slice(ignore_files);
    let tree = Tree::new(&all);
    let found: Vec<_> = tree.found(input).into_iter().map(|place| place.replace(":1 github-pat", "")).collect();
    assert_eq!(found, expected);
}

#[test]
fn ignore_files() {
    let files = ["a.log", "a.txt", "build/x", "keep.log", "src/a.log", "src/gen/b", "src/keep/b", "src/main.rs"];
    for (ignore, expected) in [
        (
            &[][..],
            &["a.log", "a.txt", "build/x", "keep.log", "src/a.log", "src/gen/b", "src/keep/b", "src/main.rs"][..],
        ),
        (
            &[(".gitignore", "*.log\n!keep.log\n/build/\n")],
            &["a.txt", "keep.log", "src/gen/b", "src/keep/b", "src/main.rs"],
        ),
        (
            &[(".gitignore", "*.log\n"), ("src/.gitignore", "!a.log\ngen\n")],
            &["a.txt", "build/x", "src/a.log", "src/keep/b", "src/main.rs"],
        ),
        (&[("src/.gitignore", "/*\n!keep/\n")], &["a.log", "a.txt", "build/x", "keep.log", "src/keep/b"]),
        (&[(".git/info/exclude", "src\n")], &["a.log", "a.txt", "build/x", "keep.log"]),
        (
            &[(".gitignore", "# *\n\n\\#x\nsrc/**/b\n")],
            &["a.log", "a.txt", "build/x", "keep.log", "src/a.log", "src/main.rs"],
        ),
        (
            &[(".gitignore", "main.rs/\n")],
            &["a.log", "a.txt", "build/x", "keep.log", "src/a.log", "src/gen/b", "src/keep/b", "src/main.rs"],
        ),
    ] {
        check(ignore, &files, Input::default(), expected);
    }
    let all = Input { respect_gitignore: false, ..Input::default() };
    check(&[(".gitignore", "*")], &["a", "b/c"], all, &["a", "b/c"]);
}

#[test]
fn include_and_exclude() {
    let files = ["a.rs", "b.md", "src/a.rs", "src/deep/c.rs", "vendor/x/a.rs"];
    for (include, exclude, expected) in [
        (&["*.md"][..], &[][..], &["b.md"][..]),
        (&["/*.rs"], &[], &["a.rs"]),
        (&["src/**"], &["deep"], &["src/a.rs"]),
        (&[], &["vendor/", "*.md"], &["a.rs", "src/a.rs", "src/deep/c.rs"]),
        (&["**/a.rs"], &["vendor/**"], &["a.rs", "src/a.rs"]),
    ] {
        let strings = |globs: &[&str]| globs.iter().map(|glob| (*glob).to_owned()).collect();
        check(
            &[],
            &files,
            Input { include: strings(include), exclude: strings(exclude), ..Input::default() },
            expected,
        );
    }
    let error = scan(Input { include: vec!["a[".into()], ..Input::default() }, &Tree::new(&[]).host()).unwrap_err();
    assert!(error.to_string().contains("`include`: `a[`"), "{error}");
}

#[test]
fn binary_large_and_linked_files() {
    let token = token();
    let tree = Tree::new(&[("a.txt", &token), ("image.PNG", &token), (".git/config", &token), ("sub/.git", &token)]);
    tree.write("early", format!("\0{token}").as_bytes());
    tree.write("late", format!("{}\0{token}", "a\n".repeat(4096)).as_bytes());
    tree.write("large", format!("{}{token}", "a".repeat(20_000)).as_bytes());
    tree.write("latin1", &[b"\xe9\xff ", token.as_bytes(), b"\xe9"].concat());
    #[cfg(unix)]
    std::os::unix::fs::symlink(tree.0.path().join("a.txt"), tree.0.path().join("link")).unwrap();
    let (output, findings, _) = tree.scan(Input { max_file_size: ByteSize(10_000), ..Input::default() });
    let found: Vec<_> = findings.iter().map(support::place).collect();
    assert_eq!(found, ["a.txt:1 github-pat", "late:4097 github-pat", "latin1:1 github-pat"]);
    let skipped = output.files_skipped;
    assert_eq!((skipped.binary, skipped.too_large, skipped.ignored, skipped.unreadable), (2, 1, 1, 0));
    assert_eq!(output.files_scanned, 3);
    assert_eq!(output.bytes_scanned, 40 + 8192 + 1 + 40 + 3 + 40 + 1);
}

#[test]
fn a_find_is_described_and_masked() {
    let token = token();
    let tree = Tree::new(&[("dir/a.txt", &format!("one\ntwo é = {token}\n"))]);
    let (_, findings, _) = tree.scan(Input::default());
    let [finding] = &findings[..] else { panic!("{findings:?}") };
    assert_eq!((finding.severity, finding.status), (Severity::Critical, Status::Open));
    let location = finding.location.as_ref().unwrap();
    assert_eq!((location.line, location.column, location.end_line), (Some(2), Some(9), Some(2)));
    assert!(finding.detail.as_ref().unwrap().starts_with("ghp_… (40 bytes), entropy "));
    assert!(!format!("{finding:?}").contains(&token[4..]));
}

#[test]
fn comments_let_a_line_pass() {
    let token = token();
    let key =
        expand("-----BEGIN RSA PRIVATE KEY-----\n{b64lines:6}\n-----END RSA PRIVATE KEY----- orch:allow-secret", "key");
    let tree =
        Tree::new(&[("a", &format!("{token} # gitleaks:allow\n{token}\n// orch:allow-secret {token}\n{key}\n"))]);
    let (output, findings, _) = tree.scan(Input::default());
    assert_eq!(findings.iter().map(support::place).collect::<Vec<_>>(), ["a:2 github-pat"]);
    assert_eq!(output.suppressed.inline, 3);
}

#[test]
fn a_baseline_leaves_out_what_is_known() {
    let (one, two) = (github_token("one"), github_token("two"));
    let tree = Tree::new(&[("a", &format!("{one}\n{two}\n{one}\n"))]);
    let prints: Vec<String> = tree.scan(Input::default()).1.into_iter().map(|finding| finding.fingerprint).collect();
    assert_eq!(prints.len(), 3);
    let input =
        || Input { baseline: Some("known.json".into()), exclude: vec!["known.json".into()], ..Input::default() };
    for (baseline, expected) in [
        (format!("[{:?}]", prints[0]), &["a:2 github-pat", "a:3 github-pat"][..]),
        (format!("{{\"fingerprints\": [{:?}, {:?}]}}", prints[0], prints[2]), &["a:2 github-pat"]),
        (format!("[{{\"fingerprint\": {:?}}}]", prints[1]), &["a:1 github-pat", "a:3 github-pat"]),
        (r#"[{"File": "a", "RuleID": "github-pat", "StartLine": 3}]"#.into(), &["a:1 github-pat", "a:2 github-pat"]),
        (r#"[{"Fingerprint": "./a:github-pat:1"}, "a:github-pat:2"]"#.into(), &["a:3 github-pat"]),
        (format!("[\"{}:a:github-pat:2\"]", "0f".repeat(20)), &["a:1 github-pat", "a:3 github-pat"]),
        (
            r#"[{"File": "b", "RuleID": "github-pat", "StartLine": 3}]"#.into(),
            &["a:1 github-pat", "a:2 github-pat", "a:3 github-pat"],
        ),
    ] {
        tree.write("known.json", baseline.as_bytes());
        assert_eq!(tree.found(input()), expected, "{baseline}");
    }
    // Lines above do not change a fingerprint.
    tree.write("a", format!("\n\n{two}\n\n{one}\n\n{one}\n").as_bytes());
    tree.write("known.json", serde_json::to_string(&prints).unwrap().as_bytes());
    let (output, findings, _) = tree.scan(input());
    assert_eq!((findings.len(), output.suppressed.baseline), (0, 3));
    for wrong in ["", "3", "{}", "[3]", "[\"\"]", "[{\"File\": \"a\"}]"] {
        tree.write("known.json", wrong.as_bytes());
        assert!(matches!(scan(input(), &tree.host()), Err(TaskError::InvalidInput(_))), "{wrong}");
    }
}

#[test]
fn the_order_is_that_of_the_paths_and_never_changes() {
    let token = token();
    let names = ["b", "a/z", "a.txt", "a/b/c", "a-b/x", "é", "Z"];
    let files: Vec<_> = names.iter().map(|name| (*name, token.as_str())).collect();
    let tree = Tree::new(&files);
    let (output, findings, _) = tree.scan(Input::default());
    let mut sorted = names.map(|name| format!("{name}:1 github-pat"));
    sorted.sort_by_key(|place| place.split(':').next().unwrap().to_owned());
    assert_eq!(findings.iter().map(support::place).collect::<Vec<_>>(), sorted);
    assert_eq!(tree.scan(Input::default()).1, findings);
    assert_eq!(tree.scan(Input::default()).0, output);
}

#[test]
fn more_findings_than_a_batch_and_a_very_long_line() {
    let tokens: Vec<_> = (0..1200).map(|n| github_token(&n.to_string())).collect();
    let tree = Tree::new(&[("a", &tokens.join("\n")), ("b", &tokens.join(","))]);
    let (output, findings, host) = tree.scan(Input::default());
    assert_eq!((output.findings, findings.len()), (2400, 2400));
    assert!(!host.progress_told().is_empty());
}

#[test]
fn cancelling_ends_the_scan() {
    let tree = Tree::new(&[("a", "b")]);
    let host = tree.host();
    host.cancel();
    assert_eq!(scan(Input::default(), &host).unwrap_err(), TaskError::Cancelled);
}

#[cfg(unix)]
#[test]
fn an_unlistable_root_is_counted() {
    let host = orch_sdk::TestHost::new().with_mount("source", "/nonexistent/folder");
    let output = scan(Input::default(), &host).unwrap().succeeded().unwrap();
    assert_eq!(output.files_skipped.unreadable, 1);
    assert_eq!(host.logs().len(), 1);
}

#[test]
fn inputs() {
    for (json, expected) in [
        ("{}", Ok(2 << 20)),
        (r#"{"max-file-size": 10}"#, Ok(10)),
        (r#"{"max-file-size": "8MiB"}"#, Ok(8 << 20)),
        (r#"{"max-file-size": "5 MB"}"#, Ok(5_000_000)),
        (r#"{"max-file-size": "8 parsecs"}"#, Err("unknown unit `parsecs`")),
        (r#"{"max-file-size": -1}"#, Err("negative")),
        (r#"{"max-file-size": "99999999999GiB"}"#, Err("too large")),
        (r#"{"max-file-size": ""}"#, Err("no size")),
        (r#"{"respect-gitignore": "yes"}"#, Err("boolean")),
        (r#"{"maximum": 1}"#, Err("unknown field `maximum`")),
    ] {
        match (serde_json::from_str::<Input>(json), expected) {
            (Ok(input), Ok(size)) => assert_eq!(input.max_file_size, ByteSize(size), "{json}"),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{json}: {error}"),
            (got, _) => panic!("{json}: {got:?}"),
        }
    }
}
