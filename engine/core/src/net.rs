//! Where a task may connect: rules as people write them, and whether a request fits one. Text is made canonical once, when a rule
//! or a request is read; after that everything is compared exactly.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// How a connection is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// HTTP over TLS.
    Https,
    /// HTTP in the clear.
    Http,
    /// A raw stream.
    Tcp,
    /// Raw datagrams.
    Udp,
}

impl Scheme {
    /// The port where a rule names none; raw connections have none.
    pub fn default_port(self) -> Option<u16> {
        match self {
            Scheme::Https => Some(443),
            Scheme::Http => Some(80),
            Scheme::Tcp | Scheme::Udp => None,
        }
    }

    /// Whether it is no HTTP.
    pub fn is_raw(self) -> bool {
        matches!(self, Scheme::Tcp | Scheme::Udp)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scheme::Https => "https",
            Scheme::Http => "http",
            Scheme::Tcp => "tcp",
            Scheme::Udp => "udp",
        })
    }
}

/// Text that is no host, path, method, header or range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no {kind}: {reason}", crate::shorten(&crate::visible(text), 80))]
pub struct InvalidNet {
    /// What it should have been.
    pub kind: &'static str,
    /// The text.
    pub text: String,
    /// Why it is not.
    pub reason: String,
}

impl InvalidNet {
    fn new(kind: &'static str, text: &str, reason: impl Into<String>) -> InvalidNet {
        InvalidNet { kind, text: text.to_owned(), reason: reason.into() }
    }
}

/// The host of a request: a name in its ASCII form and lower case, without a trailing dot, or an address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A name.
    Name(String),
    /// An address.
    Address(IpAddr),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

impl TryFrom<&str> for Host {
    type Error = InvalidNet;

    /// By the URL standard's rules, which know every spelling of an address; of those only the usual one is taken here, since the
    /// others only serve to hide where a request goes.
    fn try_from(text: &str) -> Result<Host, InvalidNet> {
        let fail = |reason: &str| Err(InvalidNet::new("host", text, reason));
        let without_dot = text.strip_suffix('.').unwrap_or(text);
        if without_dot.is_empty() {
            return fail("it is empty");
        }
        if without_dot.ends_with('.') {
            return fail("it ends with several dots");
        }
        // The standard would decode it, and what is decoded is not what people read in a rule.
        if text.contains('%') {
            return fail("`%` is not allowed");
        }
        match url::Host::parse(without_dot) {
            Ok(url::Host::Domain(name)) if name.len() > 253 => fail("it has more than 253 characters"),
            Ok(url::Host::Domain(name)) if name.ends_with('.') || name.starts_with('.') || name.contains("..") => {
                fail("a part between dots is empty")
            }
            Ok(url::Host::Domain(name)) => Ok(Host::Name(name)),
            Ok(url::Host::Ipv4(address)) if without_dot == address.to_string() => {
                Ok(Host::Address(IpAddr::V4(address)))
            }
            Ok(url::Host::Ipv4(address)) => fail(&format!("write the address as `{address}`")),
            Ok(url::Host::Ipv6(address)) => Ok(Host::Address(IpAddr::V6(address))),
            Err(error) => fail(&error.to_string()),
        }
    }
}

/// Which hosts a rule is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HostPattern {
    /// `*`: every host.
    Any,
    /// `*.example.com`: every name with exactly one more part before it, as in certificates.
    Below(String),
    /// One host.
    Exactly(Host),
}

impl HostPattern {
    /// Whether a host fits.
    pub fn matches(&self, host: &Host) -> bool {
        match (self, host) {
            (HostPattern::Any, _) => true,
            (HostPattern::Exactly(wanted), host) => wanted == host,
            (HostPattern::Below(parent), Host::Name(name)) => name
                .strip_suffix(parent.as_str())
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(|label| !label.is_empty() && !label.contains('.')),
            (HostPattern::Below(_), Host::Address(_)) => false,
        }
    }

    fn overlaps(&self, other: &HostPattern) -> bool {
        match (self, other) {
            (HostPattern::Any, _) | (_, HostPattern::Any) => true,
            (HostPattern::Exactly(host), pattern) | (pattern, HostPattern::Exactly(host)) => pattern.matches(host),
            (HostPattern::Below(one), HostPattern::Below(other)) => one == other,
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HostPattern::Any => f.write_str("*"),
            HostPattern::Below(parent) => write!(f, "*.{parent}"),
            HostPattern::Exactly(host) => host.fmt(f),
        }
    }
}

