//! Loops, sleeps and clocks.

use crate::{Answer, done, number, text};
use orch_sdk::{Host, TaskError};
use serde_json::{Value, json};
use wasip2::clocks::monotonic_clock::{subscribe_duration, subscribe_instant};
use wasip2::clocks::wall_clock::Datetime;
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{DescriptorFlags, NewTimestamp, OpenFlags, PathFlags};
use wasip2::io::poll;

/// Counts for ever. Says `started` first, so that a test knows.
pub fn spin(input: Value, host: &dyn Host) -> Answer {
    host.info("started");
    let mut memory = vec![1_u8; number(&input, "copy-mebibytes") as usize * (1 << 20)];
    let half = memory.len() / 2;
    let mut count = 0_u64;
    loop {
        count = std::hint::black_box(count.wrapping_add(1));
        if half > 0 {
            memory.copy_within(..half, half);
        }
    }
}

/// Waits until it is asked to stop, and does; with `ignore` it does not.
pub fn wait(input: Value, host: &dyn Host) -> Answer {
    host.info("started");
    while !host.is_cancelled() || input["ignore"] == true {
        subscribe_duration(1_000_000).block();
    }
    Err(TaskError::Cancelled)
}

/// Sleeps for `nanoseconds`.
pub fn sleep(input: Value, host: &dyn Host) -> Answer {
    host.info("started");
    subscribe_duration(number(&input, "nanoseconds")).block();
    done("woke")
}

/// Polls `count` clocks that are a year away, `same` times the same one, or none at all.
pub fn poll(input: Value, host: &dyn Host) -> Answer {
    const YEAR: u64 = 365 * 86_400 * 1_000_000_000;
    let clocks: Vec<_> = (0..number(&input, "count")).map(|_| subscribe_duration(YEAR)).collect();
    let mut list: Vec<_> = clocks.iter().collect();
    if let Some(first) = clocks.first() {
        list.extend(std::iter::repeat_n(first, number(&input, "same") as usize));
    }
    host.info("started");
    done(poll::poll(&list).len())
}

/// Every call that takes a time, with `value`.
pub fn times(input: Value, _host: &dyn Host) -> Answer {
    let value = number(&input, "value");
    let nanoseconds = number(&input, "nanoseconds") as u32;
    Ok(match text(&input, "call") {
        "subscribe-duration" => orch_sdk::Outcome::Succeeded(json!(subscribe_duration(value).ready())),
        "subscribe-instant" => orch_sdk::Outcome::Succeeded(json!(subscribe_instant(value).ready())),
        "block-instant" => {
            subscribe_instant(value).block();
            orch_sdk::Outcome::Succeeded(json!(true))
        }
        "poll-duration" => {
            let (long, short) = (subscribe_duration(value), subscribe_duration(0));
            orch_sdk::Outcome::Succeeded(json!(poll::poll(&[&long, &short])))
        }
        call @ ("set-times" | "set-times-at") => {
            let folders = get_directories();
            let when = NewTimestamp::Timestamp(Datetime { seconds: value, nanoseconds });
            let answer = if call == "set-times" {
                let flags = DescriptorFlags::READ | DescriptorFlags::WRITE;
                folders[0]
                    .0
                    .open_at(PathFlags::empty(), "file", OpenFlags::CREATE, flags)
                    .and_then(|file| file.set_times(when, when))
            } else {
                folders[0].0.set_times_at(PathFlags::empty(), "file", when, when)
            };
            orch_sdk::Outcome::Succeeded(json!(
                answer.map_or_else(|error| error.name().to_owned(), |()| "ok".to_owned())
            ))
        }
        other => return Err(TaskError::InvalidInput(other.to_owned())),
    })
}
