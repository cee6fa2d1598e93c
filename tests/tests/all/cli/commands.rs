//! Every verb by itself: help, generated pages, error codes, and what each prints and refuses.

use super::packages::{blob, lines, pack, publish};
use super::program::{Place, Ran, repository};
use orch_core::Code;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The commands that a help text lists.
fn below(help: &str) -> Vec<String> {
    let listed = help.split_once("Commands:\n").map_or("", |(_, rest)| rest).lines();
    let named = listed.take_while(|line| !line.is_empty()).filter(|line| line.starts_with("  ") && &line[2..3] != " ");
    named.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").map(str::to_owned).collect()
}

/// Every command with its help; those with commands below them too.
fn commands(place: &Place, path: &[String], found: &mut Vec<(Vec<String>, String)>) {
    let help = place.run(path.iter().map(String::as_str).chain(["--help"])).exits(0).stdout.clone();
    for name in below(&help) {
        commands(place, &[path, &[name]].concat(), found);
    }
    found.push((path.to_vec(), help));
}

#[test]
fn every_command_has_help_with_an_example() {
    let place = Place::empty();
    let mut found = Vec::new();
    commands(&place, &[], &mut found);
    assert!(found.len() > 30, "{}", found.len());
    for (path, help) in &found {
        assert!(help.contains("Usage: orch-wasm"), "{path:?}: {help}");
        let group = !below(help).is_empty() && !path.is_empty();
        assert!(group || help.contains("Example"), "{path:?} has no example: {help}");
        let heading = format!(
            "\n## `{}`\n",
            ["orch-wasm"].into_iter().chain(path.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
        );
        assert!(fs::read_to_string(repository().join("docs/cli.md")).unwrap().contains(&heading), "{heading}");
    }
    let ran = place.run([""; 0]);
    assert!(ran.code == 2 && ran.stderr.contains("Usage: orch-wasm"), "{ran}");
    place.run(["--version"]).exits(0).says_out(env!("CARGO_PKG_VERSION"));
    place.run(["rnu"]).exits(2).says("run");
}

#[test]
fn generated_pages_are_up_to_date() {
    let place = Place::empty();
    let schemas = ["workflow", "policy", "plugin", "waivers"];
    let pages = schemas.map(|of| (format!("docs/schema/{of}.json"), vec!["schema", of]));
    for (file, arguments) in pages.into_iter().chain([("docs/cli.md".to_owned(), vec!["reference"])]) {
        let page = fs::read_to_string(repository().join(&file)).unwrap_or_default();
        let printed = place.run(&arguments).exits(0).stdout.clone();
        assert!(
            page == printed,
            "`{file}` is not what `orch-wasm {}` prints: run `cargo xtask docs`",
            arguments.join(" ")
        );
        if arguments[0] == "schema" {
            let schema: serde_json::Value = serde_json::from_str(&page).unwrap();
            assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        }
    }
    assert_eq!(place.run(["schema"]).stdout, place.run(["schema", "workflow"]).stdout);
}

#[test]
fn every_error_code_has_a_page_and_every_page_a_code() {
    let place = Place::empty();
    let folder = repository().join("docs/errors");
    let pages: BTreeSet<String> = fs::read_dir(&folder)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".md").map(str::to_owned))
        .filter(|name| name != "README")
        .collect();
    let codes: BTreeSet<String> = Code::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(pages, codes);
    let overview = fs::read_to_string(folder.join("README.md")).unwrap_or_default();
    for code in &codes {
        let page = fs::read_to_string(folder.join(format!("{code}.md"))).unwrap();
        assert!(page.starts_with(&format!("# {code}")), "{code}: {page}");
        assert!(page.lines().count() > 4, "{code} says nothing: {page}");
        assert_eq!(place.run(["explain", code]).exits(0).stdout, page, "{code}");
        assert!(overview.is_empty() || overview.contains(code.as_str()), "docs/errors/README.md does not list {code}");
    }
    place.run(["explain", "ow0107"]).exits(0).says_out("OW0107");
    place.run(["explain", "OW9999"]).refused("OW0601", &["OW0107"]);
}

