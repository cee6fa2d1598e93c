//! The task `send`.

use orch_sdk::{Host, HttpRequest, HttpResponse, Outcome, TaskError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Of an answer that goes into the output: the host's limit on outputs is 4 MiB, and JSON makes text longer.
const MOST_BODY: usize = 512 * 1024;

/// Of an answer that is quoted in an error.
const MOST_QUOTED: usize = 300;

/// What `send` takes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Input {
    /// With scheme and host.
    pub url: String,
    /// `GET` where nothing is said.
    #[serde(default)]
    pub method: Option<String>,
    /// Names and values.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Text to send.
    #[serde(default)]
    pub body: Option<String>,
    /// A value to send as JSON.
    #[serde(default)]
    pub json: Option<Value>,
    /// The statuses that are fine; 200 to 299 where nothing is said.
    #[serde(default)]
    pub expect: Vec<u16>,
    /// What stands before the secret `token` in the header `authorization`: `Bearer ` where nothing is said.
    #[serde(default)]
    pub token_prefix: Option<String>,
}

/// What `send` returns.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Output {
    /// The status of the answer.
    pub status: u16,
    /// Its headers, in lower case; of several values the first.
    pub headers: BTreeMap<String, String>,
    /// Its body as text, where it is text; at most 512 KiB.
    pub body: Option<String>,
    /// Its body as a value, where it is JSON and whole.
    pub json: Option<Value>,
    /// Whether the body is longer than what is here.
    pub truncated: bool,
}

/// Sends the request.
///
/// # Errors
/// When the input is wrong, the request is not granted, nobody answers, or the answer has another status than is expected; one that
/// may go better the next time (408, 425, 429, 500, 502, 503, 504) says so, so that `retry` tries again.
pub fn send(input: Input, host: &dyn Host) -> Result<Outcome<Output>, TaskError> {
    let request = request(&input, host)?;
    host.info(&format!("{} {}", request.method, request.url));
    let response = host.http(&request)?;
    let fine = match input.expect.is_empty() {
        true => response.is_success(),
        false => input.expect.contains(&response.status),
    };
    if fine { Ok(Outcome::Succeeded(output(response))) } else { Err(unexpected(&request, &response)) }
}

fn request(input: &Input, host: &dyn Host) -> Result<HttpRequest, TaskError> {
    let invalid = |field: &str, reason: &str| TaskError::InvalidInput(format!("`{field}`: {reason}"));
    let method = input.method.as_deref().unwrap_or("GET");
    if !method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-') || method.is_empty() {
        return Err(invalid("method", "is written in capital letters, such as `GET` or `POST`"));
    }
    if !input.url.starts_with("https://") && !input.url.starts_with("http://") {
        return Err(invalid("url", "begins with `https://` (or `http://`)"));
    }
    let mut request = HttpRequest::new(method, &input.url);
    for (name, value) in &input.headers {
        if value.contains(['\r', '\n', '\0']) || name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(invalid(
                &format!("headers.{name}"),
                "is no header: neither name nor value may have line breaks",
            ));
        }
        request = request.header(name, value);
    }
    let has = |name: &str| input.headers.keys().any(|known| known.eq_ignore_ascii_case(name));
    match (&input.body, &input.json) {
        (Some(_), Some(_)) => return Err(invalid("json", "and `body` are two bodies: give one")),
        (Some(body), None) => request = request.body(body.as_bytes()),
        (None, Some(json)) => {
            if !has("content-type") {
                request = request.header("content-type", "application/json");
            }
            request = request.body(json.to_string());
        }
        (None, None) => {}
    }
    if host.has_capability("secrets:token") {
        if has("authorization") {
            return Err(invalid("headers.authorization", "and the secret `token` are for the same header: give one"));
        }
        let prefix = input.token_prefix.as_deref().unwrap_or("Bearer ");
        request = request.header("authorization", &format!("{prefix}{}", host.secret("token")?));
    }
    Ok(request)
}

fn output(response: HttpResponse) -> Output {
    let mut headers = BTreeMap::new();
    for (name, value) in &response.headers {
        headers.entry(name.clone()).or_insert_with(|| value.clone());
    }
    let truncated = response.body.len() > MOST_BODY;
    let text = match std::str::from_utf8(&response.body[..response.body.len().min(MOST_BODY)]) {
        Ok(text) => Some(text),
        // The cut may go through a character.
        Err(error) if truncated && error.error_len().is_none() => {
            std::str::from_utf8(&response.body[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    };
    let json = if truncated { None } else { text.and_then(|text| serde_json::from_str(text).ok()) };
    Output { status: response.status, headers, body: text.map(str::to_owned), json, truncated }
}

fn unexpected(request: &HttpRequest, response: &HttpResponse) -> TaskError {
    let said: String = String::from_utf8_lossy(&response.body).chars().take(MOST_QUOTED).collect();
    let said = if said.trim().is_empty() { String::new() } else { format!(": {}", said.trim()) };
    TaskError::Dependency {
        target: request.url.clone(),
        message: format!("{} was answered with {}{said}", request.method, response.status),
        retryable: matches!(response.status, 408 | 425 | 429 | 500 | 502 | 503 | 504),
    }
}
