//! What the first-party plugins share, written once: reading trees of files within bounds, patterns, digests, findings and
//! artifacts.

#![warn(missing_docs)]

pub mod digest;
pub mod glob;
pub mod parse;
pub mod report;
pub mod root;
pub mod timestamp;
pub mod tree;
pub mod upstream;
pub mod version;
pub mod yaml;
