//! The store through its port: what is acknowledged is there, in order, and what was changed is noticed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod blobs;
mod log;
