//! Nothing that was tampered with is ever run: catalogue rows R1, R2, R3 and R10.

use crate::support::{World, manifest, name, outcome, pack, reads, refused, req, salted, sign, trusting};
use orch_core::{Code, Digest, Policy, TrustRule};
use orch_registry::{Check, FactState, SigningKey, find_file, package, verify_file};
use serde_json::{Value, json};

#[test]
fn a_good_plugin_is_found_whole() {
    let world = World::new();
    let package = pack("orch/tool", "1.0.0", "", reads(&["source"]));
    let published = world.publish(&package).unwrap();
    let found = world.find("^1").unwrap();
    assert_eq!(&found.bytes[..], package);
    assert_eq!(found.digest, Digest::of(&package));
    assert_eq!(found.signer, Some(published.signer));
    assert_eq!(found.manifest.permissions.lines(), ["fs source read"]);
}

/// Publishes, damages, and expects a refusal from `find` and from `verify_package`.
#[track_caller]
fn damaged(damage: impl FnOnce(&World, &Digest), code: Code, message: &str) {
    let world = World::new();
    let digest = world.tool("1.0.0").digest;
    world.find("^1").expect("it is good before");
    damage(&world, &digest);
    refused(world.find("^1"), code, message);
    let report = world.registry.verify_package(&name("orch/tool"), &req("^1"), &world.terms());
    assert!(report.is_err() || report.is_ok_and(|report| !report.good));
}

#[test]
fn other_bytes_are_refused() {
    let change = |change: fn(&mut Vec<u8>)| {
        move |world: &World, digest: &Digest| {
            let mut bytes = std::fs::read(world.blob(digest)).unwrap();
            change(&mut bytes);
            std::fs::write(world.blob(digest), bytes).unwrap();
        }
    };
    damaged(change(|bytes| bytes[20] ^= 1), Code::DigestMismatch, "not those that were published");
    damaged(change(|bytes| bytes.truncate(30)), Code::DigestMismatch, "30 bytes");
    damaged(change(Vec::clear), Code::DigestMismatch, "0 bytes");
    damaged(change(|bytes| bytes.extend([0, 2, 1, b'x'])), Code::DigestMismatch, "not those that were published");
    damaged(|world, digest| std::fs::remove_file(world.blob(digest)).unwrap(), Code::RegistryDamaged, "is missing");
    let swap = |world: &World, digest: &Digest| {
        // The same length, a good component, another version.
        let other = pack("orch/tool", "1.0.1", "1.0.1", json!({}));
        assert_eq!(other.len() as u64, world.blob(digest).metadata().unwrap().len());
        std::fs::write(world.blob(digest), other).unwrap();
    };
    damaged(swap, Code::DigestMismatch, "not those that were published");
}

#[test]
fn what_is_not_as_published_is_not_even_parsed() {
    let world = World::new();
    let digest = world.tool("1.0.0").digest;
    let mut bytes = std::fs::read(world.blob(&digest)).unwrap();
    bytes[20] ^= 1;
    std::fs::write(world.blob(&digest), bytes).unwrap();
    let report = world.registry.verify_package(&name("orch/tool"), &req("*"), &world.terms()).unwrap();
    let state = |check| &report.facts.iter().find(|fact| fact.check == check).unwrap().state;
    assert!(matches!(state(Check::Digest), FactState::Fails { code: Code::DigestMismatch, .. }));
    assert!(matches!(state(Check::Manifest), FactState::Unknown { .. }));
    assert!(matches!(state(Check::Imports), FactState::Unknown { .. }));
    assert!(report.manifest.is_none());
}

/// Forges the last line with the chain intact.
#[track_caller]
fn forged(change: impl FnOnce(&World, &mut Value), code: Code, message: &str) {
    damaged(|world, _| world.forge_last(|line| change(world, line)), code, message);
}

#[test]
fn signatures_that_prove_nothing_are_refused() {
    forged(|_, line| line["signature"] = json!(""), Code::Unsigned, "is not signed");
    forged(|_, line| drop(line.as_object_mut().unwrap().remove("signature")), Code::Unsigned, "is not signed");
    forged(|_, line| line["signature"] = json!("AAAA"), Code::Untrusted, "its signature is not by");
    forged(|_, line| line["signature"] = json!("%"), Code::Untrusted, "its signature is not by");
    // By a key that nobody has heard of.
    let stranger = SigningKey::generate().unwrap();
    forged(
        |_, line| {
            line["signature"] = json!(sign(&stranger, line));
            line["signer"] = json!(stranger.public().id());
        },
        Code::Untrusted,
        "whose key the registry does not have",
    );
    // By another key in the name of the trusted one.
    forged(|_, line| line["signature"] = json!(sign(&stranger, line)), Code::Untrusted, "its signature is not by");
    // By a key that is in the registry and that the policy does not trust.
    forged(
        |world, line| {
            stranger.public().save(world.path(&format!("keys/{}.pub", stranger.public().id()))).unwrap();
            line["signature"] = json!(sign(&stranger, line));
            line["signer"] = json!(stranger.public().id());
        },
        Code::Untrusted,
        "does not trust",
    );
    // For another artifact, version, name.
    forged(
        |world, line| {
            line["digest"] = json!(Digest::of(b"another"));
            line["signature"] = json!(sign(&world.key, line));
            line["digest"] = json!(world.lines()[0]["digest"]);
        },
        Code::Untrusted,
        "not of this component",
    );
    forged(
        |world, line| {
            let mut other = line.clone();
            other["name"] = json!("orch/other");
            line["signature"] = json!(sign(&world.key, &other));
        },
        Code::Untrusted,
        "not of this component",
    );
    // A valid withdrawal is no valid publication.
    forged(|_, line| line["version"] = json!("1.9.9"), Code::Untrusted, "not of this component");
}

