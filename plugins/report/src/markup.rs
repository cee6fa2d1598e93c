//! Text that cannot become markup.

use std::fmt::{Display, Formatter, Result, Write};

/// Shows a text in an element or in an attribute with quotes. Control characters, and those that turn the direction of writing, are
/// replaced: a title must not be able to look like another one.
pub(crate) struct Text<'a>(pub(crate) &'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\n' | '\t' => f.write_char(character)?,
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}' => {
                    f.write_char('\u{fffd}')?;
                }
                _ if character.is_control() => f.write_char('\u{fffd}')?,
                _ => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// The beginning of a text, whole characters, with an ellipsis if it is cut.
pub(crate) fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_markup() {
        let check = |text: &str, expected: &str| assert_eq!(Text(text).to_string(), expected);
        check(r#"<a href='x'>&"b"</a>"#, "&lt;a href=&#39;x&#39;&gt;&amp;&quot;b&quot;&lt;/a&gt;");
        check("a\u{202e}b\u{1b}[31m\u{0}", "a\u{fffd}b\u{fffd}[31m\u{fffd}");
        check("Grüße\n\tan 日本", "Grüße\n\tan 日本");
        assert_eq!((short("äöü", 2), short("äö", 2)), ("äö…".to_owned(), "äö".to_owned()));
    }
}
