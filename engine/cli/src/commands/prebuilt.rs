//! Programs that others have built: a component is taken as it is, a module for WASI preview 1 is turned into one.

use super::plugin::read_file;
use crate::failure::Failure;
use orch_core::{Code, visible};
use std::path::{Component, Path};
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER,
};
use wit_component::ComponentEncoder;

/// How a core module begins; a component has another number there.
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// The component that a manifest names.
pub(super) fn component(folder: &Path, name: &str) -> Result<Vec<u8>, Failure> {
    let path = Path::new(name);
    if name.is_empty() || !path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
        let message = format!("`component: {}` is no file below the folder of plugin.yaml", visible(name));
        return Err(Failure::new(Code::InvalidManifest, message).help("write a relative path without `..`"));
    }
    let bytes = read_file(&folder.join(path))?;
    if bytes.starts_with(CORE_MODULE) { adapted(name, &bytes) } else { Ok(bytes) }
}

/// A preview 1 module, with the adapter that speaks 0.2 for it.
fn adapted(name: &str, module: &[u8]) -> Result<Vec<u8>, Failure> {
    let encode = || {
        let mut encoder = ComponentEncoder::default();
        encoder.module(module)?;
        encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER)?;
        encoder.validate(true).encode()
    };
    encode().map_err(|error| {
        let message = format!("`{}` cannot be made a component: {}", visible(name), visible(&format!("{error:#}")));
        let help = "a module has to be a program for WASI preview 1: it imports `wasi_snapshot_preview1` alone and exports `_start`";
        Failure::new(Code::InvalidComponent, message).help(help)
    })
}
