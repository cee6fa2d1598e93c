// Package orch is for writing orch-wasm plugins: a task is a function from a JSON value to a JSON value.
//
//	func init() { orch.Tasks(orch.Typed("greet", `{"type":"object"}`, `true`, greet)) }
//	func main() {}
package orch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sort"
	"strings"

	_ "orch-wasm/sdk/internal/bindings/export"
	types "orch-wasm/sdk/internal/bindings/orch_task_task_types"
	"orch-wasm/sdk/internal/bindings/runner"
	wit "orch-wasm/sdk/internal/wit/types"
)

// Task is a named task with its JSON Schemas (draft 2020-12) as text.
type Task struct {
	Name          string
	Input, Output string
	Run           func(input json.RawMessage) (any, error)
}

// Rejected is what a task returns that ran well and whose answer is no.
type Rejected struct{ Output any }

// Skipped is what a task returns that had nothing to do.
type Skipped struct{ Reason string }

var tasks []Task

// Tasks makes tasks known; call it from init.
func Tasks(more ...Task) { tasks = append(tasks, more...) }

// Typed makes a task of a function with a typed input. Fields that the type does not have are refused.
func Typed[I any](name, input, output string, run func(I) (any, error)) Task {
	return Task{name, input, output, func(text json.RawMessage) (any, error) {
		var given I
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&given); err != nil {
			var wrong *json.UnmarshalTypeError
			if errors.As(err, &wrong) && wrong.Field != "" {
				return nil, InvalidInput(fmt.Sprintf("%s: %s does not fit", wrong.Field, wrong.Value))
			}
			return nil, InvalidInput(strings.TrimPrefix(err.Error(), "json: "))
		}
		if _, err := decoder.Token(); err != io.EOF {
			return nil, InvalidInput("something stands behind the value")
		}
		return run(given)
	}}
}

// The collector must not begin inside of cabi_realloc, which the host calls for arguments: it would ask the host for the time, and
// no import may be called there. So it is off, but for the time in which a task's own code runs.
func init() {
	debug.SetGCPercent(-1)
	runner.Run = run
}

func run(task, input string) runner.Result {
	debug.SetGCPercent(100)
	defer debug.SetGCPercent(-1)
	outcome, err := dispatch(task, input)
	if err != nil {
		return wit.Err[types.Outcome, types.TaskError](taskError(err))
	}
	return wit.Ok[types.Outcome, types.TaskError](outcome)
}

// uncollected calls an import that gives text back: the host allocates it here.
func uncollected[T any](call func() T) T {
	debug.SetGCPercent(-1)
	defer debug.SetGCPercent(100)
	return call()
}

func dispatch(name, input string) (types.Outcome, error) {
	if name == "orch:describe" {
		all := map[string]map[string]json.RawMessage{}
		for _, task := range tasks {
			all[task.Name] = map[string]json.RawMessage{"input": schema(task.Input), "output": schema(task.Output)}
		}
		return outcome(all)
	}
	known := []string{}
	for _, task := range tasks {
		if task.Name == name {
			output, err := task.Run(json.RawMessage(input))
			if err != nil {
				return types.Outcome{}, err
			}
			return outcome(output)
		}
		known = append(known, "`"+task.Name+"`")
	}
	sort.Strings(known)
	return types.Outcome{}, InvalidInput(fmt.Sprintf("no task `%s` in this plugin (known: %s)", name, strings.Join(known, ", ")))
}

func schema(text string) json.RawMessage {
	if text == "" {
		return json.RawMessage("true")
	}
	return json.RawMessage(text)
}

func outcome(output any) (types.Outcome, error) {
	switch given := output.(type) {
	case Skipped:
		return types.MakeOutcomeSkipped(given.Reason), nil
	case Rejected:
		text, err := encode(given.Output)
		return types.MakeOutcomeRejected(text), err
	default:
		text, err := encode(output)
		return types.MakeOutcomeSucceeded(text), err
	}
}

func encode(value any) (string, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "", fmt.Errorf("the output is no JSON: %w", err)
	}
	return strings.TrimSuffix(text.String(), "\n"), nil
}
