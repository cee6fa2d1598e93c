//! Everything that a guest can reach, one file a capability. What is not linked here does not exist for a guest.
//!
//! `orch:*` interfaces without authority (`context`, `report`, `findings`) are always linked; `artifacts` is linked when the
//! plugin's manifest asks for it, and every function checks the grant. WASI is always linked and powerless: the programs that
//! compilers make import most of it whether they use it or not, so each use without a grant is refused and recorded instead.

pub(crate) mod artifacts;
mod context;
mod env;
mod findings;
pub(crate) mod fs;
pub(crate) mod log;
mod net;
mod report;
mod stdio;

pub(crate) use stdio::GuestOutput;

use crate::bindings::orch::task as contract;
use crate::guest::Guest;
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView};
use wasmtime_wasi::p2::bindings::{cli, clocks, random, sockets};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView};
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView};

/// Interfaces without authority and powerless WASI.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    contract::context::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)?;
    contract::report::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)?;
    contract::findings::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)?;
    contract::task_types::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)?;

    // Clocks and random numbers are real; neither reaches anything.
    clocks::wall_clock::add_to_linker::<Guest, WasiClocks>(linker, Guest::clocks)?;
    clocks::monotonic_clock::add_to_linker::<Guest, WasiClocks>(linker, Guest::clocks)?;
    random::random::add_to_linker::<Guest, WasiRandom>(linker, Guest::random)?;
    random::insecure::add_to_linker::<Guest, WasiRandom>(linker, Guest::random)?;
    random::insecure_seed::add_to_linker::<Guest, WasiRandom>(linker, Guest::random)?;
    wasmtime_wasi_io_link(linker)?;

    env::link(linker)?;
    fs::link(linker)?;
    net::link(linker)?;

    // Standard input is closed; output goes to the task's log (`stdio`); no stream is a terminal.
    cli::exit::add_to_linker::<Guest, WasiCli>(linker, Guest::cli)?;
    cli::stdin::add_to_linker::<Guest, WasiCli>(linker, Guest::cli)?;
    cli::stdout::add_to_linker::<Guest, WasiCli>(linker, Guest::cli)?;
    cli::stderr::add_to_linker::<Guest, WasiCli>(linker, Guest::cli)?;
    cli::terminal_input::add_to_linker::<Guest, WasiCli>(linker, Guest::cli)?;
    cli::terminal_output::add_to_linker::<Guest, WasiCli>(linker, Guest::cli)?;
    cli::terminal_stdin::add_to_linker::<Guest, WasiCli>(linker, Guest::cli)?;
    cli::terminal_stdout::add_to_linker::<Guest, WasiCli>(linker, Guest::cli)?;
    cli::terminal_stderr::add_to_linker::<Guest, WasiCli>(linker, Guest::cli)?;

    // Without a socket, which `net` never gives, these do nothing.
    sockets::tcp::add_to_linker::<Guest, WasiSockets>(linker, Guest::sockets)?;
    sockets::udp::add_to_linker::<Guest, WasiSockets>(linker, Guest::sockets)?;
    sockets::instance_network::add_to_linker::<Guest, WasiSockets>(linker, Guest::sockets)?;
    sockets::network::add_to_linker::<Guest, WasiSockets>(
        linker,
        &sockets::network::LinkOptions::default(),
        Guest::sockets,
    )
}

impl contract::task_types::Host for Guest {}

fn wasmtime_wasi_io_link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    use wasmtime::component::ResourceTable;
    use wasmtime_wasi::p2::bindings::io;
    struct Io;
    impl wasmtime::component::HasData for Io {
        type Data<'a> = &'a mut ResourceTable;
    }
    io::error::add_to_linker::<Guest, Io>(linker, |guest| &mut guest.table)?;
    io::poll::add_to_linker::<Guest, Io>(linker, |guest| &mut guest.table)?;
    io::streams::add_to_linker::<Guest, Io>(linker, |guest| &mut guest.table)
}