/// Every file below a folder with its content.
fn tree(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(tree(&path));
            found.push((path, Vec::new()));
        } else {
            let content = fs::read(&path).unwrap();
            found.push((path, content));
        }
    }
    found.sort();
    found
}

#[test]
fn init_makes_what_runs_at_once_in_a_fresh_home() {
    let place = Place::empty();
    place
        .run(["init", "new/checks"])
        .exits(0)
        .says_out("new/checks/workflow.yaml")
        .says("cd new/checks && orch-wasm run");
    let mut command = place.command(["run"]);
    command.current_dir(place.path("new/checks"));
    Ran::of(command).exits(0).says_out("Hello, world!");
    for verb in ["validate", "plan", "graph", "lock", "doctor"] {
        let mut command = place.command([verb]);
        command.current_dir(place.path("new/checks"));
        Ran::of(command).exits(0);
    }
    // From another folder, by path.
    place.run(["run", "new/checks/workflow.yaml"]).exits(0);
    // A second one uses the key that is there.
    place.run(["init", "other"]).exits(0).does_not_say("signing key");
    place.run(["run", "other/workflow.yaml"]).exits(0);
}

#[test]
fn init_never_overwrites() {
    for name in ["workflow.yaml", "policy.yaml", "registry/file"] {
        let place = Place::empty();
        place.write(name, "mine");
        let before = tree(&place.outside("."));
        place.run(["init", "."]).refused("OW0601", &["is there already; nothing was written"]);
        assert_eq!(tree(&place.outside(".")), before, "{name}");
    }
    let place = Place::new();
    let before = tree(&place.work());
    place.run(["init"]).refused("OW0601", &["workflow.yaml"]);
    assert_eq!(tree(&place.work()), before);
    place.write("file", "");
    place.run(["init", "file"]).exits(7).says("error[OW0501]").says("`file`");
    place.run(["init", "file/below"]).exits(7).says("error[OW0501]");
    let mut command = place.command(["init", "homeless"]);
    command.env_remove("HOME").env_remove("XDG_CONFIG_HOME").env_remove("XDG_CACHE_HOME");
    Ran::of(command).exits(2).says("set HOME");
    // What was begun there is in nobody's way.
    place.run(["init", "homeless"]).exits(0);
    place.run(["run", "homeless/workflow.yaml"]).exits(0);
}

#[test]
fn completions_are_for_every_shell() {
    let place = Place::empty();
    for (shell, has) in [("bash", "complete -F"), ("zsh", "#compdef orch-wasm"), ("fish", "complete -c orch-wasm")] {
        place.run(["completions", shell]).exits(0).says_out(has).says_out("validate");
    }
    // What the shell itself says of it.
    let script = place.run(["completions", "bash"]).stdout;
    place.write("completions.bash", script);
    let mut command = std::process::Command::new("bash");
    command.args(["-c", "source ./completions.bash && complete -p orch-wasm"]);
    place.surround(&mut command);
    Ran::of(command).exits(0).says_out("orch-wasm");
    place.run(["completions", "no-shell"]).exits(2);
}

#[test]
fn a_graph_has_three_forms() {
    let place = Place::empty();
    let task = |name: &str, needs: &str| format!("  {name}: {{ uses: a/b@1, needs: [{needs}] }}\n");
    let tasks = task("scan", "") + &task("sbom", "") + &task("end", "scan, sbom") + &task("late", "end");
    place.write("workflow.yaml", format!("schema: orch-wasm/v1\nname: graph\ntasks:\n{tasks}"));
    let text = place.run(["graph"]);
    text.exits(0).says_out("scan\n").says_out("└─ end").says_out("also needs").says_out("   └─ late");
    let mermaid = place.run(["graph", "--as", "mermaid"]);
    mermaid.exits(0).says_out("flowchart TD\n").says_out("t2[\"end\"]").says_out("t0 --> t2").says_out("t2 --> t3");
    let dot = place.run(["graph", "--as", "dot"]);
    dot.exits(0).says_out("digraph workflow {").says_out("\"scan\" -> \"end\";").says_out("\"end\" -> \"late\";");
    assert!(dot.stdout.ends_with("}\n"), "{dot}");
}

