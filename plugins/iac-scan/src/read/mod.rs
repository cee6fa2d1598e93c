//! Readers of the formats. Each is bounded in size, depth and count, and answers with a tree or a reason.

pub mod dockerfile;
pub mod hcl;
pub mod image;
pub mod secret;
pub mod shell;
pub mod yaml;
