//! The file of a program, looked at before it is run: what was opened and checked is what is executed, so that nothing that happens
//! to its path afterwards matters.

use orch_core::{Digest, ExecGrant, is_interpreter};
use rustix::fs::{Mode, OFlags};
use sha2::{Digest as _, Sha256};
use std::fs::{File, Metadata};
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

/// A program that may be run.
pub(crate) struct Checked {
    /// Opened before it was checked.
    pub(crate) file: File,
    /// What it sees as its own name.
    pub(crate) name: String,
    /// Whether it begins with `#!`.
    pub(crate) script: bool,
}

/// Links that are followed on the way to a program, as many as Linux follows (`MAXSYMLINKS`).
const MOST_LINKS: usize = 40;

/// Opens a program and looks whether somebody else could have put it there. `writable` are the folders that a guest may write.
///
/// # Errors
/// Why it is not run.
pub(crate) fn check(grant: &ExecGrant, writable: &[PathBuf]) -> Result<Checked, String> {
    let path = grant.program.as_std_path();
    let user = rustix::process::geteuid().as_raw();
    let real = resolve(path, user)?;
    if let Some(folder) = writable.iter().find(|folder| real.starts_with(folder)) {
        return Err(format!("it lies in `{}`, which the task may write", folder.display()));
    }
    let name = camino::Utf8Path::from_path(&real).ok_or("its path is no text")?;
    if is_interpreter(name) && !grant.interpreter {
        return Err(format!(
            "it is `{name}`, which runs other programs or text: the grant has to say `interpreter: true`"
        ));
    }
    let failed = |error: std::io::Error| format!("it cannot be opened: {error}");
    // Not blocked by a FIFO, and not led elsewhere by a link that is new.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(&real, flags, Mode::empty()).map_err(|error| failed(error.into()))?);
    let found = file.metadata().map_err(failed)?;
    if !found.is_file() {
        return Err("it is no regular file".to_owned());
    }
    owned(&found, user)?;
    if found.mode() & 0o022 != 0 {
        return Err("others than its owner may write it".to_owned());
    }
    if found.mode() & 0o111 == 0 {
        return Err("it is not executable".to_owned());
    }
    let script = kind(&file).map_err(failed)?;
    let Some(script) = script else {
        return Err("it is neither a program for this machine nor a script with `#!`".to_owned());
    };
    if script && !grant.interpreter {
        return Err("it is a script, which its interpreter runs: the grant has to say `interpreter: true`".to_owned());
    }
    if let Some(wanted) = &grant.digest {
        let got = digest(&file).map_err(failed)?;
        if got != *wanted {
            return Err(format!("its digest is {got}, and the grant says {wanted}"));
        }
    }
    Ok(Checked { file, name: grant.program.to_string(), script })
}

/// The path without links. Every folder on the way, and every folder that holds a link on the way, has to belong to root or to this
/// user and must not be one in which everybody may write: `/tmp` is one, sticky or not.
fn resolve(path: &Path, user: u32) -> Result<PathBuf, String> {
    if !path.is_absolute() {
        return Err("its path is not absolute".to_owned());
    }
    let mut rest: Vec<_> = path.components().rev().map(|part| part.as_os_str().to_owned()).collect();
    let (mut real, mut links) = (PathBuf::from("/"), 0);
    while let Some(part) = rest.pop() {
        match Path::new(&part).components().next() {
            Some(Component::Normal(_)) => {}
            Some(Component::ParentDir) => {
                real.pop();
                continue;
            }
            Some(Component::RootDir) => {
                real = PathBuf::from("/");
                continue;
            }
            _ => continue,
        }
        let failed = |error: std::io::Error| format!("`{}` cannot be looked at: {error}", path.display());
        let folder = std::fs::symlink_metadata(&real).map_err(failed)?;
        owned(&folder, user).map_err(|reason| format!("its folder `{}`: {reason}", real.display()))?;
        if folder.mode() & 0o002 != 0 {
            return Err(format!("everybody may write in its folder `{}`", real.display()));
        }
        let next = real.join(&part);
        if !std::fs::symlink_metadata(&next).map_err(failed)?.is_symlink() {
            real = next;
            continue;
        }
        links += 1;
        if links > MOST_LINKS {
            return Err("its path has too many links".to_owned());
        }
        let target = std::fs::read_link(&next).map_err(failed)?;
        rest.extend(target.components().rev().map(|part| part.as_os_str().to_owned()));
    }
    Ok(real)
}

fn owned(found: &Metadata, user: u32) -> Result<(), String> {
    if found.uid() == 0 || found.uid() == user {
        return Ok(());
    }
    Err(format!("it belongs to the user {}, neither to root nor to the one that runs this", found.uid()))
}

/// Whether it is a script; `None` if it is neither that nor a program for this kind of machine. What the kernel would refuse must not
/// get to it: the C library then hands the file to a shell.
fn kind(file: &File) -> std::io::Result<Option<bool>> {
    let (mut head, mut own) = ([0; 20], [0; 20]);
    // A file of fewer bytes is no program, but may be a script.
    let count = file.read_at(&mut head, 0)?;
    if head.starts_with(b"#!") && count > 2 {
        return Ok(Some(true));
    }
    File::open("/proc/self/exe")?.read_exact(&mut own)?;
    // Magic, class and byte order, and after the type the machine (ELF-64, figure 2 and e_machine).
    let same = head[..6] == own[..6] && head[18..20] == own[18..20];
    Ok(same.then_some(false))
}

fn digest(file: &File) -> std::io::Result<Digest> {
    let (mut hash, mut at, mut chunk) = (Sha256::new(), 0, vec![0; 1 << 20]);
    loop {
        // By offset, so that the position of the file stays at its start.
        let count = file.read_at(&mut chunk, at)?;
        if count == 0 {
            return Ok(Digest::from_bytes(hash.finalize().into()));
        }
        hash.update(&chunk[..count]);
        at += count as u64;
    }
}