#[test]
fn a_plan_says_what_each_task_could_reach_and_changes_nothing() {
    let place = Place::new();
    let before = tree(&place.work());
    place.run(["plan"]).exits(0).says_out("orch/echo 1.0.0").says_out("policy: policy.yaml").says("not locked yet");
    let plan: serde_json::Value = place.run(["plan", "--format", "json"]).exits(0).lines().remove(0);
    assert_eq!(tree(&place.work()), before);
    let again = place.run(["plan", "--format", "json"]).lines().remove(0);
    assert_eq!(plan, again, "one plan has one text");
    let other = place.run(["plan", "--format", "json", "--input", "name=else"]).lines().remove(0);
    assert_ne!(plan["hash"], other["hash"]);
    // The hash is that of the run.
    let run = place.run(["run", "--format", "json"]).exits(0).lines();
    assert_eq!(run[0]["event"]["plan_hash"], plan["hash"]);
}

#[test]
fn doctor_says_what_is_wrong_and_how_to_mend_it() {
    let place = Place::new();
    let fine = place.run(["doctor"]);
    fine.exits(0).says_out("✔ sandbox").says_out("✔ registry").says_out("✔ policy").says_out("✔ keys");
    // What nothing works without.
    place.write("policy.yaml", "schema: nonsense\n");
    place.run(["doctor"]).exits(1).says_out("✘ policy").says_out("fix:");
    fs::remove_file(place.path("policy.yaml")).unwrap();
    place.write(".orch-wasm", "a file");
    place.run(["doctor"]).exits(1).says_out("✘ state");
    fs::remove_file(place.path(".orch-wasm")).unwrap();
    // What only some need.
    let index = place.path("registry/index/orch/echo.jsonl");
    fs::write(&index, "damaged\n").unwrap();
    place.run(["doctor"]).exits(0).says_out("! registry").says_out("orch/echo");
    let empty = Place::empty();
    empty.run(["doctor"]).exits(0).says_out("! keys").says_out("orch-wasm keys new").says_out("! registry");
}

#[test]
fn a_key_is_never_overwritten() {
    let place = Place::empty();
    place.run(["keys", "show"]).refused("OW0215", &["orch-wasm keys new"]);
    place.write("package.wasm", "");
    place.run(["plugin", "publish", "package.wasm"]).refused("OW0215", &["orch-wasm keys new"]);
    place.run(["keys", "new"]).exits(0).says("signing key in");
    let before = tree(&place.outside("home"));
    place.run(["keys", "new"]).refused("OW0215", &["already there", "never overwritten"]);
    assert_eq!(tree(&place.outside("home")), before);
    place.run(["keys", "new", "--out", "second.key"]).exits(0);
    place.run(["keys", "new", "--out", "second.key"]).refused("OW0215", &["`second."]);
    // Nor is a public key whose secret half is elsewhere.
    place.write("third.pub", "mine");
    assert_ne!(place.run(["keys", "new", "--out", "third.key"]).code, 0);
    assert_eq!(place.read("third.pub"), "mine");
    assert!(!place.path("third.key").exists(), "a key without its public half was left");
    let shown = place.run(["keys", "show"]);
    shown.exits(0).says_out("ed25519:");
    assert_eq!(place.run(["keys", "list", "--format", "json"]).exits(0).lines().len(), 1);
    place.run(["keys", "trust", "second.pub"]).exits(0);
    place.run(["keys", "trust", "second.pub"]).exits(0).says("trusted already");
    assert_eq!(place.run(["keys", "list", "--format", "json"]).exits(0).lines().len(), 2);
    place.run(["keys", "list"]).exits(0).says_out(shown.stdout.trim());
    // A secret is no public key, and is not copied to where public ones lie.
    place.run(["keys", "trust", "second.key"]).refused("OW0215", &["signing key"]);
    place.run(["keys", "trust", "nowhere.pub"]).refused("OW0215", &["nowhere.pub"]);
    let secret = place.read("second.key");
    let secret = secret.split_whitespace().last().unwrap();
    for arguments in [["keys", "list"], ["keys", "show"]] {
        let ran = place.run(arguments);
        assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret));
    }
}

