//! D9, D11, D13: what is kept and what goes. A run keeps its plan, its plugins and its results whatever changes around it; `prune` takes
//! runs that are over and nothing else.

use super::damage::{ends_well, tree};
use super::disks::files;
use super::shapes::{SHAPES, faulty, log_of, run_faulty, run_of, text};
use super::signals::of;
use crate::cli::packages::{echo, manifest, publish};
use crate::cli::program::Place;
use orch_registry::package;
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

const RUN: [&str; 6] = ["run", "w.yaml", "--jobs", "2", "--format", "json"];
const RESUME: [&str; 6] = ["resume", "latest", "--workflow", "w.yaml", "--format", "json"];
const STATE: &str = ".orch-wasm";

/// A run of the chain that died with its second task under way.
fn died() -> Place {
    let place = SHAPES[0].place();
    let ran = run_faulty(&place, &RUN, "kill:dispatch.after-attempts:2", "");
    assert_eq!(ran.code, 128 + 9, "{ran}");
    place
}

/// The run came to its end on the component that it began with, as its effects show, and only that one is kept.
#[track_caller]
fn ended_as_planned(place: &Place) {
    place.run(RESUME).exits(0);
    let log = log_of(place);
    let digests: Vec<&Value> = of(&log, "run-created")[0]["plan"]["plugins"]
        .as_array()
        .unwrap()
        .iter()
        .map(|plugin| &plugin["plugin"]["digest"])
        .collect();
    let kept = files(&place.path(STATE).join("blobs"));
    let hex = kept[0].file_name().unwrap().to_str().unwrap();
    assert!(
        kept.len() == 1
            && !digests.is_empty()
            && digests.iter().all(|digest| **digest == json!(format!("sha256:{hex}"))),
        "{digests:?}"
    );
    let breaches = SHAPES[0].breaches(place);
    assert!(breaches.is_empty(), "{}\n{}", breaches.join("\n"), text(&log));
}

#[test]
fn d9_a_run_goes_on_without_its_registry_and_with_a_plugin_that_was_withdrawn() {
    let place = died();
    fs::rename(place.path("registry"), place.path("gone")).unwrap();
    place.run(RUN).exits(2);
    ended_as_planned(&place);

    let place = died();
    place.run(["plugin", "yank", "test/hostile", "1.0.0", "--reason", "a test"]).exits(0);
    fs::remove_file(place.path("orch-wasm.lock")).unwrap();
    place.run(RUN).exits(2).says("OW0208");
    ended_as_planned(&place);
}

#[test]
fn d9_a_run_keeps_its_plugin_when_another_one_is_published() {
    let place = died();
    // The same task by name, and another component that leaves no effect.
    let mut other = manifest("test/hostile", "1.0.1", json!({}));
    let task = other.tasks.pop_first().unwrap().1;
    other.tasks.insert("effect".try_into().unwrap(), task);
    publish(&place, &package::embed(&echo(), &other).unwrap());
    fs::remove_file(place.path("orch-wasm.lock")).unwrap();
    ended_as_planned(&place);
    let marks = tree(&place.path("ledger"));
    let new = place.run(RUN);
    assert!(new.code != 0 && !new.stderr.is_empty(), "the other plugin was not taken: {new}");
    assert_eq!(tree(&place.path("ledger")), marks);
}

#[test]
fn d9_a_run_keeps_its_plan_when_workflow_and_policy_change() {
    let place = died();
    place.write("w.yaml", "schema: orch-wasm/v1\nname: other\ntasks: { z: { uses: no/such@^1 } }\n");
    place.write("policy.yaml", "schema: orch-policy/v1\ntrust: [{ plugins: \"*\", signers: [] }]\n");
    place.run(RUN).exits(2);
    // Not even one that nobody can read.
    place.write("policy.yaml", "schema: [");
    ended_as_planned(&place);
}

#[test]
fn d9_a_run_whose_component_is_not_kept_any_more_stops() {
    let place = died();
    let (log, marks) = (log_of(&place), tree(&place.path("ledger")));
    fs::remove_dir_all(place.path(STATE).join("blobs")).unwrap();
    place.run(RESUME).fails(7, "OW0501", &["test/hostile", "is not kept any more", "run the workflow anew"]);
    assert_eq!((log_of(&place), tree(&place.path("ledger"))), (log, marks), "something ran");
    place.run(["doctor", "w.yaml"]).exits(1).says_out("is missing");
}