#[test]
fn key_files_that_were_replaced_are_refused() {
    let key_file = |text: fn(&World) -> String| {
        move |world: &World, _: &Digest| {
            std::fs::write(world.path(&format!("keys/{}.pub", world.key.public().id())), text(world)).unwrap();
        }
    };
    damaged(key_file(|_| SigningKey::generate().unwrap().public().file_text()), Code::Untrusted, "has the key of");
    damaged(key_file(|_| String::new()), Code::Untrusted, "cannot be understood");
    damaged(key_file(|_| "x".repeat(5_000)), Code::RegistryDamaged, "5000 bytes");
    damaged(
        |world, _| std::fs::remove_file(world.path(&format!("keys/{}.pub", world.key.public().id()))).unwrap(),
        Code::Untrusted,
        "whose key the registry does not have",
    );
    // The same key under an id that the policy trusts.
    damaged(
        |world, _| {
            let id = "0123456789abcdef";
            std::fs::write(world.path(&format!("keys/{id}.pub")), world.key.public().file_text()).unwrap();
            world.forge_last(|line| line["signer"] = json!(id));
        },
        Code::Untrusted,
        "has the key of",
    );
}

#[test]
fn what_the_index_says_and_the_component_does_not() {
    // Everything is signed by the trusted key here: even so the manifest inside has to say the same.
    let resigned = |change: fn(&mut Value)| {
        move |world: &World, line: &mut Value| {
            change(line);
            line["signature"] = json!(sign(&world.key, line));
        }
    };
    forged(resigned(|line| line["version"] = json!("1.0.1")), Code::ManifestLies, "inside it says `orch/tool@1.0.0`");
    let other = |line: &mut Value| line["capability_hash"] = json!(Digest::of(b"other"));
    forged(resigned(other), Code::ManifestLies, "other permissions");
    let hidden = |line: &mut Value| line["asks"] = json!({ "env": [{ "name": "HOME" }] });
    forged(resigned(hidden), Code::ManifestLies, "other permissions");
    forged(|_, line| line["size"] = json!(7), Code::DigestMismatch, "7 bytes");
    forged(|_, line| line["size"] = json!(u64::MAX), Code::RegistryDamaged, "at most");
}

#[test]
fn a_component_that_imports_more_than_it_says_is_refused_even_when_signed() {
    let world = World::new();
    world.tool("1.0.0");
    let text = crate::support::PLAIN.replacen(
        "(component",
        r#"(component (import "orch:task/artifacts@0.1.0" (instance))"#,
        1,
    );
    let lie = package::embed(&crate::support::component(&text), &manifest("orch/tool", "1.0.0", json!({}))).unwrap();
    refused(world.publish(&lie), Code::ManifestLies, "asks for no `artifacts`");
    // A publisher with a tool of its own writes it all the same.
    let digest = Digest::of(&lie);
    std::fs::create_dir_all(world.blob(&digest).parent().unwrap()).unwrap();
    std::fs::write(world.blob(&digest), &lie).unwrap();
    world.forge_last(|line| {
        line["digest"] = json!(digest);
        line["size"] = json!(lie.len());
        line["signature"] = json!(sign(&world.key, line));
    });
    refused(world.find("*"), Code::ManifestLies, "asks for no `artifacts`");
}

#[test]
fn the_chain_shows_what_was_done_to_the_index() {
    let three = || {
        let world = World::new();
        for version in ["1.0.0", "1.0.1", "1.0.2"] {
            world.tool(version);
        }
        world
    };
    let edit = |edit: fn(Vec<&str>) -> Vec<String>| {
        let world = three();
        let text = world.index();
        world.write_index(edit(text.lines().collect()).into_iter().map(|line| line + "\n").collect::<String>());
        world.outcome("*")
    };
    assert_eq!(edit(|lines| lines.into_iter().map(str::to_owned).collect()), "1.0.2");
    for (text, line) in [
        (edit(|lines| vec![lines[0].to_owned(), lines[2].to_owned()]), 2),
        (edit(|lines| vec![lines[1].to_owned(), lines[2].to_owned()]), 1),
        (edit(|lines| vec![lines[1].to_owned(), lines[0].to_owned(), lines[2].to_owned()]), 1),
        (
            edit(|lines| {
                vec![lines[0].replace("1700000000000", "1700000000001"), lines[1].to_owned(), lines[2].to_owned()]
            }),
            2,
        ),
        (edit(|lines| vec![lines[0].to_owned(), lines[1].to_owned(), lines[1].to_owned()]), 3),
    ] {
        let expected =
            format!("OW0212 the registry is damaged: `index/orch/tool.jsonl`, line {line}: it does not follow");
        assert!(text.starts_with(&expected), "{text}");
    }
    for (text, reason) in [
        (
            edit(|lines| vec![lines[0].to_owned(), "rubbish".to_owned(), lines[2].to_owned()]),
            "line 2: it is no line of an index",
        ),
        (edit(|lines| vec![lines[0].replace("\"v\":1", "\"v\":3,\"new\":true")]), "line 1: it has format 3"),
        (edit(|lines| vec![lines[0].replace("orch/tool", "orch/other")]), "line 1: it is about `orch/other`"),
        (edit(|lines| vec![lines[0].replace("\"v\":1", "\"v\":1,\"extra\":1")]), "unknown field `extra`"),
        (edit(|lines| vec![String::new(), lines[0].to_owned()]), "line 1: it is no line"),
    ] {
        assert!(text.starts_with("OW0212") && text.contains(reason), "{text}");
    }
}

