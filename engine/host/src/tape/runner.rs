//! Recording and replaying from outside: a runner that records each attempt, and a function that replays one.

use super::Tape;
use super::compare::differences;
use super::player::Player;
use super::recorder::{About, Recorder};
use super::recording::{RecordedOutcome, Recording};
use crate::sandbox::{Host, millis};
use orch_core::{
    Attempt, AttemptResult, BoxFuture, Digest, Failure, Finding, FoundPlugin, LiveEvents, LogLevel, PluginTask,
    Refusal, StepId, StoredArtifact, TaskRunner,
};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What became of the recording of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedAttempt {
    /// The task, or the item of it.
    pub step: StepId,
    /// 1 for the first.
    pub attempt: u32,
    /// Where it lies, or why there is none.
    pub written: Result<PathBuf, String>,
}

/// A host that writes a recording of each attempt into a folder. Cheap to clone.
#[derive(Clone)]
pub struct Recordings {
    host: Host,
    folder: Arc<Path>,
    all: Arc<Mutex<Vec<RecordedAttempt>>>,
}

impl Recordings {
    /// Records what a host runs.
    pub fn new(host: Host, folder: &Path) -> Recordings {
        Recordings { host, folder: folder.into(), all: Arc::default() }
    }

    /// What became of each recording so far.
    pub fn all(&self) -> Vec<RecordedAttempt> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn told(&self, step: StepId, attempt: u32, written: Result<PathBuf, String>) {
        let recorded = RecordedAttempt { step, attempt, written };
        self.all.lock().unwrap_or_else(PoisonError::into_inner).push(recorded);
    }
}

/// The folder of an attempt. The names of tasks have neither dots nor `@`, so no two attempts share one.
fn name_of(step: &StepId, attempt: u32) -> String {
    let task = step.task.as_str().replace('/', ".");
    match step.item {
        None => format!("{task}.attempt-{attempt}"),
        Some(item) => format!("{task}@{item}.attempt-{attempt}"),
    }
}

impl TaskRunner for Recordings {
    fn run(&self, attempt: Attempt, live: Arc<dyn LiveEvents>) -> BoxFuture<AttemptResult> {
        let recordings = self.clone();
        Box::pin(async move {
            let (step, number) = (attempt.task.clone(), attempt.number);
            let made = std::fs::create_dir_all(&recordings.folder).and_then(|()| Recorder::new(&recordings.folder));
            let recorder = match made {
                Ok(recorder) => Arc::new(recorder),
                Err(error) => {
                    recordings.told(step, number, Err(format!("it cannot be written: {error}")));
                    return recordings.host.run(attempt, live).await;
                }
            };
            let about = About {
                plugin: Arc::clone(&attempt.plugin),
                run: attempt.run.clone(),
                step: step.clone(),
                attempt: number,
                workflow: Arc::clone(&attempt.workflow),
                dry_run: attempt.dry_run,
                timeout_ms: millis(attempt.timeout),
                input: attempt.input.clone(),
                grants: Arc::clone(&attempt.grants),
                limits: Arc::clone(&attempt.limits),
            };
            let heard = Arc::new(Heard { inner: Some(live), said: Mutex::default() });
            let tape = Tape::Record(Arc::clone(&recorder));
            let ended = recordings.host.attempt(attempt, Arc::clone(&heard) as Arc<dyn LiveEvents>, tape).await;
            let result = ended.result.clone();
            let place = recordings.folder.join(name_of(&step, number));
            let said = std::mem::take(&mut *heard.said.lock().unwrap_or_else(PoisonError::into_inner));
            let write = move || recorder.finish(&about, &result, said.findings, said.artifacts, &place).map(|()| place);
            // A failed recording is no reason to fail the attempt.
            let written = tokio::task::spawn_blocking(write).await.unwrap_or_else(|error| Err(error.to_string()));
            recordings.told(step, number, written);
            ended
        })
    }

    fn depends_on(&self, attempt: &Attempt) -> BoxFuture<Result<Digest, Failure>> {
        self.host.depends_on(attempt)
    }
}

