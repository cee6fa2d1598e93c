//! `orch/notify`: tells people what a workflow has to say.
//!
//! [`message`] is what is said, [`webhook`] and [`mail`] carry it, [`send`](mod@send) is the task.

#![warn(missing_docs)]

pub mod mail;
pub mod message;
pub mod send;
pub mod webhook;

pub use send::{Input, Output, send};

orch_sdk::plugin! { "send" => send }
