//! Programs of the host. Every one gets a launcher: this program again, with a hidden verb, which stays as the supervisor of all
//! that the program starts and ends it when the engine says so or is gone.
//!
//! ```text
//! engine --socket--> supervisor --socket--> the same binary, which confines itself --exec--> the program
//! ```
//!
//! [`program`] checks the file that is to run, [`paths`] turns a guest's path into one of the host, [`launch`] starts a launcher and
//! [`process`] is the engine's end of a running program. In the launcher, [`supervise`] is the first of the two and [`confine`] the
//! second; [`wire`] is what they say to each other, [`tree`] finds and ends processes. The capability itself is `cap/exec.rs`.

mod confine;
pub(crate) mod launch;
pub(crate) mod paths;
pub(crate) mod process;
pub(crate) mod program;
mod supervise;
mod tree;
mod wire;

pub use launch::Launcher;

use wire::{Request, Role};

/// The launcher's whole work: reads from standard input, a socket, what it is and what to run. Returns the exit code.
pub fn exec_in_this_process() -> u8 {
    // Whatever this process inherited by mistake is nobody's here: nothing was opened yet but the three standard ones.
    if tree::close_inherited().is_err() {
        return 70;
    }
    let Ok((socket, request, files)) = wire::receive_from_stdin() else {
        return 70;
    };
    let Request { role, task } = request;
    match role {
        Role::Supervisor => supervise::supervise(&socket, task, files),
        Role::Program { supervisor } => confine::become_program(&socket, supervisor, &task, files),
    }
}
