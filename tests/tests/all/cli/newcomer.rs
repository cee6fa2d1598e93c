//! The newcomer's way: from `plugin new` to a run of one's own plugin.

use super::program::{Place, Ran, repository};
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// Gives a command what building a plugin needs besides: Rust, where its crates lie, and a target folder that is warm.
pub(crate) fn with_rust(command: &mut Command) {
    // The guest of other tests has the same dependencies: once it is built, most crates are on this disk.
    orch_tests::hostile();
    rust(command);
    if is_all_on_this_disk() {
        command.env("CARGO_NET_OFFLINE", "true");
    }
}

fn rust(command: &mut Command) {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let set = |name: &str, below: &str| std::env::var_os(name).unwrap_or_else(|| home.join(below).into_os_string());
    let (cargo, rustup) = (set("CARGO_HOME", ".cargo"), set("RUSTUP_HOME", ".rustup"));
    let mut path = PathBuf::from(&cargo).join("bin").into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    command.env("PATH", path).env("CARGO_HOME", cargo).env("RUSTUP_HOME", rustup);
    command.env("CARGO_TARGET_DIR", repository().join("target/guests"));
    // Outside of the checkout nothing names the toolchain.
    let toolchain = fs::read_to_string(repository().join("rust-toolchain.toml")).unwrap();
    let channel = toolchain.lines().find_map(|line| line.strip_prefix("channel = ")).unwrap().trim_matches('"');
    command.env("RUSTUP_TOOLCHAIN", std::env::var_os("RUSTUP_TOOLCHAIN").unwrap_or_else(|| OsString::from(channel)));
}

/// Whether a new plugin can be built without asking crates.io. On a fresh machine the first one cannot, as for any newcomer.
fn is_all_on_this_disk() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let place = Place::empty();
        place.run(["plugin", "new", "acme/probe"]).exits(0);
        let mut probe = Command::new("cargo");
        place.surround(&mut probe);
        rust(probe.args(["test", "--quiet", "--no-run", "--offline"]).current_dir(place.path("probe")));
        Ran::unchecked(probe).code == 0
    })
}

fn building(place: &Place, mut command: Command, folder: &str) -> Ran {
    with_rust(command.current_dir(place.path(folder)));
    Ran::of(command)
}

#[test]
fn a_first_plugin_is_made_tested_published_and_run() {
    let place = Place::empty();
    let new = place.run(["plugin", "new", "acme/first-scan"]);
    new.exits(0).says_out("first-scan/src/lib.rs").says("orch-wasm plugin publish .");
    place.run(["keys", "new"]).exits(0);
    let mut test = Command::new("cargo");
    place.surround(&mut test);
    test.args(["test", "--quiet"]);
    building(&place, test, "first-scan").exits(0).says_out("1 passed");
    let built = building(&place, place.command(["plugin", "build", "."]), "first-scan");
    built.exits(0).says_out("first-scan.wasm").says("building");
    place.run(["plugin", "check", "first-scan/first-scan.wasm"]).exits(0).says_out("acme/first-scan 0.1.0: fine");
    let inspected = place.run(["plugin", "inspect", "first-scan/first-scan.wasm"]);
    inspected.exits(0).says_out("fs source read: the files to look at").says_out("takes mark");
    building(&place, place.command(["plugin", "publish", "."]), "first-scan")
        .exits(0)
        .says("is published in `registry`");
    building(&place, place.command(["plugin", "publish", "."]), "first-scan").exits(0).says("is there already");
    place.write("first-scan/src/marked.rs", "// TODO \u{1b}[2J this is found\n");
    let ran = place.run(["run", "first-scan/workflow.yaml"]);
    ran.exits(0).says_out("open-mark").says_out("marked.rs:1").says("acme/first-scan 0.1.0");
    place
        .run(["runs", "show", "--workflow", "first-scan/workflow.yaml", "--format", "sarif"])
        .exits(0)
        .says_out("open-mark");
    // Nothing is written over what a person has begun.
    let source = place.read("first-scan/src/lib.rs");
    place.run(["plugin", "new", "acme/first-scan"]).refused("OW0601", &["nothing was written"]);
    assert_eq!(place.read("first-scan/src/lib.rs"), source);
}

#[test]
fn what_cannot_be_built_is_said() {
    let place = Place::empty();
    place.run(["keys", "new"]).exits(0);
    place.run(["plugin", "new", "acme/broken", "--sdk", "nowhere"]).refused("OW0602", &["nowhere", "--sdk"]);
    assert!(!place.path("broken").exists());
    place.run(["plugin", "new", "Acme/Broken"]).exits(2).says("`A` at byte 0");
    fs::create_dir(place.path("empty")).unwrap();
    place.run(["plugin", "build", "empty"]).refused("OW0113", &["plugin.yaml", "orch-wasm plugin new"]);
    place.run(["plugin", "new", "acme/broken"]).exits(0);
    let manifest = place.read("broken/plugin.yaml");
    place.write("broken/plugin.yaml", manifest.replace("license:", "licence:"));
    place.run(["plugin", "build", "broken"]).refused("OW0103", &["broken/plugin.yaml:5:1", "`license`"]);
    place.write("broken/plugin.yaml", manifest);
    place.write("broken/src/lib.rs", "this is no Rust\n");
    let ran = building(&place, place.command(["plugin", "publish", "."]), "broken");
    ran.exits(1).says("error[OW0603]").says("src/lib.rs:1");
    assert!(!place.path("broken/registry").exists());
    // Without a Rust at all.
    let mut command = place.command(["plugin", "build", "broken"]);
    command.env("PATH", place.path("empty"));
    Ran::of(command).refused("OW0602", &["cargo", "rustup"]);
    fs::remove_file(place.path("broken/Cargo.toml")).unwrap();
    place.run(["plugin", "build", "broken"]).refused("OW0603", &["Cargo.toml"]);
}
