//! The task `collect`: each kind of fact has a file of its own; this one gathers them, and what could not be found out.

use crate::facts::{Facts, Unknown};
use crate::{accounts, findings, hardware, kernels, network, packages, settings};
use orch_plugin_kit::report::{check_cancelled, emit, granted_mount};
use orch_plugin_kit::root::{Root, Unseen};
use orch_plugin_kit::timestamp::{is_rfc3339, minute};
use orch_sdk::{Host, Outcome, TaskError};
use schemars::JsonSchema;
use serde::Deserialize;

const ARTIFACT: &str = "facts.json";
/// A file of configuration or of the kernel; `proc/cpuinfo` of a large server has half a megabyte.
const MAX_TEXT: u64 = 4 << 20;

/// What `collect` takes.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Input {
    /// The time it is, as RFC 3339, for the end of support; without it the clock's.
    #[serde(default)]
    pub now: Option<String>,
}

/// Reads below the root, and keeps what could not be read.
pub struct Reader<'a> {
    /// The system.
    pub root: &'a Root,
    /// Nothing sets a time zone, which is more than not to know it.
    pub time_zone_unset: bool,
    unknown: Vec<Unknown>,
}

impl Reader<'_> {
    /// Notes a fact that is not known.
    pub fn unknown(&mut self, fact: &str, path: &str, reason: &str) {
        self.unknown.push(Unknown { fact: fact.to_owned(), path: path.to_owned(), reason: reason.to_owned() });
    }

    /// The text of a file; if it cannot be read the fact is not known.
    pub fn text(&mut self, fact: &str, path: &str) -> Option<String> {
        match self.root.text(path, MAX_TEXT) {
            Ok(text) => Some(text),
            Err(error) => {
                self.unknown(fact, path, &error.to_string());
                None
            }
        }
    }

    /// The text of a file that is one of several ways to a fact.
    pub fn quiet(&self, path: &str) -> Option<String> {
        self.root.text(path, MAX_TEXT).ok()
    }

    /// The first line of a file.
    pub fn first_line(&mut self, fact: &str, path: &str) -> Option<String> {
        let text = self.text(fact, path)?;
        let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
        if line.is_none() {
            self.unknown(fact, path, "it is empty");
        }
        line.map(|line| shown(line, 256))
    }

    /// The names in a folder.
    pub fn names(&mut self, fact: &str, path: &str) -> Option<Vec<String>> {
        match self.root.names(path) {
            Ok(names) => Some(names),
            Err(Unseen::Missing) => {
                self.unknown(fact, path, "it is missing");
                None
            }
            Err(error) => {
                self.unknown(fact, path, &error.to_string());
                None
            }
        }
    }
}

/// Text of the host, on one line and at most `most` characters.
pub fn shown(text: &str, most: usize) -> String {
    let plain = |character: char| if character.is_control() { ' ' } else { character };
    text.chars().take(most).map(plain).collect()
}

/// Collects the facts.
///
/// # Errors
/// When the input is wrong or the root is not granted. What cannot be read is a line in `unknown`.
pub fn collect(input: Input, host: &dyn Host) -> Result<Outcome<Facts>, TaskError> {
    let today = match &input.now {
        Some(now) if is_rfc3339(now) => now.get(..10).unwrap_or_default().to_owned(),
        Some(_) => return Err(TaskError::InvalidInput("`now` is no time of RFC 3339".to_owned())),
        #[expect(
            clippy::disallowed_methods,
            reason = "a guest's clock is the host's, fixed where the workflow says so"
        )]
        None => minute(std::time::SystemTime::now()).chars().take(10).collect(),
    };
    let root = Root::new(granted_mount("root", host)?);
    let mut reader = Reader { root: &root, time_zone_unset: false, unknown: Vec::new() };
    let mut facts = Facts::default();
    let parts: [fn(&mut Facts, &mut Reader<'_>); 6] = [
        settings::collect,
        kernels::collect,
        hardware::collect,
        accounts::collect,
        network::collect,
        packages::collect,
    ];
    for part in parts {
        check_cancelled(host)?;
        part(&mut facts, &mut reader);
    }
    emit(findings::findings(&facts, reader.time_zone_unset, &today), host)?;
    facts.unknown = reader.unknown;
    if host.has_capability(&format!("artifacts:{ARTIFACT}")) {
        facts.stored = true;
        let text = serde_json::to_vec_pretty(&facts).map_err(|error| TaskError::Failed(error.to_string()))?;
        host.write_artifact(ARTIFACT, "application/json", &mut &text[..])?;
    }
    Ok(Outcome::Succeeded(facts))
}
