//! Folders (F1 to F9, F12 to F14): what was granted, and nothing above, beside or through it. The oracle is a folder outside that must stay
//! as it is, never a message.

mod links;
mod many;
mod races;

use orch_core::{Access, ArtifactName, Blobs, TaskId, UpstreamArtifact};
use orch_tests::{Call, Ended, Sandbox, Snapshot, hostile, marker, rerun_all};
use serde_json::{Value, json};
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `outside/` with the canary; `work/`, granted for writing; `read/`, granted for reading.
struct Folders {
    folder: tempfile::TempDir,
    before: Snapshot,
    read_before: Snapshot,
}

impl Folders {
    fn new() -> Folders {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["outside/inner", "work/inner", "read/inner"] {
            std::fs::create_dir_all(at(name)).unwrap();
        }
        for name in
            ["outside/canary", "outside/inner/deep", "work/file", "work/inner/file", "read/file", "read/inner/file"]
        {
            std::fs::write(at(name), format!("content of {name}")).unwrap();
        }
        let (before, read_before) = (Snapshot::of(&at("outside")), Snapshot::of(&at("read")));
        Folders { folder, before, read_before }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, steps: Vec<Value>) -> Ended {
        let call = Call::new("files", json!({ "steps": steps }))
            .mount("work", &self.at("work"), Access::Write)
            .mount("read", &self.at("read"), Access::Read)
            .timeout(Duration::from_secs(30));
        Sandbox::new().run(&hostile(), call)
    }

    /// Runs `steps`; the folder outside and the folder for reading stay as they are, and nothing of outside was seen.
    #[track_caller]
    fn check(&self, steps: Vec<Value>) -> Vec<(Value, String)> {
        let ended = self.run(steps.clone());
        let answers: Vec<String> = serde_json::from_value(ended.output().clone()).unwrap();
        for (step, answer) in steps.iter().zip(&answers) {
            assert!(!answer.contains("content of outside") && !answer.contains("canary"), "{step}: {answer}");
        }
        assert_eq!(self.before, Snapshot::of(&self.at("outside")), "something outside was changed");
        assert_eq!(self.read_before, Snapshot::of(&self.at("read")), "the folder for reading was changed");
        steps.into_iter().zip(answers).collect()
    }
}

/// Each operation that takes one path, on `path` of `mount`; those with two take it as either.
fn operations(mount: &str, path: &str) -> Vec<Value> {
    let one = [
        "read",
        "write",
        "append",
        "stream",
        "create",
        "create-new",
        "truncate",
        "truncate-open-for-reading",
        "set-size",
        "open-folder",
        "open-folder-to-change",
        "stat",
        "hash",
        "readlink",
        "mkdir",
        "set-times",
        "set-times-of-open-file",
        "rmdir",
        "unlink",
    ];
    let mut steps: Vec<Value> = one.iter().map(|op| json!({ "op": op, "mount": mount, "path": path })).collect();
    steps.extend(one.iter().map(|op| json!({ "op": op, "mount": mount, "path": path, "nofollow": true })));
    for op in ["rename", "link"] {
        steps.push(json!({ "op": op, "mount": mount, "path": path, "to-mount": "/work", "to": "taken" }));
        steps.push(json!({ "op": op, "mount": "/work", "path": "inner/file", "to-mount": mount, "to": path }));
    }
    steps.push(
        json!({ "op": "link", "mount": mount, "path": path, "to-mount": "/work", "to": "linked", "follow": true }),
    );
    // As a link's target every text may stand; as its place none that leads out.
    steps.push(json!({ "op": "symlink", "mount": mount, "path": path, "to": "file" }));
    steps
}

/// No operation on `path` succeeds, and each mount that was used for it has an event of the refusal.
#[track_caller]
fn check_refused(folders: &Folders, mount: &str, path: &str) {
    let ended = folders.run(operations(mount, path));
    let answers: Vec<String> = serde_json::from_value(ended.output().clone()).unwrap();
    for (step, answer) in operations(mount, path).iter().zip(&answers) {
        assert!(!answer.starts_with("ok"), "{step}: {answer}");
    }
    assert_eq!(folders.before, Snapshot::of(&folders.at("outside")), "something outside was changed through `{path}`");
    assert_eq!(folders.read_before, Snapshot::of(&folders.at("read")), "{path}");
    assert!(
        ended.refusals("fs").iter().any(|refusal| !refusal.reason.is_empty() && refusal.target.contains(path)),
        "`{path}`: no event of a refusal: {:?} {answers:?}",
        ended.seen.refused
    );
}