#[test]
fn d9_a_database_of_a_newer_format_is_left_alone() {
    let place = died();
    let set = |format: u32| {
        let database = Connection::open(place.path(STATE).join("state.db")).unwrap();
        database.pragma_update(None, "user_version", format).unwrap();
    };
    set(99);
    let before = tree(&place.path(STATE));
    let prune = ["runs", "prune", "--keep", "0", "--workflow", "w.yaml"];
    let cancel = ["cancel", "latest", "--workflow", "w.yaml"];
    for arguments in [&RUN[..], &RESUME, &prune, &cancel, &["runs", "show", "latest", "--workflow", "w.yaml"]] {
        place.run(arguments).fails(7, "OW0501", &["its format is 99", "use the orch-wasm that wrote it"]);
    }
    assert!(run_of(&place).is_some());
    let database = |tree: &[(PathBuf, Vec<u8>)]| tree.iter().find(|(file, _)| file.ends_with("state.db")).cloned();
    assert!(database(&tree(&place.path(STATE))) == database(&before), "it was written to");
    set(2);
    ends_well(&place);
}

#[test]
fn d11_what_was_seen_is_what_the_log_has_whichever_attempt_it_came_from() {
    let mut later = 0;
    for visit in 1..=8 {
        let place = SHAPES[0].place();
        // The output of a task is the number of its attempt, and the next task passes on what it saw.
        run_faulty(&place, &RUN, &format!("kill:dispatch.after-attempts:{visit}"), "");
        SHAPES[0].bring_to_end(&place);
        let log = log_of(&place);
        let outputs: Vec<&Value> = of(&log, "task-finished").iter().map(|event| &event["output"]).collect();
        for pair in outputs.windows(2) {
            assert_eq!(pair[1]["seen"], pair[0]["attempt"], "visit {visit}:\n{}", text(&log));
        }
        later += outputs.iter().filter(|output| output["attempt"] != 1).count();
        let breaches = SHAPES[0].breaches(&place);
        assert!(breaches.is_empty(), "visit {visit}:\n{}\n{}", breaches.join("\n"), text(&log));
    }
    assert!(later >= 3, "only {later} results came from a second attempt");
}

/// A workflow that ends at once, with an artifact of this length.
fn stores(place: &Place, bytes: u64) -> String {
    let stores = format!(
        "{{ name: stored, media-type: text/plain, steps: [{{ op: write, bytes: {bytes} }}, {{ op: finish }}] }}"
    );
    let store = format!("{{ uses: test/hostile/artifact@^1, permissions: {{ artifacts: [stored] }}, with: {stores} }}");
    place.write("store.yaml", format!("schema: orch-wasm/v1\nname: store\ntasks: {{ store: {store} }}\n"));
    let ran = place.run(["run", "store.yaml", "--format", "json"]);
    ran.exits(0).lines()[0]["run"].as_str().unwrap().to_owned()
}

/// The ids that `prune` prints with these rules.
#[track_caller]
fn prune(place: &Place, rules: &[&str]) -> Vec<String> {
    let ran = place.run(["runs", "prune"].iter().chain(rules));
    ran.exits(0).stdout.lines().map(str::to_owned).collect()
}

/// The ids that are there, oldest first.
fn ids(place: &Place) -> Vec<String> {
    let listed = place.run(["runs", "list", "--most", "1000", "--format", "json"]).exits(0).lines();
    listed.iter().rev().map(|run| run["run"].as_str().unwrap().to_owned()).collect()
}

/// Makes blobs so old that nobody is about to refer to them.
fn age(place: &Place) -> Vec<PathBuf> {
    let blobs = files(&place.path(STATE).join("blobs"));
    assert!(Command::new("touch").args(["-d", "3 days ago"]).args(&blobs).status().unwrap().success());
    blobs
}

