//! The compiling child: the same code that `orch-wasm` runs for itself, in a program of its own, so that these tests need no
//! command line; and the launcher of programs. `orch-tests-compile [CPU_SECONDS [ADDRESS_SPACE_MIB]]` lowers the limits, for the tests of the limits.

use orch_host::{CompileLimits, compile_in_this_process, exec_in_this_process};
use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|verb| verb == "__exec") {
        return ExitCode::from(exec_in_this_process());
    }
    let mut limits = CompileLimits::default();
    let mut numbers = std::env::args().skip(1).filter_map(|text| text.parse::<u64>().ok());
    if let Some(seconds) = numbers.next() {
        limits.cpu_seconds = seconds;
    }
    if let Some(mebibytes) = numbers.next() {
        limits.address_space = mebibytes << 20;
    }
    ExitCode::from(compile_in_this_process(limits))
}
