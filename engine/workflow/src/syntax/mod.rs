//! The shape of the files that people write, for editors only: JSON Schemas are generated from these types, with the comments
//! as descriptions. Reading is done elsewhere, because it collects every problem with its place; a test compares the keys.
#![expect(dead_code, reason = "these types are never made; only their shape is used")]

mod manifest;
mod permissions;
mod policy;
mod waivers;
mod workflow;

pub(crate) use manifest::Manifest;
pub(crate) use policy::Policy;
pub(crate) use waivers::WaiversFile;
pub(crate) use workflow::Workflow;