#[test]
fn the_code_cache_is_listed_verified_and_emptied() {
    let place = Place::new();
    place.run(["cache", "ls", "--format", "json"]).exits(0);
    place.run(["run"]).exits(0);
    let entries = place.run(["cache", "ls", "--format", "json"]).exits(0).lines();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["component"], lines(&place, "orch/echo")[0]["digest"]);
    place.run(["cache", "ls"]).exits(0).says_out("code").says("at most");
    place.run(["cache", "verify"]).exits(0).says_out("1 entry fine, 0 deleted");
    let file = place.code_cache().join(entries[0]["name"].as_str().unwrap());
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, bytes).unwrap();
    place.run(["cache", "ls"]).exits(0).says_out("does not verify");
    place.run(["cache", "verify"]).exits(1).says_out("1 deleted");
    assert!(!file.exists());
    place.run(["run"]).exits(0);
    place.run(["cache", "gc"]).exits(0).says_out("0 bytes freed");
    assert!(file.exists());
    place.run(["cache", "gc", "--most", "0B"]).exits(0);
    assert!(!file.exists());
    place.run(["cache", "gc", "--most", "plenty"]).exits(2);
    place.run(["run"]).exits(0);
}

#[test]
fn plugins_are_listed_inspected_and_verified() {
    let place = Place::new();
    let asks = json!({ "fs": [{ "mount": "source", "access": "read", "reason": "to \u{1b}[31mlook" }] });
    publish(&place, &pack("acme/tool", "1.0.0", asks));
    let listed = place.run(["plugin", "list", "--format", "json"]).exits(0).lines();
    assert_eq!(
        listed.iter().map(|line| line["name"].as_str().unwrap()).collect::<Vec<_>>(),
        ["acme/tool", "orch/echo"]
    );
    place.run(["plugin", "list"]).exits(0).says_out("acme/tool").says_out("fine");
    let inspected = place.run(["plugin", "inspect", "acme/tool@^1"]);
    inspected.exits(0).says_out("fs source read: to \\u{1b}[31mlook").says_out("orch:task/report@0.1.0");
    let file = blob(&place, &lines(&place, "acme/tool")[0]);
    assert_eq!(place.run(["plugin", "inspect", file.to_str().unwrap()]).exits(0).stdout, inspected.stdout);
    place.run(["plugin", "check", file.to_str().unwrap()]).exits(0).says_out("acme/tool 1.0.0: fine");
    place.run(["plugin", "verify", "acme/tool@=1.0.0"]).exits(0).says_out("✔ trusted signer");
    place.run(["plugin", "verify", "acme/nothing"]).refused("OW0202", &["acme/nothing"]);
    place.run(["plugin", "inspect", "acme/tool@latest"]).refused("OW0201", &["`latest`"]);
    place.run(["plugin", "check", "/dev/zero"]).refused("OW0203", &["/dev/zero"]);
    place.run(["plugin", "check", "nowhere.wasm"]).refused("OW0202", &["nowhere.wasm"]);
    place.run(["plugin", "yank", "acme/tool", "9.9.9", "--reason", "x"]).refused("OW0202", &["1.0.0"]);
    place.run(["plugin", "yank", "acme/tool", "1.0.0", "--reason", " "]).exits(2);
    // A folder that is no registry, and none at all.
    place.run(["plugin", "list", "--registry", "nowhere"]).exits(2).says("error[OW02");
    Place::empty().run(["plugin", "list"]).refused("OW0202", &["--registry"]);
    // Publishing the same again changes nothing.
    let before = tree(&place.path("registry"));
    fs::copy(&file, place.path("again.wasm")).unwrap();
    place.run(["plugin", "publish", "again.wasm"]).exits(0).says("is there already");
    assert_eq!(tree(&place.path("registry")), before);
}
