//! Requests, one after the other, each exactly as the test states it.

use crate::{Answer, list, text};
use orch_sdk::guest::orch::task::secrets;
use orch_sdk::{Host, Outcome, TaskError};
use serde_json::{Value, json};
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    ErrorCode, Fields, HeaderError, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
    RequestOptions, Scheme,
};
use wasip2::io::streams::StreamError;

/// Bytes that one write to a body may have.
const PIECE: usize = 4096;

/// Makes all `requests`; with `follow` it goes where answers redirect it, with the same fields, as a careless client does. With
/// `hold` it keeps all of them open at once and reads nothing. Where a text of a request says `PLACEHOLDER` or `REVEALED` it puts
/// what it gets for the secret that `secret` names.
pub fn requests(mut input: Value, host: &dyn Host) -> Answer {
    if let Some(name) = input["secret"].as_str() {
        let secret = secrets::open(name).map_err(TaskError::Failed)?;
        let (placeholder, revealed) = (secret.placeholder(), revealed(&secret, &input));
        put(&mut input["requests"], &placeholder, &revealed);
    }
    let mut answers = Vec::new();
    let mut held = Vec::new();
    for request in list(&input, "requests") {
        for _ in 0..request["times"].as_u64().unwrap_or(1) {
            let mut hop = request.clone();
            for _ in 0..=input["follow"].as_u64().unwrap_or(0) {
                let answer = if input["hold"] == true {
                    match begin(&hop) {
                        Ok((response, _)) => {
                            held.push(response);
                            json!("held")
                        }
                        Err(error) => json!({ "error": error }),
                    }
                } else {
                    one(&hop, host)
                };
                let location = answer["headers"]["location"].as_str().map(str::to_owned);
                answers.push(answer);
                let Some(location) = location else { break };
                match split(&location) {
                    Some((scheme, authority, path)) => {
                        (hop["scheme"], hop["authority"]) = (json!(scheme), json!(authority));
                        hop["path"] = json!(path);
                    }
                    None => hop["path"] = json!(location),
                }
            }
        }
    }
    Ok(Outcome::Succeeded(json!(answers)))
}

/// Shows the value only if a request is to have it: asking is a refusal where it was not granted.
fn revealed(secret: &secrets::Secret, input: &Value) -> String {
    let wished = input["requests"].to_string().contains("REVEALED");
    if wished { secret.reveal().unwrap_or_default() } else { String::new() }
}

fn put(value: &mut Value, placeholder: &str, revealed: &str) {
    match value {
        Value::String(text) => *text = text.replace("PLACEHOLDER", placeholder).replace("REVEALED", revealed),
        Value::Array(items) => items.iter_mut().for_each(|item| put(item, placeholder, revealed)),
        Value::Object(fields) => fields.values_mut().for_each(|item| put(item, placeholder, revealed)),
        _ => {}
    }
}

fn split(location: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = location.split_once("://")?;
    let at = rest.find('/').unwrap_or(rest.len());
    Some((scheme, &rest[..at], &rest[at..]))
}

fn one(request: &Value, host: &dyn Host) -> Value {
    match begin(request) {
        Ok((response, body)) => read(&response, body, request, host),
        Err(error) => json!({ "error": error }),
    }
}

/// Sends a request and waits for the fields of its answer; says also what became of its body.
fn begin(request: &Value) -> Result<(IncomingResponse, Value), String> {
    let fields = Fields::new();
    for field in list(request, "headers") {
        let (name, value) = (field[0].as_str().unwrap_or(""), field[1].as_str().unwrap_or(""));
        fields.append(name, value.as_bytes()).map_err(|error| format!("field {name}: {}", word(&error)))?;
    }
    for number in 0..request["fields"].as_u64().unwrap_or(0) {
        fields.append(&format!("x-{number}"), b"").map_err(|error| format!("fields: {}", word(&error)))?;
    }
    let outgoing = OutgoingRequest::new(fields);
    outgoing.set_method(&method(text(request, "method"))).map_err(|()| "method is refused")?;
    let scheme = match text(request, "scheme") {
        "" | "https" => Scheme::Https,
        "http" => Scheme::Http,
        other => Scheme::Other(other.to_owned()),
    };
    outgoing.set_scheme(Some(&scheme)).map_err(|()| "scheme is refused")?;
    outgoing.set_authority(request["authority"].as_str()).map_err(|()| "authority is refused")?;
    outgoing.set_path_with_query(request["path"].as_str()).map_err(|()| "path is refused")?;
    let options = RequestOptions::new();
    for (field, set) in [
        ("connect-ms", RequestOptions::set_connect_timeout as fn(&_, _) -> _),
        ("first-byte-ms", RequestOptions::set_first_byte_timeout),
        ("between-bytes-ms", RequestOptions::set_between_bytes_timeout),
    ] {
        let _ = set(&options, request[field].as_u64().map(|ms| ms * 1_000_000));
    }
    let body = if request["body"].is_null() { None } else { Some(outgoing.body().map_err(|()| "body is refused")?) };
    let future = handle(outgoing, Some(options)).map_err(|error| format!("{error:?}"))?;
    let written = body.map_or(Value::Null, |body| json!(write(body, &request["body"])));
    future.subscribe().block();
    match future.get() {
        Some(Ok(Ok(response))) => Ok((response, written)),
        Some(Ok(Err(error))) => Err(format!("{error:?}")),
        other => Err(format!("{other:?}")),
    }
}

