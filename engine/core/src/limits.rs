//! What a task may use up: defaults, wishes and ceilings.

use crate::Size;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The limits of one attempt. Every one of them ends the task as `errored` with the limit's name when it is reached, except
/// those on logs, which cut the log with a marker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Linear memory, summed over all memories of the component.
    pub memory: Size,
    /// Elements of all tables.
    pub table_elements: u64,
    /// Core instances of the component.
    pub instances: u64,
    /// Open resources: files, streams, pollables, artifacts.
    pub handles: u64,
    /// Bytes that one host call may move.
    pub host_call: Size,
    /// Bytes of log of one attempt.
    pub log: Size,
    /// Bytes of one log line.
    pub log_line: Size,
    /// Log lines in one second.
    pub log_rate: u64,
    /// Bytes of the output.
    pub output: Size,
    /// Number of findings.
    pub findings: u64,
    /// Bytes of all artifacts.
    pub artifacts: Size,
    /// Requests and connections of one attempt.
    pub requests: u64,
    /// Bytes that requests and answers of one attempt have together.
    pub traffic: Size,
    /// Bytes that one program of the host may print.
    pub exec_output: Size,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            memory: Size::from_mib(256),
            table_elements: 100_000,
            instances: 64,
            handles: 10_000,
            host_call: Size::from_mib(16),
            log: Size::from_mib(10),
            log_line: Size::from_bytes(64 << 10),
            log_rate: 10_000,
            output: Size::from_mib(4),
            findings: 50_000,
            artifacts: Size::from_mib(1024),
            requests: 10_000,
            traffic: Size::from_mib(1024),
            exec_output: Size::from_mib(10),
        }
    }
}

/// The names of the limits that files may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitName {
    /// [`Limits::memory`]
    Memory,
    /// [`Limits::log`]
    Log,
    /// [`Limits::output`]
    Output,
    /// [`Limits::findings`]
    Findings,
    /// [`Limits::artifacts`]
    Artifacts,
    /// [`Limits::requests`]
    Requests,
    /// [`Limits::traffic`]
    Traffic,
    /// [`Limits::exec_output`]
    ExecOutput,
}

impl LimitName {
    /// The key in a workflow, manifest or policy.
    pub fn word(self) -> &'static str {
        match self {
            LimitName::Memory => "memory",
            LimitName::Log => "log",
            LimitName::Output => "output",
            LimitName::Findings => "findings",
            LimitName::Artifacts => "artifacts",
            LimitName::Requests => "requests",
            LimitName::Traffic => "traffic",
            LimitName::ExecOutput => "exec-output",
        }
    }
}

impl fmt::Display for LimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Limits as a manifest, a task or a policy states them; what is absent is left as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsRequest {
    /// See [`Limits::memory`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Size>,
    /// See [`Limits::log`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<Size>,
    /// See [`Limits::output`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Size>,
    /// See [`Limits::findings`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<u64>,
    /// See [`Limits::artifacts`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<Size>,
    /// See [`Limits::requests`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<u64>,
    /// See [`Limits::traffic`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Size>,
    /// See [`Limits::exec_output`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec_output: Option<Size>,
}

impl LimitsRequest {
    /// What this says, or else `other`.
    #[must_use]
    pub fn or(&self, other: &LimitsRequest) -> LimitsRequest {
        LimitsRequest {
            memory: self.memory.or(other.memory),
            log: self.log.or(other.log),
            output: self.output.or(other.output),
            findings: self.findings.or(other.findings),
            artifacts: self.artifacts.or(other.artifacts),
            requests: self.requests.or(other.requests),
            traffic: self.traffic.or(other.traffic),
            exec_output: self.exec_output.or(other.exec_output),
        }
    }

    /// The lower of both for each limit.
    #[must_use]
    pub fn lower(&self, other: &LimitsRequest) -> LimitsRequest {
        fn least<T: Ord + Copy>(one: Option<T>, other: Option<T>) -> Option<T> {
            one.into_iter().chain(other).min()
        }
        LimitsRequest {
            memory: least(self.memory, other.memory),
            log: least(self.log, other.log),
            output: least(self.output, other.output),
            findings: least(self.findings, other.findings),
            artifacts: least(self.artifacts, other.artifacts),
            requests: least(self.requests, other.requests),
            traffic: least(self.traffic, other.traffic),
            exec_output: least(self.exec_output, other.exec_output),
        }
    }
}

impl Limits {
    /// The limits of a task: the default, else what the plugin wishes; then what the task sets, which may only lower it;
    /// then the ceiling of the policy. Without a ceiling a plugin gets at most `CEILING_FACTOR` times the default.
    pub fn resolve(wished: &LimitsRequest, task: &LimitsRequest, ceiling: &LimitsRequest) -> Limits {
        let default = Limits::default();
        let size = |default: Size, wished: Option<Size>, task: Option<Size>, ceiling: Option<Size>| {
            let highest = ceiling.unwrap_or(Size::from_bytes(default.bytes() * CEILING_FACTOR));
            let base = wished.unwrap_or(default).min(highest);
            task.map_or(base, |task| task.min(base))
        };
        let count = |default: u64, wished: Option<u64>, task: Option<u64>, ceiling: Option<u64>| {
            let highest = ceiling.unwrap_or(default * CEILING_FACTOR);
            let base = wished.unwrap_or(default).min(highest);
            task.map_or(base, |task| task.min(base))
        };
        Limits {
            memory: size(default.memory, wished.memory, task.memory, ceiling.memory),
            log: size(default.log, wished.log, task.log, ceiling.log),
            output: size(default.output, wished.output, task.output, ceiling.output),
            findings: count(default.findings, wished.findings, task.findings, ceiling.findings),
            artifacts: size(default.artifacts, wished.artifacts, task.artifacts, ceiling.artifacts),
            requests: count(default.requests, wished.requests, task.requests, ceiling.requests),
            traffic: size(default.traffic, wished.traffic, task.traffic, ceiling.traffic),
            exec_output: size(default.exec_output, wished.exec_output, task.exec_output, ceiling.exec_output),
            ..default
        }
    }
}

/// How far above the default a plugin's own wish may go where no policy sets a ceiling.
const CEILING_FACTOR: u64 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(mib: u64) -> LimitsRequest {
        LimitsRequest { memory: Some(Size::from_mib(mib)), ..LimitsRequest::default() }
    }

    #[test]
    fn a_task_lowers_and_a_policy_caps() {
        let none = LimitsRequest::default();
        let resolved = |wished: &_, task: &_, ceiling: &_| Limits::resolve(wished, task, ceiling).memory;
        assert_eq!(resolved(&none, &none, &none), Size::from_mib(256));
        assert_eq!(resolved(&memory(512), &none, &none), Size::from_mib(512));
        assert_eq!(resolved(&memory(512), &memory(64), &none), Size::from_mib(64));
        assert_eq!(resolved(&none, &memory(512), &none), Size::from_mib(256), "a task cannot raise");
        assert_eq!(resolved(&memory(512), &none, &memory(300)), Size::from_mib(300));
        assert_eq!(resolved(&memory(1 << 20), &none, &none), Size::from_mib(1024), "nobody gets everything");
    }
}
