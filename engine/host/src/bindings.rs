//! The contract in `wit/`, as the host sees it.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "task-full",
    imports: { default: trappable },
    exports: { default: async },
    with: { "orch:task/artifacts.artifact": crate::cap::artifacts::OpenArtifact },
});
