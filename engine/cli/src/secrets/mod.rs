//! Where the values of secrets come from: the environment, files, programs, and this installation's own store.

mod bounded;
mod program;
mod prompt;
mod sources;
mod store;

pub(crate) use bounded::value_of;
pub(crate) use prompt::ask;
pub(crate) use sources::Sources;
pub(crate) use store::SecretStore;
