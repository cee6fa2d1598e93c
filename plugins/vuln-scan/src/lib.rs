//! `orch/vuln-scan`: compares the packages of a tree, or of a bill of materials, with vulnerability records in the OSV format.
//!
//! `inventory` says which packages there are, `advisories` and `online` bring records to `matching`, which keeps those that concern a
//! package; `grouping` puts records of one vulnerability together, `vex` says which of them do not apply, and `scan` reports.

#![warn(missing_docs)]

pub mod advisories;
pub mod bill;
mod blocks;
pub mod cvss;
pub mod grouping;
pub mod inventory;
pub mod matching;
pub mod online;
pub mod purl;
pub mod ranges;
pub mod record;
pub mod scan;
pub mod skipped;
pub mod vex;

pub use scan::{Input, Output, scan};

orch_sdk::plugin! { "scan" => scan }
