//! Whatever bytes are put anywhere: no panic, and never a yes.

use crate::support::{NOW, World, name, pack, req, trusting};
use orch_registry::{LockFile, PublicKey, PublishOptions, SigningKey, find_file, package, verify_file};
use proptest::prelude::*;
use serde_json::json;
use std::sync::OnceLock;

/// Random bytes, or something good with a few bytes changed, put in or cut off.
fn mutated(good: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..6);
    let edited = edits.prop_map(move |edits| {
        let mut bytes = good.clone();
        for (place, byte, kind) in edits {
            let place = place.index(bytes.len().max(1));
            match kind {
                _ if bytes.is_empty() => bytes.push(byte),
                0 => bytes[place] ^= byte.max(1),
                1 => bytes.insert(place, byte),
                2 => bytes.truncate(place),
                _ => drop(bytes.remove(place)),
            }
        }
        bytes
    });
    prop_oneof![1 => prop::collection::vec(any::<u8>(), 0..300), 4 => edited]
}

fn good_package() -> Vec<u8> {
    pack("orch/tool", "1.0.0", "1.0.0", json!({ "fs": [{ "mount": "source", "access": "read", "reason": "r" }] }))
}

/// One registry for all cases: making one costs several fsyncs.
fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let world = World::new();
        world.publish(&good_package()).unwrap();
        world.tool("2.0.0");
        world
    })
}

fn good_index() -> &'static str {
    static INDEX: OnceLock<String> = OnceLock::new();
    INDEX.get_or_init(|| world().index())
}

fn good_lock() -> &'static str {
    static LOCK: OnceLock<String> = OnceLock::new();
    LOCK.get_or_init(|| {
        let _alone = alone();
        world().lock("^1").text()
    })
}

/// The tests below change the files of one registry.
static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_as_a_component(bytes in mutated(good_package())) {
        let mut policy = trusting(vec![]);
        let _ = package::extract(&bytes);
        let _ = verify_file(&bytes, &policy, None);
        prop_assert!(find_file(&bytes, &policy, None).is_err());
        policy.unsigned_files = true;
        if let Ok(found) = find_file(&bytes, &policy, None) {
            let _ = package::validate(&bytes, &found.manifest);
        }
    }

    #[test]
    fn any_bytes_in_place_of_a_blob(bytes in mutated(good_package())) {
        let _alone = alone();
        let world = world();
        let good = good_package();
        prop_assume!(bytes != good);
        let blob = world.blob(&orch_core::Digest::of(&good));
        std::fs::write(&blob, &bytes).unwrap();
        prop_assert!(world.find("^1").is_err());
        std::fs::write(&blob, &good).unwrap();
        prop_assert!(world.find("^1").is_ok());
    }

    #[test]
    fn any_bytes_as_an_index(bytes in mutated(good_index().as_bytes().to_vec())) {
        let _alone = alone();
        let world = world();
        world.write_index(&bytes);
        let found = world.find("*");
        let listed = world.registry.list();
        let versions = world.registry.versions(&name("orch/tool"));
        let report = world.registry.verify_package(&name("orch/tool"), &req("*"), &world.terms());
        world.write_index(good_index());
        prop_assert!(listed.is_ok());
        drop(versions);
        if let Ok(found) = &found {
            // Only what was signed: a cut at the end shows the state before, and nothing else gets through.
            let known = ["1.0.0", "2.0.0"].contains(&found.manifest.version.to_string().as_str());
            prop_assert!(known && good_index().contains(&found.digest.to_string()));
            prop_assert!(report.unwrap().good);
        }
    }

    #[test]
    fn any_bytes_as_a_key(bytes in mutated(world().key.public().file_text().into_bytes())) {
        let _alone = alone();
        let world = world();
        let path = world.path(&format!("keys/{}.pub", world.key.public().id()));
        std::fs::write(&path, &bytes).unwrap();
        let found = world.find("*");
        std::fs::write(&path, world.key.public().file_text()).unwrap();
        let same = PublicKey::from_file_text(&String::from_utf8_lossy(&bytes)).is_ok_and(|key| key == world.key.public());
        prop_assert_eq!(found.is_ok(), same);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let _ = text.parse::<PublicKey>();
        let file = world.folder.path().join("any-key");
        std::fs::write(&file, &bytes).unwrap();
        prop_assert!(SigningKey::load(&file).is_err());
    }

    #[test]
    fn any_text_as_a_lock(bytes in mutated(good_lock().as_bytes().to_vec())) {
        if let Ok(lock) = LockFile::parse("lock", &String::from_utf8_lossy(&bytes)) {
            prop_assert_eq!(LockFile::parse("lock", &lock.text()).unwrap(), lock);
        }
    }

    #[test]
    fn any_bytes_published(bytes in mutated(good_package())) {
        let _alone = alone();
        let world = world();
        let stranger = SigningKey::generate().unwrap();
        prop_assert!(world.registry.publish(&bytes, &stranger, NOW, &PublishOptions::default()).is_err());
    }
}
