//! `orch-wasm`: the binary.

fn main() -> std::process::ExitCode {
    orch_wasm::main(std::sync::Arc::new(orch_core::NoFaults))
}
