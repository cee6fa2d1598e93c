//! Sockets that take connections or datagrams, from the kernel's tables in `proc/net`.

use crate::facts::{Facts, Socket};
use crate::task::Reader;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Sockets in the output.
const MOST: usize = 5_000;

/// Tables and the state that counts: TCP sockets that listen, UDP sockets that are not connected.
const TABLES: [(&str, &str, &str); 4] = [
    ("tcp", "proc/net/tcp", "0A"),
    ("tcp", "proc/net/tcp6", "0A"),
    ("udp", "proc/net/udp", "07"),
    ("udp", "proc/net/udp6", "07"),
];

/// Collects the sockets. Without IPv6 its tables are not there.
pub fn collect(facts: &mut Facts, reader: &mut Reader<'_>) {
    let mut all = BTreeSet::new();
    let mut any = false;
    for (protocol, path, state) in TABLES {
        let Some(text) = reader.quiet(path) else { continue };
        any = true;
        for line in text.lines().skip(1) {
            if all.len() < MOST {
                all.extend(socket(line, protocol, state));
            }
        }
    }
    if any {
        facts.listening = Some(all.into_iter().collect());
    } else {
        reader.unknown("listening", TABLES[0].1, "no table of sockets can be read");
    }
}

/// `0: 00000000:0016 00000000:0000 0A …`: number, local and remote address, state.
fn socket(line: &str, protocol: &str, wanted: &str) -> Option<Socket> {
    let mut words = line.split_ascii_whitespace();
    let (local, _, state) = (words.nth(1)?, words.next()?, words.next()?);
    if state != wanted {
        return None;
    }
    let (address, port) = local.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(Socket { protocol: protocol.to_owned(), port, address: parse(address)?.to_string() })
}

/// Words of 32 bits in the order of the processor, which has the lowest byte first on all that are common.
fn parse(address: &str) -> Option<IpAddr> {
    let word = |from: usize| Some(u32::from_str_radix(address.get(from..from + 8)?, 16).ok()?.swap_bytes());
    match address.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let all = words.iter().fold(0_u128, |all, word| (all << 32) | u128::from(*word));
            Some(IpAddr::V6(Ipv6Addr::from(all)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::socket;

    #[test]
    fn sockets() {
        let shown =
            |line: &str, state: &str| socket(line, "tcp", state).map(|one| format!("{} {}", one.address, one.port));
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0";
        assert_eq!(shown(line, "0A").as_deref(), Some("127.0.0.1 8080"));
        assert_eq!(shown(line, "07"), None);
        let line = "   0: 00000000000000000000000001000000:0016 00000000000000000000000000000000:0000 0A";
        assert_eq!(shown(line, "0A").as_deref(), Some("::1 22"));
        for line in ["", "0: x:y z 0A", "0: 0100007F:FFFFF a 0A", "0: ééééé:0016 a 0A", "0: 0100:1 a 0A"] {
            assert_eq!(shown(line, "0A"), None, "{line}");
        }
    }
}
