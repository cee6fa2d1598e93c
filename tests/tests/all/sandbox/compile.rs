//! Components that cost much to compile (S16), that are damaged (S17), or that import what there is not (S18).

use orch_core::NoFaults;
use orch_host::{CodeCache, CompileError, LoadError, PrecheckError, precheck};
use orch_tests::{
    Call, CountingCompiler, Guest, Sandbox, alone, bombs, compiler, guest_returning, hostile, peak_memory, wat_guest_in,
};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Refused before anything is compiled: the compiler is not started.
#[track_caller]
fn check_refused(name: &str, modules: &[Vec<u8>], expected: &str) {
    let counting = CountingCompiler::new(&compiler(&[]));
    let sandbox = Sandbox::with(None, counting.compiler.clone(), Arc::new(NoFaults));
    let bytes = bombs::plugin_of(modules);
    let size = bytes.len() >> 10;
    let begun = Instant::now();
    let error = sandbox.load(&Guest::new(bytes)).unwrap_err();
    println!("measured: S16: {name} ({size} KiB) refused in {} ms", begun.elapsed().as_millis());
    assert!(matches!(error, LoadError::Precheck(PrecheckError::TooMany { .. })), "{name}: {error}");
    assert!(error.to_string().contains(expected), "{name}: {error}");
    assert_eq!(counting.starts(), 0, "{name}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{name}");
}

#[test]
fn s16_what_can_be_counted_is_refused_before_it_is_compiled() {
    if !alone("sandbox::compile::s16_what_can_be_counted_is_refused_before_it_is_compiled") {
        return;
    }
    let before = peak_memory();
    check_refused("20,000 nested loops", &[bombs::nested_loops(20_000, 1)], "loops nested in each other");
    check_refused("1,001 nested loops", &[bombs::nested_loops(1_001, 1)], "loops nested in each other");
    check_refused("20,001 nested blocks", &[bombs::nested_blocks(20_001)], "blocks nested in each other");
    check_refused("200,000 chained blocks", &[bombs::chained_blocks(200_000, 1)], "bytes in one function");
    check_refused("50,000 locals", &[bombs::ifs_over_locals(10, 50_000)], "locals in one function");
    check_refused("500,000 functions", &[bombs::many_functions(500_000)], "500000 functions, at most 400000");
    check_refused("1,000,000 imports", &[bombs::many_imports(1_000_000)], "1000000 imports, at most 5000");
    check_refused("1,000,000 types", &[bombs::many_types(1_000_000)], "1000000 types");
    check_refused("1,000,000 exports", &[bombs::many_exports(1_000_000)], "types, exports, globals and aliases");
    check_refused("100 modules", &vec![bombs::module(&[]); 100], "65 core modules, at most 64");
    let grown = (peak_memory() - before) >> 20;
    println!("measured: S16: the process grew by {grown} MiB while it refused");
    assert!(grown < 100, "{grown} MiB");
}

/// The compiling child is ended by a limit (`seconds` of CPU, `mebibytes`), our process stays small, and the failure is remembered:
/// the same component is refused again without a compiler.
#[track_caller]
fn check_killed(name: &str, module: Vec<u8>, [seconds, mebibytes]: [u64; 2], expected: &str) {
    let counting = CountingCompiler::new(&compiler(&[seconds, mebibytes]));
    let guest = Guest::new(bombs::plugin_of(&[module]));
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let load = || {
        let cache = CodeCache::open(folder.path(), 1 << 30).unwrap();
        let sandbox = Sandbox::with(Some(cache), counting.compiler.clone(), Arc::new(NoFaults));
        let begun = Instant::now();
        (sandbox.load(&guest).unwrap_err(), begun.elapsed())
    };
    let before = peak_memory();
    let (error, took) = load();
    let grown = (peak_memory() - before) >> 20;
    let size = guest.bytes.len() >> 10;
    println!("measured: S16: {name} ({size} KiB): {error} after {} ms; we grew by {grown} MiB", took.as_millis());
    assert!(
        matches!(error, LoadError::Compile(CompileError::Limit(what)) if what.contains(expected)),
        "{name}: {error}"
    );
    assert!(grown < 32, "{name}: {grown} MiB");
    assert_eq!(counting.starts(), 1, "{name}");

    let (error, again) = load();
    assert!(matches!(error, LoadError::Compile(CompileError::Remembered(_))), "{name}: {error}");
    assert!(error.to_string().contains(expected), "{name}: {error}");
    assert_eq!(counting.starts(), 1, "{name}: the compiler was started again");
    assert!(again < Duration::from_secs(1), "{name}: {again:?}");
}

