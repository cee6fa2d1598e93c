//! The forms in which the value of a secret shows up in text: what programs do to a string on its way into a log, a request or a
//! file. A form that is missing here is a form that is not masked.

use crate::visible;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// Lines of a value up to this many characters are only masked as a part of the whole: `{` or `END` would wreck every log.
const SHORT_LINE: usize = 6;

/// Every form of a value, each once.
///
/// Forms are made of the value without the space around it: all but Base64 treat each character alone, so that the form of the
/// trimmed value is a part of the form of the whole, and of Base64 all alignments are here.
pub(crate) fn encodings(value: &str) -> Vec<Zeroizing<Vec<u8>>> {
    let mut forms: Vec<Zeroizing<Vec<u8>>> = Vec::new();
    let mut add = |form: String| forms.push(Zeroizing::new(form.into_bytes()));
    add(value.to_owned());
    let trimmed = value.trim();
    add_forms(trimmed, &mut add);
    let lines = trimmed.lines().map(str::trim).filter(|line| *line != trimmed);
    lines.filter(|line| line.chars().count() > SHORT_LINE).for_each(|line| add_forms(line, &mut add));
    forms.sort_by(|one, other| one.as_slice().cmp(other));
    forms.dedup_by(|one, other| one.as_slice() == other.as_slice());
    forms
}

fn add_forms(text: &str, add: &mut impl FnMut(String)) {
    add(text.to_owned());
    for shift in 0..3 {
        add(base64_at(text, shift, &STANDARD_NO_PAD));
        add(base64_at(text, shift, &URL_SAFE_NO_PAD));
    }
    add(text.bytes().map(|byte| format!("{byte:02x}")).collect());
    add(text.bytes().map(|byte| format!("{byte:02X}")).collect());
    for digits in [percent_lower, percent_upper] {
        for space in ["%20", "+"] {
            add(percent(text, "-._~", space, digits));
            // What `encodeURIComponent` keeps, and what `encodeURI` keeps.
            add(percent(text, "-._~!*'()", space, digits));
            add(percent(text, "-._~!*'();/?:@&=+$,#", space, digits));
        }
    }
    add(json(text));
    add(json(text).replace('/', "\\/"));
    add(json_ascii(text, |unit| format!("\\u{unit:04x}")));
    add(json_ascii(text, |unit| format!("\\u{unit:04X}")));
    add(text.replace('\'', "'\\''"));
    add(text.replace('\'', "'\"'\"'"));
    let xml = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    add(xml.replace('"', "&quot;").replace('\'', "&apos;"));
    add(xml.replace('"', "&quot;").replace('\'', "&#39;"));
    add(xml.replace('"', "&#34;").replace('\'', "&#39;"));
    add(xml.replace('"', "&quot;").replace('\'', "&#x27;"));
    add(xml.replace('"', "&quot;"));
    add(xml);
    // What Rust and we ourselves make of text before it is shown.
    let debug = format!("{text:?}");
    add(debug[1..debug.len() - 1].to_owned());
    add(visible(text).into_owned());
}

/// The characters of Base64 that depend on the value alone when `shift` bytes more than a multiple of three stand before it,
/// whatever stands before and after.
fn base64_at(text: &str, shift: usize, engine: &impl base64::Engine) -> String {
    let mut bytes = Zeroizing::new(vec![0; shift]);
    bytes.extend_from_slice(text.as_bytes());
    let whole = Zeroizing::new(engine.encode(&*bytes));
    // A character holds six bits.
    let (first, end) = ((shift * 8).div_ceil(6), bytes.len() * 8 / 6);
    whole[first..end].to_owned()
}

fn percent_upper(byte: u8) -> String {
    format!("%{byte:02X}")
}

fn percent_lower(byte: u8) -> String {
    format!("%{byte:02x}")
}

