//! No text makes a reader or a rule panic or hang, and what cannot be read is told.

use crate::common::{default_path, fixtures, run, run_in, write};
use orch_plugin_iac_scan::{Family, Input};
use orch_sdk::Status;
use proptest::prelude::*;

/// Scans a text as a file of a family, and checks what holds for all of them.
fn whole_way(family: Family, text: &[u8]) {
    let (output, findings) = run(&[(default_path(family), text)], Input::default());
    let is_read = output.files.contains_key(&family);
    let is_told = findings.iter().any(|finding| finding.status == Status::Error);
    assert!(
        is_read || is_told || !matches!(family, Family::Dockerfile | Family::Terraform),
        "silence about a {}",
        family.name()
    );
    let lines = u32::try_from(text.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count()).unwrap() + 1;
    for finding in findings {
        let line = finding.location.unwrap().line.unwrap_or(1);
        assert!((1..=lines).contains(&line), "line {line} of {lines}: {} {}", finding.rule, finding.title);
        assert!(finding.title.chars().count() < 400 && !finding.title.chars().any(char::is_control));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in "(?s).{0,300}") {
        Family::ALL.into_iter().for_each(|family| whole_way(family, text.as_bytes()));
    }

    #[test]
    fn changed_fixtures(
        family in 0..Family::ALL.len(),
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        removed in 0..40_usize,
        put in "[\\[\\]{}()\"'\\\\#@=:;,/|&<$`\n \t*!-]{0,4}|\\PC{0,6}",
    ) {
        let family = Family::ALL[family];
        let all = fixtures(family);
        let mut text: Vec<char> = all[which.index(all.len())].text.chars().collect();
        let start = at.index(text.len());
        let end = (start + removed).min(text.len());
        text.splice(start..end, put.chars());
        whole_way(family, text.into_iter().collect::<String>().as_bytes());
    }
}

#[test]
fn large_files_end_soon() {
    let texts = |family: Family| -> Vec<String> {
        match family {
            Family::Dockerfile => vec![
                "FROM a\nRUN ".to_owned() + &"x ".repeat(1 << 20),
                "FROM a\nRUN ".to_owned() + &"\\\n#\n".repeat(200_000),
                "FROM a\nRUN ".to_owned() + &"$(".repeat(500_000),
                "FROM a\nRUN ".to_owned() + &"sh -c '".repeat(100_000),
                "FROM a\nRUN ".to_owned() + &"<<E ".repeat(100_000),
                "FROM a AS a\n".repeat(9_000),
                (0..4_000).map(|number| format!("ARG A{number}=$A{number}$A{number}\n")).collect::<String>()
                    + &"FROM $A1\n".repeat(4_000),
                "FROM a\n".to_owned() + &"ONBUILD ".repeat(200_000) + "RUN x",
                "FROM a\nENV ".to_owned() + &"A_PASSWORD=1 ".repeat(200_000),
                "# ".to_owned() + &"x".repeat(3 << 20),
            ],
            Family::Kubernetes | Family::Compose | Family::Actions => {
                let start = match family {
                    Family::Kubernetes => "apiVersion: v1\nkind: Pod\nspec:\n",
                    Family::Compose => "services:\n",
                    _ => "on: push\njobs:\n",
                };
                vec![
                    start.to_owned() + &"- ".repeat(500_000),
                    start.to_owned() + &"[".repeat(500_000),
                    start.to_owned() + &"  {a: ".repeat(200_000),
                    start.to_owned() + "  a: \"" + &"x\n\n  ".repeat(500_000),
                    start.to_owned()
                        + &(0..1_900).map(|number| format!("  k{number}: 1\n")).collect::<String>()
                        + "  containers:\n"
                        + &"  - a: 1\n".repeat(60_000),
                    start.to_owned() + "  steps: [" + &"&a a, *a, ".repeat(100_000) + "]",
                    start.to_owned() + &"? ".repeat(300_000),
                    start.to_owned() + "  a: " + &"!".repeat(300_000),
                    start.to_owned() + "  a: |\n" + &"    ${{ github.head_ref }}\n".repeat(100_000),
                    format!("{start}  a:\n    steps:\n    - run: |\n{}", "        curl x | sh\n".repeat(100_000)),
                    "---\n".repeat(300_000),
                ]
            }
            Family::Terraform => vec![
                (0..12_000).map(|number| format!("a{number} = 1\n")).collect(),
                format!("a = {{ {} }}", (0..12_000).map(|number| format!("a{number} = 1, ")).collect::<String>()),
                format!("a = [{}]", "1, ".repeat(60_000)),
                "a {}\n".repeat(40_000),
                "a = <<E\n".to_owned() + &"x\n".repeat(100_000),
                "a = \"".to_owned() + &"${a}".repeat(50_000) + "\"",
                format!("a = x{}", ".y".repeat(100_000)),
                format!("a = x{}", "[0]".repeat(60_000)),
                "a = {".repeat(40_000),
                "/*".repeat(100_000),
                "a ".repeat(100_000),
            ],
        }
    };
    for family in Family::ALL {
        for text in texts(family) {
            whole_way(family, text.as_bytes());
        }
    }
}

#[test]
fn what_cannot_be_read_is_told() {
    let files: &[(&str, &[u8])] = &[
        ("a/Dockerfile", b"FROM a\n\xff"),
        ("b/Dockerfile", b"FROM a\nRUNE"),
        ("big.tf", &[b'\n'; (256 << 10) + 1]),
        ("chart/templates/pod.yaml", b"apiVersion: v1\nkind: Pod\nspec: {{ .Values.spec }}\n"),
        ("compose.yaml", b"services: [\n"),
        ("main.tf", b"a = \n"),
        ("notes.yaml", b"not: [ours\n"),
        ("pod.yaml", b"apiVersion: v1\nkind: Pod\nkind: Job\n"),
    ];
    let (output, findings) = run(files, Input::default());
    let found: Vec<_> = findings
        .iter()
        .map(|it| (it.location.as_ref().unwrap().path.as_str(), it.location.as_ref().unwrap().line, it.rule.as_str()))
        .collect();
    let unreadable = "iac-scan/unreadable";
    let expected = [
        ("a/Dockerfile", Some(2), unreadable),
        ("b/Dockerfile", Some(2), unreadable),
        ("big.tf", None, unreadable),
        ("chart/templates/pod.yaml", Some(3), "iac-scan/template"),
        ("compose.yaml", Some(1), unreadable),
        ("main.tf", Some(1), unreadable),
        ("pod.yaml", Some(3), unreadable),
    ];
    assert_eq!(found, expected);
    assert!(findings.iter().all(|finding| finding.status == Status::Error));
    assert_eq!(output.skipped.len(), expected.len());
    assert!(output.files.is_empty());
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    write(
        outside.path(),
        &[("Dockerfile", b"FROM outside-of-the-tree"), ("more/Dockerfile", b"FROM outside-of-the-tree")],
    );
    let root = tempfile::tempdir().unwrap();
    write(root.path(), &[("own/Dockerfile", b"FROM inside\nUSER x\nHEALTHCHECK NONE\n")]);
    std::os::unix::fs::symlink(outside.path().join("Dockerfile"), root.path().join("Dockerfile")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("more"), root.path().join("more")).unwrap();
    let (output, findings) = run_in(root.path(), Input::default());
    assert_eq!(output.files[&Family::Dockerfile], 1);
    assert!(findings.iter().all(|finding| !finding.title.contains("outside")));
}