#[test]
fn what_is_granted_works() {
    let folders = Folders::new();
    let step = |op: &str, mount: &str, path: &str| json!({ "op": op, "mount": mount, "path": path });
    let answers = folders.check(vec![
        step("read", "/read", "file"),
        step("read", "/read", "inner/file"),
        step("open-folder", "/read", "inner"),
        step("list", "/read", ""),
        step("stat", "/read", "inner/../file"),
        step("create", "/work", "new"),
        step("read", "/work", "new"),
        step("mkdir", "/work", "folder"),
        json!({ "op": "rename", "mount": "/work", "path": "new", "to-mount": "/work", "to": "folder/new" }),
        json!({ "op": "link", "mount": "/work", "path": "file", "to-mount": "/work", "to": "linked" }),
        json!({ "op": "symlink", "mount": "/work", "path": "link", "to": "inner/file" }),
        step("read", "/work", "link"),
        step("truncate", "/work", "linked"),
        step("unlink", "/work", "folder/new"),
        step("rmdir", "/work", "folder"),
    ]);
    for (step, answer) in &answers {
        assert!(answer.starts_with("ok"), "{step}: {answer}");
    }
    assert_eq!(answers[0].1, "ok: content of read/file");
    assert_eq!(answers[11].1, "ok: content of work/inner/file");
}

#[test]
fn f1_paths_that_lead_out_are_refused() {
    let folders = Folders::new();
    let absolute = folders.at("outside/canary");
    let absolute = absolute.to_str().unwrap();
    for path in [
        "..",
        "../outside/canary",
        "../outside",
        "inner/../../outside/canary",
        "./../outside/canary",
        ".//..//outside/canary",
        "inner/../../work/../outside/canary",
        "../work/file",
        "/",
        "/etc/passwd",
        "//etc/passwd",
        absolute,
    ] {
        check_refused(&folders, "/work", path);
        check_refused(&folders, "/read", path);
    }
}

#[test]
fn f1_strange_paths_do_no_harm() {
    let folders = Folders::new();
    let paths = [
        String::new(),
        ".".to_owned(),
        "./".to_owned(),
        "inner/..".to_owned(),
        "file/".to_owned(),
        "file/..".to_owned(),
        "file/../../outside/canary".to_owned(),
        "x".repeat(256),
        "x".repeat(5_000),
        "x/".repeat(2_500),
        "../".repeat(1_500),
        "a\0b".to_owned(),
        "../outside/canary\0".to_owned(),
        "..\\outside\\canary".to_owned(),
        "C:\\Windows".to_owned(),
        "inner\n../../outside".to_owned(),
        "\u{202e}..".to_owned(),
        "\u{ff0e}\u{ff0e}/outside".to_owned(),
        "%2e%2e/outside/canary".to_owned(),
    ];
    for path in paths {
        folders.check(operations("/read", &path));
        folders.check(operations("/work", &path));
        if path.starts_with("../") || path.contains("/../../") {
            check_refused(&folders, "/read", "../outside/canary");
        }
    }
}

