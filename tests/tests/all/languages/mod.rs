//! Plugins in every language: the same task set, the same cases, the same answers.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod contract;
mod kit;
mod programs;
mod sdks;
