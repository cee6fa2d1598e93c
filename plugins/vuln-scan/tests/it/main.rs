//! One binary for all tests of the whole task: they link once.

mod common;
mod cvss;
mod ecosystems;
mod folder;
mod hostile;
mod online;
mod vex;