impl TryFrom<&str> for HostPattern {
    type Error = InvalidNet;

    fn try_from(text: &str) -> Result<HostPattern, InvalidNet> {
        let fail = |reason: &str| Err(InvalidNet::new("host of a rule", text, reason));
        if text == "*" {
            return Ok(HostPattern::Any);
        }
        if let Some(parent) = text.strip_prefix("*.") {
            return match Host::try_from(parent) {
                Ok(Host::Name(parent)) if parent.contains('*') => fail("a star stands for the whole first part only"),
                Ok(Host::Name(parent)) => Ok(HostPattern::Below(parent)),
                Ok(Host::Address(_)) => fail("addresses have no parts: use `addresses`"),
                Err(error) => fail(&error.reason),
            };
        }
        if text.contains('*') {
            return fail("a star stands for the whole first part only, as in `*.example.com`");
        }
        if text.contains([':', '/', '@']) && !text.starts_with('[') {
            return fail("write the host alone; scheme, port and path have keys of their own");
        }
        Host::try_from(text).map(HostPattern::Exactly)
    }
}

/// The paths that a rule is about: `/exactly/this`, or `/everything/below/*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathPattern(String);

impl PathPattern {
    /// Whether a request's path fits; without its query, and with dots already resolved.
    pub fn matches(&self, path: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => path.starts_with(prefix),
            None => path == self.0,
        }
    }

    fn overlaps(&self, other: &PathPattern) -> bool {
        match (self.0.strip_suffix('*'), other.0.strip_suffix('*')) {
            (Some(one), Some(other)) => one.starts_with(other) || other.starts_with(one),
            (Some(_), None) => self.matches(&other.0),
            (None, _) => other.matches(&self.0),
        }
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<&str> for PathPattern {
    type Error = InvalidNet;

    fn try_from(text: &str) -> Result<PathPattern, InvalidNet> {
        let fail = |reason: &str| Err(InvalidNet::new("path of a rule", text, reason));
        let stem = text.strip_suffix('*').unwrap_or(text);
        if !stem.starts_with('/') {
            return fail("it begins with `/`");
        }
        if text.ends_with('*') && !stem.ends_with('/') {
            // `/v1*` would also allow `/v10`.
            return fail("a star stands for everything below a folder, as in `/v1/*`");
        }
        if stem.contains(['*', '?', '#', '\\', '%']) || stem.chars().any(|c| c.is_control() || c == ' ') {
            return fail("`*`, `?`, `#`, `%`, `\\`, spaces and controls are not allowed in it");
        }
        if stem.contains("//") || stem.split('/').any(|part| part == "." || part == "..") {
            return fail("it has an empty part, `.` or `..`");
        }
        Ok(PathPattern(text.to_owned()))
    }
}

/// A method of HTTP (RFC 9110, 9.1), in upper case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Method(String);

impl Method {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it only looks (RFC 9110, 9.2.1): what a dry run may do.
    pub fn is_safe(method: &str) -> bool {
        matches!(method, "GET" | "HEAD" | "OPTIONS")
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<&str> for Method {
    type Error = InvalidNet;

    fn try_from(text: &str) -> Result<Method, InvalidNet> {
        let fits =
            !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        if !fits {
            return Err(InvalidNet::new("method", text, "it has 1 to 20 capital letters, as in `GET`"));
        }
        // They are not requests to a host but to a proxy, or make the host answer with what it was sent.
        if matches!(text, "CONNECT" | "TRACE") {
            return Err(InvalidNet::new("method", text, "it is allowed to nobody"));
        }
        Ok(Method(text.to_owned()))
    }
}

/// A range of addresses: `10.0.0.0/8`, `fd00::/8`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AddressRange {
    base: IpAddr,
    bits: u8,
}

impl AddressRange {
    /// Whether an address is inside.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                u32::from(base) & mask == u32::from(address) & mask
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                u128::from(base) & mask == u128::from(address) & mask
            }
            _ => false,
        }
    }

    /// Whether all of another range is inside.
    pub fn covers(&self, other: &AddressRange) -> bool {
        self.bits <= other.bits && self.contains(other.base)
    }

    /// The range that holds one address.
    pub fn only(address: IpAddr) -> AddressRange {
        AddressRange { base: address, bits: if address.is_ipv4() { 32 } else { 128 } }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == AddressRange::only(self.base) {
            write!(f, "{}", self.base)
        } else {
            write!(f, "{}/{}", self.base, self.bits)
        }
    }
}

