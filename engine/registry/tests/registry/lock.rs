//! The lock file: what it pins, how it reads, what it refuses.

use crate::support::{World, manifest, name, pack, reads, refused, req, sign, trusting, version};
use orch_core::{Code, Digest};
use orch_registry::{LockFile, LockSource, LockState, LockedPlugin, SigningKey, find_file};
use serde_json::json;

fn entry(plugin: &str, requirement: &str, version_text: &str, mounts: &[&str]) -> LockedPlugin {
    let manifest = manifest(plugin, version_text, reads(mounts));
    LockedPlugin {
        name: name(plugin),
        requirement: req(requirement),
        version: version(version_text),
        digest: Digest::of(version_text.as_bytes()),
        capability_hash: manifest.capability_hash(),
        signer: Some("0123456789abcdef".parse().unwrap()),
        source: LockSource::Registry("./registry".to_owned()),
        ask: manifest.permissions.without_reasons(),
        index: None,
    }
}

fn file_entry(path: &str) -> LockedPlugin {
    LockedPlugin { signer: None, source: LockSource::File(path.to_owned()), ..entry("orch/tool", "*", "1.0.0", &[]) }
}

#[test]
fn text_and_back_and_sorted() {
    let mut lock = LockFile::default();
    lock.accept(entry("orch/b", "^1", "1.2.3", &["source", "config"]));
    lock.accept(entry("orch/a", "^2", "2.0.0", &[]));
    lock.accept(entry("orch/a", "^1", "1.0.0", &["source"]));
    lock.accept(file_entry("./tool \"x\".wasm"));
    let text = lock.text();
    assert_eq!(LockFile::parse("orch-wasm.lock", &text).unwrap(), lock);
    let mut other = LockFile::default();
    lock.plugins().iter().rev().for_each(|plugin| other.accept(plugin.clone()));
    assert_eq!(other.text(), text);
    let start = text.find("[[plugin]]").unwrap();
    let end = start + text[start..].find("\n\n").unwrap();
    assert_eq!(
        &text[start..end],
        format!(
            "[[plugin]]\nname = \"orch/a\"\nrequirement = \"^1\"\nversion = \"1.0.0\"\ndigest = \"{}\"\ncapability-hash = \"{}\"\n\
             signer = \"0123456789abcdef\"\nsource = \"registry:./registry\"\nasks = [\"fs source read\"]\n\
             ask = {{ fs = [{{ access = \"read\", mount = \"source\" }}] }}",
            Digest::of(b"1.0.0"),
            lock.plugins()[0].capability_hash,
        )
    );
}

#[test]
fn written_whole_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("orch-wasm.lock");
    assert_eq!(LockFile::read(&path).unwrap(), None);
    let mut lock = LockFile::default();
    lock.write(&path).unwrap();
    lock.accept(entry("orch/a", "^1", "1.0.0", &["source"]));
    lock.write(&path).unwrap();
    assert_eq!(LockFile::read(&path).unwrap(), Some(lock.clone()));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    let missing = folder.path().join("missing/orch-wasm.lock");
    refused(lock.write(&missing), Code::RegistryUnusable, "cannot write");
    refused(LockFile::read(folder.path()), Code::InvalidLock, "it is no file");
    std::fs::write(&path, b"version = 1\n# \xff\n").unwrap();
    refused(LockFile::read(&path), Code::InvalidLock, "not UTF-8");
    std::fs::write(&path, vec![b'\n'; (1 << 20) + 1]).unwrap();
    refused(LockFile::read(&path), Code::InvalidLock, "more than 1048576 bytes");
    refused(LockFile::parse("x", &"\n".repeat((1 << 20) + 1)), Code::InvalidLock, "more than 1048576 bytes");
}

