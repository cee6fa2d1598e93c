//! Scans that ask a server, which is a function here.

use crate::common::{Place, Scanned, and, of_bill, of_kit, record};
use orch_plugin_vuln_scan::Input;
use orch_plugin_vuln_scan::scan::Online;
use orch_sdk::{HttpRequest, HttpResponse, TaskError, TestHost};
use serde_json::{Value, json};

fn answer(status: u16, body: impl Into<Vec<u8>>) -> HttpResponse {
    HttpResponse { status, headers: Vec::new(), body: body.into() }
}

fn json(body: &Value) -> HttpResponse {
    answer(200, body.to_string())
}

/// The queries of a batch.
fn queries(request: &HttpRequest) -> Vec<Value> {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    body["queries"].as_array().unwrap().clone()
}

type Server = fn(&HttpRequest) -> HttpResponse;

fn host(purls: &[&str], server: Server) -> TestHost {
    let place = Place::new().with_bill(purls);
    // The records' folder is not granted: a server takes its place.
    let source = orch_sdk::Host::mount(&place.host(), "source");
    let host = TestHost::new().with_mount("source", source);
    host.with_http(move |request| {
        let _folder_lives_as_long = &place;
        Ok(server(request))
    })
}

fn online() -> Input {
    Input { online: Some(Online { url: "https://osv.example/".to_owned() }), ..of_bill() }
}

#[track_caller]
fn scan(purls: &[&str], server: Server) -> Scanned {
    Scanned::by(online(), host(purls, server)).unwrap()
}

#[test]
fn pages_then_records() {
    let server = |request: &HttpRequest| match (request.method.as_str(), request.url.as_str()) {
        ("POST", "https://osv.example/v1/querybatch") => {
            let results = queries(request).into_iter().map(|query| {
                match (query["package"]["name"].as_str().unwrap(), query["page_token"].as_str()) {
                    ("kit", None) => json!({ "vulns": [{ "id": "A-1", "modified": "x" }], "next_page_token": "2" }),
                    ("kit", Some("2")) => json!({ "vulns": [{ "id": "A-2" }], "next_page_token": "3" }),
                    ("kit", Some("3")) => json!({ "vulns": [{ "id": "A-1" }], "next_page_token": "" }),
                    _ => json!({}),
                }
            });
            json(&json!({ "results": results.collect::<Vec<_>>() }))
        }
        ("GET", "https://osv.example/v1/vulns/A-1") => json(&and(of_kit("A-1"), json!({ "aliases": ["CVE-2000-1"] }))),
        // The server is asked, and not believed: the record says that this version is not affected.
        ("GET", "https://osv.example/v1/vulns/A-2") => json(&record("A-2", "npm", "kit", "SEMVER", "introduced 2.0.0")),
        _ => answer(404, ""),
    };
    let host = host(&["pkg:npm/kit@1.0.0", "pkg:npm/quiet@1.0.0"], server);
    let output = orch_plugin_vuln_scan::scan(online(), &host).unwrap().succeeded().unwrap();
    let rules: Vec<String> = host.findings().into_iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, ["CVE-2000-1"]);
    assert_eq!((output.records_read, output.packages, output.incomplete), (2, 2, false));
    let asked: Vec<String> = host.requests().iter().map(|it| format!("{} {}", it.method, it.url)).collect();
    let post = "POST https://osv.example/v1/querybatch";
    let get = |id: &str| format!("GET https://osv.example/v1/vulns/{id}");
    assert_eq!(asked, [post.to_owned(), post.to_owned(), post.to_owned(), get("A-1"), get("A-2")]);
    // Only what has more to say is asked again.
    let counts: Vec<usize> = host.requests()[..3].iter().map(|request| queries(request).len()).collect();
    assert_eq!(counts, [2, 1, 1]);
}

