//! Processes below another one, found in `/proc` and ended for good; and the open files of this process.

use rustix::fs::{FileType, Mode, OFlags, RawDir};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal, wait};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// Every process below `root`, parents first. A walk is no snapshot: whoever has to be sure walks until nobody is left.
pub(super) fn below(root: i32) -> Vec<i32> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for pid in processes() {
        if let Some(parent) = stat(pid).and_then(|stat| stat.parent()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let (mut found, mut next) = (Vec::new(), vec![root]);
    while let Some(parent) = next.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            found.push(child);
            next.push(child);
        }
    }
    found
}

/// Ends everything below this process and takes the end of each, until there is nobody. Whoever loses its parent becomes a child
/// of this process, which is a subreaper; so nothing gets away by forking twice or by a session of its own.
pub(super) fn end_all() {
    let own = std::process::id().cast_signed();
    let mut pause = Duration::from_millis(1);
    loop {
        let all = below(own);
        let family: BTreeSet<i32> = all.iter().copied().chain([own]).collect();
        for pid in &all {
            end(*pid, &family);
        }
        if reap_all().is_err() {
            return;
        }
        std::thread::sleep(pause);
        // A process that cannot be ended, in a read from a dead disk, is no reason to keep a processor busy.
        pause = (pause * 2).min(Duration::from_millis(if all.len() > 8 { 2 } else { 50 }));
    }
}

/// Takes the end of every child that is over.
///
/// # Errors
/// When there is no child at all.
fn reap_all() -> io::Result<()> {
    while wait(WaitOptions::NOHANG)?.is_some() {}
    Ok(())
}

/// Kills a process if it is still the one that was found: a number may be given to another process in between.
fn end(pid: i32, family: &BTreeSet<i32>) {
    let Some(handle) = Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else {
        return;
    };
    // The handle stands for the process of that number at this time. If that one is gone, the signal below reaches nobody.
    if stat(pid).and_then(|stat| stat.parent()).is_some_and(|parent| family.contains(&parent)) {
        let _ = pidfd_send_signal(&handle, Signal::KILL);
    }
}

/// How many processes and threads the user of this process has.
pub(super) fn tasks_of_this_user() -> u64 {
    let own = rustix::process::getuid().as_raw();
    let of_user = |pid: &i32| std::fs::metadata(format!("/proc/{pid}")).is_ok_and(|found| found.uid() == own);
    processes().into_iter().filter(of_user).filter_map(|pid| stat(pid)?.threads()).sum()
}

fn processes() -> Vec<i32> {
    let Ok(folder) = std::fs::read_dir("/proc") else { return Vec::new() };
    folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// What stands behind the name in `/proc/PID/stat`, from the state on.
struct Stat(String);

fn stat(pid: i32) -> Option<Stat> {
    let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything, also `)`.
    let (_, rest) = std::str::from_utf8(&text[text.iter().rposition(|byte| *byte == b')')?..]).ok()?.split_at(1);
    Some(Stat(rest.to_owned()))
}

impl Stat {
    fn parent(&self) -> Option<i32> {
        self.0.split_whitespace().nth(1)?.parse().ok()
    }

    fn threads(&self) -> Option<u64> {
        self.0.split_whitespace().nth(17)?.parse().ok()
    }
}

/// The numbers of the open files above standard error, without the one that looking takes.
fn open_files() -> io::Result<Vec<i32>> {
    let folder =
        rustix::fs::open("/proc/self/fd", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let own = std::os::fd::AsRawFd::as_raw_fd(&folder);
    let mut buffer = Vec::with_capacity(8 << 10);
    let mut found = Vec::new();
    let mut entries = RawDir::new(&folder, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        if entry.file_type() != FileType::Directory
            && let Ok(number) = entry.file_name().to_string_lossy().parse::<i32>()
            && number > 2
            && number != own
        {
            found.push(number);
        }
    }
    Ok(found)
}

/// Closes whatever this process was started with besides the three standard files. Only for the start of a process.
pub(super) fn close_inherited() -> io::Result<()> {
    for number in open_files()? {
        nix::unistd::close(number)?;
    }
    Ok(())
}

/// An open file that the next program would get.
pub(super) fn leaking_file() -> io::Result<Option<i32>> {
    for number in open_files()? {
        let info = std::fs::read_to_string(Path::new("/proc/self/fdinfo").join(number.to_string()))?;
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
        if flags.is_none_or(|flags| flags & OFlags::CLOEXEC.bits() == 0) {
            return Ok(Some(number));
        }
    }
    Ok(None)
}
