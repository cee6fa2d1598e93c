//! `orch/compliance-check`: compares a system's configuration with profiles of controls.
//!
//! [`profile`] says what a profile is and reads one, [`root`] looks at the system, [`checks`] decide over it,
//! [`import`] takes the results of other tools, [`hdf`] and [`junit`] write all of them, [`task`] puts them together.

#![warn(missing_docs)]

pub mod checks;
pub mod hdf;
pub mod import;
pub mod input;
pub mod junit;
pub mod outcome;
pub mod profile;
pub mod root;
pub mod task;
pub mod verdict;

pub use input::{Input, Output};
pub use task::check;

orch_sdk::plugin! { "check" => check }
