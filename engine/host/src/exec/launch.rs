//! Starts a launcher with a checked program, and hears whether it could be run.

use super::process::Process;
use super::program::Checked;
use super::wire::{self, Confinement, Request, Role, Status, Task};
use orch_core::Size;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Once};
use std::time::Duration;

/// How to start the launcher: this program with a hidden verb.
#[derive(Debug, Clone)]
pub struct Launcher {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// A program with everything that it gets.
pub(crate) struct Order {
    pub(crate) program: Checked,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    /// Where it runs; `None` for an empty folder of its own.
    pub(crate) folder: Option<Arc<File>>,
    /// The granted folders, and whether it may change them.
    pub(crate) mounts: Vec<(Arc<File>, bool)>,
    /// Whether it may only run where Landlock holds.
    pub(crate) must_confine: bool,
    /// Whether it keeps the rights of the engine's user.
    pub(crate) unconfined: bool,
    /// What is left of the attempt's time.
    pub(crate) time: Duration,
    /// Bytes of output that are kept.
    pub(crate) most_output: Size,
}

/// How long a launcher may take until its program runs.
const START: Duration = Duration::from_secs(20);

/// Starts a program. Blocks, for as long as it takes to start three processes one after the other; needs the runtime around it.
pub(crate) fn launch(launcher: &Launcher, order: Order) -> io::Result<Process> {
    let scratch = match &order.folder {
        Some(_) => None,
        None => Some(tempfile::Builder::new().prefix("orch-wasm-exec-").tempdir()?),
    };
    let folder = match (&order.folder, &scratch) {
        (Some(folder), _) => Arc::clone(folder),
        (None, Some(scratch)) => Arc::new(File::open(scratch.path())?),
        (None, None) => return Err(io::Error::other("no folder to run in")),
    };
    let text = |text: &OsString| {
        text.to_str().map(str::to_owned).ok_or_else(|| io::Error::other("an argument of the launcher is no text"))
    };
    let scratch_path = match &scratch {
        None => None,
        Some(folder) => Some(text(&folder.path().as_os_str().to_owned())?),
    };
    let (child_in, stdin) = io::pipe()?;
    let (stdout, child_out) = io::pipe()?;
    let (stderr, child_err) = io::pipe()?;
    let (socket, theirs) = UnixStream::pair()?;
    let mut command = tokio::process::Command::from({
        let mut command = std::process::Command::new(&launcher.program);
        command.args(&launcher.arguments).env_clear().current_dir("/");
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(Stdio::null());
        command
    });
    let supervisor = command.spawn()?;
    // It holds the launcher's end of the socket, whose closing has to be seen.
    drop(command);
    let task = Task {
        launcher: launcher.arguments.iter().map(text).collect::<io::Result<_>>()?,
        name: order.program.name,
        script: order.program.script,
        arguments: order.arguments,
        environment: order.environment,
        scratch: scratch_path,
        mounts: order.mounts.iter().map(|(_, change)| *change).collect(),
        must_confine: order.must_confine,
        unconfined: order.unconfined,
        cpu_seconds: cpu_seconds(order.time),
    };
    let mut files: Vec<BorrowedFd<'_>> =
        vec![order.program.file.as_fd(), folder.as_fd(), child_in.as_fd(), child_out.as_fd(), child_err.as_fd()];
    files.extend(order.mounts.iter().map(|(folder, _)| folder.as_fd()));
    socket.set_read_timeout(Some(START))?;
    socket.set_write_timeout(Some(START))?;
    wire::send(&socket, &Request { role: Role::Supervisor, task }, &files)?;
    drop((child_in, child_out, child_err));
    loop {
        match wire::hear(&socket)? {
            Some(Status::Confined(confinement)) => warn(confinement),
            Some(Status::Started) => break,
            Some(Status::Failed(reason)) => return Err(io::Error::other(reason)),
            Some(Status::Ended { .. } | Status::Crowded) | None => {
                return Err(io::Error::other("its launcher ended before it could be started"));
            }
        }
    }
    Process::new(socket, supervisor, stdin, [stdout, stderr], order.most_output, scratch)
}

/// Seconds of CPU of each of its processes: at most all processors for all of the time.
fn cpu_seconds(time: Duration) -> u64 {
    let processors = std::thread::available_parallelism().map_or(1, usize::from) as u64;
    (time.as_secs() + 1).saturating_mul(processors)
}

/// Says once in the life of this process that the kernel gives less than is asked for.
fn warn(confinement: Confinement) {
    static NONE: Once = Once::new();
    static PARTIAL: Once = Once::new();
    match confinement {
        Confinement::Full | Confinement::Waived => {}
        Confinement::Partial => PARTIAL.call_once(|| {
            tracing::info!("this kernel has an older Landlock: programs of the host are confined as far as it can");
        }),
        Confinement::None => NONE.call_once(|| {
            tracing::warn!("this kernel has no Landlock: programs of the host reach every file that this user reaches");
        }),
    }
}
