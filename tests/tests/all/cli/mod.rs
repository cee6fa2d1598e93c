//! The whole program from outside: each test starts the real binary in a folder and a home of its own.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod asks;
mod commands;
mod disk;
mod foreign;
mod forged;
mod going_on;
mod history;
pub(crate) mod kit;
mod language;
mod listed;
mod mounts;
pub(crate) mod newcomer;
pub(crate) mod packages;
mod people;
mod plugins;
pub(crate) mod program;
mod proof;
mod readme;
mod results;
mod runs;
mod supply_chain;
mod terminal;
mod workflows;