#[test]
fn s16_what_costs_too_much_is_ended_and_remembered() {
    if !alone("sandbox::compile::s16_what_costs_too_much_is_ended_and_remembered") {
        return;
    }
    // Each below every bound of the pre-check. The limits are lowered, so that the test does not take as long as they allow.
    let cpu = [1, 2_048];
    check_killed("300 functions of 1,000 nested loops", bombs::nested_loops(1_000, 300), cpu, "CPU");
    check_killed("4 functions of 70,000 chained blocks", bombs::chained_blocks(70_000, 4), cpu, "CPU");
    check_killed("20,000 ifs over 5,000 locals", bombs::ifs_over_locals(20_000, 5_000), cpu, "CPU");
    check_killed(
        "4 times 80,000 calls with 2,000 live values",
        bombs::calls_with_live_values(80_000, 2_000, 4),
        cpu,
        "CPU",
    );
    check_killed("300,000 functions", bombs::many_functions(300_000), cpu, "CPU");
    check_killed("1,200 jump tables of 501 targets", bombs::jump_tables(8, 150, 501), cpu, "CPU");
    check_killed("100,000 functions in little memory", bombs::many_functions(100_000), [30, 400], "memory");
}

#[test]
fn s16_running_out_of_wall_time_is_not_remembered() {
    let mut slow = compiler(&[]);
    slow.limits.wall = Duration::from_millis(300);
    let counting = CountingCompiler::new(&slow);
    let guest = Guest::new(bombs::plugin_of(&[bombs::ifs_over_locals(20_000, 5_000)]));
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    for starts in 1..=2 {
        let cache = CodeCache::open(folder.path(), 1 << 30).unwrap();
        let sandbox = Sandbox::with(Some(cache), counting.compiler.clone(), Arc::new(NoFaults));
        let begun = Instant::now();
        let error = sandbox.load(&guest).unwrap_err();
        assert!(matches!(error, LoadError::Compile(CompileError::Limit("60 s"))), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        assert_eq!(counting.starts(), starts);
    }
}

#[test]
fn a_compiler_that_is_killed_or_missing_is_told_and_not_remembered() {
    let script = tempfile::tempdir().unwrap();
    let program = script.path().join("killed");
    std::fs::write(&program, "#!/bin/sh\nkill -9 $$\n").unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    for program in [program, script.path().join("missing")] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let broken = orch_host::Compiler { program, ..compiler(&[]) };
        let open = || CodeCache::open(folder.path(), 1 << 30).unwrap();
        let error = Sandbox::with(Some(open()), broken, Arc::new(NoFaults)).load(&guest_returning("good")).unwrap_err();
        assert!(matches!(error, LoadError::Compile(CompileError::NotRun(_))), "{error}");
        Sandbox::with(Some(open()), compiler(&[]), Arc::new(NoFaults)).load(&guest_returning("good")).unwrap();
    }
}

/// A sequence that is the same in every run (xorshift64*).
struct Sequence(u64);

impl Sequence {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

/// A copy with some bits flipped.
fn flipped(bytes: &[u8], sequence: &mut Sequence) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=sequence.below(4) {
        let at = sequence.below(bytes.len());
        bytes[at] ^= 1 << sequence.below(8);
    }
    bytes
}

#[test]
fn s17_damaged_components_give_an_error_and_no_panic() {
    let (small, large) = (guest_returning("good").bytes, hostile().bytes);
    let mut slowest = Duration::ZERO;
    let mut look = |bytes: &[u8]| {
        let begun = Instant::now();
        let found = precheck(bytes);
        slowest = slowest.max(begun.elapsed());
        found
    };
    // Cut off at each byte of the small one, and at many of the large one. A component that ends between two sections is one.
    let cut = (0..small.len()).map(|end| &small[..end]).chain((0..large.len()).step_by(1_009).map(|end| &large[..end]));
    let whole = precheck(&large).unwrap();
    for bytes in cut {
        if let Ok(found) = look(bytes) {
            assert!(found.exports.is_empty() || found.exports.is_subset(&whole.exports));
        }
    }
    let mut sequence = Sequence(0x9e37_79b9_7f4a_7c15);
    let (mut refused, all) = (0, 3_000);
    for case in 0..all {
        let bytes = if case % 3 == 0 { flipped(&large, &mut sequence) } else { flipped(&small, &mut sequence) };
        refused += usize::from(look(&bytes).is_err());
    }
    println!(
        "measured: S17: {refused} of {all} flipped components refused, the slowest look took {} ms",
        slowest.as_millis()
    );
    assert!(refused > 0 && slowest < Duration::from_secs(1), "{slowest:?}");
}

