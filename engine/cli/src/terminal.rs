//! What kind of place standard output and error are.

use crate::args::Colour;
use orch_report::Style;
use std::io::{IsTerminal, Write};

/// Colours for a stream, as asked for or as the terminal and NO_COLOR say.
pub(crate) fn style(colour: Colour, stream: &impl IsTerminal) -> Style {
    let colour = match colour {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto => stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    };
    Style { colour }
}

/// Columns of the terminal; 100 where there is none.
pub(crate) fn width() -> usize {
    rustix::termios::tcgetwinsize(std::io::stderr()).map_or(100, |size| usize::from(size.ws_col)).clamp(60, 240)
}

/// Writes to standard output. A reader that went away, as `head` does, is success.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    print_bytes(text.as_bytes())
}

/// As [`print`], for what need not be text.
pub(crate) fn print_bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Writes a line to standard error.
pub(crate) fn talk(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Rust ignores SIGPIPE, so a closed pipe is an error of a write and not a death; `print` treats it as success. A panic of a
/// library that prints to a closed pipe must not look like a bug either.
pub(crate) fn die_quietly_on_broken_pipe() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let text = info.payload_as_str().unwrap_or_default();
        if text.contains("Broken pipe") {
            #[expect(clippy::exit, reason = "a reader that went away is success, also inside a library")]
            std::process::exit(0);
        }
        default(info);
        talk("this is a bug in orch-wasm: please report it with the text above");
    }));
}
