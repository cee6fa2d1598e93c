//! `evidence`: a signed statement of a run, and checking one. The envelope is DSSE (Dead Simple Signing Envelope, version 1): what
//! is signed is the exact bytes of the statement together with their type.

use super::{Context, keys, runs};
use crate::args::{EvidenceVerb, Format, StateArguments};
use crate::failure::Failure;
use crate::{prepare, terminal};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use orch_core::{Code, Exit, RunId, visible};
use orch_registry::PublicKey;
use orch_report::RunView;
use orch_report::evidence::{self, NoProof, PAYLOAD};
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes of a file of evidence: a run of a hundred thousand events fits.
const MOST_BYTES: u64 = 256 << 20;
/// Signatures that are looked at.
const MOST_SIGNATURES: usize = 16;

/// DSSE's envelope.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Envelope {
    payload_type: String,
    /// Base64 of the statement.
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    keyid: String,
    /// Base64 of 64 bytes.
    sig: String,
}

pub(crate) fn run(context: &Context, verb: &EvidenceVerb) -> anyhow::Result<Exit> {
    match verb {
        EvidenceVerb::Export { run, out, key, state } => export(context, run, out.as_deref(), key.as_deref(), state),
        EvidenceVerb::Verify { file, key, format } => verify(context, file, key.as_deref(), *format),
    }
}

/// DSSE's pre-authentication encoding.
fn signed_bytes(payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {PAYLOAD} {} ", PAYLOAD.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

fn export(
    context: &Context,
    run: &str,
    out: Option<&Path>,
    key: Option<&Path>,
    state: &StateArguments,
) -> anyhow::Result<Exit> {
    let key = keys::load(key)?;
    let store = runs::open(context, state)?;
    let run = runs::find(&store, run)?;
    if runs::outcome(&store, &run)?.is_none() {
        let message = format!("run {run} is not over, so nothing is certain of it yet");
        return Err(Failure::new(Code::UnknownRun, message)
            .help(format!("`orch-wasm resume {run}` goes on with it"))
            .into());
    }
    // Damage is told here, by the log's own chain, and not only by whoever checks the file.
    let found = store.verify(&run).map_err(Failure::from)?;
    if let Some(at) = found.broken_at {
        let message = format!("the log of run {run} is not as it was written, from event {at} on");
        return Err(Failure::new(Code::StateUnusable, message).exit(Exit::Errored).into());
    }
    let texts = store.texts(&run).map_err(Failure::from)?;
    let statement = evidence::statement(&run, &texts).map_err(|error| broken(&error))?;
    let payload = orch_core::canonical_json(&statement).into_bytes();
    let envelope = Envelope {
        payload_type: PAYLOAD.to_owned(),
        payload: STANDARD.encode(&payload),
        signatures: vec![Signature {
            keyid: key.public().id().to_string(),
            sig: STANDARD.encode(key.sign(&signed_bytes(&payload))),
        }],
    };
    let path = out.map_or_else(|| PathBuf::from(format!("{run}.evidence.json")), Path::to_owned);
    write(&path, &serde_json::to_vec(&envelope)?)?;
    terminal::print(&format!("{}\n", path.display()))?;
    terminal::talk(&format!("{} events of run {run}, signed by {}", texts.len(), key.public().id()));
    Ok(Exit::Succeeded)
}

/// The whole file or nothing of it.
fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    use std::io::Write as _;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let unwritable = |error: std::io::Error| {
        Failure::new(Code::Unwritable, format!("`{}` cannot be written: {error}", path.display()))
    };
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(unwritable)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(unwritable)?;
    file.persist(path).map_err(|error| unwritable(error.error))?;
    Ok(())
}

fn broken(error: &NoProof) -> Failure {
    Failure::new(Code::NoEvidence, error.to_string()).exit(Exit::Failed)
}

fn no(reason: impl Into<String>) -> Failure {
    broken(&NoProof(reason.into()))
}

