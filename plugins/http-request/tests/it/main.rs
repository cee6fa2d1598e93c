//! The task against servers that are functions.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use orch_plugin_http_request::{Output, send};
use orch_sdk::{HttpRequest, HttpResponse, TaskError, TestHost};
use serde_json::{Value, json};

fn answer(status: u16, body: &str) -> HttpResponse {
    let headers = vec![("content-type".to_owned(), "text/plain".to_owned()), ("x".to_owned(), "1".to_owned())];
    HttpResponse { status, headers, body: body.as_bytes().to_vec() }
}

fn run(host: &TestHost, input: Value) -> Result<Output, TaskError> {
    send(serde_json::from_value(input).unwrap(), host).map(|outcome| outcome.succeeded().unwrap())
}

#[track_caller]
fn sent(host: TestHost, input: Value) -> HttpRequest {
    let host = host.with_http(|_| Ok(answer(200, "")));
    run(&host, input).unwrap();
    host.requests().remove(0)
}

#[test]
fn what_is_sent_is_what_was_said() {
    let get = sent(TestHost::new(), json!({ "url": "https://a.example/b?c" }));
    assert_eq!((get.method.as_str(), get.url.as_str(), get.body.len()), ("GET", "https://a.example/b?c", 0));
    let post = sent(TestHost::new(), json!({ "url": "https://a.example", "method": "POST", "json": { "a": [1] } }));
    assert_eq!(post.body, br#"{"a":[1]}"#);
    assert_eq!(post.headers, [("content-type".to_owned(), "application/json".to_owned())]);
    let own = json!({ "url": "https://a.example", "headers": { "Content-Type": "text/x" }, "body": "ä" });
    let own = sent(TestHost::new(), own);
    assert_eq!((own.headers.len(), own.body.as_slice()), (1, "ä".as_bytes()));
}

#[test]
fn the_token_goes_as_a_placeholder() {
    let request = sent(TestHost::new().with_secret("token"), json!({ "url": "https://a.example" }));
    assert_eq!(request.headers, [("authorization".to_owned(), "Bearer {{token}}".to_owned())]);
    let other = json!({ "url": "https://a.example", "token-prefix": "token " });
    let request = sent(TestHost::new().with_secret("token"), other);
    assert_eq!(request.headers[0].1, "token {{token}}");
}

#[test]
fn answers_are_given_back() {
    let host = TestHost::new().with_http(|_| Ok(answer(201, r#"{"id": 7}"#)));
    let output = run(&host, json!({ "url": "https://a.example" })).unwrap();
    assert_eq!((output.status, output.json.unwrap(), output.truncated), (201, json!({ "id": 7 }), false));
    assert_eq!(output.headers["x"], "1");
    let long = TestHost::new().with_http(|_| Ok(answer(200, &"ä€".repeat(300_000))));
    let output = run(&long, json!({ "url": "https://a.example" })).unwrap();
    assert!(output.truncated && output.json.is_none() && output.body.unwrap().len() <= 512 * 1024);
    let bytes = |_: &HttpRequest| Ok(HttpResponse { status: 200, headers: Vec::new(), body: vec![0xff, 0xfe] });
    assert_eq!(run(&TestHost::new().with_http(bytes), json!({ "url": "https://a.example" })).unwrap().body, None);
}

#[test]
fn another_status_fails_and_says_whether_to_try_again() {
    for (status, again) in [(503, true), (429, true), (404, false), (301, false)] {
        let host = TestHost::new().with_http(move |_| Ok(answer(status, "gone away")));
        match run(&host, json!({ "url": "https://a.example/x" })) {
            Err(TaskError::Dependency { target, message, retryable }) => {
                assert_eq!((target.as_str(), retryable), ("https://a.example/x", again));
                assert_eq!(message, format!("GET was answered with {status}: gone away"));
            }
            other => panic!("{other:?}"),
        }
    }
    let host = TestHost::new().with_http(|_| Ok(answer(404, "")));
    assert_eq!(run(&host, json!({ "url": "https://a.example", "expect": [404] })).unwrap().status, 404);
}

#[test]
fn wrong_input_is_said_before_anything_is_sent() {
    for (input, place) in [
        (json!({ "url": "ftp://a.example" }), "`url`"),
        (json!({ "url": "https://a.example", "method": "get" }), "`method`"),
        (json!({ "url": "https://a.example", "headers": { "a": "b\r\nc: d" } }), "`headers.a`"),
        (json!({ "url": "https://a.example", "headers": { "": "b" } }), "`headers.`"),
        (json!({ "url": "https://a.example", "body": "a", "json": 1 }), "`json`"),
        (json!({ "url": "https://a.example", "headers": { "Authorization": "x" } }), "`headers.authorization`"),
    ] {
        let host = TestHost::new().with_secret("token").with_http(|_| Ok(answer(200, "")));
        match run(&host, input) {
            Err(TaskError::InvalidInput(reason)) => assert!(reason.starts_with(place), "{reason}"),
            other => panic!("{other:?}"),
        }
        assert!(host.requests().is_empty());
    }
    assert!(matches!(run(&TestHost::new(), json!({ "url": "https://a.example" })), Err(TaskError::Denied { .. })));
}
