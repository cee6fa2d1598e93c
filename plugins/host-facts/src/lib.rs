//! Collects the facts of a host from files below a mounted root. Nothing runs, and nothing secret is read: no machine id, no serial
//! number, no private key, no password.

#![warn(missing_docs)]

pub mod accounts;
pub mod end_of_life;
pub mod facts;
pub mod findings;
pub mod hardware;
pub mod kernels;
pub mod network;
pub mod packages;
pub mod settings;
pub mod task;

orch_sdk::plugin! { "collect" => task::collect }
