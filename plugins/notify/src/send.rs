//! The task `send`: one message, to each place that the input names.

use crate::message::Message;
use crate::{mail, webhook};
use orch_plugin_kit::{report, upstream};
use orch_sdk::{Host, Outcome, TaskError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// What `send` takes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Input {
    /// One line.
    pub title: String,
    /// The rest.
    #[serde(default)]
    pub text: String,
    /// Whether the message says how much the tasks in `needs` found.
    #[serde(default)]
    pub summary: bool,
    /// A Slack webhook.
    #[serde(default)]
    pub slack: Option<Place>,
    /// A webhook of a Teams workflow.
    #[serde(default)]
    pub teams: Option<Place>,
    /// Any other webhook: it gets `title`, `text` and `findings` as JSON.
    #[serde(default)]
    pub webhook: Option<Place>,
    /// Mail through a relay.
    #[serde(default)]
    pub mail: Option<Mail>,
}

/// A webhook.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Place {
    /// Its address. Without it, what the granted variable `SLACK_URL`, `TEAMS_URL` or `WEBHOOK_URL` holds.
    #[serde(default)]
    pub url: Option<String>,
}

/// Mail through a relay.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Mail {
    /// Address and port of the relay, such as `192.0.2.25:25`.
    pub server: String,
    /// Who sends it.
    pub from: String,
    /// Who gets it.
    #[schemars(length(min = 1, max = 100))]
    pub to: Vec<String>,
}

/// What `send` returns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Output {
    /// Where it went.
    pub sent: Vec<String>,
    /// Where it would have gone, in a dry run.
    pub would_send: Vec<String>,
}

/// A place with what it needs.
enum Way {
    Hook { name: &'static str, url: String, payload: serde_json::Value },
    Mail { server: SocketAddr, from: String, to: Vec<String> },
}

/// Sends the message.
///
/// # Errors
/// When the input is wrong, or one of the places did not take it; the text says which did. All are tried.
pub fn send(input: Input, host: &dyn Host) -> Result<Outcome<Output>, TaskError> {
    if input.title.trim().is_empty() || input.title.chars().any(char::is_control) {
        return Err(TaskError::InvalidInput("`title`: one line of text".to_owned()));
    }
    let mut message = Message { title: input.title.clone(), text: input.text.clone(), findings: Vec::new() };
    if input.summary {
        let mut findings = Vec::new();
        for before in upstream::tasks(host) {
            findings.extend(before.findings()?);
        }
        message.count(&findings);
    }
    let ways = ways(&input, &message, host)?;
    let token =
        if host.has_capability("secrets:token") { Some(format!("Bearer {}", host.secret("token")?)) } else { None };
    let mut output = Output { sent: Vec::new(), would_send: Vec::new() };
    let mut failed: Vec<(String, TaskError)> = Vec::new();
    for way in ways {
        report::check_cancelled(host)?;
        let name = match &way {
            Way::Hook { name, .. } => (*name).to_owned(),
            Way::Mail { .. } => "mail".to_owned(),
        };
        if host.is_dry_run() {
            host.info(&format!("a dry run: nothing is sent to {name}"));
            output.would_send.push(name);
            continue;
        }
        let sent = match &way {
            // A token is for the webhook that wants one, and for nobody else.
            Way::Hook { name, url, payload } => {
                webhook::post(url, payload, token.as_deref().filter(|_| *name == "webhook"), host)
            }
            Way::Mail { server, from, to } => mail::send(*server, from, to, &message, input.summary),
        };
        match sent {
            Ok(()) => {
                host.info(&format!("sent to {name}"));
                output.sent.push(name);
            }
            Err(error) => {
                host.warn(&format!("{name}: {error}"));
                failed.push((name, error));
            }
        }
    }
    match failed.pop() {
        None => Ok(Outcome::Succeeded(output)),
        // Where it went it would go again: only a message that nobody has is worth another try.
        Some((_, error)) if failed.is_empty() && output.sent.is_empty() => Err(error),
        Some((name, error)) => {
            let names: Vec<_> = failed.into_iter().map(|(name, _)| name).chain([name]).collect();
            let sent = if output.sent.is_empty() { "nobody".to_owned() } else { output.sent.join(", ") };
            Err(TaskError::Failed(format!("{} did not take the message ({sent} did): {error}", names.join(", "))))
        }
    }
}

fn ways(input: &Input, message: &Message, host: &dyn Host) -> Result<Vec<Way>, TaskError> {
    let mut ways = Vec::new();
    let hooks = [
        ("slack", "SLACK_URL", &input.slack, webhook::slack(message, input.summary)),
        ("teams", "TEAMS_URL", &input.teams, webhook::teams(message, input.summary)),
        ("webhook", "WEBHOOK_URL", &input.webhook, webhook::plain(message, input.summary)),
    ];
    for (name, variable, place, payload) in hooks {
        let Some(place) = place else { continue };
        let url = place.url.clone().or_else(|| host.env(variable)).ok_or_else(|| {
            TaskError::InvalidInput(format!(
                "`{name}.url`: is missing; say it here, or grant the variable `{variable}`"
            ))
        })?;
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(TaskError::InvalidInput(format!("`{name}.url`: begins with `https://` (or `http://`)")));
        }
        ways.push(Way::Hook { name, url, payload });
    }
    if let Some(given) = &input.mail {
        let server = given.server.parse().map_err(|_| {
            let reason =
                format!("`mail.server`: `{}` is no address with a port, such as `192.0.2.25:25`", given.server);
            TaskError::InvalidInput(reason)
        })?;
        for (field, text) in std::iter::once(("from", &given.from)).chain(given.to.iter().map(|to| ("to", to))) {
            mail::address(text).map_err(|reason| TaskError::InvalidInput(format!("`mail.{field}`: {reason}")))?;
        }
        if given.to.is_empty() {
            return Err(TaskError::InvalidInput("`mail.to`: is empty".to_owned()));
        }
        ways.push(Way::Mail { server, from: given.from.clone(), to: given.to.clone() });
    }
    if ways.is_empty() {
        let reason = "nobody is named: give one of `slack`, `teams`, `webhook` and `mail`";
        return Err(TaskError::InvalidInput(reason.to_owned()));
    }
    Ok(ways)
}