#[test]
fn f2_links_that_lead_out_are_refused() {
    // Made by the guest: relative ones may be made, and lead nowhere.
    let folders = Folders::new();
    let link = |to: &str, path: &str| json!({ "op": "symlink", "mount": "/work", "path": path, "to": to });
    let mut steps = vec![
        link("../outside", "out"),
        link("../outside/canary", "file-out"),
        link("out", "chain"),
        link("chain/inner", "longer"),
        link("inner/../../outside", "dotted"),
        link("/etc/passwd", "absolute"),
        link(folders.at("outside").to_str().unwrap(), "absolute-out"),
        link("../../../../../../../../../../etc", "far"),
        link("loop", "loop"),
    ];
    for path in
        ["out/canary", "chain/canary", "longer/deep", "dotted/canary", "absolute-out/canary", "far/passwd", "loop"]
    {
        let through = operations("/work", path).into_iter().filter(|step| step["op"] != "symlink");
        steps.extend(through.filter(|step| step["op"] != "unlink" || path != "loop"));
    }
    for path in ["file-out", "absolute"] {
        for op in ["read", "write", "append", "truncate", "set-size", "stat", "set-times", "hash"] {
            steps.push(json!({ "op": op, "mount": "/work", "path": path }));
        }
    }
    let allowed_on_a_link = ["symlink", "readlink", "rename", "unlink", "stat", "link", "set-times", "hash"];
    for (step, answer) in folders.check(steps) {
        // What takes a name and not what it leads to may act on the link itself.
        let on_loop = step["path"] == "loop" || step["to"] == "loop";
        let is_link_itself = on_loop && allowed_on_a_link.iter().any(|op| step["op"] == *op);
        assert!(!answer.starts_with("ok") || step["op"] == "symlink" || is_link_itself, "{step}: {answer}");
    }

    // There before: the same, also with absolute targets, and in the folder for reading.
    for mount in ["work", "read"] {
        let folders = Folders::new();
        symlink(folders.at("outside"), folders.at(mount).join("absolute")).unwrap();
        symlink("../outside", folders.at(mount).join("relative")).unwrap();
        symlink("relative/inner", folders.at(mount).join("chain")).unwrap();
        let folders = Folders { read_before: Snapshot::of(&folders.at("read")), ..folders };
        for path in ["absolute/canary", "relative/canary", "chain/deep", "absolute/inner", "relative/new"] {
            check_refused(&folders, &format!("/{mount}"), path);
        }
    }
}

#[test]
fn f3_links_to_a_name_with_a_slash_are_refused() {
    let folders = Folders::new();
    symlink("../outside", folders.at("work/evil")).unwrap();
    symlink("evil/", folders.at("work/slash")).unwrap();
    symlink("evil/.", folders.at("work/dot")).unwrap();
    symlink("inner/../evil/", folders.at("work/far")).unwrap();
    for path in ["slash/canary", "dot/canary", "far/canary", "evil/canary"] {
        check_refused(&folders, "/work", path);
    }
    for path in ["slash", "dot", "far", "slash/", "evil/", "evil/."] {
        let steps = ["open-folder", "open-folder-to-change", "stat", "hash", "set-times"];
        for (step, answer) in
            folders.check(steps.map(|op| json!({ "op": op, "mount": "/work", "path": path })).to_vec())
        {
            assert!(!answer.starts_with("ok"), "{step}: {answer}");
        }
    }
}

#[test]
fn f4_slashes_at_the_end_do_not_reach_through_a_link() {
    for end in ["/", "//", "/.", "/./"] {
        let folders = Folders::new();
        symlink("../outside", folders.at("work/evil")).unwrap();
        symlink("../outside/canary", folders.at("work/evil-file")).unwrap();
        symlink("../outside/not-there", folders.at("work/dangling")).unwrap();
        let mut steps = Vec::new();
        for name in ["evil", "evil-file", "dangling"] {
            let path = format!("{name}{end}");
            for op in ["unlink", "rmdir", "mkdir", "create", "create-new", "truncate"] {
                steps.push(json!({ "op": op, "mount": "/work", "path": path }));
                steps.push(json!({ "op": op, "mount": "/work", "path": path, "nofollow": true }));
            }
            steps.push(json!({ "op": "rename", "mount": "/work", "path": path, "to-mount": "/work", "to": "taken" }));
            steps.push(json!({ "op": "rename", "mount": "/work", "path": "inner", "to-mount": "/work", "to": path }));
            steps.push(json!({ "op": "link", "mount": "/work", "path": path, "to-mount": "/work", "to": "linked" }));
            steps.push(json!({ "op": "symlink", "mount": "/work", "path": path, "to": "x" }));
        }
        // What happens to the links themselves is the guest's own affair.
        folders.check(steps);
    }
}

