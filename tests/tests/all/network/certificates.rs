//! TLS: the certificate is verified for the name of the URL, by authorities that were named (N10); and HTTP/2 over it.

use super::dns::Dns;
use super::kit::{failed, one, rule, run, said};
use super::sinks::read;
use orch_core::{NetworkOptions, Scheme};
use orch_tests::{Call, Sandbox, marker, net, rerun_all, this_program};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// Who signs the certificates of a test.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: tempfile::TempDir,
}

impl Authority {
    pub(super) fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("roots.pem"), issuer.pem()).unwrap();
        Authority { issuer, folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("roots.pem")
    }

    /// A sandbox that trusts this authority alone.
    pub(super) fn trusted(&self, dns: &Dns) -> Sandbox {
        Sandbox::with_network(NetworkOptions {
            name_servers: vec![dns.address],
            root_files: vec![self.file().try_into().unwrap()],
            platform_roots: false,
        })
    }

    /// A server's configuration with a certificate for `name`.
    pub(super) fn server(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> ServerConfig {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        config(certificate.der().clone(), &key)
    }
}

fn config(certificate: rustls::pki_types::CertificateDer<'static>, key: &KeyPair) -> ServerConfig {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap()
}

/// The name that a client wanted, and its request.
type Seen = (Option<String>, String);

/// A server that keeps the name that each client wanted, and the requests that arrived.
struct Server {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    fn new(config: ServerConfig) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, config) = (listener.local_addr().unwrap(), Arc::new(config));
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let kept = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
                let request = read(&mut stream);
                let name = stream.conn.server_name().map(str::to_owned);
                kept.lock().unwrap().push((name, request));
                drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
                stream.conn.send_close_notify();
                drop(stream.flush());
            }
        });
        Server { address, seen }
    }

    /// Requests that arrived whole.
    fn requests(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().iter().filter(|(_, request)| !request.is_empty()).cloned().collect()
    }
}

fn dns() -> Dns {
    Dns::fixed(&[("good.test", &["127.0.0.1"]), ("other.test", &["127.0.0.1"])])
}

/// A request over TLS.
fn secured(name: &str, port: u16) -> Call {
    let request: Value = json!({ "scheme": "https", "authority": format!("{name}:{port}"), "path": "/" });
    one(request).reach(&rule(Scheme::Https, name))
}

#[test]
fn n10_a_good_certificate() {
    let (authority, dns) = (Authority::new(), dns());
    let server = Server::new(authority.server("good.test", |_| {}));
    let port = server.address.port();
    said(&run(&authority.trusted(&dns), secured("good.test", port)), "ok");
    let (name, request) = &server.requests()[0];
    assert_eq!(name.as_deref(), Some("good.test"));
    assert!(request.contains(&format!("host: good.test:{port}\r\n")), "{request}");
    // An address is a name as well, if the certificate says so.
    let server = Server::new(authority.server("127.0.0.1", |_| {}));
    said(&run(&authority.trusted(&dns), secured("127.0.0.1", server.address.port())), "ok");
}

#[test]
fn n10_bad_certificates() {
    let (authority, stranger, dns) = (Authority::new(), Authority::new(), dns());
    let key = KeyPair::generate().unwrap();
    let own = CertificateParams::new(vec!["good.test".to_owned()]).unwrap().self_signed(&key).unwrap();
    let past = |params: &mut CertificateParams| params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    let future = |params: &mut CertificateParams| params.not_before = rcgen::date_time_ymd(4000, 1, 1);
    let sandbox = authority.trusted(&dns);
    for (what, config) in [
        ("wrong name", authority.server("other.test", |_| {})),
        ("name above", authority.server("test", |_| {})),
        ("address", authority.server("127.0.0.1", |_| {})),
        ("expired", authority.server("good.test", past)),
        ("not yet valid", authority.server("good.test", future)),
        ("signed by itself", config(own.der().clone(), &key)),
        ("signed by a stranger", stranger.server("good.test", |_| {})),
    ] {
        let server = Server::new(config);
        let ended = run(&sandbox, secured("good.test", server.address.port()));
        failed(&ended, "TlsCertificateError");
        assert_eq!(server.requests(), [], "{what}");
    }
}

#[test]
fn n10_a_field_changes_no_name() {
    let (authority, dns) = (Authority::new(), dns());
    let server = Server::new(authority.server("other.test", |_| {}));
    let authority_part = format!("good.test:{}", server.address.port());
    let request =
        json!({ "scheme": "https", "authority": authority_part, "path": "/", "headers": [["Host", "other.test"]] });
    failed(&run(&authority.trusted(&dns), one(request).reach(&rule(Scheme::Https, "good.test"))), "forbidden");
    assert_eq!(server.requests(), []);
}

#[test]
fn n10_a_server_without_tls_learns_nothing() {
    let (authority, dns) = (Authority::new(), dns());
    let plain = super::sinks::Sink::new("127.0.0.1:0");
    let authority_part = format!("good.test:{}", plain.address.port());
    let request = json!({ "scheme": "https", "authority": authority_part, "path": "/", "connect-ms": 300 });
    let ended = run(&authority.trusted(&dns), one(request).reach(&rule(Scheme::Https, "good.test")));
    failed(&ended, "ConnectionTimeout");
    assert!(!plain.seen().iter().any(|seen| seen.contains("GET ")), "{:?}", plain.seen());
}

#[test]
fn n10_the_environment_names_no_authority() {
    let dns = dns();
    if let Some(file) = marker("ROOTS") {
        assert_eq!(std::env::vars().find(|(name, _)| name == "SSL_CERT_FILE").map(|(_, value)| value), Some(file));
        let port = marker("PORT").unwrap().parse().unwrap();
        let sandbox =
            Sandbox::with_network(NetworkOptions { name_servers: vec![dns.address], ..NetworkOptions::default() });
        failed(&run(&sandbox, secured("good.test", port)), "TlsCertificateError");
        return;
    }
    let authority = Authority::new();
    let server = Server::new(authority.server("good.test", |_| {}));
    let program = this_program();
    let name = "network::certificates::n10_the_environment_names_no_authority";
    rerun_all(name, 1, program.to_str().unwrap(), &[], |command| {
        let file = authority.file();
        command.env("SSL_CERT_FILE", &file).env("SSL_CERT_DIR", authority.folder.path());
        command.env("ORCH_TESTS_ROOTS", &file).env("ORCH_TESTS_PORT", server.address.port().to_string());
        command.env("ORCH_TESTS_PROGRAMS", orch_tests::program(""));
    });
    assert_eq!(server.requests(), []);
}

#[test]
fn http2_is_spoken_where_a_server_offers_it() {
    let (authority, dns) = (Authority::new(), dns());
    let server = super::bombs::Http2::new(&authority, "good.test", super::bombs::Bomb::None);
    let port = server.address.port();
    let request = json!({
        "scheme": "https", "authority": format!("good.test:{port}"), "path": "/a?b=c", "method": "POST",
        "headers": [["content-length", "5"], ["x-mine", "yes"]], "body": { "chunks": ["he", "llo"] },
    });
    let ended = run(&authority.trusted(&dns), one(request).reach(&rule(Scheme::Https, "good.test")));
    said(&ended, "hello");
    assert_eq!(server.seen(), [format!("POST https://good.test:{port}/a?b=c no host, 5")]);
    let call = Call::new("http", json!({ "requests": [] }));
    assert_eq!(run(&authority.trusted(&dns), call).output(), &json!([]), "{:?}", net().tasks);
}
