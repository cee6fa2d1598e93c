//! Requests: each with its answer. On replay they are told apart by method, URL and body, and nothing is connected.

use super::Tape;
use super::player::Player;
use super::recorder::Recorder;
use super::recording::{BodyEnd, Content, Fingerprint, RecordedAnswer, RecordedRequest};
use crate::egress::{Answer, Body, Problem};
use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION};
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use orch_core::{Digest, MaskStream, Masker};
use sha2::{Digest as _, Sha256};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// Fields whose value nobody needs for a replay, and which are worth something to whoever finds it.
const WORTH_HIDING: [HeaderName; 3] = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE];

/// Bytes that go by without their secrets, as a length and a digest. With them, a digest would let somebody guess a value; and on
/// replay, where values are made up, it would never be the same.
pub(super) struct Fingerprinter {
    mask: MaskStream,
    hash: Sha256,
    bytes: u64,
}

impl Fingerprinter {
    pub(super) fn new(masker: Arc<Masker>) -> Fingerprinter {
        Fingerprinter { mask: MaskStream::new(masker), hash: Sha256::new(), bytes: 0 }
    }

    pub(super) fn push(&mut self, chunk: &[u8]) {
        let part = self.mask.push(chunk);
        self.hash.update(&part);
        self.bytes += part.len() as u64;
    }

    pub(super) fn finish(&mut self) -> Fingerprint {
        let rest = self.mask.finish();
        self.hash.update(&rest);
        self.bytes += rest.len() as u64;
        let digest = Digest::from_bytes(self.hash.finalize_reset().into());
        Fingerprint { bytes: std::mem::take(&mut self.bytes), digest }
    }
}

/// A request that is being recorded.
pub(crate) struct Exchanged {
    recorder: Arc<Recorder>,
    number: usize,
}

impl Tape {
    /// Begins to record a request that is about to be sent.
    pub(crate) fn request(&self, method: &str, url: &str, headers: &HeaderMap) -> Option<Exchanged> {
        let Tape::Record(recorder) = self else { return None };
        if recorder.is_spoiled() {
            return None;
        }
        let request = RecordedRequest {
            method: method.to_owned(),
            url: recorder.told(url),
            headers: fields(recorder, headers),
            body: None,
            answer: RecordedAnswer::None {},
        };
        recorder.count(url.len() + request.headers.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>());
        let mut state = recorder.state();
        state.http.push(request);
        Some(Exchanged { recorder: Arc::clone(recorder), number: state.http.len() - 1 })
    }

    /// Who answers requests in the place of the world.
    pub(crate) fn player(&self) -> Option<&Arc<Player>> {
        match self {
            Tape::Replay(player) => Some(player),
            Tape::Off | Tape::Record(_) => None,
        }
    }
}

fn fields(recorder: &Recorder, headers: &HeaderMap) -> Vec<(String, String)> {
    let told = |(name, value): (&HeaderName, &HeaderValue)| {
        let text = String::from_utf8_lossy(value.as_bytes());
        let told = recorder.told(&text);
        // The name of a secret is worth nothing, and says more.
        let hidden = WORTH_HIDING.contains(name) && told == text;
        (name.as_str().to_owned(), if hidden { "***".to_owned() } else { told })
    };
    headers.iter().map(told).collect()
}

impl Exchanged {
    fn change(recorder: &Recorder, number: usize, change: impl FnOnce(&mut RecordedRequest)) {
        if let Some(request) = recorder.state().http.get_mut(number) {
            change(request);
        }
    }

    /// The body of the request, looked at while it is sent.
    pub(crate) fn sent(&self, body: Body) -> Body {
        let (recorder, number) = (Arc::clone(&self.recorder), self.number);
        let mut print = Fingerprinter::new(recorder.masker());
        Seen::of(body, move |seen| match seen {
            Part::Data(chunk) => print.push(chunk),
            Part::End => {
                let body = print.finish();
                Exchanged::change(&recorder, number, |request| request.body = Some(body));
            }
            Part::Trailers(_) | Part::Broken(_) => {}
        })
    }

    /// What came of the request; the body of its answer is recorded as far as it is read.
    pub(crate) fn answered(self, answer: Result<Answer, Problem>) -> Result<Answer, Problem> {
        let Exchanged { recorder, number } = self;
        let Answer { response, rest } = match answer {
            Ok(answer) => answer,
            Err(problem) => {
                let failed = RecordedAnswer::Failed { problem: problem.clone() };
                Exchanged::change(&recorder, number, |request| request.answer = failed);
                return Err(problem);
            }
        };
        let headers = fields(&recorder, response.headers());
        let status = response.status().as_u16();
        let first = RecordedAnswer::Answered {
            status,
            headers,
            body: Content::default(),
            trailers: Vec::new(),
            end: BodyEnd::Unread,
        };
        Exchanged::change(&recorder, number, |request| request.answer = first);
        let mut noted = Noted { mask: MaskStream::new(recorder.masker()), bytes: Vec::new(), recorder, number };
        let response = response.map(|body| {
            Seen::of(body, move |seen| match seen {
                Part::Data(chunk) => noted.push(chunk),
                Part::Trailers(trailers) => noted.trailers(trailers),
                Part::End => noted.end(BodyEnd::Whole),
                Part::Broken(problem) => noted.end(BodyEnd::Broken(problem.clone())),
            })
        });
        Ok(Answer { response, rest })
    }
}

