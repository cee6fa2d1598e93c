//! What may be published, and what is left when publishing fails half-way.

use crate::support::{NOW, World, failing, name, pack, reads, refused, req, version};
use orch_core::Code;
use orch_registry::{Error, PublishOptions, SigningKey};
use rustix::io::Errno;
use serde_json::json;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

#[test]
fn the_same_again_is_no_error_and_other_content_is() {
    let world = World::new();
    let package = pack("orch/tool", "1.0.0", "a", json!({}));
    assert!(!world.publish(&package).unwrap().already_there);
    assert!(world.publish(&package).unwrap().already_there);
    assert_eq!(world.lines().len(), 1);
    refused(world.publish(&pack("orch/tool", "1.0.0", "b", json!({}))), Code::AlreadyPublished, "with other content");
    let stranger = SigningKey::generate().unwrap();
    let by_stranger = world.registry.publish(&package, &stranger, NOW, &PublishOptions::default());
    refused(by_stranger, Code::AlreadyPublished, &format!("by `{}`", world.key.public().id()));
}

#[test]
fn publishing_again_heals_the_component() {
    let world = World::new();
    let package = pack("orch/tool", "1.0.0", "a", json!({}));
    let digest = world.publish(&package).unwrap().digest;
    for damage in [None, Some(vec![0; package.len()]), Some(b"short".to_vec())] {
        std::fs::remove_file(world.blob(&digest)).unwrap();
        if let Some(bytes) = damage {
            std::fs::write(world.blob(&digest), bytes).unwrap();
        }
        assert!(world.find("*").is_err());
        assert!(world.publish(&package).unwrap().already_there);
        assert_eq!(world.outcome("*"), "1.0.0");
    }
}

#[test]
fn a_patch_release_asks_for_nothing_new() {
    let world = World::new();
    let publish = |version: &str, mounts: &[&str]| world.publish(&pack("orch/tool", version, version, reads(mounts)));
    publish("1.2.0", &["source"]).unwrap();
    refused(
        publish("1.2.1", &["source", "config"]),
        Code::PatchAsksForMore,
        "patch release of 1.2.0 and asks for more: `fs config read`",
    );
    publish("1.2.1", &[]).unwrap();
    refused(publish("1.2.2", &["source"]), Code::PatchAsksForMore, "patch release of 1.2.1");
    publish("1.3.0", &["source", "config"]).unwrap();
    publish("2.0.0", &["everything"]).unwrap();
    // Later in time, lower in version: compared with what is below it.
    publish("1.1.5", &["source"]).unwrap();
    publish("1.1.4", &["source", "config"]).unwrap();
    refused(publish("1.1.6", &["source", "config"]), Code::PatchAsksForMore, "patch release of 1.1.5");
    // For 0.x as well.
    publish("0.3.0", &[]).unwrap();
    refused(publish("0.3.1", &["source"]), Code::PatchAsksForMore, "patch release of 0.3.0");
    publish("0.4.0", &["source"]).unwrap();
    // A release candidate promises nothing to anybody.
    publish("3.0.0-rc.1", &[]).unwrap();
    publish("3.0.0", &["source"]).unwrap();
}

#[test]
fn more_access_is_more_and_rewording_is_not() {
    let world = World::new();
    let asks =
        |access: &str, reason: &str| json!({ "fs": [{ "mount": "source", "access": access, "reason": reason }] });
    world.publish(&pack("orch/tool", "1.0.0", "", asks("read", "to look"))).unwrap();
    world.publish(&pack("orch/tool", "1.0.1", "", asks("read", "to look closely"))).unwrap();
    let more = world.publish(&pack("orch/tool", "1.0.2", "", asks("write", "to look")));
    refused(more, Code::PatchAsksForMore, "`fs source write`");
}

