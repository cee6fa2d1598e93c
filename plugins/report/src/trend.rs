//! What the runs before found, kept between runs: how many of each severity, and which were open in the last one.

use orch_sdk::{Host, TaskError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const BUCKET: &str = "trend";
const KEY: &str = "runs";

/// Runs in the chart: more would be too thin to see.
const MOST_RUNS: usize = 30;

/// Open findings that are remembered; 34 bytes each, so they stay below the bucket's quota.
const MOST_OPEN: usize = 50_000;

/// How many open findings a run had, from info to critical.
pub(crate) type Counts = [usize; 5];

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Point {
    /// In UTC, to the minute.
    pub(crate) at: String,
    pub(crate) open: Counts,
}

/// What is kept. Whoever changes it counts `format` up; another format is begun anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trend {
    format: u32,
    /// The oldest first.
    pub(crate) points: Vec<Point>,
    /// The fingerprints that were open in the last run; `None` if they were too many.
    pub(crate) open: Option<BTreeSet<String>>,
    #[serde(skip)]
    version: u64,
}

impl Trend {
    const FORMAT: u32 = 1;

    /// What is kept; `None` where the bucket is not granted.
    ///
    /// # Errors
    /// What the host says.
    pub(crate) fn read(host: &dyn Host) -> Result<Option<Trend>, TaskError> {
        if !host.has_capability(&format!("kv:{BUCKET}")) {
            return Ok(None);
        }
        let empty = Trend { format: Trend::FORMAT, points: Vec::new(), open: None, version: 0 };
        let Some((bytes, version)) = host.kept(BUCKET, KEY)? else { return Ok(Some(empty)) };
        let trend = match serde_json::from_slice::<Trend>(&bytes) {
            Ok(trend) if trend.format == Trend::FORMAT => trend,
            _ => {
                host.warn("what was kept of the runs before cannot be read: the trend begins anew");
                empty
            }
        };
        Ok(Some(Trend { version, ..trend }))
    }

    /// Keeps this run as well. A trend that cannot be kept is no reason to have no report.
    pub(crate) fn keep(mut self, point: Point, open: BTreeSet<String>, host: &dyn Host) {
        if host.is_dry_run() {
            return host.info("this is a dry run: it does not count in the trend");
        }
        self.points.push(point);
        let first = self.points.len().saturating_sub(MOST_RUNS);
        self.points.drain(..first);
        self.open = Some(open).filter(|open| open.len() <= MOST_OPEN);
        let kept = serde_json::to_vec(&self)
            .map_err(|error| TaskError::Failed(error.to_string()))
            .and_then(|bytes| host.keep(BUCKET, KEY, &bytes, self.version));
        if let Err(error) = kept {
            host.warn(&format!("this run does not count in the trend: {error}"));
        }
    }
}
