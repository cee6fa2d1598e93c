//! `clock` and `random`. Real ones reach nothing, so every task may have them. Fixed ones are the same whenever the same task runs
//! with the same input: its result can then be used again, and compared.
//!
//! Fixed time of day stands still. The fixed counter goes on by a microsecond with every look, and by the length of every wait, which
//! itself takes its real time: a deadline on something else would otherwise be over at once.

use crate::guest::Guest;
use crate::timer::Timer;
use orch_core::{Digest, Entropy, PluginTaskName};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::clocks::{HostMonotonicClock, HostWallClock, WasiClocks, WasiClocksCtxView, WasiClocksView};
use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi::{WasiCtxBuilder, async_trait};

/// 2020-01-01T00:00:00Z: late enough for programs that hold an earlier time for a broken clock.
const FIXED_TIME: Duration = Duration::from_secs(1_577_836_800);

/// What a look at the fixed counter adds to it, in nanoseconds.
const LOOK: u64 = 1_000;

/// The fixed counter of one attempt; absent where time is real.
pub(crate) type FixedCounter = Option<Arc<AtomicU64>>;

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wall_clock::add_to_linker::<Guest, WasiClocks>(linker, Guest::clocks)?;
    monotonic_clock::add_to_linker::<Guest, Clocks>(linker, |guest| ClocksView {
        fixed: guest.counter.clone(),
        inner: WasiClocksCtxView { ctx: guest.wasi.clocks(), table: &mut guest.table },
    })
}

/// Sets up time and random numbers of one attempt.
pub(crate) fn build(
    wasi: &mut WasiCtxBuilder,
    clock: Entropy,
    random: Entropy,
    (component, task): (&Digest, &PluginTaskName),
    input: &str,
) -> FixedCounter {
    if random == Entropy::Fixed {
        let seed = |purpose: &str| {
            let text = format!("orch-random-v1\n{purpose}\n{component}\n{task}\n{input}");
            Digest::of(text.as_bytes())
        };
        let generator = |purpose: &str| ChaCha20Rng::from_seed(*seed(purpose).bytes());
        wasi.secure_random(generator("secure"));
        wasi.insecure_random(generator("insecure"));
        let mut number = [0; 16];
        number.copy_from_slice(&seed("seed").bytes()[..16]);
        wasi.insecure_random_seed(u128::from_be_bytes(number));
    }
    if clock == Entropy::Real {
        return None;
    }
    let counter = Arc::new(AtomicU64::new(0));
    wasi.wall_clock(FixedTime);
    wasi.monotonic_clock(Counter(Arc::clone(&counter)));
    Some(counter)
}

struct FixedTime;

impl HostWallClock for FixedTime {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        FIXED_TIME
    }
}

struct Counter(Arc<AtomicU64>);

impl HostMonotonicClock for Counter {
    fn resolution(&self) -> u64 {
        LOOK
    }

    fn now(&self) -> u64 {
        self.0.fetch_add(LOOK, Ordering::Relaxed)
    }
}

struct Clocks;

struct ClocksView<'a> {
    fixed: FixedCounter,
    inner: WasiClocksCtxView<'a>,
}

impl HasData for Clocks {
    type Data<'a> = ClocksView<'a>;
}

impl ClocksView<'_> {
    fn wait(&mut self, nanoseconds: u64) -> wasmtime::Result<Resource<DynPollable>> {
        // One that is over already lets others go on first, which is the runtime's to do.
        if nanoseconds == 0 {
            return monotonic_clock::Host::subscribe_duration(&mut self.inner, 0);
        }
        let after = self.fixed.take().map(|counter| {
            let until = counter.load(Ordering::Relaxed).saturating_add(nanoseconds);
            (counter, until)
        });
        // As far in the future as it is, the attempt's own time is over before.
        let at = Instant::now().checked_add(Duration::from_nanos(nanoseconds));
        let table: &mut ResourceTable = self.inner.table;
        let wait = table.push(Wait { at, after })?;
        subscribe(table, wait)
    }
}

/// A wait, and what the fixed counter is at least once it is over.
struct Wait {
    at: Option<Instant>,
    after: Option<(Arc<AtomicU64>, u64)>,
}

#[async_trait]
impl Pollable for Wait {
    async fn ready(&mut self) {
        match self.at {
            Some(at) => Timer::at(at).await,
            None => std::future::pending().await,
        }
        if let Some((counter, until)) = &self.after {
            counter.fetch_max(*until, Ordering::Relaxed);
        }
    }
}

impl monotonic_clock::Host for ClocksView<'_> {
    fn now(&mut self) -> wasmtime::Result<monotonic_clock::Instant> {
        self.inner.now()
    }

    fn resolution(&mut self) -> wasmtime::Result<monotonic_clock::Instant> {
        self.inner.resolution()
    }

    fn subscribe_instant(&mut self, when: monotonic_clock::Instant) -> wasmtime::Result<Resource<DynPollable>> {
        let now = match &self.fixed {
            // A look at it would let it go on.
            Some(counter) => counter.load(Ordering::Relaxed),
            None => self.inner.now()?,
        };
        self.wait(when.saturating_sub(now))
    }

    fn subscribe_duration(&mut self, duration: monotonic_clock::Duration) -> wasmtime::Result<Resource<DynPollable>> {
        self.wait(duration)
    }
}
