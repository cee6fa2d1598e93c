//! What all attempts of a host share to reach a network: a resolver and a configuration of TLS, each made when it is first needed.

use super::{Problem, roots};
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{TokioResolver, system_conf};
use orch_core::NetworkOptions;
use rustls::ClientConfig;
use rustls::client::Resumption;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;

/// How long one question to one name server may take, and how often it is asked.
const ASK: (Duration, usize) = (Duration::from_secs(3), 2);

/// The resolver and TLS of a host.
pub(crate) struct Network {
    options: NetworkOptions,
    resolver: OnceCell<Result<TokioResolver, String>>,
    tls: OnceCell<Result<Arc<ClientConfig>, String>>,
}

impl Network {
    pub(crate) fn new(options: NetworkOptions) -> Network {
        Network { options, resolver: OnceCell::new(), tls: OnceCell::new() }
    }

    pub(super) async fn resolver(&self) -> Result<&TokioResolver, Problem> {
        let made = self.resolver.get_or_init(|| async { resolver(&self.options.name_servers) }).await;
        made.as_ref().map_err(|reason| Problem::Setup(reason.clone()))
    }

    pub(super) async fn tls(&self) -> Result<Arc<ClientConfig>, Problem> {
        let make = || async {
            let options = self.options.clone();
            // Reading some hundred certificates would keep a thread of the runtime from everything else.
            let made = tokio::task::spawn_blocking(move || tls(&options)).await;
            made.unwrap_or_else(|error| Err(error.to_string()))
        };
        self.tls.get_or_init(make).await.clone().map_err(Problem::Setup)
    }
}

fn resolver(name_servers: &[SocketAddr]) -> Result<TokioResolver, String> {
    let servers: Vec<NameServerConfig> = if name_servers.is_empty() {
        let (config, _) = system_conf::read_system_conf().map_err(|error| error.to_string())?;
        config.name_servers().to_vec()
    } else {
        name_servers.iter().copied().map(server).collect()
    };
    // Only the servers are taken from the system: with its search domains a granted `api` could become another host.
    let config = ResolverConfig::from_name_servers(servers);
    let mut options = ResolverOpts::default();
    (options.timeout, options.attempts) = ASK;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.use_hosts_file = ResolveHosts::Never;
    // Each connection asks once and uses that answer; nothing is kept for the next one.
    options.cache_size = 0;
    options.positive_max_ttl = Some(Duration::ZERO);
    options.negative_max_ttl = Some(Duration::ZERO);
    options.case_randomization = true;
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    *builder.options_mut() = options;
    builder.build().map_err(|error| error.to_string())
}

fn server(address: SocketAddr) -> NameServerConfig {
    let at = |mut connection: ConnectionConfig| {
        connection.port = address.port();
        connection
    };
    NameServerConfig::new(address.ip(), true, vec![at(ConnectionConfig::udp()), at(ConnectionConfig::tcp())])
}

fn tls(options: &NetworkOptions) -> Result<Arc<ClientConfig>, String> {
    // Named here and not installed for the process: what other parts of it do must not change this.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots::load(options)?)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // A session that one attempt began would tell a server that the next one comes from the same place.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}
