//! The one function through which everything leaves, and what an attempt needs for it.

use super::body::{Answered, Outgoing};
use super::connect::{self, Connection};
use super::meter::Exchange;
use super::target::Target;
use super::{Body, MOST_FIELD_BYTES, Meter, Network, PlaceholderSwap, Problem, Refused, decide, headers};
use crate::guest::Audit;
use crate::tape::Tape;
use http::header::{CONNECTION, HOST, HeaderValue};
use http::{HeaderMap, Response, StatusCode, Version};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use orch_core::{Effective, Method, RefusedBy, Scheme, Wanted};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// Connections that one attempt has at once. A process may often have no more than 1,024 files, the engine's own among them.
const MOST_CONNECTIONS: usize = 64;

/// Bytes of an HTTP/2 answer that a server may send before a guest has read the ones before them.
const WINDOW: u32 = 256 << 10;

/// The way out of one attempt.
pub(crate) struct Egress {
    pub(crate) network: Arc<Network>,
    pub(crate) grants: Arc<Effective>,
    /// Only look: requests that may change something are refused.
    pub(crate) dry_run: bool,
    pub(crate) audit: Audit,
    pub(crate) meter: Arc<Meter>,
    pub(crate) swap: Arc<dyn PlaceholderSwap>,
    connections: Arc<Semaphore>,
    tape: Tape,
}

/// A request as a guest states it. Nothing of it has been checked.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) scheme: Scheme,
    pub(crate) authority: String,
    pub(crate) path_and_query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Body,
}

/// What a guest is willing to wait; the attempt's own timeout holds in any case.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Patience {
    pub(crate) connect: Option<Duration>,
    pub(crate) first_byte: Option<Duration>,
    pub(crate) between_bytes: Option<Duration>,
}

/// The rest of a connection: drives it until both bodies are through. Dropped, it closes the connection.
pub(crate) type Rest = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An answer, and what has to run for its body to arrive.
pub(crate) struct Answer {
    pub(crate) response: Response<Body>,
    pub(crate) rest: Rest,
}

impl Egress {
    pub(crate) fn new(
        network: Arc<Network>,
        grants: Arc<Effective>,
        dry_run: bool,
        audit: Audit,
        meter: Arc<Meter>,
        swap: Arc<dyn PlaceholderSwap>,
        tape: Tape,
    ) -> Egress {
        let connections = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        Egress { network, grants, dry_run, audit, meter, swap, connections, tape }
    }

    /// Sends a request, if it may leave. Redirects are answers like all others: the guest's next request is decided anew.
    pub(crate) async fn send(&self, request: Request, patience: Patience) -> Result<Answer, Problem> {
        let Request { method, scheme, authority, path_and_query, mut headers, body } = request;
        let engine = |target: &str, reason: &str| self.audit.refuse("net", target, RefusedBy::Engine, reason, None);
        let target = Target::read(scheme, &authority, &path_and_query).map_err(|reason| {
            // Without its user and its query, where secrets often stand.
            let authority = authority.rsplit('@').next().unwrap_or("");
            let path = path_and_query.split(['?', '#']).next().unwrap_or("");
            engine(&format!("{method} {scheme}://{authority}{path}"), reason);
            Problem::Url
        })?;
        let Target { scheme, ref host, port, ref path, .. } = target;
        let wanted = Wanted { scheme, host, port, method: Some(&method), path: Some(path) };
        Method::try_from(method.as_str()).map_err(|error| {
            engine(&wanted.to_string(), &error.reason);
            Problem::Method
        })?;
        let pass = decide::decide(&self.audit, &self.grants.net, wanted)?;
        if self.dry_run && !Method::is_safe(&method) {
            engine(&wanted.to_string(), "this is a dry run, and the method may change something");
            return Err(Problem::Denied);
        }
        let declared = headers::take_length(&mut headers)?;
        if declared.is_some_and(|length| length > 0) && body.is_end_stream() {
            return Err(Problem::RequestBody(0));
        }
        self.meter.request()?;
        let place = Arc::clone(&self.connections).try_acquire_owned().map_err(|_| Problem::TooManyConnections)?;

        let exchange = Arc::new(Exchange::new(Arc::clone(&self.meter)));
        let refuse = |refused: &Refused| decide::refuse(&self.audit, &wanted, refused);
        let (audit, told) = (self.audit.clone(), wanted.to_string());
        let refuse_chunk =
            Box::new(move |refused: Refused| audit.refuse("net", &told, refused.by, &refused.reason, None));
        let url = || format!("{scheme}://{}{}", target.authority(), target.sent);
        if let Some(player) = self.tape.player() {
            pass.used().iter().for_each(|rule| self.audit.used(rule));
            self.swap.swap(&wanted, &mut headers, &target.sent).map_err(|refused| refuse(&refused))?;
            let body = Outgoing::new(body, declared, self.swap.scan(&wanted), refuse_chunk, exchange);
            return Box::pin(player.answer(&method, &url(), body)).await;
        }
        let recorded = if self.tape.is_off() { None } else { self.tape.request(&method, &url(), &headers) };
        let body = match &recorded {
            Some(recorded) => recorded.sent(body),
            None => body,
        };
        let answer = async {
            let addresses = connect::resolve(&self.network, host).await?;
            decide::admit(&self.audit, &pass, &wanted, &addresses)?;
            // Before anybody is called: who may not have a secret does not even see a connection.
            self.swap.swap(&wanted, &mut headers, &target.sent).map_err(|refused| refuse(&refused))?;
            // What was swapped in counts as well.
            headers::fits(&headers).ok_or(Problem::RequestHeaders)?;
            pass.used().iter().for_each(|rule| self.audit.used(rule));
            let connection = connect::connect(&self.network, &target, &addresses, patience.connect, &exchange).await?;

            let scan = self.swap.scan(&wanted);
            let body = Outgoing::new(body, declared, scan, refuse_chunk, Arc::clone(&exchange));
            let method = http::Method::from_bytes(method.as_bytes()).map_err(|_| Problem::Method)?;
            let mut message = http::Request::new(body);
            (*message.method_mut(), *message.headers_mut()) = (method, headers);
            Box::pin(exchange_over(connection, message, &target, exchange, patience, place)).await
        };
        let answer = answer.await;
        match recorded {
            Some(recorded) => recorded.answered(answer),
            None => answer,
        }
    }
}

