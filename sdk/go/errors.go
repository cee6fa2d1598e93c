package orch

import (
	"errors"
	"fmt"

	types "orch-wasm/sdk/internal/bindings/orch_task_task_types"
)

// InvalidInput says that the input does not fit: where and why.
type InvalidInput string

func (e InvalidInput) Error() string { return "invalid input: " + string(e) }

// Denied says that something was needed that was not granted.
type Denied struct{ Capability, Target string }

func (e Denied) Error() string {
	return fmt.Sprintf("`%s` was not granted for `%s`", e.Capability, e.Target)
}

// Dependency says that something outside the plugin broke.
type Dependency struct {
	Target, Message string
	// Retryable is whether the same call may succeed later.
	Retryable bool
}

func (e Dependency) Error() string { return fmt.Sprintf("`%s`: %s", e.Target, e.Message) }

// ErrCancelled is what a task returns that the host asked to stop.
var ErrCancelled = errors.New("cancelled")

// taskError is the error of the contract; every other error is `failed`.
func taskError(err error) types.TaskError {
	var invalid InvalidInput
	var denied Denied
	var dependency Dependency
	switch {
	case errors.As(err, &invalid):
		return types.MakeTaskErrorInvalidInput(string(invalid))
	case errors.As(err, &denied):
		return types.MakeTaskErrorDenied(types.Denial{Capability: denied.Capability, Target: denied.Target})
	case errors.As(err, &dependency):
		fault := types.Fault{Target: dependency.Target, Message: dependency.Message, Retryable: dependency.Retryable}
		return types.MakeTaskErrorDependency(fault)
	case errors.Is(err, ErrCancelled):
		return types.MakeTaskErrorCancelled()
	}
	return types.MakeTaskErrorFailed(err.Error())
}
