//! The task `decide`: what the tasks before left goes in, what the policies say comes out.

use crate::policies::{Policies, Rego, Said};
use orch_plugin_kit::digest::fingerprint;
use orch_plugin_kit::{report, upstream};
use orch_sdk::{Finding, Host, Outcome, Severity, Status, TaskError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

const MOUNT: &str = "policies";

/// Texts of policies are cut here: one that builds a text of megabytes tells nobody anything.
const LONGEST_TITLE: usize = 500;

/// What `decide` takes.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Input {
    /// What the policies see as `input.parameters`.
    #[serde(default)]
    pub parameters: Value,
    /// The packages whose rules count, such as `main`. Without it all.
    #[serde(default)]
    pub packages: Vec<String>,
    /// Whether the policies are written in the Rego of before OPA 1.0.
    #[serde(default)]
    pub rego_v0: bool,
}

/// What `decide` returns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Output {
    /// Whether nothing denies.
    pub allowed: bool,
    /// How many reasons to deny there are (`deny` and `violation`).
    pub denied: usize,
    /// How many warnings.
    pub warned: usize,
    /// The packages that were asked.
    pub packages: Vec<String>,
    /// How many findings they saw.
    pub findings: usize,
}

/// Lets the policies decide; rejects where one denies.
///
/// # Errors
/// When a policy cannot be read or evaluated, the mount is not granted, or the host wants the task to stop.
pub fn decide(input: Input, host: &dyn Host) -> Result<Outcome<Output>, TaskError> {
    let root = report::granted_mount(MOUNT, host)?;
    let version = if input.rego_v0 { Rego::V0 } else { Rego::V1 };
    let mut policies = Policies::read(&root, version)?;
    choose(&mut policies, &input.packages)?;
    let (seen, findings) = seen(&input, host)?;
    report::check_cancelled(host)?;
    host.info(&format!("{findings} findings before {} policy packages", policies.packages.len()));
    let said = policies.ask(&seen)?;
    report::check_cancelled(host)?;
    let warned = said.iter().filter(|one| one.rule == "warn").count();
    let output = Output {
        allowed: said.len() == warned,
        denied: said.len() - warned,
        warned,
        packages: policies.packages.iter().map(|name| name.trim_start_matches("data.").to_owned()).collect(),
        findings,
    };
    report::emit(said.iter().map(finding).collect(), host)?;
    Ok(if output.allowed { Outcome::Succeeded(output) } else { Outcome::Rejected(output) })
}

/// Leaves only the packages that were named. One that is not there would allow everything, so it is an error.
fn choose(policies: &mut Policies, named: &[String]) -> Result<(), TaskError> {
    for (number, name) in named.iter().enumerate() {
        if !policies.packages.contains(&format!("data.{name}")) {
            let known: Vec<_> = policies.packages.iter().map(|name| name.trim_start_matches("data.")).collect();
            let reason = format!("`packages[{number}]`: there is no package `{name}`; known: {}", known.join(", "));
            return Err(TaskError::InvalidInput(reason));
        }
    }
    if !named.is_empty() {
        policies.packages.retain(|name| named.iter().any(|one| name.strip_prefix("data.") == Some(one)));
    }
    Ok(())
}

/// What the policies see, and how many findings are in it.
fn seen(input: &Input, host: &dyn Host) -> Result<(Value, usize), TaskError> {
    let (mut findings, mut artifacts) = (Vec::new(), Map::new());
    for before in upstream::tasks(host) {
        for finding in before.findings()? {
            let mut finding = serde_json::to_value(finding)
                .map_err(|error| TaskError::Failed(format!("a finding of `{}` is no JSON: {error}", before.task)))?;
            finding["task"] = Value::String(before.task.clone());
            findings.push(finding);
        }
        let mut documents = Map::new();
        for name in before.artifacts.iter().filter(|name| name.ends_with(".json")) {
            let text = before.artifact(name).map_err(TaskError::Failed)?;
            let document = serde_json::from_str(&text)
                .map_err(|error| TaskError::Failed(format!("`{name}` of `{}` is no JSON: {error}", before.task)))?;
            documents.insert(name.clone(), document);
        }
        artifacts.insert(before.task, Value::Object(documents));
    }
    let count = findings.len();
    Ok((json!({ "findings": findings, "artifacts": artifacts, "parameters": input.parameters }), count))
}

/// A text, or an object with `msg` or `message`, as policies for other tools write it; `severity` and `rule` may be beside it.
fn finding(said: &Said) -> Finding {
    let text = |key: &str| said.what[key].as_str();
    let message = match &said.what {
        Value::String(text) => text.clone(),
        Value::Bool(true) => format!("`{}` of `{}` holds", said.rule, said.package),
        other => text("msg").or_else(|| text("message")).map_or_else(|| other.to_string(), str::to_owned),
    };
    let usual = if said.rule == "warn" { Severity::Low } else { Severity::High };
    let severity = said.what.get("severity").and_then(|word| serde_json::from_value(word.clone()).ok());
    let rule = text("rule").map_or_else(|| format!("{}.{}", said.package, said.rule), str::to_owned);
    Finding {
        fingerprint: fingerprint(&[&rule, &message]),
        rule,
        severity: severity.unwrap_or(usual),
        status: Status::Open,
        title: message.chars().take(LONGEST_TITLE).collect(),
        detail: None,
        location: None,
        remediation: text("remediation").map(str::to_owned),
        references: Vec::new(),
        data: said.what.is_object().then(|| said.what.clone()),
    }
}
