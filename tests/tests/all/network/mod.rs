//! Guests that reach for a network (cases N1 to N18, S11). The judge is a sink that listens where nobody may come and counts: error
//! texts prove nothing. Each case has a request that is allowed beside those that are not.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod bombs;
mod budgets;
mod certificates;
mod credentials;
mod dns;
mod kit;
mod names;
mod namespace;
mod redirects;
pub(crate) mod sinks;
mod sockets;
mod urls;
mod whole;
mod wire;
