//! `env`: the named variables and no other. WASI hands out all of them at once, so the first look counts as a use of each.

use crate::guest::Guest;
use wasmtime::component::{HasSelf, Linker};
use wasmtime_wasi::p2::bindings::cli::environment::{Host, add_to_linker};

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)
}

impl Host for Guest {
    fn get_environment(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        for (name, _) in &self.env {
            self.audit.used(&format!("env {name}"));
        }
        Ok(self.env.clone())
    }

    fn get_arguments(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(self.arguments.clone())
    }

    fn initial_cwd(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(None)
    }
}
