//! Every key of the language: those that this version does, and those that it refuses by name until it does them.
//!
//! The published JSON Schema is compared with these tables by a test.

use crate::read::Keys;

pub(crate) const WORKFLOW: Keys = Keys {
    of: "a workflow",
    known: &[
        "schema",
        "name",
        "description",
        "labels",
        "priority",
        "timeout",
        "inputs",
        "secrets",
        "concurrency",
        "defaults",
        "tasks",
        "on-failure",
        "finally",
        "outputs",
    ],
    later: &["on", "permissions", "env", "undo", "retry", "cache"],
};

pub(crate) const DEFAULTS: Keys = Keys {
    of: "`defaults`",
    known: &["timeout", "retry", "limits", "cache", "continue-on-error"],
    later: &["permissions"],
};

pub(crate) const SECRET: Keys = Keys { of: "a secret", known: &["from"], later: &["description"] };

pub(crate) const CONCURRENCY: Keys =
    Keys { of: "`concurrency`", known: &["group", "limit", "queue", "on-conflict"], later: &[] };

pub(crate) const INPUT: Keys = Keys {
    of: "an input",
    known: &["type", "description", "default", "required", "options"],
    later: &["secret", "pattern", "min", "max"],
};

pub(crate) const TASK: Keys = Keys {
    of: "a task",
    known: &[
        "uses",
        "gate",
        "approval",
        "workflow",
        "with",
        "needs",
        "if",
        "permissions",
        "limits",
        "timeout",
        "retry",
        "strategy",
        "for-each",
        "max-parallel",
        "fail-fast",
        "continue-on-error",
        "cache",
        "undo",
        "outputs",
    ],
    later: &["rollout", "on-failure", "finally", "concurrency", "priority", "secrets", "description", "name"],
};

/// What a task can be; it has one of them.
pub(crate) const KINDS: &[&str] = &["uses", "gate", "approval", "workflow"];

/// Keys that only a task with `uses` has.
pub(crate) const USES_ONLY: &[&str] = &[
    "with",
    "permissions",
    "limits",
    "timeout",
    "retry",
    "strategy",
    "for-each",
    "max-parallel",
    "fail-fast",
    "cache",
    "undo",
    "outputs",
];

/// Those of them that a task with `workflow` has too.
pub(crate) const WORKFLOW_TOO: &[&str] = &["with", "timeout"];

pub(crate) const HOOK: Keys = Keys {
    of: "a task that runs at the end",
    known: &["uses", "with", "permissions", "limits", "timeout", "retry", "if", "continue-on-error"],
    later: &["workflow", "description", "name"],
};

pub(crate) const UNDO: Keys = Keys {
    of: "`undo`",
    known: &["uses", "with", "permissions", "limits", "timeout", "retry"],
    later: &["workflow", "description", "name"],
};

pub(crate) const TIMEOUT: Keys = Keys { of: "`timeout`", known: &["attempt", "task"], later: &[] };

pub(crate) const RETRY: Keys = Keys {
    of: "`retry`",
    known: &["attempts", "backoff", "initial", "max", "jitter", "retry-on", "budget"],
    later: &[],
};

pub(crate) const STRATEGY: Keys =
    Keys { of: "`strategy`", known: &["matrix", "max-parallel", "fail-fast"], later: &[] };

pub(crate) const APPROVAL: Keys =
    Keys { of: "an approval", known: &["prompt", "approvers", "required", "exclude-requester", "expires"], later: &[] };

pub(crate) const APPROVERS: Keys = Keys { of: "`approvers`", known: &["users", "groups"], later: &[] };

pub(crate) const PERMISSIONS: Keys = Keys {
    of: "`permissions`",
    known: &["fs", "net", "env", "secrets", "exec", "kv", "artifacts", "clock", "random"],
    later: &[],
};

pub(crate) const SECRET_GRANT: Keys =
    Keys { of: "a granted secret", known: &["name", "from", "reveal", "audience"], later: &[] };

pub(crate) const KV_GRANT: Keys = Keys { of: "a granted bucket", known: &["bucket", "quota"], later: &[] };

pub(crate) const FS_GRANT: Keys = Keys { of: "a granted folder", known: &["mount", "path", "access"], later: &[] };

pub(crate) const LIMITS: Keys = Keys {
    of: "`limits`",
    known: &["memory", "log", "output", "findings", "artifacts", "requests", "traffic", "exec-output"],
    later: &["cpu", "instances", "handles", "tables", "host-call", "log-line", "log-rate"],
};

pub(crate) const GATE: Keys = Keys { of: "a gate", known: &["baseline", "waivers", "checks"], later: &["approval"] };

pub(crate) const CHECK: Keys = Keys { of: "a check", known: &["id", "assert", "on-fail"], later: &["description"] };
