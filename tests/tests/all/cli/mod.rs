//! The whole program from outside: each test starts the real binary in a folder and a home of its own.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod commands;
mod disk;
mod listed;
mod mounts;
mod newcomer;
mod packages;
mod plugins;
mod program;
mod readme;
mod runs;
mod terminal;
mod workflows;
