//! `net` over `wasi:http`: requests of guests, each of which goes through the one way out (`egress`). Linked for every component; a
//! request that no grant is about is refused and recorded.

use crate::egress::{Answer, Body, Egress, Patience, Problem, Request, is_forbidden};
use crate::guest::Guest;
use http_body_util::BodyExt;
use orch_core::Scheme;
use std::sync::Arc;
use wasmtime::component::Linker;
use wasmtime_wasi_http::p2::bindings::http::types::LinkOptions;
use wasmtime_wasi_http::p2::bindings::http::{outgoing_handler, types};
use wasmtime_wasi_http::{
    Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttp, WasiHttpHooks, WasiHttpView as _,
};

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    outgoing_handler::add_to_linker::<Guest, WasiHttp>(linker, Guest::http)?;
    types::add_to_linker::<Guest, WasiHttp>(linker, &LinkOptions::default(), Guest::http)
}

/// What `wasmtime-wasi-http` asks: which fields are ours, and how a request is sent.
pub(crate) struct HttpHooks {
    egress: Arc<Egress>,
}

impl HttpHooks {
    pub(crate) fn new(egress: Egress) -> HttpHooks {
        HttpHooks { egress: Arc::new(egress) }
    }
}

type Sent = Result<(http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

impl WasiHttpHooks for HttpHooks {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(is_forbidden)
    }

    fn set_host_header(&mut self) -> bool {
        // It is derived from what was decided, once that is done.
        false
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let egress = Arc::clone(&self.egress);
        Box::new(async move {
            let options = options.unwrap_or_default();
            let patience = Patience {
                connect: options.connect_timeout,
                first_byte: options.first_byte_timeout,
                between_bytes: options.between_bytes_timeout,
            };
            let Answer { response, rest } = Box::pin(egress.send(read(request)?, patience)).await.map_err(told)?;
            let response = response.map(|body| body.map_err(told).boxed_unsync());
            let rest: Box<dyn Future<Output = Result<(), Error>> + Send> = Box::new(async move {
                rest.await;
                Ok(())
            });
            Ok((response, rest))
        })
    }
}

/// The parts of a request, as they are.
fn read(request: http::Request<WasiBody>) -> Result<Request, Error> {
    let (parts, body) = request.into_parts();
    let scheme = match parts.uri.scheme_str() {
        Some("https") => Scheme::Https,
        Some("http") => Scheme::Http,
        _ => return Err(Error::HttpProtocolError),
    };
    let body: Body = body.map_err(given_up).boxed_unsync();
    Ok(Request {
        method: parts.method.as_str().to_owned(),
        scheme,
        authority: parts.uri.authority().map_or("", |authority| authority.as_str()).to_owned(),
        path_and_query: parts.uri.path_and_query().map_or("", |path| path.as_str()).to_owned(),
        headers: parts.headers,
        body,
    })
}

/// Why the body of a request ends early: its guest dropped it, or wrote another length than it had declared.
fn given_up(error: Error) -> Problem {
    match error {
        Error::HttpRequestBodySize(Some(size)) => Problem::RequestBody(size),
        _ => Problem::BodyGivenUp,
    }
}

/// What a guest is told.
fn told(problem: Problem) -> Error {
    match problem {
        // A limit ends the attempt, and the run tells its name.
        Problem::Denied | Problem::Limit | Problem::Over => Error::HttpRequestDenied,
        Problem::Url => Error::HttpRequestUriInvalid,
        Problem::Method => Error::HttpRequestMethodInvalid,
        Problem::Header => Error::HttpRequestHeaderSize { field_name: None, field_size: None },
        Problem::RequestHeaders => Error::HttpRequestHeaderSectionSize(None),
        Problem::RequestBody(size) => Error::HttpRequestBodySize(Some(size)),
        Problem::BodyGivenUp => Error::HttpRequestBodySize(None),
        Problem::RequestTrailers => Error::HttpRequestTrailerSectionSize(None),
        Problem::Dns(_) => Error::DnsError { rcode: None, info_code: None },
        Problem::DnsTimeout => Error::DnsTimeout,
        Problem::ConnectionRefused => Error::ConnectionRefused,
        Problem::ConnectTimeout => Error::ConnectionTimeout,
        Problem::Unreachable => Error::DestinationIpUnroutable,
        Problem::TooManyConnections => Error::ConnectionLimitReached,
        Problem::Certificate => Error::TlsCertificateError,
        Problem::TlsAlert(alert) => Error::TlsAlertReceived { alert_id: Some(alert), alert_message: None },
        Problem::Tls => Error::TlsProtocolError,
        Problem::Setup(_) => Error::ConfigurationError,
        Problem::ResponseHeaders => Error::HttpResponseHeaderSectionSize(None),
        Problem::ResponseTrailers => Error::HttpResponseTrailerSectionSize(None),
        Problem::ResponseIncomplete => Error::HttpResponseIncomplete,
        Problem::Upgrade => Error::HttpUpgradeFailed,
        Problem::AnswerTimeout => Error::HttpResponseTimeout,
        Problem::ReadTimeout => Error::ConnectionReadTimeout,
        Problem::Terminated => Error::ConnectionTerminated,
        Problem::Protocol => Error::HttpProtocolError,
    }
}
