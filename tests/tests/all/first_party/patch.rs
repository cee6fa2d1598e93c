//! The example `patch-host`: a dry run on this machine, and a real update in a Debian root. What counts is what dpkg's database says
//! afterwards, never what a program printed.

use super::{copy, published};
use crate::cli::kit::of;
use crate::cli::program::{Place, Ran, repository};
use orch_core::Digest;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// A copy of the example in a folder of its own.
struct Example {
    place: &'static Place,
    folder: PathBuf,
}

impl Example {
    fn new(name: &str) -> Example {
        let place = published();
        let folder = place.path(name);
        copy(&repository().join("examples/patch-host"), &folder);
        Example { place, folder }
    }

    fn command(&self, arguments: &[&str]) -> Ran {
        let mut command = self.place.command(arguments);
        command.current_dir(&self.folder);
        Ran::of(command)
    }

    /// The log of the newest run.
    fn log(&self) -> Vec<Value> {
        self.command(&["runs", "show", "latest", "--format", "json"]).exits(0).lines()
    }

    /// Answers yes, and lets the run go on to its end.
    #[track_caller]
    fn agree(&self, exit: i32) -> Vec<Value> {
        self.command(&["approve", "latest", "agree"]).exits(0);
        self.command(&["resume", "latest"]).exits(exit);
        self.log()
    }
}

#[track_caller]
fn end<'a>(log: &'a [Value], task: &str) -> &'a Value {
    let ends = of(log, "task-finished");
    ends.into_iter().find(|end| end["task"] == task).unwrap_or_else(|| panic!("`{task}` has no end: {log:#?}"))
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

fn rules(log: &[Value]) -> Vec<String> {
    let of_tasks = of(log, "task-findings");
    let findings = of_tasks.iter().flat_map(|event| event["findings"].as_array().unwrap());
    findings.map(|finding| finding["rule"].as_str().unwrap().to_owned()).collect()
}

/// The programs that a task started, by the names of their grants.
fn started(log: &[Value]) -> Vec<String> {
    let ends = of(log, "task-finished");
    let used = ends.iter().flat_map(|end| end["usage"]["used"].as_array().into_iter().flatten());
    let rules = used.map(|rule| rule.as_str().unwrap().to_owned());
    rules.filter(|rule| rule.starts_with("exec ")).collect()
}

/// What dpkg's database of a root says of a package: its version and its state.
#[track_caller]
fn installed(root: &Path, name: &str) -> (String, String) {
    let status = fs::read_to_string(root.join("var/lib/dpkg/status")).unwrap();
    let start = format!("Package: {name}\n");
    let paragraph = status.split("\n\n").find(|paragraph| paragraph.starts_with(&start));
    let field = |field: &str| {
        let line = paragraph.and_then(|paragraph| paragraph.lines().find_map(|line| line.strip_prefix(field)));
        line.unwrap_or_else(|| panic!("`{name}` has no `{field}`")).to_owned()
    };
    (field("Version: "), field("Status: "))
}

#[test]
fn a_dry_run_on_this_machine_asks_and_changes_nothing() {
    let example = Example::new("examples/patch-host-dry");
    let database = || Digest::of(&fs::read("/var/lib/dpkg/status").expect("a machine with dpkg"));
    let before = database();
    let lists = fs::read_dir("/var/lib/apt/lists").into_iter().flatten().flatten();
    let has_index = lists.into_iter().any(|entry| entry.file_name().to_string_lossy().contains("_Packages"));

    let ran = example.command(&["run", "--dry-run", "--format", "json"]);
    let log = ran.lines();
    assert_eq!(started(&log), [] as [&str; 0], "the databases are read, and no program is needed for that");
    assert_eq!(database(), before);
    assert_eq!(end(&log, "facts")["output"]["packages"]["manager"], "dpkg");
    if !has_index {
        // What the example's README says of a machine without indexes.
        ran.exits(1);
        assert!(end(&log, "outdated")["failure"].to_string().contains("apt-get update"), "{ran}");
        return;
    }
    let outdated = end(&log, "outdated")["output"]["packages"].clone();
    let Some(first) = names(&outdated).first().map(|name| (*name).to_owned()) else {
        ran.exits(0);
        return;
    };
    ran.exits(4);
    let asked = of(&log, "approval-requested")[0]["prompt"].as_str().unwrap().to_owned();
    assert!(asked.contains(&first), "{asked}");

    // One package is enough to see that its update is only simulated.
    example.command(&["run", "--dry-run", "--input", &format!("only={first}")]).exits(4);
    example.command(&["approve", "latest", "agree"]).exits(0);
    let resumed = example.command(&["resume", "latest"]);
    let log = example.log();
    let output = &end(&log, "update")["output"];
    assert_eq!((&output["dry-run"], &output["simulated"]), (&json!(true), &json!(true)));
    assert_eq!((&output["changed"], &output["unexpected"]), (&json!([]), &json!([])));
    // A package that cannot be updated without another one is refused, and the run failed.
    let refused = output["failed"].as_array().unwrap().len();
    resumed.exits(i32::from(refused > 0));
    assert_eq!(
        output["would-change"].as_array().unwrap().len() + refused,
        names(&outdated).iter().filter(|name| **name == first).count()
    );
    assert_eq!(started(&log), ["exec simulate"]);
    assert!(of(&log, "task-refused").is_empty(), "nothing else was tried");
    assert_eq!(database(), before);
}

