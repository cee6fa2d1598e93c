//! The contract in `wit/`, as the host sees it.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "task-full",
    imports: {
        // What waits for a program. A guest that waits must not keep a thread.
        "orch:task/exec.spawn": async | trappable,
        "orch:task/exec.[method]process.write-stdin": async | trappable,
        "orch:task/exec.[method]process.close-stdin": async | trappable,
        "orch:task/exec.[method]process.read-stdout": async | trappable,
        "orch:task/exec.[method]process.read-stderr": async | trappable,
        "orch:task/exec.[method]process.wait": async | trappable,
        // What waits while another process writes.
        "orch:task/state.set": async | trappable,
        "orch:task/state.delete": async | trappable,
        default: trappable,
    },
    exports: { default: async },
    with: {
        "orch:task/artifacts.artifact": crate::cap::artifacts::OpenArtifact,
        "orch:task/exec.process": crate::cap::exec::OpenProcess,
        "orch:task/secrets.secret": crate::cap::secrets::OpenSecret,
    },
});