#[test]
fn f5_a_folder_for_reading_stays_as_it_is() {
    let folders = Folders::new();
    let changing = [
        "write",
        "write-open-for-reading",
        "stream",
        "stream-open-for-reading",
        "append",
        "create",
        "create-new",
        "truncate",
        "truncate-open-for-reading",
        "set-size",
        "set-size-open-for-reading",
        "open-folder-to-change",
        "mkdir",
        "rmdir",
        "unlink",
        "set-times",
        "set-times-of-open-file",
    ];
    for path in ["file", "inner/file", "inner", "new", "."] {
        let steps: Vec<Value> = changing.iter().map(|op| json!({ "op": op, "mount": "/read", "path": path })).collect();
        for (step, answer) in folders.check(steps) {
            assert!(!answer.starts_with("ok"), "{step}: {answer}");
        }
    }
    for op in changing {
        let ended = folders.run(vec![json!({ "op": op, "mount": "/read", "path": "file" })]);
        let answer = &ended.output()[0];
        let told =
            ended.refusals("fs").iter().any(|refusal| refusal.target.starts_with("read") && refusal.fix.is_some());
        // What fails for another reason first (the name is taken, it is no folder) needs no event.
        assert!(told || answer != "read-only" && answer != "not-permitted", "{op}: {answer}: {:?}", ended.seen.refused);
    }
    let ended = folders.run(vec![json!({ "op": "unlink", "mount": "/read", "path": "file" })]);
    let refusal = &ended.refusals("fs")[0];
    assert_eq!((refusal.target.as_str(), refusal.by), ("read write: file", orch_core::RefusedBy::Workflow));
}

#[test]
fn f6_nothing_moves_between_a_folder_for_reading_and_one_for_writing() {
    let folders = Folders::new();
    let two = |op: &str, from: &str, path: &str, mount: &str, to: &str| json!({ "op": op, "mount": from, "path": path, "to-mount": mount, "to": to });
    let mut steps = Vec::new();
    for op in ["link", "rename"] {
        steps.push(two(op, "/read", "file", "/work", "stolen"));
        steps.push(two(op, "/read", "inner/file", "/work", "inner/stolen"));
        steps.push(two(op, "/work", "file", "/read", "planted"));
        steps.push(two(op, "/work", "file", "/read", "file"));
        steps.push(two(op, "/read", "file", "/read", "moved"));
    }
    for (step, answer) in folders.check(steps.clone()) {
        assert!(!answer.starts_with("ok"), "{step}: {answer}");
    }
    for step in steps {
        let ended = folders.run(vec![step.clone()]);
        assert!(!ended.refusals("fs").is_empty(), "{step}: no event");
    }
}

#[test]
fn f8_special_files_are_refused_and_nothing_hangs() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    for mount in ["work", "read"] {
        let folders = Folders::new();
        let inside = folders.at(mount);
        mknodat(CWD, inside.join("fifo"), FileType::Fifo, Mode::from(0o666), 0).unwrap();
        let socket = std::os::unix::net::UnixListener::bind(inside.join("socket")).unwrap();
        symlink("fifo", inside.join("to-fifo")).unwrap();
        let mut names = vec!["fifo", "socket", "to-fifo", "inner/../fifo", "./fifo"];
        // Only root may make devices, and not in every container. This one is /dev/zero, which would be read without end.
        let device = mknodat(
            CWD,
            inside.join("device"),
            FileType::CharacterDevice,
            Mode::from(0o666),
            rustix::fs::makedev(1, 5),
        );
        match device {
            Ok(()) => names.push("device"),
            Err(error) => println!("measured: F8: no device could be made here: {error}"),
        }
        let folders = Folders { read_before: Snapshot::of(&folders.at("read")), ..folders };
        for name in names {
            let mut steps = Vec::new();
            for op in ["read", "write", "append", "stream", "create", "truncate", "set-size", "set-times-of-open-file"]
            {
                steps.push(json!({ "op": op, "mount": format!("/{mount}"), "path": name }));
            }
            let ended = folders.run(steps.clone());
            let answers: Vec<String> = serde_json::from_value(ended.output().clone()).unwrap();
            for (step, answer) in steps.iter().zip(&answers) {
                assert!(!answer.starts_with("ok"), "{step}: {answer}");
            }
            let told = ended.refusals("fs").iter().any(|r| r.target.contains(name) && r.reason.contains("FIFO"));
            assert!(told, "{name}: {:?} {answers:?}", ended.seen.refused);
        }
        assert!(std::fs::symlink_metadata(inside.join("fifo")).unwrap().file_type().is_fifo());
        drop(socket);
    }
}