#[test]
fn a_debian_root_is_updated_by_what_was_agreed_to() {
    let folder = tempfile::tempdir().unwrap();
    let root = root_with_own_packages(folder.path());
    let example = Example::new("examples/patch-host-real");
    let input = format!("root={}", root.display());
    let run = |only: &str| example.command(&["run", "--input", &input, "--input", &format!("only={only}")]);
    let is = |version: &str, state: &str| (version.to_owned(), state.to_owned());
    let (old, new) = (is("1.0", WELL), is("1.1", WELL));

    run("ow-tiny").exits(4);
    let log = example.log();
    let outdated = &end(&log, "outdated")["output"]["packages"];
    assert_eq!(names(outdated), ["ow-tiny"]);
    assert_eq!((&outdated[0]["from"], &outdated[0]["to"]), (&json!("1.0"), &json!("1.1")));
    assert_eq!(installed(&root, "ow-tiny"), old, "nothing happens before somebody agrees");

    let log = example.agree(0);
    assert_eq!(installed(&root, "ow-tiny"), new);
    assert_eq!(fs::read_to_string(root.join("usr/share/ow-tiny/version")).unwrap(), "1.1\n");
    assert_eq!(installed(&root, "ow-other"), old, "it was not asked for");
    assert_eq!(names(&end(&log, "update")["output"]["changed"]), ["ow-tiny"]);
    assert_eq!(end(&log, "verify")["output"]["reached"], 1);
    assert_eq!(started(&log), ["exec simulate", "exec update"]);
    example.command(&["runs", "artifact", "latest", "finally/1", "report.html"]).exits(0).says_out("Patch host");

    run("ow-tiny").exits(0);
    let log = example.log();
    for task in ["agree", "update"] {
        assert_eq!(end(&log, task)["outcome"], "skipped", "there is nothing to do any more");
    }

    // A dependency that nobody agreed to is not brought along.
    run("ow-needs").exits(4);
    let log = example.agree(1);
    assert!(end(&log, "update")["output"]["failed"][0]["reason"].as_str().unwrap().contains("ow-other 1.1"));
    assert_eq!((installed(&root, "ow-needs"), installed(&root, "ow-other")), (old.clone(), old.clone()));

    run("ow-broken").exits(4);
    let log = example.agree(1);
    assert_eq!(installed(&root, "ow-broken"), is("1.1", "install ok half-configured"));
    let failed = &end(&log, "update")["output"]["failed"][0];
    assert_eq!(failed["now"], "1.1 (half-configured)");
    assert!(failed["output"].as_str().unwrap().contains("ow-broken says no"), "{failed}");
    for (task, outcome) in [("update", "failed"), ("verify", "failed")] {
        assert_eq!(end(&log, task)["outcome"], outcome);
    }
    for rule in ["update-failed", "package-not-well"] {
        assert!(rules(&log).contains(&rule.to_owned()), "{rule}: {:?}", rules(&log));
    }
    assert_eq!(installed(&root, "ow-other"), old);
}

const WELL: &str = "install ok installed";

/// Runs a program to its end, which has to be a good one.
#[track_caller]
fn good(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}:\n{}", said.lines().rev().take(40).collect::<Vec<_>>().join("\n"));
    said
}

/// Runs a program of a root in it.
#[track_caller]
fn inside(root: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("chroot");
    command.arg(root).args(arguments).env_clear();
    command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C").env("DEBIAN_FRONTEND", "noninteractive");
    good(&mut command)
}

