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

/// What `cargo xtask soak`, or somebody who replays a failure, sets.
#[expect(clippy::disallowed_methods, reason = "a soak tells by the environment which seeds it wants")]
fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}
