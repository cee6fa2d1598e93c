//! `soak`: more of what the test of the state machine, the random kills and the races over folders do, with fresh seeds, until the
//! time is up.

use crate::chores::{cargo, engine, say, start};
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};

/// Seeds of one round of the state machine, and of random kills.
const SEEDS: u64 = 2_000;
const KILLS: u64 = 60;
/// Seconds of a race for a folder.
const RACE: u64 = 60;

pub(crate) fn run(minutes: &str) -> Result<()> {
    let minutes: u64 = minutes.parse().context("`--minutes` takes a number")?;
    ensure!(minutes > 0, "a soak of nothing finds nothing");
    engine()?;
    let begun = Instant::now();
    let until = Duration::from_secs(minutes * 60);
    // Fresh seeds each day; every failure prints the one that replays it.
    let day = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs() / 86_400;
    let mut seed = day * 1_000_000_000;
    let (mut graphs, mut kills) = (0, 0);
    while begun.elapsed() < until {
        round("every_log_keeps_the_invariants", seed, SEEDS)?;
        round("d2_killed_at_random_moments", seed, KILLS)?;
        start(cargo().env("ORCH_TEST_SECONDS", RACE.to_string()).args([
            "test",
            "--package",
            "orch-tests",
            "f7_",
            "--",
            "--nocapture",
        ]))?;
        (graphs, kills) = (graphs + SEEDS, kills + KILLS);
        seed += SEEDS;
        say(&format!("{graphs} random workflows and {kills} random kills in {} min", begun.elapsed().as_secs() / 60));
    }
    Ok(())
}

fn round(test: &str, seed: u64, seeds: u64) -> Result<()> {
    start(cargo().env("ORCH_TEST_SEED", seed.to_string()).env("ORCH_TEST_SEEDS", seeds.to_string()).args([
        "test",
        "--package",
        "orch-tests",
        test,
    ]))
}
