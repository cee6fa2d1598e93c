//! Base scores from CVSS vectors, versions 3.0, 3.1 and 4.0. Threat and environmental metrics are read and left aside: what is wanted
//! is the score everybody agrees on.

mod table;
mod v3;
mod v4;

use orch_sdk::Severity;

/// A score in tenths, so that it compares exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Score(u8);

impl Score {
    /// The number as people write it.
    pub fn value(self) -> f64 {
        f64::from(self.0) / 10.0
    }

    /// The word for it: the qualitative scale of both specifications.
    pub fn severity(self) -> Severity {
        match self.0 {
            0 => Severity::Info,
            1..=39 => Severity::Low,
            40..=69 => Severity::Medium,
            70..=89 => Severity::High,
            _ => Severity::Critical,
        }
    }
}

impl std::fmt::Display for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0 / 10, self.0 % 10)
    }
}

/// The longest vector: all metrics of version 4.0 have less than half of it.
const LONGEST: usize = 400;

/// The base score of a vector; `None` for another version, a missing or repeated metric, or an unknown value of a base metric.
pub fn base_score(vector: &str) -> Option<Score> {
    if vector.len() > LONGEST {
        return None;
    }
    let (version, metrics) = vector.trim().strip_prefix("CVSS:")?.split_once('/')?;
    match version {
        "3.0" | "3.1" => v3::score(&Metrics::new(metrics)?),
        "4.0" => v4::score(&Metrics::new(metrics)?),
        _ => None,
    }
}

/// The metrics of a vector, each at most once.
struct Metrics<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Metrics<'a> {
    fn new(text: &'a str) -> Option<Metrics<'a>> {
        let mut metrics: Vec<(&str, &str)> = Vec::new();
        for part in text.trim_end_matches('/').split('/') {
            let (name, value) = part.split_once(':')?;
            if value.is_empty() || metrics.iter().any(|(known, _)| *known == name) {
                return None;
            }
            metrics.push((name, value));
        }
        Some(Metrics(metrics))
    }

    /// The value of a metric, as its place in `values`.
    fn place(&self, name: &str, values: &[&str]) -> Option<usize> {
        let (_, value) = self.0.iter().find(|(known, _)| *known == name)?;
        values.iter().position(|known| known == value)
    }
}