impl TryFrom<&str> for AddressRange {
    type Error = InvalidNet;

    fn try_from(text: &str) -> Result<AddressRange, InvalidNet> {
        let fail = |reason: &str| Err(InvalidNet::new("range of addresses", text, reason));
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let Ok(base) = address.parse::<IpAddr>() else { return fail("write it as `10.0.0.0/8` or `10.1.2.3`") };
        let most = AddressRange::only(base).bits;
        let bits = match bits {
            None => most,
            Some(bits) => match bits.parse::<u8>() {
                Ok(bits) if bits <= most && bits.to_string() == text.split_once('/').map_or("", |(_, bits)| bits) => {
                    bits
                }
                _ => return fail(&format!("the number after `/` is 0 to {most}")),
            },
        };
        Ok(AddressRange { base, bits })
    }
}

/// Why an address is special, so that nobody reaches it who was not granted it; `None` for one of the public internet.
///
/// After the IANA registries of special-purpose IPv4 and IPv6 addresses (RFC 6890 and its updates), and the fixed addresses of
/// instance metadata of the large clouds. Addresses that carry another one inside are judged by what they are, not by what is inside:
/// nobody needs them.
pub fn special_address(address: IpAddr) -> Option<&'static str> {
    const V4: &[(&str, &str)] = &[
        ("169.254.169.254/32", "instance metadata"),
        ("169.254.170.2/32", "instance metadata"),
        ("100.100.100.200/32", "instance metadata"),
        ("192.0.0.192/32", "instance metadata"),
        ("168.63.129.16/32", "instance metadata"),
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by a provider"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "protocol assignments"),
        ("192.0.2.0/24", "documentation"),
        ("192.31.196.0/24", "AS112"),
        ("192.52.193.0/24", "AMT"),
        ("192.88.99.0/24", "6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("192.175.48.0/24", "AS112"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    ];
    const V6: &[(&str, &str)] = &[
        ("fd00:ec2::254/128", "instance metadata"),
        ("fd20:ce::254/128", "instance metadata"),
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("::ffff:0:0/96", "mapped IPv4"),
        ("::/96", "compatible IPv4"),
        ("64:ff9b::/96", "NAT64"),
        ("64:ff9b:1::/48", "NAT64"),
        ("100::/64", "discard"),
        ("100:0:0:1::/64", "dummy"),
        ("2001::/23", "protocol assignments, Teredo"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("2620:4f:8000::/48", "AS112"),
        ("3fff::/20", "documentation"),
        ("5f00::/16", "segment routing"),
        ("fc00::/7", "unique local"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    ];
    let table = if address.is_ipv4() { V4 } else { V6 };
    let inside = |range: &str| AddressRange::try_from(range).is_ok_and(|range| range.contains(address));
    if let Some((_, why)) = table.iter().find(|(range, _)| inside(range)) {
        return Some(why);
    }
    // Of the rest of IPv6 only 2000::/3 is given out.
    let global = AddressRange::try_from("2000::/3").is_ok_and(|range| range.contains(address));
    (address.is_ipv6() && !global).then_some("not given out")
}

/// One rule. Lists that are empty stand for everything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetRule {
    /// Absent for `https` and `http`, in a policy's `deny` for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheme: Option<Scheme>,
    /// Which hosts.
    pub host: HostPattern,
    /// Which ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
    /// Which methods of HTTP.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<Method>,
    /// Which paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<PathPattern>,
    /// Special addresses (private, loopback, …) that the hosts may have. Without it they may have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<AddressRange>,
}

/// What a task wants to reach. Parts that are absent are not known yet: a connection is decided before its requests.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// How.
    pub scheme: Scheme,
    /// Whom.
    pub host: &'a Host,
    /// Where.
    pub port: u16,
    /// The method, in upper case.
    pub method: Option<&'a str>,
    /// The path without its query, dots resolved.
    pub path: Option<&'a str>,
}

impl fmt::Display for Wanted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(method) = self.method {
            write!(f, "{method} ")?;
        }
        write!(f, "{}://{}", self.scheme, self.host)?;
        if self.scheme.default_port() != Some(self.port) {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(self.path.unwrap_or(""))
    }
}

