//! Puts values where their placeholders stand, in requests that may carry them, and lets no request carry a value in any other
//! way. Knows headers and bytes; how they are sent is not its business.

use crate::egress::{self, BodyScan, NothingToSwap, PlaceholderSwap, Refused};
use crate::guest::Audit;
use crate::held_secrets::{HeldSecret, HeldSecrets, PLACEHOLDER};
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use orch_core::{Leak, LeakScan, LeakStream, RefusedBy, Wanted};
use std::sync::Arc;
use zeroize::Zeroizing;

/// The secrets of an attempt, ready for its requests.
pub(crate) struct SecretSwap {
    secrets: Arc<HeldSecrets>,
    scan: Arc<LeakScan>,
}

/// Looks through the body of one request. Bytes leave only when they are known to be harmless.
pub(crate) struct BodyScanner {
    secrets: Arc<HeldSecrets>,
    stream: LeakStream,
    /// Secrets that this request may carry in any place, by their place in the list.
    free: Vec<bool>,
}

impl SecretSwap {
    /// Of the secrets of an attempt.
    ///
    /// # Errors
    /// When there is too much to look for.
    pub(crate) fn new(secrets: Arc<HeldSecrets>) -> Result<SecretSwap, String> {
        let named: Vec<_> = secrets.all().iter().map(|held| (&held.grant.name, &*held.value)).collect();
        let words: Vec<_> = secrets.all().iter().map(|held| held.placeholder.as_str()).collect();
        let scan = Arc::new(LeakScan::new(&named, &words)?);
        Ok(SecretSwap { secrets, scan })
    }

    /// Puts values into the headers of a request; gives the grants that were used for it.
    ///
    /// # Errors
    /// When a placeholder stands where it does not count, or a value does. The headers are then as they were.
    pub(crate) fn swap(
        &self,
        wanted: &Wanted<'_>,
        headers: &mut HeaderMap,
        path_and_query: &str,
    ) -> Result<Vec<String>, Refused> {
        if self.secrets.all().is_empty() {
            return Ok(Vec::new());
        }
        let host = wanted.host.to_string();
        let decoded = percent_decoded(path_and_query);
        for (place, bytes) in [
            ("host", host.as_bytes()),
            ("method", wanted.method.unwrap_or("").as_bytes()),
            ("path", path_and_query.as_bytes()),
            ("path", &decoded),
        ] {
            self.nothing_in(wanted, place, bytes)?;
        }
        for (name, value) in headers.iter() {
            self.nothing_in(wanted, "name of a header", name.as_str().as_bytes())?;
            self.no_value_in(wanted, name.as_str(), value.as_bytes())?;
            for held in self.secrets.all().iter().filter(|held| holds(value, held)) {
                counts(held, wanted, name)?;
            }
        }
        self.put(headers)
    }

    /// For the body of a request to the same.
    pub(crate) fn body_scanner(&self, wanted: &Wanted<'_>) -> BodyScanner {
        BodyScanner {
            secrets: Arc::clone(&self.secrets),
            stream: LeakStream::new(Arc::clone(&self.scan)),
            free: self.secrets.all().iter().map(|held| may_carry_seen(held, wanted)).collect(),
        }
    }

    /// The values in the place of their placeholders, which were all found to count.
    fn put(&self, headers: &mut HeaderMap) -> Result<Vec<String>, Refused> {
        let mut used = Vec::new();
        let mut changed = Vec::new();
        for (place, value) in headers.values().enumerate() {
            let mut bytes = None;
            for held in self.secrets.all().iter().filter(|held| holds(value, held)) {
                let before: &[u8] = bytes.as_deref().map_or(value.as_bytes(), Vec::as_slice);
                let after = replaced(before, held.placeholder.as_bytes(), held.value.expose().as_bytes());
                bytes = Some(after);
                let rule = format!("secrets {}", held.grant.name);
                if !used.contains(&rule) {
                    used.push(rule);
                }
            }
            if let Some(bytes) = bytes {
                let mut value = HeaderValue::from_bytes(&bytes).map_err(|_| {
                    by_engine("the value of a secret holds characters that cannot travel in a header".to_owned())
                })?;
                value.set_sensitive(true);
                changed.push((place, value));
            }
        }
        let mut changed = changed.into_iter().peekable();
        for (place, value) in headers.values_mut().enumerate() {
            if let Some((_, new)) = changed.next_if(|(changed, _)| *changed == place) {
                *value = new;
            }
        }
        Ok(used)
    }

