//! The task against webhooks that are functions, and against a mail server of the test's own.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use orch_plugin_notify::{Output, send};
use orch_sdk::{HttpRequest, HttpResponse, TaskError, TestHost};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

fn ok(_: &HttpRequest) -> Result<HttpResponse, TaskError> {
    Ok(HttpResponse { status: 200, headers: Vec::new(), body: b"ok".to_vec() })
}

fn run(host: &TestHost, input: Value) -> Result<Output, TaskError> {
    send(serde_json::from_value(input).unwrap(), host).map(|outcome| outcome.succeeded().unwrap())
}

fn with_findings(host: TestHost) -> (TestHost, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("scan")).unwrap();
    let one = |severity: &str, status: &str| json!({ "rule": "r", "severity": severity, "status": status, "title": "t", "fingerprint": "f" });
    let found = json!([one("low", "open"), one("critical", "open"), one("critical", "open"), one("high", "passed")]);
    std::fs::write(folder.path().join("scan/.findings.json"), found.to_string()).unwrap();
    (host.with_mount("artifacts", folder.path()), folder)
}

#[test]
fn each_place_gets_its_form() {
    let (host, _folder) = with_findings(TestHost::new().with_http(ok).with_env("TEAMS_URL", "https://teams.example/t"));
    let input = json!({
        "title": "a <b> & c", "text": "more", "summary": true,
        "slack": { "url": "https://slack.example/s" }, "teams": {}, "webhook": { "url": "https://hook.example" },
    });
    assert_eq!(run(&host, input).unwrap().sent, ["slack", "teams", "webhook"]);
    let sent: Vec<(String, Value)> =
        host.requests().iter().map(|one| (one.url.clone(), serde_json::from_slice(&one.body).unwrap())).collect();
    let slack = "*a &lt;b&gt; &amp; c*\nmore\nFindings: 2 critical, 1 low";
    assert_eq!(sent[0], ("https://slack.example/s".to_owned(), json!({ "text": slack })));
    assert_eq!(sent[1].0, "https://teams.example/t");
    let card = &sent[1].1["attachments"][0]["content"];
    assert_eq!(card["body"][0]["text"], "a <b> & c");
    assert_eq!(card["body"][2]["facts"][0], json!({ "title": "critical", "value": "2" }));
    assert_eq!(sent[2].1, json!({ "title": "a <b> & c", "text": "more", "findings": { "critical": 2, "low": 1 } }));
}

#[test]
fn a_token_goes_to_the_webhook_alone() {
    let host = TestHost::new().with_http(ok).with_secret("token");
    let input =
        json!({ "title": "t", "slack": { "url": "https://s.example" }, "webhook": { "url": "https://w.example" } });
    run(&host, input).unwrap();
    let with_token: Vec<_> = host
        .requests()
        .iter()
        .filter(|one| one.headers.iter().any(|(name, _)| name == "authorization"))
        .map(|one| one.url.clone())
        .collect();
    assert_eq!(with_token, ["https://w.example"]);
}

#[test]
fn a_dry_run_sends_nothing() {
    let host = TestHost::new().with_http(ok).dry_run();
    let output = run(&host, json!({ "title": "t", "slack": { "url": "https://s.example" } })).unwrap();
    assert_eq!((output.sent.len(), output.would_send), (0, vec!["slack".to_owned()]));
    assert!(host.requests().is_empty());
}

