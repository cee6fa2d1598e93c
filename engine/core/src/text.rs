//! Text from guests and files on its way to a terminal or a report: every control that could act there is made visible.

use std::borrow::Cow;

/// One line of harmless text: controls (C0, C1, DEL), line ends, bidirectional and zero-width characters become visible
/// escapes such as `\u{1b}`. Printable text comes back unchanged and without a copy.
pub fn visible(text: &str) -> Cow<'_, str> {
    escape(text, |_| false)
}

/// As [`visible`], but line feeds stay. A carriage return does not: it would let a line overwrite itself.
pub fn visible_multiline(text: &str) -> Cow<'_, str> {
    escape(text, |c| c == '\n')
}

/// JSON text in which nothing acts: what [`visible`] would escape becomes a JSON escape, so the value stays the same. Line feeds
/// stand between JSON's tokens only, and stay.
pub fn inert_json(json: &str) -> Cow<'_, str> {
    if is_harmless(json, |c| c == '\n') {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        if acts(c) && c != '\n' {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

fn escape(text: &str, keep: fn(char) -> bool) -> Cow<'_, str> {
    if is_harmless(text, keep) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            c if keep(c) || !acts(c) => out.push(c),
            '\t' => out.push_str("    "),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c => out.extend(c.escape_unicode()),
        }
    }
    Cow::Owned(out)
}

/// Most text is printable ASCII with line feeds, which takes no more than a look at its bytes.
fn is_harmless(text: &str, keep: fn(char) -> bool) -> bool {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') || (byte == b'\n' && keep('\n'));
    text.bytes().all(is_plain) || !text.chars().any(|c| acts(c) && !keep(c))
}

/// Whether a character does something else than being seen (Unicode 16, general categories Cc, Cf, Zl and Zp, and the
/// variation and tag characters that hide text).
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// At most `longest` characters; a longer text ends with `…`.
pub fn shorten(text: &str, longest: usize) -> Cow<'_, str> {
    match text.char_indices().nth(longest) {
        None => Cow::Borrowed(text),
        Some(_) => {
            let end = text.char_indices().nth(longest.saturating_sub(1)).map_or(0, |(byte, _)| byte);
            Cow::Owned(format!("{}…", &text[..end]))
        }
    }
}

/// `1 finding`, `2 findings`.
pub fn plural(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_gets_through() {
        let cases = [
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("\u{1b}]52;c;AAAA\u{7}", "\\u{1b}]52;c;AAAA\\u{7}"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("safe\roverwritten", "safe\\roverwritten"),
            ("a\u{202e}b", "a\\u{202e}b"),
            ("a\u{200b}b", "a\\u{200b}b"),
            ("two\nlines", "two\\nlines"),
            ("plain ÄÖ 漢字 🎉", "plain ÄÖ 漢字 🎉"),
        ];
        for (text, expected) in cases {
            assert_eq!(visible(text), expected);
        }
        assert_eq!(visible_multiline("a\nb\r\n"), "a\nb\\r\n");
        assert!(matches!(visible("plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_look_at_the_bytes_says_the_same() {
        for c in (0..=127).map(char::from) {
            let text = c.to_string();
            let is_kept = |seen| matches!(seen, Cow::Borrowed(_));
            assert_eq!(is_kept(visible(&text)), !acts(c), "{c:?}");
            assert_eq!(is_kept(visible_multiline(&text)), !acts(c) || c == '\n', "{c:?}");
            assert_eq!(is_kept(inert_json(&text)), !acts(c) || c == '\n', "{c:?}");
        }
    }

    #[test]
    fn inert_json_is_the_same_value() {
        let value = serde_json::json!({ "a": "\u{1b}[2J\u{9b}\u{202e}\u{ad}\u{e0041}\u{7f} ä\n" });
        let text = serde_json::to_string_pretty(&value).unwrap();
        let inert = inert_json(&text);
        assert!(inert.chars().all(|c| c == '\n' || !acts(c)), "{inert}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&inert).unwrap(), value);
        assert!(matches!(inert_json("{}"), Cow::Borrowed(_)));
    }

    #[test]
    fn shorten_counts_characters() {
        assert_eq!(shorten("äöü", 3), "äöü");
        assert_eq!(shorten("äöüß", 3), "äö…");
        assert_eq!(shorten("ab", 0), "…");
    }
}
