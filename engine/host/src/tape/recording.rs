//! The format of a recording: a folder with `recording.json`, the contents of files in `files/<mount>/…`, and what is no short text
//! in `bodies/<digest>`.
//!
//! Version 1. A reader refuses other versions and keys that it does not know.

use crate::egress::Problem;
use crate::exec::process::End as ProgramEnd;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use orch_core::{
    Access, AttemptOutput, Digest, Effective, Failure, Finding, Limits, PluginName, PluginTaskName, RunId, StepId,
    StoredArtifact, shorten, visible,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

/// The version of the format.
pub(super) const FORMAT: u32 = 1;

/// The file that makes a folder a recording.
pub(super) const FILE: &str = "recording.json";

/// Bytes of a whole recording.
pub(super) const MOST_BYTES: u64 = 64 << 20;

/// Files and names of files in a recording.
pub(super) const MOST_FILES: usize = 10_000;

/// Bytes of a text that stands in `recording.json` itself, where a person can read and change it.
pub(super) const LONGEST_TEXT: usize = 16 << 10;

/// A recording that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{place}` is no recording that can be replayed: {reason}")]
pub struct RecordingError {
    /// The folder.
    pub place: String,
    /// Why.
    pub reason: String,
}

/// What one attempt got from outside, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recording {
    pub(super) format: u32,
    pub(super) plugin: PluginName,
    pub(super) version: semver::Version,
    /// The component that ran.
    pub(super) digest: Digest,
    pub(super) task: PluginTaskName,
    pub(super) run: RunId,
    pub(super) step: StepId,
    pub(super) attempt: u32,
    pub(super) workflow: String,
    pub(super) dry_run: bool,
    pub(super) timeout_ms: u64,
    pub(super) input: Value,
    pub(super) grants: Effective,
    pub(super) limits: Limits,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) env: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) mounts: BTreeMap<String, RecordedMount>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) http: Vec<RecordedRequest>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) exec: Vec<RecordedProgram>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) kv: Vec<RecordedValue>,
    pub(super) outcome: RecordedOutcome,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) findings: Vec<Finding>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) artifacts: Vec<StoredArtifact>,
    /// Where it lies.
    #[serde(skip)]
    pub(super) folder: PathBuf,
}

/// A folder of the guest, and what was touched in it, by the path without links.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RecordedMount {
    pub(super) access: Access,
    pub(super) granted: Access,
    pub(super) entries: BTreeMap<String, Entry>,
}

/// What there was when it was touched first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", tag = "kind")]
pub(super) enum Entry {
    /// Nothing.
    Absent {},
    /// A folder; with all its names if it was listed.
    Folder {
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        listed: bool,
    },
    /// A file; its content is in `files/` if it was opened.
    File {
        bytes: u64,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        opened: bool,
    },
    /// A link.
    Link { target: String },
    /// A FIFO, a socket or a device: nobody may touch them.
    Special {},
}

/// Bytes, as text where they are one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Content {
    /// As they are.
    Text(String),
    /// In `bodies/`.
    File(Digest),
}

impl Default for Content {
    fn default() -> Content {
        Content::Text(String::new())
    }
}

/// What is known of bytes that were sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fingerprint {
    pub(super) bytes: u64,
    pub(super) digest: Digest,
}

/// A request that left.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RecordedRequest {
    pub(super) method: String,
    pub(super) url: String,
    /// For people: requests are not told apart by them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) headers: Vec<(String, String)>,
    /// Absent when it was not sent to its end: every body fits then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<Fingerprint>,
    pub(super) answer: RecordedAnswer,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", tag = "kind")]
pub(super) enum RecordedAnswer {
    /// Nobody waited for it.
    None {},
    /// There was none.
    Failed { problem: Problem },
    /// There was one.
    Answered {
        status: u16,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        headers: Vec<(String, String)>,
        #[serde(default)]
        body: Content,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        trailers: Vec<(String, String)>,
        end: BodyEnd,
    },
}

/// How far the body of an answer came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum BodyEnd {
    /// To its end.
    Whole,
    /// The guest read no further.
    Unread,
    /// It broke.
    Broken(Problem),
}

