//! The tasks on systems of our own: databases, indexes and programs that tests write, also hostile ones.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod hostile;
mod outdated;
mod system;
mod update;
mod verify;