impl NetRule {
    /// Whether a request fits.
    pub fn matches(&self, wanted: &Wanted<'_>) -> bool {
        self.scheme.map_or(!wanted.scheme.is_raw(), |scheme| scheme == wanted.scheme)
            && self.fits_but_for_scheme(wanted)
    }

    /// As [`Self::matches`] for a rule that denies: without a scheme it is about every one.
    pub fn denies(&self, wanted: &Wanted<'_>) -> bool {
        self.scheme.is_none_or(|scheme| scheme == wanted.scheme) && self.fits_but_for_scheme(wanted)
    }

    fn fits_but_for_scheme(&self, wanted: &Wanted<'_>) -> bool {
        let any = |empty: bool, fits: bool| empty || fits;
        self.host.matches(wanted.host)
            && any(self.ports.is_empty(), self.ports.contains(&wanted.port))
            && wanted.method.is_none_or(|method| {
                any(self.methods.is_empty(), self.methods.iter().any(|allowed| allowed.as_str() == method))
            })
            && wanted
                .path
                .is_none_or(|path| any(self.paths.is_empty(), self.paths.iter().any(|allowed| allowed.matches(path))))
    }

    /// Whether some request fits both.
    pub fn overlaps(&self, other: &NetRule) -> bool {
        fn lists<T>(one: &[T], other: &[T], meet: impl Fn(&T, &T) -> bool) -> bool {
            one.is_empty() || other.is_empty() || one.iter().any(|a| other.iter().any(|b| meet(a, b)))
        }
        let schemes = match (self.scheme, other.scheme) {
            (Some(one), Some(other)) => one == other,
            (Some(one), None) | (None, Some(one)) => !one.is_raw(),
            (None, None) => true,
        };
        schemes
            && self.host.overlaps(&other.host)
            && lists(&self.ports, &other.ports, u16::eq)
            && lists(&self.methods, &other.methods, Method::eq)
            && lists(&self.paths, &other.paths, PathPattern::overlaps)
    }

    /// Whether its hosts may have a special address.
    pub fn admits(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|range| range.contains(address))
            || self.host == HostPattern::Exactly(Host::Address(address))
    }
}

impl fmt::Display for NetRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn joined<T: ToString>(items: &[T]) -> String {
            items.iter().map(T::to_string).collect::<Vec<_>>().join(",")
        }
        if !self.methods.is_empty() {
            write!(f, "{} ", joined(&self.methods))?;
        }
        match self.scheme {
            Some(scheme) => write!(f, "{scheme}://{}", self.host)?,
            None => self.host.fmt(f)?,
        }
        let default = self.scheme.and_then(Scheme::default_port);
        if !self.ports.is_empty() && default.is_none_or(|port| self.ports != [port]) {
            write!(f, ":{}", joined(&self.ports))?;
        }
        if !self.paths.is_empty() {
            f.write_str(&joined(&self.paths))?;
        }
        if !self.addresses.is_empty() {
            write!(f, " at {}", joined(&self.addresses))?;
        }
        Ok(())
    }
}

/// The name of a header field (RFC 9110, 5.1), in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HeaderName(String);

impl HeaderName {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<&str> for HeaderName {
    type Error = InvalidNet;

    fn try_from(text: &str) -> Result<HeaderName, InvalidNet> {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if text.is_empty() || text.len() > 100 || !text.bytes().all(token) {
            return Err(InvalidNet::new("name of a header", text, "it has 1 to 100 letters, digits and `-`"));
        }
        Ok(HeaderName(text.to_ascii_lowercase()))
    }
}

macro_rules! as_text {
    ($($type:ty),*) => {
        $(impl TryFrom<String> for $type {
            type Error = InvalidNet;
            fn try_from(text: String) -> Result<Self, InvalidNet> {
                <$type>::try_from(text.as_str())
            }
        }
        impl From<$type> for String {
            fn from(value: $type) -> String {
                value.to_string()
            }
        })*
    };
}
as_text!(HostPattern, PathPattern, Method, AddressRange, HeaderName);
