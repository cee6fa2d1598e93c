module orch-wasm/sdk

go 1.24
