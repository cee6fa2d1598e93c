//! The whole task: its input, its output, suppressions, and fingerprints that stay.

use crate::common::run;
use orch_plugin_iac_scan::{Family, Input, scan};
use orch_sdk::{Status, TaskError, TestHost};
use std::collections::BTreeSet;

const FILES: &[(&str, &[u8])] = &[
    ("Dockerfile", b"FROM base\nUSER x\n"),
    ("deploy/compose.yaml", b"services: { web: { image: base, mem_limit: 1m, security_opt: [no-new-privileges] } }\n"),
    ("skip/Dockerfile", b"FROM base\n"),
    (".git/Dockerfile", b"FROM base\n"),
];

#[test]
fn input_and_output() {
    let input = Input {
        families: Some(BTreeSet::from([Family::Dockerfile])),
        skip_rules: BTreeSet::from(["dockerfile/no-healthcheck".to_owned()]),
        exclude: vec!["skip".to_owned()],
    };
    let (output, findings) = run(FILES, input);
    assert_eq!(findings.iter().map(|it| it.rule.as_str()).collect::<Vec<_>>(), ["dockerfile/base-image-latest"]);
    let expected = serde_json::json!({
        "files": { "dockerfile": 1 }, "bytes": 17, "rules": orch_plugin_iac_scan::rules::dockerfile::RULES.len() - 1, "suppressed": 0,
        "findings": { "critical": 0, "high": 0, "medium": 1, "low": 0, "info": 0 }, "skipped": [],
    });
    assert_eq!(serde_json::to_value(output).unwrap(), expected);
    let finding = &findings[0];
    assert_eq!(finding.title, "the base image has the tag `latest` or none: `base`");
    assert!(finding.detail.is_some() && finding.remediation.is_some() && !finding.references.is_empty());
    assert_eq!(finding.location.as_ref().map(|it| (it.path.as_str(), it.line)), Some(("Dockerfile", Some(1))));
    assert_eq!(run(FILES, Input::default()).0.files.len(), 2);
}

#[test]
fn wrong_input() {
    let root = tempfile::tempdir().unwrap();
    let host = TestHost::new().with_mount("source", root.path());
    let unknown = Input { skip_rules: BTreeSet::from(["dockerfile/nothing".to_owned()]), ..Input::default() };
    let outside = Input { exclude: vec!["../x".to_owned()], ..Input::default() };
    for (input, expected) in [(unknown, "no rule `dockerfile/nothing` (known: `actions/"), (outside, "leaves the tree")]
    {
        match scan(input, &host) {
            Err(TaskError::InvalidInput(message)) => assert!(message.contains(expected), "{message}"),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(scan(Input::default(), &TestHost::new()), Err(TaskError::Denied { .. })));
}

#[test]
fn suppressions() {
    let files: &[(&str, &[u8])] = &[
        (
            "Dockerfile",
            b"# orch:ignore dockerfile/base-image-latest made here\n# orch:ignore dockerfile/no-healthcheck probed\nFROM base\n# orch:ignore dockerfile/user-root\nUSER root\n# orch:ignore dockerfile/nothing why\n",
        ),
        ("main.tf", b"// orch:ignore terraform/aws-kms-rotation rotated by hand\nresource \"aws_kms_key\" \"k\" {}\n"),
    ];
    let (output, findings) = run(files, Input::default());
    let found: Vec<_> =
        findings.iter().map(|it| (it.location.as_ref().unwrap().line.unwrap(), it.rule.as_str(), it.status)).collect();
    let expected = [
        (3, "dockerfile/base-image-latest", Status::NotApplicable),
        (3, "dockerfile/no-healthcheck", Status::NotApplicable),
        (4, "iac-scan/suppression", Status::Open),
        (5, "dockerfile/user-root", Status::Open),
        (6, "iac-scan/suppression", Status::Open),
        (2, "terraform/aws-kms-rotation", Status::NotApplicable),
    ];
    assert_eq!(found, expected);
    assert!(findings[0].detail.as_ref().unwrap().contains("made here"));
    assert_eq!((output.suppressed, output.findings.medium, output.findings.low), (3, 1, 2));
}

#[test]
fn fingerprints_stay_when_lines_move() {
    let text = "FROM base\nUSER x\nRUN sudo a\nRUN sudo a\nRUN sudo b\n";
    let fingerprints = |text: &str| {
        let (_, findings) = run(&[("Dockerfile", text.as_bytes())], Input::default());
        findings.into_iter().map(|it| it.fingerprint).collect::<BTreeSet<_>>()
    };
    let before = fingerprints(text);
    assert_eq!(before.len(), 5);
    assert_eq!(before, fingerprints(&format!("# moved\n\n{text}")));
}
