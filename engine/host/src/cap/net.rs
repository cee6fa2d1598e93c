//! `net` over `wasi:sockets`: raw connections to granted addresses, and nothing else. Sockets and name look-ups are linked for every
//! component, because the programs that compilers make import them; each use without a grant is refused and recorded, and no packet
//! leaves. Names are never looked up here: a look-up is a message to whoever runs the name's server.

use crate::egress::Meter;
use crate::guest::{Audit, Facts, Guest};
use crate::tape::{Tape, Unrecorded};
use orch_core::{Effective, EffectiveNet, Host, HostPattern, NetRule, RefusedBy, Scheme, Wanted};
use std::net::SocketAddr;
use std::sync::Arc;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p2::bindings::sockets::{ip_name_lookup, network, tcp, tcp_create_socket, udp_create_socket};
use wasmtime_wasi::p2::{SocketError, SocketResult, TcpSocket, UdpSocket};
use wasmtime_wasi::sockets::{SocketAddrUse, WasiSocketsCtx, WasiSocketsCtxView};

struct Net;

pub(crate) struct NetView<'a> {
    audit: &'a Audit,
    grants: &'a Effective,
    pub(super) table: &'a mut ResourceTable,
    sockets: &'a mut WasiSocketsCtx,
    pub(super) meter: &'a Arc<Meter>,
    /// Nothing outside may be changed, and nobody knows what raw bytes do.
    dry_run: bool,
    tape: &'a Tape,
}

impl HasData for Net {
    type Data<'a> = NetView<'a>;
}

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    fn view(guest: &mut Guest) -> NetView<'_> {
        let Guest { audit, facts, table, wasi, meter, .. } = guest;
        let (grants, dry_run, tape) = (&facts.grants, facts.dry_run, &facts.tape);
        NetView { audit, grants, table, sockets: wasi.sockets(), meter, dry_run, tape }
    }
    tcp_create_socket::add_to_linker::<Guest, Net>(linker, view)?;
    tcp::add_to_linker::<Guest, Net>(linker, view)?;
    udp_create_socket::add_to_linker::<Guest, Net>(linker, view)?;
    ip_name_lookup::add_to_linker::<Guest, Net>(linker, view)
}

/// Lets WASI use the raw sockets that are granted, each address checked when it is used.
pub(crate) fn allow(wasi: &mut WasiCtxBuilder, facts: &Facts, audit: &Audit, meter: &Arc<Meter>) {
    let may = |scheme| !facts.dry_run && !facts.tape.is_replay() && grants_raw(&facts.grants.net, scheme);
    wasi.allow_tcp(may(Scheme::Tcp)).allow_udp(may(Scheme::Udp)).allow_ip_name_lookup(false);
    let check = Check { grants: Arc::clone(&facts.grants), audit: audit.clone(), meter: Arc::clone(meter) };
    wasi.socket_addr_check(move |address, used| {
        let allowed = check.allows(address, used);
        Box::pin(std::future::ready(allowed))
    });
}

/// Whether some raw connection may be made.
fn grants_raw(net: &EffectiveNet, scheme: Scheme) -> bool {
    net.granted.iter().any(|rule| rule.scheme == Some(scheme) && names_address(rule))
}

/// A pattern of names says nothing about a connection that has only an address.
fn names_address(rule: &NetRule) -> bool {
    matches!(rule.host, HostPattern::Exactly(Host::Address(_)))
}

/// Asked for each address that a socket is about to use.
struct Check {
    grants: Arc<Effective>,
    audit: Audit,
    meter: Arc<Meter>,
}

impl Check {
    fn allows(&self, address: SocketAddr, used: SocketAddrUse) -> bool {
        match used {
            SocketAddrUse::TcpConnect => self.reaches(Scheme::Tcp, address) && self.meter.request().is_ok(),
            SocketAddrUse::UdpSend => self.reaches(Scheme::Udp, address) && self.meter.request().is_ok(),
            SocketAddrUse::UdpReceive => self.knows(address),
            // What a socket that only reaches out needs: any port, on all interfaces.
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind if address.ip().is_unspecified() && address.port() == 0 => {
                true
            }
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind | SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => {
                let reason = "sockets only reach out: nobody may bind an address or listen";
                self.audit.refuse("net", &format!("{used:?} {address}"), RefusedBy::Engine, reason, None);
                false
            }
        }
    }

