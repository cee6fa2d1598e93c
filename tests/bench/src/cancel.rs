//! How soon a cancelled task has ended, whatever it is in the midst of.

use crate::Paths;
use crate::numbers::{Report, Samples, time};
use crate::reach::{run, server};
use crate::setup::{self, Loaded};
use anyhow::Result;
use serde_json::{Value, json};
use std::io::Write;
use std::time::{Duration, Instant};

/// How long a task runs before it is cancelled: all of them are in the midst of it by then.
const HEAD_START: Duration = Duration::from_millis(60);

pub(crate) fn measure(paths: &Paths, table: &mut Report) -> Result<()> {
    println!("cancelling");
    let rounds = if paths.quick { 10 } else { 100 };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (net, work) = (setup::net(paths)?, setup::work(paths)?);
    let (programs, hostile) = (setup::programs(paths)?, setup::hostile(paths)?);
    let stalled = server(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
        std::mem::forget(stream.try_clone());
    })?;
    let body = json!({ "requests": [{ "scheme": "http", "authority": stalled.to_string(), "path": "/" }] });
    let child = json!([{ "do": "spawn", "alias": "child", "as": "p" }, { "do": "wait", "as": "p" }]);
    let value =
        |value: &str| json!({ "steps": [{ "op": "set", "bucket": setup::BUCKET, "key": "k", "value": value }] });
    // The place for it is made, and then somebody else writes to the same database and does not come to an end.
    let made = runtime.block_on(run(&hostile, "kept", value("before"), std::future::pending()))?;
    anyhow::ensure!(made.contains("Succeeded"), "{made}");
    let other = rusqlite::Connection::open(hostile.folder.path().join("state/state.db"))?;
    let kinds = [
        ("a loop", &work, "fibonacci", json!({ "n": 60 })),
        ("bulk copies of 64 MiB", &hostile, "spin", json!({ "copy-mebibytes": 128 })),
        ("a sleep", &work, "wait", json!({ "ms": 600_000 })),
        ("a stalled body", &net, "http", body),
        ("a lock that another process holds", &hostile, "kept", value("after")),
        ("a running program", &programs, "script", child),
    ];
    let mut all = Vec::new();
    other.execute_batch("BEGIN IMMEDIATE")?;
    for (what, loaded, task, input) in kinds {
        let once = || runtime.block_on(cancelled(loaded, task, &input));
        let samples = (0..rounds).map(|_| once()).collect::<Result<Vec<_>>>()?;
        all.extend(samples.iter().copied());
        row(table, &format!("cancel to end, {what}"), samples);
    }
    other.execute_batch("ROLLBACK")?;
    row(table, "cancel to end, all", all);
    Ok(())
}

/// From the wish to the end.
async fn cancelled(loaded: &Loaded, task: &str, input: &Value) -> Result<Duration> {
    let (wish, cancelled) = tokio::sync::oneshot::channel();
    let cancel = async {
        tokio::time::sleep(HEAD_START).await;
        let _ = wish.send(());
        Instant::now()
    };
    let end = async {
        let result = run(loaded, task, input.clone(), async move { drop(cancelled.await) }).await?;
        anyhow::Ok((result, Instant::now()))
    };
    let (asked, ended) = tokio::join!(cancel, end);
    let (result, ended) = ended?;
    anyhow::ensure!(result.contains("Cancelled"), "{task}: {result}");
    Ok(ended - asked)
}

fn row(table: &mut Report, what: &str, samples: Vec<Duration>) {
    let samples = Samples::new(samples);
    let measured = format!("{}, p99 {}", time(samples.median()), time(samples.percentile(0.99)));
    table.row(what, measured, "250 ms of grace".to_owned(), None, "p99 ≤ 1 s");
}
