//! The scheduler with a scripted runner and a store in memory: no sandbox, no disk, no clock of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod dispatch;
mod fakes;
mod gates;
mod random;
