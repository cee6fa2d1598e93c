//! Too much of everything that can be said or asked for.

use crate::{Answer, done, number, text};
use orch_sdk::Host;
use orch_sdk::guest::orch::task::{artifacts, context, findings, report};
use serde_json::{Value, json};
use wasip2::filesystem::preopens::get_directories;
use wasip2::filesystem::types::{DescriptorFlags, OpenFlags, PathFlags};

fn finding<'a>(title: &'a str, references: &'a [&'a str]) -> findings::Finding {
    findings::Finding {
        rule: "rule".into(),
        severity: findings::Severity::Low,
        status: findings::Status::Open,
        title: title.into(),
        detail: None,
        fingerprint: "f".into(),
        location: None,
        remediation: None,
        references: references.iter().map(|&reference| reference.to_owned()).collect(),
        data: None,
    }
}

/// One host call with as much as fits: `bytes` of text, or `count` items that all show the same text.
pub fn amplify(input: Value, _host: &dyn Host) -> Answer {
    let big = "x".repeat(number(&input, "bytes") as usize);
    let count = number(&input, "count") as usize;
    match text(&input, "call") {
        "log" => report::log(report::Level::Info, &big, &vec![(String::new(), String::new()); count]),
        // Each of the fields is its own copy in the host, and the same bytes here.
        "log-same" => {
            let fields: Vec<(String, String)> = vec![(String::new(), big); count];
            report::log(report::Level::Info, "", &fields);
        }
        "progress" => report::progress(1, None, Some(&big)),
        "has-capability" => {
            context::has_capability(&big);
        }
        "findings" => {
            let references = vec![big.as_str(); count];
            let _ = findings::emit(&[finding("title", &references)]);
        }
        "many-findings" => {
            let _ = findings::emit(&vec![finding(&big, &[]); count]);
        }
        "artifact-name" => {
            let _ = artifacts::create(&big, "text/plain");
        }
        "artifact-write" => {
            let artifact = artifacts::create("a", "text/plain").map_err(orch_sdk::TaskError::Failed)?;
            artifact.write(big.as_bytes()).map_err(orch_sdk::TaskError::Failed)?;
        }
        "stdout" => {
            let stream = wasip2::cli::stdout::get_stdout();
            let _ = stream.write(big.as_bytes());
        }
        "path" => {
            let folders = get_directories();
            let _ = folders[0].0.open_at(PathFlags::empty(), &big, OpenFlags::empty(), DescriptorFlags::READ);
        }
        "symlink" => {
            let folders = get_directories();
            let _ = folders[0].0.symlink_at(&big, "link");
        }
        "name-lookup" => {
            let network = wasip2::sockets::instance_network::instance_network();
            let _ = wasip2::sockets::ip_name_lookup::resolve_addresses(&network, &big);
        }
        other => return Err(orch_sdk::TaskError::InvalidInput(other.to_owned())),
    }
    done("returned")
}

/// Asks the host for more than there is.
pub fn ask(input: Value, _host: &dyn Host) -> Answer {
    let length = number(&input, "length");
    let folders = get_directories();
    let file = || {
        let flags = DescriptorFlags::READ | DescriptorFlags::WRITE;
        folders[0].0.open_at(PathFlags::empty(), "file", OpenFlags::CREATE, flags)
    };
    let got = match text(&input, "call") {
        "random" => wasip2::random::random::get_random_bytes(length).len() as u64,
        "insecure-random" => wasip2::random::insecure::get_insecure_random_bytes(length).len() as u64,
        "read" => match file().and_then(|file| file.read(length, 0)) {
            Ok((bytes, _)) => bytes.len() as u64,
            Err(error) => return done(error.name()),
        },
        "read-stream" | "blocking-read-stream" | "skip" => {
            let stream = file()
                .and_then(|file| file.read_via_stream(0))
                .map_err(|e| orch_sdk::TaskError::Failed(e.to_string()))?;
            let answer = match text(&input, "call") {
                "read-stream" => stream.read(length).map(|bytes| bytes.len() as u64),
                "skip" => stream.blocking_skip(length),
                _ => stream.blocking_read(length).map(|bytes| bytes.len() as u64),
            };
            match answer {
                Ok(length) => length,
                Err(error) => return done(format!("{error:?}")),
            }
        }
        "write-zeroes" | "blocking-write-zeroes" => {
            let stream = wasip2::cli::stdout::get_stdout();
            let answer = if text(&input, "call") == "write-zeroes" {
                stream.write_zeroes(length)
            } else {
                stream.blocking_write_zeroes_and_flush(length)
            };
            match answer {
                Ok(()) => length,
                Err(error) => return done(format!("{error:?}")),
            }
        }
        "write-zeroes-to-file" => {
            let stream = file()
                .and_then(|file| file.write_via_stream(0))
                .map_err(|e| orch_sdk::TaskError::Failed(e.to_string()))?;
            match stream.write_zeroes(length) {
                Ok(()) => length,
                Err(error) => return done(format!("{error:?}")),
            }
        }
        "splice" => {
            let from = file()
                .and_then(|file| file.read_via_stream(0))
                .map_err(|e| orch_sdk::TaskError::Failed(e.to_string()))?;
            match wasip2::cli::stdout::get_stdout().blocking_splice(&from, length) {
                Ok(length) => length,
                Err(error) => return done(format!("{error:?}")),
            }
        }
        "output" => return done(json!("x".repeat(length as usize))),
        other => return Err(orch_sdk::TaskError::InvalidInput(other.to_owned())),
    };
    done(got)
}

/// Says `count` times a line of `bytes` bytes through `to`.
pub fn flood(input: Value, _host: &dyn Host) -> Answer {
    let (bytes, count) = (number(&input, "bytes") as usize, number(&input, "count"));
    let line = "x".repeat(bytes);
    let ended = if input["open"] == true { line.clone() } else { format!("{line}\n") };
    let fields: Vec<(String, String)> = vec![(String::new(), String::new()); number(&input, "fields") as usize];
    let stream = match text(&input, "to") {
        "stderr" => Some(wasip2::cli::stderr::get_stderr()),
        "stdout" => Some(wasip2::cli::stdout::get_stdout()),
        _ => None,
    };
    let references = vec![""; number(&input, "references") as usize];
    let mut refused = 0_u64;
    for _ in 0..count {
        match (&stream, text(&input, "to")) {
            (Some(stream), _) => {
                for part in ended.as_bytes().chunks(4096) {
                    stream.blocking_write_and_flush(part).map_err(|e| orch_sdk::TaskError::Failed(format!("{e:?}")))?;
                }
            }
            (None, "findings") => {
                let mut one = finding(&line, &references);
                one.data = input["data"].as_str().map(str::to_owned);
                refused += u64::from(findings::emit(&[one]).is_err());
            }
            (None, "progress") => report::progress(1, None, Some(&line)),
            (None, _) => report::log(report::Level::Info, &line, &fields),
        }
    }
    done(refused)
}

/// Writes bytes that are no UTF-8 to standard output or error.
pub fn bytes(input: Value, _host: &dyn Host) -> Answer {
    let bytes: Vec<u8> =
        input["bytes"].as_array().into_iter().flatten().filter_map(|byte| byte.as_u64().map(|b| b as u8)).collect();
    let stream =
        if input["to"] == "stderr" { wasip2::cli::stderr::get_stderr() } else { wasip2::cli::stdout::get_stdout() };
    stream.blocking_write_and_flush(&bytes).map_err(|e| orch_sdk::TaskError::Failed(format!("{e:?}")))?;
    done(bytes.len())
}
