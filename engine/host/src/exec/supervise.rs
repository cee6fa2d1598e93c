//! The supervisor: starts the program, and ends everything that came of it when the program is over, when the engine closes the
//! socket, and so also when the engine was killed.

use super::tree;
use super::wire::{self, Request, Role, Status, Task};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, WaitOptions, WaitStatus, pidfd_open, setsid, waitpid};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};

/// Processes that a program may have at once, its own among them. The limit that the kernel keeps (`RLIMIT_NPROC`) does not hold
/// for root, and counts every process of the user.
const MOST_PROCESSES: usize = 128;

/// How often they are counted, at most.
const COUNT_EVERY: Duration = Duration::from_millis(50);

/// How long the program may take to be started: a few system calls.
const START: Duration = Duration::from_secs(10);

pub(super) fn supervise(socket: &UnixStream, task: Task, files: Vec<OwnedFd>) -> u8 {
    let scratch = task.scratch.clone();
    let outcome = run(socket, task, files);
    if let Err(reason) = &outcome {
        let _ = wire::say(socket, &Status::Failed(reason.clone()));
    }
    tree::end_all();
    if let Some(folder) = scratch {
        let _ = std::fs::remove_dir_all(folder);
    }
    u8::from(outcome.is_err()) * 70
}

fn run(socket: &UnixStream, task: Task, files: Vec<OwnedFd>) -> Result<(), String> {
    let failed = |what: &str| {
        let what = what.to_owned();
        move |error: io::Error| format!("{what}: {error}")
    };
    // A session of its own: what a terminal sends to the engine's group is for the engine.
    setsid().map_err(|error| failed("no session of its own")(error.into()))?;
    rustix::process::set_child_subreaper(Pid::from_raw(1)).map_err(|error| failed("no subreaper")(error.into()))?;
    let program = start(socket, task, files)?;
    let handle = pidfd_open(program, PidfdFlags::empty()).map_err(|error| failed("no handle")(error.into()))?;
    watch(socket, program, &handle).map_err(failed("the program cannot be watched"))
}

/// Starts this binary once more, to become the program.
fn start(socket: &UnixStream, task: Task, files: Vec<OwnedFd>) -> Result<Pid, String> {
    let failed = |error: io::Error| format!("it cannot be started: {error}");
    let mut files = files.into_iter();
    let (Some(program), Some(folder), Some(stdin), Some(stdout), Some(stderr)) =
        (files.next(), files.next(), files.next(), files.next(), files.next())
    else {
        return Err("files are missing".to_owned());
    };
    let (ours, theirs) = UnixStream::pair().map_err(failed)?;
    // By this path it is the same file, also when the one of its name was replaced.
    let mut command = Command::new("/proc/self/exe");
    command.args(&task.launcher).env_clear().stdin(OwnedFd::from(theirs)).stdout(stdout).stderr(stderr);
    let child = command.spawn().map_err(failed)?;
    // It holds the program's output, whose end must come with the program's.
    drop(command);
    let pid = Pid::from_raw(child.id().cast_signed()).ok_or("a process without a number")?;
    let mounts: Vec<_> = files.collect();
    let sent: Vec<_> = [&program, &folder, &stdin].into_iter().chain(&mounts).map(AsFd::as_fd).collect();
    let role = Role::Program { supervisor: std::process::id().cast_signed() };
    ours.set_read_timeout(Some(START)).map_err(failed)?;
    wire::send(&ours, &Request { role, task }, &sent).map_err(failed)?;
    // Its end of the socket is closed by the kernel at the moment at which the program takes its place. If it died instead, the
    // last word is missing.
    let mut confined = false;
    loop {
        match wire::hear(&ours).map_err(failed)? {
            Some(Status::Failed(reason)) => return Err(reason),
            Some(status @ Status::Confined(_)) => {
                confined = true;
                wire::say(socket, &status).map_err(failed)?;
            }
            Some(_) => return Err("the launcher says what it cannot know".to_owned()),
            None if confined => break,
            None => return Err("the launcher ended before the program could start".to_owned()),
        }
    }
    wire::say(socket, &Status::Started).map_err(failed)?;
    Ok(pid)
}

/// Returns when the program is over or is to be ended.
fn watch(mut socket: &UnixStream, program: Pid, handle: &OwnedFd) -> io::Result<()> {
    let own = std::process::id().cast_signed();
    let mut every = COUNT_EVERY;
    loop {
        let pause = Timespec { tv_sec: 0, tv_nsec: i64::from(every.subsec_nanos()) };
        let mut waiting = [PollFd::new(&socket, PollFlags::IN), PollFd::new(handle, PollFlags::IN)];
        match poll(&mut waiting, Some(&pause)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let [from_engine, from_program] = waiting.map(|file| !file.revents().is_empty());
        if from_program && let Some((_, status)) = waitpid(Some(program), WaitOptions::NOHANG)? {
            return wire::say(socket, &ended(status)).or(Ok(()));
        }
        // Whatever it says, and that it says nothing any more, means the end.
        if from_engine {
            let _ = socket.read(&mut [0]);
            return Ok(());
        }
        // Children that are not the program's own were orphaned. Their end is taken, so that they do not stay as zombies.
        let begun = Instant::now();
        let all = tree::below(own);
        for pid in all.iter().filter_map(|pid| Pid::from_raw(*pid)).filter(|pid| *pid != program) {
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
        if all.len() > MOST_PROCESSES {
            return wire::say(socket, &Status::Crowded).or(Ok(()));
        }
        // Counting looks at every process of the machine: it gets a twentieth of the time.
        every = (begun.elapsed() * 20).clamp(COUNT_EVERY, Duration::from_millis(500));
    }
}

fn ended(status: WaitStatus) -> Status {
    let signal = status.terminating_signal().map(i32::cast_unsigned);
    Status::Ended { code: status.exit_status(), signal }
}
