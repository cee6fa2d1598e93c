//! What goes to webhooks, each in the form that it wants.

use crate::message::{Message, word};
use orch_sdk::{Host, HttpRequest, TaskError};
use serde_json::{Map, Value, json};

/// Slack: text in which three characters mean something.
pub fn slack(message: &Message, summary: bool) -> Value {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut text = format!("*{}*", escaped(&message.title));
    if !message.text.is_empty() {
        text.push_str(&format!("\n{}", escaped(&message.text)));
    }
    if summary {
        text.push_str(&format!("\nFindings: {}", message.summary()));
    }
    json!({ "text": text })
}

/// Microsoft Teams: an adaptive card, as its workflows take it.
pub fn teams(message: &Message, summary: bool) -> Value {
    let line = |text: &str| json!({ "type": "TextBlock", "text": text, "wrap": true });
    let mut title = line(&message.title);
    title["weight"] = json!("Bolder");
    title["size"] = json!("Medium");
    let mut body = vec![title];
    if !message.text.is_empty() {
        body.push(line(&message.text));
    }
    if summary {
        let facts: Vec<Value> = message
            .findings
            .iter()
            .map(|(severity, count)| json!({ "title": word(*severity), "value": count.to_string() }))
            .collect();
        body.push(match facts.is_empty() {
            true => line(&message.summary()),
            false => json!({ "type": "FactSet", "facts": facts }),
        });
    }
    let card = json!({ "type": "AdaptiveCard", "version": "1.4", "body": body });
    let attachment = json!({ "contentType": "application/vnd.microsoft.card.adaptive", "content": card });
    json!({ "type": "message", "attachments": [attachment] })
}

/// Any other: the message as it is.
pub fn plain(message: &Message, summary: bool) -> Value {
    let mut value = json!({ "title": message.title, "text": message.text });
    if summary {
        let counts: Map<String, Value> =
            message.findings.iter().map(|(severity, count)| (word(*severity).to_owned(), json!(count))).collect();
        value["findings"] = Value::Object(counts);
    }
    value
}

/// Posts it.
///
/// # Errors
/// When that is not granted, nobody answers, or the answer is no.
pub fn post(url: &str, payload: &Value, token: Option<&str>, host: &dyn Host) -> Result<(), TaskError> {
    let mut request =
        HttpRequest::new("POST", url).header("content-type", "application/json").body(payload.to_string());
    if let Some(token) = token {
        request = request.header("authorization", token);
    }
    let response = host.http(&request)?;
    if response.is_success() {
        return Ok(());
    }
    let said: String = String::from_utf8_lossy(&response.body).chars().take(200).collect();
    Err(TaskError::Dependency {
        // The path of a webhook is its password.
        target: origin(url).to_owned(),
        message: format!("answered with {}: {}", response.status, said.trim()),
        retryable: matches!(response.status, 408 | 425 | 429 | 500..=599),
    })
}

/// Scheme and host.
pub fn origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    url[start..].find(['/', '?', '#']).map_or(url, |end| &url[..start + end])
}
