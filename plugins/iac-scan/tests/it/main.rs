//! One binary for all tests of the whole task: they share their fixtures and link once.

mod common;
mod hostile;
mod readme;
mod rules;
mod task;
