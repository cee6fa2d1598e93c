//! One binary for all tests of the whole task: they share their fixtures and link once.

mod common;
mod generate;
mod hostile;
mod languages;
mod schema;
mod spdx;
mod systems;
