//! What the SDK does not have yet, for both versions of the plugin: secrets, and a request over `wasi:http`.

wit_bindgen::generate!({
    path: "../../../../wit",
    inline: "package acme:notify; world notify { import orch:task/secrets@0.1.0; }",
    world: "acme:notify/notify",
    generate_all,
});

pub use self::orch::task::secrets;

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{Fields, Method, OutgoingBody, OutgoingRequest, Scheme};

/// Posts `text`; gives the status of the answer, or what went wrong.
pub fn post(authority: &str, path: &str, authorization: Option<&str>, text: &str) -> Result<u16, String> {
    let fields = Fields::new();
    if let Some(value) = authorization {
        fields.append("authorization", value.as_bytes()).map_err(|error| format!("{error:?}"))?;
    }
    let request = OutgoingRequest::new(fields);
    let refused = |()| "the request cannot be made".to_owned();
    request.set_method(&Method::Post).map_err(refused)?;
    request.set_scheme(Some(&Scheme::Http)).map_err(refused)?;
    request.set_authority(Some(authority)).map_err(refused)?;
    request.set_path_with_query(Some(path)).map_err(refused)?;
    let body = request.body().map_err(refused)?;
    let answer = handle(request, None).map_err(|error| format!("{error:?}"))?;
    let stream = body.write().map_err(refused)?;
    // A request that is refused takes no body; the answer below says why.
    let _ = stream.blocking_write_and_flush(text.as_bytes());
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
    answer.subscribe().block();
    match answer.get() {
        Some(Ok(Ok(response))) => Ok(response.status()),
        Some(Ok(Err(error))) => Err(format!("{error:?}")),
        other => Err(format!("{other:?}")),
    }
}
