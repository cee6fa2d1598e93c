//! Programs of the host.

use super::orch::task::{context, exec};
use crate::{Exit, MAX_STDERR, Printed, TaskError};

/// What one read asks for.
const CHUNK: u32 = 256 * 1024;

pub(super) fn stream(
    alias: &str,
    slots: &[(&str, &str)],
    output: &mut dyn FnMut(&[u8]) -> Result<(), TaskError>,
) -> Result<Printed, TaskError> {
    if !context::has_capability(&format!("exec:{alias}")) {
        return Err(TaskError::Denied { capability: "exec".to_owned(), target: alias.to_owned() });
    }
    let failed = |reason: String| TaskError::Failed(format!("the program `{alias}`: {reason}"));
    let slots: Vec<_> = slots.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let process = exec::spawn(alias, &slots).map_err(failed)?;
    process.close_stdin();
    loop {
        let bytes = process.read_stdout(CHUNK).map_err(failed)?;
        if bytes.is_empty() {
            break;
        }
        output(&bytes)?;
    }
    let mut stderr = Vec::new();
    loop {
        // The host has it all already; reading on would only be thrown away.
        let bytes = process.read_stderr(CHUNK).map_err(failed)?;
        if bytes.is_empty() || stderr.len() >= MAX_STDERR {
            break;
        }
        stderr.extend_from_slice(&bytes[..bytes.len().min(MAX_STDERR - stderr.len())]);
    }
    let exec::Exit { code, signal, truncated } = process.wait().map_err(failed)?;
    Ok(Printed { exit: Exit { code, signal, truncated }, stdout: Vec::new(), stderr })
}
