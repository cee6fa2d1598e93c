//! An HTTP request and its answer, as plain values.

/// A request. The workflow's `net` grants say which are let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET`, `POST`, …
    pub method: String,
    /// With scheme and host.
    pub url: String,
    /// Names and values. The host adds `Host` and what belongs to the body's transport.
    pub headers: Vec<(String, String)>,
    /// Sent whole; empty for none.
    pub body: Vec<u8>,
}

impl HttpRequest {
    /// A request without headers and body.
    pub fn new(method: &str, url: &str) -> HttpRequest {
        HttpRequest { method: method.to_owned(), url: url.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> HttpRequest {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> HttpRequest {
        self.body = body.into();
        self
    }
}

/// An answer, read to its end. Redirects are not followed: each target is a decision of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// 200 and so on. An answer that says no is an answer, not an error.
    pub status: u16,
    /// Names in lower case, and values; bytes that are no UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// At most [`MAX_BODY`] bytes.
    pub body: Vec<u8>,
}

/// The longest body that is read: a plugin's memory is bounded, and a server may send without end.
pub const MAX_BODY: usize = 64 * 1024 * 1024;

impl HttpResponse {
    /// The first value of a header, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether the status is one of 200 to 299.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Scheme, authority and path of an absolute address; the path has at least its `/`.
#[cfg(any(all(target_family = "wasm", feature = "http"), test))]
pub(crate) fn split(url: &str) -> Option<(&str, &str, String)> {
    let (scheme, rest) = url.split_once("://")?;
    let rest = rest.split('#').next()?;
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(at);
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    (!scheme.is_empty() && !authority.is_empty()).then_some((scheme, authority, path))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn addresses_are_split() {
        let check = |url: &str, expected: Option<(&str, &str, &str)>| {
            let found = split(url);
            assert_eq!(found.as_ref().map(|(scheme, authority, path)| (*scheme, *authority, path.as_str())), expected);
        };
        check("https://a.example/b?c#d", Some(("https", "a.example", "/b?c")));
        check("http://a.example:8080", Some(("http", "a.example:8080", "/")));
        check("http://a.example?x=1", Some(("http", "a.example", "/?x=1")));
        check("a.example/b", None);
        check("http:///b", None);
        check("://a/b", None);
    }
}
