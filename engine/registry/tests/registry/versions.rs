//! Which version is taken, what is withdrawn, what is listed.

use crate::support::{NOW, World, name, pack, refused, req, sign, trusting, version};
use orch_core::{Code, PluginSource as _};
use orch_registry::{FolderRegistry, LockFile, LockedRegistry, NewSigner, PublishOptions, SigningKey};
use serde_json::json;

#[test]
fn the_best_version_that_fits() {
    let world = World::new();
    for version in ["1.0.0", "1.2.0", "1.10.0", "2.0.0-rc.1", "0.3.1", "1.1.0"] {
        world.tool(version);
    }
    for (requirement, expected) in [
        ("*", "1.10.0"),
        ("^1", "1.10.0"),
        ("~1.2", "1.2.0"),
        ("=1.0.0", "1.0.0"),
        ("<1.2", "1.1.0"),
        ("^0.3", "0.3.1"),
        (">=2.0.0-rc.1", "2.0.0-rc.1"),
        ("^2", "OW0202 no version of `orch/tool` fits `^2`"),
        ("=9.9.9", "OW0202 no version of `orch/tool` fits `=9.9.9`"),
    ] {
        assert_eq!(world.outcome(requirement), expected, "{requirement}");
    }
    let help = world.find("^9").unwrap_err().help().unwrap();
    assert_eq!(help, "known: `2.0.0-rc.1`, `1.10.0`, `1.2.0`, `1.1.0`, `1.0.0`, `0.3.1`");
}

#[test]
fn a_name_that_is_not_there() {
    let world = World::new();
    let help = |wanted: &str| {
        let error = world.registry.find(&name(wanted), &req("*"), &world.terms()).map(|(found, _)| found).unwrap_err();
        assert_eq!(error.code(), Code::UnknownPlugin);
        error.help().unwrap()
    };
    assert_eq!(help("orch/tool"), "the registry is empty");
    world.tool("1.0.0");
    assert_eq!(help("orch/tol"), "did you mean `orch/tool`?");
    assert_eq!(help("acme/something-else"), "known: `orch/tool`");
}

#[test]
fn a_withdrawn_version_is_not_taken() {
    let world = World::new();
    world.tool("1.0.0");
    world.tool("1.1.0");
    let lock = world.lock("^1");
    let yank = |version_text: &str| {
        world.registry.yank(&name("orch/tool"), &version(version_text), "deletes files", &world.key, NOW)
    };
    assert!(!yank("1.1.0").unwrap().already_there);
    assert!(yank("1.1.0").unwrap().already_there);
    assert_eq!(world.lines().len(), 3);
    assert_eq!(world.outcome("^1"), "1.0.0");
    // A lock does not keep it alive.
    let error = world.find_locked("^1", lock.locked(&name("orch/tool"), &req("^1"))).unwrap_err();
    assert_eq!(error.to_string(), "`orch/tool@1.1.0` was withdrawn: deletes files");
    assert_eq!(error.help().unwrap(), "lock another version with `orch-wasm lock --update`; there are: `1.0.0`");
    assert!(world.outcome("=1.1.0").starts_with("OW0208"));
    refused(world.publish(&pack("orch/tool", "1.1.0", "1.1.0", json!({}))), Code::Yanked, "was withdrawn");
    yank("1.0.0").unwrap();
    assert!(world.outcome("*").starts_with("OW0208"));
    let report = world.registry.verify_package(&name("orch/tool"), &req("*"), &world.terms()).unwrap();
    assert!(!report.good);
}

#[test]
fn who_may_withdraw() {
    let world = World::new();
    world.tool("1.0.0");
    let yank = |version_text: &str, reason: &str, key| {
        world.registry.yank(&name("orch/tool"), &version(version_text), reason, key, NOW)
    };
    let stranger = SigningKey::generate().unwrap();
    refused(yank("1.0.0", "I do not like it", &stranger), Code::Untrusted, "never signed");
    refused(yank("2.0.0", "not there", &world.key), Code::UnknownPlugin, "2.0.0");
    refused(yank("1.0.0", " ", &world.key), Code::Usage, "a reason is needed");
    refused(yank("1.0.0", &"x".repeat(2_000), &world.key), Code::Usage, "a reason is needed");
    assert_eq!(world.outcome("*"), "1.0.0");
}

#[test]
fn a_withdrawal_that_nobody_signed_forces_no_downgrade() {
    let stranger = SigningKey::generate().unwrap();
    for (signer, expected) in
        [(None, "without a valid signature"), (Some(&stranger), "who has nothing to say about it")]
    {
        let world = World::new();
        world.tool("1.0.0");
        world.tool("1.1.0");
        let mut lines = world.lines();
        let mut yank = lines[1].clone();
        yank["kind"] = json!("yank");
        yank["reason"] = json!("downgrade");
        if let Some(signer) = signer {
            signer.public().save(world.path(&format!("keys/{}.pub", signer.public().id()))).unwrap();
            yank["signer"] = json!(signer.public().id());
            yank["signature"] = json!(sign(signer, &yank));
        }
        lines.push(yank);
        world.forge(&lines);
        for requirement in ["*", "=1.1.0"] {
            let text = world.outcome(requirement);
            assert!(text.starts_with("OW0206") && text.contains(expected), "{text}");
        }
        assert_eq!(world.outcome("=1.0.0"), "1.0.0");
    }
}