#[test]
fn d13_each_rule_takes_the_oldest_and_says_so_before() {
    let place = SHAPES[0].place();
    place.run(["runs", "prune"]).refused("OW0601", &["no rule", "--keep"]);
    let mut all: Vec<String> = (0..6).map(|number| stores(&place, 100_000 + number)).collect();
    let state =
        || (ids(&place), tree(&place.path(STATE).join("blobs")).len(), files(&place.path(STATE).join("reports")).len());
    assert_eq!(state(), (all.clone(), 7, 18));
    // Without a rule nothing goes, and what would go is still there.
    place.run(["runs", "prune", "--dry-run"]).refused("OW0601", &["no rule"]);
    place.run(["runs", "prune", "--older-than", "soon"]).exits(2);
    assert_eq!(prune(&place, &["--older-than", "1h"]), Vec::<String>::new());
    assert_eq!(prune(&place, &["--keep", "6"]), Vec::<String>::new());
    assert_eq!(prune(&place, &["--keep", "4", "--dry-run"]), all[..2]);
    assert_eq!(state(), (all.clone(), 7, 18));
    age(&place);
    assert_eq!(prune(&place, &["--keep", "4"]), all[..2]);
    all.drain(..2);
    // Their artifacts and reports went with them, the component that all use did not.
    assert_eq!(state(), (all.clone(), 5, 12));
    // The component and two runs fit, three do not.
    let component = files(&place.path(STATE).join("blobs")).iter().map(|blob| fs::metadata(blob).unwrap().len()).max();
    let most = format!("{}B", component.unwrap() + 290_000);
    let would = prune(&place, &["--most", &most, "--dry-run"]);
    assert_eq!(prune(&place, &["--most", &most]), would);
    assert_eq!(would, all[..2]);
    all.drain(..2);
    assert_eq!(state(), (all.clone(), 3, 6));
    // Two hours pass for those that are left.
    let database = Connection::open(place.path(STATE).join("state.db")).unwrap();
    assert_eq!(database.execute("UPDATE runs SET updated = updated - 7200000", []).unwrap(), 2);
    drop(database);
    let newest = stores(&place, 5);
    assert_eq!(prune(&place, &["--older-than", "3h"]), Vec::<String>::new());
    assert_eq!(prune(&place, &["--older-than", "1h"]), all);
    assert_eq!(ids(&place), [newest]);
    place.run(["runs", "verify"]).exits(0);
    place.run(["doctor", "w.yaml"]).exits(0);
}

#[test]
fn d13_an_artifact_that_another_run_refers_to_stays() {
    let place = SHAPES[0].place();
    let (first, second) = (stores(&place, 70_000), stores(&place, 70_000));
    let orphan = stores(&place, 60_000);
    let third = stores(&place, 70_000);
    assert_eq!(age(&place).len(), 3);
    assert_eq!(prune(&place, &["--keep", "1"]), [first, second, orphan]);
    let lengths: BTreeSet<u64> =
        files(&place.path(STATE).join("blobs")).iter().map(|blob| fs::metadata(blob).unwrap().len()).collect();
    assert!(lengths.len() == 2 && lengths.contains(&70_000), "{lengths:?}");
    place.run(["runs", "verify", &third]).exits(0);
    place.run(["doctor", "w.yaml"]).exits(0).says_out("✔ state");
}

#[test]
fn d13_a_link_among_the_reports_leads_nowhere() {
    let place = SHAPES[0].place();
    let run = stores(&place, 10);
    let canary = place.write("outside/canary", "alive");
    let reports = place.path(STATE).join("reports").join(&run);
    symlink(place.path("outside"), reports.join("folder")).unwrap();
    symlink(&canary, reports.join("file")).unwrap();
    assert_eq!(prune(&place, &["--keep", "0"]), [run]);
    assert!(!reports.exists());
    // The folder of all reports as a link: nothing behind it goes either.
    let run = stores(&place, 10);
    let (all, moved) = (place.path(STATE).join("reports"), place.path("outside/reports"));
    fs::rename(&all, &moved).unwrap();
    symlink(&moved, &all).unwrap();
    assert_eq!(prune(&place, &["--keep", "0"]), std::slice::from_ref(&run));
    assert!(moved.join(run).join("report.md").exists(), "it went through the link");
    assert_eq!(place.read("outside/canary"), "alive");
}

/// The runs that the database has, as an outsider reads it: id and whether it is over.
fn rows(place: &Place) -> Vec<(String, bool)> {
    let connection = Connection::open(place.path(STATE).join("state.db")).unwrap();
    let mut query = connection.prepare("SELECT id, outcome IS NOT NULL FROM runs ORDER BY key").unwrap();
    query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

/// Events, references and reports of runs that are gone.
fn left_over(place: &Place) -> Vec<String> {
    let connection = Connection::open(place.path(STATE).join("state.db")).unwrap();
    let mut left = Vec::new();
    for table in ["events", "wishes", "results", "blob_refs"] {
        let sql = format!("SELECT count(*) FROM {table} WHERE run NOT IN (SELECT key FROM runs)");
        let count: i64 = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
        left.extend((count > 0).then(|| format!("{count} rows of {table} belong to no run")));
    }
    let known: BTreeSet<String> = rows(place).into_iter().map(|(id, _)| id).collect();
    for entry in fs::read_dir(place.path(STATE).join("reports")).into_iter().flatten() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        left.extend((!known.contains(&name)).then(|| format!("reports of {name} are left")));
    }
    left
}

