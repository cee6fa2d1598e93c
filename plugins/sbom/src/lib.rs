//! `orch/sbom`: makes a CycloneDX bill of materials from the lock files and package databases of a tree.
//!
//! The lock files are read by `orch_plugin_lockfiles`; [`merge`](mod@merge) puts the packages together, and [`cyclonedx`] writes them.

#![warn(missing_docs)]

pub mod cyclonedx;
pub mod generate;
pub mod license;
pub mod merge;

pub use generate::{Input, Output, generate};

orch_sdk::plugin! { "generate" => generate }
