//! From a core module for WASI 0.1 to a component: the world's type goes in, and an adapter around it.

use crate::failure::Failure;
use anyhow::Context;
use orch_core::Code;
use std::path::Path;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

const ADAPTER: (&str, &[u8]) = (
    wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
    wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
);

/// The component of a core module that implements the world `task` of the contract in `wit`.
pub(super) fn component(module: &[u8], wit: &Path) -> anyhow::Result<Vec<u8>> {
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_path(wit).with_context(|| format!("`{}`", wit.display()))?;
    let world = resolve.select_world(&[package], Some("task"))?;
    let mut module = module.to_vec();
    let made = embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false).and_then(|()| {
        ComponentEncoder::default().validate(true).module(&module)?.adapter(ADAPTER.0, ADAPTER.1)?.encode()
    });
    made.map_err(|error| {
        let message = format!("the compiled module does not fit the contract: {error:#}");
        Failure::new(Code::BuildFailed, message)
            .help("remove the folder `sdk` and build again: it is written anew")
            .into()
    })
}
