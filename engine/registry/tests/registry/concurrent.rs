//! Many publishers at once, in one process and in several: the chain holds and nothing is lost.

use crate::support::{NOW, World, name, pack};
use orch_registry::{FolderRegistry, PublishOptions, SigningKey};
use serde_json::json;
use std::path::Path;
use std::process::Command;

const FOLDER: &str = "ORCH_REGISTRY_TEST_FOLDER";
const MAJOR: &str = "ORCH_REGISTRY_TEST_MAJOR";

fn publish_some(registry: &FolderRegistry, key: &SigningKey, major: u64, count: u64) {
    for minor in 0..count {
        let version = format!("{major}.{minor}.0");
        registry
            .publish(&pack("orch/tool", &version, &version, json!({})), key, NOW, &PublishOptions::default())
            .unwrap();
        if minor == 0 {
            let version = format!("{major}.0.0").parse().unwrap();
            registry.yank(&name("orch/tool"), &version, "first", key, NOW).unwrap();
        }
    }
}

#[track_caller]
fn whole(world: &World, publishers: usize, each: usize) {
    let plugin = world.registry.list().unwrap().remove(0);
    assert_eq!((plugin.damage, plugin.torn), (None, false));
    assert_eq!((plugin.versions, plugin.yanked), (publishers * each, publishers));
    for version in
        world.registry.versions(&name("orch/tool")).unwrap().iter().filter(|version| version.yanked.is_none())
    {
        assert_eq!(world.outcome(&format!("={}", version.version)), version.version.to_string());
    }
}

#[test]
fn eight_threads() {
    let world = World::new();
    std::thread::scope(|scope| {
        for major in 1..=8 {
            let registry = FolderRegistry::open(world.path("")).unwrap();
            let key = &world.key;
            scope.spawn(move || publish_some(&registry, key, major, 4));
        }
        // A reader never sees anything half-done.
        for _ in 0..50 {
            let index = world.registry.list().unwrap();
            assert!(index.iter().all(|plugin| plugin.damage.is_none()), "{index:?}");
        }
    });
    whole(&world, 8, 4);
}

#[test]
fn two_processes() {
    let world = World::new();
    let key = world.folder.path().join("key");
    world.key.save(&key).unwrap();
    let children: Vec<_> = ["1", "2"]
        .into_iter()
        .map(|major| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "concurrent::publisher_process"])
                .env(FOLDER, world.folder.path())
                .env(MAJOR, major)
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    whole(&world, 2, 6);
}

/// What each of the two processes does; by itself it has no folder and nothing to do.
#[test]
fn publisher_process() {
    let (Some(folder), Some(major)) = (std::env::var_os(FOLDER), std::env::var_os(MAJOR)) else { return };
    let folder = Path::new(&folder);
    let registry = FolderRegistry::open(folder.join("registry")).unwrap();
    let key = SigningKey::load(folder.join("key")).unwrap();
    publish_some(&registry, &key, major.to_str().unwrap().parse().unwrap(), 6);
}

#[test]
fn the_same_version_from_eight_threads_is_published_once() {
    let world = World::new();
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let publish = |salt: String| {
            let (registry, key) = (&world.registry, &world.key);
            scope.spawn(move || {
                registry.publish(&pack("orch/tool", "1.0.0", &salt, json!({})), key, NOW, &PublishOptions::default())
            })
        };
        let started: Vec<_> = (0..8).map(|salt| publish(salt.to_string())).collect();
        started.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(world.lines().len(), 1);
    assert_eq!(world.outcome("*"), "1.0.0");
}
