//! What the whole-system tests share: a sandbox with everything it needs around it, guests that mean harm, and measurements.
//!
//! `clippy.toml` forbids the environment outside of the command line; test processes talk to their own children by it.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]
#![expect(clippy::disallowed_methods, reason = "see above")]

pub mod bombs;
mod call;
mod component;
mod isolated;
mod log_reader;
mod recorder;
mod sandbox;
mod snapshot;

pub use call::{Call, Ended};
pub use component::{
    Guest, HOSTILE_TASKS, NET_TASKS, StringEncoding as Encoding, guest_returning, hostile, net, programs, wat_guest,
    wat_guest_allocating, wat_guest_encoded, wat_guest_in,
};
pub use isolated::{
    alone, from_environment, marker, open_files, peak_memory, process_cpu, program, rerun_all, this_program, threads,
};
pub use log_reader::{Expected, check_log, outputs};
pub use recorder::{Line, Recorder, Seen};
pub use sandbox::{CountingCompiler, Interrupted, Interruption, Running, Sandbox, compiler};
pub use snapshot::Snapshot;
