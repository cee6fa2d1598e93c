//! Problems in users' files, rendered like the compiler does: the source line, a caret, what to do.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use orch_core::{Diagnostic, Sources, visible, visible_multiline};
use std::borrow::Cow;

/// Lines around a problem are cut at this many columns.
const WIDTH: usize = 140;

/// All problems, in the order of their places.
pub fn render_diagnostics(diagnostics: &[Diagnostic], sources: &Sources, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() }.term_width(WIDTH);
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by_key(|one| (one.warning, one.file.clone(), one.span.as_ref().map(|span| span.start)));
    sorted.iter().map(|one| format!("{}\n\n", render(one, sources, &renderer))).collect()
}

fn render(one: &Diagnostic, sources: &Sources, renderer: &Renderer) -> String {
    let level = if one.warning { Level::WARNING } else { Level::ERROR };
    let code = one.code.to_string();
    let message = visible(&one.message);
    let label = visible(&one.label);
    let title = level.primary_title(message.as_ref()).id(code);
    let source = sources.get(&one.file);
    let (file, text) = (visible(&one.file), source.map(|source| shown(&source.text)));
    let mut group = match (source, &one.span) {
        (Some(source), Some(span)) => {
            let (start, end) = within(&source.text, span.start, span.end);
            let text = text.as_deref().unwrap_or_default();
            // What is shown has as many characters as the file, and not always as many bytes.
            let (start, end) = match text.len() == source.text.len() && text == source.text {
                true => (start, end),
                false => (shown_at(&source.text, start), shown_at(&source.text, end)),
            };
            let mut annotation = AnnotationKind::Primary.span(start..end);
            if !label.is_empty() {
                annotation = annotation.label(label.as_ref());
            }
            let snippet = Snippet::source(text).path(file.as_ref()).annotation(annotation);
            title.element(snippet)
        }
        _ => title.element(annotate_snippets::Origin::path(file.as_ref())),
    };
    for note in &one.notes {
        group = group.element(Level::NOTE.message(visible(note).into_owned()));
    }
    if let Some(help) = &one.help {
        group = group.element(Level::HELP.message(visible(help).into_owned()));
    }
    let groups: [Group<'_>; 1] = [group];
    renderer.render(&groups)
}

/// A file's text with a sign in the place of each character that would act on a terminal: one for one, so that columns stay.
fn shown(text: &str) -> Cow<'_, str> {
    if matches!(visible_multiline(text), Cow::Borrowed(_)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(signs(text).map(|(_, sign)| sign).collect())
}

/// Where a place of the text is in what is shown of the whole of it: a character's sign depends on the one after it.
fn shown_at(text: &str, at: usize) -> usize {
    signs(text).take_while(|(place, _)| *place < at).map(|(_, sign)| sign.len_utf8()).sum()
}

fn signs(text: &str) -> impl Iterator<Item = (usize, char)> {
    text.char_indices().map(|(at, c)| {
        let sign = match c {
            '\n' | '\t' => c,
            '\r' if text[at + 1..].starts_with('\n') => c,
            // The Unicode pictures of the controls.
            '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(char::REPLACEMENT_CHARACTER),
            '\u{7f}' => '\u{2421}',
            c if matches!(visible(c.encode_utf8(&mut [0; 4])), Cow::Owned(_)) => char::REPLACEMENT_CHARACTER,
            c => c,
        };
        (at, sign)
    })
}

/// A span inside the text, on character boundaries and within one line: a caret under a whole block says nothing.
fn within(text: &str, start: usize, end: usize) -> (usize, usize) {
    let boundary = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = boundary(start);
    let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    (start, boundary(end).clamp(start, line_end.max(start)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use orch_core::{Code, Source};

    #[test]
    fn a_source_line_does_not_act_on_a_terminal_and_the_caret_stays_under_its_place() {
        let mut sources = Sources::default();
        let text = "fine\r\na\u{9b}31m\u{202e}\u{1b}[31m\rb: here\n";
        sources.add(Source::new("file\u{1b}[2J", text));
        let at = text.find("here").unwrap();
        let one = Diagnostic::error(Code::WrongType, "file\u{1b}[2J", at..at + 4, "no");
        let rendered = render_diagnostics(&[one], &sources, false);
        assert_eq!(
            rendered.trim_end(),
            "error[OW0104]: no\n --> file\\u{1b}[2J:2:16\n  |\n2 | a\u{fffd}31m\u{fffd}␛[31m␍b: here\n  |                ^^^^"
        );
    }

    #[test]
    fn a_span_may_end_between_the_two_characters_of_a_line_end() {
        let mut sources = Sources::default();
        let text = "a\r!\r\r\nb";
        sources.add(Source::new("file", text));
        for (start, end) in (0..=text.len()).flat_map(|start| (start..=text.len()).map(move |end| (start, end))) {
            let one = Diagnostic::error(Code::WrongType, "file", start..end, "no");
            let rendered = render_diagnostics(&[one], &sources, false);
            assert!(rendered.contains("a␍!␍") || rendered.contains("2 | b"), "{start}..{end}: {rendered}");
        }
    }
}