/// A program that was started, or could not be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct RecordedProgram {
    pub(super) alias: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) slots: Vec<(String, String)>,
    /// Why it was not started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refused: Option<String>,
    /// Absent when it was not closed: every input fits then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stdin: Option<Fingerprint>,
    #[serde(default)]
    pub(super) stdout: RecordedOutput,
    #[serde(default)]
    pub(super) stderr: RecordedOutput,
    /// Absent when nobody waited for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) end: Option<RecordedEnd>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordedOutput {
    #[serde(default)]
    pub(super) content: Content,
    /// Read to its end.
    #[serde(default)]
    pub(super) whole: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordedEnd {
    pub(super) end: ProgramEnd,
    pub(super) truncated: bool,
}

/// What was kept under a key before the attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordedValue {
    pub(super) bucket: String,
    pub(super) key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<Content>,
    /// Of a key without a value: that of the one that was deleted.
    pub(super) version: u64,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", tag = "kind")]
pub(super) enum RecordedOutcome {
    Succeeded { output: Value },
    Rejected { output: Value },
    Skipped { reason: String },
    Broke { failure: Failure },
}

impl RecordedOutcome {
    pub(super) fn of(result: &Result<AttemptOutput, Failure>) -> RecordedOutcome {
        match result {
            Ok(AttemptOutput::Succeeded(output)) => RecordedOutcome::Succeeded { output: output.clone() },
            Ok(AttemptOutput::Rejected(output)) => RecordedOutcome::Rejected { output: output.clone() },
            Ok(AttemptOutput::Skipped(reason)) => RecordedOutcome::Skipped { reason: reason.clone() },
            Err(failure) => RecordedOutcome::Broke { failure: failure.clone() },
        }
    }
}

impl Recording {
    /// Reads a recording. Its contents are read when they are needed.
    ///
    /// # Errors
    /// When it is none, or one of another version.
    pub fn load(folder: &Path) -> Result<Recording, RecordingError> {
        let place = visible(&folder.display().to_string()).into_owned();
        let bad = |reason: String| RecordingError {
            place: place.clone(),
            reason: shorten(&visible(&reason), 500).into_owned(),
        };
        let file = Dir::open_ambient_dir(folder, ambient_authority())
            .and_then(|folder| folder.open(FILE))
            .map_err(|error| bad(format!("`{FILE}`: {error}")))?;
        let mut text = String::new();
        file.take(MOST_BYTES).read_to_string(&mut text).map_err(|error| bad(format!("`{FILE}`: {error}")))?;
        let value: Value = serde_json::from_str(&text).map_err(|error| bad(format!("`{FILE}`: {error}")))?;
        if value["format"] != FORMAT {
            return Err(bad(format!("its format is {}, and this version reads {FORMAT}", value["format"])));
        }
        let mut recording: Recording =
            serde_json::from_value(value).map_err(|error| bad(format!("`{FILE}`: {error}")))?;
        for (mount, path) in
            recording.mounts.iter().flat_map(|(name, mount)| mount.entries.keys().map(move |path| (name, path)))
        {
            if !is_plain(mount) || mount.contains('/') || !(path.is_empty() || is_plain(path)) {
                return Err(bad(format!("`{mount}/{path}` is no path below a mount")));
            }
        }
        recording.folder = folder.to_owned();
        Ok(recording)
    }

    /// The plugin that it is of.
    pub fn plugin(&self) -> &PluginName {
        &self.plugin
    }

    /// The task inside the plugin.
    pub fn task(&self) -> &PluginTaskName {
        &self.task
    }

    /// Bytes that were recorded.
    pub(super) fn content(&self, content: &Content) -> Result<Vec<u8>, String> {
        match content {
            Content::Text(text) => Ok(text.as_bytes().to_vec()),
            Content::File(digest) => {
                let name = format!("bodies/{}", digest.hex());
                let broken = |reason: String| format!("`{name}` of the recording: {reason}");
                let folder = Dir::open_ambient_dir(&self.folder, ambient_authority());
                let file = folder.and_then(|folder| folder.open(&name)).map_err(|error| broken(error.to_string()))?;
                let mut bytes = Vec::new();
                file.take(MOST_BYTES).read_to_end(&mut bytes).map_err(|error| broken(error.to_string()))?;
                if Digest::of(&bytes) != *digest {
                    return Err(broken("it was changed".to_owned()));
                }
                Ok(bytes)
            }
        }
    }
}

/// Only names, none of them `..`, and not from the root.
fn is_plain(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_a_recording_stays_below_its_mount() {
        for (path, expected) in [
            ("a", true),
            ("a/b.txt", true),
            ("", false),
            ("/a", false),
            ("../a", false),
            ("a/../b", false),
            (".", false),
        ] {
            assert_eq!(is_plain(path), expected, "{path}");
        }
    }
}
