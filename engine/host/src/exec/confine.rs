//! The process that becomes the program: takes everything from itself that the program shall not have, in an order in which each step
//! can still be made, and then lets the program take its place. If a step fails, nothing is run; only Landlock is used as far as
//! the kernel has it.

use super::tree;
use super::wire::{self, Confinement, Status, Task};
use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use rustix::fs::Mode;
use rustix::io::FdFlags;
use rustix::process::{Pid, Resource, Rlimit, Signal, getppid, getrlimit, setrlimit, setsid};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// The newest rules that are asked for. An older kernel takes those that it knows.
const RULES: ABI = ABI::V9;

/// Bytes of address space.
const ADDRESS_SPACE: u64 = 4 << 30;
/// Bytes of each file that it writes.
const FILE_SIZE: u64 = 4 << 30;
const OPEN_FILES: u64 = 256;
/// Processes and threads beside those that the user has anyway: the kernel counts them by user.
const MORE_TASKS: u64 = 512;

/// What programs are made of: themselves, their libraries and the data that comes with them.
const SYSTEM: &[&str] = &["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc/ld.so.cache"];
/// Devices that hold nothing.
const DEVICES: &[&str] = &["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// Returns only when the program could not be run; the reason is told through the socket.
pub(super) fn become_program(socket: &UnixStream, supervisor: i32, task: &Task, files: Vec<OwnedFd>) -> u8 {
    let reason = run(socket, supervisor, task, files);
    let _ = wire::say(socket, &Status::Failed(reason));
    70
}

fn run(socket: &UnixStream, supervisor: i32, task: &Task, files: Vec<OwnedFd>) -> String {
    let mut files = files.into_iter();
    let (Some(program), Some(folder), Some(stdin)) = (files.next(), files.next(), files.next()) else {
        return "files are missing".to_owned();
    };
    let mounts: Vec<_> = files.collect();
    if mounts.len() != task.mounts.len() {
        return "mounts are missing".to_owned();
    }
    let confinement = limits(supervisor, task)
        .and_then(|()| {
            rustix::process::fchdir(&folder).map_err(|error| format!("its folder cannot be entered: {error}"))
        })
        .and_then(|()| no_leaks())
        .and_then(|()| powerless(task.unconfined))
        .and_then(|()| {
            if task.unconfined {
                return Ok(Confinement::Waived);
            }
            let granted = mounts.iter().zip(task.mounts.iter().copied());
            let scratch = task.scratch.is_some().then_some((&folder, true));
            let all: Vec<_> = granted.chain(scratch).collect();
            landlock(&program, &all).map_err(|error| format!("Landlock: {error}"))
        });
    let said = confinement.and_then(|confinement| {
        if task.must_confine && !matches!(confinement, Confinement::Full | Confinement::Partial) {
            return Err(
                "in a dry run it may change nothing, and without Landlock this kernel cannot see to that".to_owned()
            );
        }
        wire::say(socket, &Status::Confined(confinement)).map_err(|error| format!("the engine is gone: {error}"))
    });
    if let Err(reason) = said {
        return reason;
    }
    // An interpreter opens the file of its script itself, after this process has become the interpreter.
    if task.script
        && let Err(error) = rustix::io::fcntl_setfd(&program, FdFlags::empty())
    {
        return format!("the script cannot be kept open: {error}");
    }
    // The very file that was checked, whatever stands in its place now.
    let error = Command::new(format!("/proc/self/fd/{}", program.as_raw_fd()))
        .arg0(&task.name)
        .args(&task.arguments)
        .env_clear()
        .envs(task.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::from(stdin))
        .exec();
    format!("it cannot be executed: {error}")
}

/// A session and a mask of its own, and bounds that the kernel keeps.
fn limits(supervisor: i32, task: &Task) -> Result<(), String> {
    let failed = |what: &'static str| move |error: rustix::io::Errno| format!("{what}: {error}");
    setsid().map_err(failed("no session of its own"))?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(failed("no signal of death"))?;
    // If the supervisor died before the line above, no signal comes.
    if getppid().map(Pid::as_raw_pid) != Some(supervisor) {
        return Err("the supervisor is gone".to_owned());
    }
    // What a package manager installs is for others to read.
    rustix::process::umask(if task.unconfined { Mode::WGRP | Mode::WOTH } else { Mode::RWXG | Mode::RWXO });
    let set = |resource, most: u64| {
        // Nobody but root may raise what is lower already.
        let most = getrlimit(resource).maximum.map_or(most, |highest| most.min(highest));
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) }).map_err(failed("no limits"))
    };
    set(Resource::Core, 0)?;
    set(Resource::Cpu, task.cpu_seconds)?;
    set(Resource::Nofile, OPEN_FILES)?;
    set(Resource::Fsize, FILE_SIZE)?;
    set(Resource::Nproc, tree::tasks_of_this_user() + MORE_TASKS)?;
    set(Resource::As, ADDRESS_SPACE)
}

