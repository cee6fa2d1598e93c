//! What is kept holds no value (K4, K7): artifacts are refused, and a whole state folder has none of it after a run.

use super::{PLAIN, VALUE, encodings, nowhere};
use camino::Utf8Path;
use orch_core::{
    Clock, Digest, LogLevel, Manifest, NoFaults, Person, Policy, RefusedBy, RunId, RunOutcome, RunStore, Source,
    Timestamp,
};
use orch_report::RunView;
use orch_scheduler::{Beginning, Dispatcher, Driven, RunRequest};
use orch_store::{SqliteStore, StateFolder};
use orch_tests::{Call, HOSTILE_TASKS, Sandbox, hostile};
use orch_workflow::{Plan, PlanRequest, Resolved};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

fn store(sandbox: &Sandbox, input: Value, value: &str) -> orch_tests::Ended {
    let call = Call::new("store", input).artifact("a").artifact(PLAIN).secret("token", value);
    sandbox.run(&hostile(), call)
}

#[test]
fn artifacts_with_a_secret_in_any_encoding_are_not_stored() {
    let sandbox = Sandbox::new();
    for (what, form) in encodings(VALUE) {
        for size in [1, 7, 1_000] {
            let text = format!("a report\n{form}\nmore of it");
            let ended =
                store(&sandbox, json!({ "name": "a", "media-type": "text/plain", "text": text, "size": size }), VALUE);
            let refused = "the artifact `a` is refused: its content holds a secret of the task";
            assert_eq!(ended.output()["finish"], refused, "{what}, {size}: {ended:?}");
            assert_eq!(ended.output()["write"], refused, "{what}, {size}: {ended:?}");
            assert!(ended.seen.stored.is_empty());
            let refusals = ended.refusals("artifacts");
            assert_eq!((refusals.len(), refusals[0].by), (1, RefusedBy::Engine), "{what}, {size}: {ended:?}");
            nowhere(&ended, what, &form);
        }
    }
    assert_eq!(holding(sandbox.state(), b"a report"), Vec::<String>::new(), "nothing of them is left");
}

#[test]
fn artifacts_without_one_are() {
    let input = json!({ "name": "a", "media-type": format!("text/{PLAIN}"), "text": "hunter2-value", "size": 3 });
    let ended = store(&Sandbox::new(), input, PLAIN);
    assert_eq!(ended.output(), &json!({ "write": "ok", "finish": "ok" }));
    assert_eq!((ended.seen.stored.len(), ended.seen.stored[0].media_type.as_str()), (1, "text/***"));
}

#[test]
fn a_name_with_a_secret_is_refused() {
    let ended = store(&Sandbox::new(), json!({ "name": PLAIN, "media-type": "text/plain", "text": "x" }), PLAIN);
    assert_eq!(ended.output()["create"], "the name of the artifact holds a secret of the task");
    assert_eq!(ended.refusals("artifacts")[0].target, "***");
    nowhere(&ended, "name", "hunter2");
}

/// Every file below a folder that has these bytes in it.
fn holding(folder: &Path, bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holding(&path, bytes));
        } else if std::fs::read(&path).unwrap().windows(bytes.len()).any(|part| part == bytes) {
            found.push(path.display().to_string());
        }
    }
    found
}

struct NoTime;

impl Clock for NoTime {
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }
}

