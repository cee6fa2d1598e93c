//! What happens between a decision and the wire: fields are swapped, bodies are looked at. The rest of `send` is tested from inside of
//! guests, in `tests/tests/all/network`.

use super::*;
use crate::egress::{BodyScan, Network};
use bytes::Bytes;
use http_body_util::Full;
use orch_core::{
    EffectiveNet, Finding, Limits, LiveEvents, LogLevel, NetRule, NetworkOptions, Refusal, StoredArtifact,
};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

#[derive(Default)]
struct Refusals(Mutex<Vec<Refusal>>);

impl LiveEvents for Refusals {
    fn log(&self, _: LogLevel, _: String, _: Vec<(String, String)>) {}
    fn progress(&self, _: u64, _: Option<u64>, _: Option<String>) {}
    fn findings(&self, _: Vec<Finding>) {}
    fn refused(&self, refusal: Refusal) {
        self.0.lock().unwrap().push(refusal);
    }
    fn stored(&self, _: StoredArtifact) {}
}

/// Puts a value in the place of `placeholder`, and lets neither `forbidden` fields nor bodies leave.
struct Swap;

fn refused(reason: &str) -> Refused {
    Refused { by: RefusedBy::Engine, reason: reason.to_owned(), fix: None }
}

impl PlaceholderSwap for Swap {
    fn swap(&self, wanted: &Wanted<'_>, headers: &mut HeaderMap, path_and_query: &str) -> Result<(), Refused> {
        if path_and_query.contains("forbidden") {
            return Err(refused("the path holds it"));
        }
        for value in headers.values_mut().filter(|value| *value == "placeholder") {
            *value = HeaderValue::try_from(format!("for {}", wanted.host)).unwrap();
        }
        Ok(())
    }

    fn scan(&self, _: &Wanted<'_>) -> Box<dyn BodyScan> {
        Box::new(Swap)
    }
}

impl BodyScan for Swap {
    fn push(&mut self, chunk: Bytes) -> Result<Bytes, Refused> {
        if chunk == b"forbidden"[..] { Err(refused("the body holds it")) } else { Ok(chunk) }
    }

    fn finish(&mut self) -> Result<Bytes, Refused> {
        Ok(Bytes::new())
    }
}

/// What a server hears that nobody called before.
const NOBODY: &str = "nobody called";

/// Sends a request to a server that keeps all that arrives; gives the result, what arrived, and the reasons of refusals.
fn sent(path: &str, body: &'static str) -> (Result<StatusCode, Problem>, String, Vec<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut all = Vec::new();
        let mut buffer = [0; 1000];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            all.extend_from_slice(&buffer[..count]);
            if all.ends_with(b"hello") {
                stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
            }
        }
        String::from_utf8(all).unwrap()
    });
    let rule = NetRule {
        scheme: Some(Scheme::Http),
        host: "127.0.0.1".try_into().unwrap(),
        ports: Vec::new(),
        methods: Vec::new(),
        paths: Vec::new(),
        addresses: Vec::new(),
    };
    let net = EffectiveNet {
        asked: vec![rule.clone()],
        granted: vec![rule.clone()],
        allowed: vec![rule],
        ..EffectiveNet::default()
    };
    let live = Arc::new(Refusals::default());
    let egress = Egress::new(
        Arc::new(Network::new(NetworkOptions::default())),
        Arc::new(Effective { net, ..Effective::default() }),
        false,
        Audit::new(Arc::clone(&live) as Arc<dyn LiveEvents>, Arc::new(orch_core::Masker::empty())),
        Arc::new(Meter::new(&Limits::default())),
        Arc::new(Swap),
        Tape::Off,
    );
    let request = Request {
        method: "POST".to_owned(),
        scheme: Scheme::Http,
        authority: address.to_string(),
        path_and_query: path.to_owned(),
        headers: HeaderMap::from_iter([("authorization".parse().unwrap(), HeaderValue::from_static("placeholder"))]),
        body: Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let result = runtime.block_on(egress.send(request, Patience::default()));
    let result = result.map(|answer| answer.response.status());
    drop(runtime);
    // The server waits for somebody: if the request never called, this does.
    if let Ok(mut stream) = TcpStream::connect(address) {
        let _ = stream.write_all(NOBODY.as_bytes());
    }
    let reasons = live.0.lock().unwrap().iter().map(|refusal| refusal.reason.clone()).collect();
    (result, server.join().unwrap(), reasons)
}

#[test]
fn a_placeholder_is_swapped_for_the_host_that_was_decided() {
    let (result, arrived, reasons) = sent("/", "hello");
    assert_eq!(result, Ok(StatusCode::NO_CONTENT));
    assert!(arrived.contains("authorization: for 127.0.0.1\r\n"), "{arrived}");
    assert_eq!(reasons, [""; 0]);
}

#[test]
fn what_the_swap_refuses_does_not_leave() {
    let (result, arrived, reasons) = sent("/?x=forbidden", "hello");
    assert_eq!((result, arrived.as_str()), (Err(Problem::Denied), NOBODY));
    assert_eq!(reasons, ["the path holds it"]);
}

#[test]
fn what_the_scan_refuses_does_not_leave() {
    let (result, arrived, reasons) = sent("/", "forbidden");
    assert_eq!(result, Err(Problem::Denied));
    assert!(!arrived.contains("forbidden"), "{arrived}");
    assert_eq!(reasons, ["the body holds it"]);
}
