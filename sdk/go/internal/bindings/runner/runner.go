// Package runner is what the generated export calls.
package runner

import (
	"orch-wasm/sdk/internal/bindings/orch_task_task_types"
	"orch-wasm/sdk/internal/wit/types"
)

// Result is what a task ends with.
type Result = wit_types.Result[orch_task_task_types.Outcome, orch_task_task_types.TaskError]

// Run is set by the package orch.
var Run func(task, input string) Result
