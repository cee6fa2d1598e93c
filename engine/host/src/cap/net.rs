//! `net`: not granted to anybody yet. Sockets and name look-ups are linked, because the programs that compilers make import them;
//! each use is refused and recorded, and no packet leaves.

use crate::guest::{Audit, Guest};
use orch_core::RefusedBy;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::p2::bindings::sockets::{ip_name_lookup, network, tcp_create_socket, udp_create_socket};
use wasmtime_wasi::p2::{SocketError, SocketResult, TcpSocket, UdpSocket};

struct Net;

pub(crate) struct NetView<'a> {
    audit: &'a mut Audit,
    table: &'a mut ResourceTable,
}

impl HasData for Net {
    type Data<'a> = NetView<'a>;
}

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    fn view(guest: &mut Guest) -> NetView<'_> {
        NetView { audit: &mut guest.audit, table: &mut guest.table }
    }
    tcp_create_socket::add_to_linker::<Guest, Net>(linker, view)?;
    udp_create_socket::add_to_linker::<Guest, Net>(linker, view)?;
    ip_name_lookup::add_to_linker::<Guest, Net>(linker, view)
}

impl NetView<'_> {
    fn refuse<T>(&mut self, target: &str) -> SocketResult<T> {
        let reason = "this version gives no plugin a network";
        self.audit.refuse("net", target, RefusedBy::Engine, reason, None);
        Err(network::ErrorCode::AccessDenied.into())
    }
}

impl network::Host for NetView<'_> {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<network::ErrorCode> {
        error.downcast()
    }

    fn network_error_code(
        &mut self,
        _error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<network::ErrorCode>> {
        // No stream over a network exists, so no error came from one.
        Ok(None)
    }
}

impl network::HostNetwork for NetView<'_> {
    fn drop(&mut self, network: Resource<network::Network>) -> wasmtime::Result<()> {
        self.table.delete(network)?;
        Ok(())
    }
}

impl tcp_create_socket::Host for NetView<'_> {
    fn create_tcp_socket(&mut self, _family: network::IpAddressFamily) -> SocketResult<Resource<TcpSocket>> {
        self.refuse("a TCP socket")
    }
}

impl udp_create_socket::Host for NetView<'_> {
    async fn create_udp_socket(&mut self, _family: network::IpAddressFamily) -> SocketResult<Resource<UdpSocket>> {
        self.refuse("a UDP socket")
    }
}

impl ip_name_lookup::Host for NetView<'_> {
    fn resolve_addresses(
        &mut self,
        _network: Resource<network::Network>,
        name: String,
    ) -> SocketResult<Resource<ip_name_lookup::ResolveAddressStream>> {
        self.refuse(&format!("look-up of {name}"))
    }
}

impl ip_name_lookup::HostResolveAddressStream for NetView<'_> {
    fn resolve_next_address(
        &mut self,
        _stream: Resource<ip_name_lookup::ResolveAddressStream>,
    ) -> SocketResult<Option<network::IpAddress>> {
        self.refuse("an address")
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
