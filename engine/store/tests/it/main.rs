//! The store through its ports: what is acknowledged is there, in order, and what was changed is noticed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod blobs;
mod check;
mod faults;
mod format;
mod groups;
mod log;
mod owner;
mod people;
mod prune;
mod support;