#[test]
fn f8_hard_links_that_were_there_before_cannot_be_written_through_a_folder_for_reading() {
    // WASI sees no difference between a file and a hard link to one outside: whoever places it there has shared the file. A
    // folder for reading keeps it from being changed, and that is all that can be promised.
    let folders = Folders::new();
    std::fs::hard_link(folders.at("outside/canary"), folders.at("read/hard")).unwrap();
    let folders = Folders {
        before: Snapshot::of(&folders.at("outside")),
        read_before: Snapshot::of(&folders.at("read")),
        ..folders
    };
    let steps = ["write", "truncate", "set-size", "set-times", "unlink", "append"];
    let ended = folders.run(steps.map(|op| json!({ "op": op, "mount": "/read", "path": "hard" })).to_vec());
    let answers: Vec<String> = serde_json::from_value(ended.output().clone()).unwrap();
    assert!(answers.iter().all(|answer| !answer.starts_with("ok")), "{answers:?}");
    assert_eq!(folders.before, Snapshot::of(&folders.at("outside")));
}

#[test]
fn sizes_and_offsets_at_the_ends_of_their_range() {
    let folders = Folders::new();
    let mut steps = Vec::new();
    for number in [u64::MAX, 1 << 63, (1 << 63) - 1, u64::MAX - 4096] {
        steps.push(json!({ "op": "read-at", "mount": "/work", "path": "file", "length": number, "offset": 0 }));
        steps.push(json!({ "op": "read-at", "mount": "/work", "path": "file", "length": 10, "offset": number }));
        steps.push(json!({ "op": "write-at", "mount": "/work", "path": "inner/file", "offset": number }));
        steps.push(json!({ "op": "resize", "mount": "/work", "path": "inner/file", "length": number }));
    }
    folders.check(steps);
    assert!(std::fs::metadata(folders.at("work/inner/file")).unwrap().len() < 1 << 50);
}

#[test]
fn a_mount_is_the_folder_that_was_opened() {
    // A link in place of the granted folder, below what the policy allows, leads nowhere.
    let folders = Folders::new();
    symlink("../outside", folders.at("work/linked")).unwrap();
    let mut call = Call::new("preopens", Value::Null).mount("work", &folders.at("work"), Access::Write);
    call = call.below("linked");
    let ended = Sandbox::new().run(&hostile(), call);
    assert!(ended.failure().message.contains("leads out of"), "{}", ended.failure().message);
    // Nothing is handed out that was not granted.
    assert_eq!(Sandbox::new().run(&hostile(), Call::new("preopens", Value::Null)).output(), &json!([]));
    let ended = folders.run(vec![json!({ "op": "read", "mount": "/", "path": "etc/passwd" })]);
    assert_eq!(ended.output(), &json!(["bad-descriptor"]));
}

fn blob(sandbox: &Sandbox, content: &str) -> UpstreamArtifact {
    let mut writer = sandbox.blobs().create().unwrap();
    writer.write(content.as_bytes()).unwrap();
    let digest = writer.finish().unwrap();
    UpstreamArtifact {
        task: TaskId::try_from("before").unwrap().into(),
        name: ArtifactName::try_from("report.txt").unwrap(),
        digest,
    }
}

#[test]
fn f14_staged_artifacts_can_only_be_read_and_are_cleaned_up_without_following_links() {
    let sandbox = Sandbox::new();
    let artifact = blob(&sandbox, "content of an artifact");
    let step = |op: &str| json!({ "op": op, "mount": "/artifacts", "path": "before/report.txt" });
    let changing = ["write", "truncate", "unlink", "append", "set-times", "set-size"];
    let steps: Vec<Value> = std::iter::once("read").chain(changing).map(step).collect();
    let call = Call::new("files", json!({ "steps": steps })).upstream(artifact.clone());
    let ended = sandbox.run(&hostile(), call);
    let answers: Vec<String> = serde_json::from_value(ended.output().clone()).unwrap();
    assert_eq!(answers[0], "ok: content of an artifact");
    assert!(answers[1..].iter().all(|answer| !answer.starts_with("ok")), "{answers:?}");
    assert_eq!(sandbox.blobs().read(&artifact.digest).unwrap(), b"content of an artifact");
    assert_eq!(std::fs::read_dir(sandbox.state().join("work")).unwrap().count(), 0, "the staged folder stays");

    // A task of the same user could plant a link there; the clean-up must not follow it.
    let folders = Folders::new();
    let staged = sandbox.blobs().stage(&[artifact]).unwrap();
    let path = staged.path().to_owned();
    symlink(folders.at("outside"), path.join("link")).unwrap();
    symlink(folders.at("outside/canary"), path.join("before/link")).unwrap();
    drop(staged);
    assert!(!path.exists());
    assert_eq!(folders.before, Snapshot::of(&folders.at("outside")));
    // The folder itself is swapped for a link.
    let staged = sandbox.blobs().stage(&[blob(&sandbox, "other")]).unwrap();
    let path = staged.path().to_owned();
    std::fs::rename(&path, folders.at("work/moved")).unwrap();
    symlink(folders.at("outside"), &path).unwrap();
    drop(staged);
    assert_eq!(folders.before, Snapshot::of(&folders.at("outside")));
}