#[test]
fn a_new_key_goes_on_and_can_withdraw_what_the_old_one_signed() {
    let mut world = World::new();
    world.tool("1.0.0");
    let old = std::mem::replace(&mut world.key, SigningKey::generate().unwrap());
    let next = pack("orch/tool", "1.1.0", "", json!({}));
    refused(world.publish(&next), Code::Untrusted, "has signed this plugin so far");
    world
        .registry
        .publish(&next, &world.key, NOW, &PublishOptions { new_signer: NewSigner::Accept, sbom: None })
        .unwrap();
    assert!(world.outcome("*").starts_with("OW0206"), "the policy decides whom to trust");
    world.policy = trusting(vec![world.key.public().id()]);
    assert_eq!(world.outcome("*"), "1.1.0");
    assert!(world.outcome("=1.0.0").starts_with("OW0206"), "the old key is trusted no more");
    world.registry.yank(&name("orch/tool"), &version("1.0.0"), "old key lost", &world.key, NOW).unwrap();
    world.policy = trusting(vec![world.key.public().id(), old.public().id()]);
    assert!(world.outcome("=1.0.0").starts_with("OW0208"));
}

#[test]
fn what_is_listed() {
    let world = World::new();
    assert_eq!(world.registry.list().unwrap(), []);
    for version in ["1.0.0", "1.1.0", "2.0.0-rc.1"] {
        world.tool(version);
    }
    world.publish(&pack("acme/other", "0.1.0-beta", "", json!({}))).unwrap();
    world.registry.yank(&name("orch/tool"), &version("1.1.0"), "broken", &world.key, NOW).unwrap();
    std::fs::write(world.path("index/orch/README.md"), "not an index").unwrap();
    std::fs::write(world.path("index/orch/Bad Name.jsonl"), "not a name").unwrap();
    std::fs::write(world.path("index/orch/broken.jsonl"), "rubbish\n").unwrap();
    let plugins = world.registry.list().unwrap();
    let shown: Vec<_> = plugins
        .iter()
        .map(|p| {
            format!(
                "{} {:?} {}/{} {}",
                p.name,
                p.latest.as_ref().map(ToString::to_string),
                p.yanked,
                p.versions,
                p.damage.is_some()
            )
        })
        .collect();
    assert_eq!(
        shown,
        [
            "acme/other Some(\"0.1.0-beta\") 0/1 false",
            "orch/broken None 0/0 true",
            "orch/tool Some(\"1.0.0\") 1/3 false"
        ]
    );
    let versions = world.registry.versions(&name("orch/tool")).unwrap();
    let shown: Vec<_> = versions.iter().map(|v| (v.version.to_string(), v.yanked.as_deref())).collect();
    let expected = [("2.0.0-rc.1", None), ("1.1.0", Some("broken")), ("1.0.0", None)];
    assert_eq!(shown, expected.map(|(version, yanked)| (version.to_owned(), yanked)));
    refused(world.registry.versions(&name("orch/broken")), Code::RegistryDamaged, "line 1");
    refused(world.registry.versions(&name("orch/nothing")), Code::UnknownPlugin, "orch/nothing");
}

#[test]
fn the_port_of_the_planner() {
    let world = World::new();
    world.tool("1.0.0");
    let lock = world.lock("^1");
    world.tool("1.1.0");
    let find = |lock: &LockFile| {
        let source = LockedRegistry { registry: &world.registry, policy: &world.policy, lock, now: NOW };
        source.find(&name("orch/tool"), &req("^1")).unwrap().manifest.version.to_string()
    };
    assert_eq!(find(&lock), "1.0.0");
    assert_eq!(find(&LockFile::default()), "1.1.0");
}

#[test]
fn folders_that_are_no_registry() {
    let folder = tempfile::tempdir().unwrap();
    refused(FolderRegistry::open(folder.path()), Code::RegistryUnusable, "it has no folder `index`");
    refused(FolderRegistry::open(folder.path().join("missing")), Code::RegistryUnusable, "cannot open");
    std::fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    refused(FolderRegistry::create(folder.path()), Code::RegistryUnusable, "but it has `notes.txt`");
    refused(FolderRegistry::open(folder.path().join("notes.txt")), Code::RegistryUnusable, "cannot open");
    FolderRegistry::create(folder.path().join("new/registry")).unwrap();
    FolderRegistry::create(folder.path().join("new/registry")).unwrap();
    FolderRegistry::open(folder.path().join("new/registry")).unwrap();
}