#[test]
fn hostile_lock_files() {
    let mut lock = LockFile::default();
    lock.accept(entry("orch/a", "^1", "1.0.0", &["source"]));
    let good = lock.text();
    let body = &good[good.find("[[plugin]]").unwrap()..];
    let cases = [
        (String::new(), "missing field `version`"),
        ("version = 3\nfuture = true\n".to_owned(), "line 1, cannot be understood: its format is 3"),
        ("version = \"1\"\n".to_owned(), "line 1,"),
        ("version = 1\ncolour = 1\n".to_owned(), "line 2, cannot be understood: unknown field `colour`"),
        (good.replace("source = ", "sauce = "), "unknown field `sauce`"),
        (
            good.replace("asks = [\"fs source read\"]", "asks = []"),
            "line 4, cannot be understood: `asks` and `ask` of `orch/a`",
        ),
        (good.replace("mount = \"source\"", "mount = \"../x\""), "not a valid mount name"),
        (
            good.replace("access = \"read\"", "access = \"write\"").replace("source read", "source write"),
            "`capability-hash` of `orch/a`",
        ),
        (good.replace("orch/a", "orch/\\u001b[2J"), "not a valid plugin name"),
        (good.replace("registry:./registry", "https://evil.example"), "a source begins with"),
        (good.replace("sha256:", "md5:"), "a digest has the form"),
        (good.replace("version = \"1.0.0\"", "version = \"1\""), "line 7,"),
        (format!("{good}\n{body}"), "line 15, cannot be understood: `orch/a` with `^1` stands twice"),
        (format!("version = 1\nplugin = {}1{}\n", "[".repeat(20_000), "]".repeat(20_000)), "cannot be understood"),
        (format!("version = 1\n{}", "[a.b]\n".repeat(3)), "cannot be understood"),
        ("version = 1\nversion = 1\n".to_owned(), "line 2,"),
        ("\u{1b}]0;title\u{7}".to_owned(), "line 1,"),
    ];
    for (text, message) in cases {
        let error = LockFile::parse("orch-wasm.lock", &text).unwrap_err();
        assert_eq!(error.code(), Code::InvalidLock);
        assert!(error.to_string().contains(message), "{error} (expected {message})");
        assert!(!error.to_string().contains('\u{1b}'), "{error:?}");
    }
}

#[test]
fn what_is_found_is_compared_with_what_is_locked() {
    let mut lock = LockFile::default();
    let locked = entry("orch/a", "^1", "1.0.0", &["source"]);
    lock.accept(locked.clone());
    let state = |found: LockedPlugin| match lock.compare(&found) {
        LockState::Same => "same".to_owned(),
        LockState::New => "new".to_owned(),
        LockState::Changed { differences, .. } => format!("changed: {}", differences.join(", ")),
        LockState::AsksForMore { lines, before } => format!("more than {}: {}", before.version, lines.join(", ")),
    };
    assert_eq!(state(locked.clone()), "same");
    assert_eq!(state(entry("orch/b", "^1", "1.0.0", &[])), "new");
    assert_eq!(state(file_entry("./a.wasm")), "new");
    assert_eq!(state(entry("orch/a", "^1", "1.1.0", &["source", "config"])), "more than 1.0.0: fs config read");
    assert_eq!(state(entry("orch/a", "^2", "2.0.0", &["other"])), "more than 1.0.0: fs other read");
    let text = state(entry("orch/a", "^1", "1.1.0", &[]));
    assert!(text.starts_with("changed: version: 1.0.0 -> 1.1.0, digest: sha256:"), "{text}");
    assert!(text.ends_with("no longer asks for: fs source read"), "{text}");
    let moved = LockedPlugin { source: LockSource::Registry("https://elsewhere".to_owned()), ..locked.clone() };
    assert_eq!(state(moved), "changed: source: registry:./registry -> registry:https://elsewhere");
    let resigned = LockedPlugin { signer: None, ..locked };
    assert_eq!(state(resigned), "changed: signer: 0123456789abcdef -> nobody");
}

#[test]
fn accepting_replaces_and_dropping_drops() {
    let mut lock = LockFile::default();
    lock.accept(entry("orch/a", "^1", "1.0.0", &[]));
    lock.accept(entry("orch/a", "^1", "1.1.0", &[]));
    lock.accept(file_entry("./a.wasm"));
    lock.accept(LockedPlugin { name: name("orch/renamed"), ..file_entry("./a.wasm") });
    let shown: Vec<_> = lock.plugins().iter().map(|plugin| format!("{} {}", plugin.name, plugin.version)).collect();
    assert_eq!(shown, ["orch/a 1.1.0", "orch/renamed 1.0.0"]);
    lock.retain(|plugin| plugin.name != name("orch/a"));
    assert_eq!(lock.plugins().len(), 1);
    assert!(lock.locked(&name("orch/renamed"), &req("*")).is_none(), "a file is not a plugin of a registry");
    assert!(lock.locked_file("./a.wasm").is_some());
}