#[test]
fn what_did_not_arrive_fails_and_the_rest_is_tried() {
    let server = |request: &HttpRequest| {
        let status = if request.url.contains("slack") { 500 } else { 200 };
        Ok(HttpResponse { status, headers: Vec::new(), body: b"no".to_vec() })
    };
    let host = TestHost::new().with_http(server);
    let both = json!({ "title": "t", "slack": { "url": "https://slack.example/password" }, "webhook": { "url": "https://w.example" } });
    match run(&host, both) {
        Err(TaskError::Failed(reason)) => {
            assert!(reason.starts_with("slack did not take the message (webhook did)"), "{reason}");
            assert!(!reason.contains("password"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(host.requests().len(), 2);
    // Where nobody has it another try does no harm.
    match run(&host, json!({ "title": "t", "slack": { "url": "https://slack.example/password" } })) {
        Err(TaskError::Dependency { target, retryable: true, .. }) => assert_eq!(target, "https://slack.example"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn wrong_input_is_said_before_anything_is_sent() {
    let mail =
        |server: &str, to: &str| json!({ "title": "t", "mail": { "server": server, "from": "a@x", "to": [to] } });
    for (input, place) in [
        (json!({ "title": " ", "slack": { "url": "https://s" } }), "`title`"),
        (json!({ "title": "a\nb", "slack": { "url": "https://s" } }), "`title`"),
        (json!({ "title": "t" }), "nobody is named"),
        (json!({ "title": "t", "slack": {} }), "`slack.url`"),
        (json!({ "title": "t", "teams": { "url": "s" } }), "`teams.url`"),
        (mail("relay.example:25", "a@b"), "`mail.server`"),
        (mail("192.0.2.1:25", "a@b>\r\nDATA"), "`mail.to`"),
    ] {
        let host = TestHost::new().with_http(ok);
        match run(&host, input) {
            Err(TaskError::InvalidInput(reason)) => assert!(reason.starts_with(place), "{reason}"),
            other => panic!("{other:?}"),
        }
        assert!(host.requests().is_empty());
    }
}

/// A mail server that answers each command with what the test says, and gives what it heard.
fn mail_server(answers: &'static [&'static str]) -> (SocketAddr, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let heard = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream);
        let mut heard = Vec::new();
        for (number, answer) in answers.iter().enumerate() {
            if reader.get_mut().write_all(format!("{answer}\r\n").as_bytes()).is_err() {
                break;
            }
            // After its last answer it hangs up.
            if number + 1 == answers.len() {
                break;
            }
            let until_dot = answer.starts_with("354");
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 {
                    return heard;
                }
                heard.push(line.trim_end().to_owned());
                if !until_dot || line == ".\r\n" {
                    break;
                }
            }
        }
        heard
    });
    (address, heard)
}

fn mail(server: SocketAddr) -> Value {
    json!({ "title": "grün", "text": "first\n.\nlast", "mail": { "server": server.to_string(), "from": "a@x.example", "to": ["b@y.example", "c@z.example"] } })
}

#[test]
fn mail_is_delivered_as_it_is() {
    let (server, heard) = mail_server(&[
        "220 hello",
        "250-relay\r\n250 8BITMIME",
        "250 ok",
        "250 ok",
        "251 ok",
        "354 go",
        "250 taken",
        "221 bye",
    ]);
    assert_eq!(run(&TestHost::new(), mail(server)).unwrap().sent, ["mail"]);
    let heard = heard.join().unwrap();
    assert_eq!(
        heard[..5],
        ["EHLO orch-wasm.invalid", "MAIL FROM:<a@x.example>", "RCPT TO:<b@y.example>", "RCPT TO:<c@z.example>", "DATA"]
    );
    // The text's own dot is doubled: the only single one is the end.
    assert!(heard.contains(&"..".to_owned()), "{heard:?}");
    assert_eq!(heard.iter().filter(|line| *line == ".").count(), 1);
    assert!(heard.iter().any(|line| line.starts_with("Subject: =?utf-8?")), "{heard:?}");
    assert_eq!(heard.last().unwrap(), "QUIT");
}

#[test]
fn a_server_that_says_no_is_quoted() {
    for (answers, message, again) in [
        (&["220 hello", "250 ok", "550 not you"][..], "said `550 not you` to `MAIL FROM:<a@x.example>`", false),
        (&["421 later"][..], "said `421 later` to the greeting", true),
        (&["220 hello", "250-never\r\n250-ends"][..], "middle of a reply", true),
    ] {
        let (server, heard) = mail_server(Box::leak(answers.to_vec().into_boxed_slice()));
        match run(&TestHost::new(), mail(server)) {
            Err(TaskError::Dependency { message: found, retryable, .. }) => {
                assert!(found.contains(message), "{found}");
                assert_eq!(retryable, again);
            }
            other => panic!("{other:?}"),
        }
        drop(heard);
    }
}
