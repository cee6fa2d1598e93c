//! Reads the lock files and package databases of a tree, for every plugin that has to know which packages there are.
//!
//! `walk` finds the files, `read` hands each to its parser below [`parse`], and `review` and `manifests` say what they leave open.
//! It is a library of its own because a component can have the tasks of one plugin only.

#![warn(missing_docs)]

pub mod installed;
pub mod manifests;
pub mod model;
pub mod parse;
pub mod purl;
pub mod read;
pub mod review;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod walk;
pub mod workspaces;