#[test]
fn findings_of_the_tasks_before_can_only_be_read() {
    let sandbox = Sandbox::new();
    let found = orch_core::Finding {
        rule: "leak".to_owned(),
        severity: orch_core::Severity::High,
        status: orch_core::FindingStatus::Open,
        title: "a key".to_owned(),
        detail: None,
        fingerprint: "1".to_owned(),
        location: None,
        remediation: None,
        references: Vec::new(),
        data: None,
    };
    let step = |op: &str| json!({ "op": op, "mount": "/artifacts", "path": "before/.findings.json" });
    let changing = ["write", "truncate", "unlink", "append", "set-times", "set-size"];
    let steps: Vec<Value> = std::iter::once("read").chain(changing).map(step).collect();
    let call = Call::new("files", json!({ "steps": steps })).findings("before", vec![found.clone()]);
    let ended = sandbox.run(&hostile(), call);
    let answers: Vec<String> = serde_json::from_value(ended.output().clone()).unwrap();
    let read: Vec<orch_core::Finding> = serde_json::from_str(answers[0].strip_prefix("ok: ").unwrap()).unwrap();
    assert_eq!(read, [found]);
    assert!(answers[1..].iter().all(|answer| !answer.starts_with("ok")), "{answers:?}");
    assert_eq!(std::fs::read_dir(sandbox.state().join("work")).unwrap().count(), 0, "the staged folder stays");
}

/// The name that these tests begin with.
const THESE: &str = "sandbox::files::";
/// How many of them there are at least, so that none is left out by a change of names.
const LEAST: usize = 20;

/// Where a second run of these tests finds what it cannot make itself.
fn prepared(command: &mut std::process::Command, folder: &Path) {
    let guest = folder.join("hostile.wasm");
    std::fs::write(&guest, &hostile().bytes).unwrap();
    command.env("ORCH_TESTS_PROGRAMS", orch_tests::program(""));
    command.env("ORCH_TESTS_GUEST", &guest).env("ORCH_TESTS_CACHE", folder.join("cache")).env("TMPDIR", folder);
}

#[test]
fn f15_the_same_without_openat2() {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
    let opened = openat2(CWD, ".", OFlags::PATH, Mode::empty(), ResolveFlags::empty());
    if marker("RERUN").is_some() {
        // In the second run: it is what it is meant to be.
        match marker("RERUN").as_deref() {
            Some("openat2") => assert_eq!(opened.unwrap_err(), rustix::io::Errno::PERM),
            _ => assert_eq!(rustix::process::geteuid().as_raw(), NOBODY),
        }
        return;
    }
    assert!(opened.is_ok(), "this machine has no openat2, so the other tests show nothing about it");
    let folder = tempfile::tempdir().unwrap();
    let this = orch_tests::this_program();
    let deny = orch_tests::program("orch-tests-deny-openat2");
    rerun_all(THESE, LEAST, deny.to_str().unwrap(), &[this], |command| {
        prepared(command, folder.path());
        command.env("ORCH_TESTS_RERUN", "openat2");
    });
}

/// The user that owns nothing.
const NOBODY: u32 = 65_534;

#[test]
fn f15_the_same_as_another_user() {
    use std::os::unix::process::CommandExt;
    if marker("RERUN").is_some() {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        // The ordinary run is by a user without rights already.
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(folder.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    // A copy, since another user may not look behind the link in /proc.
    let this = folder.path().join("tests");
    std::fs::copy(orch_tests::this_program(), &this).unwrap();
    rerun_all(THESE, LEAST, this.to_str().unwrap(), &[], |command| {
        prepared(command, folder.path());
        command.env("ORCH_TESTS_RERUN", "nobody").uid(NOBODY).gid(NOBODY);
    });
}
