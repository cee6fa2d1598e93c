//! From a host to a connection: one look-up, all of its addresses checked by the caller, a connection to one of exactly those, TLS for
//! the name that was asked for.

use super::meter::{Counted, Exchange};
use super::target::Target;
use super::{Network, Problem};
use hickory_resolver::net::NetError;
use hickory_resolver::proto::rr::Name;
use orch_core::{Host, Scheme};
use rustls::pki_types::ServerName;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long a look-up may take, with everything that the resolver tries.
const RESOLVE: Duration = Duration::from_secs(10);
/// How long one address may take to answer, and then TLS.
const CONNECT: Duration = Duration::from_secs(10);
/// Addresses of a name that are tried.
const MOST_TRIED: usize = 6;

/// A connection that HTTP can be spoken over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection, and what is spoken over it.
pub(super) enum Connection {
    Http1(Box<dyn Stream>),
    Http2(Box<dyn Stream>),
}

/// Every address that a host has, wherever the answer comes from.
pub(super) async fn resolve(network: &Network, host: &Host) -> Result<Vec<IpAddr>, Problem> {
    let name = match host {
        Host::Address(address) => return Ok(vec![*address]),
        Host::Name(name) => name,
    };
    let broken = |reason: String| Problem::Dns(reason);
    let mut name = Name::from_ascii(name).map_err(|error| broken(error.to_string()))?;
    name.set_fqdn(true);
    let looked = timeout(RESOLVE, network.resolver().await?.lookup_ip(name)).await.map_err(|_| Problem::DnsTimeout)?;
    let addresses: Vec<IpAddr> = match looked {
        Ok(found) => found.iter().collect(),
        Err(NetError::Timeout) => return Err(Problem::DnsTimeout),
        Err(error) => return Err(broken(error.to_string())),
    };
    if addresses.is_empty() { Err(broken("it has no address".to_owned())) } else { Ok(addresses) }
}

/// Connects to one of `addresses`, which the caller has checked.
pub(super) async fn connect(
    network: &Network,
    target: &Target,
    addresses: &[IpAddr],
    patience: Option<Duration>,
    exchange: &Arc<Exchange>,
) -> Result<Connection, Problem> {
    let most = patience.map_or(CONNECT, |patience| patience.min(CONNECT));
    let mut problem = Problem::Unreachable;
    let mut stream = None;
    for address in addresses.iter().take(MOST_TRIED) {
        match timeout(most, TcpStream::connect(SocketAddr::new(*address, target.port))).await {
            Ok(Ok(connected)) => {
                stream = Some(connected);
                break;
            }
            Ok(Err(error)) => problem = of_connect(&error),
            Err(_) => problem = Problem::ConnectTimeout,
        }
    }
    let stream = stream.ok_or(problem)?;
    // Small requests would otherwise wait for the answer to the packet before them.
    let _works_without = stream.set_nodelay(true);
    let stream = Counted::new(stream, Arc::clone(exchange));
    if target.scheme != Scheme::Https {
        return Ok(Connection::Http1(Box::new(stream)));
    }
    let name = match &target.host {
        Host::Name(name) => ServerName::try_from(name.clone()).map_err(|_| Problem::Certificate)?,
        Host::Address(address) => ServerName::from(*address),
    };
    let connector = TlsConnector::from(network.tls().await?);
    let secured = timeout(most, connector.connect(name, stream)).await.map_err(|_| Problem::ConnectTimeout)?;
    let secured = secured.map_err(|error| exchange.end(of_tls(&error)))?;
    let speaks_http2 = secured.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok(if speaks_http2 { Connection::Http2(Box::new(secured)) } else { Connection::Http1(Box::new(secured)) })
}

fn of_connect(error: &io::Error) -> Problem {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Problem::ConnectionRefused,
        io::ErrorKind::TimedOut => Problem::ConnectTimeout,
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => Problem::Unreachable,
        _ => Problem::Terminated,
    }
}

fn of_tls(error: &io::Error) -> Problem {
    match error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => Problem::Certificate,
        Some(rustls::Error::AlertReceived(alert)) => Problem::TlsAlert(u8::from(*alert)),
        _ => Problem::Tls,
    }
}
