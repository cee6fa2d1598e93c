//! Medians, percentiles and the table at the end.

use std::time::Duration;

/// Measured times, sorted.
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    pub(crate) fn new(mut samples: Vec<Duration>) -> Samples {
        samples.sort();
        Samples(samples)
    }

    /// The value below which `share` (0 to 1) of the samples lie.
    pub(crate) fn percentile(&self, share: f64) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
    }

    pub(crate) fn median(&self) -> Duration {
        self.percentile(0.5)
    }
}

/// One line of the table.
struct Row {
    what: String,
    measured: String,
    floor: String,
    ratio: String,
    wanted: &'static str,
}

/// What is printed at the end.
#[derive(Default)]
pub(crate) struct Report(Vec<Row>);

impl Report {
    pub(crate) fn row(
        &mut self,
        what: impl Into<String>,
        measured: String,
        floor: String,
        ratio: Option<f64>,
        wanted: &'static str,
    ) {
        let ratio = ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"));
        let row = Row { what: what.into(), measured, floor, ratio, wanted };
        println!("  {}: {} (floor {}, ratio {}, wanted {})", row.what, row.measured, row.floor, row.ratio, row.wanted);
        self.0.push(row);
    }

    pub(crate) fn print(&self) {
        println!("\n| what | measured | floor | ratio | wanted |\n|---|--:|--:|--:|---|");
        for row in &self.0 {
            println!("| {} | {} | {} | {} | {} |", row.what, row.measured, row.floor, row.ratio, row.wanted);
        }
    }
}

/// `12.3 µs`, `4.5 ms`, `6.7 s`.
pub(crate) fn time(duration: Duration) -> String {
    let micros = duration.as_secs_f64() * 1e6;
    match micros {
        0.0..1_000.0 => format!("{micros:.1} µs"),
        1_000.0..1_000_000.0 => format!("{:.2} ms", micros / 1e3),
        _ => format!("{:.2} s", micros / 1e6),
    }
}

pub(crate) fn ratio(measured: Duration, floor: Duration) -> Option<f64> {
    Some(measured.as_secs_f64() / floor.as_secs_f64()).filter(|ratio| ratio.is_finite())
}
