//! The sandbox: runs one attempt of one task of a plugin that nobody has to trust. The only crate that names wasmtime.
//!
//! A component is checked for its size and shape ([`precheck`]), compiled in a child process with limits ([`compile`]), kept in
//! an authenticated cache ([`code_cache`]) and pre-linked once; every attempt gets a fresh store with exactly its grants.
//!
//! Everything a guest can reach stands in [`cap`], one file a capability.
// Loading our own compiled code is the one unsafe call; it stands alone in `code_cache/load.rs`.
#![deny(unsafe_code)]
#![forbid(unsafe_op_in_unsafe_fn)]

mod bindings;
mod cap;
mod code_cache;
mod command;
mod compile;
mod depends;
mod egress;
mod engine;
mod exec;
mod failure;
mod guest;
mod held_secrets;
mod limiter;
mod masked;
mod mounts;
mod precheck;
mod sandbox;
mod schemas;
mod tape;
mod timer;

pub use code_cache::{CacheError, CacheStats, CodeCache, CodeEntry};
pub use compile::{CompileError, CompileLimits, Compiler, compile_in_this_process};
pub use engine::engine_version;
pub use exec::{Launcher, exec_in_this_process};
pub use mounts::{MountProblem, check_mounts};
pub use precheck::{Imports, PrecheckError, precheck};
/// Points at which tests make the sandbox fail, or end the process.
pub const FAULT_POINTS: &[&str] = &["host.context.info"];

pub use sandbox::{Environment, Host, HostOptions, LoadError, TaskDescription};
pub use tape::{RecordedAttempt, Recording, RecordingError, Recordings, Replayed};