#[test]
fn names_that_look_like_another_publishers() {
    let world = World::new();
    let first = |text: &str| world.publish(&pack(text, "1.0.0", "", json!({}))).unwrap();
    for text in ["orch/secret-scan", "orch/lint", "orch/modern", "my-org/wasm"] {
        first(text);
    }
    let stranger = SigningKey::generate().unwrap();
    let by_stranger = |text: &str| {
        world.registry.publish(&pack(text, "1.0.0", "", json!({})), &stranger, NOW, &PublishOptions::default())
    };
    for (text, other) in [
        ("orch/secretscan", "orch/secret-scan"),
        ("orch/secret5can", "orch/secret-scan"),
        ("orch/secret--scan", "orch/secret-scan"),
        ("orch/l1nt", "orch/lint"),
        ("orch/llnt", "orch/lint"),
        ("orch/modem", "orch/modern"),
        ("myorg/wasm", "my-org/wasm"),
        ("m-y-0rg/wasm", "my-org/wasm"),
        ("my-org/vvasm", "my-org/wasm"),
    ] {
        refused(by_stranger(text), Code::ConfusingName, &format!("too much like `{other}`"));
    }
    for text in ["orch/secret-scam", "acme/lint", "orch/secret-scanner"] {
        by_stranger(text).unwrap();
    }
    // A publisher may have names of one look.
    first("orch/secretscan");
}

#[test]
fn a_line_that_was_cut_off_is_no_damage_and_is_repaired() {
    let world = World::new();
    world.tool("1.0.0");
    let good = world.index();
    world.tool("1.0.1");
    let both = world.index();
    for cut in [good.len() + 1, good.len() + 100, both.len() - 2] {
        world.write_index(&both[..cut]);
        assert_eq!(world.outcome("*"), "1.0.0", "cut at {cut}");
        assert!(world.registry.list().unwrap()[0].torn);
        assert!(world.registry.verify_package(&name("orch/tool"), &req("*"), &world.terms()).unwrap().torn);
        let published = world.tool("1.0.2");
        assert_eq!(published.repaired as usize, cut - good.len());
        assert_eq!(world.outcome("*"), "1.0.2");
        assert_eq!(world.lines().len(), 2);
        assert!(!world.registry.list().unwrap()[0].torn);
    }
    // Only the line feed is missing: the line is whole and counts.
    world.write_index(&both[..both.len() - 1]);
    assert_eq!(world.outcome("*"), "1.0.1");
    assert_eq!(world.tool("1.0.2").repaired, 0);
    assert_eq!(world.lines().len(), 3);
    assert_eq!(world.outcome("*"), "1.0.2");
    // Space that was reserved and never written.
    world.write_index([good.as_bytes(), &[0; 4096]].concat());
    assert_eq!(world.outcome("*"), "1.0.0");
    assert_eq!(world.tool("1.0.2").repaired, 4096);
    assert_eq!(world.outcome("*"), "1.0.2");
}

#[test]
fn a_whole_last_line_that_does_not_fit_is_damage_even_without_its_end() {
    let world = World::new();
    world.tool("1.0.0");
    world.tool("1.0.1");
    let text = world.index();
    let changed = text.trim_end().replacen("1700000000000", "1700000000009", 1);
    world.write_index(changed);
    refused(world.find("*"), Code::RegistryDamaged, "line 2");
    refused(world.publish(&pack("orch/tool", "1.0.2", "", json!({}))), Code::RegistryDamaged, "line 2");
}

/// Publishing fails at a point; afterwards the old state holds, and the next attempt succeeds.
#[track_caller]
fn fails_at(point: &'static str, errno: Errno, code: Code) {
    let world = World::new();
    world.tool("1.0.0");
    let before = world.index();
    let package = pack("orch/tool", "1.1.0", "", json!({}));
    let result = failing(&world, point, errno).publish(&package, &world.key, NOW, &PublishOptions::default());
    refused(result, code, "cannot write");
    assert_eq!(world.index(), before, "{point}");
    assert_eq!(world.outcome("*"), "1.0.0");
    let asides: Vec<_> = walk(&world.path("blobs")).into_iter().filter(|path| path.contains(".aside")).collect();
    assert!(asides.is_empty(), "{asides:?}");
    assert!(!world.publish(&package).unwrap().already_there);
    assert_eq!(world.outcome("*"), "1.1.0");
}

fn walk(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(walk(&path)),
            false => found.push(path.display().to_string()),
        }
    }
    found
}

