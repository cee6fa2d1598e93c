//! Memory, stack and handles.

use crate::{Answer, done, number, text};
use orch_sdk::guest::orch::task::artifacts;
use orch_sdk::{Host, TaskError};
use serde_json::{Value, json};
use wasip2::clocks::monotonic_clock::subscribe_duration;
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{DescriptorFlags, OpenFlags, PathFlags};

/// Takes memory, a mebibyte at a time, and touches it.
pub fn grow(input: Value, _host: &dyn Host) -> Answer {
    let mut all = Vec::new();
    for number in 0..number(&input, "mebibytes") {
        all.push(vec![number as u8 | 1; 1 << 20]);
    }
    done(all.iter().map(Vec::len).sum::<usize>())
}

#[inline(never)]
#[expect(unconditional_recursion, reason = "that is the attack")]
fn deeper(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 16]);
    deeper(depth + 1).wrapping_add(frame[depth as usize % 16])
}

/// Recurses without end.
pub fn recurse(_input: Value, _host: &dyn Host) -> Answer {
    done(deeper(0))
}

/// Opens things and never closes them.
pub fn leak(input: Value, _host: &dyn Host) -> Answer {
    let count = number(&input, "count");
    let failed = |error: String| TaskError::Failed(error);
    let folders = get_directories();
    let folder = || folders.first().map(|(folder, _)| folder).ok_or_else(|| failed("no mount".into()));
    let open = |path: &str, flags: OpenFlags| {
        folder()?
            .open_at(PathFlags::empty(), path, flags, DescriptorFlags::READ)
            .map_err(|error| TaskError::Failed(error.to_string()))
    };
    for number in 0..count {
        match text(&input, "what") {
            "files" => std::mem::forget(open("file", OpenFlags::empty())?),
            "folders" => std::mem::forget(open(".", OpenFlags::DIRECTORY)?),
            "listings" => {
                std::mem::forget(folder()?.read_directory().map_err(|error| TaskError::Failed(error.to_string()))?);
            }
            // The descriptor is closed, its stream stays.
            "orphans" => {
                let file = open("file", OpenFlags::empty())?;
                std::mem::forget(file.read_via_stream(0).map_err(|error| TaskError::Failed(error.to_string()))?);
            }
            "streams" => {
                let file = open("file", OpenFlags::empty())?;
                std::mem::forget(file.read_via_stream(0).map_err(|error| TaskError::Failed(error.to_string()))?);
                std::mem::forget(file);
            }
            "preopens" => std::mem::forget(get_directories()),
            "pollables" => std::mem::forget(subscribe_duration(1)),
            "artifacts" => {
                let artifact = artifacts::create(&format!("a{number}"), "text/plain").map_err(TaskError::Failed)?;
                artifact.write(b"x").map_err(TaskError::Failed)?;
                std::mem::forget(artifact);
            }
            other => return Err(TaskError::InvalidInput(other.to_owned())),
        }
    }
    done(count)
}

/// Runs `steps` on one artifact: `write`, `finish`, `forget`; answers with what each gave.
pub fn artifact(input: Value, _host: &dyn Host) -> Answer {
    let artifact = match artifacts::create(text(&input, "name"), text(&input, "media-type")) {
        Ok(artifact) => artifact,
        Err(reason) => return done(json!([format!("create: {reason}")])),
    };
    let mut answers = vec!["create: ok".to_owned()];
    for step in input["steps"].as_array().into_iter().flatten() {
        let answer = match text(step, "op") {
            "write" => {
                let bytes = vec![b'x'; number(step, "bytes") as usize];
                artifact.write(&bytes).map(|total| total.to_string())
            }
            _ => artifact.finish(),
        };
        answers.push(match answer {
            Ok(answer) => format!("{}: ok {answer}", text(step, "op")),
            Err(reason) => format!("{}: {reason}", text(step, "op")),
        });
    }
    done(json!(answers))
}
