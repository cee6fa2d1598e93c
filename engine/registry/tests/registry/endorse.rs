//! Signed by several, and published with a bill of materials.

use crate::support::{NOW, World, name, pack, refused, req, version};
use orch_core::{Code, Digest, NamePattern, TrustRule};
use orch_registry::{PublishOptions, SigningKey};
use serde_json::json;

/// A policy that wants two of three.
fn two_of(world: &mut World, keys: &[&SigningKey]) {
    let mut signers = vec![world.key.public().id()];
    signers.extend(keys.iter().map(|key| key.public().id()));
    world.policy.trust =
        vec![TrustRule { plugins: NamePattern("orch/*".to_owned()), signers, at_least: 2, fresh_within: None }];
}

#[test]
fn r3_one_of_two_is_not_enough_and_the_same_twice_is_one() {
    let mut world = World::new();
    let (second, stranger) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    two_of(&mut world, &[&second]);
    world.tool("1.0.0");
    refused(world.find("*"), Code::Untrusted, "wants 2 of");
    let (tool, one) = (name("orch/tool"), version("1.0.0"));
    // The publisher once more is nobody new, and writes nothing.
    let before = world.index();
    assert!(world.registry.endorse(&tool, &one, &world.key, NOW).unwrap().already_there);
    assert_eq!(world.index(), before);
    refused(world.find("*"), Code::Untrusted, "wants 2 of");
    // Nor is somebody whom the policy does not name.
    assert!(!world.registry.endorse(&tool, &one, &stranger, NOW).unwrap().already_there);
    refused(world.find("*"), Code::Untrusted, "wants 2 of");
    world.registry.endorse(&tool, &one, &second, NOW).unwrap();
    assert_eq!(world.outcome("*"), "1.0.0");
    assert!(world.registry.endorse(&tool, &one, &second, NOW).unwrap().already_there);
}

#[test]
fn r3_an_endorsement_that_is_not_signed_by_its_signer_does_not_count() {
    let mut world = World::new();
    let second = SigningKey::generate().unwrap();
    two_of(&mut world, &[&second]);
    world.tool("1.0.0");
    world.registry.endorse(&name("orch/tool"), &version("1.0.0"), &second, NOW).unwrap();
    assert_eq!(world.outcome("*"), "1.0.0");
    // The key file of the second signer is replaced by one of somebody else's.
    let path = world.path(&format!("keys/{}.pub", second.public().id()));
    std::fs::write(path, SigningKey::generate().unwrap().public().file_text()).unwrap();
    refused(world.find("*"), Code::Untrusted, "wants 2 of");
}

#[test]
fn r4_ten_thousand_endorsements_are_bounded() {
    let world = World::new();
    world.tool("1.0.0");
    let first = world.index();
    let mut text = first.clone();
    let line: serde_json::Value = serde_json::from_str(&first).unwrap();
    for number in 0..10_000 {
        let mut line = line.clone();
        line["kind"] = json!("endorse");
        line["signer"] = json!(format!("{number:016x}"));
        line["prev"] = json!(Digest::of(text.lines().last().unwrap().as_bytes()));
        text.push_str(&orch_core::canonical_json(&line));
        text.push('\n');
    }
    std::fs::write(world.path("index/orch/tool.jsonl"), text).unwrap();
    // They prove nothing, and take nothing away from who did sign.
    assert_eq!(world.outcome("*"), "1.0.0");
}

#[test]
fn what_was_withdrawn_or_changed_is_endorsed_by_nobody() {
    let world = World::new();
    let digest = world.tool("1.0.0").digest;
    let second = SigningKey::generate().unwrap();
    let (tool, one) = (name("orch/tool"), version("1.0.0"));
    let mut bytes = std::fs::read(world.blob(&digest)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(world.blob(&digest), &bytes).unwrap();
    refused(world.registry.endorse(&tool, &one, &second, NOW), Code::DigestMismatch, "orch/tool@1.0.0");
    world.tool("1.1.0");
    world.registry.yank(&tool, &version("1.1.0"), "broken", &world.key, NOW).unwrap();
    refused(world.registry.endorse(&tool, &version("1.1.0"), &second, NOW), Code::Yanked, "broken");
}

#[test]
fn r11_a_bill_of_materials_is_part_of_what_is_signed() {
    let mut world = World::new();
    world.policy.sbom_required = vec![NamePattern("orch/*".to_owned())];
    world.tool("1.0.0");
    refused(world.find("*"), Code::Untrusted, "wants a bill of materials");
    let sbom = br#"{"bomFormat":"CycloneDX","specVersion":"1.6","components":[]}"#.to_vec();
    let options = PublishOptions { sbom: Some(sbom.clone()), ..PublishOptions::default() };
    let package = pack("orch/tool", "1.1.0", "x", json!({}));
    world.registry.publish(&package, &world.key, NOW, &options).unwrap();
    assert_eq!(world.outcome("*"), "1.1.0");
    // Publishing it again without, or with another, is not the same.
    refused(
        world.registry.publish(
            &package,
            &world.key,
            NOW,
            &PublishOptions { sbom: Some(b"{}".to_vec()), ..PublishOptions::default() },
        ),
        Code::AlreadyPublished,
        "bill of materials",
    );
    let path = world.blob(&Digest::of(&sbom));
    std::fs::write(&path, b"{}").unwrap();
    refused(world.find("*"), Code::Untrusted, "does not have its bill of materials");
    std::fs::remove_file(&path).unwrap();
    refused(world.find("*"), Code::Untrusted, "does not have its bill of materials");
    // Without the line that names it the signature does not fit any more.
    std::fs::write(&path, &sbom).unwrap();
    assert!(world.registry.find(&name("orch/tool"), &req("=1.1.0"), &world.terms()).map(|(found, _)| found).is_ok());
    let text = world.index();
    let changed = text.replace(&Digest::of(&sbom).to_string(), &Digest::of(b"{}").to_string());
    std::fs::write(world.path("index/orch/tool.jsonl"), changed).unwrap();
    let other = world.blob(&Digest::of(b"{}"));
    std::fs::create_dir_all(other.parent().unwrap()).unwrap();
    std::fs::write(other, b"{}").unwrap();
    refused(world.find("=1.1.0"), Code::Untrusted, "signature");
}

#[test]
fn what_is_no_json_is_no_bill_of_materials() {
    let world = World::new();
    let options = PublishOptions { sbom: Some(b"<bom/>".to_vec()), ..PublishOptions::default() };
    let package = pack("orch/tool", "1.0.0", "x", json!({}));
    refused(world.registry.publish(&package, &world.key, NOW, &options), Code::Usage, "it is no JSON");
    refused(world.find("*"), Code::UnknownPlugin, "orch/tool");
}
