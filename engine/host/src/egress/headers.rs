//! The fields of requests and answers: which ones a guest may not set, and how many there may be.

use super::Problem;
use http::header::{CONTENT_LENGTH, HeaderName};
use http::{HeaderMap, HeaderValue};

/// Bytes of all fields of a request or an answer. Servers commonly take 8 to 32 KiB.
pub(crate) const MOST_FIELD_BYTES: usize = 64 << 10;
/// Fields of a request or an answer.
pub(crate) const MOST_FIELDS: usize = 1_000;

/// Fields that say where a message goes or where it ends. They are ours alone: with two opinions on them one request can be made into
/// two (RFC 9112, 11.2).
const FORBIDDEN: [&str; 9] =
    ["host", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings", "expect"];

/// Whether a guest may neither set nor see a field.
pub(crate) fn is_forbidden(name: &HeaderName) -> bool {
    let name = name.as_str();
    FORBIDDEN.contains(&name) || name.starts_with("proxy-")
}

/// Checks the fields of a request, and takes the declared length out of them: what is sent is computed anew.
pub(crate) fn take_length(headers: &mut HeaderMap) -> Result<Option<u64>, Problem> {
    if headers.keys().any(is_forbidden) {
        return Err(Problem::Header);
    }
    fits(headers).ok_or(Problem::RequestHeaders)?;
    // The types of `http` allow none of them; whoever builds these values otherwise is stopped here.
    let breaks = |value: &HeaderValue| value.as_bytes().iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0));
    if headers.values().any(breaks) {
        return Err(Problem::Header);
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let declared = match (lengths.next(), lengths.next()) {
        (None, _) => None,
        (Some(one), None) => Some(digits(one).ok_or(Problem::Header)?),
        (Some(_), Some(_)) => return Err(Problem::Header),
    };
    headers.remove(CONTENT_LENGTH);
    Ok(declared)
}

/// Whether fields are neither too many nor too large.
pub(crate) fn fits(headers: &HeaderMap) -> Option<()> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len()).sum();
    (headers.len() <= MOST_FIELDS && bytes <= MOST_FIELD_BYTES).then_some(())
}

/// `1*DIGIT` (RFC 9110, 8.6): parsers of numbers also take a sign.
fn digits(value: &HeaderValue) -> Option<u64> {
    let text = value.to_str().ok()?;
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(fields: &[(&str, &str)], expected: Result<Option<u64>, Problem>) {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        assert_eq!(take_length(&mut headers), expected, "{fields:?}");
        if expected.is_ok() {
            assert!(!headers.contains_key(CONTENT_LENGTH), "the length is computed anew");
        }
    }

    #[test]
    fn n13_fields_of_requests() {
        check(&[], Ok(None));
        check(&[("accept", "*/*"), ("authorization", "Bearer x"), ("content-length", "12")], Ok(Some(12)));
        check(&[("content-length", "0")], Ok(Some(0)));
        for name in FORBIDDEN.iter().chain(&["proxy-authorization", "proxy-connection", "proxy-anything"]) {
            check(&[(name, "x")], Err(Problem::Header));
            check(&[("accept", "*/*"), (&name.to_ascii_uppercase(), "x")], Err(Problem::Header));
        }
        for length in ["+5", "-5", "", " ", "5, 5", "0x5", "5.0", "99999999999999999999"] {
            check(&[("content-length", length)], Err(Problem::Header));
        }
        check(&[("content-length", "5"), ("content-length", "5")], Err(Problem::Header));
        check(&[("content-length", "5"), ("content-length", "6")], Err(Problem::Header));
    }

    #[test]
    fn n13_line_breaks_are_no_values() {
        for value in ["a\r\nHost: b", "a\nb", "a\rb", "a\0b"] {
            assert!(HeaderValue::from_bytes(value.as_bytes()).is_err(), "{value:?}");
        }
        for name in ["a b", "a:b", "a\r\nb", "", "a\0"] {
            assert!(HeaderName::from_bytes(name.as_bytes()).is_err(), "{name:?}");
        }
    }

    #[test]
    fn n15_too_many_or_too_large() {
        let many: Vec<_> = (0..=MOST_FIELDS).map(|number| format!("x-{number}")).collect();
        let fields: Vec<_> = many.iter().map(|name| (name.as_str(), "")).collect();
        check(&fields[1..], Ok(None));
        check(&fields, Err(Problem::RequestHeaders));
        let large = "x".repeat(MOST_FIELD_BYTES - 5);
        check(&[("x", &large)], Ok(None));
        check(&[("xy", &large)], Err(Problem::RequestHeaders));
    }
}
