package orch

import (
	"encoding/json"
	"errors"
	"fmt"
	"sort"

	context "orch-wasm/sdk/internal/bindings/orch_task_context"
	findings "orch-wasm/sdk/internal/bindings/orch_task_findings"
	report "orch-wasm/sdk/internal/bindings/orch_task_report"
	wit "orch-wasm/sdk/internal/wit/types"
)

// Level is how much a log line matters.
type Level = report.Level

// The levels.
const (
	Trace Level = iota
	Debug
	Info
	Warn
	Error
)

// Severity is how bad a finding is.
type Severity = findings.Severity

// The severities.
const (
	Harmless Severity = iota
	Low
	Medium
	High
	Critical
)

// Status is what a finding says about its rule.
type Status = findings.Status

// The statuses.
const (
	Open Status = iota
	Passed
	NotApplicable
	Unchecked
)

// Location is where a finding is: relative to the mount that was scanned. Line and column count from 1; 0 is none.
type Location struct {
	Path                  string
	Line, Column, EndLine uint32
}

// Finding is one result of one rule. Its fingerprint names the same problem from run to run: make it of rule, path and content,
// never of a line number alone.
type Finding struct {
	Rule        string
	Severity    Severity
	Status      Status
	Title       string
	Detail      string
	Fingerprint string
	Location    *Location
	Remediation string
	References  []string
	Data        any
}

// Mount is the folder at which a granted mount is found. Use the package os below it.
func Mount(name string) (string, error) {
	if !HasCapability("fs:" + name) {
		return "", Denied{"fs", name}
	}
	return "/" + name, nil
}

// HasCapability is whether something was granted: `fs:<mount>`, `env:<NAME>`.
func HasCapability(name string) bool { return context.HasCapability(name) }

// IsCancelled is whether the host wants the task to stop; it is ended soon after. Long loops ask now and then and return
// ErrCancelled.
func IsCancelled() bool { return context.IsCancelled() }

// Log writes a log line.
func Log(level Level, message string, fields map[string]any) {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	sort.Strings(names)
	pairs := make([]wit.Tuple2[string, string], 0, len(fields))
	for _, name := range names {
		pairs = append(pairs, wit.Tuple2[string, string]{F0: name, F1: fmt.Sprint(fields[name])})
	}
	report.Log(level, message, pairs)
}

// Infof logs at info.
func Infof(format string, values ...any) { Log(Info, fmt.Sprintf(format, values...), nil) }

// Progress says how far the work is; a total of 0 is not known.
func Progress(done, total uint64, note string) {
	report.Progress(done, optional(total), optional(note))
}

// Emit adds findings to the run. The error says which limit was reached.
func Emit(items ...Finding) error {
	bound := make([]findings.Finding, 0, len(items))
	for _, item := range items {
		data := wit.None[string]()
		if item.Data != nil {
			text, err := json.Marshal(item.Data)
			if err != nil {
				return err
			}
			data = wit.Some(string(text))
		}
		place := wit.None[findings.Location]()
		if at := item.Location; at != nil {
			place = wit.Some(findings.Location{
				Path: at.Path, Line: optional(at.Line), Column: optional(at.Column), EndLine: optional(at.EndLine),
			})
		}
		bound = append(bound, findings.Finding{
			Rule: item.Rule, Severity: item.Severity, Status: item.Status, Title: item.Title,
			Detail: optional(item.Detail), Fingerprint: item.Fingerprint, Location: place,
			Remediation: optional(item.Remediation), References: item.References, Data: data,
		})
	}
	refused := uncollected(func() wit.Result[uint32, string] { return findings.Emit(bound) })
	if refused.Tag() == wit.ResultErr {
		return errors.New(refused.Err())
	}
	return nil
}

func optional[T comparable](value T) wit.Option[T] {
	var none T
	if value == none {
		return wit.None[T]()
	}
	return wit.Some(value)
}