#[test]
fn s17_damaged_components_that_pass_for_whole_do_no_harm() {
    let good = guest_returning("good");
    let sandbox = Sandbox::with(None, compiler(&[5, 1_024]), Arc::new(NoFaults));
    let mut sequence = Sequence(42);
    let (mut loads, mut loaded, mut ran) = (0, 0, 0);
    while loads < 60 {
        let guest = Guest::new(flipped(&good.bytes, &mut sequence));
        if precheck(&guest.bytes).is_err() {
            continue;
        }
        loads += 1;
        match sandbox.load(&guest) {
            Err(LoadError::Compile(CompileError::NotRun(error))) => panic!("{error}"),
            Err(_) => {}
            Ok(()) => {
                loaded += 1;
                let ended = sandbox.run(&guest, Call::new("run", Value::Null).timeout(Duration::from_secs(2)));
                ran += usize::from(ended.result.is_ok());
            }
        }
    }
    println!(
        "measured: S17: of {loads} flipped components that passed the pre-check {loaded} loaded and {ran} ran to their end"
    );
    assert!(loaded < loads);
    assert_eq!(sandbox.run(&good, Call::new("run", Value::Null)).output(), "good");
}

#[test]
fn s17_what_is_no_component_is_named() {
    let load = |bytes: &[u8]| Sandbox::new().load(&Guest::new(bytes)).unwrap_err().to_string();
    for (bytes, expected) in [
        (&b""[..], "no WebAssembly"),
        (b"\x7fELF\x02\x01\x01\0", "no WebAssembly"),
        (b"\0asm\x01\0\0\0", "core module"),
        (b"\0asm\x0d\0\x01\0\xff", "damaged"),
        (b"\0asm\xff\xff\xff\xff", "damaged"),
        (b"\0asm\x0d\0\x01\0", "exports neither `orch:task/runner@0.1.0` nor `wasi:cli/run`"),
    ] {
        let error = load(bytes);
        assert!(error.contains(expected), "{error}");
    }
    let old = wat::parse_str(r#"(component (instance $e) (export "orch:task/runner@0.2.0" (instance $e)))"#).unwrap();
    assert!(load(&old).contains("`orch:task/runner@0.2.0`; this version supports `orch:task/runner@0.1.x`"));
    // Compiled code is never accepted as a plugin.
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let cache = CodeCache::open(folder.path(), 1 << 30).unwrap();
    Sandbox::with(Some(cache), compiler(&[]), Arc::new(NoFaults)).load(&guest_returning("good")).unwrap();
    let entries = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let entry = entries.into_iter().find(|path| path.file_name().is_some_and(|name| name.len() == 64)).unwrap();
    let code = std::fs::read(entry).unwrap();
    assert!(load(&code).contains("no WebAssembly"));
    assert!(load(&code[81..]).contains("no WebAssembly"));
}

/// A component that imports `interface` of `package` is not loaded, and the import is named.
#[track_caller]
fn check_import(package: &str, interface: &str, version: &str, expected: &str) {
    let name = format!("{package}/{interface}@{version}");
    // The contract's own package under another version would clash with itself, so the export stands for itself here.
    let world = format!(
        "package test:guest; world guest {{ include orch:task/task@0.1.0; import {name}; }}
         package {package}@{version} {{ interface {interface} {{ reach: func(); }} }}"
    );
    let items = format!(r#"(import "{name}" "reach" (func $reach))"#);
    let guest = wat_guest_in(&world, &items, "(call $reach)");
    let error = Sandbox::new().load(&guest).unwrap_err();
    assert!(matches!(&error, LoadError::MissingImports(_)), "{error}");
    let error = error.to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn s18_imports_that_are_not_linked_are_named() {
    check_import("wasi:http", "incoming-handler", "0.2.0", "`wasi:http/incoming-handler@0.2.0`");
    check_import("wasi:keyvalue", "store", "0.2.0", "`wasi:keyvalue/store@0.2.0`");
    check_import("other:host", "escape", "1.0.0", "`other:host/escape@1.0.0`");
    check_import("orch:task", "secrets", "0.1.5", "orch:task/secrets@0.1.5` (ask for it in plugin.yaml");
    check_import("orch:task", "context", "0.2.0", "orch:task/context@0.2.0` (not supported yet)");
    check_import("orch:task", "context", "1.0.0", "orch:task/context@1.0.0` (not supported yet)");
    check_import("orch:task", "context", "0.10.0", "orch:task/context@0.10.0");
    // A known interface with a function that it does not have.
    check_import("wasi:clocks", "wall-clock", "0.2.0", "reach");
    check_import("wasi:http", "outgoing-handler", "0.2.0", "reach");
    check_import("wasi:clocks", "wall-clock", "0.9.0", "wasi:clocks/wall-clock@0.9.0");
}

#[test]
fn s18_artifacts_are_not_linked_unless_the_manifest_asks() {
    let error = Sandbox::new().load_asking_nothing(&hostile()).unwrap_err();
    let LoadError::MissingImports(missing) = &error else { panic!("{error}") };
    assert_eq!(missing.len(), 3, "{missing:?}");
    for (missing, interface) in missing.iter().zip(["artifacts", "secrets", "state"]) {
        assert!(missing.starts_with(&format!("`orch:task/{interface}@0.1.0` (ask for it in plugin.yaml")), "{missing}");
    }
}
