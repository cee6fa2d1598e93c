//! `orch-wasm secrets`: values go in and never come out (K7).

use super::{VALUE, encodings};
use crate::cli::program::Place;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Instant;

use crate::cli::program::Ran;

#[track_caller]
fn set(place: &Place, name: &str, value: &str) -> Ran {
    let mut command = place.command(["secrets", "set", name]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A value that is refused may not be read to its end.
    let _ = child.stdin.take().unwrap().write_all(value.as_bytes());
    Ran::end(child, &command, Instant::now()).without_bug()
}

fn config(place: &Place, name: &str) -> PathBuf {
    place.outside("home/.config/orch-wasm").join(name)
}

fn mode(path: PathBuf) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn names_are_listed_and_values_are_not() {
    let place = Place::empty();
    assert_eq!(place.run(["secrets", "list"]).exits(0).stdout.lines().count(), 1, "the header alone");
    set(&place, "github-token", VALUE).exits(0).says("secret `github-token` is kept").says("from: store:github-token");
    set(&place, "other", "another-value\n").exits(0);
    let ran = set(&place, "other", "another-value-now\n");
    ran.exits(0).says("secret `other` is changed");
    assert_eq!(ran.stdout, "");
    let listed = place.run(["secrets", "list", "--format", "json"]);
    assert_eq!(listed.exits(0).stdout, "{\"name\":\"github-token\"}\n{\"name\":\"other\"}\n");
    let listed = place.run(["secrets", "list"]);
    listed.exits(0).says_out("github-token  from: store:github-token");
    assert!(!listed.stdout.contains("hunter2") && !listed.stdout.contains("another-value"));
    place.run(["secrets", "rm", "other"]).exits(0).says("secret `other` is removed");
    place
        .run(["secrets", "rm", "other"])
        .refused("OW0509", &["there is no secret `other` in the store", "secrets list"]);
    assert_eq!(place.run(["secrets", "list", "--format", "json"]).stdout, "{\"name\":\"github-token\"}\n");
}

#[test]
fn k7_what_is_on_disk_is_closed_and_encrypted() {
    let place = Place::empty();
    set(&place, "token", VALUE).exits(0);
    assert_eq!(mode(config(&place, "secrets.key")), 0o600);
    assert_eq!(mode(config(&place, "secrets.age")), 0o600);
    assert_eq!(mode(config(&place, "")), 0o700);
    for (what, form) in encodings(VALUE) {
        for file in std::fs::read_dir(config(&place, "")).unwrap().map(|entry| entry.unwrap().path()) {
            let bytes = std::fs::read(&file).unwrap();
            assert!(!bytes.windows(form.len()).any(|part| part == form.as_bytes()), "{what} in {}", file.display());
        }
    }
    let left: Vec<_> = std::fs::read_dir(config(&place, "")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "nothing is left of the writing: {left:?}");
    let text = std::fs::read(config(&place, "secrets.age")).unwrap();
    assert!(text.starts_with(b"age-encryption.org/v1\n"));
}

#[test]
fn values_that_cannot_be_masked_are_not_taken_and_not_quoted() {
    let place = Place::empty();
    for (value, reason) in [
        ("abc", "it has fewer than 6 characters"),
        ("", "it has fewer than 6 characters"),
        (&"x".repeat(70_000), "it has more than 65536 bytes"),
    ] {
        let ran = set(&place, "token", value);
        ran.refused("OW0509", &["the value of `token` cannot be used", reason]);
        assert!(value.is_empty() || !ran.stderr.contains(&format!("`{value}")), "{ran}");
    }
    assert!(!config(&place, "secrets.age").exists());
    // No value as an argument, and no name that is none.
    place.run(["secrets", "set", "token", VALUE]).exits(2);
    place.run(["secrets", "set", "../token"]).exits(2);
}

#[test]
fn what_was_damaged_is_told() {
    let place = Place::empty();
    set(&place, "token", VALUE).exits(0);
    let (key, file) = (config(&place, "secrets.key"), config(&place, "secrets.age"));
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    place.run(["secrets", "list"]).fails(
        7,
        "OW0509",
        &["others than its owner can use it (its mode is 0644)", "chmod 600"],
    );
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let kept = std::fs::read(&file).unwrap();
    let mut changed = kept.clone();
    *changed.last_mut().unwrap() ^= 1;
    std::fs::write(&file, &changed).unwrap();
    place.run(["secrets", "list"]).fails(7, "OW0509", &["secrets.age", "it was changed or is of another key"]);
    std::fs::write(&file, &kept).unwrap();
    std::fs::rename(&key, key.with_extension("away")).unwrap();
    place.run(["secrets", "list"]).fails(7, "OW0509", &["its key", "is not there", "from a backup"]);
    // And no new key is made that would make the old file unreadable for good.
    set(&place, "other", VALUE).fails(7, "OW0509", &["is not there"]);
    std::fs::rename(key.with_extension("away"), &key).unwrap();
    place.run(["secrets", "list"]).exits(0).says_out("token");
}

#[test]
fn changes_at_once_are_all_kept() {
    let place = Place::empty();
    std::thread::scope(|scope| {
        for number in 0..6 {
            let place = &place;
            scope.spawn(move || set(place, &format!("token-{number}"), VALUE).exits(0).code);
        }
    });
    assert_eq!(place.run(["secrets", "list", "--format", "json"]).stdout.lines().count(), 6);
}
