package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	orch "orch-wasm/sdk"
)

// One task for each part of the contract, the same in every language: the tests of the languages call them.
func init() {
	orch.Tasks(
		orch.Task{Name: "echo", Run: func(given json.RawMessage) (any, error) { return given, nil }},
		orch.Typed("read", "", "", func(given struct{ Path string }) (any, error) {
			text, err := os.ReadFile(given.Path)
			if err != nil {
				return nil, orch.Denied{Capability: "fs", Target: given.Path}
			}
			return map[string]string{"text": string(text)}, nil
		}),
		orch.Typed("end", "", "", end),
		orch.Typed("say", "", "", func(given struct{ Text string }) (any, error) {
			for level, name := range []string{"trace", "debug", "info", "warn", "error"} {
				orch.Log(orch.Level(level), given.Text, map[string]any{"level": name})
			}
			fmt.Println("printed")
			return nil, nil
		}),
		orch.Task{Name: "wait", Run: func(json.RawMessage) (any, error) {
			orch.Infof("started")
			for !orch.IsCancelled() {
			}
			return nil, orch.ErrCancelled
		}},
		orch.Task{Name: "grow", Run: func(json.RawMessage) (any, error) {
			for held := [][]byte{}; ; {
				held = append(held, make([]byte, 1<<20))
			}
		}},
	)
}

func end(given struct{ How string }) (any, error) {
	switch given.How {
	case "rejected":
		return orch.Rejected{Output: map[string]bool{"no": true}}, nil
	case "skipped":
		return orch.Skipped{Reason: "nothing to do"}, nil
	case "invalid-input":
		return nil, orch.InvalidInput("how: é is no way")
	case "dependency":
		return nil, orch.Dependency{Target: "service", Message: "it is away", Retryable: true}
	case "failed":
		return nil, errors.New("it broke")
	case "trap":
		panic("a bug")
	}
	return nil, orch.InvalidInput("how: unknown")
}