/// Each task sees the value and gives it away.
const WORKFLOW: &str = "schema: orch-wasm/v1
name: leaky
tasks:
  says: { uses: test/guest/say@^1, with: { text: \"@token\" } }
  says-hex: { uses: test/guest/say@^1, with: { text: \"@token\", form: hex } }
  fails: { uses: test/guest/fail@^1, with: { how: failed, text: \"@token\" } }
  panics: { uses: test/guest/fail@^1, with: { how: panic, text: \"@token\" } }
  prints: { uses: test/guest/print@^1, with: { to: stdout, size: 3, rounds: 3, text: \"@token\" } }
  stores: { uses: test/guest/store@^1, with: { name: a, media-type: text/plain, size: 5, text: \"@token\" } }
";

/// A plan whose tasks were granted a secret.
fn plan() -> Plan {
    let source = Source::new("w.yaml", WORKFLOW);
    let (workflow, problems) = orch_workflow::parse(&source);
    let workflow = workflow.unwrap_or_else(|| panic!("{problems:?}"));
    let task = json!({ "description": "d", "input": true, "output": true });
    let manifest: Manifest = serde_json::from_value(json!({
        "schema": Manifest::SCHEMA, "name": "test/guest", "version": "1.2.3", "description": "d", "license": "Apache-2.0",
        "tasks": HOSTILE_TASKS.iter().map(|name| (*name, task.clone())).collect::<BTreeMap<_, _>>(),
    }))
    .unwrap();
    let digest = Digest::of(&hostile().bytes);
    let resolved = Resolved { manifest: Arc::new(manifest), digest, signer: None };
    let plugins = workflow.plugin_references().into_iter().map(|used| (("/w".into(), used.uses), resolved.clone()));
    let (plan, problems) = orch_workflow::plan(&PlanRequest {
        workflow: &workflow,
        source: &source,
        folder: Utf8Path::new("/w"),
        dry_run: false,
        inputs: &BTreeMap::new(),
        nested: &orch_workflow::NestedFiles::default(),
        plugins: &plugins.collect(),
        policy: &Policy::built_in("/w".into(), Vec::new()),
        waivers: &BTreeMap::new(),
    });
    let mut stored = serde_json::to_value(plan.unwrap_or_else(|| panic!("{problems:?}"))).unwrap();
    for terms in stored["plugins"].as_array_mut().unwrap() {
        terms["grants"]["secrets"] = json!([{ "name": "token", "from": "token", "source": "fixed:", "reveal": true }]);
        terms["grants"]["artifacts"] = json!(["a"]);
    }
    serde_json::from_value(stored).unwrap()
}

#[test]
fn k4_nothing_that_is_kept_of_a_run_holds_a_secret() {
    let sandbox = Sandbox::new();
    sandbox.load(&hostile()).unwrap();
    let folder = StateFolder::open(sandbox.state()).unwrap();
    let sqlite = Arc::new(SqliteStore::new(folder.clone()));
    sqlite.prepare().unwrap();
    let run = RunId::try_from(format!("{:032x}", 7)).unwrap();
    let dispatcher = Dispatcher {
        store: sqlite.clone(),
        groups: sqlite.clone(),
        runner: Arc::new(sandbox.host.clone()),
        clock: Arc::new(NoTime),
        faults: Arc::new(NoFaults),
        jobs: 2,
    };
    let request = RunRequest {
        run: run.clone(),
        plan: Arc::new(plan()),
        beginning: Beginning::New(None),
        by: Person { name: "ann".into(), groups: Vec::new() },
        observer: Arc::new(|_| {}),
        cancel: CancellationToken::new(),
        pause: CancellationToken::new(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let driven = runtime.block_on(async move { dispatcher.run(request).await });
    assert!(matches!(driven, Ok(Driven::Ended(RunOutcome::Errored))), "{driven:?}");
    let records = sqlite.read(&run, 0).unwrap();
    let view = RunView::of(&records);
    let reports = sandbox.state().join("reports");
    std::fs::create_dir_all(&reports).unwrap();
    let lines: String = records.iter().map(|record| orch_report::json_line(&run, record) + "\n").collect();
    for (name, text) in [
        ("run.json", lines),
        ("junit.xml", orch_report::junit(&view)),
        ("run.sarif", orch_report::sarif(&view)),
        ("run.md", orch_report::markdown(run.as_str(), &view)),
    ] {
        assert!(text.contains("***") || name != "run.json", "{name}: {text}");
        std::fs::write(reports.join(name), text).unwrap();
    }
    // The log has what was said, without it.
    let said = records.iter().filter(|record| {
        matches!(&record.event, orch_core::Event::TaskLog { level: LogLevel::Info, message, .. } if message.contains("***"))
    });
    assert!(said.count() >= 3);
    let tainted = records.iter().filter(|record| match &record.event {
        orch_core::Event::TaskFinished { usage, .. } => usage.tainted,
        _ => false,
    });
    assert_eq!(tainted.count(), 6, "every task saw the value");
    for (what, form) in encodings(PLAIN) {
        assert_eq!(holding(sandbox.state(), form.as_bytes()), Vec::<String>::new(), "{what}");
    }
}
