//! A folder with one engine in it, and processes with a time limit. Both are gone at the end, whatever happened.

use super::{Peer, Registry};
use crate::chores::{root, target};
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Most that installing may take.
const INSTALL: Duration = Duration::from_secs(600);

/// What a driver may need to start its engine, which is not measured.
const START: Duration = Duration::from_secs(30);

/// An installed engine.
pub(super) struct Environment {
    folder: tempfile::TempDir,
    driver: PathBuf,
    interpreter: PathBuf,
}

/// How a process ended.
pub(super) enum Ended {
    /// With code 0, and this on standard output.
    Well(String),
    /// With another code, and this on standard error.
    Badly(String),
    /// Not in time; it was ended.
    TooLate,
}

impl Environment {
    pub(super) fn new(peer: &Peer) -> Result<Environment> {
        std::fs::create_dir_all(target())?;
        // Beside the target folder and not in /tmp, which may be memory: durable must mean this disk for everybody.
        let folder = tempfile::Builder::new().prefix("peer-").tempdir_in(target())?;
        // node looks for packages beside the script, so the drivers come to the packages.
        for driver in std::fs::read_dir(root().join("tests/bench/peers"))? {
            let driver = driver?;
            if driver.file_type()?.is_file() {
                std::fs::copy(driver.path(), folder.path().join(driver.file_name()))?;
            }
        }
        let interpreter = install(peer, folder.path())?;
        Ok(Environment { driver: folder.path().join(peer.driver), interpreter, folder })
    }

    /// Runs one shape in an empty folder, which is also its home: nothing of whoever measures is read or written.
    pub(super) fn drive(&self, shape: &str, tasks: usize, limit: Duration) -> Result<Ended> {
        let scratch = tempfile::tempdir_in(self.folder.path())?;
        let mut command = Command::new(&self.interpreter);
        command.arg(&self.driver).args([shape, &tasks.to_string()]);
        command.current_dir(scratch.path()).env("HOME", scratch.path());
        finish(&mut command, self.folder.path(), limit + START)
    }
}

/// Installs what the peer consists of; returns what runs its driver.
fn install(peer: &Peer, folder: &Path) -> Result<PathBuf> {
    let must = |command: &mut Command| match finish(command, folder, INSTALL)? {
        Ended::Well(_) => Ok(()),
        Ended::Badly(reason) => bail!("{reason}"),
        Ended::TooLate => bail!("it took longer than {} s", INSTALL.as_secs()),
    };
    match peer.registry {
        Registry::Machine => Ok("python3".into()),
        Registry::PyPi => {
            let venv = folder.join("venv");
            must(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
            let pip = ["install", "--quiet", "--disable-pip-version-check", "--only-binary", ":all:"];
            must(Command::new(venv.join("bin/pip")).args(pip).args(peer.packages))?;
            Ok(venv.join("bin/python"))
        }
        Registry::Npm => {
            let npm = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error", "--prefix"];
            must(Command::new("npm").args(npm).arg(folder).args(peer.packages).current_dir(folder))?;
            Ok("node".into())
        }
    }
}

/// Runs a program in a process group of its own and ends the whole group afterwards: servers that it started go with it.
fn finish(command: &mut Command, folder: &Path, limit: Duration) -> Result<Ended> {
    let program = command.get_program().to_owned();
    let started = || {
        format!("`{}` could not be started", Path::new(&program).file_name().map_or("?".into(), OsStr::to_string_lossy))
    };
    let [out, err] = ["stdout", "stderr"].map(|name| folder.join(name));
    command.stdin(Stdio::null()).stdout(File::create(&out)?).stderr(File::create(&err)?).process_group(0);
    let mut child = command.spawn().with_context(started)?;
    let group = Pid::from_child(&child);
    let until = Instant::now() + limit;
    // Looked at and not yet taken away: until `wait` below nobody else can have its number.
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    let mut in_time = true;
    while waitid(WaitId::Pid(group), look)?.is_none() {
        if Instant::now() >= until {
            in_time = false;
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = kill_process_group(group, Signal::KILL);
    let status = child.wait()?;
    let read = |file: &Path| std::fs::read(file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Ok(match (in_time, status.success()) {
        (false, _) => Ended::TooLate,
        (true, true) => Ended::Well(read(&out)?),
        (true, false) => Ended::Badly(read(&err)?),
    })
}
