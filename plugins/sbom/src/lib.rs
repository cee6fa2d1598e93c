//! `orch/sbom`: makes a CycloneDX bill of materials from the lock files and package databases of a tree.
//!
//! `walk` finds the files, `read` hands each to its parser below [`parse`], [`merge`](mod@merge) puts the packages together,
//! [`cyclonedx`] writes them, and `review` and `manifests` say what the lock files leave open.

#![warn(missing_docs)]

pub mod cyclonedx;
pub mod generate;
pub mod license;
pub mod manifests;
pub mod merge;
pub mod model;
pub mod parse;
pub mod purl;
pub mod read;
pub mod review;
pub mod walk;

pub use generate::{Input, Output, generate};

orch_sdk::plugin! { "generate" => generate }