/// What a guest says that belongs to its result.
#[derive(Default)]
struct Said {
    findings: Vec<Finding>,
    artifacts: Vec<StoredArtifact>,
}

/// Keeps that, and passes everything on to whoever listens.
struct Heard {
    inner: Option<Arc<dyn LiveEvents>>,
    said: Mutex<Said>,
}

impl Heard {
    fn keep(&self, keep: impl FnOnce(&mut Said)) {
        keep(&mut self.said.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl LiveEvents for Heard {
    fn log(&self, level: LogLevel, message: String, fields: Vec<(String, String)>) {
        if let Some(inner) = &self.inner {
            inner.log(level, message, fields);
        }
    }

    fn progress(&self, done: u64, total: Option<u64>, note: Option<String>) {
        if let Some(inner) = &self.inner {
            inner.progress(done, total, note);
        }
    }

    fn findings(&self, findings: Vec<Finding>) {
        self.keep(|said| said.findings.extend(findings.iter().cloned()));
        if let Some(inner) = &self.inner {
            inner.findings(findings);
        }
    }

    fn refused(&self, refusal: Refusal) {
        if let Some(inner) = &self.inner {
            inner.refused(refusal);
        }
    }

    fn stored(&self, artifact: StoredArtifact) {
        self.keep(|said| said.artifacts.push(artifact.clone()));
        if let Some(inner) = &self.inner {
            inner.stored(artifact);
        }
    }
}

/// What came of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// Calls that the recording does not have, in their order.
    pub unrecorded: Vec<String>,
    /// What came out otherwise.
    pub differences: Vec<String>,
    /// Recorded calls that were not made. No failure.
    pub unused: Vec<String>,
}

impl Host {
    /// Replays a recording against a plugin as it is now. Nothing outside is reached: no network, no program, no file besides the
    /// recording and a folder that goes away. The grants are those of the recording.
    ///
    /// # Errors
    /// When the plugin does not have the task, or the files cannot be laid out.
    pub async fn replay(&self, plugin: &FoundPlugin, recording: Recording) -> Result<Replayed, String> {
        if !plugin.manifest.tasks.contains_key(&recording.task) {
            return Err(format!("`{}` has no task `{}` any more", plugin.manifest.name, recording.task));
        }
        self.load(plugin).map_err(|error| format!("`{}` cannot be run: {error}", plugin.manifest.name))?;
        let attempt = Attempt {
            run: recording.run.clone(),
            task: recording.step.clone(),
            number: recording.attempt,
            workflow: recording.workflow.as_str().into(),
            dry_run: recording.dry_run,
            plugin: Arc::new(PluginTask {
                name: plugin.manifest.name.clone(),
                version: plugin.manifest.version.clone(),
                digest: plugin.digest,
                task: recording.task.clone(),
            }),
            input: recording.input.to_string(),
            grants: Arc::new(recording.replayed_grants()),
            limits: Arc::new(recording.limits.clone()),
            timeout: Duration::from_millis(recording.timeout_ms),
            upstream: Vec::new(),
            findings: Vec::new(),
            cancel: Box::pin(std::future::pending()),
        };
        let player = Player::new(recording).map_err(|error| format!("no folder can be made: {error}"))?;
        let (player, heard) = (Arc::new(player), Arc::new(Heard { inner: None, said: Mutex::default() }));
        let tape = Tape::Replay(Arc::clone(&player));
        let ended = self.attempt(attempt, Arc::clone(&heard) as Arc<dyn LiveEvents>, tape).await;
        let outcome = RecordedOutcome::of(&ended.result);
        let said = heard.said.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Replayed {
            unrecorded: player.all_unrecorded(),
            differences: differences(&player.recording, &outcome, &said.findings, &said.artifacts),
            unused: player.unused(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_attempts_share_a_folder() {
        for (step, expected) in [
            ("scan", "scan.attempt-2"),
            ("scan[3]", "scan@3.attempt-2"),
            ("build/scan[17]", "build.scan@17.attempt-2"),
            ("undo/build/deploy", "undo.build.deploy.attempt-2"),
        ] {
            assert_eq!(name_of(&StepId::try_from(step).expect(step), 2), expected);
        }
    }
}
