//! Paragraphs of `Field: value`, read as a stream: the databases and indexes of apt have up to a hundred megabytes, of which only a
//! few fields are wanted.

use std::io::BufRead;

/// Bytes of one line that are kept. The longest that archives have, lists of what a package provides, are some ten thousand.
const MAX_LINE: usize = 256 << 10;

/// The fields of one paragraph that were asked for.
#[derive(Debug, Default)]
pub struct Paragraph {
    /// The 1-based line at which it begins.
    pub line: u32,
    values: Vec<Option<String>>,
}

impl Paragraph {
    /// A field's value, by its place among the wanted ones; none if it is missing or empty.
    pub fn get(&self, at: usize) -> Option<&str> {
        self.values.get(at)?.as_deref().map(str::trim).filter(|value| !value.is_empty())
    }
}

/// Reads paragraphs and hands over each; fields are named in lower case.
///
/// # Errors
/// The line and the reason, when a line is neither a field nor a continued one, or the stream breaks; and what `each` says.
pub fn read(
    mut from: impl BufRead,
    wanted: &[&str],
    each: &mut dyn FnMut(Paragraph) -> Result<(), String>,
) -> Result<(), String> {
    let mut line = Vec::new();
    let (mut number, mut open): (u32, Option<Paragraph>) = (0, None);
    let mut field: Option<usize> = None;
    loop {
        line.clear();
        number = number.saturating_add(1);
        if !next_line(&mut from, &mut line).map_err(|reason| format!("line {number}: {reason}"))? {
            break;
        }
        let first = line.first().copied();
        if line.iter().all(u8::is_ascii_whitespace) {
            if let Some(paragraph) = open.take() {
                each(paragraph)?;
            }
            field = None;
        } else if matches!(first, Some(b' ' | b'\t')) {
            let Some(paragraph) = &mut open else {
                return Err(format!("line {number}: a continued line without a field"));
            };
            let value = field.and_then(|at| paragraph.values.get_mut(at));
            if let Some(value) = value.and_then(Option::as_mut) {
                if value.len() + line.len() > MAX_LINE {
                    return Err(format!("line {number}: a field of more than {MAX_LINE} bytes"));
                }
                value.push('\n');
                value.push_str(String::from_utf8_lossy(&line).trim());
            }
        } else if first != Some(b'#') {
            let Some(colon) = line.iter().position(|byte| *byte == b':') else {
                return Err(format!("line {number}: neither a field nor a continued line"));
            };
            let new = || Paragraph { line: number, values: vec![None; wanted.len()] };
            let paragraph = open.get_or_insert_with(new);
            let (name, value) = line.split_at(colon);
            field = wanted.iter().position(|wanted| name.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()));
            if let Some(at) = field {
                paragraph.values[at] = Some(String::from_utf8_lossy(&value[1..]).trim().to_owned());
            }
        }
    }
    match open.take() {
        Some(paragraph) => each(paragraph),
        None => Ok(()),
    }
}

/// The next line without its end; what is longer than wanted is an error, so that no memory is filled.
fn next_line(from: &mut impl BufRead, line: &mut Vec<u8>) -> Result<bool, String> {
    let mut any = false;
    loop {
        let buffer = from.fill_buf().map_err(|error| format!("it cannot be read further ({error})"))?;
        if buffer.is_empty() {
            return Ok(any);
        }
        any = true;
        let (taken, ends) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => (&buffer[..at], true),
            None => (buffer, false),
        };
        if line.len() + taken.len() > MAX_LINE {
            return Err(format!("a line of more than {MAX_LINE} bytes"));
        }
        line.extend_from_slice(taken);
        let used = taken.len() + usize::from(ends);
        from.consume(used);
        if ends {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Found = (u32, Option<String>, Option<String>);

    fn all(text: &[u8]) -> Result<Vec<Found>, String> {
        let mut found = Vec::new();
        read(text, &["package", "depends"], &mut |paragraph| {
            found.push((paragraph.line, paragraph.get(0).map(str::to_owned), paragraph.get(1).map(str::to_owned)));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn paragraphs() {
        let text = b"Package: a\nOther: x\n more\nDEPENDS: b,\n c\n\n\n# told\nPackage:\n\nPackage: z";
        let found = all(text).unwrap();
        assert_eq!(found[0], (1, Some("a".to_owned()), Some("b,\nc".to_owned())));
        assert_eq!(found[1], (9, None, None));
        assert_eq!(found[2], (11, Some("z".to_owned()), None));
        assert!(all(b"").unwrap().is_empty());
    }

    #[test]
    fn hostile() {
        assert!(all(b" a\n").unwrap_err().contains("line 1"));
        assert!(all(b"Package: a\nnonsense\n").unwrap_err().contains("line 2"));
        assert!(all(&vec![b'a'; MAX_LINE + 2]).unwrap_err().contains("more than"));
        let mut many = b"Package: a\n".to_vec();
        many.extend(
            std::iter::repeat_n(*b"  xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n", 5_000).flatten(),
        );
        assert!(all(&many).unwrap_err().contains("more than"));
        assert_eq!(all(b"Package: \xff\x00\n").unwrap()[0].1.as_deref(), Some("\u{fffd}\0"));
    }
}
