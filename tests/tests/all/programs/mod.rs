//! Programs of the host (cases X1 to X8). What counts is what happened: files, processes and what a program was given, and not the
//! words of an error.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]
#![expect(clippy::print_stdout, reason = "measurements, for whoever looks at the output of a test")]

mod confined;
mod ending;
mod functions;
mod given;
pub(crate) mod world;

pub(crate) use functions::FUNCTIONS;
