//! Answers that never end (N16).

use super::certificates::Authority;
use super::dns::Dns;
use super::kit::{first, get, one, rule, run};
use super::sinks::Sink;
use bytes::Bytes;
use orch_core::{FailureKind, Scheme, Size};
use orch_tests::{Call, Ended, Sandbox, net};
use serde_json::json;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A server that writes `begin` and then `again` until nobody listens.
fn endless(begin: &'static str, again: &'static str) -> Sink {
    Sink::with("127.0.0.1:0", move |stream, _| {
        let mut open = stream.write_all(begin.as_bytes()).is_ok();
        let again = again.repeat(100);
        while open {
            open = stream.write_all(again.as_bytes()).is_ok();
        }
    })
}

fn from(sink: &Sink) -> Call {
    let call = one(get(&sink.authority(), "/")).reach(&rule(Scheme::Http, "127.0.0.1"));
    call.limits(|limits| limits.traffic = Size::from_mib(4))
}

#[test]
fn n16_endless_bodies() {
    let sandbox = Sandbox::new();
    for (begin, again) in [
        ("HTTP/1.1 200 OK\r\n\r\n", "for ever "),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9999999999999\r\n\r\n", "for ever "),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "1\r\nx\r\n"),
    ] {
        let ended = run(&sandbox, from(&endless(begin, again)));
        assert_eq!(ended.limit(), ("traffic", "4MiB"), "{begin}");
    }
}

#[test]
fn n16_endless_heads() {
    let sandbox = Sandbox::new();
    for (begin, again) in [
        ("", "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"),
        ("", "HTTP/1.1 100 Continue\r\n\r\n"),
        ("HTTP/1.1 200 OK\r\n", "x: y\r\n"),
        ("HTTP/1.1 200 OK\r\nx: ", "for ever"),
        ("HTTP/1.1 200 ", "for ever"),
        ("", "no http "),
    ] {
        let ended = run(&sandbox, from(&endless(begin, again)));
        assert!(first(&ended)["error"].is_string(), "{begin}{again}: {}", first(&ended));
    }
    // Chunk extensions and trailers are heads of a kind.
    for again in [";x=y", "x: y\r\n"] {
        let begin = if again.starts_with(';') { "1" } else { "0\r\n" };
        let begin = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{begin}").leak();
        let ended = run(&sandbox, from(&endless(begin, again)));
        let answer = first(&ended);
        assert_ne!(answer["end"], "closed", "{answer}");
    }
}

#[test]
fn n16_what_is_no_answer() {
    let sandbox = Sandbox::new();
    for (answer, error) in [
        ("", ""),
        ("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello", ""),
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello", "incomplete HTTP response"),
        ("HTTP/0.9 hello", ""),
    ] {
        let sink = Sink::saying("127.0.0.1:0", answer);
        let ended = run(&sandbox, from(&sink));
        let got = first(&ended);
        let broken = got["error"].is_string() || got["end"] != "closed";
        assert!(broken && got.to_string().contains(error), "{answer}: {got}");
    }
}

/// What an HTTP/2 server does.
#[derive(Clone, Copy)]
pub(super) enum Bomb {
    /// It says what it was sent.
    None,
    /// Chunks without a byte, for ever.
    EmptyData,
    /// A body without an end.
    Data,
}

/// A server that speaks HTTP/2 alone.
pub(super) struct Http2 {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Http2 {
    pub(super) fn new(authority: &Authority, name: &str, bomb: Bomb) -> Http2 {
        let mut config = authority.server(name, |_| {});
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&seen);
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let Ok(stream) = acceptor.accept(stream).await else { continue };
                    let Ok(mut connection) = h2::server::handshake(stream).await else { continue };
                    let Some(Ok((request, mut answer))) = connection.accept().await else { continue };
                    let serve = async {
                        let (parts, mut body) = request.into_parts();
                        let mut bytes = Vec::new();
                        while let Some(Ok(chunk)) = body.data().await {
                            bytes.extend_from_slice(&chunk);
                        }
                        let host = if parts.headers.contains_key("host") { "host" } else { "no host" };
                        let length = parts.headers.get("content-length").map_or("", |length| length.to_str().unwrap());
                        kept.lock().unwrap().push(format!("{} {} {host}, {length}", parts.method, parts.uri));
                        let Ok(mut out) = answer.send_response(http::Response::new(()), false) else { return };
                        loop {
                            let chunk = match bomb {
                                Bomb::None => Bytes::from(std::mem::take(&mut bytes)),
                                Bomb::EmptyData => Bytes::new(),
                                Bomb::Data => Bytes::from_static(&[b'x'; 10_000]),
                            };
                            let last = matches!(bomb, Bomb::None);
                            if out.send_data(chunk, last).is_err() || last {
                                return;
                            }
                            tokio::task::yield_now().await;
                        }
                    };
                    tokio::select! {
                        () = async { serve.await; std::future::pending().await } => {}
                        () = async { while connection.accept().await.is_some_and(|next| next.is_ok()) {} } => {}
                    }
                }
            });
        });
        Http2 { address: told.recv().unwrap(), seen }
    }

    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

fn over_http2(bomb: Bomb, run: impl FnOnce(&Sandbox, Call) -> Ended) -> Ended {
    let (authority, dns) = (Authority::new(), Dns::fixed(&[("good.test", &["127.0.0.1"])]));
    let server = Http2::new(&authority, "good.test", bomb);
    let authority_part = format!("good.test:{}", server.address.port());
    let request = json!({ "scheme": "https", "authority": authority_part, "path": "/", "say": true });
    let call = one(request).reach(&rule(Scheme::Https, "good.test"));
    run(&authority.trusted(&dns), call.limits(|limits| limits.traffic = Size::from_mib(4)))
}

#[test]
fn n16_http2_answers_without_an_end() {
    let ended = over_http2(Bomb::Data, |sandbox, call| sandbox.run(&net(), call));
    assert_eq!(ended.limit(), ("traffic", "4MiB"));
}

#[test]
fn n16_http2_chunks_without_a_byte() {
    let ended = over_http2(Bomb::EmptyData, |sandbox, call| {
        sandbox.run(&net(), call.limits(|limits| limits.traffic = Size::from_bytes(64 << 10)))
    });
    // Whichever comes first: the library hangs up on such a server, or the bytes are used up.
    let stopped = match &ended.result {
        Ok(_) => first(&ended)["end"] != "closed",
        Err(failure) => matches!(&failure.what, FailureKind::Limit { limit, .. } if limit == "traffic"),
    };
    assert!(stopped, "{:?}", ended.result);
    let ended = over_http2(Bomb::EmptyData, |sandbox, call| {
        let (ended, took) = sandbox.cancel(&net(), call);
        assert!(took < Duration::from_secs(1), "{took:?}");
        ended
    });
    assert!(ended.result.is_err() || first(&ended)["end"] != "closed", "{:?}", ended.result);
}
