//! Databases made byte by byte, sound and damaged.

use super::*;
use crate::testing::{Writer, record_of};
use std::io::Cursor;

fn blobs_of(bytes: &[u8]) -> Result<Vec<(i64, Vec<u8>)>, ParseError> {
    let mut database = Database::open(Cursor::new(bytes))?;
    let root = database.table("t")?.ok_or_else(|| ParseError::whole("no table"))?;
    let mut found = Vec::new();
    database.rows(root, &mut |row| match &row.values[..] {
        [Value::Null, Value::Blob(blob)] => {
            found.push((row.id, blob.clone()));
            Ok(())
        }
        _ => Err(ParseError::whole("other columns")),
    })?;
    Ok(found)
}

#[test]
fn rows_of_every_length_and_page_size() {
    for page_size in [512, 1024, 4096, 65_536] {
        let lengths = [0, 1, 100, 470, 480, 500, 1_000, 5_000, 70_000];
        let blobs: Vec<Vec<u8>> =
            lengths.iter().map(|length| (0..*length).map(|byte| (byte % 251) as u8).collect()).collect();
        for of_leaf in [1, 2, 100] {
            if of_leaf == 100 && page_size < 65_536 {
                continue; // They do not fit on one page.
            }
            if of_leaf == 2 && page_size < 4096 {
                continue;
            }
            let found = blobs_of(&Writer::table(page_size, "t", &blobs, of_leaf)).unwrap();
            let expected: Vec<_> = (1..).zip(blobs.clone()).collect();
            assert_eq!(found, expected, "{page_size} {of_leaf}");
        }
    }
    assert_eq!(blobs_of(&Writer::table(512, "t", &[], 1)).unwrap(), []);
    assert_eq!(blobs_of(&Writer::table(512, "u", &[], 1)).unwrap_err().reason, "no table");
}

#[test]
fn numbers_and_columns() {
    let payload = record_of(&[Value::Integer(-2), Value::Real(1.5), Value::Text("é".into()), Value::Null]);
    let expected = [Value::Integer(-2), Value::Real(1.5), Value::Text("é".into()), Value::Null];
    assert_eq!(record(&payload).unwrap(), expected);
    // One byte, two bytes with a sign, the constants, and three bytes.
    let short = [6, 1, 2, 8, 9, 3, 0xff, 0x80, 0x00, 1, 0, 0];
    assert_eq!(record(&short).unwrap(), [-1, -32_768, 0, 1, 65_536].map(Value::Integer));
    assert_eq!(varint(&[0xff; 9], 0).unwrap(), (u64::MAX, 9));
    for wrong in [&[][..], &[9, 1], &[2, 10], &[2, 1], &[2, 15, 0xff], &[0x80]] {
        assert!(record(wrong).is_err(), "{wrong:?}");
    }
}

#[track_caller]
fn damage(change: impl FnOnce(&mut Vec<u8>), reason: &str) {
    // Pages: 1 schema, 2 the root, 3 and 4 the first leaf and its overflow, 5 and 6 the second.
    let mut bytes = Writer::table(512, "t", &[vec![1; 600], vec![2; 600]], 1);
    assert_eq!(bytes.len(), 512 * 6);
    change(&mut bytes);
    let error = blobs_of(&bytes).unwrap_err();
    assert!(error.reason.contains(reason), "{error}, not {reason}");
}

#[test]
fn damaged_databases_end_in_an_error() {
    damage(|it| it.truncate(50), "shorter than its header");
    damage(|it| it[0] = b'x', "no SQLite");
    damage(|it| it[17] = 3, "pages of");
    damage(|it| it[20] = 100, "less than 480");
    damage(|it| it[59] = 2, "not UTF-8");
    damage(|it| it.truncate(512 * 5 + 10), "page 6 of 5");
    damage(|it| it[512] = 0x0a, "no page of a table");
    // The root names itself, a page that is not there, and one page twice.
    damage(|it| it[512 + 8..512 + 12].copy_from_slice(&2_u32.to_be_bytes()), "page 2 is used twice");
    damage(|it| it[512 + 8..512 + 12].copy_from_slice(&9_u32.to_be_bytes()), "page 9 of 6");
    damage(|it| it[512 + 8..512 + 12].copy_from_slice(&3_u32.to_be_bytes()), "page 3 is used twice");
    // The overflow leads in a circle, or stops too early.
    let long = Writer::table(512, "t", &[vec![1; 2_000]], 1);
    for (next, reason) in [(3_u32, "page 3 is used twice"), (2, "page 2 is used twice"), (0, "page 0 of")] {
        let mut bytes = long.clone();
        bytes[512 * 2..512 * 2 + 4].copy_from_slice(&next.to_be_bytes());
        let error = blobs_of(&bytes).unwrap_err();
        assert!(error.reason.contains(reason), "{error}, not {reason}");
    }
    damage(|it| it[512 * 2 + 9] = 0xff, "over its end");
    damage(|it| it[512 * 2 + 3] = 0xff, "");
    let mut many = Writer::table(512, "t", &[vec![1; 300]], 1);
    // Fifty cells that are all the same one.
    many[512 + 3..512 + 5].copy_from_slice(&50_u16.to_be_bytes());
    let cell = [many[512 + 8], many[512 + 9]];
    (0..50).for_each(|number| many[512 + 8 + 2 * number..][..2].copy_from_slice(&cell));
    assert!(blobs_of(&many).unwrap_err().reason.contains("longer than the page"));
}

#[test]
fn every_cut_and_every_changed_byte_ends() {
    let sound = Writer::table(512, "t", &[vec![1; 600], vec![2; 1_500], vec![3; 5]], 1);
    for length in 0..sound.len() {
        let _ = blobs_or_panic(&sound[..length]);
    }
    for at in 0..sound.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bytes = sound.clone();
            bytes[at] = value;
            let _ = blobs_or_panic(&bytes);
        }
    }
}

/// Like [`blobs_of`], but rows may have any columns.
fn blobs_or_panic(bytes: &[u8]) -> Result<usize, ParseError> {
    let mut database = Database::open(Cursor::new(bytes))?;
    let mut count = 0;
    let Some(root) = database.table("t")? else { return Ok(0) };
    database.rows(root, &mut |_| {
        count += 1;
        Ok(())
    })?;
    Ok(count)
}