    /// Decides about a connection or a datagram, and records it.
    fn reaches(&self, scheme: Scheme, address: SocketAddr) -> bool {
        let host = Host::Address(address.ip());
        let wanted = Wanted { scheme, host: &host, port: address.port(), method: None, path: None };
        let Ok(pass) = crate::egress::decide(&self.audit, &self.grants.net, wanted) else { return false };
        // The decision takes the first rule that fits; one that names the address is needed here.
        let Some(rule) = self.grants.net.granted.iter().find(|rule| names_address(rule) && rule.matches(&wanted))
        else {
            let reason = "raw connections need a grant that names the address";
            self.audit.refuse("net", &wanted.to_string(), RefusedBy::Workflow, reason, None);
            return false;
        };
        if crate::egress::admit(&self.audit, &pass, &wanted, &[address.ip()]).is_err() {
            return false;
        }
        let [asked, _] = pass.used();
        self.audit.used(&asked);
        self.audit.used(&format!("net {rule}"));
        true
    }

    /// Whether a datagram comes from somebody who may be reached. Strangers are not worth a record: they act, not the guest.
    fn knows(&self, address: SocketAddr) -> bool {
        let host = Host::Address(address.ip());
        let wanted = Wanted { scheme: Scheme::Udp, host: &host, port: address.port(), method: None, path: None };
        let named = self.grants.net.granted.iter().any(|rule| names_address(rule) && rule.matches(&wanted));
        named && self.grants.net.decide(wanted).is_ok_and(|pass| pass.admit(address.ip()).is_ok())
    }
}

impl NetView<'_> {
    fn refuse<T>(&mut self, target: &str, by: RefusedBy, reason: &str, fix: Option<String>) -> SocketResult<T> {
        self.audit.refuse("net", target, by, reason, fix);
        Err(network::ErrorCode::AccessDenied.into())
    }

    /// Refuses a socket that could reach nobody.
    fn may_create(&mut self, scheme: Scheme, target: &str) -> SocketResult<()> {
        if self.dry_run {
            let reason = "this is a dry run, and nobody knows what a raw connection changes";
            return self.refuse(target, RefusedBy::Engine, reason, None);
        }
        if grants_raw(&self.grants.net, scheme) {
            return self.tape.raw_socket(target).map_err(|Unrecorded| network::ErrorCode::AccessDenied.into());
        }
        let fix = format!(
            "add to the task: permissions: {{ net: [{{ scheme: {scheme}, host: …, ports: […] }}] }} with the address as host; the plugin and the policy must say the same"
        );
        self.refuse(target, RefusedBy::Workflow, "no grant is about raw connections", Some(fix))
    }

    pub(super) fn inner(&mut self) -> WasiSocketsCtxView<'_> {
        WasiSocketsCtxView { ctx: self.sockets, table: self.table }
    }
}

impl network::Host for NetView<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<network::ErrorCode> {
        error.downcast()
    }

    fn network_error_code(&mut self, error: Resource<wasmtime::Error>) -> wasmtime::Result<Option<network::ErrorCode>> {
        self.inner().network_error_code(error)
    }
}

impl network::HostNetwork for NetView<'_> {
    fn drop(&mut self, network: Resource<network::Network>) -> wasmtime::Result<()> {
        self.table.delete(network)?;
        Ok(())
    }
}

impl tcp_create_socket::Host for NetView<'_> {
    fn create_tcp_socket(&mut self, family: network::IpAddressFamily) -> SocketResult<Resource<TcpSocket>> {
        self.may_create(Scheme::Tcp, "a TCP socket")?;
        self.inner().create_tcp_socket(family)
    }
}

impl udp_create_socket::Host for NetView<'_> {
    async fn create_udp_socket(&mut self, family: network::IpAddressFamily) -> SocketResult<Resource<UdpSocket>> {
        self.may_create(Scheme::Udp, "a UDP socket")?;
        self.inner().create_udp_socket(family).await
    }
}

/// Why no name is looked up, whatever is granted.
const NO_LOOKUP: &str = "names are looked up by the engine alone, for requests that are granted";

impl ip_name_lookup::Host for NetView<'_> {
    fn resolve_addresses(
        &mut self,
        _network: Resource<network::Network>,
        name: String,
    ) -> SocketResult<Resource<ip_name_lookup::ResolveAddressStream>> {
        self.refuse(&format!("look-up of {name}"), RefusedBy::Engine, NO_LOOKUP, None)
    }
}

impl ip_name_lookup::HostResolveAddressStream for NetView<'_> {
    fn resolve_next_address(
        &mut self,
        _stream: Resource<ip_name_lookup::ResolveAddressStream>,
    ) -> SocketResult<Option<network::IpAddress>> {
        self.refuse("an address", RefusedBy::Engine, NO_LOOKUP, None)
    }

    fn subscribe(
        &mut self,
        _stream: Resource<ip_name_lookup::ResolveAddressStream>,
    ) -> wasmtime::Result<Resource<wasmtime_wasi::p2::DynPollable>> {
        // There are no such streams, since `resolve_addresses` makes none.
        wasmtime::bail!("no look-up is under way")
    }

    fn drop(&mut self, stream: Resource<ip_name_lookup::ResolveAddressStream>) -> wasmtime::Result<()> {
        self.table.delete(stream)?;
        Ok(())
    }
}
