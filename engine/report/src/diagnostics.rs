//! Problems in users' files, rendered like the compiler does: the source line, a caret, what to do.

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use orch_core::{Diagnostic, Sources, visible};

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
    let mut group = match (source, &one.span) {
        (Some(source), Some(span)) => {
            let (start, end) = within(&source.text, span.start, span.end);
            let mut annotation = AnnotationKind::Primary.span(start..end);
            if !label.is_empty() {
                annotation = annotation.label(label.as_ref());
            }
            let snippet = Snippet::source(source.text.as_str()).path(source.name.as_str()).annotation(annotation);
            title.element(snippet)
        }
        _ => title.element(annotate_snippets::Origin::path(one.file.as_str())),
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
