//! One engine for all: its configuration is part of the key of compiled code.

use std::time::Duration;
use wasmtime::{Config, Engine};

/// How often running guests are interrupted to look at the clock. The error of a CPU deadline is about this long.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Bytes of stack for wasm frames. Host functions run on the rest of [`FIBER_STACK`].
const WASM_STACK: usize = 512 << 10;
const FIBER_STACK: usize = 2 << 20;

/// Which runtime this is, for `doctor` and for messages.
pub fn engine_version() -> &'static str {
    "wasmtime 48.0.8"
}

pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(FIBER_STACK)
        // No guest toolchain needs it, and a table or memory of 64 bits can ask for more than there is address space.
        .wasm_memory64(false)
        // Unwinding goes by frame pointers; the tables would only be registered and dropped with every load.
        .native_unwind_info(false)
        // Traps are told by function name. Line tables would make each entry of the code cache a third larger.
        .generate_address_map(false);
    config
}

pub(crate) fn new() -> wasmtime::Result<Engine> {
    Engine::new(&config())
}

/// Moves the epoch of an engine on until the engine is gone.
pub(crate) fn tick(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    std::thread::Builder::new().name("epoch".to_owned()).spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    })?;
    Ok(())
}