/// The body of an answer as far as it was read.
struct Noted {
    recorder: Arc<Recorder>,
    number: usize,
    mask: MaskStream,
    bytes: Vec<u8>,
}

impl Noted {
    fn push(&mut self, chunk: &[u8]) {
        let part = self.mask.push(chunk);
        if self.recorder.is_spoiled() || !self.recorder.count(part.len()) {
            self.bytes = Vec::new();
            return;
        }
        self.bytes.extend_from_slice(&part);
    }

    fn trailers(&mut self, fields_of: &HeaderMap) {
        let all = fields(&self.recorder, fields_of);
        Exchanged::change(&self.recorder, self.number, |request| {
            if let RecordedAnswer::Answered { trailers, .. } = &mut request.answer {
                *trailers = all;
            }
        });
    }

    fn end(&mut self, how: BodyEnd) {
        self.bytes.extend_from_slice(&self.mask.finish());
        let number = self.number;
        self.recorder.keep_in(std::mem::take(&mut self.bytes), |state, content| {
            if let Some(RecordedAnswer::Answered { body, end, .. }) =
                state.http.get_mut(number).map(|request| &mut request.answer)
            {
                (*body, *end) = (content, how);
            }
        });
    }
}

/// A part of a body that goes by.
enum Part<'a> {
    Data(&'a [u8]),
    Trailers(&'a HeaderMap),
    End,
    Broken(&'a Problem),
}

/// A body that somebody looks at while it goes by.
struct Seen<F: FnMut(Part<'_>) + Send + Unpin> {
    inner: Body,
    see: F,
    ended: bool,
}

impl<F: FnMut(Part<'_>) + Send + Unpin + 'static> Seen<F> {
    fn of(inner: Body, see: F) -> Body {
        let mut seen = Seen { inner, see, ended: false };
        // Nobody polls a body that says that it is empty.
        seen.end_if_over();
        seen.boxed_unsync()
    }
}

impl<F: FnMut(Part<'_>) + Send + Unpin> Seen<F> {
    fn end(&mut self, part: Part<'_>) {
        if !std::mem::replace(&mut self.ended, true) {
            (self.see)(part);
        }
    }

    fn end_if_over(&mut self) {
        if self.inner.is_end_stream() {
            self.end(Part::End);
        }
    }
}

impl<F: FnMut(Part<'_>) + Send + Unpin> HttpBody for Seen<F> {
    type Data = Bytes;
    type Error = Problem;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Problem>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        match &frame {
            None => self.end(Part::End),
            Some(Err(problem)) => self.end(Part::Broken(problem)),
            Some(Ok(frame)) => {
                if let Some(chunk) = frame.data_ref() {
                    (self.see)(Part::Data(chunk));
                } else if let Some(trailers) = frame.trailers_ref() {
                    (self.see)(Part::Trailers(trailers));
                }
                self.end_if_over();
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        // What was read of a body that nobody read to its end; one that was is empty by now.
        if !self.bytes.is_empty() {
            self.end(BodyEnd::Unread);
        }
    }
}

impl Player {
    /// The answer to a request, from the recording. The request is read to its end first: its body is a part of what it is.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        method: &str,
        url: &str,
        mut body: impl HttpBody<Data = Bytes, Error = Problem> + Unpin,
    ) -> Result<Answer, Problem> {
        let mut print = Fingerprinter::new(self.masker());
        while let Some(frame) = body.frame().await {
            if let Some(chunk) = frame?.data_ref() {
                print.push(chunk);
            }
        }
        let url = self.masker().mask(url).into_owned();
        let print = print.finish();
        let Some(number) = self.take_request(method, &url, &print) else {
            self.unrecorded(self.unknown_request(method, &url, &print));
            return Err(Problem::Denied);
        };
        match &self.recording.http[number].answer {
            // Nobody waited for it then either.
            RecordedAnswer::None {} => std::future::pending().await,
            RecordedAnswer::Failed { problem } => Err(problem.clone()),
            RecordedAnswer::Answered { status, headers, body, trailers, end } => {
                let bytes = self.recording.content(body).map_err(|reason| {
                    self.unrecorded(format!("http {method} {url}: {reason}"));
                    Problem::Denied
                })?;
                let played = Played {
                    data: Some(Bytes::from(bytes)).filter(|bytes| !bytes.is_empty()),
                    trailers: Some(map_of(trailers)).filter(|trailers| !trailers.is_empty()),
                    end: Some(end.clone()),
                    player: Arc::clone(self),
                    what: format!("http {method} {url}: reads more of the answer than was recorded"),
                };
                let mut response = Response::new(played.boxed_unsync());
                *response.status_mut() = StatusCode::from_u16(*status).map_err(|_| Problem::Protocol)?;
                *response.headers_mut() = map_of(headers);
                Ok(Answer { response, rest: Box::pin(std::future::ready(())) })
            }
        }
    }

    /// The first such request that was not asked for yet.
    fn take_request(&self, method: &str, url: &str, print: &Fingerprint) -> Option<usize> {
        let mut state = self.state();
        let fits = |request: &RecordedRequest| {
            request.method == method && request.url == url && request.body.as_ref().is_none_or(|body| body == print)
        };
        let all = self.recording.http.iter().enumerate();
        let (number, _) = all.filter(|(number, _)| !state.http.contains(number)).find(|(_, request)| fits(request))?;
        state.http.insert(number);
        Some(number)
    }

    fn unknown_request(&self, method: &str, url: &str, print: &Fingerprint) -> String {
        let same: Vec<_> = self.recording.http.iter().filter(|one| one.method == method && one.url == url).collect();
        let mut text = format!("http {method} {url}");
        if print.bytes > 0 {
            text.push_str(&format!(" with a body of {} bytes ({})", print.bytes, print.digest));
        }
        match same.iter().any(|one| one.body.as_ref().is_none_or(|body| body == print)) {
            true => text.push_str(&format!(": it was recorded {} times, and is made once more", same.len())),
            false if !same.is_empty() => text.push_str(": it was recorded with another body"),
            false => {}
        }
        text
    }
}

fn map_of(fields: &[(String, String)]) -> HeaderMap {
    let field = |(name, value): &(String, String)| {
        Some((HeaderName::try_from(name.as_str()).ok()?, HeaderValue::try_from(value.as_str()).ok()?))
    };
    let mut map = HeaderMap::new();
    for (name, value) in fields.iter().filter_map(field) {
        map.append(name, value);
    }
    map
}

/// The body of a recorded answer.
struct Played {
    data: Option<Bytes>,
    trailers: Option<HeaderMap>,
    end: Option<BodyEnd>,
    player: Arc<Player>,
    what: String,
}

impl HttpBody for Played {
    type Data = Bytes;
    type Error = Problem;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Problem>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if let Some(trailers) = self.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        Poll::Ready(match self.end.take() {
            None | Some(BodyEnd::Whole) => None,
            Some(BodyEnd::Broken(problem)) => Some(Err(problem)),
            Some(BodyEnd::Unread) => {
                self.player.unrecorded(self.what.clone());
                Some(Err(Problem::ResponseIncomplete))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && self.trailers.is_none() && matches!(self.end, None | Some(BodyEnd::Whole))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::held_secrets::HeldSecrets;
    use orch_core::{EffectiveSecret, Secret, SecretName, SecretSource};

    struct One(String);

    impl SecretSource for One {
        fn find(&self, _: &str) -> Result<Arc<Secret>, String> {
            Secret::new(self.0.clone()).map(Arc::new)
        }
    }

    #[test]
    fn a_request_is_recorded_with_the_names_of_its_secrets() {
        let value = ["hunter2", "value"].join("-");
        let name = SecretName::try_from("token").unwrap();
        let grant = EffectiveSecret {
            name: name.clone(),
            from: name,
            source: "env:TOKEN".to_owned(),
            audience: Vec::new(),
            within: Vec::new(),
            header: None,
            reveal: true,
        };
        let held = Arc::new(HeldSecrets::fetch(&[grant], &One(value.clone())).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let recorder = Arc::new(Recorder::new(folder.path()).unwrap());
        recorder.hold(&held);
        let tape = Tape::Record(Arc::clone(&recorder));
        let placeholder = &held.all()[0].placeholder;
        let fields = [
            ("authorization", format!("Bearer {placeholder}"), "Bearer {secret token}"),
            ("cookie", "something".to_owned(), "***"),
            ("x-seen", format!("a {value} b"), "a *** b"),
            ("x-plain", "plain".to_owned(), "plain"),
        ];
        let mut headers = HeaderMap::new();
        for (name, sent, _) in &fields {
            headers.insert(*name, HeaderValue::try_from(sent).unwrap());
        }
        let request = tape.request("GET", &format!("http://a/?b={value}"), &headers).unwrap();
        drop(request.answered(Err(Problem::Terminated)));
        let recorded = recorder.state().http.pop().unwrap();
        assert_eq!(recorded.url, "http://a/?b=***");
        for (name, _, expected) in fields {
            let field = recorded.headers.iter().find(|(recorded, _)| recorded == name);
            assert_eq!(field.map(|(_, value)| value.as_str()), Some(expected), "{name}");
        }
        assert_eq!(recorded.answer, RecordedAnswer::Failed { problem: Problem::Terminated });
    }

    #[test]
    fn a_body_with_a_secret_has_the_fingerprint_of_one_with_another() {
        let name = SecretName::try_from("token").unwrap();
        let print = |value: &str| {
            let secret = Secret::new(value.to_owned()).unwrap();
            let mut print = Fingerprinter::new(Arc::new(Masker::new(&[(&name, &secret)]).unwrap()));
            // In pieces, as bodies come.
            for piece in format!("key={value}&more").as_bytes().chunks(5) {
                print.push(piece);
            }
            print.finish()
        };
        assert_eq!(print("the-real-value"), print("made-up-value-of-token"));
    }
}
