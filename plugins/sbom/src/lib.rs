//! `orch/sbom`: makes a bill of materials from the lock files and package databases of a tree.
//!
//! The lock files are read by `orch_plugin_lockfiles`; [`merge`](mod@merge) puts the packages together, and [`cyclonedx`] and
//! [`spdx`] write them.

#![warn(missing_docs)]

pub mod cyclonedx;
pub mod generate;
pub mod license;
pub mod merge;
pub mod spdx;

pub use generate::{Format, Input, Output, generate};

orch_sdk::plugin! { "generate" => generate }
