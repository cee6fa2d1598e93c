//! The engine's end of a running program: its output in bounded memory, its input, its end. Dropping it ends the program and
//! everything that it started.

use super::wire::Status;
use orch_core::Size;
use std::collections::VecDeque;
use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How far a program has come.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Running,
    /// It is over, and the rest is being ended.
    Ended(End),
    /// Nothing of it is left.
    Gone(End),
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum End {
    /// By itself or by a signal.
    Exit { code: Option<i32>, signal: Option<u32> },
    /// It started too many processes.
    Crowded,
    /// It was ended before it was over.
    Killed,
}

/// Which of the two outputs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    Stdout,
    Stderr,
}

/// A program that was started.
pub(crate) struct Process {
    /// A second handle of the socket whose other end is the supervisor's.
    control: UnixStream,
    phase: watch::Receiver<Phase>,
    stdin: tokio::sync::Mutex<Option<pipe::Sender>>,
    outputs: [Arc<Output>; 2],
    truncated: Arc<AtomicBool>,
    /// Readers and the one that waits; they end with this.
    _tasks: JoinSet<()>,
    _scratch: Option<tempfile::TempDir>,
}

/// What was printed and not taken yet.
struct Output {
    kept: Mutex<VecDeque<u8>>,
    /// Set to whether it is over, and marked as changed with every byte.
    state: watch::Sender<bool>,
}

/// What a read from a pipe takes at once.
const CHUNK: usize = 64 << 10;

/// How long the rest of the output may take once the program is over.
const LAST_OUTPUT: Duration = Duration::from_secs(1);

impl Process {
    pub(super) fn new(
        socket: UnixStream,
        supervisor: tokio::process::Child,
        stdin: io::PipeWriter,
        outputs: [io::PipeReader; 2],
        most_output: Size,
        scratch: Option<tempfile::TempDir>,
    ) -> io::Result<Process> {
        let control = socket.try_clone()?;
        socket.set_nonblocking(true)?;
        let statuses = tokio::net::UnixStream::from_std(socket)?;
        let stdin = pipe::Sender::from_owned_fd(OwnedFd::from(stdin))?;
        let (left, truncated) = (Arc::new(AtomicU64::new(most_output.bytes())), Arc::new(AtomicBool::new(false)));
        let mut tasks = JoinSet::new();
        let outputs = outputs.map(|file| {
            let output = Arc::new(Output { kept: Mutex::default(), state: watch::Sender::new(false) });
            let reader = pipe::Receiver::from_owned_fd(OwnedFd::from(file));
            reader.map(|reader| {
                tasks.spawn(read(reader, Arc::clone(&output), Arc::clone(&left), Arc::clone(&truncated)));
                output
            })
        });
        let [stdout, stderr] = outputs;
        let (phases, phase) = watch::channel(Phase::Running);
        tasks.spawn(follow(statuses, supervisor, phases));
        let stdin = tokio::sync::Mutex::new(Some(stdin));
        Ok(Process { control, phase, stdin, outputs: [stdout?, stderr?], truncated, _tasks: tasks, _scratch: scratch })
    }

    /// Ends the program and all that it started. Returns at once.
    pub(crate) fn kill(&self) {
        // The supervisor sees the end of its socket, as it does when this process is gone.
        let _ = self.control.shutdown(Shutdown::Write);
    }

    /// Whether nothing of it is left.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Gone(_)) || self.phase.has_changed().is_err()
    }

    /// Waits until nothing of it is left.
    pub(crate) async fn gone(&self) {
        let _ = self.phase.clone().wait_for(|phase| matches!(phase, Phase::Gone(_))).await;
    }

    /// Waits until the program itself is over.
    pub(crate) async fn end(&self) -> End {
        match self.phase.clone().wait_for(|phase| *phase != Phase::Running).await.as_deref() {
            Ok(Phase::Ended(end) | Phase::Gone(end)) => end.clone(),
            Ok(Phase::Running) | Err(_) => End::Killed,
        }
    }

    /// Waits until all output was read, but not for long: a process that cannot be ended may hold a pipe.
    pub(crate) async fn read_all(&self) {
        let all = async {
            for output in &self.outputs {
                let _ = output.state.subscribe().wait_for(|over| *over).await;
            }
        };
        let _ = tokio::time::timeout(LAST_OUTPUT, all).await;
    }

    /// Whether more was printed than is kept.
    pub(crate) fn is_truncated(&self) -> bool {
        self.truncated.load(Ordering::Relaxed)
    }

    /// Writes all of it; waits while the program does not read.
    ///
    /// # Errors
    /// When its standard input is closed, by it or by the guest.
    pub(crate) async fn write(&self, chunk: &[u8]) -> Result<(), String> {
        let mut stdin = self.stdin.lock().await;
        let Some(pipe) = stdin.as_mut() else {
            return Err("its standard input is closed".to_owned());
        };
        pipe.write_all(chunk).await.map_err(|error| format!("its standard input cannot be written: {error}"))
    }

    pub(crate) async fn close_stdin(&self) {
        self.stdin.lock().await.take();
    }

    /// Waits for output, and takes at most so much. Empty at its end.
    pub(crate) async fn take(&self, stream: Stream, most: usize) -> Vec<u8> {
        let output = &self.outputs[stream as usize];
        let mut state = output.state.subscribe();
        loop {
            // Before the look: what comes after it wakes this up.
            let over = *state.borrow_and_update();
            {
                let mut kept = output.kept.lock().unwrap_or_else(PoisonError::into_inner);
                if !kept.is_empty() || over {
                    let count = kept.len().min(most);
                    return kept.drain(..count).collect();
                }
            }
            if state.changed().await.is_err() {
                return Vec::new();
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads an output to its end, so that the program never waits for the guest; keeps what fits.
async fn read(mut pipe: pipe::Receiver, output: Arc<Output>, left: Arc<AtomicU64>, truncated: Arc<AtomicBool>) {
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = match pipe.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(count) => count as u64,
        };
        // Both outputs take from the same amount.
        let before = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(count)));
        let fits = before.unwrap_or(0).min(count);
        if fits < count {
            truncated.store(true, Ordering::Relaxed);
        }
        if fits > 0 {
            let fits = usize::try_from(fits).unwrap_or(0);
            output.kept.lock().unwrap_or_else(PoisonError::into_inner).extend(&chunk[..fits]);
            output.state.send_modify(|_| {});
        }
    }
    output.state.send_modify(|over| *over = true);
}

/// Hears from the supervisor until it is gone.
async fn follow(statuses: tokio::net::UnixStream, mut supervisor: tokio::process::Child, phases: watch::Sender<Phase>) {
    let mut lines = BufReader::new(statuses).lines();
    let mut end = End::Killed;
    while let Ok(Some(line)) = lines.next_line().await {
        end = match serde_json::from_str(&line) {
            Ok(Status::Ended { code, signal }) => End::Exit { code, signal },
            Ok(Status::Crowded) => End::Crowded,
            Ok(_) | Err(_) => continue,
        };
        phases.send_replace(Phase::Ended(end.clone()));
    }
    let _ = supervisor.wait().await;
    phases.send_replace(Phase::Gone(end));
}