#[test]
fn an_index_moved_to_another_name_is_refused() {
    let world = World::new();
    world.tool("1.0.0");
    std::fs::write(world.path("index/orch/other.jsonl"), world.index()).unwrap();
    let found = world.registry.find(&name("orch/other"), &req("*"), &world.terms()).map(|(found, _)| found);
    refused(found, Code::RegistryDamaged, "it is about `orch/tool`");
}

#[test]
fn trust_is_by_name() {
    let mut world = World::new();
    world.tool("1.0.0");
    let id = world.key.public().id();
    let rule = |pattern: &str| {
        let trust = vec![TrustRule {
            plugins: orch_core::NamePattern(pattern.to_owned()),
            signers: vec![id.clone()],
            at_least: 1,
            fresh_within: None,
        }];
        Policy { trust, ..trusting(vec![]) }
    };
    for (pattern, expected) in
        [("orch/*", "1.0.0"), ("orch/tool", "1.0.0"), ("acme/*", "OW0206"), ("orch/too", "OW0206"), ("tool", "OW0206")]
    {
        world.policy = rule(pattern);
        assert!(world.outcome("*").starts_with(expected), "{pattern}: {}", world.outcome("*"));
    }
    world.policy = trusting(vec![]);
    let error = world.find("*").unwrap_err();
    assert!(error.help().unwrap().contains(&format!("keys trust FILE`, the file is `keys/{id}.pub`")));
    world.policy.origin = "policy.yaml".to_owned();
    let error = world.find("*").unwrap_err();
    assert!(error.help().unwrap().contains(&format!("trust: [{{ plugins: orch/tool, signers: [\"{id}\"] }}]")));
}

#[test]
fn the_policy_bans_by_digest() {
    let mut world = World::new();
    let digest = world.tool("1.0.0").digest;
    world.policy.banned = vec![digest];
    refused(world.find("*"), Code::Banned, "is banned by the built-in policy");
    let file = std::fs::read(world.blob(&digest)).unwrap();
    world.policy.unsigned_files = true;
    refused(find_file(&file, &world.policy, None), Code::Banned, "banned");
}

#[test]
fn files_run_only_where_the_policy_admits_them() {
    let mut policy = trusting(vec![]);
    let package = pack("orch/tool", "1.0.0", "", json!({}));
    let error = find_file(&package, &policy, None).unwrap_err();
    assert_eq!(error.code(), Code::Unsigned);
    assert!(error.help().unwrap().contains("unsigned-files: true"));
    assert!(!verify_file(&package, &policy, None).good);
    policy.unsigned_files = true;
    let found = find_file(&package, &policy, None).unwrap();
    assert_eq!((found.signer, found.digest), (None, Digest::of(&package)));
    assert!(verify_file(&package, &policy, None).good);
    refused(find_file(&salted(""), &policy, None), Code::InvalidManifest, "no custom section");
    refused(find_file(&package[..40], &policy, None), Code::InvalidComponent, "damaged");
    let text = crate::support::PLAIN.replacen(
        "(component",
        r#"(component (import "orch:task/artifacts@0.1.0" (instance))"#,
        1,
    );
    let lie = package::embed(&crate::support::component(&text), &manifest("orch/tool", "1.0.0", json!({}))).unwrap();
    refused(find_file(&lie, &policy, None), Code::ManifestLies, "asks for no `artifacts`");
    assert_eq!(outcome(find_file(&package, &policy, None)), "1.0.0");
}

#[test]
fn the_report_has_every_fact() {
    let world = World::new();
    world.tool("1.0.0");
    let report = world.registry.verify_package(&name("orch/tool"), &req("*"), &world.terms()).unwrap();
    assert!(report.good && !report.torn);
    assert_eq!(report.facts.iter().map(|fact| fact.check).collect::<Vec<_>>(), Check::ALL);
    let text = serde_json::to_string(&report).unwrap();
    assert!(text.contains(r#"{"check":"not-banned","state":{"holds":{"detail":"#), "{text}");
}
