//! Asks a person for a value without showing it.

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{self, Read, Stdin, Write};
use zeroize::Zeroizing;

/// What a terminal sends for Ctrl-C and Ctrl-D when it does not act on them itself.
const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;
/// What it sends for the key that takes back a character.
const DELETE: u8 = 0x7f;
const BACKSPACE: u8 = 0x08;

/// A terminal that shows nothing of what is typed, until this is dropped.
struct Silent<'a> {
    terminal: &'a Stdin,
    before: Termios,
}

impl<'a> Silent<'a> {
    fn new(terminal: &'a Stdin) -> io::Result<Silent<'a>> {
        let before = tcgetattr(terminal)?;
        let mut silent = before.clone();
        // Signals too: a death by Ctrl-C would leave the terminal without echo.
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(terminal, OptionalActions::Flush, &silent)?;
        Ok(Silent { terminal, before })
    }
}

impl Drop for Silent<'_> {
    fn drop(&mut self) {
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}

/// One line, as it is typed.
///
/// # Errors
/// When the terminal cannot be read, or the person does not want to.
pub(crate) fn ask(question: &str) -> io::Result<Zeroizing<Vec<u8>>> {
    let terminal = io::stdin();
    let silent = Silent::new(&terminal)?;
    let mut err = io::stderr();
    write!(err, "{question}")?;
    err.flush()?;
    let line = read(terminal.lock());
    drop(silent);
    writeln!(err)?;
    line
}

fn read(mut from: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let most = orch_core::LONGEST_SECRET + 1;
    let mut line = Zeroizing::new(Vec::with_capacity(most));
    let mut byte = [0];
    while line.len() < most && from.read(&mut byte)? == 1 {
        match byte[0] {
            b'\n' | b'\r' | CTRL_D => return Ok(line),
            CTRL_C => return Err(io::Error::new(io::ErrorKind::Interrupted, "nothing was typed to its end")),
            DELETE | BACKSPACE => {
                // A character may have several bytes; those after the first are 10xxxxxx.
                while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            byte => line.push(byte),
        }
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_is_typed() {
        let typed = |bytes: &str| read(bytes.as_bytes()).map(|line| String::from_utf8(line.to_vec()).unwrap());
        assert_eq!(typed("hunter2\nmore").unwrap(), "hunter2");
        assert_eq!(typed("hunterä\u{7f}\u{7f}r2\r").unwrap(), "hunter2");
        assert_eq!(typed("\u{7f}\u{7f}x").unwrap(), "x");
        assert_eq!(typed("end\u{4}").unwrap(), "end");
        assert!(typed("hunt\u{3}").is_err());
    }
}
