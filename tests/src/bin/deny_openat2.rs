//! `orch-tests-deny-openat2 PROGRAM ARGUMENTS…` runs a program for which `openat2` fails with EPERM, as it does under container
//! runtimes with an old seccomp profile. The filter stays over `exec` and in every thread and child.

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

/// The same number on every architecture (`include/uapi/asm-generic/unistd.h`).
const OPENAT2: i64 = 437;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        return ExitCode::from(2);
    };
    let eperm = rustix::io::Errno::PERM.raw_os_error().unsigned_abs();
    let filter = std::env::consts::ARCH.try_into().map_err(|error| format!("{error:?}")).and_then(|architecture| {
        SeccompFilter::new(
            BTreeMap::from([(OPENAT2, Vec::new())]),
            SeccompAction::Allow,
            SeccompAction::Errno(eperm),
            architecture,
        )
        .and_then(BpfProgram::try_from)
        .map_err(|error| error.to_string())
    });
    match filter.and_then(|filter| seccompiler::apply_filter(&filter).map_err(|error| error.to_string())) {
        Ok(()) => {
            // Returns only when it failed.
            let error = Command::new(program).args(arguments).exec();
            report(&error.to_string())
        }
        Err(error) => report(&error),
    }
}

fn report(error: &str) -> ExitCode {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{error}");
    ExitCode::from(70)
}
