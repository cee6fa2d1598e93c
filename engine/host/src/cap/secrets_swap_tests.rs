//! Case N11 and its neighbours: a credential leaves for whom it is for, in the header that was granted, and in no other way.

use super::*;
use orch_core::{
    EffectiveSecret, Host, HostPattern, Method, NetRule, PathPattern, Scheme, Secret, SecretName, SecretSource,
};

const VALUE: &str = "hunter2-the value/with+signs";

struct Values;

impl SecretSource for Values {
    fn find(&self, source: &str) -> Result<Arc<Secret>, String> {
        let value = match source {
            "env:LINES" => "first line\nsecond line",
            "env:OTHER" => "another-value-entirely",
            _ => VALUE,
        };
        Secret::new(value.to_owned()).map(Arc::new)
    }
}

fn audience() -> NetRule {
    NetRule {
        scheme: Some(Scheme::Https),
        host: HostPattern::try_from("api.example.com").unwrap(),
        ports: vec![443],
        methods: vec![Method::try_from("POST").unwrap()],
        paths: vec![PathPattern::try_from("/v1/*").unwrap()],
        addresses: Vec::new(),
    }
}

fn grant(name: &str, source: &str, header: Option<&str>) -> EffectiveSecret {
    EffectiveSecret {
        name: SecretName::try_from(name).unwrap(),
        from: SecretName::try_from(name).unwrap(),
        source: source.to_owned(),
        audience: vec![audience()],
        within: Vec::new(),
        header: header.map(|header| orch_core::HeaderName::try_from(header).unwrap()),
        reveal: false,
    }
}

fn swap(grants: &[EffectiveSecret]) -> SecretSwap {
    SecretSwap::new(Arc::new(HeldSecrets::fetch(grants, &Values).unwrap())).unwrap()
}

fn one() -> SecretSwap {
    swap(&[grant("token", "env:TOKEN", Some("Authorization"))])
}

/// A request as a guest makes it.
struct Asked {
    scheme: Scheme,
    host: &'static str,
    port: u16,
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
}

