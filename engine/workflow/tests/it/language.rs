//! Every key of the language: it works, or it is refused by name. Nothing is ignored.

use crate::support::HEAD;
use orch_core::{Code, Source};
use orch_workflow::{parse, parse_manifest, parse_policy};

/// Keys of the language that this version does not do, each in its place.
const LATER: &[(&str, &str)] = &[
    ("on", "on: { schedule: [{ cron: '15 2 * * 1-5' }] }"),
    ("permissions", "permissions: {}"),
    ("env", "env: {}"),
    ("undo", "undo: {}"),
    ("retry", "retry: never"),
    ("cache", "cache: true"),
    ("permissions", "defaults: { permissions: {} }"),
    ("description", "secrets: { a: { from: 'env:A', description: x } }"),
    ("pattern", "inputs: { a: { type: string, pattern: x } }"),
    ("rollout", "tasks: { a: { rollout: { steps: [10, 50] } } }"),
    ("on-failure", "tasks: { a: { uses: o/a@1, on-failure: [] } }"),
    ("finally", "tasks: { a: { uses: o/a@1, finally: [] } }"),
    ("concurrency", "tasks: { a: { uses: o/a@1, concurrency: x } }"),
    ("priority", "tasks: { a: { uses: o/a@1, priority: 1 } }"),
    ("secrets", "tasks: { a: { uses: o/a@1, secrets: [] } }"),
    ("description", "tasks: { a: { uses: o/a@1, description: x } }"),
    ("workflow", "tasks: { a: { uses: o/a@1, undo: { uses: o/a@1, workflow: ./x.yaml } } }"),
    ("workflow", "finally: [{ uses: o/a@1, workflow: ./x.yaml }]"),
    ("approval", "tasks: { a: { gate: { approval: {}, checks: [{ id: a, assert: true }] } } }"),
    ("cpu", "tasks: { a: { uses: o/a@1, limits: { cpu: 1 } } }"),
    ("stdin", "tasks: { a: { uses: o/a@1, permissions: { exec: [{ alias: a, program: /b/a, stdin: x }] } } }"),
];

#[test]
fn what_is_not_done_yet_is_refused_at_its_line() {
    for (key, text) in LATER {
        let tasks = if text.starts_with("tasks") { "" } else { "\ntasks: { a: { uses: o/a@1 } }" };
        let source = Source::new("w", format!("{HEAD}{text}{tasks}"));
        let (workflow, found) = parse(&source);
        assert!(workflow.is_none(), "{text}");
        let found: Vec<_> =
            found.iter().map(|problem| (problem.code, problem.message.as_str(), problem.span.clone())).collect();
        let place = HEAD.len() + text.find(&format!("{key}:")).unwrap();
        let message = format!("`{key}` is not supported yet");
        assert_eq!(found, [(Code::NotSupportedYet, message.as_str(), Some(place..place + key.len()))], "{text}");
    }
}

/// The example of the language page, cut to what this version does.
const EXAMPLE: &str = r#"# yaml-language-server: $schema=https://orch-wasm.dev/schema/v1.json
schema: orch-wasm/v1
name: release-gate
description: Four checks at once, one decision, one update.
labels: { team: payments }
priority: 60
timeout: 2h

inputs:
  source:       { type: directory, default: "." }
  environment:  { type: choice, options: [staging, production], default: staging }
  max-severity: { type: choice, options: [low, medium, high, critical], default: high }

secrets:
  api_token: { from: "env:API_TOKEN" }

concurrency: { group: "release-${{ inputs.environment }}", limit: 1, on-conflict: queue }
defaults:
  timeout: 10m
  retry: { attempts: 3, backoff: exponential, initial: 2s, max: 1m, jitter: full, retry-on: [errored, timed-out] }

tasks:
  secret-scan:
    uses: orch/secret-scan@^1.2
    with: { history: false }
    permissions: { fs: [{ mount: source, path: "${{ inputs.source }}", access: read }] }

  vuln-scan:
    uses: orch/vuln-scan@^1.0
    strategy: { matrix: { lockfile: [Cargo.lock, package-lock.json] }, max-parallel: 2, fail-fast: false }
    with: { lockfile: "${{ matrix.lockfile }}" }
    permissions:
      fs: [{ mount: source, path: "${{ inputs.source }}", access: read }, { mount: database, path: ./osv, access: read }]

  compliance:
    uses: orch/compliance-check@^1.0
    with: { profile: debian-12.yaml }
    permissions: { fs: [{ mount: etc, path: /etc, access: read }, { mount: profiles, path: ./profiles, access: read }] }
    continue-on-error: true

  decide:
    needs: [secret-scan, vuln-scan, compliance]
    gate:
      baseline: last-succeeded
      waivers: policy/waivers.yaml
      checks:
        - { id: no-secrets,   assert: "findings.of('secret-scan').open == 0" }
        - { id: no-new-vulns, assert: "findings.of('vuln-scan').new_at_least(inputs['max-severity']) == 0" }
        - { id: baseline,     assert: "tasks.compliance.outputs.passed_ratio >= 0.95", on-fail: warn }

  sign-off:
    needs: [decide]
    if: "${{ inputs.environment == 'production' }}"
    approval: { prompt: "Ship it?", approvers: { groups: [release-managers] }, required: 1, exclude-requester: true, expires: 24h }

  update:
    needs: [sign-off]
    uses: orch/http-request@^1.0
    with: { url: "https://deploy.example.org/release", method: PUT }
    retry: { attempts: 2 }
    undo: { uses: orch/http-request@^1.0, with: { url: "https://deploy.example.org/rollback", method: POST } }

on-failure: [{ uses: orch/notify@^1.0, with: { text: "failed: ${{ run.id }} ${{ run.outcome }}" } }]
finally:    [{ uses: orch/report@^1.0 }]
outputs: { ratio: "${{ tasks.compliance.outputs.passed_ratio }}" }
"#;

#[test]
fn the_example_of_the_language_page() {
    let source = Source::new("release-gate.yaml", EXAMPLE);
    let (workflow, found) = parse(&source);
    assert_eq!(found, []);
    let workflow = workflow.unwrap();
    assert_eq!(workflow.name(), "release-gate");
    assert_eq!(workflow.graph().len(), 6);
    assert_eq!(workflow.plugin_references().len(), 6);
    assert_eq!(workflow.inputs().len(), 3);
    assert_eq!(workflow.waivers_files()[0].0, "policy/waivers.yaml");
}

#[test]
fn the_other_files_refuse_what_is_not_done_yet() {
    for key in ["registries", "approvals"] {
        let source = Source::new("policy.yaml", format!("schema: orch-policy/v1\n{key}: {{}}"));
        let (policy, found) = parse_policy(&source, "/".into());
        assert!(policy.is_none());
        assert_eq!(found[0].brief(&source), format!("2:1 OW0106 `{key}` is not supported yet"));
    }
    for key in ["clock", "random"] {
        let source = Source::new("plugin.yaml", format!("permissions: {{ {key}: [] }}"));
        let (manifest, found) = parse_manifest(&source);
        assert!(manifest.is_none());
        assert!(found.iter().any(|problem| problem.code == Code::NotSupportedYet), "{found:?}");
    }
}
