//! One task, warm: what the engine adds to wasmtime with the same guest, allocator and configuration.

use crate::Paths;
use crate::numbers::{Report, Samples, ratio, time};
use crate::setup::{self, Loaded};
use anyhow::Result;
use orch_core::{
    Attempt, Effective, Finding, Limits, LiveEvents, LogLevel, PluginTask, Refusal, RunId, StoredArtifact, TaskRunner,
};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtime::component::{Component, Linker, ResourceTable};
use wasmtime::{Config, Engine, Store};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// Keeps nothing.
pub(crate) struct Quiet;

impl LiveEvents for Quiet {
    fn log(&self, _: LogLevel, _: String, _: Vec<(String, String)>) {}
    fn progress(&self, _: u64, _: Option<u64>, _: Option<String>) {}
    fn findings(&self, _: Vec<Finding>) {}
    fn refused(&self, _: Refusal) {}
    fn stored(&self, _: StoredArtifact) {}
}

struct Bare {
    table: ResourceTable,
    wasi: WasiCtx,
}

impl WasiView for Bare {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

pub(crate) fn measure(paths: &Paths, table: &mut Report) -> Result<()> {
    println!("one task, warm, 1 KiB of JSON in and out");
    let rounds = if paths.quick { 2_000 } else { 20_000 };
    let input = serde_json::json!({ "text": "x".repeat(1_010) }).to_string();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let echo = setup::echo(paths)?;
    // Alternating blocks, so that what else the machine does falls on both.
    let (mut engine, mut floor) = (Vec::new(), Vec::new());
    let bare = bare(paths)?;
    for _ in 0..10 {
        runtime.block_on(async {
            engine.extend(through_engine(&echo, &input, rounds / 10).await?);
            floor.extend(bare.run(&input, rounds / 10).await?);
            anyhow::Ok(())
        })?;
    }
    let (engine, floor) = (Samples::new(engine), Samples::new(floor));
    table.row(
        "one task, median",
        time(engine.median()),
        format!("{} wasmtime alone", time(floor.median())),
        ratio(engine.median(), floor.median()),
        "ratio ≤ 1.5",
    );
    table.row(
        "one task, p99",
        time(engine.percentile(0.99)),
        format!("{} wasmtime alone", time(floor.percentile(0.99))),
        ratio(engine.percentile(0.99), floor.percentile(0.99)),
        "≤ 200 µs",
    );
    Ok(())
}

async fn through_engine(echo: &Loaded, input: &str, rounds: usize) -> Result<Vec<Duration>> {
    let plugin = Arc::new(PluginTask {
        name: echo.found.manifest.name.clone(),
        version: echo.found.manifest.version.clone(),
        digest: echo.found.digest,
        task: "echo".parse()?,
    });
    let (grants, limits) = (Arc::new(Effective::default()), Arc::new(Limits::default()));
    let run = RunId::try_from("0".repeat(32))?;
    let task = "bench".parse()?;
    let live: Arc<dyn LiveEvents> = Arc::new(Quiet);
    let mut samples = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let attempt = Attempt {
            run: run.clone(),
            task: orch_core::TaskId::clone(&task).into(),
            workflow: "test".into(),
            dry_run: false,
            number: 1,
            plugin: Arc::clone(&plugin),
            input: input.to_owned(),
            grants: Arc::clone(&grants),
            limits: Arc::clone(&limits),
            timeout: Duration::from_secs(10),
            upstream: Vec::new(),
            findings: Vec::new(),
            cancel: Box::pin(std::future::pending()),
        };
        let begun = Instant::now();
        let result = echo.host.run(attempt, Arc::clone(&live)).await;
        samples.push(begun.elapsed());
        anyhow::ensure!(result.result.is_ok(), "{result:?}");
    }
    Ok(samples)
}

/// wasmtime without an engine around it: a store, an instance, a call.
struct Floor {
    engine: Engine,
    pre: wasmtime::component::InstancePre<Bare>,
}

fn bare(paths: &Paths) -> Result<Floor> {
    let fine = |error: wasmtime::Error| anyhow::anyhow!("{error:#}");
    let mut config = Config::new();
    config.epoch_interruption(true).native_unwind_info(false).generate_address_map(false).wasm_memory64(false);
    let engine = Engine::new(&config).map_err(fine)?;
    let component = Component::from_file(&engine, &paths.echo).map_err(fine)?;
    let mut linker: Linker<Bare> = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(fine)?;
    linker.define_unknown_imports_as_traps(&component).map_err(fine)?;
    let pre = linker.instantiate_pre(&component).map_err(fine)?;
    Ok(Floor { engine, pre })
}

impl Floor {
    async fn run(&self, input: &str, rounds: usize) -> Result<Vec<Duration>> {
        use wasmtime::component::Val;
        let fine = |error: wasmtime::Error| anyhow::anyhow!("{error:#}");
        let interface = self.pre.component().get_export_index(None, "orch:task/runner@0.1.0");
        let run = interface.and_then(|interface| self.pre.component().get_export_index(Some(&interface), "run"));
        let run = run.ok_or_else(|| anyhow::anyhow!("the component has no `run`"))?;
        let mut samples = Vec::with_capacity(rounds);
        for _ in 0..rounds {
            let arguments = [Val::String("echo".into()), Val::String(input.to_owned())];
            let begun = Instant::now();
            let mut store =
                Store::new(&self.engine, Bare { table: ResourceTable::new(), wasi: WasiCtx::builder().build() });
            store.set_epoch_deadline(1_000_000);
            let instance = self.pre.instantiate_async(&mut store).await.map_err(fine)?;
            let function = instance.get_func(&mut store, run).ok_or_else(|| anyhow::anyhow!("`run` is no function"))?;
            let mut results = [Val::Bool(false)];
            function.call_async(&mut store, &arguments, &mut results).await.map_err(fine)?;
            drop(store);
            samples.push(begun.elapsed());
            anyhow::ensure!(matches!(&results[0], Val::Result(Ok(Some(_)))), "{results:?}");
        }
        Ok(samples)
    }
}