#[test]
fn a_full_or_broken_disk_leaves_the_old_state() {
    let points = [
        "registry.file.write",
        "registry.file.sync",
        "registry.file.rename",
        "registry.index.write",
        "registry.index.sync",
    ];
    for point in points {
        fails_at(point, Errno::NOSPC, Code::DiskFull);
        fails_at(point, Errno::DQUOT, Code::DiskFull);
        fails_at(point, Errno::IO, Code::RegistryUnusable);
        fails_at(point, Errno::ROFS, Code::RegistryUnusable);
    }
}

#[test]
fn a_folder_that_cannot_be_written() {
    // Also for root: the system's own folder takes no files.
    let error = orch_registry::FolderRegistry::create("/proc/self/registry").unwrap_err();
    assert_eq!(error.code(), Code::RegistryUnusable);
    let world = World::new();
    std::fs::remove_dir(world.path("blobs")).unwrap();
    std::fs::write(world.path("blobs"), "a file").unwrap();
    let error = world.publish(&pack("orch/tool", "1.0.0", "", json!({}))).unwrap_err();
    assert_eq!(error.code(), Code::RegistryUnusable, "{error}");
    assert!(world.outcome("*").starts_with("OW0202"));
}

/// Moves something of a registry outside and leaves a link in its place; nothing outside may be read or changed.
#[track_caller]
fn linked_out(inside: impl FnOnce(&World) -> PathBuf) {
    let outside = tempfile::tempdir().unwrap();
    let world = World::new();
    world.tool("1.0.0");
    let inside = inside(&world);
    let target = outside.path().join("target");
    assert!(Command::new("cp").arg("-r").args([&inside, &target]).status().unwrap().success());
    match inside.is_dir() {
        true => std::fs::remove_dir_all(&inside).unwrap(),
        false => std::fs::remove_file(&inside).unwrap(),
    }
    symlink(&target, &inside).unwrap();
    let content =
        || walk(outside.path()).into_iter().map(|path| (std::fs::read(&path).unwrap(), path)).collect::<Vec<_>>();
    let before = content();
    refused(world.find("*"), Code::RegistryDamaged, "symbolic link");
    let _ = world.publish(&pack("orch/tool", "1.1.0", "", json!({})));
    let _ = world.registry.yank(&name("orch/tool"), &version("1.0.0"), "why not", &world.key, NOW);
    let _ = world.registry.list();
    assert!(content() == before, "{} led outside", inside.display());
}

#[test]
fn links_are_not_followed_out_of_the_registry() {
    let blob = |world: &World| world.blob(&world.lines()[0]["digest"].as_str().unwrap().parse().unwrap());
    linked_out(blob);
    linked_out(|world| blob(world).parent().unwrap().to_owned());
    linked_out(|world| world.path("blobs"));
    linked_out(|world| world.path(&format!("keys/{}.pub", world.key.public().id())));
    linked_out(|world| world.path("keys"));
    linked_out(|world| world.path("index/orch/tool.jsonl"));
    linked_out(|world| world.path("index/orch"));
    linked_out(|world| world.path("index"));
}

#[test]
fn links_inside_the_registry_are_not_followed_either() {
    let world = World::new();
    let digest = world.tool("1.0.0").digest;
    let blob = world.blob(&digest);
    std::fs::rename(&blob, blob.with_extension("moved")).unwrap();
    symlink(format!("{}.moved", digest.hex()), &blob).unwrap();
    refused(world.find("*"), Code::RegistryDamaged, "symbolic link");
}

#[test]
fn a_lock_that_is_no_file_and_a_pipe_do_not_hang() {
    let world = World::new();
    world.tool("1.0.0");
    let pipe = world.path("index/orch/pipe.jsonl");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let found = world.registry.find(&name("orch/pipe"), &req("*"), &world.terms()).map(|(found, _)| found);
    refused(found, Code::RegistryDamaged, "it is no file");
    std::fs::remove_file(world.path("index/.lock")).unwrap();
    std::fs::create_dir(world.path("index/.lock")).unwrap();
    refused(world.publish(&pack("orch/tool", "1.1.0", "", json!({}))), Code::RegistryUnusable, "cannot write");
    let error = world.registry.yank(&name("orch/tool"), &version("1.0.0"), "why not", &world.key, NOW).unwrap_err();
    assert!(matches!(error, Error::Io { .. }));
}