/// A Debian root of one's own, in which four packages are installed in version 1.0, and an archive of files has 1.1. It knows no
/// other archive, so that everything goes without a network.
fn root_with_own_packages(folder: &Path) -> PathBuf {
    let root = folder.join("root");
    good(Command::new("cp").arg("-a").arg(debian_root()).arg(&root));
    let archive = root.join("srv/own");
    fs::create_dir_all(&archive).unwrap();
    let fails = "#!/bin/sh\necho 'ow-broken says no' >&2\nexit 1\n";
    let mut index = String::new();
    for (name, more, script) in [
        ("ow-tiny", "", None),
        ("ow-other", "", None),
        ("ow-needs", "Depends: ow-other (>= VERSION)\n", None),
        ("ow-broken", "", Some(fails)),
    ] {
        for (version, script) in [("1.0", None), ("1.1", script)] {
            let more = more.replace("VERSION", version);
            let file = package(&archive, name, version, &more, script);
            if version == "1.0" {
                inside(&root, &["dpkg", "--install", &format!("/srv/own/{file}")]);
                continue;
            }
            let bytes = fs::read(archive.join(&file)).unwrap();
            let (size, digest) = (bytes.len(), Digest::of(&bytes).hex());
            index +=
                &format!("{}Filename: ./{file}\nSize: {size}\nSHA256: {digest}\n\n", control(name, version, &more));
        }
    }
    fs::write(archive.join("Packages"), index).unwrap();
    for known in ["etc/apt/sources.list.d", "var/lib/apt/lists"] {
        let _ = fs::remove_dir_all(root.join(known));
    }
    fs::write(root.join("etc/apt/sources.list"), "deb [trusted=yes] copy:/srv/own ./\n").unwrap();
    inside(&root, &["apt-get", "update"]);
    for name in ["ow-tiny", "ow-other", "ow-needs", "ow-broken"] {
        assert_eq!(installed(&root, name), ("1.0".to_owned(), WELL.to_owned()));
    }
    root
}

fn control(name: &str, version: &str, more: &str) -> String {
    format!(
        "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: Tests <tests@example.org>\n{more}Description: made by a test\n"
    )
}

/// Builds a package with one file and, if wanted, a script that runs after it was unpacked. Gives the name of its file.
fn package(archive: &Path, name: &str, version: &str, more: &str, script: Option<&str>) -> String {
    let tree = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = tree.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("DEBIAN/control", &control(name, version, more));
    write(&format!("usr/share/{name}/version"), &format!("{version}\n"));
    if let Some(script) = script {
        write("DEBIAN/postinst", script);
        good(Command::new("chmod").arg("0755").arg(tree.path().join("DEBIAN/postinst")));
    }
    // The folder of a test is closed to others, and dpkg-deb takes its mode for that of `/`.
    good(Command::new("chmod").arg("0755").arg(tree.path()));
    let file = format!("{name}_{version}_all.deb");
    good(Command::new("dpkg-deb").args(["--root-owner-group", "--build"]).arg(tree.path()).arg(archive.join(&file)));
    file
}

/// A Debian root as debootstrap makes it. It is kept below `target`, by what it was made from.
fn debian_root() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        assert!(
            rustix::process::geteuid().is_root(),
            "this test makes a Debian root and changes into it: run it as root"
        );
        let version = good(Command::new("debootstrap").arg("--version"));
        let (mirror, suite) = archive_of_this_machine();
        let key = Digest::of(format!("{version}\n--variant=minbase\n{suite}\n{mirror}").as_bytes()).hex();
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("debian-root");
        let root = kept.join(&key[..16]);
        if root.join("var/lib/dpkg/status").is_file() {
            return root;
        }
        fs::create_dir_all(&kept).unwrap();
        // One that was broken off must not be taken for a whole one.
        let making = kept.join(format!("making-{}", std::process::id()));
        good(Command::new("debootstrap").args(["--variant=minbase", &suite]).arg(&making).arg(&mirror));
        fs::rename(&making, &root).unwrap();
        root
    })
}

/// The archive and the suite that the machine's own apt uses, Debian 12 if it has it.
fn archive_of_this_machine() -> (String, String) {
    let lists = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<(String, String)> = Vec::new();
    for path in lists.chain([PathBuf::from("/etc/apt/sources.list")]) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        match path.extension().and_then(|end| end.to_str()) {
            Some("sources") => found.extend(text.split("\n\n").flat_map(of_paragraph)),
            Some("list") => found.extend(text.lines().flat_map(of_line)),
            _ => {}
        }
    }
    // What comes after the release, such as `-updates`, is no root of its own.
    found.retain(|(mirror, suite)| mirror.starts_with("http") && !suite.contains(['-', '/']));
    let best = found.iter().find(|(_, suite)| suite == "bookworm").or(found.first());
    best.expect("`/etc/apt` names an archive from which a Debian root can be made").clone()
}

fn of_paragraph(text: &str) -> Vec<(String, String)> {
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        line.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let types = field("Types:");
    let mirrors = if types.iter().any(|kind| kind == "deb") { field("URIs:") } else { Vec::new() };
    mirrors.iter().flat_map(|mirror| field("Suites:").into_iter().map(|suite| (mirror.clone(), suite))).collect()
}

fn of_line(line: &str) -> Option<(String, String)> {
    let rest = line.trim().strip_prefix("deb ")?.trim();
    // `deb [options] mirror suite …`
    let rest = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')).map_or(rest, |(_, rest)| rest);
    let mut words = rest.split_ascii_whitespace().map(str::to_owned);
    Some((words.next()?, words.next()?))
}
