//! What the checks of a profile mean.

pub mod accounts;
pub mod file;
pub mod formats;
pub mod mount;
pub mod setting;
pub mod system;

use crate::profile::Check;
use crate::root::Root;
use crate::verdict::Answer;

/// Answers a check. Its depth is bounded by that of the file it was read from.
pub fn answer(check: &Check, root: &Root) -> Answer {
    match check {
        Check::AllOf(parts) => Answer::all(parts.iter().map(|part| answer(part, root)).collect()),
        Check::AnyOf(parts) => Answer::any(parts.iter().map(|part| answer(part, root)).collect()),
        Check::Not(part) => answer(part, root).negated(),
        Check::File(it) => file::answer(it, root),
        Check::Setting(it) => setting::answer(it, root),
        Check::Mount(it) => mount::answer(it, root),
        Check::Package(it) => system::package(it, root),
        Check::User(it) => accounts::answer(it, root),
        Check::Service(it) => system::service(it, root),
        Check::KernelModule(it) => system::kernel_module(it, root),
    }
}

/// The 1-based number of a line.
pub(crate) fn number(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}
