//! Recordings: what an attempt got from outside is given again, and nothing outside is reached. The judges are counters of listeners,
//! files that were not changed and programs that are gone.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod cli;
mod files;
mod kit;
mod programs;
mod requests;
mod values;
