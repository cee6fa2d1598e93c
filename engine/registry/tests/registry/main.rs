//! The registry as its users see it: small components are published, damaged, withdrawn, locked and found again.

#![expect(clippy::unwrap_used, reason = "these are tests; the lint only knows functions with `#[test]`")]

mod concurrent;
mod endorse;
mod history;
mod hostile;
mod keys;
mod lock;
mod package;
mod publish;
mod support;
mod trust;
mod versions;