    /// Neither a placeholder nor a value.
    fn nothing_in(&self, wanted: &Wanted<'_>, place: &str, bytes: &[u8]) -> Result<(), Refused> {
        let matters = |leak| matters(&self.secrets, wanted, leak);
        self.scan.find(bytes, matters).map_or(Ok(()), |leak| Err(refused(&self.secrets, leak, place)))
    }

    fn no_value_in(&self, wanted: &Wanted<'_>, header: &str, bytes: &[u8]) -> Result<(), Refused> {
        let matters = |leak| matches!(leak, Leak::Secret(_)) && matters(&self.secrets, wanted, leak);
        let place = format!("header `{header}`");
        self.scan.find(bytes, matters).map_or(Ok(()), |leak| Err(refused(&self.secrets, leak, &place)))
    }
}

impl BodyScanner {
    /// Takes a chunk; gives the bytes that may be sent by now.
    ///
    /// # Errors
    /// When there is a value or a placeholder in the body. Nothing of it is given.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<Vec<u8>, Refused> {
        let free = &self.free;
        let matters = |leak| match leak {
            Leak::Secret(number) => !free.get(number).copied().unwrap_or(false),
            Leak::Word(_) => true,
        };
        self.stream.push(chunk, matters).map_err(|leak| refused(&self.secrets, leak, "body"))
    }

    /// The rest of the bytes.
    ///
    /// # Errors
    /// As [`Self::push`], if that was not heeded.
    pub(crate) fn finish(&mut self) -> Result<Vec<u8>, Refused> {
        self.stream.finish().map_err(|leak| refused(&self.secrets, leak, "body"))
    }
}

/// The way out for requests of an attempt that may hold secrets.
pub(crate) fn on_the_way_out(secrets: &Arc<HeldSecrets>, audit: &Audit) -> Arc<dyn PlaceholderSwap> {
    if secrets.all().is_empty() {
        return Arc::new(NothingToSwap);
    }
    match SecretSwap::new(Arc::clone(secrets)) {
        Ok(swap) => Arc::new(Audited { swap, audit: audit.clone() }),
        // What cannot be looked for must not be able to leave.
        Err(reason) => Arc::new(Nothing(reason)),
    }
}

struct Audited {
    swap: SecretSwap,
    audit: Audit,
}

fn by_engine(reason: String) -> Refused {
    Refused { by: RefusedBy::Engine, reason, fix: None }
}

impl PlaceholderSwap for Audited {
    fn swap(&self, wanted: &Wanted<'_>, headers: &mut HeaderMap, path_and_query: &str) -> Result<(), Refused> {
        let used = self.swap.swap(wanted, headers, path_and_query)?;
        used.iter().for_each(|rule| self.audit.used(rule));
        Ok(())
    }

    fn scan(&self, wanted: &Wanted<'_>) -> Box<dyn BodyScan> {
        Box::new(self.swap.body_scanner(wanted))
    }
}

impl BodyScan for BodyScanner {
    fn push(&mut self, chunk: Bytes) -> Result<Bytes, Refused> {
        BodyScanner::push(self, &chunk).map(Bytes::from)
    }

    fn finish(&mut self) -> Result<Bytes, Refused> {
        BodyScanner::finish(self).map(Bytes::from)
    }
}

/// Lets no request out, for a reason.
struct Nothing(String);

impl PlaceholderSwap for Nothing {
    fn swap(&self, _: &Wanted<'_>, _: &mut HeaderMap, _: &str) -> Result<(), Refused> {
        Err(by_engine(self.0.clone()))
    }

    fn scan(&self, _: &Wanted<'_>) -> Box<dyn BodyScan> {
        Box::new(Nothing(self.0.clone()))
    }
}

