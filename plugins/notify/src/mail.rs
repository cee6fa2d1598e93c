//! Mail to a relay: SMTP (RFC 5321) without TLS and without a password, as relays inside of a network take it.

use crate::message::Message;
use mail_builder::MessageBuilder;
use orch_sdk::TaskError;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// RFC 5321 allows 512 bytes a line; servers say more, and one that never ends its line says nothing.
const LONGEST_LINE: u64 = 4096;

/// A reply has a few lines; EHLO has the most.
const MOST_LINES: usize = 100;

/// An address that can stand in the dialogue with a server: nothing in it ends the command.
///
/// # Errors
/// When it is none; the text says why.
pub fn address(text: &str) -> Result<(), String> {
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>' | b'"' | b'\\' | b','));
    let parts = text
        .split_once('@')
        .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'));
    match plain && parts && text.len() <= 254 {
        true => Ok(()),
        false => Err(format!("`{text}` is no address such as `ada@example.org`")),
    }
}

/// Sends a message through a relay.
///
/// # Errors
/// When the connection is not granted or broken, or the server says no.
pub fn send(server: SocketAddr, from: &str, to: &[String], message: &Message, summary: bool) -> Result<(), TaskError> {
    let dependency =
        |message: String, retryable| TaskError::Dependency { target: server.to_string(), message, retryable };
    let stream = TcpStream::connect(server).map_err(|error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => {
            TaskError::Denied { capability: "net".to_owned(), target: format!("tcp://{server}") }
        }
        _ => dependency(format!("cannot be reached: {error}"), true),
    })?;
    let bytes = render(from, to, message, summary)
        .map_err(|error| dependency(format!("the mail cannot be made: {error}"), false))?;
    let mut dialogue = Dialogue { reader: BufReader::new(stream), server };
    dialogue.expect("220", None)?;
    dialogue.expect("250", Some("EHLO orch-wasm.invalid"))?;
    dialogue.expect("250", Some(&format!("MAIL FROM:<{from}>")))?;
    for one in to {
        dialogue.expect("25", Some(&format!("RCPT TO:<{one}>")))?;
    }
    dialogue.expect("354", Some("DATA"))?;
    dialogue.write(&stuffed(&bytes))?;
    dialogue.expect("250", Some("."))?;
    // It is delivered: how the server says goodbye changes nothing.
    let _ = dialogue.expect("221", Some("QUIT"));
    Ok(())
}

fn render(from: &str, to: &[String], message: &Message, summary: bool) -> std::io::Result<Vec<u8>> {
    let mut text = message.text.clone();
    if summary {
        text.push_str(&format!("\n\nFindings: {}\n", message.summary()));
    }
    let to: Vec<&str> = to.iter().map(String::as_str).collect();
    MessageBuilder::new().from(from).to(to).subject(message.title.as_str()).text_body(text).write_to_vec()
}

/// A line that is one dot ends a mail: every line that begins with one gets another.
fn stuffed(mail: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(mail.len() + 16);
    let mut at_start = true;
    for byte in mail {
        if at_start && *byte == b'.' {
            out.push(b'.');
        }
        out.push(*byte);
        at_start = *byte == b'\n';
    }
    if !out.ends_with(b"\r\n") {
        out.extend(b"\r\n");
    }
    out
}

struct Dialogue {
    reader: BufReader<TcpStream>,
    server: SocketAddr,
}

impl Dialogue {
    fn broken(&self, message: String, retryable: bool) -> TaskError {
        TaskError::Dependency { target: self.server.to_string(), message, retryable }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), TaskError> {
        let written = self.reader.get_mut().write_all(bytes);
        written.map_err(|error| self.broken(format!("the connection broke: {error}"), true))
    }

    /// Says something and reads the reply, which has to begin with `code`.
    fn expect(&mut self, code: &str, command: Option<&str>) -> Result<(), TaskError> {
        if let Some(command) = command {
            self.write(format!("{command}\r\n").as_bytes())?;
        }
        for _ in 0..MOST_LINES {
            let mut line = Vec::new();
            let read = self.reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
            read.map_err(|error| self.broken(format!("the connection broke: {error}"), true))?;
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if line.is_empty() {
                return Err(self.broken("the connection ended in the middle of a reply".to_owned(), true));
            }
            // `250-` goes on, `250 ` is the last line.
            if line.as_bytes().get(3) == Some(&b'-') {
                continue;
            }
            if line.starts_with(code) {
                return Ok(());
            }
            let to = command.map_or_else(|| "the greeting".to_owned(), |command| format!("`{command}`"));
            // 4xx is "not now", 5xx is "never".
            return Err(self.broken(format!("said `{line}` to {to}"), line.starts_with('4')));
        }
        Err(self.broken(format!("a reply of more than {MOST_LINES} lines"), false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_end_no_command() {
        for text in ["ada@example.org", "a+b@x"] {
            assert!(address(text).is_ok(), "{text}");
        }
        for text in ["", "ada", "@x", "a@", "a@b@c", "a@b>\r\nDATA", "a b@c", "<a@b>", "ä@b", "a@b,c@d"] {
            assert!(address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn dots_are_doubled() {
        assert_eq!(stuffed(b".\r\n..\r\na.b"), b"..\r\n...\r\na.b\r\n");
    }
}
