module todo

go 1.24

require orch-wasm/sdk v0.0.0

replace orch-wasm/sdk => ./sdk
