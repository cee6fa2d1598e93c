use super::*;
use crate::{Leak, LeakScan, LeakStream};
use proptest::prelude::*;
use serde_json::json;
use std::time::Instant;

fn secret(value: &str) -> Secret {
    Secret::new(value.to_owned()).unwrap_or_else(|reason| panic!("{value:?}: {reason}"))
}

fn masker(values: &[&str]) -> Masker {
    let name = SecretName::try_from("token").unwrap();
    let secrets: Vec<Secret> = values.iter().map(|value| secret(value)).collect();
    let named: Vec<_> = secrets.iter().map(|secret| (&name, secret)).collect();
    Masker::new(&named).unwrap()
}

#[track_caller]
fn check(values: &[&str], text: &str, expected: &str) {
    assert_eq!(masker(values).mask(text), expected);
}

#[test]
fn k5_values_that_are_hard_to_mask() {
    // Short: a part of a longer word is a part of it all the same.
    check(&["abc123"], "xabc1234", "x***4");
    // Like a regular expression: it is text.
    check(&["a.*b|c+$"], "axxb a.*b|c+$ c+$", "axxb ### c+$");
    check(&["((((((("], "f((((((( )", "f*** )");
    // Unicode, also where a byte of it begins another character.
    check(&["пароль-тайна"], "ä пароль-тайна ä", "ä *** ä");
    check(&["🎉🎉🎉"], "🎉🎉 🎉🎉🎉🎉", "🎉🎉 ***");
    // The filler itself: whatever stands around it never becomes the value.
    check(&["******"], "a ****** b *** c", "a ### b *** c");
    check(&["ab***cd"], "abab***cdcd", "ab###cd");
    check(&["*#*#*#*"], "*#*#*#*", "\u{2588}\u{2588}\u{2588}");
    // Many lines: the whole, and each long line of it.
    let key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nshort\n-----END KEY-----\n";
    check(&[key], &format!("<{key}>"), "<***\n>");
    check(&[key], "at MIIEvQIBADANBgkq, short", "at ***, short");
    check(&[key], &key.replace('\n', "\r\n"), "***\r\n***\r\nshort\r\n***\r\n");
    // Space around the value.
    check(&["  padded value  "], "[padded value]", "[***]");
    // Overlapping values hide all of both.
    check(&["xxabc1", "abc1-and-much-more"], "xxabc1-and-much-more!", "***!");
    check(&["abcdef", "defghi"], "abcdefghi", "***");
    // Values that hold each other.
    check(&["secret", "secret-longer"], "secret-longer secret", "*** ***");
    check(&["aaaaaa"], "aaaaaaaaaaaaa", "***");
}

#[test]
fn k5_values_that_cannot_be_masked_are_no_secrets() {
    for value in ["", "\n", "a", "12345", "     ", "  abc  \n"] {
        assert!(Secret::new(value.to_owned()).is_err(), "{value:?}");
    }
    assert!(Secret::new("x".repeat(crate::LONGEST_SECRET + 1)).is_err());
}

#[test]
fn text_without_secrets_is_not_copied() {
    assert!(matches!(masker(&["hunter2-x"]).mask("nothing to see"), Cow::Borrowed(_)));
    assert!(Masker::empty().is_empty() && masker(&[]).is_empty());
    assert!(matches!(Masker::empty().mask("hunter2-x"), Cow::Borrowed(_)));
    let mut stream = MaskStream::new(Arc::new(Masker::empty()));
    assert!(matches!(stream.push(b"hunter2-x"), Cow::Borrowed(_)));
    assert!(stream.finish().is_empty());
}

#[test]
fn a_line_that_is_over_is_not_held_back() {
    let mut stream = MaskStream::new(Arc::new(masker(&["hunter2-value", "-----BEGIN\nline-of-it\n-----END"])));
    for line in ["started\n", "hunter2\n", "hunter2-value\n"] {
        let given = stream.push(line.as_bytes()).into_owned();
        assert_eq!(given, line.replace("hunter2-value", "***").into_bytes());
    }
    assert!(stream.finish().is_empty());
}

#[test]
fn json_is_masked_in_texts_keys_and_numbers() {
    let masker = masker(&["hunter2-x", "12345678"]);
    let mut value = json!({
        "a": ["hunter2-x", { "hunter2-x": 1, "hunter2-x ": 2 }], "n": 1_234_567_890, "m": 1234, "t": true, "z": null,
        "b64": "aHVudGVyMi14", "aHVudGVyMi14": "x",
    });
    masker.mask_json(&mut value);
    assert_eq!(
        value,
        json!({
            "a": ["***", { "***": 1, "*** ": 2 }], "n": "***90", "m": 1234, "t": true, "z": null, "b64": "***", "***": "x",
        })
    );
    let mut both = json!({ "hunter2-x": 1, "12345678": 2 });
    masker.mask_json(&mut both);
    assert_eq!(both.as_object().unwrap().len(), 2, "{both}");
}

