//! Plugin packages and where they come from: the manifest inside a component, signatures, the folder registry, the lock file.
//!
//! A package is one component with its manifest in a custom section. A registry is a folder of content-addressed components
//! and of signed, hash-chained index lines. `verify` is the only place that says yes to a package; everything here fails
//! closed. What a plugin may do once it runs is not decided here.

mod component;
mod error;
mod find;
mod folder;
mod index;
pub mod keys;
pub mod lock;
pub mod package;
mod publish;
mod refresh;
mod report;
mod schema;
mod similar;
mod statement;
mod storage;
mod validate;
mod verify;

pub use error::Error;
pub use find::{LockedRegistry, Terms, find_file};
pub use folder::{FolderRegistry, ListedPlugin, ListedVersion};
pub use index::IndexPosition;
pub use keys::{PublicKey, SigningKey};
pub use lock::{LockFile, LockSource, LockState, LockedPlugin};
pub use publish::{NewSigner, PublishOptions, Published};
pub use report::{Fact, FactState, PackageReport, verify_file};
pub use validate::Problem;
pub use verify::Check;

/// Bytes of a whole package: the host compiles nothing larger.
pub const MOST_PACKAGE_BYTES: u64 = 64 << 20;
