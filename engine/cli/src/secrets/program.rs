//! `exec:PROGRAM`: a program that prints a value. It gets no arguments, no environment and no input, and no shell is involved.

use super::bounded;
use orch_core::{LONGEST_SECRET, Secret};
use rustix::process::{Pid, Signal, kill_process_group};
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// How long it may take. Password stores ask a server; a person who has to type something is not there.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked whether a program that has said all it says is over.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);

/// Runs a program and takes what it prints.
///
/// # Errors
/// Why there is no value; what the program printed is not in the reason.
pub(super) fn run(program: &str) -> Result<Secret, String> {
    run_within(program, PATIENCE)
}

fn run_within(program: &str, patience: Duration) -> Result<Secret, String> {
    if !Path::new(program).is_absolute() {
        return Err(format!(
            "the program `{program}` is no absolute path: write `exec:/…`, so that nobody's PATH decides what runs"
        ));
    }
    let child = Command::new(program)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // What it complains of may quote the value.
        .stderr(Stdio::null())
        // A group of its own, so that what it started ends with it.
        .process_group(0)
        .spawn()
        .map_err(|error| format!("the program `{program}` cannot be started: {error}"))?;
    let mut running = Running(child);
    let printed = running.printed(patience).map_err(|reason| {
        format!("the program `{program}` {reason}; start it by hand, without environment, to see what it says")
    })?;
    bounded::secret(printed).map_err(|reason| format!("what the program `{program}` prints cannot be used: {reason}"))
}

/// A program that is ended when nobody waits for it any more.
struct Running(Child);

impl Running {
    fn printed(&mut self, patience: Duration) -> Result<Zeroizing<Vec<u8>>, String> {
        let until = Instant::now() + patience;
        let Some(stdout) = self.0.stdout.take() else { return Err("has no standard output".to_owned()) };
        let (to, from) = mpsc::channel();
        // Not joined: it ends when the program's end of the pipe is closed, which ending the program does.
        std::thread::spawn(move || {
            let most = LONGEST_SECRET + 3;
            let mut bytes = Zeroizing::new(Vec::with_capacity(most + 1));
            let read = stdout.take(most as u64).read_to_end(&mut bytes);
            let _ = to.send(read.map(|_| bytes));
        });
        let late = || format!("did not end within {} s", patience.as_secs());
        let left = until.saturating_duration_since(Instant::now());
        let bytes = from.recv_timeout(left).map_err(|_| late())?.map_err(|error| error.to_string())?;
        if bytes.len() > LONGEST_SECRET + 2 {
            return Err(format!("prints more than {LONGEST_SECRET} bytes"));
        }
        loop {
            match self.0.try_wait().map_err(|error| error.to_string())? {
                Some(status) if status.success() => return Ok(bytes),
                Some(status) => return Err(format!("ended with {status}")),
                None if Instant::now() >= until => return Err(late()),
                None => std::thread::sleep(BETWEEN_LOOKS),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The leader's number names its group as long as it was not waited for, or others of the group live.
        let _ = kill_process_group(Pid::from_child(&self.0), Signal::KILL);
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// A script that is being written cannot be started, and a process that another test starts just then holds it open.
    static WRITING: std::sync::Mutex<()> = std::sync::Mutex::new(());

    /// What comes of a shell script.
    fn script(text: &str, patience: Duration) -> Result<String, String> {
        let _alone = WRITING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        run_within(path.to_str().unwrap(), patience).map(|secret| secret.expose().to_owned())
    }

    #[track_caller]
    fn fails(text: &str, patience: Duration, reason: &str) {
        let error = script(text, patience).unwrap_err();
        assert!(error.contains(reason) && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn what_it_prints_is_the_value() {
        assert_eq!(script("echo hunter2-value", PATIENCE).unwrap(), "hunter2-value");
        // Nothing of ours is around it.
        assert_eq!(script("echo \"value: $HOME $USER $# $(pwd)\"", PATIENCE).unwrap(), "value:   0 /");
    }

    #[test]
    fn what_goes_wrong_is_told_without_the_value() {
        fails("echo hunter2-value; exit 3", PATIENCE, "ended with exit status: 3");
        fails("echo abc", PATIENCE, "cannot be used: it has fewer than 6 characters");
        fails("yes hunter2-value", PATIENCE, "prints more than 65536 bytes");
        fails("printf 'hunter2-\\377\\376'", PATIENCE, "it is not UTF-8");
        let soon = Duration::from_millis(300);
        fails("echo hunter2-value; sleep 60", soon, "did not end within");
        // One that goes on behind its own back holds nobody up.
        fails("sleep 60 & echo hunter2-value", soon, "did not end within");
        assert!(run("relative/program").err().unwrap().contains("no absolute path"));
        assert!(run("/nowhere/program").err().unwrap().contains("cannot be started"));
    }
}
