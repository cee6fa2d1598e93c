//! The example plugin of each language, built once for what its source and the SDKs hold.

use crate::cli::newcomer::with_rust;
use crate::cli::program::{Place, Ran, repository};
use orch_core::Digest;
use orch_tests::{Guest, Sandbox};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

/// The tasks that each of them has, and one that none has.
const TASKS: [&str; 8] = ["scan", "echo", "read", "end", "say", "wait", "grow", "nowhere"];

/// Where `cargo xtask toolchains` installs what it does.
pub(super) fn tools() -> PathBuf {
    let tools = repository().join("target/tools");
    assert!(
        tools.join("toolchains").is_file(),
        "the toolchains of the languages are not installed: run `cargo xtask toolchains`"
    );
    tools
}

/// Puts what `cargo xtask toolchains` installs on the path of a command.
pub(super) fn with_toolchains(command: &mut Command) {
    let tools = tools();
    let places = [tools.join("python/bin"), tools.join("js/node_modules/.bin")];
    let path = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect::<Vec<_>>();
    command.env("PATH", std::env::join_paths(places.into_iter().chain(path)).unwrap());
    // Compilers keep their standard libraries there: each is built once.
    let kept = repository().join("target/guests/caches");
    command.env("GOCACHE", kept.join("go")).env("ZIG_GLOBAL_CACHE_DIR", kept.join("zig"));
}

/// The example in a language, loaded once, so that its code is in the cache that all tests share.
pub(super) fn built(language: &'static str) -> Guest {
    static BUILT: Mutex<BTreeMap<&str, Arc<OnceLock<Guest>>>> = Mutex::new(BTreeMap::new());
    let slot = Arc::clone(BUILT.lock().unwrap().entry(language).or_default());
    slot.get_or_init(|| {
        let bytes = fs::read(component(language)).unwrap();
        let guest = Guest { bytes: bytes.into(), tasks: TASKS.map(str::to_owned).to_vec() };
        Sandbox::new().load(&guest).unwrap_or_else(|error| panic!("{language}: {error}"));
        guest
    })
    .clone()
}

/// The file of the component: built by `plugin build`, kept by the digest of all that it is made of.
fn component(language: &str) -> PathBuf {
    let example = repository().join("examples/plugins").join(language);
    let mut made_of = Vec::new();
    for folder in [
        &example,
        &repository().join("sdk"),
        &repository().join("wit"),
        &repository().join("engine/cli/src/commands/language"),
    ] {
        contents(folder, &mut made_of);
    }
    let kept = repository().join("target/guests/languages");
    let file = kept.join(format!("{language}-{}.wasm", &Digest::of(&made_of).hex()[..16]));
    if file.is_file() {
        return file;
    }
    fs::create_dir_all(&kept).unwrap();
    let place = Place::empty();
    // Rust is built where it is: its lock file says what is on this disk already. The others get their SDK anew.
    let folder = if language == "rust" { example } else { copied(&example, &place.path(language)) };
    let made = kept.join(format!("{language}-{}.making", std::process::id()));
    let mut build = place.command(["plugin", "build", "."]);
    if language == "rust" {
        with_rust(&mut build)
    } else {
        with_toolchains(&mut build)
    }
    Ran::of({
        build.current_dir(folder).arg("--out").arg(&made);
        build
    })
    .exits(0);
    fs::rename(&made, &file).unwrap();
    file
}

fn skipped(path: &Path) -> bool {
    ["sdk", "target", "node_modules", ".venv", "__pycache__"].iter().any(|name| path.ends_with(name))
}

fn contents(folder: &Path, all: &mut Vec<u8>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries.into_iter().filter(|entry| !skipped(entry)) {
        all.extend(entry.to_str().unwrap().bytes());
        match entry.is_dir() {
            true => contents(&entry, all),
            false => all.extend(fs::read(&entry).unwrap()),
        }
    }
}

fn copied(from: &Path, to: &Path) -> PathBuf {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()).filter(|entry| !skipped(entry)) {
        let copy = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            copied(&entry, &copy);
        } else {
            fs::copy(&entry, copy).unwrap();
        }
    }
    to.to_owned()
}
