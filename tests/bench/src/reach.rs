//! What reaching out costs: a granted request beside a plain client, and masking beside copying.

use crate::Paths;
use crate::numbers::{Report, Samples, ratio, time};
use crate::one::Quiet;
use crate::setup::{self, Loaded};
use anyhow::{Context, Result};
use orch_core::{
    Attempt, Effective, EffectiveBucket, EffectiveNet, Limits, LiveEvents, Masker, NetRule, PluginTask, RunId, Scheme,
    Secret, SecretName, Size, TaskRunner,
};
use serde_json::{Value, json};
use std::future::Future;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) fn measure(paths: &Paths, table: &mut Report) -> Result<()> {
    println!("requests and masking");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(requests(paths, &setup::net(paths)?, table))?;
    masking(paths, table)
}

/// Requests one after the other, each over a connection of its own, as the engine makes them.
async fn requests(paths: &Paths, net: &Loaded, table: &mut Report) -> Result<()> {
    let count = if paths.quick { 200 } else { 2_000 };
    let server = server(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    })?;
    let (mut engine, mut floor) = (Vec::new(), Vec::new());
    let of = |times: usize| json!({ "requests": [{ "scheme": "http", "authority": server.to_string(), "path": "/", "times": times }] });
    for _ in 0..10 {
        let mut took = [Duration::ZERO; 2];
        for (took, times) in took.iter_mut().zip([0, count / 10]) {
            let begun = Instant::now();
            let result = run(net, "http", of(times), std::future::pending()).await?;
            *took = begun.elapsed();
            anyhow::ensure!(result.contains("Succeeded"), "{result}");
        }
        engine.push((took[1] - took[0]) / u32::try_from(count / 10)?);
        let begun = Instant::now();
        for _ in 0..count / 10 {
            plain(server)?;
        }
        floor.push(begun.elapsed() / u32::try_from(count / 10)?);
    }
    let (engine, floor) = (Samples::new(engine).median(), Samples::new(floor).median());
    let plain = format!("{} plain client", time(floor));
    table.row("a granted HTTP request, loopback", time(engine), plain, ratio(engine, floor), "-");
    Ok(())
}

/// The same request without anything around it.
fn plain(server: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    stream.write_all(format!("GET / HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    anyhow::ensure!(answer.ends_with(b"ok"), "no answer");
    Ok(())
}

/// A server that reads a request on each connection and does something with it.
pub(crate) fn server(reply: impl Fn(&mut TcpStream) + Send + Sync + 'static) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = [0; 4096];
            if stream.read(&mut request).is_ok_and(|count| count > 0) {
                reply(&mut stream);
            }
        }
    });
    Ok(address)
}

/// A mebibyte of log, with secrets to look for that do not stand in it.
fn masking(paths: &Paths, table: &mut Report) -> Result<()> {
    let text =
        "2026-01-01T00:00:00Z info fetched https://example.org/a/b and wrote 1234 bytes to /out/file\n".repeat(11_400);
    let text = &text[..1 << 20];
    let rounds = if paths.quick { 20 } else { 200 };
    let copy = median(rounds, || drop(std::hint::black_box(text.to_owned())));
    for count in [1, 20] {
        let mut secrets = Vec::new();
        for number in 0..count {
            let secret = Secret::new(format!("made-up-value-{number:04}-of-a-secret")).map_err(anyhow::Error::msg)?;
            secrets.push((SecretName::try_from(format!("s{number}").as_str())?, secret));
        }
        let named: Vec<_> = secrets.iter().map(|(name, secret)| (name, secret)).collect();
        let masker = Masker::new(&named).map_err(anyhow::Error::msg)?;
        let took = median(rounds, || drop(std::hint::black_box(masker.mask(text))));
        let what = format!("masking 1 MiB, {count} secret{}", if count == 1 { "" } else { "s" });
        table.row(what, time(took), format!("{} a copy", time(copy)), ratio(took, copy), "-");
    }
    Ok(())
}

fn median(rounds: usize, mut once: impl FnMut()) -> Duration {
    let timed = || {
        let begun = Instant::now();
        once();
        begun.elapsed()
    };
    Samples::new(std::iter::repeat_with(timed).take(rounds).collect()).median()
}

/// Runs a task that may reach everything on loopback, run one program and keep values; says how it ended.
pub(crate) async fn run(
    loaded: &Loaded,
    task: &str,
    input: Value,
    cancelled: impl Future<Output = ()> + Send + 'static,
) -> Result<String> {
    let rule = NetRule {
        scheme: Some(Scheme::Http),
        host: "127.0.0.1".try_into().ok().context("an address")?,
        ports: Vec::new(),
        methods: Vec::new(),
        paths: Vec::new(),
        addresses: vec!["127.0.0.0/8".try_into().ok().context("a range")?],
    };
    let rules = || vec![rule.clone()];
    let net = EffectiveNet { asked: rules(), granted: rules(), allowed: rules(), ..EffectiveNet::default() };
    let limits = Limits { requests: u64::MAX, ..Limits::default() };
    let child = serde_json::from_value(json!({ "alias": "child", "program": "/usr/bin/sleep", "args": ["600"] }))?;
    let bucket = EffectiveBucket { bucket: setup::BUCKET.try_into()?, quota: Size::from_mib(1) };
    let attempt = Attempt {
        run: RunId::try_from("0".repeat(32))?,
        task: orch_core::TaskId::try_from("bench")?.into(),
        workflow: "bench".into(),
        dry_run: false,
        number: 1,
        plugin: Arc::new(PluginTask {
            name: loaded.found.manifest.name.clone(),
            version: loaded.found.manifest.version.clone(),
            digest: loaded.found.digest,
            task: task.parse()?,
        }),
        input: input.to_string(),
        grants: Arc::new(Effective { net, exec: vec![child], kv: vec![bucket], ..Effective::default() }),
        limits: Arc::new(limits),
        timeout: Duration::from_secs(600),
        upstream: Vec::new(),
        findings: Vec::new(),
        cancel: Box::pin(async move {
            cancelled.await;
            orch_core::CancelReason::Requested
        }),
    };
    let live: Arc<dyn LiveEvents> = Arc::new(Quiet);
    Ok(format!("{:?}", loaded.host.run(attempt, live).await.result))
}
