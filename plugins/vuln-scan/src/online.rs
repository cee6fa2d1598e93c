//! Asks a server that speaks the OSV interface (<https://google.github.io/osv.dev/api/>): which records concern a package, then each
//! record. What comes back is evaluated by the same code as records of a folder.

use crate::inventory::Package;
use crate::matching::Matcher;
use crate::record::{MAX_RECORD, is_id};
use crate::skipped::{self, Skips};
use orch_plugin_kit::report;
use orch_plugin_kit::version::Order;
use orch_sdk::{Host, HttpRequest, HttpResponse, TaskError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Queries in one request; the interface allows a thousand.
const AT_ONCE: usize = 500;

/// Pages of answers for one batch of packages.
const MAX_PAGES: usize = 50;

/// Records that are fetched. With the questions this stays below the requests that a task may make if nobody says otherwise.
const MAX_FETCHED: usize = 9_000;

#[derive(Clone, Serialize)]
struct Query<'a> {
    package: Name<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    page_token: Option<String>,
}

#[derive(Clone, Serialize)]
struct Name<'a> {
    name: &'a str,
    ecosystem: String,
}

#[derive(Serialize)]
struct Batch<'a> {
    queries: &'a [Query<'a>],
}

#[derive(Deserialize)]
struct Answers {
    results: Vec<Option<Answer>>,
}

#[derive(Deserialize, Default)]
struct Answer {
    #[serde(default)]
    vulns: Option<Vec<Named>>,
    #[serde(default)]
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

/// Asks for all packages, and hands the records to the matcher.
///
/// # Errors
/// When the connection is not granted, the server does not answer as it should, or the host wants the task to stop.
pub fn fetch(base: &str, matcher: &mut Matcher, skips: &mut Skips, host: &dyn Host) -> Result<(), TaskError> {
    let base = base.trim_end_matches('/');
    let packages = matcher.packages().to_vec();
    let mut ids: BTreeSet<String> = BTreeSet::new();
    for some in packages.chunks(AT_ONCE) {
        // With their second names these are a thousand at most.
        let mut queries: Vec<Query> = some.iter().flat_map(|package| queries(package)).collect();
        let mut pages = 0;
        while !queries.is_empty() {
            report::check_cancelled(host)?;
            pages += 1;
            if pages > MAX_PAGES {
                skips.unreadable(skipped::RECORDS, ".", base, &format!("more than {MAX_PAGES} pages for one question"));
                break;
            }
            let url = format!("{base}/v1/querybatch");
            let body = serde_json::to_vec(&Batch { queries: &queries })
                .map_err(|error| TaskError::Failed(format!("the questions are no JSON: {error}")))?;
            let response = send(host, "POST", &url, body)?;
            let answers: Answers = checked(&url, &response)
                .and_then(|bytes| serde_json::from_slice(bytes).map_err(|error| broken(&url, &error.to_string())))?;
            if answers.results.len() != queries.len() {
                return Err(broken(&url, "answers another number of questions than it was asked"));
            }
            let mut next = Vec::new();
            for (mut query, answer) in queries.into_iter().zip(answers.results) {
                let answer = answer.unwrap_or_default();
                for named in answer.vulns.into_iter().flatten() {
                    if is_id(&named.id) {
                        ids.insert(named.id);
                    } else {
                        skips.unreadable(skipped::RECORD, ".", base, "names a record by no name of a vulnerability");
                    }
                }
                if let Some(token) = answer.next_page_token.filter(|token| !token.is_empty()) {
                    query.page_token = Some(token);
                    next.push(query);
                }
            }
            queries = next;
        }
    }
    if ids.len() > MAX_FETCHED {
        let reason = format!("{} records; only the first {MAX_FETCHED} are fetched", ids.len());
        skips.unreadable(skipped::RECORDS, ".", base, &reason);
    }
    let total = ids.len().min(MAX_FETCHED) as u64;
    for (done, id) in ids.iter().take(MAX_FETCHED).enumerate() {
        report::check_cancelled(host)?;
        host.progress(done as u64, Some(total), id);
        let url = format!("{base}/v1/vulns/{id}");
        let response = send(host, "GET", &url, Vec::new())?;
        match response.status {
            // Another record may have taken its place meanwhile; the others are still good.
            404 => skips.unreadable(skipped::RECORD, ".", id, "the server does not have it"),
            _ => {
                let bytes = checked(&url, &response)?;
                if bytes.len() as u64 > MAX_RECORD {
                    skips.unreadable(skipped::RECORD, ".", id, &format!("larger than {} MiB", MAX_RECORD >> 20));
                } else {
                    matcher.read(bytes, id, skips);
                }
            }
        }
    }
    Ok(())
}

/// The questions about a package: one for each name that records may know it by.
fn queries(package: &Package) -> impl Iterator<Item = Query<'_>> {
    std::iter::once(&package.name).chain(&package.source_name).map(|name| query(package, name))
}

fn query<'a>(package: &'a Package, name: &'a str) -> Query<'a> {
    let ecosystem = match &package.release {
        Some(release) if package.ecosystem == "Ubuntu" && release.ends_with(".04") => format!("Ubuntu:{release}:LTS"),
        // Their records name products, of which a release has many; those of others are sorted out when they are compared.
        Some(_) if matches!(package.ecosystem, "Red Hat" | "SUSE") => package.ecosystem.to_owned(),
        Some(release) => format!("{}:{release}", package.ecosystem),
        None => package.ecosystem.to_owned(),
    };
    // Where the server might read a version otherwise than we do, it is asked for all records, which are then compared here.
    let order = Order::for_ecosystem(package.ecosystem);
    let is_plain = order.is_some_and(|order| order != Order::Go && order.is_version(&package.version));
    let version = (is_plain && package.release.is_none()).then_some(package.version.as_str());
    Query { package: Name { name, ecosystem }, version, page_token: None }
}

fn send(host: &dyn Host, method: &str, url: &str, body: Vec<u8>) -> Result<HttpResponse, TaskError> {
    let mut headers = vec![("accept".to_owned(), "application/json".to_owned())];
    if !body.is_empty() {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    host.http(&HttpRequest { method: method.to_owned(), url: url.to_owned(), headers, body })
}

fn checked<'r>(url: &str, response: &'r HttpResponse) -> Result<&'r [u8], TaskError> {
    match response.status {
        200 => Ok(&response.body),
        status => Err(TaskError::Dependency {
            target: url.to_owned(),
            message: format!("answers with status {status}"),
            retryable: status == 429 || status >= 500,
        }),
    }
}

fn broken(url: &str, reason: &str) -> TaskError {
    TaskError::Dependency { target: url.to_owned(), message: reason.to_owned(), retryable: false }
}
