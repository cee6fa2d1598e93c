//! Raw sockets, one call after the other.

use crate::{Answer, list, text};
use orch_sdk::{Host, Outcome};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use wasip2::sockets::network::{ErrorCode, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress, Ipv6SocketAddress};
use wasip2::sockets::{instance_network, ip_name_lookup, tcp_create_socket, udp_create_socket};

/// Does each step; says `ok` with what it got, or why not.
pub fn steps(input: Value, host: &dyn Host) -> Answer {
    host.info("started");
    let mut udp = None;
    let answers: Vec<_> = list(&input, "steps").iter().map(|step| one(step, &mut udp)).collect();
    Ok(Outcome::Succeeded(json!(answers)))
}

fn one(step: &Value, udp: &mut Option<UdpSocket>) -> String {
    let address = text(step, "address");
    let io = |error: std::io::Error| error.kind().to_string();
    let done = match text(step, "do") {
        "tcp" => TcpStream::connect(address).and_then(|stream| talk(stream, step)).map_err(io),
        "tcp-bound" => bound(address, text(step, "local")).map(|()| "ok".to_owned()).map_err(name),
        "listen" => TcpListener::bind(address).map(|_| "ok".to_owned()).map_err(io),
        "udp-bind" => UdpSocket::bind(address).map_err(io).map(|socket| {
            *udp = Some(socket);
            "ok".to_owned()
        }),
        "udp-connect" => udp.as_ref().map_or(Err("no socket".to_owned()), |socket| {
            socket.connect(address).map(|()| "ok".to_owned()).map_err(io)
        }),
        "udp-send" => udp.as_ref().map_or(Err("no socket".to_owned()), |socket| {
            let sent = if address.is_empty() { socket.send(b"hello") } else { socket.send_to(b"hello", address) };
            sent.map(|_| "ok".to_owned()).map_err(io)
        }),
        "udp-stream" => stream_elsewhere(address, text(step, "to")).map_err(name),
        "lookup" => {
            let network = instance_network::instance_network();
            ip_name_lookup::resolve_addresses(&network, address).map(|_| "ok".to_owned()).map_err(name)
        }
        "std-lookup" => {
            use std::net::ToSocketAddrs as _;
            (address, 80).to_socket_addrs().map(|_| "ok".to_owned()).map_err(io)
        }
        other => Err(format!("no step {other}")),
    };
    done.unwrap_or_else(|error| error)
}

fn name(error: ErrorCode) -> String {
    error.name().to_owned()
}

fn talk(mut stream: TcpStream, step: &Value) -> std::io::Result<String> {
    let bytes = step["bytes"].as_u64().unwrap_or(5) as usize;
    for chunk in vec![b'x'; bytes].chunks(4096) {
        stream.write_all(chunk)?;
    }
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(format!("ok {}", String::from_utf8_lossy(&answer)))
}

fn wasi(address: &str) -> (IpAddressFamily, IpSocketAddress) {
    match address.parse().unwrap() {
        SocketAddr::V4(address) => {
            let [a, b, c, d] = address.ip().octets();
            let address = Ipv4SocketAddress { port: address.port(), address: (a, b, c, d) };
            (IpAddressFamily::Ipv4, IpSocketAddress::Ipv4(address))
        }
        SocketAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h] = address.ip().segments();
            let address = (a, b, c, d, e, f, g, h);
            let address = Ipv6SocketAddress { port: 0, flow_info: 0, address, scope_id: 0 };
            (IpAddressFamily::Ipv6, IpSocketAddress::Ipv6(address))
        }
    }
}

/// Binds an address of its own choice before it connects.
fn bound(remote: &str, local: &str) -> Result<(), ErrorCode> {
    let (family, remote) = wasi(remote);
    let network = instance_network::instance_network();
    let socket = tcp_create_socket::create_tcp_socket(family)?;
    socket.start_bind(&network, wasi(local).1)?;
    socket.finish_bind()?;
    socket.start_connect(&network, remote)?;
    socket.subscribe().block();
    socket.finish_connect().map(drop)
}

/// Connects a datagram socket and sends to somebody else over it.
fn stream_elsewhere(remote: &str, to: &str) -> Result<String, ErrorCode> {
    use wasip2::sockets::udp::OutgoingDatagram;
    let (family, remote) = wasi(remote);
    let network = instance_network::instance_network();
    let socket = udp_create_socket::create_udp_socket(family)?;
    let any = wasi(if matches!(family, IpAddressFamily::Ipv4) { "0.0.0.0:0" } else { "[::]:0" }).1;
    socket.start_bind(&network, any)?;
    socket.subscribe().block();
    socket.finish_bind()?;
    let (_incoming, outgoing) = socket.stream(Some(remote))?;
    outgoing.subscribe().block();
    outgoing.check_send()?;
    let datagram = OutgoingDatagram { data: b"elsewhere".to_vec(), remote_address: Some(wasi(to).1) };
    outgoing.send(&[datagram]).map(|sent| format!("ok {sent}"))
}
