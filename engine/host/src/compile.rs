//! Compiling in a child process. Cranelift on a hostile component can take any time and memory, so it gets a process of its own
//! with limits that the kernel keeps, an empty environment, and nothing but two pipes.

use crate::engine;
use orch_core::{Digest, shorten, visible};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// What the child may use up.
#[derive(Debug, Clone, Copy)]
pub struct CompileLimits {
    /// Seconds of CPU, over all of its threads.
    pub cpu_seconds: u64,
    /// Bytes of address space.
    pub address_space: u64,
    /// Wall time.
    pub wall: Duration,
}

impl Default for CompileLimits {
    fn default() -> CompileLimits {
        // The largest honest component measured (Python, 18.5 MB) takes 6 s and 1.2 GB.
        CompileLimits { cpu_seconds: 30, address_space: 2 << 30, wall: Duration::from_secs(60) }
    }
}

/// Stack of the compiling threads: Cranelift recurses on nesting.
const STACK: usize = 64 << 20;

/// How many threads compile at once.
const MOST_THREADS: usize = 4;

/// The most machine code that is taken back from the child.
const MOST_CODE: u64 = 512 << 20;

/// Why there is no compiled code.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// It did not get started or could not be talked to.
    #[error("the compiler could not be run: {0}")]
    NotRun(#[from] std::io::Error),
    /// The compiler said no.
    #[error("it is not valid: {0}")]
    Invalid(String),
    /// It needed too much.
    #[error("compiling it takes more than {0}")]
    Limit(&'static str),
    /// It did so before, and the cache remembers.
    #[error("it failed before: {0}")]
    Remembered(String),
}

impl CompileError {
    /// Whether the same component would fail again, so that the failure is worth remembering. Wall time depends on what else the
    /// machine does.
    pub(crate) fn is_permanent(&self) -> bool {
        match self {
            CompileError::Invalid(_) => true,
            CompileError::Limit(what) => *what != WALL,
            CompileError::NotRun(_) | CompileError::Remembered(_) => false,
        }
    }
}

const WALL: &str = "60 s";
const CPU: &str = "30 s of CPU time";
const MEMORY: &str = "2 GiB of memory";

/// How to start the child: this program with a hidden verb.
#[derive(Debug, Clone)]
pub struct Compiler {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// What it may use up.
    pub limits: CompileLimits,
}

impl Compiler {
    /// Compiles a component.
    ///
    /// # Errors
    /// When it is not valid or needs too much.
    pub(crate) fn compile(&self, component: &[u8], digest: &Digest) -> Result<Vec<u8>, CompileError> {
        tracing::debug!(%digest, bytes = component.len(), "compiling");
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (Some(mut stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(CompileError::NotRun(std::io::Error::other("the child has no pipes")));
        };
        std::thread::scope(|scope| {
            // A child that dies early closes its end; its exit status tells more than the broken pipe does.
            scope.spawn(move || {
                let _ = stdin.write_all(component);
            });
            let (sender, finished) = mpsc::channel();
            scope.spawn(move || {
                let mut code = Vec::new();
                let read = stdout.take(MOST_CODE).read_to_end(&mut code).map(|_| code);
                let _ = sender.send(read);
            });
            let said = scope.spawn(move || {
                let mut text = Vec::new();
                let _ = stderr.take(64 << 10).read_to_end(&mut text);
                String::from_utf8_lossy(&text).into_owned()
            });
            let code = match finished.recv_timeout(self.limits.wall) {
                Ok(code) => code?,
                Err(_) => {
                    kill(&mut child);
                    return Err(CompileError::Limit(WALL));
                }
            };
            let status = child.wait()?;
            let said = said.join().unwrap_or_default();
            if status.success() { Ok(code) } else { Err(explain(status, &said)) }
        })
    }
}

fn kill(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// What a failed child means.
fn explain(status: ExitStatus, said: &str) -> CompileError {
    use std::os::unix::process::ExitStatusExt;
    // SIGXCPU (24) is the soft limit of CPU time. SIGKILL came from somebody else, such as a system out of memory.
    match (status.code(), status.signal()) {
        (Some(INVALID), _) => CompileError::Invalid(shorten(&visible(said.trim()), 600).into_owned()),
        (_, Some(24)) => CompileError::Limit(CPU),
        // An allocation that fails aborts the process (SIGABRT); a stack that cannot grow ends in SIGSEGV or SIGBUS.
        (_, Some(6 | 7 | 11)) => CompileError::Limit(MEMORY),
        _ => CompileError::NotRun(std::io::Error::other(format!("{status}: {}", shorten(&visible(said.trim()), 600)))),
    }
}

/// The child's exit code for a component that is not valid.
const INVALID: i32 = 65;

/// The child's whole work: limits itself, reads a component from standard input, writes machine code to standard output. Returns
/// the exit code.
pub fn compile_in_this_process(limits: CompileLimits) -> u8 {
    let set = |resource, most| setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) });
    // At the soft limit SIGXCPU comes, at the hard one SIGKILL: a second apart, so that the two can be told from each other.
    let cpu = Rlimit { current: Some(limits.cpu_seconds), maximum: Some(limits.cpu_seconds + 1) };
    let limited = set(Resource::As, limits.address_space)
        .and_then(|()| setrlimit(Resource::Cpu, cpu))
        .and_then(|()| set(Resource::Core, 0))
        // It writes to its pipe only; no file, however small.
        .and_then(|()| set(Resource::Fsize, 0));
    if limited.is_err() {
        return 70;
    }
    // Not one for each processor: on a large machine their stacks alone would be more than the address space.
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    if rayon::ThreadPoolBuilder::new().num_threads(threads).stack_size(STACK).build_global().is_err() {
        return 70;
    }
    let work = std::thread::Builder::new().stack_size(STACK).spawn(|| {
        let mut component = Vec::new();
        std::io::stdin().take(crate::precheck::MOST_BYTES as u64 + 1).read_to_end(&mut component)?;
        let compiled = engine::new().and_then(|engine| engine.precompile_component(&component));
        match compiled {
            Ok(code) => std::io::stdout().write_all(&code).map(|()| 0),
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "{error:#}");
                Ok(INVALID as u8)
            }
        }
    });
    match work.map(std::thread::JoinHandle::join) {
        Ok(Ok(Ok(code))) => code,
        _ => 70,
    }
}
