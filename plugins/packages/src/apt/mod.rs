//! What apt knows of packages that are to be had, read from the files it keeps: indexes, their releases, and preferences.

pub mod candidates;
pub mod indexes;
pub mod pins;
