//! The one unsafe call of the project.
#![expect(unsafe_code, reason = "wasmtime cannot check that machine code is what it made itself; the code cache does")]

use wasmtime::Engine;
use wasmtime::component::Component;

/// Loads compiled code.
///
/// `code` must come from our own compiling child, directly or through [`super::CodeCache`]: both callers stand in
/// `sandbox.rs`, and no other path leads here.
pub(crate) fn load(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes are either what our own compiler process just wrote to its pipe, or were read once from the cache and
    // verified against an HMAC under a key that only this user can read, for this component and this engine's configuration.
    unsafe { Component::deserialize(engine, code) }
}
