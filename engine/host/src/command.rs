//! Plain programs as tasks: a component that exports `wasi:cli/run` and knows nothing of this engine. Its arguments and its
//! standard input are the task's input; its exit code and its standard output are the task's output.

use crate::failure;
use crate::guest::Guest;
use crate::sandbox::TaskDescription;
use orch_core::{Failure, FailureKind, Limits, PluginTask};
use serde::Deserialize;
use serde_json::json;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime::Store;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi::{I32Exit, WasiCtxBuilder};

/// The interface that makes a component a program, without its version.
pub(crate) const RUN: &str = "wasi:cli/run@";
/// The versions of it that this host speaks.
pub(crate) const RUN_VERSION: &str = "0.2.";

/// What such a task takes.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Input {
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    stdin: String,
    #[serde(default = "only_zero")]
    exit_codes: Vec<i32>,
}

fn only_zero() -> Vec<i32> {
    vec![0]
}

/// The schemas of every such task.
pub(crate) fn description() -> TaskDescription {
    let strings = json!({ "type": "array", "items": { "type": "string" } });
    let mut args = strings;
    args["description"] = json!("Its arguments, without its own name.");
    args["default"] = json!([]);
    TaskDescription {
        input: json!({
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "args": args,
                "stdin": { "type": "string", "default": "", "description": "What it reads from standard input." },
                "exit-codes": {
                    "type": "array", "items": { "type": "integer" }, "default": [0],
                    "description": "Exit codes that are no failure.",
                },
            },
        }),
        output: json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["exit-code", "stdout"],
            "properties": {
                "exit-code": { "type": "integer" },
                "stdout": { "type": "string", "description": "What it wrote to standard output." },
            },
        }),
    }
}

/// One run of a program.
pub(crate) struct Command {
    exit_codes: Vec<i32>,
    stdout: Captured,
}

impl Command {
    /// Gives it its streams; answers with its arguments. Standard error stays what it is for every guest: the log.
    pub(crate) fn prepare(
        wasi: &mut WasiCtxBuilder,
        plugin: &PluginTask,
        input: &str,
        limits: &Limits,
    ) -> Result<(Command, Vec<String>), Failure> {
        let Input { args, stdin, exit_codes } = serde_json::from_str(input).map_err(|error| {
            Failure::new(FailureKind::InvalidInput, format!("the input is not what a program takes: {error}"))
        })?;
        if args.iter().any(|argument| argument.contains('\0')) {
            return Err(Failure::new(FailureKind::InvalidInput, "an argument has a NUL character in it"));
        }
        let stdout =
            Captured { bytes: Arc::default(), most: usize::try_from(limits.output.bytes()).unwrap_or(usize::MAX) };
        wasi.stdin(MemoryInputPipe::new(stdin)).stdout(stdout.clone());
        let arguments = std::iter::once(plugin.name.name().to_owned()).chain(args).collect();
        Ok((Command { exit_codes, stdout }, arguments))
    }

    /// The output of the task, as JSON text.
    pub(crate) fn output(&self, code: i32, guest: &Guest, plugin: &PluginTask) -> Result<String, Failure> {
        if !self.exit_codes.contains(&code) {
            return Err(failure::of_exit(code, guest, plugin));
        }
        let stdout = String::from_utf8(self.stdout.take()).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let message = format!("what it wrote to standard output is no UTF-8 text, at byte {at}");
            Failure::new(FailureKind::InvalidOutput, message).with_fix("let it write to a file below a granted mount")
        })?;
        Ok(json!({ "exit-code": code, "stdout": stdout }).to_string())
    }
}

/// Runs it to its end; gives its exit code.
pub(crate) async fn run(pre: &CommandPre<Guest>, store: &mut Store<Guest>) -> wasmtime::Result<i32> {
    let ended = match pre.instantiate_async(&mut *store).await {
        Ok(command) => command.wasi_cli_run().call_run(store).await,
        Err(error) => Err(error),
    };
    match ended {
        Ok(Ok(())) => Ok(0),
        Ok(Err(())) => Ok(1),
        Err(error) => error.downcast_ref::<I32Exit>().map(|exit| exit.0).ok_or(error),
    }
}

/// The standard output of a program. Whoever writes more than the limit is ended: a program may well pass over an error.
#[derive(Clone)]
struct Captured {
    bytes: Arc<Mutex<Vec<u8>>>,
    most: usize,
}

/// A program wrote more than its task may return.
#[derive(Debug, thiserror::Error)]
#[error("more than {0} bytes of standard output")]
pub(crate) struct TooMuchOutput(usize);

/// How much a program may write at once.
const PERMIT: usize = 64 << 10;

impl Captured {
    fn add(&self, bytes: &[u8]) -> Result<(), TooMuchOutput> {
        let mut held = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        if held.len() + bytes.len() > self.most {
            return Err(TooMuchOutput(self.most));
        }
        held.extend_from_slice(bytes);
        Ok(())
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl IsTerminal for Captured {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Captured {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl OutputStream for Captured {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        self.add(&bytes).map_err(|error| StreamError::Trap(error.into()))
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PERMIT)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Captured {
    async fn ready(&mut self) {}
}

impl AsyncWrite for Captured {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Poll::Ready(self.add(bytes).map(|()| bytes.len()).map_err(std::io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
