//! Requests through `wasi:http`.

use crate::http::split;
use crate::{HttpRequest, HttpResponse, MAX_BODY, TaskError};
use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme,
};
use wasip2::io::streams::StreamError;

/// What one write to a body may have.
const PIECE: usize = 4096;

/// What one read of a body asks for.
const CHUNK: u64 = 64 * 1024;

pub(super) fn send(request: &HttpRequest) -> Result<HttpResponse, TaskError> {
    let invalid = |what: &str| TaskError::InvalidInput(format!("the request to `{}`: {what}", request.url));
    let (scheme, authority, path) = split(&request.url).ok_or_else(|| invalid("no address with scheme and host"))?;
    let fields = Fields::new();
    for (name, value) in &request.headers {
        fields.append(name, value.as_bytes()).map_err(|_| invalid(&format!("the header `{name}` is not allowed")))?;
    }
    if !request.body.is_empty() {
        let length = request.body.len().to_string();
        fields.set("content-length", &[length.into_bytes()]).map_err(|_| invalid("its length cannot be told"))?;
    }
    let outgoing = OutgoingRequest::new(fields);
    outgoing.set_method(&method(&request.method)).map_err(|()| invalid("no such method"))?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        _ => return Err(invalid("neither `https` nor `http`")),
    };
    outgoing.set_scheme(Some(&scheme)).map_err(|()| invalid("no such scheme"))?;
    outgoing.set_authority(Some(authority)).map_err(|()| invalid("no such host"))?;
    outgoing.set_path_with_query(Some(&path)).map_err(|()| invalid("no such path"))?;
    let body = outgoing.body().map_err(|()| invalid("no body"))?;
    let failed = |error: &ErrorCode| fault(&request.url, error);
    let future = handle(outgoing, None).map_err(|error| failed(&error))?;
    // The other side may answer before it has read all: what it says then counts, not that it stopped to read.
    let _ = write(body, &request.body);
    future.subscribe().block();
    match future.get() {
        Some(Ok(Ok(response))) => read(&response, &request.url),
        Some(Ok(Err(error))) => Err(failed(&error)),
        Some(Err(())) | None => Err(TaskError::Failed("the host gave no answer to a request".to_owned())),
    }
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

fn write(body: OutgoingBody, bytes: &[u8]) -> Result<(), ()> {
    if !bytes.is_empty() {
        let stream = body.write()?;
        for piece in bytes.chunks(PIECE) {
            stream.blocking_write_and_flush(piece).map_err(|_| ())?;
        }
    }
    OutgoingBody::finish(body, None).map_err(|_| ())
}

fn read(response: &IncomingResponse, url: &str) -> Result<HttpResponse, TaskError> {
    let broken = |message: String| TaskError::Dependency { target: url.to_owned(), message, retryable: true };
    let entries = response.headers().entries().into_iter();
    let headers =
        entries.map(|(name, value)| (name.to_ascii_lowercase(), String::from_utf8_lossy(&value).into_owned()));
    let headers = headers.collect();
    let incoming = response.consume().map_err(|()| broken("its body cannot be read".to_owned()))?;
    let stream = incoming.stream().map_err(|()| broken("its body cannot be read".to_owned()))?;
    let mut body = Vec::new();
    loop {
        match stream.blocking_read(CHUNK) {
            Ok(chunk) => body.extend_from_slice(&chunk),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(broken(format!("its answer broke off: {}", error.to_debug_string())));
            }
        }
        if body.len() > MAX_BODY {
            let message = format!("its answer is longer than {} MiB", MAX_BODY / 1024 / 1024);
            return Err(TaskError::Dependency { target: url.to_owned(), message, retryable: false });
        }
    }
    drop(stream);
    drop(IncomingBody::finish(incoming));
    Ok(HttpResponse { status: response.status(), headers, body })
}

fn fault(url: &str, error: &ErrorCode) -> TaskError {
    let retryable = match error {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => {
            return TaskError::Denied { capability: "net".to_owned(), target: url.to_owned() };
        }
        ErrorCode::DnsTimeout
        | ErrorCode::DnsError(_)
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionTerminated
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::ConnectionLimitReached
        | ErrorCode::HttpResponseIncomplete
        | ErrorCode::HttpResponseTimeout => true,
        _ => false,
    };
    TaskError::Dependency { target: url.to_owned(), message: format!("{error:?}"), retryable }
}