/// Says a request over a connection and waits for the fields of its answer.
async fn exchange_over(
    connection: Connection,
    mut message: http::Request<Outgoing>,
    target: &Target,
    exchange: Arc<Exchange>,
    patience: Patience,
    place: OwnedSemaphorePermit,
) -> Result<Answer, Problem> {
    let of = |error: hyper::Error| exchange.problem(&error);
    let authority = target.authority();
    let url = |text: String| text.parse::<http::Uri>().map_err(|_| Problem::Url);
    match connection {
        Connection::Http1(stream) => {
            *message.uri_mut() = url(target.sent.clone())?;
            let host = HeaderValue::try_from(&authority).map_err(|_| Problem::Url)?;
            message.headers_mut().insert(HOST, host);
            // One request a connection: the next one may be another grant's.
            message.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            let mut builder = http1::Builder::new();
            builder.max_headers(headers::MOST_FIELDS).max_buf_size(MOST_FIELD_BYTES);
            let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(of)?;
            let rest: Rest = Box::pin(async move {
                let _told_by_the_body = connection.await;
                drop(place);
            });
            answer(sender.send_request(message), rest, exchange.clone(), patience).await
        }
        Connection::Http2(stream) => {
            *message.uri_mut() = url(format!("{}://{authority}{}", target.scheme, target.sent))?;
            *message.version_mut() = Version::HTTP_2;
            let tasks = Tied::default();
            let mut builder = http2::Builder::new(tasks.clone());
            builder
                .max_header_list_size(u32::try_from(MOST_FIELD_BYTES).unwrap_or(u32::MAX))
                .initial_stream_window_size(WINDOW)
                .initial_connection_window_size(WINDOW);
            let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(of)?;
            let rest: Rest = Box::pin(async move {
                let _told_by_the_body = connection.await;
                // What still moves the answer's body runs among the tasks; it ends with the stream.
                std::future::poll_fn(|cx| tasks.poll_all(cx)).await;
                drop(place);
            });
            let asked = async move { sender.send_request(message).await };
            answer(asked, rest, exchange.clone(), patience).await
        }
    }
}

/// Waits for the fields of an answer while the connection is driven.
async fn answer(
    asked: impl Future<Output = hyper::Result<Response<hyper::body::Incoming>>> + Send,
    mut rest: Rest,
    exchange: Arc<Exchange>,
    patience: Patience,
) -> Result<Answer, Problem> {
    let waiting = async {
        tokio::pin!(asked);
        tokio::select! {
            biased;
            answered = &mut asked => (answered, true),
            // The end of a connection gives its reason to whoever waits for an answer over it.
            () = &mut rest => (asked.await, false),
        }
    };
    let (answered, goes_on) = match patience.first_byte {
        Some(most) => tokio::time::timeout(most, waiting).await.map_err(|_| Problem::AnswerTimeout)?,
        None => waiting.await,
    };
    let response = answered.map_err(|error| exchange.problem(&error))?;
    exchange.answered();
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Problem::Upgrade);
    }
    headers::fits(response.headers()).ok_or(Problem::ResponseHeaders)?;
    let response = response.map(|body| Answered::new(body, exchange, patience.between_bytes).boxed_unsync());
    let rest = if goes_on { rest } else { Box::pin(std::future::ready(())) };
    Ok(Answer { response, rest })
}

/// Runs what HTTP/2 wants to run beside the connection, and ends it together with the connection.
#[derive(Clone, Default)]
struct Tied(Arc<Mutex<JoinSet<()>>>);

impl Tied {
    fn poll_all(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while ready!(tasks.poll_join_next(cx)).is_some() {}
        Poll::Ready(())
    }
}

impl<F: Future<Output = ()> + Send + 'static> hyper::rt::Executor<F> for Tied {
    fn execute(&self, future: F) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).spawn(future);
    }
}

#[cfg(test)]
#[path = "send_tests.rs"]
mod tests;
