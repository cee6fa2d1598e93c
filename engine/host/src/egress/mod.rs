//! The one way out: everything that a guest sends over HTTP goes through [`Egress::send`], which decides, resolves, checks, connects
//! and counts. Nothing else in this crate opens a connection for a guest, besides granted raw sockets (`cap/net.rs`).
//!
//! A request passes these files in order: `target` reads its URL once, `headers` cleans its fields, `send` asks the grants, `connect`
//! resolves and connects to a checked address, `body` carries what is sent and what comes back, `meter` counts all bytes below.

mod body;
mod connect;
mod decide;
mod headers;
mod meter;
mod network;
mod problem;
mod roots;
mod send;
mod target;

pub(crate) use body::Body;
pub(crate) use decide::{admit, decide, rule};
pub(crate) use headers::{MOST_FIELD_BYTES, is_forbidden};
pub(crate) use meter::Meter;
pub(crate) use network::Network;
pub(crate) use problem::Problem;
pub(crate) use send::{Answer, Egress, Patience, Request};

use bytes::Bytes;
use http::HeaderMap;
use orch_core::{RefusedBy, Wanted};

/// Why something may not leave, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) by: RefusedBy,
    pub(crate) reason: String,
    /// What to write where, so that it may leave next time.
    pub(crate) fix: Option<String>,
}

/// What happens to a request between its decision and its first byte on the wire: placeholders of secrets become their values, and
/// what must not leave is found.
pub(crate) trait PlaceholderSwap: Send + Sync {
    /// Looks at a request that is about to be sent to a checked address, before it is connected to, and may change the values of
    /// its fields.
    /// Framing fields (`Host`, `Content-Length`, …) are added later.
    ///
    /// # Errors
    /// When it may not leave.
    fn swap(&self, wanted: &Wanted<'_>, headers: &mut HeaderMap, path_and_query: &str) -> Result<(), Refused>;

    /// Looks at the body of the same request while it is sent.
    fn scan(&self, wanted: &Wanted<'_>) -> Box<dyn BodyScan>;
}

/// Sees each chunk of a body before it is sent, in order. Holds back what may be the beginning of something that must not leave.
pub(crate) trait BodyScan: Send {
    /// Takes a chunk; gives the bytes that may be sent by now.
    ///
    /// # Errors
    /// When it may not leave: the connection is closed then.
    fn push(&mut self, chunk: Bytes) -> Result<Bytes, Refused>;

    /// The bytes that were held back, at the end.
    ///
    /// # Errors
    /// As [`Self::push`].
    fn finish(&mut self) -> Result<Bytes, Refused>;
}

/// For attempts without secrets.
pub(crate) struct NothingToSwap;

impl PlaceholderSwap for NothingToSwap {
    fn swap(&self, _: &Wanted<'_>, _: &mut HeaderMap, _: &str) -> Result<(), Refused> {
        Ok(())
    }

    fn scan(&self, _: &Wanted<'_>) -> Box<dyn BodyScan> {
        Box::new(NothingToSwap)
    }
}

impl BodyScan for NothingToSwap {
    fn push(&mut self, chunk: Bytes) -> Result<Bytes, Refused> {
        Ok(chunk)
    }

    fn finish(&mut self) -> Result<Bytes, Refused> {
        Ok(Bytes::new())
    }
}
