//! A name server that says what a test wants, and keeps what it was asked.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

/// One record of an answer, under the name that was asked or the one that the record before leads to.
#[derive(Debug, Clone)]
pub(super) enum Record {
    Address(IpAddr),
    Alias(&'static str),
}

/// What is asked: a name in lower case, and which kind of address.
pub(super) struct Question<'a> {
    pub(super) name: &'a str,
    pub(super) v6: bool,
    /// How often the same was asked before.
    pub(super) before: usize,
}

/// A name server on loopback.
pub(super) struct Dns {
    pub(super) address: SocketAddr,
    asked: Arc<Mutex<Vec<(String, bool)>>>,
}

/// `A` and `AAAA` of RFC 1035 and RFC 3596, and `CNAME`.
const KINDS: [u16; 3] = [1, 28, 5];

impl Dns {
    /// Answers each question with what `answer` says, under the rules of the wire format (RFC 1035, 4.1).
    pub(super) fn new(answer: impl Fn(&Question<'_>) -> Vec<Record> + Send + 'static) -> Dns {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<(String, bool)>>> = Arc::default();
        let kept = Arc::clone(&asked);
        std::thread::spawn(move || {
            let mut buffer = [0; 1500];
            while let Ok((count, from)) = socket.recv_from(&mut buffer) {
                let query = &buffer[..count];
                let Some((name, end)) = name_of(query) else { continue };
                let kind = u16::from_be_bytes([query[end], query[end + 1]]);
                let v6 = kind == KINDS[1];
                let before = {
                    let mut asked = kept.lock().unwrap();
                    asked.push((name.clone(), v6));
                    asked.iter().filter(|(other, six)| *other == name && *six == v6).count() - 1
                };
                let records = answer(&Question { name: &name, v6, before });
                let mut reply = Vec::from(&query[..2]);
                // A recursive answer without an error: one question, so many records.
                reply.extend([0x81, 0x80, 0, 1]);
                reply.extend(u16::try_from(records.len()).unwrap().to_be_bytes());
                reply.extend([0, 0, 0, 0]);
                reply.extend(&query[12..end + 4]);
                let mut owner = name.clone();
                for record in records {
                    let (kind, data) = match record {
                        Record::Address(IpAddr::V4(address)) => (KINDS[0], address.octets().to_vec()),
                        Record::Address(IpAddr::V6(address)) => (KINDS[1], address.octets().to_vec()),
                        Record::Alias(name) => (KINDS[2], encoded(name)),
                    };
                    reply.extend(encoded(&owner));
                    reply.extend(kind.to_be_bytes());
                    // Class `IN`, and a time to live of nothing.
                    reply.extend([0, 1, 0, 0, 0, 0]);
                    reply.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
                    reply.extend(data);
                    if let Record::Alias(name) = record {
                        owner = name.to_owned();
                    }
                }
                drop(socket.send_to(&reply, from));
            }
        });
        Dns { address, asked }
    }

    /// Names that always have the same addresses.
    pub(super) fn fixed(table: &[(&'static str, &[&str])]) -> Dns {
        let table: Vec<(&str, Vec<IpAddr>)> = table
            .iter()
            .map(|(name, addresses)| (*name, addresses.iter().map(|address| address.parse().unwrap()).collect()))
            .collect();
        Dns::new(move |question| {
            let found = table.iter().find(|(name, _)| *name == question.name);
            let addresses = found.map_or(&[][..], |(_, addresses)| addresses);
            addresses.iter().filter(|address| address.is_ipv6() == question.v6).map(|a| Record::Address(*a)).collect()
        })
    }

    /// What was asked so far: names, and whether for IPv6.
    pub(super) fn asked(&self) -> Vec<(String, bool)> {
        self.asked.lock().unwrap().clone()
    }
}

/// The name of the first question in lower case, and where it ends.
fn name_of(query: &[u8]) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    let mut at = 12;
    loop {
        let length = usize::from(*query.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(query.get(at..at + length)?).to_lowercase());
        at += length;
    }
}

fn encoded(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}