fn verify(context: &Context, file: &Path, key: Option<&Path>, format: Format) -> anyhow::Result<Exit> {
    let keys = match key {
        Some(key) => vec![PublicKey::load(key).map_err(Failure::from)?],
        None => prepare::trusted_keys()?.into_iter().map(|(_, key)| key).collect(),
    };
    let bytes = read(file)?;
    let (signer, run, view, events) = proven(&bytes, &keys)?;
    if format == Format::Json {
        let outcome = view.outcome;
        let whole = serde_json::json!({ "run": run, "signer": signer, "events": events, "outcome": outcome });
        terminal::print(&format!("{whole}\n"))?;
        return Ok(Exit::Succeeded);
    }
    let style = terminal::style(context.colour, &std::io::stdout());
    let outcome = view.outcome.map_or("not over".to_owned(), |outcome| outcome.to_string());
    let refusals: usize = view.tasks.iter().map(|task| task.refusals.len()).sum();
    let findings: usize = view.tasks.iter().map(|task| task.findings.len()).sum();
    let mut text = format!("{} signed by {signer}\n", style.green("proven:"));
    text.push_str(&format!("  run {run} of {}: {outcome}\n", visible(&view.workflow)));
    text.push_str(&format!(
        "  {}, every one in the chain; {}, {}, {}\n",
        orch_core::plural(events, "event"),
        orch_core::plural(view.tasks.len(), "task"),
        orch_core::plural(findings, "finding"),
        orch_core::plural(refusals, "refusal"),
    ));
    if let Some(hash) = &view.plan_hash {
        text.push_str(&format!("  plan {hash}\n"));
    }
    terminal::print(&text)?;
    Ok(Exit::Succeeded)
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable =
        |error: std::io::Error| Failure::new(Code::Unreadable, format!("`{}` cannot be read: {error}", file.display()));
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).map_err(unreadable)?;
    opened.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(no(format!("it has more than {MOST_BYTES} bytes")));
    }
    Ok(bytes)
}

/// Who signed what; every way out of it but the last is a no.
fn proven(bytes: &[u8], keys: &[PublicKey]) -> Result<(String, RunId, RunView, usize), Failure> {
    let envelope: Envelope = serde_json::from_slice(bytes)
        .map_err(|error| no(format!("it is no envelope: {}", visible(&error.to_string()))))?;
    if envelope.payload_type != PAYLOAD {
        return Err(no("what it holds is no in-toto statement"));
    }
    if envelope.signatures.is_empty() || envelope.signatures.len() > MOST_SIGNATURES {
        let found = envelope.signatures.len();
        return Err(no(format!("it has {found} signatures, and 1 to {MOST_SIGNATURES} are looked at")));
    }
    let payload = STANDARD.decode(&envelope.payload).map_err(|_| no("its payload is no base64"))?;
    let signed = signed_bytes(&payload);
    let valid = |key: &&PublicKey| {
        envelope.signatures.iter().any(|signature| {
            let bytes = STANDARD.decode(&signature.sig).ok().and_then(|bytes| <[u8; 64]>::try_from(bytes).ok());
            bytes.is_some_and(|bytes| key.verifies(&signed, &bytes))
        })
    };
    let Some(key) = keys.iter().find(valid) else {
        let claimed: Vec<_> = envelope.signatures.iter().map(|one| visible(&one.keyid).into_owned()).collect();
        let known: Vec<_> = keys.iter().map(|key| key.id().to_string()).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let failure = no(format!(
            "it is not signed by a key that is trusted here (says: {}; trusted: {known})",
            claimed.join(", ")
        ));
        return Err(failure.help("if you know the key: `--key FILE`, or `orch-wasm keys trust FILE`"));
    };
    let statement: serde_json::Value =
        serde_json::from_slice(&payload).map_err(|error| no(format!("its payload is no JSON: {error}")))?;
    let (run, log) = evidence::check(&statement).map_err(|error| broken(&error))?;
    let view = RunView::of(&log.records);
    if view.outcome.is_none() {
        return Err(no("the run in it is not over"));
    }
    Ok((key.id().to_string(), run, view, log.records.len()))
}
