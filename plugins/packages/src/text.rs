//! Text of others in messages and findings: no controls, a bounded length; and the end of what a program printed.

/// Text that may come from anywhere, on one line and at most `most` characters.
pub fn shown(text: &str, most: usize) -> String {
    let plain = |character: char| if character.is_control() { ' ' } else { character };
    let mut short: String = text.chars().take(most).map(plain).collect();
    if text.chars().nth(most).is_some() {
        short.push('…');
    }
    short
}

/// The last lines of what a program printed, at most `most` bytes; line feeds stay, other controls become blanks.
pub fn tail(bytes: &[u8], most: usize) -> String {
    let cut = &bytes[bytes.len().saturating_sub(most)..];
    let text = String::from_utf8_lossy(cut);
    let text = match text.split_once('\n') {
        // What is left of a line that was cut says nothing.
        Some((_, rest)) if cut.len() < bytes.len() && !rest.is_empty() => rest,
        _ => &text,
    };
    let plain = |character: char| if character.is_control() && character != '\n' { ' ' } else { character };
    text.trim().chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_and_plain() {
        assert_eq!(shown("a\u{1b}[1m\nb", 4), "a [1…");
        assert_eq!(shown("abc", 3), "abc");
        assert_eq!(tail(b"first line\nsecond\x07\nthird\n", 16), "second \nthird");
        assert_eq!(tail(b"short", 16), "short");
        assert_eq!(tail(&[0xff, b'a'], 16), "\u{fffd}a");
        assert_eq!(tail(b"", 16), "");
    }
}
