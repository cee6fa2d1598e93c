//! Guests: two in Rust for everything that a library call can do, one of them for networks, and hand-written modules for what no compiler makes.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
pub use wit_component::StringEncoding;
use wit_component::{ComponentEncoder, embed_component_metadata};
use wit_parser::Resolve;

/// A component with the names of its tasks.
#[derive(Debug, Clone)]
pub struct Guest {
    /// The component.
    pub bytes: Arc<[u8]>,
    /// Its tasks.
    pub tasks: Vec<String>,
}

impl Guest {
    /// Any bytes as a plugin with one task, `run`.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Guest {
        Guest { bytes: bytes.into(), tasks: vec!["run".to_owned()] }
    }
}

/// The tasks of the guest in `guests/hostile`.
pub const HOSTILE_TASKS: [&str; 29] = [
    "files", "preopens", "grow", "recurse", "leak", "artifact", "amplify", "ask", "flood", "bytes", "spin", "wait",
    "sleep", "poll", "times", "info", "has", "env", "net", "say", "fail", "exit", "effect", "secret", "print", "store",
    "kept", "entropy", "input",
];

/// The tasks of the guest in `guests/net`.
pub const NET_TASKS: [&str; 2] = ["http", "raw"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The guest in `guests/hostile`, built once in each test process.
pub fn hostile() -> Guest {
    static BUILT: OnceLock<Arc<[u8]>> = OnceLock::new();
    let bytes = BUILT.get_or_init(|| {
        // A test that runs itself again as another user cannot build, and need not.
        let file = crate::marker("GUEST").map_or_else(|| build("hostile"), PathBuf::from);
        std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())).into()
    });
    Guest { bytes: Arc::clone(bytes), tasks: HOSTILE_TASKS.map(str::to_owned).to_vec() }
}

/// The guest in `guests/programs`, whose task `script` runs programs of the host.
pub fn programs() -> Guest {
    static BUILT: OnceLock<Arc<[u8]>> = OnceLock::new();
    let bytes = BUILT.get_or_init(|| {
        let file = crate::marker("PROGRAMS_GUEST").map_or_else(|| build("programs"), PathBuf::from);
        std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())).into()
    });
    Guest { bytes: Arc::clone(bytes), tasks: vec!["script".to_owned()] }
}

/// The guest in `guests/net`, built once in each test process.
pub fn net() -> Guest {
    static BUILT: OnceLock<Arc<[u8]>> = OnceLock::new();
    let bytes = BUILT.get_or_init(|| {
        let file = build("net");
        std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())).into()
    });
    Guest { bytes: Arc::clone(bytes), tasks: NET_TASKS.map(str::to_owned).to_vec() }
}

fn build(package: &str) -> PathBuf {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--quiet", "--release", "--target", "wasm32-wasip2", "--package", package])
        .current_dir(repository().join("tests/guests"));
    // What the outer cargo was told is not for the guest: clippy's wrapper, coverage flags, another target folder.
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "CARGO_TARGET_DIR"]
    {
        cargo.env_remove(name);
    }
    let built = cargo.output().expect("cargo can be started");
    assert!(built.status.success(), "the guest does not build:\n{}", String::from_utf8_lossy(&built.stderr));
    repository().join("target/guests/wasm32-wasip2/release").join(format!("{package}.wasm"))
}

/// A component of a hand-written core module, for the whole contract. See [`wat_guest_in`].
pub fn wat_guest(items: &str, body: &str) -> Guest {
    wat_guest_in(WHOLE, items, body)
}

/// A component of a hand-written core module in a world of its own. `items` are imports and definitions; `body` are the
/// instructions of the task `run`, which succeeds with `null` unless they trap or change the answer (the text of 4 bytes at 32).
///
/// The memory that the host sees is `$main`. Whatever the host allocates in the guest goes to the same place, 64 KiB up: nobody reads it.
pub fn wat_guest_in(world: &str, items: &str, body: &str) -> Guest {
    let realloc = "(i32.const 65536)";
    Guest::new(component_of(&module(items, body, realloc, "null"), world, StringEncoding::UTF8))
}

/// The world of a guest that uses the whole contract.
const WHOLE: &str = "package test:guest; world guest { include orch:task/task-full@0.1.0; }";

/// As [`wat_guest`], with texts in another encoding.
pub fn wat_guest_encoded(encoding: StringEncoding, items: &str, body: &str) -> Guest {
    Guest::new(component_of(&module(items, body, "(i32.const 65536)", null_in(encoding)), WHOLE, encoding))
}

/// A guest that answers whoever wants memory of it with the value of `realloc`.
pub fn wat_guest_allocating(encoding: StringEncoding, realloc: &str) -> Guest {
    Guest::new(component_of(&module("", "", realloc, null_in(encoding)), WHOLE, encoding))
}

/// The text `null`, of four units in each encoding.
fn null_in(encoding: StringEncoding) -> &'static str {
    if encoding == StringEncoding::UTF16 { "n\\00u\\00l\\00l\\00" } else { "null" }
}

fn module(items: &str, body: &str, realloc: &str, null: &str) -> Vec<u8> {
    let module = format!(
        r#"(module {items}
            (memory $main (export "memory") 4)
            (data (memory $main) (i32.const 0) "\00\00\00\00\00\00\00\00\20\00\00\00\04\00\00\00")
            (data (memory $main) (i32.const 32) "{null}")
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {realloc})
            (func (export "orch:task/runner@0.1.0#run") (param i32 i32 i32 i32) (result i32) {body} (i32.const 0)))"#
    );
    wat::parse_str(module).unwrap()
}

/// A guest that logs a word and returns it.
pub fn guest_returning(word: &str) -> Guest {
    assert_eq!(word.len(), 4);
    let items = format!(
        r#"(import "orch:task/report@0.1.0" "log" (func $log (param i32 i32 i32 i32 i32)))
           (data (i32.const 48) "\"{word}\"")"#
    );
    let body = "(call $log (i32.const 2) (i32.const 49) (i32.const 4) (i32.const 0) (i32.const 0))
                (i32.store (i32.const 8) (i32.const 48)) (i32.store (i32.const 12) (i32.const 6))";
    wat_guest(&items, body)
}

fn component_of(module: &[u8], world: &str, encoding: StringEncoding) -> Vec<u8> {
    let mut resolve = Resolve::default();
    resolve.push_path(repository().join("wit")).unwrap();
    let package = resolve.push_str("guest.wit", world).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    let mut module = module.to_vec();
    embed_component_metadata(&mut module, &resolve, world, encoding, false).unwrap();
    // Not validated here: some of these are invalid on purpose, and saying so is the host's work.
    ComponentEncoder::default().validate(false).module(&module).unwrap().encode().unwrap()
}
