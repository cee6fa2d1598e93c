//! Runs that survive: the state machine against an independent reader of its logs, and the whole program killed wherever it hurts.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod damage;
mod disks;
mod graphs;
mod keeping;
mod kills;
mod model;
mod once;
mod planted;
mod shapes;
mod signals;
mod world;
