//! Headers and databases made byte by byte.

use super::*;
use crate::purl::purl;
use crate::testing::{Tags, Writer};
use std::io::Cursor;

fn kit() -> Vec<u8> {
    Tags::named("kit", "1.2", "3.el9")
        .number(1003, 2)
        .text(1022, "x86_64")
        .text(1014, "MIT AND ISC")
        .text(1011, "Acme")
        .text(1044, "kit-all-1.2-3.el9.src.rpm")
        .number(1009, 4096)
        .list(1049, 8, &["libbase.so.1()(64bit)", "/bin/sh", "rpmlib(x)", "(tool if base)"])
        .blob()
}

fn base() -> Vec<u8> {
    Tags::named("base", "2", "1").list(1047, 8, &["base", "libbase.so.1()(64bit)", "/bin/sh"]).number(1003, 0).blob()
}

fn key() -> Vec<u8> {
    Tags::named("gpg-pubkey", "abcd", "1").blob()
}

/// A database of rpm's own format.
fn ndb(blobs: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    bytes[..4].copy_from_slice(b"RpmP");
    bytes[12..16].copy_from_slice(&1_u32.to_le_bytes());
    (2..256).for_each(|slot| bytes[slot * 16..slot * 16 + 4].copy_from_slice(b"Slot"));
    for (number, blob) in (1_u32..).zip(blobs) {
        let slot = (number as usize + 1) * 16;
        let place = (bytes.len() / 16) as u32;
        bytes[slot + 4..slot + 8].copy_from_slice(&number.to_le_bytes());
        bytes[slot + 8..slot + 12].copy_from_slice(&place.to_le_bytes());
        bytes.extend(b"BlbS");
        bytes.extend(number.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend((blob.len() as u32).to_le_bytes());
        bytes.extend(blob);
        bytes.resize(bytes.len().next_multiple_of(16), 0);
    }
    bytes
}

#[track_caller]
fn check(bytes: Vec<u8>) {
    let mut found = parse(Cursor::new(bytes)).unwrap();
    let rocky = Distribution { version: Some("9.3".into()), ..Distribution::named("rocky") };
    set_distribution(&mut found, &rocky);
    let [kit, base] = &found.packages[..] else { panic!("{found:?}") };
    assert_eq!((kit.dependencies.clone(), kit.direct, base.direct), (vec![1], true, false));
    assert_eq!(kit.license.as_deref(), Some("MIT AND ISC"));
    let expected = [("source-package", "kit-all-1.2-3.el9.src.rpm"), ("vendor", "Acme"), ("installed-size", "4096")];
    assert_eq!(kit.properties, expected.map(|(name, value)| (name, value.to_owned())));
    assert_eq!(purl(kit).as_deref(), Some("pkg:rpm/rocky/kit@1.2-3.el9?arch=x86_64&distro=rocky-9.3&epoch=2"));
    assert_eq!(purl(base).as_deref(), Some("pkg:rpm/rocky/base@2-1?distro=rocky-9.3"));
}

#[test]
fn both_databases() {
    let blobs = [kit(), key(), base()];
    check(Writer::table(4096, "Packages", &blobs, 10));
    check(Writer::table(512, "Packages", &blobs, 1));
    check(ndb(&blobs));
}

#[track_caller]
fn refused(bytes: Vec<u8>, reason: &str) {
    let error = parse(Cursor::new(bytes)).unwrap_err();
    assert!(error.reason.contains(reason), "{error}, not {reason}");
}

#[test]
fn what_is_no_database() {
    refused(Vec::new(), "no database of rpm");
    refused(b"nonsense".to_vec(), "no SQLite database");
    refused(Writer::table(512, "Other", &[], 1), "without the table");
    let one = |change: fn(&mut Vec<u8>)| {
        let mut blob = kit();
        change(&mut blob);
        Writer::table(4096, "Packages", &[blob], 1)
    };
    refused(one(|it| it.truncate(5)), "shorter than it says");
    refused(one(|it| it[0] = 0xff), "more than 65535 tags");
    refused(one(|it| it[3] = 0xff), "shorter than it says");
    // The offset and the type of the first tag, and the name's last byte.
    refused(one(|it| it[16] = 0xff), "outside");
    refused(one(|it| it[15] = 7), "type 7");
    refused(one(|it| it[4..8].copy_from_slice(&2_u32.to_be_bytes())), "");
    refused(Writer::table(4096, "Packages", &[Tags::named("", "1", "1").blob()], 1), "without a name");
    refused(Writer::table(4096, "Packages", &[Tags::default().text(1000, "a").blob()], 1), "without a version");

    let changed = |at: usize, value: u8| {
        let mut bytes = ndb(&[kit()]);
        bytes[at] = value;
        bytes
    };
    refused(changed(4, 1), "version 1");
    refused(changed(14, 0xff), "too many slots");
    refused(changed(12, 9), "cut off");
    refused(changed(32, 0), "a slot that is none");
    refused(changed(32 + 8, 1), "not in its place");
    refused(changed(32 + 11, 0x7f), "cut off");
    refused(changed(4096 + 14, 0xff), "over each other");
    // Two slots that share a header are not more than the file, but not in their place either.
    let mut twice = ndb(&[kit(), kit()]);
    twice.copy_within(32 + 8..32 + 12, 48 + 8);
    refused(twice, "not in its place");
}

#[test]
fn every_cut_and_every_changed_byte_ends() {
    for sound in [Writer::table(512, "Packages", &[kit(), base()], 1), ndb(&[kit(), base()])] {
        for length in 0..sound.len() {
            let _ = parse(Cursor::new(&sound[..length]));
        }
        for at in 0..sound.len() {
            for value in [0, 0x7f, 0xff] {
                let mut bytes = sound.clone();
                bytes[at] = value;
                let _ = parse(Cursor::new(bytes));
            }
        }
    }
}
