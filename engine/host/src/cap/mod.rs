//! Everything that a guest can reach, one file a capability. What is not linked here does not exist for a guest.
//!
//! `orch:*` interfaces without authority (`context`, `report`, `findings`) are always linked; `artifacts`, `secrets`, `state` and `exec`
//! are linked when the plugin's manifest asks for them, and every function checks the grant. WASI is always linked and powerless: the programs that
//! compilers make import most of it whether they use it or not, so each use without a grant is refused and recorded instead.

pub(crate) mod artifacts;
pub(crate) mod clock;
mod context;
mod env;
pub(crate) mod exec;
mod findings;
pub(crate) mod fs;
pub(crate) mod http;
pub(crate) mod log;
pub(crate) mod net;
mod report;
pub(crate) mod secrets;
pub(crate) mod secrets_swap;
mod state;
mod stdio;
mod tcp;

pub(crate) use stdio::GuestOutput;

use crate::bindings::orch::task as contract;
use crate::guest::Guest;
use orch_core::Capability;
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::cli::{WasiCli, WasiCliView};
use wasmtime_wasi::p2::bindings::{cli, random, sockets};
use wasmtime_wasi::random::{WasiRandom, WasiRandomView};
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView};

/// Interfaces without authority and powerless WASI.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    contract::context::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)?;
    contract::report::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)?;
    contract::findings::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)?;
    contract::task_types::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)?;

    // Clocks and random numbers reach nothing.
    clock::link(linker)?;
    random::random::add_to_linker::<Guest, WasiRandom>(linker, Guest::random)?;
    random::insecure::add_to_linker::<Guest, WasiRandom>(linker, Guest::random)?;
    random::insecure_seed::add_to_linker::<Guest, WasiRandom>(linker, Guest::random)?;
    wasmtime_wasi_io_link(linker)?;

    env::link(linker)?;
    fs::link(linker)?;
    net::link(linker)?;
    http::link(linker)?;

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

    // Without a socket, which `net` gives only to those who are granted raw ones, these do nothing.
    sockets::udp::add_to_linker::<Guest, WasiSockets>(linker, Guest::sockets)?;
    sockets::instance_network::add_to_linker::<Guest, WasiSockets>(linker, Guest::sockets)?;
    sockets::network::add_to_linker::<Guest, WasiSockets>(
        linker,
        &sockets::network::LinkOptions::default(),
        Guest::sockets,
    )
}

/// Interfaces of ours with authority, for a plugin whose manifest asks for them.
pub(crate) fn link_asked(linker: &mut Linker<Guest>, asked: &[Capability]) -> wasmtime::Result<()> {
    for kind in asked {
        match kind {
            Capability::Artifacts => artifacts::link(linker)?,
            Capability::Secrets => secrets::link(linker)?,
            Capability::Kv => state::link(linker)?,
            Capability::Exec => exec::link(linker)?,
            // These come by WASI; findings are files.
            Capability::Fs | Capability::Net | Capability::Env | Capability::Findings => {}
        }
    }
    Ok(())
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
