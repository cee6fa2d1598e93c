//! A program of the host as the tests of `exec` need it: `orch-tests-child MODE ARGUMENTS…` tells what it was given, or does what a
//! program can do to outlive its task. Whatever stays ends by itself after a minute.

use rustix::process::{Resource, Signal, getppid, getrlimit, getsid, kill_process, setsid};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

/// Longer than a test needs, and short enough that a test that fails leaves nothing for long.
const LIFE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let second = arguments.get(1).map_or("", String::as_str);
    match arguments.first().map_or("facts", String::as_str) {
        "facts" => say(&facts(&arguments).to_string()),
        "cat" => {
            let mut chunk = [0; 4_096];
            while let Ok(count @ 1..) = std::io::stdin().read(&mut chunk) {
                let _ = std::io::stdout().write_all(&chunk[..count]);
                let _ = std::io::stdout().flush();
            }
        }
        "both" => {
            say("to stdout");
            let _ = writeln!(std::io::stderr(), "to stderr");
        }
        "exit" => return ExitCode::from(second.parse().unwrap_or(1)),
        "abort" => std::process::abort(),
        "read" => tell(std::fs::read_to_string(second)),
        "write" => tell(std::fs::write(second, "written").map(|()| "written".to_owned())),
        "run" => tell(Command::new(second).output().map(|_| "ran".to_owned())),
        "flood" => flood(second.parse().unwrap_or(0)),
        "stay" => stay(),
        "deaf" => deaf(),
        "session" => {
            let _ = setsid();
            stay();
        }
        // Its child has no parent as soon as this is over.
        "orphan" => start(&["stay", second]),
        "orphan-session" => start(&["session", second]),
        "tree" => {
            for mode in ["stay", "session", "deaf", "orphan", "orphan-session"] {
                start(&[mode, second]);
            }
            stay();
        }
        // The program is over, and somebody else holds its output.
        "leave" => {
            start(&["session", second]);
            say("left");
        }
        "bomb" => bomb(arguments.get(2).and_then(|depth| depth.parse().ok()).unwrap_or(0), second),
        "kill-parent" => tell(
            getppid()
                .map_or(Ok(()), |parent| kill_process(parent, Signal::KILL))
                .map(|()| "killed".to_owned())
                .map_err(Into::into),
        ),
        other => say(&format!("no mode `{other}`")),
    }
    ExitCode::SUCCESS
}

fn say(line: &str) {
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

fn tell(result: std::io::Result<String>) {
    match result {
        Ok(text) => say(&format!("ok: {text}")),
        Err(error) => say(&format!("error: {:?}", error.kind())),
    }
}

/// Everything that a program is given by whoever starts it.
fn facts(arguments: &[String]) -> Value {
    let limit = |resource| getrlimit(resource).maximum;
    let umask = rustix::process::umask(rustix::fs::Mode::empty());
    json!({
        "name": std::env::args().next(),
        "arguments": arguments,
        "environment": std::env::vars().collect::<std::collections::BTreeMap<_, _>>(),
        "folder": std::env::current_dir().ok(),
        "umask": umask.bits(),
        // Only what is open can be closed, and there is no `/proc` to look into.
        "files": (3..1_024).filter(|number| nix::unistd::close(*number).is_ok()).collect::<Vec<i32>>(),
        "no_new_privs": nix::sys::prctl::get_no_new_privs().ok(),
        "leads_its_session": getsid(None).ok() == Some(rustix::process::getpid()),
        "capabilities": caps(),
        "core": limit(Resource::Core),
        "cpu": limit(Resource::Cpu),
        "address_space": limit(Resource::As),
        "open_files": limit(Resource::Nofile),
        "file_size": limit(Resource::Fsize),
        "processes": limit(Resource::Nproc),
    })
}

fn caps() -> Option<usize> {
    let of = |set| caps::read(None, set).map(|found| found.len());
    Some(of(caps::CapSet::Effective).ok()? + of(caps::CapSet::Permitted).ok()? + of(caps::CapSet::Ambient).ok()?)
}

fn flood(bytes: usize) {
    let chunk = [b'x'; 65_536];
    let (mut out, mut error) = (std::io::stdout(), std::io::stderr());
    let mut left = bytes;
    while left > 0 {
        let count = left.min(chunk.len());
        if out.write_all(&chunk[..count]).is_err() || error.write_all(&chunk[..count]).is_err() {
            return;
        }
        left -= count;
    }
}

fn stay() {
    say(&format!("pid {}", std::process::id()));
    std::thread::sleep(LIFE);
}

/// Takes no notice of the signals that ask a process to end.
fn deaf() {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        use tokio::signal::unix::{SignalKind, signal};
        let heard = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
        say(&format!("pid {}", std::process::id()));
        tokio::time::sleep(LIFE).await;
        drop(heard);
    });
}

/// Starts this program in another mode. What it prints is this one's.
fn start(arguments: &[&str]) {
    if Command::new("/proc/self/exe").args(arguments).stdin(Stdio::null()).spawn().is_err() {
        say("not started");
    }
}

/// Three children, each with three of its own, and so on: bounded, and more than is allowed.
fn bomb(depth: u32, marker: &str) {
    if depth > 0 {
        for _ in 0..3 {
            start(&["bomb", marker, &(depth - 1).to_string()]);
        }
    }
    std::thread::sleep(LIFE);
}