fn no_leaks() -> Result<(), String> {
    match tree::leaking_file() {
        Ok(None) => Ok(()),
        Ok(Some(number)) => Err(format!("the open file {number} would be passed on")),
        Err(error) => Err(format!("the open files cannot be listed: {error}")),
    }
}

/// No program gets more rights by being run, and those of root are given up unless it was granted to keep them.
fn powerless(unconfined: bool) -> Result<(), String> {
    nix::sys::prctl::set_no_new_privs().map_err(|error| format!("no_new_privs: {error}"))?;
    if unconfined {
        return Ok(());
    }
    let failed = |error: caps::errors::CapsError| format!("capabilities: {error}");
    // Only who has this one may lower the bound; who does not have it cannot reach the bound either, with no_new_privs.
    if caps::has_cap(None, caps::CapSet::Effective, caps::Capability::CAP_SETPCAP).map_err(failed)? {
        caps::clear(None, caps::CapSet::Bounding).map_err(failed)?;
    }
    for set in [caps::CapSet::Ambient, caps::CapSet::Inheritable, caps::CapSet::Effective, caps::CapSet::Permitted] {
        caps::clear(None, set).map_err(failed)?;
    }
    Ok(())
}

/// The files that the program can reach from here on: the system's programs, itself and the granted folders. It can signal only
/// what it started itself, and so neither the supervisor nor the engine.
fn landlock(program: &OwnedFd, folders: &[(&OwnedFd, bool)]) -> Result<Confinement, RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let run = read | AccessFs::Execute;
    // Nothing in a granted folder can be executed: a guest may have written it.
    let write =
        (AccessFs::from_all(RULES) & !BitFlags::from(AccessFs::Execute)) & !BitFlags::from(AccessFs::ResolveUnix);
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(RULES))?
        .scope(Scope::AbstractUnixSocket | Scope::Signal)?
        .create()?
        .add_rule(PathBeneath::new(program, AccessFs::ReadFile | AccessFs::Execute))?;
    rules = paths(rules, SYSTEM, run)?;
    rules = paths(rules, DEVICES, AccessFs::ReadFile | AccessFs::WriteFile)?;
    for (folder, change) in folders {
        rules = rules.add_rule(PathBeneath::new(folder.as_fd(), if *change { write | read } else { read }))?;
    }
    Ok(match rules.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => Confinement::Full,
        RulesetStatus::PartiallyEnforced => Confinement::Partial,
        RulesetStatus::NotEnforced => Confinement::None,
    })
}

/// Adds those of the paths that exist.
fn paths(mut rules: RulesetCreated, all: &[&str], access: BitFlags<AccessFs>) -> Result<RulesetCreated, RulesetError> {
    for path in all {
        let Ok(folder) = PathFd::new(path) else { continue };
        let is_folder = std::fs::metadata(path).is_ok_and(|found| found.is_dir());
        let access = if is_folder { access } else { access & AccessFs::from_file(RULES) };
        rules = rules.add_rule(PathBeneath::new(folder, access))?;
    }
    Ok(rules)
}