impl BodyScan for Nothing {
    fn push(&mut self, _: Bytes) -> Result<Bytes, Refused> {
        Err(by_engine(self.0.clone()))
    }

    fn finish(&mut self) -> Result<Bytes, Refused> {
        Ok(Bytes::new())
    }
}

fn holds(value: &HeaderValue, held: &HeldSecret) -> bool {
    // Few headers have one, and every one that has one begins like this.
    let placeholder = held.placeholder.as_bytes();
    debug_assert!(held.placeholder.starts_with(PLACEHOLDER));
    value.as_bytes().windows(placeholder.len()).any(|part| part == placeholder)
}

fn is_for(held: &HeldSecret, wanted: &Wanted<'_>) -> bool {
    // A rule that names no method or path fits every one; a request always has both, and one without is not known well enough.
    wanted.method.is_some() && wanted.path.is_some() && held.grant.is_for(wanted)
}

/// A value that the guest has seen may go to whom it is for, in any place.
fn may_carry_seen(held: &HeldSecret, wanted: &Wanted<'_>) -> bool {
    held.grant.reveal && is_for(held, wanted)
}

fn matters(secrets: &HeldSecrets, wanted: &Wanted<'_>, leak: Leak) -> bool {
    match leak {
        Leak::Secret(number) => secrets.all().get(number).is_none_or(|held| !may_carry_seen(held, wanted)),
        Leak::Word(_) => true,
    }
}

/// Whether a placeholder in a header becomes the value.
fn counts(held: &HeldSecret, wanted: &Wanted<'_>, header: &HeaderName) -> Result<(), Refused> {
    let name = &held.grant.name;
    let fix =
        |line: String| format!("in plugin.yaml: permissions: {{ secrets: [{{ name: {name}, {line}, reason: … }}] }}");
    let inject = || fix(format!("inject: {{ header: {header} }}, audience: …"));
    let (reason, fix) = match &held.grant.header {
        None => (format!("the secret `{name}` travels in no header"), inject()),
        Some(granted) if granted.as_str() != header.as_str() => {
            (format!("the secret `{name}` travels in the header `{granted}` and not in `{header}`"), inject())
        }
        Some(_) if !is_for(held, wanted) => {
            let narrowest = if held.grant.within.is_empty() { &held.grant.audience } else { &held.grant.within };
            let audience: Vec<_> = narrowest.iter().map(ToString::to_string).collect();
            let whom = if audience.is_empty() { "nobody".to_owned() } else { audience.join(", ") };
            let line = fix(format!("audience: [{{ {} }}]", egress::rule(wanted, None)));
            (format!("the secret `{name}` is for {whom}"), line)
        }
        Some(_) => return Ok(()),
    };
    Err(Refused { by: RefusedBy::Plugin, reason, fix: Some(fix) })
}

fn refused(secrets: &HeldSecrets, leak: Leak, place: &str) -> Refused {
    let (Leak::Secret(number) | Leak::Word(number)) = leak;
    let name = secrets.all().get(number).map_or("?", |held| held.grant.name.as_str());
    match leak {
        Leak::Secret(_) => by_engine(format!("the value of the secret `{name}` stands in the {place}")),
        Leak::Word(_) => {
            let reason =
                format!("the placeholder of the secret `{name}` stands in the {place}, where it does not count");
            Refused { by: RefusedBy::Plugin, reason, fix: None }
        }
    }
}

fn replaced(text: &[u8], old: &[u8], new: &[u8]) -> Zeroizing<Vec<u8>> {
    // Reserved at once: growing would leave copies of the value behind.
    let most = text.len() + (text.len() / old.len().max(1)) * new.len();
    let mut out = Zeroizing::new(Vec::with_capacity(most));
    let mut rest = text;
    while let Some(byte) = rest.first() {
        match rest.strip_prefix(old) {
            Some(after) => {
                out.extend_from_slice(new);
                rest = after;
            }
            None => {
                out.push(*byte);
                rest = &rest[1..];
            }
        }
    }
    out
}

/// What a server makes of `%41`. A guest could write a value with any of its characters in this way.
fn percent_decoded(text: &str) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or(u8::MAX));
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
#[path = "secrets_swap_tests.rs"]
mod tests;
