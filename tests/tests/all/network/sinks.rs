//! Servers that count who comes and keep what was said.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A listener with its count.
pub(crate) struct Sink {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    hits: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<String>>>,
}

/// What a server does with a request that it has read; `false` ends the connection.
type Reply = Arc<dyn Fn(&mut TcpStream, &str) + Send + Sync>;

impl Sink {
    /// A server on a loopback address, such as `127.0.0.1:0`, that answers each request with the same text.
    pub(crate) fn saying(address: &str, answer: &str) -> Sink {
        let answer = answer.to_owned();
        Sink::with(address, move |stream, _| drop(stream.write_all(answer.as_bytes())))
    }

    /// As [`Sink::saying`], with `ok` as the body.
    pub(crate) fn new(address: &str) -> Sink {
        Sink::saying(address, "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    }

    /// A server that does what `reply` does once it has read a request.
    pub(crate) fn with(address: &str, reply: impl Fn(&mut TcpStream, &str) + Send + Sync + 'static) -> Sink {
        let listener = TcpListener::bind(address).unwrap();
        let sink = Sink { address: listener.local_addr().unwrap(), hits: Arc::default(), seen: Arc::default() };
        let (hits, seen, reply) = (Arc::clone(&sink.hits), Arc::clone(&sink.seen), Arc::new(reply) as Reply);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                hits.fetch_add(1, Ordering::SeqCst);
                let (seen, reply) = (Arc::clone(&seen), Arc::clone(&reply));
                std::thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let request = read(&mut stream);
                    seen.lock().unwrap().push(request.clone());
                    reply(&mut stream, &request);
                });
            }
        });
        sink
    }

    /// How often somebody connected.
    pub(crate) fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }

    /// What was said, one text a connection, as it came over the wire.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// `host:port`.
    pub(crate) fn authority(&self) -> String {
        self.address.to_string()
    }

    /// `name:port` with this sink's port.
    pub(crate) fn named(&self, name: &str) -> String {
        format!("{name}:{}", self.address.port())
    }
}

/// Everything that is sent until a request is complete, the connection ends, or nothing comes for a while.
pub(crate) fn read(stream: &mut impl Read) -> String {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => all.extend_from_slice(&buffer[..count]),
        }
        let text = String::from_utf8_lossy(&all);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        let chunked = head.contains("transfer-encoding: chunked");
        if chunked && body.ends_with("0\r\n\r\n") || !chunked && body.len() >= length.unwrap_or(0) {
            break;
        }
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// Waits until the other side has gone; says whether it did within 10 s.
pub(crate) fn ended(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
    }
}
