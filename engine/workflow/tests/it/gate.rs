//! Gates decide over findings, a baseline and waivers.

use crate::support::World;
use orch_core::{CheckVerdict, Finding, FindingStatus, GateDecision, Location, Severity, Source, TaskId};
use orch_workflow::{BaselineRef, PlannedKind, RunView, Scope, parse_waivers};
use std::collections::{BTreeMap, BTreeSet};

fn finding(rule: &str, severity: Severity, status: FindingStatus, path: &str) -> Finding {
    Finding {
        rule: rule.into(),
        severity,
        status,
        title: "found".into(),
        detail: None,
        fingerprint: format!("{rule}:{path}"),
        location: Some(Location { path: path.into(), line: Some(4), column: None, end_line: None }),
        remediation: None,
        references: Vec::new(),
        data: None,
    }
}

/// Five open findings in `scan`, two of them in one folder, and one of each other status; one open finding in `other`, and
/// one in `far`, which the gate does not need.
fn findings() -> BTreeMap<TaskId, Vec<Finding>> {
    use FindingStatus::{Error, NotApplicable, Open, Passed};
    use Severity::{Critical, High, Info, Low, Medium};
    let id = |name: &str| TaskId::try_from(name).unwrap();
    BTreeMap::from([
        (
            id("scan"),
            vec![
                finding("KEY", High, Open, "src/a.rs"),
                finding("KEY", High, Open, "test/b.rs"),
                finding("OLD", Medium, Open, "src/c.rs"),
                finding("BAD", Critical, Open, "src/\u{1b}[31md.rs"),
                finding("MEH", Info, Open, "x"),
                finding("OK", High, Passed, "x"),
                finding("NA", High, NotApplicable, "x"),
                finding("ERR", High, Error, "x"),
            ],
        ),
        (id("other"), vec![finding("LOW", Low, Open, "y")]),
        (id("far"), vec![finding("FAR", Critical, Open, "z")]),
    ])
}

/// The decision of a gate with these checks.
#[track_caller]
fn decide(checks: &str, waivers: &str, baseline: Option<&[&str]>) -> GateDecision {
    let mut world = World::new();
    let file = Source::new("w.yaml", format!("schema: orch-waivers/v1\nwaivers: [{waivers}]"));
    let (waivers, found) = parse_waivers(&file);
    assert_eq!(found, []);
    world.waivers.insert("w.yaml".into(), waivers.unwrap());
    let plan = world.planned(&format!(
        "inputs: {{ max: {{ type: string, default: high }} }}\ntasks:\n  far: {{ uses: orch/any@^1 }}\n  \
         scan: {{ uses: orch/any@^1, needs: far }}\n  other: {{ uses: orch/any@^1 }}\n  \
         g: {{ needs: [scan, other], gate: {{ waivers: w.yaml, baseline: 0123, checks: [{checks}] }} }}"
    ));
    let PlannedKind::Gate(gate) = &plan.tasks()[3].kind else { panic!() };
    assert_eq!(gate.baseline(), Some(&BaselineRef::Run("0123".into())));
    let tasks = BTreeMap::new();
    let scope = Scope {
        inputs: plan.inputs(),
        tasks: &tasks,
        run: RunView { id: "r", workflow: "test", outcome: None },
        needs: &plan.tasks()[3].needs,
        each: orch_workflow::EachView::Once,
        findings: None,
    };
    let known: Option<BTreeSet<String>> = baseline.map(|known| known.iter().map(|text| (*text).to_owned()).collect());
    gate.decide(&findings(), known.as_ref().map(|known| ("run-1", known)), &scope, "2026-06-15")
}

/// Whether an assertion holds without baseline and waivers.
#[track_caller]
fn holds(assert: &str) {
    let decision = decide(&format!("{{ id: a, assert: \"{assert}\" }}"), "", None);
    assert_eq!(decision.checks[0].verdict, CheckVerdict::Passed, "{assert}: {:?}", decision.checks[0].detail);
}