#[test]
fn a_locked_version_is_kept() {
    let world = World::new();
    world.tool("1.0.0");
    let locked = world.locked("^1");
    world.tool("1.1.0");
    world.tool("2.0.0");
    let find = |requirement: &str| {
        world.find_locked(requirement, Some(&locked)).map(|found| found.manifest.version.to_string())
    };
    assert_eq!(find("^1").unwrap(), "1.0.0");
    assert_eq!(find("^2").unwrap(), "2.0.0", "the workflow has moved on, and the new version asks for nothing new");
    assert_eq!(world.outcome("^1"), "1.1.0");
}

#[test]
fn a_version_that_was_moved_is_refused() {
    // The publisher itself, or whoever has its key, puts other content under the same version.
    let world = World::new();
    world.tool("1.0.0");
    let locked = world.locked("^1");
    let other = pack("orch/tool", "1.0.0", "moved", json!({}));
    let digest = Digest::of(&other);
    std::fs::create_dir_all(world.blob(&digest).parent().unwrap()).unwrap();
    std::fs::write(world.blob(&digest), &other).unwrap();
    world.forge_last(|line| {
        line["digest"] = json!(digest);
        line["size"] = json!(other.len());
        line["signature"] = json!(sign(&world.key, line));
    });
    assert_eq!(world.outcome("^1"), "1.0.0", "without a lock nothing tells");
    refused(world.find_locked("^1", Some(&locked)), Code::LockMismatch, "and sha256:");
    let report =
        world.registry.verify_package(&name("orch/tool"), &req("^1"), &world.terms().locked(Some(&locked))).unwrap();
    assert!(!report.good);
    // Or the version is taken away, by cutting the index.
    world.tool("1.1.0");
    let mut lines = world.lines();
    lines.remove(0);
    world.forge(&lines);
    refused(world.find_locked("^1", Some(&locked)), Code::LockMismatch, "`1.0.0` is not in the registry");
}

#[test]
fn another_signer_of_the_same_bytes_is_refused() {
    let mut world = World::new();
    world.tool("1.0.0");
    let locked = world.locked("^1");
    let other = SigningKey::generate().unwrap();
    other.public().save(world.path(&format!("keys/{}.pub", other.public().id()))).unwrap();
    world.policy = trusting(vec![world.key.public().id(), other.public().id()]);
    world.forge_last(|line| {
        line["signer"] = json!(other.public().id());
        line["signature"] = json!(sign(&other, line));
    });
    assert_eq!(world.outcome("^1"), "1.0.0");
    refused(world.find_locked("^1", Some(&locked)), Code::LockMismatch, "it is signed by");
}

#[test]
fn an_update_that_asks_for_more_waits() {
    let world = World::new();
    world.publish(&pack("orch/tool", "1.0.0", "", reads(&["source"]))).unwrap();
    let locked = world.locked("^1");
    world.publish(&pack("orch/tool", "2.0.0", "", reads(&["source", "home"]))).unwrap();
    let error = world.find_locked("^2", Some(&locked)).unwrap_err();
    assert_eq!(error.code(), Code::AsksForMore);
    assert_eq!(error.to_string(), "`orch/tool@2.0.0` asks for more than was accepted for 1.0.0: `fs home read`");
}

#[test]
fn files_are_locked_too() {
    let mut policy = trusting(vec![]);
    policy.unsigned_files = true;
    let package = |salt: &str, mounts: &[&str]| pack("orch/tool", "1.0.0", salt, reads(mounts));
    let found = find_file(&package("a", &["source"]), &policy, None).unwrap();
    let locked = LockedPlugin::new(&found, req("*"), LockSource::File("./tool.wasm".to_owned()));
    let find = |package: &[u8]| find_file(package, &policy, Some(&locked));
    find(&package("a", &["source"])).unwrap();
    refused(find(&package("b", &["source"])), Code::LockMismatch, "is locked");
    refused(find(&package("a", &["source", "home"])), Code::AsksForMore, "`fs home read`");
    refused(find(&pack("orch/tool", "1.0.1", "a", reads(&["source"]))), Code::LockMismatch, "is locked");
    refused(find(&pack("orch/another", "1.0.0", "a", reads(&[]))), Code::LockMismatch, "it is `orch/another`");
}