#[test]
fn d13_killed_at_every_point_of_prune() {
    let points: Vec<&str> =
        orch_store::FAULT_POINTS.iter().copied().filter(|point| point.starts_with("prune.")).collect();
    assert!(points.len() >= 5, "{points:?}");
    let place = SHAPES[0].place();
    let mut killed = 0;
    for point in &points {
        for visit in [1, 2] {
            for number in 0..3 {
                stores(&place, 1_000 + number);
            }
            age(&place);
            let arguments = ["runs", "prune", "--keep", "1", "--workflow", "w.yaml"];
            let ran = run_faulty(&place, &arguments, &format!("kill:{point}:{visit}"), "");
            assert_eq!(ran.code, 128 + 9, "{point} {visit}: {ran}");
            killed += 1;
            place.run(["doctor", "w.yaml"]).exits(0).says_out("✔ state");
            place.run(arguments).exits(0);
            place.run(["doctor", "w.yaml"]).exits(0).says_out("✔ state");
            let (left, rows) = (left_over(&place), rows(&place));
            assert!(left.is_empty() && rows.len() == 1, "{point} {visit}: {left:?} {rows:?}");
            place.run(["runs", "verify"]).exits(0);
            // The component and one artifact.
            assert_eq!(files(&place.path(STATE).join("blobs")).len(), 2, "{point} {visit}");
        }
    }
    println!("{killed} kills at {} points", points.len());
}

#[test]
fn d13_pruning_beside_runs_and_kills_takes_only_what_is_over() {
    let place = SHAPES[2].place();
    // One waits for people, one was interrupted; both are older than everything that follows.
    place.run(["run", "w.yaml", "--jobs", "2"]).exits(4);
    let waiting = run_of(&place).unwrap();
    run_faulty(&place, &RUN, "kill:dispatch.after-attempts:1", "");
    let interrupted = ids(&place).pop().unwrap();
    stores(&place, 50);
    let mut gone = BTreeSet::new();
    let mut over = BTreeSet::new();
    let mut prunes = 0;
    for round in 0..12_u64 {
        let mut command = place.command(["run", "store.yaml"]);
        let mut ends = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut command = faulty(&place, &["run", "store.yaml"], "", "");
        let mut dies = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut pruning = place
            .command(["runs", "prune", "--keep", "2", "--workflow", "w.yaml"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(10 + round * 15));
        let _ = dies.kill();
        if round % 3 == 0 {
            let _ = pruning.kill();
        }
        for child in [&mut dies, &mut pruning, &mut ends] {
            child.wait().unwrap();
        }
        over.extend(rows(&place).into_iter().filter_map(|(id, over)| over.then_some(id)));
        gone.extend(prune(&place, &["--keep", "2"]));
        prunes += 1;
        let there: BTreeSet<String> = rows(&place).into_iter().map(|(id, _)| id).collect();
        assert!(there.contains(&waiting) && there.contains(&interrupted), "round {round}: a run that is open went");
        assert!(rows(&place).iter().filter(|(_, over)| *over).count() <= 2);
    }
    assert!(gone.is_subset(&over), "went and were not over: {:?}", gone.difference(&over));
    assert!(left_over(&place).is_empty(), "{:?}", left_over(&place));
    println!("{prunes} rounds, {} runs went", gone.len());
    // Both can go on, on the component that they began with.
    for run in [&waiting, &interrupted] {
        let mut code = place.run(["resume", run, "--workflow", "w.yaml"]).code;
        assert_eq!(code, 4, "{run}");
        place.run(["approve", run, "sign-off", "--workflow", "w.yaml"]).exits(0);
        code = place.run(["resume", run, "--workflow", "w.yaml"]).code;
        assert_eq!(code, SHAPES[2].exit, "{run}");
        place.run(["runs", "verify", run, "--workflow", "w.yaml"]).exits(0);
    }
    place.run(["doctor", "w.yaml"]).exits(0);
}