/// RFC 3986, section 2.1, with letters, digits and `kept` as they are.
fn percent(text: &str, kept: &str, space: &str, digits: fn(u8) -> String) -> String {
    let form = |byte: u8| match byte {
        b' ' => space.to_owned(),
        byte if byte.is_ascii_alphanumeric() || kept.as_bytes().contains(&byte) => char::from(byte).to_string(),
        byte => digits(byte),
    };
    text.bytes().map(form).collect()
}

/// What stands between the quotes of a JSON string.
fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// The same with nothing but ASCII in it, as Python writes it.
fn json_ascii(text: &str, escape: fn(u16) -> String) -> String {
    let mut out = String::new();
    for c in json(text).chars() {
        match c.is_ascii() && c != '\u{7f}' {
            true => out.push(c),
            false => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| out.push_str(&escape(*unit))),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;

    /// Case K2: what other programs make of a value. Each form was made by the tool that is named, not by the code above.
    #[test]
    fn the_forms_that_other_programs_make() {
        let value = "pa ss'w\"d<&>/+ü?";
        let cases = [
            ("raw", "pa ss'w\"d<&>/+ü?"),
            ("base64 at 0: printf %s VALUE | base64", "cGEgc3MndyJkPCY+LyvDvD"),
            ("base64 at 1: printf x%s VALUE | base64", "BhIHNzJ3ciZDwmPi8rw7w/"),
            ("base64 at 2: printf xx%s VALUE | base64", "wYSBzcyd3ImQ8Jj4vK8O8P"),
            ("base64, URL-safe: base64.urlsafe_b64encode", "cGEgc3MndyJkPCY-LyvDvD"),
            ("hex: bytes.hex", "7061207373277722643c263e2f2bc3bc3f"),
            ("hex, upper", "7061207373277722643C263E2F2BC3BC3F"),
            ("percent: urllib.parse.quote(VALUE, safe='')", "pa%20ss%27w%22d%3C%26%3E%2F%2B%C3%BC%3F"),
            ("percent, lower", "pa%20ss%27w%22d%3c%26%3e%2f%2b%c3%bc%3f"),
            ("form: urllib.parse.quote_plus", "pa+ss%27w%22d%3C%26%3E%2F%2B%C3%BC%3F"),
            ("JSON: JSON.stringify", "pa ss'w\\\"d<&>/+ü?"),
            ("JSON: json.dumps", "pa ss'w\\\"d<&>/+\\u00fc?"),
            ("shell: shlex.quote", "pa ss'\"'\"'w\"d<&>/+ü?"),
            ("shell: sh's printf %q and sed", "pa ss'\\''w\"d<&>/+ü?"),
            ("XML: html.escape", "pa ss&#x27;w&quot;d&lt;&amp;&gt;/+ü?"),
        ];
        let forms = encodings(value);
        for (name, expected) in cases {
            let found = forms.iter().any(|form| form.as_slice() == expected.as_bytes());
            assert!(found, "{name}: no form is `{expected}`");
        }
    }

    #[test]
    fn base64_has_nothing_that_depends_on_the_neighbours() {
        for (before, after) in [("", ""), ("a", "z"), ("ab", "yz"), ("abc", "x"), ("\u{0}", "\u{7f}\u{7f}")] {
            let whole = STANDARD_NO_PAD.encode(format!("{before}hunter2-and-more{after}"));
            let forms = encodings("hunter2-and-more");
            let found = forms.iter().any(|form| form.len() >= 20 && whole.contains(&*String::from_utf8_lossy(form)));
            assert!(found, "{before:?} {after:?}: {whole}");
        }
    }

    #[test]
    fn lines_count_alone_when_they_are_long_enough() {
        let forms = encodings("begin\nthe-first-line\nshort\nthe-second-line\n");
        let has = |text: &str| forms.iter().any(|form| form.as_slice() == text.as_bytes());
        assert!(
            has("the-first-line") && has("the-second-line") && has("begin\nthe-first-line\nshort\nthe-second-line")
        );
        assert!(!has("begin") && !has("short"));
    }
}
