//! Every key of the language: those that this version does, and those that it refuses by name until it does them.
//!
//! The published JSON Schema is compared with these tables by a test.

use crate::read::Keys;

pub(crate) const WORKFLOW: Keys = Keys {
    of: "a workflow",
    known: &["schema", "name", "description", "labels", "timeout", "inputs", "defaults", "tasks", "outputs"],
    later: &[
        "on",
        "secrets",
        "concurrency",
        "priority",
        "on-failure",
        "finally",
        "permissions",
        "env",
        "undo",
        "retry",
        "cache",
    ],
};

pub(crate) const DEFAULTS: Keys = Keys {
    of: "`defaults`",
    known: &["timeout", "continue-on-error"],
    later: &["retry", "limits", "permissions", "cache"],
};

pub(crate) const INPUT: Keys = Keys {
    of: "an input",
    known: &["type", "description", "default", "required", "options"],
    later: &["secret", "pattern", "min", "max"],
};

pub(crate) const TASK: Keys = Keys {
    of: "a task",
    known: &["uses", "gate", "with", "needs", "if", "permissions", "limits", "timeout", "continue-on-error", "outputs"],
    later: &[
        "retry",
        "strategy",
        "for-each",
        "max-parallel",
        "approval",
        "rollout",
        "workflow",
        "undo",
        "on-failure",
        "finally",
        "cache",
        "concurrency",
        "priority",
        "secrets",
        "description",
        "name",
    ],
};

/// Keys that only a task with `uses` has.
pub(crate) const USES_ONLY: &[&str] = &["with", "permissions", "limits", "timeout", "outputs"];

pub(crate) const PERMISSIONS: Keys = Keys {
    of: "`permissions`",
    known: &["fs", "env", "artifacts"],
    later: &["net", "secrets", "exec", "kv", "clock", "random"],
};

pub(crate) const FS_GRANT: Keys = Keys { of: "a granted folder", known: &["mount", "path", "access"], later: &[] };

pub(crate) const LIMITS: Keys = Keys {
    of: "`limits`",
    known: &["memory", "log", "output", "findings", "artifacts"],
    later: &["cpu", "instances", "handles", "tables", "host-call", "log-line", "log-rate"],
};

pub(crate) const GATE: Keys = Keys { of: "a gate", known: &["baseline", "waivers", "checks"], later: &["approval"] };

pub(crate) const CHECK: Keys = Keys { of: "a check", known: &["id", "assert", "on-fail"], later: &["description"] };