#[test]
fn a_leak_is_found_over_chunks_and_nothing_of_it_gets_out() {
    let name = SecretName::try_from("token").unwrap();
    let value = secret("hunter2-value");
    let scan = Arc::new(LeakScan::new(&[(&name, &value)], &["orch-secret-00"]).unwrap());
    assert_eq!(scan.find(b"x hunter2-value", |_| true), Some(Leak::Secret(0)));
    assert_eq!(scan.find(b"x orch-secret-00", |_| true), Some(Leak::Word(0)));
    assert_eq!(scan.find(b"x orch-secret-00", |leak| leak == Leak::Secret(0)), None);
    let mut stream = LeakStream::new(Arc::clone(&scan));
    let mut sent = Vec::new();
    let text = b"body: hunter2 hunter2-value end";
    let leak = text.iter().find_map(|byte| match stream.push(&[*byte], |_| true) {
        Ok(bytes) => {
            sent.extend(bytes);
            None
        }
        Err(leak) => Some(leak),
    });
    assert_eq!((leak, sent.as_slice()), (Some(Leak::Secret(0)), &b"body: hunter2 "[..]));
    assert_eq!((stream.push(b"more", |_| true), stream.finish()), (Err(Leak::Secret(0)), Err(Leak::Secret(0))));
    let mut clean = LeakStream::new(scan);
    let mut sent = clean.push(b"nothing hunter2", |_| true).unwrap();
    sent.extend(clean.finish().unwrap());
    assert_eq!(sent, b"nothing hunter2");
}

/// Not a bound, which would fail on a slow machine: a figure for whoever looks.
#[test]
fn measured_cost_of_clean_text() {
    let line = "2026-01-01T00:00:00Z INFO copied file 4711 to /var/lib/somewhere, 12 ms, status=ok {\"a\": 1}\n";
    let text = line.repeat((8 << 20) / line.len());
    let key = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n".repeat(26);
    for (name, values) in
        [("1 token", vec!["token-of-a-test-0123456789abcdefghij"]), ("1 private key", vec![key.as_str()])]
    {
        let begun = Instant::now();
        let masker = masker(&values);
        let built = begun.elapsed();
        let begun = Instant::now();
        assert!(matches!(masker.mask(&text), Cow::Borrowed(_)));
        let each = begun.elapsed() / 8;
        println!("measured: K2: masking clean text with {name}: {each:?} for each MiB, built in {built:?}");
    }
}

/// Every form that a program could print, by code that is not the code under test where that is easy.
fn printed(value: &str, form: usize) -> String {
    let forms: Vec<_> = encodings(value).into_iter().collect();
    String::from_utf8(forms[form % forms.len()].to_vec()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the chunks, the stream gives what the whole gives, and no form of any secret is in it.
    #[test]
    fn a_stream_is_masked_as_the_whole(
        values in proptest::collection::vec("[ab*'<é\n]{6,12}|[a-zA-Z0-9/+ ]{6,40}", 1..4),
        parts in proptest::collection::vec((0_usize..4, 0_usize..60, "[ab*'<é\n ]{0,12}"), 0..12),
        cuts in proptest::collection::vec(1_usize..9, 1..40),
    ) {
        let values: Vec<String> = values.into_iter().filter(|value| Secret::new(value.clone()).is_ok()).collect();
        prop_assume!(!values.is_empty());
        let masker = Arc::new(masker(&values.iter().map(String::as_str).collect::<Vec<_>>()));
        let text: String = parts
            .iter()
            .map(|(which, form, noise)| printed(&values[which % values.len()], *form) + noise)
            .collect();
        let whole = masker.mask(&text).into_owned();
        let mut stream = MaskStream::new(Arc::clone(&masker));
        let mut streamed = Vec::new();
        let (mut rest, mut cuts) = (text.as_bytes(), cuts.iter().cycle());
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            streamed.extend_from_slice(&stream.push(chunk));
            rest = after;
        }
        streamed.extend(stream.finish());
        prop_assert_eq!(String::from_utf8(streamed).unwrap(), whole.clone());
        prop_assert!(!masker.contains(whole.as_bytes()), "{:?} in {:?}", values, whole);
        for value in &values {
            let trimmed = Secret::new(value.clone()).ok();
            for form in encodings(trimmed.as_ref().map_or("", Secret::expose)) {
                prop_assert!(!whole.as_bytes().windows(form.len()).any(|part| part == form.as_slice()));
            }
        }
    }
}
