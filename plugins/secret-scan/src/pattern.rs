//! Regular expressions as rule files write them: the syntax of Go's `regexp` (RE2), compiled for bytes when first needed.
//!
//! Go and Rust agree on most of the syntax. [`translate`] rewrites the rest, so that a file made for gitleaks means here what
//! it means there. One difference stays: `.` and negated classes step over bytes, not characters, unless the expression itself
//! names characters outside ASCII.

use regex_automata::meta::{self, Regex};
use regex_syntax::{ParserBuilder, hir::Hir};
use std::cell::OnceCell;

/// Nested bounded repeats grow; this is enough for `[\s\S]{60,20000}` and ends accidents.
const MAX_PROGRAM_BYTES: usize = 64 << 20;

/// An expression that is compiled at its first use, because most rules never meet their keyword in a tree.
#[derive(Debug)]
pub struct Pattern {
    source: String,
    compiled: OnceCell<Result<Regex, String>>,
}

impl Pattern {
    /// Keeps the text; nothing is checked yet.
    pub fn new(source: impl Into<String>) -> Pattern {
        Pattern { source: source.into(), compiled: OnceCell::new() }
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The parsed expression.
    ///
    /// # Errors
    /// The parser's reason, on one line.
    pub fn parse(&self) -> Result<Hir, String> {
        let text = translate(&self.source)?;
        let parse = |unicode| {
            let parsed = ParserBuilder::new().unicode(unicode).utf8(false).build().parse(&text);
            parsed.map_err(|error| match error {
                regex_syntax::Error::Parse(error) => error.kind().to_string(),
                regex_syntax::Error::Translate(error) => error.kind().to_string(),
                error => error.to_string(),
            })
        };
        // Bytes first: that is faster, and fails exactly when the expression needs characters outside ASCII.
        if text.is_ascii() { parse(false).or_else(|_error| parse(true)) } else { parse(true) }
    }

    /// The compiled expression.
    ///
    /// # Errors
    /// Why it cannot be compiled.
    pub fn regex(&self) -> Result<&Regex, String> {
        let compile = || {
            let hir = self.parse()?;
            meta::Builder::new()
                .configure(meta::Config::new().utf8_empty(false).nfa_size_limit(Some(MAX_PROGRAM_BYTES)))
                .build_from_hir(&hir)
                .map_err(|error| error.to_string())
        };
        self.compiled.get_or_init(compile).as_ref().map_err(Clone::clone)
    }

    /// Whether it is found anywhere in `text`. An expression that cannot be compiled is found nowhere.
    pub fn is_match(&self, text: &[u8]) -> bool {
        self.regex().is_ok_and(|regex| regex.is_match(text))
    }
}

/// Rewrites Go's syntax into that of the `regex` crates.
///
/// # Errors
/// A reason, for what Go itself refuses and we notice first.
pub fn translate(go: &str) -> Result<String, String> {
    let chars: Vec<char> = go.chars().collect();
    let mut out = String::with_capacity(go.len() + 16);
    let mut at = 0;
    while at < chars.len() {
        match chars[at] {
            '\\' => at = escape(&chars, at, &mut out, Place::Outside)?,
            '[' => at = class(&chars, at, &mut out)?,
            // A brace that is no repeat is itself in Go; here it must be escaped.
            '{' if repeat_length(&chars[at..]).is_none() => {
                out.push_str(r"\{");
                at += 1;
            }
            other => {
                out.push(other);
                at += 1;
            }
        }
    }
    Ok(out)
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Outside,
    InClass,
}

/// The length of `{n}`, `{n,}` or `{n,m}` at the start.
fn repeat_length(chars: &[char]) -> Option<usize> {
    let end = chars.iter().position(|c| *c == '}')?;
    let inner: String = chars[1..end].iter().collect();
    let (least, most) = inner.split_once(',').unwrap_or((&inner, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    (!least.is_empty() && digits(least) && digits(most)).then_some(end + 1)
}

/// Rewrites the escape at `at` and returns where to go on.
fn escape(chars: &[char], at: usize, out: &mut String, place: Place) -> Result<usize, String> {
    let Some(&kind) = chars.get(at + 1) else { return Err("a lone `\\` at the end".into()) };
    let next = at + 2;
    let outside = place == Place::Outside;
    match kind {
        // Go's classes are ASCII, and its `\s` has no vertical tab.
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        's' => out.push_str(r"[\t\n\x0C\r ]"),
        'S' => out.push_str(r"[^\t\n\x0C\r ]"),
        'b' if outside => out.push_str(r"(?-u:\b)"),
        'B' if outside => out.push_str(r"(?-u:\B)"),
        'Q' if outside => {
            let rest = &chars[next..];
            let end = rest.windows(2).position(|pair| pair == ['\\', 'E']);
            let literal: String = rest[..end.unwrap_or(rest.len())].iter().collect();
            out.push_str(&regex_syntax::escape(&literal));
            return Ok(next + end.map_or(rest.len(), |end| end + 2));
        }
        // Word edges here, the plain characters there.
        '<' | '>' => out.push(kind),
        '0'..='7' => {
            let digits: String = chars[at + 1..].iter().take(3).take_while(|c| ('0'..='7').contains(*c)).collect();
            if digits.len() == 1 && kind != '0' {
                return Err(format!("`\\{kind}` would be a backreference, which RE2 does not have"));
            }
            let value = u32::from_str_radix(&digits, 8).map_err(|error| error.to_string())?;
            out.push_str(&format!(r"\x{{{value:X}}}"));
            return Ok(at + 1 + digits.len());
        }
        'x' | 'p' | 'P' if chars.get(next) == Some(&'{') => {
            let Some(end) = chars[next..].iter().position(|c| *c == '}') else {
                return Err(format!("`\\{kind}{{` has no closing brace"));
            };
            out.extend(&chars[at..=next + end]);
            return Ok(next + end + 1);
        }
        kind => {
            out.push('\\');
            out.push(kind);
        }
    }
    Ok(next)
}

/// Rewrites the class that opens at `at`. In Go `[`, `&&`, `--` and `~~` mean nothing special inside one.
fn class(chars: &[char], at: usize, out: &mut String) -> Result<usize, String> {
    let mut at = at + 1;
    out.push('[');
    if chars.get(at) == Some(&'^') {
        out.push('^');
        at += 1;
    }
    let first = at;
    loop {
        match chars.get(at) {
            None => return Err("unclosed character class".into()),
            Some(']') if at > first => {
                out.push(']');
                return Ok(at + 1);
            }
            Some('[') if chars.get(at + 1) == Some(&':') => {
                let rest = &chars[at..];
                let end = rest.windows(2).position(|pair| pair == [':', ']']).ok_or("unclosed `[:`")?;
                out.extend(&rest[..end + 2]);
                at += end + 2;
            }
            Some('\\') => at = escape(chars, at, out, Place::InClass)?,
            // A hyphen between two characters makes a range; at an edge, or beside another hyphen, it is itself.
            Some('-')
                if at > first
                    && chars.get(at + 1).is_some_and(|c| *c != ']')
                    && !range_just_ended(chars, first, at) =>
            {
                out.push('-');
                at += 1;
                if chars.get(at) == Some(&'-') {
                    out.push_str(r"\-");
                    at += 1;
                }
            }
            Some(special @ ('[' | ']' | '-' | '&' | '~' | '^')) => {
                out.push('\\');
                out.push(*special);
                at += 1;
            }
            Some(other) => {
                out.push(*other);
                at += 1;
            }
        }
    }
}

/// Whether the hyphen at `at` follows a range (`a-z-`) or a class (`\w-`), where it cannot open a new one.
fn range_just_ended(chars: &[char], first: usize, at: usize) -> bool {
    let before = &chars[first..at];
    match before {
        [.., '\\', 'd' | 'D' | 'w' | 'W' | 's' | 'S'] => true,
        [.., ':', ']'] => true,
        [.., low, '-', _] if *low != '\\' => true,
        _ => false,
    }
}
