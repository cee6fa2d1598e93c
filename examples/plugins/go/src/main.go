// Finds TODO and FIXME marks in the files that the input names. The tasks in contract.go are for the tests of the contract.
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	orch "orch-wasm/sdk"
)

const inputSchema = `{
  "type": "object",
  "properties": {"files": {"type": "array", "items": {"type": "string"}, "description": "files below the mount source"}},
  "required": ["files"],
  "additionalProperties": false
}`

const outputSchema = `{
  "type": "object",
  "properties": {"files": {"type": "integer"}, "marks": {"type": "integer"}},
  "required": ["files", "marks"],
  "additionalProperties": false
}`

type input struct {
	Files []string `json:"files"`
}

type output struct {
	Files int `json:"files"`
	Marks int `json:"marks"`
}

func scan(given input) (any, error) {
	if given.Files == nil {
		return nil, orch.InvalidInput("files: a list of paths is missing")
	}
	folder, err := orch.Mount("source")
	if err != nil {
		return nil, err
	}
	marks := 0
	for number, name := range given.Files {
		if orch.IsCancelled() {
			return nil, orch.ErrCancelled
		}
		if name == "" {
			return nil, orch.InvalidInput(fmt.Sprintf("files[%d]: a path is missing", number))
		}
		found, err := scanFile(folder, name)
		if err != nil {
			return nil, err
		}
		marks += found
		orch.Progress(uint64(number+1), uint64(len(given.Files)), name)
	}
	orch.Log(orch.Info, "scanned", map[string]any{"files": len(given.Files), "marks": marks})
	return output{len(given.Files), marks}, nil
}

func scanFile(folder, name string) (int, error) {
	text, err := os.ReadFile(folder + "/" + name)
	if errors.Is(err, fs.ErrPermission) {
		return 0, orch.Denied{Capability: "fs", Target: name}
	}
	if err != nil {
		// What could not be read is said, never passed over.
		return 0, orch.Emit(orch.Finding{
			Rule: "unread-file", Severity: orch.Medium, Status: orch.Unchecked, Title: err.Error(),
			Fingerprint: "unread-file:" + name, Location: &orch.Location{Path: name},
		})
	}
	found := []orch.Finding{}
	for number, line := range strings.Split(string(text), "\n") {
		if !strings.Contains(line, "TODO") && !strings.Contains(line, "FIXME") {
			continue
		}
		title := strings.TrimSpace(line)
		found = append(found, orch.Finding{
			Rule: "open-mark", Severity: orch.Low, Title: title, Fingerprint: "open-mark:" + name + ":" + title,
			Location: &orch.Location{Path: name, Line: uint32(number + 1)},
		})
	}
	return len(found), orch.Emit(found...)
}

func init() {
	orch.Tasks(orch.Typed("scan", inputSchema, outputSchema, scan))
}

func main() {}
