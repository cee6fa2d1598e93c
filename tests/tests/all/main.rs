//! The whole-system tests, in one binary: each further one would link the sandbox again.

mod cli;
mod durable;
mod first_party;
mod languages;
mod network;
mod programs;
mod recordings;
mod sandbox;
mod secrets;
