//! The task on systems of our own: every control of every built-in profile, and what is hostile or wrong.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod controls;
mod system;
mod task;
