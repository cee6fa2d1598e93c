//! Requests: the recording answers, and the server that answered first hears nothing.

use super::kit::{Tapes, contents, edit, read};
use crate::network::sinks::Sink;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use orch_core::{NetRule, Scheme};
use orch_tests::{Call, net};
use serde_json::{Value, json};
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

fn to(sink: &Sink) -> NetRule {
    NetRule {
        scheme: Some(Scheme::Http),
        host: "127.0.0.1".try_into().unwrap(),
        ports: vec![sink.address.port()],
        methods: Vec::new(),
        paths: Vec::new(),
        addresses: vec!["127.0.0.0/8".try_into().unwrap()],
    }
}

fn get(sink: &Sink, path: &str) -> Value {
    json!({ "scheme": "http", "authority": sink.authority(), "path": path })
}

fn post(sink: &Sink, body: &str) -> Value {
    json!({ "scheme": "http", "authority": sink.authority(), "path": "/p", "method": "POST", "body": { "chunks": [body] } })
}

fn call(sink: &Sink, requests: &[Value]) -> Call {
    Call::new("http", json!({ "requests": requests })).reach(&to(sink))
}

/// Says how many asked before.
fn counting() -> Sink {
    let count = AtomicUsize::new(0);
    Sink::with("127.0.0.1:0", move |stream, _| {
        let body = format!("answer {}", count.fetch_add(1, Ordering::SeqCst));
        let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    })
}

#[test]
fn requests_are_answered_in_their_order_and_nobody_is_asked() {
    let (tapes, sink) = (Tapes::new(), counting());
    let asked = [get(&sink, "/a?b=c"), get(&sink, "/a?b=c"), post(&sink, "body"), get(&sink, "/")];
    let (ended, place) = tapes.record(&net(), call(&sink, &asked));
    assert_eq!(ended.output()[1]["body"], "answer 1");
    assert_eq!(sink.hits(), 4);
    tapes.passes(&net(), &place);
    assert_eq!(sink.hits(), 4, "a replay reaches nobody");
    let port = sink.address.port();
    // Nor does it when nobody listens any more, or when names lead elsewhere: a recording of another host is as good.
    let text = std::fs::read_to_string(place.join("recording.json")).unwrap();
    let elsewhere = text.replace("127.0.0.1", "api.example").replace(&format!(":{port}"), "");
    let elsewhere = elsewhere.replace(&format!("{port}"), "80");
    std::fs::write(place.join("recording.json"), elsewhere).unwrap();
    tapes.passes(&net(), &place);
    assert_eq!(sink.hits(), 4);
}

#[test]
fn a_request_that_is_not_recorded_fails_and_is_named() {
    let (tapes, sink) = (Tapes::new(), counting());
    let (_, place) = tapes.record(&net(), call(&sink, &[get(&sink, "/a"), post(&sink, "body")]));
    let whole = read(&place);
    let url = format!("http://{}", sink.authority());
    for (requests, expected) in [
        (json!([get(&sink, "/other")]), format!("http GET {url}/other")),
        (json!([get(&sink, "/a"), get(&sink, "/a")]), "recorded 1 times, and is made once more".to_owned()),
        (json!([post(&sink, "another")]), "with a body of 7 bytes".to_owned()),
        (json!([post(&sink, "another")]), "recorded with another body".to_owned()),
    ] {
        edit(&place, |recording| {
            *recording = whole.clone();
            recording["input"]["requests"] = requests;
        });
        tapes.unrecorded(&net(), &place, &expected);
    }
    assert_eq!(sink.hits(), 2, "what is not recorded is not asked elsewhere");
}

#[test]
fn what_differs_is_named_and_what_is_not_asked_any_more_is_told() {
    let (tapes, sink) = (Tapes::new(), counting());
    let (_, place) = tapes.record(&net(), call(&sink, &[get(&sink, "/a"), get(&sink, "/b")]));
    edit(&place, |recording| recording["http"][0]["answer"]["status"] = json!(404));
    let replayed = tapes.sandbox.replay(&net(), &place);
    assert_eq!(replayed.differences, ["output[0].status was `200`, and is `404`"]);
    assert!(replayed.unrecorded.is_empty() && replayed.unused.is_empty(), "{replayed:?}");
    edit(&place, |recording| {
        recording["http"][0]["answer"]["status"] = json!(200);
        recording["input"]["requests"].as_array_mut().unwrap().pop();
        recording["outcome"]["output"].as_array_mut().unwrap().pop();
    });
    let replayed = tapes.sandbox.replay(&net(), &place);
    assert_eq!(replayed.unused, [format!("http GET http://{}/b", sink.authority())]);
    assert!(replayed.unrecorded.is_empty() && replayed.differences.is_empty(), "{replayed:?}");
}