fn asked(headers: &[(&'static str, String)]) -> Asked {
    let path = "/v1/issues?state=open".to_owned();
    Asked { scheme: Scheme::Https, host: "api.example.com", port: 443, method: "POST", path, headers: headers.to_vec() }
}

impl Asked {
    fn wanted<T>(&self, then: impl FnOnce(&Wanted<'_>) -> T) -> T {
        let host = Host::try_from(self.host).unwrap();
        let path = self.path.split('?').next();
        then(&Wanted { scheme: self.scheme, host: &host, port: self.port, method: Some(self.method), path })
    }

    fn send(&self, swap: &SecretSwap) -> Result<(HeaderMap, Vec<String>), Refused> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let used = self.wanted(|wanted| swap.swap(wanted, &mut headers, &self.path))?;
        Ok((headers, used))
    }

    #[track_caller]
    fn is_refused(&self, swap: &SecretSwap, reason: &str) {
        let why = self.send(swap).expect_err(reason).reason;
        assert!(why.contains(reason), "`{why}` is not `{reason}`");
        assert!(!why.contains(VALUE) && !why.contains(PLACEHOLDER), "{why}");
    }
}

fn placeholder(swap: &SecretSwap) -> String {
    swap.secrets.all()[0].placeholder.clone()
}

fn bearer(swap: &SecretSwap) -> Vec<(&'static str, String)> {
    vec![("authorization", format!("Bearer {}", placeholder(swap)))]
}

#[test]
fn a_placeholder_becomes_the_value_in_its_header_for_its_audience() {
    let swap = one();
    let mut request = asked(&bearer(&swap));
    request.headers.push(("x-other", "unchanged".to_owned()));
    request.headers.push(("authorization", format!("{0} and {0}", placeholder(&swap))));
    let (headers, used) = request.send(&swap).unwrap();
    let sent: Vec<_> = headers.get_all("authorization").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(sent, [format!("Bearer {VALUE}"), format!("{VALUE} and {VALUE}")]);
    assert!(headers.get_all("authorization").iter().all(HeaderValue::is_sensitive));
    assert_eq!(headers["x-other"], "unchanged");
    assert_eq!(used, ["secrets token"]);
}

#[test]
fn requests_without_placeholders_are_let_be() {
    let (headers, used) = asked(&[("x-other", "orch-secret-of-another-kind".to_owned())]).send(&one()).unwrap();
    assert_eq!((headers.len(), used.len()), (1, 0));
    assert!(asked(&[]).send(&swap(&[])).unwrap().1.is_empty());
}

#[test]
fn n11_a_placeholder_never_becomes_the_value_for_another_audience() {
    let swap = one();
    let request = || asked(&bearer(&swap));
    let for_whom = "the secret `token` is for POST https://api.example.com/v1/*";
    Asked { host: "evil.example.com", ..request() }.is_refused(&swap, for_whom);
    Asked { host: "api.example.com.evil.example", ..request() }.is_refused(&swap, for_whom);
    Asked { port: 8443, ..request() }.is_refused(&swap, for_whom);
    Asked { scheme: Scheme::Http, port: 443, ..request() }.is_refused(&swap, for_whom);
    Asked { method: "GET", ..request() }.is_refused(&swap, for_whom);
    Asked { path: "/v2/issues".to_owned(), ..request() }.is_refused(&swap, for_whom);
    // A request that is not known well enough yet.
    let host = Host::try_from("api.example.com").unwrap();
    let wanted = Wanted { scheme: Scheme::Https, host: &host, port: 443, method: None, path: None };
    let mut headers = HeaderMap::new();
    headers.insert("authorization", bearer(&swap)[0].1.parse().unwrap());
    assert!(swap.swap(&wanted, &mut headers, "/").is_err());
    assert_eq!(headers["authorization"], bearer(&swap)[0].1, "a refused request is as it was");
}

#[test]
fn a_placeholder_anywhere_else_refuses_the_request() {
    let swap = one();
    let stands_for = placeholder(&swap);
    let elsewhere = "travels in the header `authorization` and not in";
    asked(&[("x-api-key", stands_for.clone())]).is_refused(&swap, elsewhere);
    asked(&[("cookie", format!("a=b; c={stands_for}"))]).is_refused(&swap, elsewhere);
    for path in
        [format!("/v1/{stands_for}"), format!("/v1/x?token={stands_for}"), format!("/v1/%6Frch{}", &stands_for[4..])]
    {
        Asked { path, ..asked(&[]) }.is_refused(&swap, "stands in the path, where it does not count");
    }
    let name: &'static str = Box::leak(stands_for.clone().into_boxed_str());
    asked(&[(name, "x".to_owned())]).is_refused(&swap, "stands in the name of a header");
    let nowhere = super::tests::swap(&[grant("token", "env:TOKEN", None)]);
    asked(&bearer(&nowhere)).is_refused(&nowhere, "travels in no header");
    let alone = super::tests::swap(&[EffectiveSecret {
        audience: Vec::new(),
        within: Vec::new(),
        ..grant("token", "env:T", Some("authorization"))
    }]);
    asked(&bearer(&alone)).is_refused(&alone, "is for nobody");
}

#[test]
fn a_value_of_any_secret_leaves_in_no_form() {
    let swap = swap(&[grant("token", "env:TOKEN", Some("authorization")), grant("other", "env:OTHER", None)]);
    for form in [
        VALUE.to_owned(),
        "aHVudGVyMi10aGUgdmFsdWUvd2l0aCtzaWducw==".to_owned(),
        "68756e746572322d7468652076616c75652f776974682b7369676e73".to_owned(),
        "hunter2-the%20value%2Fwith%2Bsigns".to_owned(),
        "another-value-entirely".to_owned(),
    ] {
        // To its own audience and in its own header too: the guest cannot have it.
        asked(&[("authorization", format!("Bearer {form}"))]).is_refused(&swap, "stands in the header `authorization`");
        asked(&[("x-other", form.clone())]).is_refused(&swap, "stands in the header `x-other`");
        let path = form.replace(' ', "%20");
        Asked { path: format!("/v1/x?q={path}"), ..asked(&[]) }.is_refused(&swap, "stands in the path");
    }
    // Each character in a way of its own.
    let spelled: String = VALUE.bytes().map(|byte| format!("%{byte:02x}")).collect();
    Asked { path: format!("/v1/{spelled}"), ..asked(&[]) }.is_refused(&swap, "stands in the path");
    Asked { host: "another-value-entirely.example.com", ..asked(&[]) }.is_refused(&swap, "stands in the host");
}

#[test]
fn a_value_that_was_seen_goes_to_its_own_audience_only() {
    let seen = swap(&[EffectiveSecret { reveal: true, ..grant("token", "env:TOKEN", Some("authorization")) }]);
    let headers = [("x-signature", VALUE.to_owned())];
    asked(&headers).send(&seen).unwrap();
    Asked { host: "evil.example.com", ..asked(&headers) }.is_refused(&seen, "stands in the header `x-signature`");
    let body = |request: &Asked| request.wanted(|wanted| seen.body_scanner(wanted)).push(VALUE.as_bytes()).is_ok();
    assert!(body(&asked(&[])));
    assert!(!body(&Asked { host: "evil.example.com", ..asked(&[]) }));
}

#[test]
fn bodies_are_looked_through_over_chunks() {
    let swap = one();
    for (text, what) in [(VALUE.to_owned(), "the value"), (placeholder(&swap), "the placeholder")] {
        let mut scanner = asked(&[]).wanted(|wanted| swap.body_scanner(wanted));
        let mut sent = Vec::new();
        let refused = format!("{{\"a\": \"{text}\"}}").bytes().find_map(|byte| match scanner.push(&[byte]) {
            Ok(bytes) => {
                sent.extend(bytes);
                None
            }
            Err(refused) => Some(refused.reason),
        });
        assert!(refused.unwrap().starts_with(what));
        assert_eq!(sent, b"{\"a\": \"", "nothing of it was sent");
        assert!(scanner.push(b"more").is_err() && scanner.finish().is_err());
    }
    let mut scanner = asked(&[]).wanted(|wanted| swap.body_scanner(wanted));
    let mut sent = scanner.push(b"harmless, hunter2-the ").unwrap();
    sent.extend(scanner.push(b"end hunter2").unwrap());
    sent.extend(scanner.finish().unwrap());
    assert_eq!(sent, b"harmless, hunter2-the end hunter2");
}

#[test]
fn a_value_that_is_no_header_refuses_the_request() {
    let swap = swap(&[grant("token", "env:LINES", Some("authorization"))]);
    asked(&bearer(&swap)).is_refused(&swap, "cannot travel in a header");
}

#[test]
fn placeholders_are_of_one_attempt() {
    let (one, other) = (one(), one());
    assert_ne!(placeholder(&one), placeholder(&other));
    assert_eq!(placeholder(&one).len(), PLACEHOLDER.len() + 32);
    // One of another attempt is text as any other.
    let (headers, used) = asked(&bearer(&other)).send(&one).unwrap();
    assert_eq!(headers["authorization"], bearer(&other)[0].1);
    assert!(used.is_empty());
}
