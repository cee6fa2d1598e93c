//! `orch/secret-scan` over a repository that the test makes: a `.git` folder cannot lie in a case, because Git would not commit it.

use super::published;
use crate::cli::kit::of;
use crate::cli::program::Ran;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;

const WORKFLOW: &str = "\
schema: orch-wasm/v1
name: history
tasks:
  scan:
    uses: orch/secret-scan@^0.1
    with: { config: rules.toml, history: HISTORY }
    permissions:
      fs:
        - { mount: source, path: ./repository, access: read }
        - { mount: config, path: ./rules, access: read }
";

const RULES: &str = "\
[[rules]]
id = 'badge-number'
description = 'Number of a badge'
regex = 'BADGE-([0-9]{6})'
keywords = ['badge-']
";

/// Runs `git` in a folder, with nobody's configuration and at a fixed time.
fn git(folder: &Path, arguments: &[&str]) -> String {
    let ran = Command::new("git")
        .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"])
        .args(arguments)
        .current_dir(folder)
        .env("HOME", folder.join("no-home"))
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_DATE", "1700000000 +0100")
        .env("GIT_COMMITTER_DATE", "1700000000 +0100")
        .output()
        .unwrap();
    assert!(ran.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap().trim().to_owned()
}

fn commit(folder: &Path, content: &str) -> String {
    fs::write(folder.join("staff.txt"), content).unwrap();
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--message", "staff"]);
    git(folder, &["rev-parse", "HEAD"])
}

#[test]
fn secret_scan_reads_the_history_without_a_program() {
    let place = published();
    let folder = place.path("history");
    let repository = folder.join("repository");
    fs::create_dir_all(&repository).unwrap();
    fs::create_dir_all(folder.join("rules")).unwrap();
    fs::write(folder.join("rules/rules.toml"), RULES).unwrap();
    git(&repository, &["init", "--quiet", "--initial-branch=main"]);
    let first = commit(&repository, "ada BADGE-204871\n");
    let second = commit(&repository, "ada BADGE-204871\nbob BADGE-713205\n");
    // The first lies in a pack, what follows in files of its own.
    git(&repository, &["repack", "--quiet", "-a", "-d"]);
    commit(&repository, "ada\nbob BADGE-713205\n");

    let run = |history: &str| -> (Value, Vec<Value>) {
        fs::write(folder.join("workflow.yaml"), WORKFLOW.replace("HISTORY", history)).unwrap();
        let mut command = place.command(["run", "--format", "json"]);
        command.current_dir(&folder);
        let log = Ran::of(command).exits(0).lines();
        let end = of(&log, "task-finished")[0].clone();
        let findings = of(&log, "task-findings")
            .iter()
            .flat_map(|event| event["findings"].as_array().into_iter().flatten().cloned())
            .collect();
        (end["output"].clone(), findings)
    };

    let (output, findings) = run("true");
    assert_eq!(output["history"]["commits"], 3, "{output:#}");
    assert_eq!(output["history"]["findings"], 1, "{output:#}");
    let told: Vec<Value> = findings
        .iter()
        .map(|finding| {
            json!([
                finding["location"]["line"],
                finding["data"]["commit"],
                finding["data"]["in_tree"],
                finding["status"]
            ])
        })
        .collect();
    // The one that is still in the tree first, at the line where it is now; then the one that only the history has.
    assert_eq!(told, [json!([2, second, true, "open"]), json!([1, first, false, "open"])]);
    assert_eq!(findings[1]["data"]["author_date"], "2023-11-14T23:13:20+01:00");
    assert!(findings[1]["remediation"].as_str().unwrap().contains("to remove the line is not enough"));

    let (output, findings) = run("{ max-commits: 1 }");
    assert_eq!((&output["history"]["commits"], findings.len()), (&json!(1), 1), "{output:#}");

    fs::remove_dir_all(repository.join(".git")).unwrap();
    let (_, findings) = run("true");
    assert_eq!(findings[1]["rule"], "history-incomplete", "{findings:#?}");
    assert_eq!(findings[1]["status"], "error");
}
