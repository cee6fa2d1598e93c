//! What engine, supervisor and the program-to-be say to each other: one request with open files, then a line of JSON for each thing
//! that happened. A request never stands in arguments or the environment, where other processes can read it.

use rustix::io::retry_on_intr;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// Files that travel with one request: Linux takes 253 at once (`SCM_MAX_FD`).
pub(super) const MOST_FILES: usize = 250;

/// Bytes of a request: arguments and environment with room for what JSON adds.
const MOST_REQUEST: u32 = 16 << 20;

/// What a launcher is to do.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    pub(super) role: Role,
    pub(super) task: Task,
}

/// Which of the two processes it is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Role {
    /// The one that stays. Files: program, folder, standard input, output and error, mounts.
    Supervisor,
    /// The one that becomes the program. Files: program, folder, standard input, mounts.
    Program {
        /// Whose end has to be its own too.
        supervisor: i32,
    },
}

/// A program and its bounds.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Task {
    /// How the launcher is started again.
    pub(super) launcher: Vec<String>,
    /// What the program sees as its own name.
    pub(super) name: String,
    /// Whether it is a text with an interpreter, which has to find the file still open.
    pub(super) script: bool,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    /// The program's folder, if it is one of its own, which is removed at the end.
    pub(super) scratch: Option<String>,
    /// Whether each mount may be changed.
    pub(super) mounts: Vec<bool>,
    /// Whether it may only run where Landlock holds: nothing else keeps it from changing what was granted for writing.
    pub(super) must_confine: bool,
    /// Whether it keeps the rights of the engine's user.
    pub(super) unconfined: bool,
    /// Seconds of processor time of each process.
    pub(super) cpu_seconds: u64,
}

/// What happened, in this order; `Failed` instead of any of them.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Status {
    /// Everything is in place but the program itself.
    Confined(Confinement),
    /// The program runs.
    Started,
    /// Nothing was run.
    Failed(String),
    /// The program itself is over. What it started is being ended.
    Ended { code: Option<i32>, signal: Option<u32> },
    /// It started too much, and all of it is being ended.
    Crowded,
}

/// How much of Landlock the kernel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Confinement {
    /// All that is asked for.
    Full,
    /// Some of it.
    Partial,
    /// It sees every file that the user sees.
    None,
    /// The same, because it was granted so.
    Waived,
}

/// Sends a request with its files.
pub(super) fn send(socket: &UnixStream, request: &Request, files: &[BorrowedFd<'_>]) -> io::Result<()> {
    if files.len() > MOST_FILES {
        return Err(io::Error::other("too many folders are granted to start a program with"));
    }
    let text = serde_json::to_vec(request)?;
    let length = u32::try_from(text.len()).ok().filter(|length| *length <= MOST_REQUEST);
    let length = length.ok_or_else(|| io::Error::other("the arguments are too long"))?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FILES))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(files)) {
        return Err(io::Error::other("the files do not fit in one message"));
    }
    let header = length.to_le_bytes();
    let message = [IoSlice::new(&header)];
    let sent = retry_on_intr(|| sendmsg(socket, &message, &mut control, SendFlags::NOSIGNAL))?;
    let mut socket = socket;
    socket.write_all(&header[sent..])?;
    socket.write_all(&text)
}

/// Takes the request that this process was started with. All files are closed when another program is run.
pub(super) fn receive_from_stdin() -> io::Result<(UnixStream, Request, Vec<OwnedFd>)> {
    let socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST_FILES))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut header = [0; 4];
    let received = {
        let mut message = [IoSliceMut::new(&mut header)];
        retry_on_intr(|| recvmsg(&socket, &mut message, &mut control, RecvFlags::CMSG_CLOEXEC))?.bytes
    };
    let mut files = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            files.extend(rights);
        }
    }
    let mut stream = &socket;
    stream.read_exact(&mut header[received..])?;
    let length = u32::from_le_bytes(header);
    if received == 0 || length > MOST_REQUEST {
        return Err(io::Error::other("no request"));
    }
    let mut text = vec![0; length as usize];
    stream.read_exact(&mut text)?;
    Ok((socket, serde_json::from_slice(&text)?, files))
}

/// Says what happened.
pub(super) fn say(mut socket: &UnixStream, status: &Status) -> io::Result<()> {
    let mut line = serde_json::to_vec(status)?;
    line.push(b'\n');
    socket.write_all(&line)
}

/// The next thing that happened, read byte by byte so that nothing behind it is taken; `None` when the other end is gone.
pub(super) fn hear(mut socket: &UnixStream) -> io::Result<Option<Status>> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    loop {
        // A signal, such as that of another child's end, is no reason to give up.
        match socket.read(&mut byte) {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        if byte[0] == b'\n' {
            return Ok(Some(serde_json::from_slice(&line)?));
        }
        if line.len() > 64 << 10 {
            return Err(io::Error::other("a status without an end"));
        }
        line.push(byte[0]);
    }
}