fn method(name: &str) -> Method {
    match name {
        "" | "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        other => Method::Other(other.to_owned()),
    }
}

/// Writes the `chunks` of a body, or `bytes` of it, in pieces of `piece` bytes, and ends it unless `drop` is set.
fn write(body: OutgoingBody, how: &Value) -> String {
    let Ok(stream) = body.write() else { return "no stream".to_owned() };
    let chunks = list(how, "chunks").iter().filter_map(|chunk| Some(chunk.as_str()?.as_bytes().to_vec()));
    let bytes = how["bytes"].as_u64().unwrap_or(0) as usize;
    let filler = std::iter::repeat_n(vec![b'x'; PIECE], bytes.div_ceil(PIECE));
    let piece = how["piece"].as_u64().map_or(PIECE, |bytes| bytes as usize);
    let mut said = "ok".to_owned();
    'all: for chunk in chunks.chain(filler) {
        for piece in chunk.chunks(piece) {
            if let Err(error) = stream.blocking_write_and_flush(piece) {
                said = format!("write: {}", stream_word(&error));
                break 'all;
            }
        }
    }
    drop(stream);
    if how["drop"] == true {
        return said;
    }
    let trailers = list(how, "trailers");
    let trailers = (!trailers.is_empty()).then(|| {
        let fields = Fields::new();
        for field in trailers {
            let _ = fields.append(field[0].as_str().unwrap_or(""), field[1].as_str().unwrap_or("").as_bytes());
        }
        fields
    });
    match OutgoingBody::finish(body, trailers) {
        Ok(()) => said,
        Err(error) => format!("{said}; finish: {error:?}"),
    }
}

fn read(response: &IncomingResponse, written: Value, request: &Value, host: &dyn Host) -> Value {
    let headers = response.headers().entries();
    let headers: serde_json::Map<_, _> =
        headers.into_iter().map(|(name, value)| (name, json!(String::from_utf8_lossy(&value)))).collect();
    let most = request["read"].as_u64().unwrap_or(u64::MAX);
    let (mut bytes, mut start, mut end) = (0, Vec::new(), "closed".to_owned());
    if request["say"] == true {
        host.info("started");
    }
    if let Ok(body) = response.consume() {
        if let Ok(stream) = body.stream() {
            while bytes < most {
                match stream.blocking_read(1 << 16) {
                    Ok(chunk) => {
                        bytes += chunk.len() as u64;
                        start.extend_from_slice(&chunk[..chunk.len().min(1_000_usize.saturating_sub(start.len()))]);
                    }
                    Err(StreamError::Closed) => break,
                    Err(error) => {
                        end = stream_word(&error);
                        break;
                    }
                }
            }
        }
        if request["trailers"] == true {
            let future = IncomingBody::finish(body);
            future.subscribe().block();
            let told = match future.get() {
                Some(Ok(Ok(Some(fields)))) => format!("{} trailers", fields.entries().len()),
                Some(Ok(Ok(None))) => "no trailers".to_owned(),
                Some(Ok(Err(error))) => format!("{error:?}"),
                other => format!("{other:?}"),
            };
            end = format!("{end}; {told}");
        }
    }
    let (status, start) = (response.status(), String::from_utf8_lossy(&start).into_owned());
    json!({ "status": status, "headers": headers, "body": start, "bytes": bytes, "end": end, "written": written })
}

fn word(error: &HeaderError) -> &'static str {
    match error {
        HeaderError::InvalidSyntax => "invalid",
        HeaderError::Forbidden => "forbidden",
        HeaderError::Immutable => "immutable",
        #[allow(unreachable_patterns, reason = "later versions of the interface have more")]
        _ => "other",
    }
}

fn stream_word(error: &StreamError) -> String {
    match error {
        StreamError::Closed => "closed".to_owned(),
        StreamError::LastOperationFailed(error) => match wasip2::http::types::http_error_code(error) {
            Some(code) => code_word(&code),
            None => error.to_debug_string().lines().next().unwrap_or("").to_owned(),
        },
    }
}

fn code_word(code: &ErrorCode) -> String {
    format!("{code:?}")
}
