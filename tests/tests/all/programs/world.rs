//! A sandbox with a program, folders to grant and a canary that nobody was granted.

use landlock::{ABI, Access as _, AccessFs, CompatLevel, Compatible, Ruleset, RulesetAttr};
use orch_core::{Access, ExecGrant};
use orch_tests::{Call, Ended, Running, Sandbox, program, programs};
use serde_json::{Value, json};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    folder: tempfile::TempDir,
}

/// Where a program may lie: no folder above is one in which everybody may write, as `/tmp` is.
fn safe_folder() -> PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target");
    let candidates = [Some(built), marker_home(), Some(PathBuf::from("/run")), Some(PathBuf::from("/root"))];
    let is_safe = |folder: &PathBuf| {
        folder.canonicalize().is_ok_and(|real| {
            let all = real.ancestors().all(|above| above.metadata().is_ok_and(|found| found.mode() & 0o002 == 0));
            all && tempfile::tempdir_in(&real).is_ok()
        })
    };
    candidates.into_iter().flatten().find(is_safe).expect("a folder that others cannot write to")
}

#[expect(clippy::disallowed_methods, reason = "the one place that always belongs to the user")]
fn marker_home() -> Option<PathBuf> {
    std::env::var("HOME").ok().map(PathBuf::from)
}

impl World {
    pub(crate) fn new() -> World {
        let folder = tempfile::Builder::new().prefix(".orch-tests-").tempdir_in(safe_folder()).unwrap();
        let world = World { sandbox: Sandbox::new(), folder };
        for name in ["bin", "work", "other"] {
            std::fs::create_dir(world.path(name)).unwrap();
        }
        std::fs::write(world.path("other/canary"), "untouched").unwrap();
        std::fs::write(world.path("work/file"), "content").unwrap();
        world.copy("bin/child");
        world
    }

    /// Puts the program somewhere. Another process does it: a file that this one has open for writing cannot be executed, and every
    /// process that a test beside this one starts inherits it for a moment.
    pub(crate) fn copy(&self, to: &str) {
        let copied = Command::new("cp").arg(program("orch-tests-child")).arg(self.path(to)).status().unwrap();
        assert!(copied.success());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// A grant of the program, changed by `with`.
    pub(crate) fn grant(&self, args: &[&str], with: Value) -> ExecGrant {
        let mut grant = json!({ "alias": "child", "program": self.text("bin/child"), "args": args });
        grant.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        serde_json::from_value(grant).unwrap()
    }

    /// Runs a script with one program granted, and the folder `work` for writing.
    #[track_caller]
    pub(crate) fn run(&self, grant: ExecGrant, steps: Value) -> Ended {
        self.sandbox.run(&programs(), self.call(grant, steps))
    }

    pub(crate) fn call(&self, grant: ExecGrant, steps: Value) -> Call {
        script(steps).program(grant).mount("work", &self.path("work"), Access::Write)
    }

    #[track_caller]
    pub(crate) fn start(&self, call: Call) -> Running {
        self.sandbox.start(&programs(), call)
    }

    /// Runs the program with these slots and gives what it printed.
    #[track_caller]
    pub(crate) fn prints(&self, grant: ExecGrant, slots: &[(&str, &str)]) -> String {
        let ended = self.run(grant, json!([spawn(slots), { "do": "stdout", "as": "p" }, { "do": "wait", "as": "p" }]));
        let output = ended.output();
        assert_eq!(output[0], "spawned", "{output}");
        output[1]["text"].as_str().unwrap().to_owned()
    }

    /// Nothing is run: the guest is told, and it is recorded.
    #[track_caller]
    pub(crate) fn refused(&self, grant: ExecGrant, slots: &[(&str, &str)], reason: &str) {
        let ended = self.run(grant, json!([spawn(slots), { "do": "stdout", "as": "p" }]));
        let output = ended.output();
        assert!(output[0]["error"].as_str().is_some_and(|error| error.contains(reason)), "{output}");
        let refusals = ended.refusals("exec");
        assert!(refusals.iter().any(|refusal| refusal.reason.contains(reason)), "{refusals:?}");
        assert!(!ended.usage.used.iter().any(|rule| rule.starts_with("exec")), "{:?}", ended.usage.used);
    }
}

pub(crate) fn script(steps: Value) -> Call {
    Call::new("script", steps)
}

pub(crate) fn spawn(slots: &[(&str, &str)]) -> Value {
    let slots: Vec<_> = slots.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
    json!({ "do": "spawn", "alias": "child", "as": "p", "slots": slots })
}

/// Processes that have a text among their arguments, whoever started them.
pub(crate) fn alive(marker: &str) -> Vec<String> {
    let of = |pid: &str| {
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
        (arguments.contains("bin/child") || arguments.starts_with("/proc/self/exe")).then_some(())?;
        arguments.contains(marker).then(|| format!("{pid}: {arguments}"))
    };
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|entry| of(entry.file_name().to_str()?)).collect()
}

/// Waits until none is left, for at most the three seconds that are promised, and gives the time.
#[track_caller]
pub(crate) fn all_dead(marker: &str) -> Duration {
    let begun = Instant::now();
    loop {
        let left = alive(marker);
        if left.is_empty() {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < Duration::from_secs(3), "{left:?}");
        std::thread::yield_now();
    }
}

/// Waits until so many are there.
#[track_caller]
pub(crate) fn all_born(marker: &str, count: usize) {
    let begun = Instant::now();
    while alive(marker).len() < count {
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", alive(marker));
        std::thread::yield_now();
    }
}

/// Whether the kernel has Landlock.
pub(crate) fn landlock() -> bool {
    let rules = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    let has = rules.handle_access(AccessFs::from_all(ABI::V1)).and_then(Ruleset::create).is_ok();
    if !has {
        println!("measured: no Landlock here: what a program reaches was not looked at");
    }
    has
}
