//! Texts in other encodings, halves of characters, pointers and lengths that are none (S21). Hand-written: no compiler makes them.

use orch_tests::{Call, Encoding, Ended, Guest, Sandbox, hostile, wat_guest_encoded};
use serde_json::Value;

/// A guest that logs the bytes `data` (as the text of a WAT string) with this pointer and length, and ends.
fn logging(encoding: Encoding, data: &str, pointer: i64, length: i64) -> Guest {
    let items = format!(
        r#"(import "orch:task/report@0.1.0" "log" (func $log (param i32 i32 i32 i32 i32)))
           (data (i32.const 64) "{data}")"#
    );
    let body =
        format!("(call $log (i32.const 2) (i32.const {pointer}) (i32.const {length}) (i32.const 0) (i32.const 0))");
    wat_guest_encoded(encoding, &items, &body)
}

/// What comes of a guest: its word or how it trapped. Whatever it is, the host takes the next one.
#[track_caller]
fn run(guest: &Guest) -> Ended {
    let sandbox = Sandbox::new();
    let ended = sandbox.run(guest, Call::new("run", Value::Null));
    assert_eq!(sandbox.run(&hostile(), Call::new("info", Value::Null)).output()["attempt"], 1);
    ended
}

#[track_caller]
fn says(encoding: Encoding, data: &str, pointer: i64, length: i64, expected: &str) {
    let ended = run(&logging(encoding, data, pointer, length));
    assert_eq!(ended.output(), &Value::Null, "{encoding:?} {data}");
    assert!(ended.seen.said(expected), "{encoding:?} {data}: {:?}", ended.seen.logs);
}

/// The guest traps for one of these reasons.
#[track_caller]
fn traps(what: &str, guest: &Guest, expected: &[&str]) {
    let ended = run(guest);
    let told = ended.trap();
    assert!(expected.iter().any(|expected| told.contains(expected)), "{what}: {told}");
    assert!(ended.seen.logs.is_empty(), "{what}: {:?}", ended.seen.logs);
}

#[test]
fn s21_each_encoding_is_read() {
    says(Encoding::UTF8, "gr\\c3\\bc\\c3\\9fe", 64, 7, "grüße");
    says(Encoding::UTF16, "g\\00r\\00\\fc\\00\\df\\00e\\00\\3d\\d8\\00\\de", 64, 7, "grüße😀");
    // One byte for a character, or two where the length says so.
    says(Encoding::CompactUTF16, "gr\\fc\\dfe", 64, 5, "grüße");
    says(Encoding::CompactUTF16, "\\3d\\d8\\00\\de", 64, (1 << 31) | 2, "😀");
    for encoding in [Encoding::UTF8, Encoding::UTF16, Encoding::CompactUTF16] {
        says(encoding, "", 64, 0, "");
    }
}

#[test]
fn s21_halves_of_characters_trap() {
    for (what, data, length) in [
        ("a high half alone", "\\3d\\d8", 1),
        ("a low half alone", "\\00\\de", 1),
        ("the halves the wrong way round", "\\00\\de\\3d\\d8", 2),
        ("a high half at the end", "a\\00\\3d\\d8", 2),
        ("two high halves", "\\3d\\d8\\3d\\d8", 2),
    ] {
        traps(what, &logging(Encoding::UTF16, data, 64, length), &["utf-16", "UTF-16", "surrogate"]);
        traps(what, &logging(Encoding::CompactUTF16, data, 64, (1 << 31) | length), &["utf-16", "UTF-16", "surrogate"]);
    }
    for (what, data, length) in [
        ("half of a character", "\\c3", 1),
        ("a byte that begins nothing", "\\80", 1),
        ("a longer form than needed", "\\c0\\80", 2),
        ("a surrogate in UTF-8", "\\ed\\a0\\80", 3),
        ("beyond the last character", "\\f4\\90\\80\\80", 4),
    ] {
        traps(what, &logging(Encoding::UTF8, data, 64, length), &["utf-8", "UTF-8"]);
    }
}

#[test]
fn s21_pointers_and_lengths_that_are_none_trap() {
    let wide = [Encoding::UTF16, Encoding::CompactUTF16];
    for encoding in wide {
        traps("an odd pointer", &logging(encoding, "a\\00b\\00", 65, 1), &["align"]);
    }
    for encoding in [Encoding::UTF8, Encoding::UTF16, Encoding::CompactUTF16] {
        for (what, pointer, length) in [
            ("behind the end", 262_142, 8),
            ("at the end of 32 bits", -16, 64),
            ("a length of all bits", 64, -1),
            ("a length that wraps when it is doubled", 64, (1 << 30) | (1 << 31)),
            ("the largest length without the mark", 64, (1 << 31) - 1),
            ("all memory and one more", 0, 4 * 65_536 + 2),
        ] {
            traps(
                what,
                &logging(encoding, "", pointer, length),
                &["out of bounds", "out-of-bounds", "overflow", "beyond"],
            );
        }
    }
}

#[test]
fn s21_what_a_guest_allocates_for_the_host_is_checked() {
    // The host puts the run's id and more into memory that the guest names.
    for (what, realloc) in [
        ("at the end of 32 bits", "(i32.const -8)"),
        ("behind the end", "(i32.const 262143)"),
        ("the last byte of the address space", "(i32.const -1)"),
    ] {
        for encoding in [Encoding::UTF8, Encoding::UTF16, Encoding::CompactUTF16] {
            let guest = orch_tests::wat_guest_allocating(encoding, realloc);
            traps(what, &guest, &["out of bounds", "out-of-bounds", "align", "realloc"]);
        }
    }
    traps("an odd address", &orch_tests::wat_guest_allocating(Encoding::UTF16, "(i32.const 65537)"), &["align"]);
    traps("no answer", &orch_tests::wat_guest_allocating(Encoding::UTF8, "(unreachable)"), &["it panicked or aborted"]);
}
