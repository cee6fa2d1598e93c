//! `orch/secret-scan`: finds leaked credentials in a file tree.
//!
//! The pieces, in the order in which a scan uses them: [`config`] reads rules, [`walk`] finds files, [`detect`] searches one
//! file, [`secret`] masks and names what was found, [`baseline`] knows what was there before, [`scan()`] puts them together.

pub mod baseline;
pub mod config;
pub mod detect;
pub mod input;
pub mod pattern;
mod required;
pub mod rule;
pub mod ruleset;
mod scan;
pub mod secret;
pub mod walk;

pub use input::{ByteSize, Input, Output, Skipped, Suppressed};
pub use scan::scan;

orch_sdk::plugin! { "scan" => crate::scan }
