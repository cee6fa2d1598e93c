//! Why a request has no answer, in words that the layer above turns into its own.

/// Why there is no answer, or no more of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Problem {
    #[error("it is refused")]
    Denied,
    #[error("a limit of the attempt is reached")]
    Limit,
    #[error("the attempt is over")]
    Over,
    #[error("the URL is refused")]
    Url,
    #[error("the method is refused")]
    Method,
    #[error("a header field is refused")]
    Header,
    #[error("the header fields of the request are too many or too large")]
    RequestHeaders,
    #[error("the body has {0} bytes, which is not what was declared")]
    RequestBody(u64),
    #[error("the body was given up")]
    BodyGivenUp,
    #[error("trailers of requests are not sent")]
    RequestTrailers,
    #[error("the name cannot be resolved")]
    Dns(String),
    #[error("resolving the name took too long")]
    DnsTimeout,
    #[error("the connection is refused")]
    ConnectionRefused,
    #[error("connecting took too long")]
    ConnectTimeout,
    #[error("there is no way to the host")]
    Unreachable,
    #[error("too many connections at once")]
    TooManyConnections,
    #[error("the certificate is not good for the host")]
    Certificate,
    #[error("the other side ended TLS with alert {0}")]
    TlsAlert(u8),
    #[error("TLS failed")]
    Tls,
    #[error("the engine's own TLS or name servers are not usable: {0}")]
    Setup(String),
    #[error("the header fields of the answer are too many or too large")]
    ResponseHeaders,
    #[error("the trailers of the answer are too many or too large")]
    ResponseTrailers,
    #[error("the answer is not complete")]
    ResponseIncomplete,
    #[error("the answer wants another protocol")]
    Upgrade,
    #[error("no answer came in time")]
    AnswerTimeout,
    #[error("no more of the answer came in time")]
    ReadTimeout,
    #[error("the connection ended")]
    Terminated,
    #[error("the answer is not HTTP")]
    Protocol,
}