#[test]
fn how_packages_are_asked_for() {
    let check = |purl: &str, expected: Value| {
        let host = host(&[purl], |_| json(&json!({ "results": [null] })));
        orch_plugin_vuln_scan::scan(online(), &host).unwrap();
        assert_eq!(queries(&host.requests()[0]), [expected]);
        assert_eq!(host.requests().len(), 1);
    };
    let of = |ecosystem: &str, name: &str| json!({ "package": { "ecosystem": ecosystem, "name": name } });
    check("pkg:npm/%40acme/kit@1.0.0", and(of("npm", "@acme/kit"), json!({ "version": "1.0.0" })));
    check("pkg:pypi/My_Kit@1.0", and(of("PyPI", "my-kit"), json!({ "version": "1.0" })));
    check("pkg:deb/debian/libkit@1-1?distro=debian-12&upstream=kit", of("Debian:12", "kit"));
    check("pkg:deb/ubuntu/kit@1-1?distro=ubuntu-22.04", of("Ubuntu:22.04:LTS", "kit"));
    check("pkg:apk/alpine/kit@1-r0?distro=3.18.4", of("Alpine:v3.18", "kit"));
    // All records are asked for and compared here.
    check("pkg:golang/a.example/kit@v1.0.0", of("Go", "a.example/kit"));
    check("pkg:npm/kit@main", of("npm", "kit"));
}

#[test]
fn many_packages_are_asked_for_in_batches() {
    let purls: Vec<String> = (0..1_100).map(|number| format!("pkg:npm/kit-{number}@1.0.0")).collect();
    let purls: Vec<&str> = purls.iter().map(String::as_str).collect();
    let host = host(&purls, |request| json(&json!({ "results": vec![json!({}); queries(request).len()] })));
    orch_plugin_vuln_scan::scan(online(), &host).unwrap();
    let counts: Vec<usize> = host.requests().iter().map(|request| queries(request).len()).collect();
    assert_eq!(counts, [500, 500, 100]);
}

#[test]
fn a_server_that_fails() {
    #[track_caller]
    fn check(server: Server, retry: bool) {
        match Scanned::by(online(), host(&["pkg:npm/kit@1.0.0"], server)) {
            Err(TaskError::Dependency { target, retryable, .. }) => {
                assert_eq!(retryable, retry);
                assert!(target.starts_with("https://osv.example/v1/"), "{target}");
            }
            other => panic!("{other:?}"),
        }
    }
    check(|_| answer(500, ""), true);
    check(|_| answer(429, ""), true);
    check(|_| answer(400, ""), false);
    // A redirect is not followed.
    check(|_| answer(302, ""), false);
    check(|_| answer(200, "<html>"), false);
    check(|_| json(&json!({ "results": [] })), false);
    check(|_| answer(200, "[".repeat(1_000_000)), false);
    check(
        |request| match request.method.as_str() {
            "POST" => json(&json!({ "results": [{ "vulns": [{ "id": "A-1" }] }] })),
            _ => answer(503, ""),
        },
        true,
    );
    let place = Place::new().with_bill(&["pkg:npm/kit@1.0.0"]);
    let refused = Scanned::by(online(), place.host());
    assert!(matches!(refused, Err(TaskError::Denied { capability, .. }) if capability == "net"));
}

#[test]
fn a_hostile_server() {
    // Names that would leave the path are never asked for.
    let scanned = scan(&["pkg:npm/kit@1.0.0"], |request| match request.method.as_str() {
        "POST" => json(
            &json!({ "results": [{ "vulns": [{ "id": "../../admin" }, { "id": "a?b" }, { "id": "A 1" }, { "id": ".." }] }] }),
        ),
        _ => panic!("asked for {}", request.url),
    });
    assert_eq!(scanned.skipped("advisory-unreadable"), 4);
    // Pages without end.
    let scanned = scan(&["pkg:npm/kit@1.0.0"], |_| json(&json!({ "results": [{ "next_page_token": "again" }] })));
    assert_eq!(scanned.told(), ["advisories-incomplete error"]);
    // A record that is gone, one that is no JSON, and one that is too large.
    let scanned = scan(&["pkg:npm/kit@1.0.0"], |request| match request.url.rsplit('/').next() {
        Some("querybatch") => json(
            &json!({ "results": [{ "vulns": [{ "id": "A-1" }, { "id": "A-2" }, { "id": "A-3" }, { "id": "A-4" }] }] }),
        ),
        Some("A-2") => answer(200, "nonsense"),
        Some("A-3") => answer(200, vec![b' '; 17 * 1024 * 1024]),
        Some("A-4") => json(&of_kit("A-4")),
        _ => answer(404, ""),
    });
    assert_eq!(scanned.skipped("advisory-unreadable"), 3);
    assert_eq!(scanned.told().first().map(String::as_str), Some("A-4 open"));
}
