//! Key files: who may read them, what is in them, what is refused.

use crate::support::refused;
use orch_core::Code;
use orch_registry::{PublicKey, SigningKey};
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn a_key_comes_back_and_signs() {
    let folder = tempfile::tempdir().unwrap();
    let (path, public) = (folder.path().join("key"), folder.path().join("key.pub"));
    let key = SigningKey::generate().unwrap();
    key.save(&path).unwrap();
    key.public().save(&public).unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let again = SigningKey::load(&path).unwrap();
    assert_eq!(again.public(), key.public());
    assert_eq!(PublicKey::load(&public).unwrap(), key.public());
    assert_eq!(key.public().to_string().parse::<PublicKey>().unwrap(), key.public());
    assert!(key.public().verifies(b"message", &again.sign(b"message")));
    assert!(!key.public().verifies(b"another", &again.sign(b"message")));
    assert!(!SigningKey::generate().unwrap().public().verifies(b"message", &again.sign(b"message")));
}

#[test]
fn the_id_is_that_of_the_published_test_vector() {
    // RFC 8032, section 7.1, test 1; the id is the SHA-256 of its public key.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, "orch-signing-key-v1 nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let key = SigningKey::load(&path).unwrap();
    assert_eq!(key.public().to_string(), "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
    assert_eq!(key.public().id().as_str(), "21fe31dfa154a261");
    assert_eq!(key.sign(b"")[..4], [0xe5, 0x56, 0x43, 0x00]);
}

#[test]
fn nothing_prints_the_secret() {
    let folder = tempfile::tempdir().unwrap();
    let key = SigningKey::generate().unwrap();
    key.save(folder.path().join("key")).unwrap();
    let text = std::fs::read_to_string(folder.path().join("key")).unwrap();
    let secret = text.trim_end().rsplit(' ').next().unwrap();
    assert_eq!(secret.len(), 44);
    assert!(!format!("{key:?} {key:#?}").contains(secret));
    // Nor does an error about a file that is nearly a key.
    let path = folder.path().join("broken");
    std::fs::write(&path, format!("orch-signing-key-v2 {secret}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let error = SigningKey::load(&path).unwrap_err();
    assert!(!format!("{error} {error:?} {:?}", error.help()).contains(secret));
}

#[test]
fn a_key_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let first = SigningKey::generate().unwrap();
    first.save(&path).unwrap();
    refused(SigningKey::generate().unwrap().save(&path), Code::KeyUnusable, "already there");
    refused(first.public().save(&path), Code::KeyUnusable, "already there");
    assert_eq!(SigningKey::load(&path).unwrap().public(), first.public());
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(folder.path().join("elsewhere"), &link).unwrap();
    refused(first.save(&link), Code::KeyUnusable, "already there");
}

#[test]
fn a_key_that_others_can_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    SigningKey::generate().unwrap().save(&path).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o666] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        refused(SigningKey::load(&path), Code::KeyUnusable, "others than its owner can use it");
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
    assert!(SigningKey::load(&path).is_ok());
}

#[test]
fn files_that_are_no_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let key = SigningKey::generate().unwrap();
    let public = key.public().file_text();
    let line = public.lines().last().unwrap();
    let cases = [
        (String::new(), "it is empty"),
        ("# only a comment\n".to_owned(), "it is empty"),
        (public.clone(), "a public key, not a signing key"),
        ("orch-signing-key-v1".to_owned(), "not in the form"),
        ("orch-signing-key-v2 AAAA".to_owned(), "not in the form"),
        ("orch-signing-key-v1 AAAA".to_owned(), "44 characters"),
        (format!("orch-signing-key-v1 {}", "!".repeat(44)), "not the Base64"),
        (format!("orch-signing-key-v1 {}", "A".repeat(44)), "not the Base64"),
        (format!("{line}\n{line}"), "more than one line"),
        ("x".repeat(5_000), "it has 5000 bytes"),
    ];
    for (text, message) in cases {
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        refused(SigningKey::load(&path), Code::KeyUnusable, message);
    }
    refused(SigningKey::load(folder.path().join("missing")), Code::KeyUnusable, "No such file");
    refused(SigningKey::load(folder.path()), Code::KeyUnusable, "it is no file");
    for text in ["", "ed25519:", "rsa:AAAA", &key.public().to_string()[..50], "ed25519:é"] {
        refused(text.parse::<PublicKey>(), Code::KeyUnusable, "no public key");
    }
}

#[test]
fn a_weak_public_key_verifies_nothing() {
    // The identity point: with it, a lax verifier accepts one signature for every message.
    let mut bytes = [0; 32];
    bytes[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    assert!(!PublicKey { bytes }.verifies(b"anything", &signature));
}
