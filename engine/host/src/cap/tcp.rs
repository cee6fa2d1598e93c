//! Raw TCP connections as WASI has them, with their bytes counted.

use super::net::NetView;
use crate::egress::Meter;
use std::sync::Arc;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::sockets::network::{IpAddressFamily, IpSocketAddress, Network};
use wasmtime_wasi::p2::bindings::sockets::tcp::{Host, HostTcpSocket, ShutdownType};
use wasmtime_wasi::p2::{
    DynInputStream, DynOutputStream, DynPollable, InputStream, OutputStream, Pollable, SocketResult, StreamError,
    StreamResult, TcpSocket,
};

impl Host for NetView<'_> {}

type Streams = (Resource<DynInputStream>, Resource<DynOutputStream>);

/// Functions that reach nobody: the socket was created with a grant, and each address that it uses is checked (`net`).
macro_rules! as_wasi_does {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $name(&mut self, socket: Resource<TcpSocket>, $($argument: $type),*) -> $result {
            HostTcpSocket::$name(&mut self.inner(), socket, $($argument),*)
        })*
    };
}

impl HostTcpSocket for NetView<'_> {
    async fn start_bind(
        &mut self,
        socket: Resource<TcpSocket>,
        network: Resource<Network>,
        address: IpSocketAddress,
    ) -> SocketResult<()> {
        self.inner().start_bind(socket, network, address).await
    }

    async fn start_listen(&mut self, socket: Resource<TcpSocket>) -> SocketResult<()> {
        self.inner().start_listen(socket).await
    }

    fn finish_connect(&mut self, socket: Resource<TcpSocket>) -> SocketResult<Streams> {
        let (input, output) = self.inner().finish_connect(socket)?;
        let meter = self.meter;
        wrap(self.table.get_mut(&input)?, |inner| Box::new(Counted { inner, meter: Arc::clone(meter) }));
        wrap(self.table.get_mut(&output)?, |inner| Box::new(Counted { inner, meter: Arc::clone(meter) }));
        Ok((input, output))
    }

    as_wasi_does! {
        finish_bind() -> SocketResult<()>;
        start_connect(network: Resource<Network>, address: IpSocketAddress) -> SocketResult<()>;
        finish_listen() -> SocketResult<()>;
        accept() -> SocketResult<(Resource<TcpSocket>, Resource<DynInputStream>, Resource<DynOutputStream>)>;
        local_address() -> SocketResult<IpSocketAddress>;
        remote_address() -> SocketResult<IpSocketAddress>;
        is_listening() -> wasmtime::Result<bool>;
        address_family() -> wasmtime::Result<IpAddressFamily>;
        set_listen_backlog_size(value: u64) -> SocketResult<()>;
        keep_alive_enabled() -> SocketResult<bool>;
        set_keep_alive_enabled(value: bool) -> SocketResult<()>;
        keep_alive_idle_time() -> SocketResult<u64>;
        set_keep_alive_idle_time(value: u64) -> SocketResult<()>;
        keep_alive_interval() -> SocketResult<u64>;
        set_keep_alive_interval(value: u64) -> SocketResult<()>;
        keep_alive_count() -> SocketResult<u32>;
        set_keep_alive_count(value: u32) -> SocketResult<()>;
        hop_limit() -> SocketResult<u8>;
        set_hop_limit(value: u8) -> SocketResult<()>;
        receive_buffer_size() -> SocketResult<u64>;
        set_receive_buffer_size(value: u64) -> SocketResult<()>;
        send_buffer_size() -> SocketResult<u64>;
        set_send_buffer_size(value: u64) -> SocketResult<()>;
        subscribe() -> wasmtime::Result<Resource<DynPollable>>;
        shutdown(how: ShutdownType) -> SocketResult<()>;
        drop() -> wasmtime::Result<()>;
    }
}

/// Puts something around a stream where it stands.
fn wrap<S: ?Sized>(stream: &mut Box<S>, around: impl FnOnce(Box<S>) -> Box<S>)
where
    Box<S>: From<Gone>,
{
    let inner = std::mem::replace(stream, Box::from(Gone));
    *stream = around(inner);
}

/// Stands in a stream's place while it is taken out.
struct Gone;

impl From<Gone> for DynInputStream {
    fn from(gone: Gone) -> DynInputStream {
        Box::new(gone)
    }
}

impl From<Gone> for DynOutputStream {
    fn from(gone: Gone) -> DynOutputStream {
        Box::new(gone)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Gone {
    async fn ready(&mut self) {}
}

impl InputStream for Gone {
    fn read(&mut self, _: usize) -> StreamResult<bytes::Bytes> {
        Err(StreamError::Closed)
    }
}

impl OutputStream for Gone {
    fn write(&mut self, _: bytes::Bytes) -> StreamResult<()> {
        Err(StreamError::Closed)
    }

    fn flush(&mut self) -> StreamResult<()> {
        Err(StreamError::Closed)
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Err(StreamError::Closed)
    }
}

/// A stream whose bytes count. Beyond the limit it fails, and the attempt ends as errored.
struct Counted<S> {
    inner: S,
    meter: Arc<Meter>,
}

impl<S> Counted<S> {
    fn count(&self, bytes: usize) -> StreamResult<()> {
        let counted = self.meter.bytes(bytes);
        counted.map_err(|problem| StreamError::LastOperationFailed(wasmtime::format_err!("{problem}")))
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Counted<DynInputStream> {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[wasmtime_wasi::async_trait]
impl InputStream for Counted<DynInputStream> {
    fn read(&mut self, size: usize) -> StreamResult<bytes::Bytes> {
        let bytes = self.inner.read(size)?;
        self.count(bytes.len())?;
        Ok(bytes)
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Counted<DynOutputStream> {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[wasmtime_wasi::async_trait]
impl OutputStream for Counted<DynOutputStream> {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        self.count(bytes.len())?;
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.inner.check_write()
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}
