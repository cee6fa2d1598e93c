//! Where a request goes: its URL, read once. What is decided, what is resolved, what TLS verifies and what is sent all come from here,
//! so no two parts can understand the same text differently.

use orch_core::{Host, Scheme};
use std::fmt::Write as _;
use url::Url;

/// A URL is never needed longer than this; servers refuse shorter ones.
const MOST_BYTES: usize = 16 << 10;

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) scheme: Scheme,
    pub(crate) host: Host,
    pub(crate) port: u16,
    /// What the grants are asked about: dots resolved, without the query, percent signs decoded. Otherwise `/%61dmin` would pass where
    /// `/admin` is denied.
    pub(crate) path: String,
    /// What is sent: path and query as the URL standard writes them.
    pub(crate) sent: String,
}

impl Target {
    /// Reads the parts of a URL as a guest gives them.
    ///
    /// # Errors
    /// Why it is no URL that may be asked for.
    pub(crate) fn read(scheme: Scheme, authority: &str, path_and_query: &str) -> Result<Target, &'static str> {
        if authority.len() + path_and_query.len() > MOST_BYTES {
            return Err("its URL is too long");
        }
        // Parsers skip or turn some of these silently.
        let odd = |c: char| c.is_control() || c == ' ' || c == '\\';
        if authority.contains(odd) || path_and_query.contains(odd) {
            return Err("its URL has a control, a space or a backslash in it");
        }
        if authority.is_empty() {
            return Err("its URL has no host");
        }
        if authority.contains('@') {
            return Err("its URL has a user in it");
        }
        if authority.contains(['/', '?', '#']) {
            return Err("its host has a path in it");
        }
        if path_and_query.contains('#') {
            return Err("its URL has a fragment");
        }
        if !(path_and_query.is_empty() || path_and_query.starts_with(['/', '?'])) {
            return Err("its path does not begin with `/`");
        }
        let path = path_and_query.split('?').next().unwrap_or("").to_ascii_lowercase();
        if ["%2f", "%5c", "%2e"].iter().any(|hidden| path.contains(hidden)) {
            return Err("its path hides a slash, a backslash or a dot behind `%`");
        }
        let url = Url::parse(&format!("{scheme}://{authority}{path_and_query}")).map_err(|_| "it is no URL")?;
        let host = Host::try_from(without_port(authority)).map_err(|_| "its host is not written in the usual way")?;
        let same = url.host_str().is_some_and(|parsed| Host::try_from(parsed).as_ref() == Ok(&host));
        if !same || url.scheme() != scheme.to_string() {
            return Err("its host can be understood in two ways");
        }
        let port = url.port_or_known_default().filter(|port| *port != 0).ok_or("its port is not usable")?;
        let path = decoded(url.path()).ok_or("its path hides a control behind `%`, or is no UTF-8")?;
        let mut sent = url.path().to_owned();
        if let Some(query) = url.query() {
            let _infallible = write!(sent, "?{query}");
        }
        Ok(Target { scheme, host, port, path, sent })
    }

    /// What stands in `Host` and `:authority`.
    pub(crate) fn authority(&self) -> String {
        if self.scheme.default_port() == Some(self.port) {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        // The colon of an IPv6 address stands inside of its brackets.
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    }
}

fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let hex = after
            .get(..2)
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) if after[0] != b'+' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).ok().filter(|path| !path.contains(char::is_control))
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
