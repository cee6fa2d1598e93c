//! The id of a run: a UUID of version 7, so that ids sort by the time of their making and a short prefix is unique.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The id of a run: 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RunId(std::sync::Arc<str>);

/// Text that is no run id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a run id has 32 lower-case hexadecimal digits")]
pub struct InvalidRunId;

impl RunId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last 8 digits, for a person. (The first ones are the time and nearly the same for all runs of a day.)
    pub fn short(&self) -> &str {
        &self.0[24..]
    }
}

impl TryFrom<&str> for RunId {
    type Error = InvalidRunId;
    fn try_from(text: &str) -> Result<RunId, InvalidRunId> {
        let fits = text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if fits { Ok(RunId(text.into())) } else { Err(InvalidRunId) }
    }
}

impl TryFrom<String> for RunId {
    type Error = InvalidRunId;
    fn try_from(text: String) -> Result<RunId, InvalidRunId> {
        RunId::try_from(text.as_str())
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> String {
        id.0.to_string()
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