#[test]
fn what_went_wrong_goes_wrong_again() {
    let tapes = Tapes::new();
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gone = Sink::saying("127.0.0.1:0", "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nonly this");
    let requests = [get(&gone, "/"), json!({ "scheme": "http", "authority": nobody.to_string(), "path": "/" })];
    let rule = NetRule { ports: Vec::new(), ..to(&gone) };
    let (ended, place) = tapes.record(&net(), Call::new("http", json!({ "requests": requests })).reach(&rule));
    let output = ended.output();
    assert_eq!(output[0]["body"], "only this");
    assert_ne!(output[0]["end"], "closed", "{output}");
    // Port 0 of this rule is the default one, so the second is refused, or nobody is there: both have no answer.
    assert!(output[1]["error"].is_string(), "{output}");
    tapes.passes(&net(), &place);
    assert_eq!(gone.hits(), 1);
}

#[test]
fn no_value_of_a_secret_is_in_a_recording() {
    let tapes = Tapes::new();
    let value = ["hunter2", "value", "of", "it"].join("-");
    let body = format!("raw {value} and {} in one answer", STANDARD.encode(format!("u:{value}")));
    let answer = format!("HTTP/1.1 200 OK\r\nx-said: {value}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let sink = Sink::saying("127.0.0.1:0", &answer);
    let asked = [json!({
        "scheme": "http", "authority": sink.authority(), "path": "/",
        "headers": [["authorization", "Bearer something"], ["x-plain", "kept"]],
    })];
    let (ended, place) = tapes.record(&net(), call(&sink, &asked).secret("token", &value));
    assert_eq!(ended.output()[0]["bytes"], body.len(), "the guest was told the truth");
    let forms = [value.clone(), STANDARD.encode(&value), STANDARD.encode(format!("u:{value}"))];
    for (file, bytes) in contents(&place) {
        let text = String::from_utf8_lossy(&bytes);
        for form in &forms {
            assert!(!text.contains(form.trim_end_matches('=')), "{form} in {}", file.display());
        }
    }
    let request = &read(&place)["http"][0];
    assert_eq!(request["headers"], json!([["authorization", "***"], ["x-plain", "kept"]]));
    // What the guest counted was longer than what is kept.
    let replayed = tapes.sandbox.replay(&net(), &place);
    assert!(replayed.unrecorded.is_empty() && replayed.unused.is_empty(), "{replayed:?}");
    assert!(
        replayed.differences.iter().all(|place| place.contains("bytes") || place.contains("content-length")),
        "{replayed:?}"
    );
}

#[test]
fn raw_sockets_are_not_recorded_and_the_attempt_goes_on() {
    let (tapes, sink) = (Tapes::new(), Sink::new("127.0.0.1:0"));
    let rule = NetRule { scheme: Some(Scheme::Tcp), ..to(&sink) };
    let call = Call::new("raw", json!({ "steps": [{ "do": "tcp", "address": sink.authority() }] })).reach(&rule);
    let ended = tapes.refuses(&net(), call, "raw sockets cannot be recorded");
    assert!(ended.output()[0].as_str().unwrap().starts_with("ok"), "{}", ended.output());
    // A recording that somebody wrote for a plugin that has come to use them connects nobody either.
    let (_, place) = tapes.record(&net(), Call::new("raw", json!({ "steps": [] })));
    edit(&place, |recording| {
        let rules = json!([rule]);
        recording["grants"]["net"] = json!({ "asked": rules, "granted": rules, "allowed": rules });
        recording["input"]["steps"] = json!([{ "do": "tcp", "address": sink.authority() }]);
    });
    tapes.unrecorded(&net(), &place, "raw sockets cannot be recorded");
    assert_eq!(sink.hits(), 1);
}

#[test]
fn a_placeholder_is_recorded_as_the_name_of_its_secret() {
    let (tapes, sink) = (Tapes::new(), counting());
    // Not in the source as one text: a made-up value, and yet one.
    let value = ["hunter2", "value", "of", "it"].join("-");
    let mut request = get(&sink, "/");
    request["headers"] = json!([["authorization", "Bearer PLACEHOLDER"]]);
    let call = Call::new("http", json!({ "secret": "token", "requests": [request] }))
        .reach(&to(&sink))
        .secret("token", &value)
        .in_header("authorization", to(&sink));
    let (_, place) = tapes.record(&net(), call);
    assert!(sink.seen()[0].contains(&format!("authorization: Bearer {value}")), "{:?}", sink.seen());
    for (file, bytes) in contents(&place) {
        let text = String::from_utf8_lossy(&bytes);
        for form in [value.as_str(), &STANDARD.encode(&value), "orch-secret-"] {
            assert!(!text.contains(form), "{form} in {}: {text}", file.display());
        }
    }
    // A placeholder is another one in each attempt; the recording knows it all the same, and the server is not asked.
    tapes.passes(&net(), &place);
    assert_eq!(sink.hits(), 1);
}