#[test]
fn counters() {
    for assert in [
        "findings.of('scan').open == 5",
        "findings.of('other').open == 1",
        "findings.all().open == 6",
        "findings.all().total == 9",
        "findings.all().passed == 1 && findings.all().errors == 1 && findings.all().not_applicable == 1",
        "findings.all().new == 6 && findings.all().waived == 0",
        "findings.all().info == 1 && findings.all().low == 1 && findings.all().medium == 1",
        "findings.all().high == 2 && findings.all().critical == 1",
        "findings.all().at_least('info') == 6 && findings.all().at_least('critical') == 1",
        "findings.of('scan').at_least(inputs.max) == 3",
        "findings.of('scan').new_at_least('high') == 3",
        "findings.of('scan')['high'] == 2",
        "[findings.of('scan'), findings.of('other')].map(f, f.open) == [5, 1]",
    ] {
        holds(assert);
    }
}

#[test]
fn a_baseline_makes_known_findings_old() {
    let decision = decide(
        "{ id: a, assert: findings.all().new_at_least('high') == 1 }, { id: b, assert: findings.all().open == 6 }",
        "",
        Some(&["KEY:src/a.rs", "KEY:test/b.rs", "gone"]),
    );
    assert!(!decision.blocks());
    assert_eq!((decision.baseline.as_deref(), decision.new, decision.open), (Some("run-1"), 4, 6));
}

#[test]
fn waivers_cover_until_their_day() {
    let waivers = "{ rule: KEY, path: test, owner: me, reason: r, expires: 2026-06-15 }, \
                   { fingerprint: 'OLD:src/c.rs', owner: me, reason: r, expires: 2026-12-31 }, \
                   { rule: OK, owner: me, reason: r, expires: 2026-12-31 }, \
                   { rule: BAD, owner: \"yo\\eu\", reason: r, expires: 2026-06-14 }";
    let decision = decide("{ id: a, assert: findings.all().waived == 2 && findings.all().open == 4 }", waivers, None);
    assert!(!decision.blocks(), "{decision:?}");
    assert_eq!(decision.waived, ["KEY:test/b.rs", "OLD:src/c.rs"]);
    assert_eq!(decision.expired_waivers, ["rule BAD (yo\\u{1b}u, until 2026-06-14)"]);
    assert_eq!(decision.new, 4);
}

#[test]
fn verdicts() {
    let decision = decide(
        "{ id: yes, assert: true }, { id: no, assert: findings.all().open == 0 }, \
         { id: soft, assert: findings.all().open == 0, on-fail: warn }, \
         { id: broken, assert: 1 / 0 == 1, on-fail: warn }, { id: odd, assert: inputs.max, on-fail: warn }, \
         { id: sev, assert: findings.all().at_least(run.id) == 0 }",
        "",
        None,
    );
    let verdicts: Vec<_> = decision.checks.iter().map(|check| (check.id.as_str(), check.verdict)).collect();
    use CheckVerdict::{Errored, Failed, Passed, Warned};
    assert_eq!(
        verdicts,
        [("yes", Passed), ("no", Failed), ("soft", Warned), ("broken", Errored), ("odd", Errored), ("sev", Errored),]
    );
    assert!(decision.blocks());
    let detail = |index: usize| decision.checks[index].detail.as_deref().unwrap();
    assert_eq!(
        detail(1),
        "6 open findings, 6 new, 1 not checked: critical BAD at src/\\u{1b}[31md.rs:4, high KEY at src/a.rs:4, high KEY at \
         test/b.rs:4 and 3 more"
    );
    assert_eq!(detail(3), "`1 / 0 == 1`: division by zero");
    assert_eq!(detail(4), "a condition is a boolean, and this is `\"high\"`");
    assert_eq!(
        detail(5),
        "`findings.all().at_least(run.id) == 0`: `r` is not a severity (known: `info`, `low`, `medium`, `high`, `critical`)"
    );
    assert_eq!(decision.checks[1].assert, "findings.all().open == 0");
    assert_eq!(decision.checks[0].detail, None);
}
