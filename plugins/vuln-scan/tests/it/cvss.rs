//! Every base vector there is: as another implementation scores it, and worse is never lower.

use orch_plugin_vuln_scan::cvss::base_score;

/// A metric and its values, from worst to least.
type Metric = (&'static str, &'static [&'static str]);

const V3: [Metric; 8] = [
    ("S", &["C", "U"]),
    ("AV", &["N", "A", "L", "P"]),
    ("AC", &["L", "H"]),
    ("PR", &["N", "L", "H"]),
    ("UI", &["N", "R"]),
    ("C", &["H", "L", "N"]),
    ("I", &["H", "L", "N"]),
    ("A", &["H", "L", "N"]),
];

const V4: [Metric; 11] = [
    ("AV", &["N", "A", "L", "P"]),
    ("AC", &["L", "H"]),
    ("AT", &["N", "P"]),
    ("PR", &["N", "L", "H"]),
    ("UI", &["N", "P", "A"]),
    ("VC", &["H", "L", "N"]),
    ("VI", &["H", "L", "N"]),
    ("VA", &["H", "L", "N"]),
    ("SC", &["H", "L", "N"]),
    ("SI", &["H", "L", "N"]),
    ("SA", &["H", "L", "N"]),
];

/// All vectors with their scores in tenths. The value of the first metric changes fastest.
fn all(version: &str, metrics: &[Metric]) -> Vec<(String, i32)> {
    let count = metrics.iter().map(|(_, values)| values.len()).product();
    let vector = |number: usize| {
        let mut rest = number;
        let mut vector = format!("CVSS:{version}");
        for (name, values) in metrics {
            vector.push_str(&format!("/{name}:{}", values[rest % values.len()]));
            rest /= values.len();
        }
        vector
    };
    let scored = |vector: String| {
        let score = base_score(&vector).unwrap_or_else(|| panic!("{vector}"));
        #[expect(clippy::cast_possible_truncation, reason = "at most 100")]
        let tenths = (score.value() * 10.0).round() as i32;
        (vector, tenths)
    };
    (0..count).map(|number| scored(vector(number))).collect()
}

/// Looks at each pair of vectors of which one is a step worse in one metric. Answers with the largest loss, in tenths.
fn largest_loss(all: &[(String, i32)], metrics: &[Metric], skip: &str) -> i32 {
    let mut largest = 0;
    let mut step = 1;
    for (name, values) in metrics {
        for number in 0..all.len() {
            let is_worst = number / step % values.len() == 0;
            if !is_worst && *name != skip {
                largest = largest.max(all[number].1 - all[number - step].1);
            }
        }
        step *= values.len();
    }
    largest
}

#[test]
fn version_3() {
    for version in ["3.0", "3.1"] {
        let all = all(version, &V3);
        assert_eq!(all.len(), 2_592);
        for (vector, tenths) in &all {
            let other: ::cvss::v3::Base = vector.parse().unwrap();
            assert_eq!(
                format!("{:.1}", other.score().value()),
                format!("{:.1}", f64::from(*tenths) / 10.0),
                "{vector}"
            );
        }
        // The formula for a changed scope is another one, so only what is within a scope compares.
        assert_eq!(largest_loss(&all, &V3, "S"), 0);
        assert_eq!((all[0].1, all[all.len() - 1].1), (100, 0));
    }
}

#[test]
fn version_4() {
    let all = all("4.0", &V4);
    assert_eq!(all.len(), 104_976);
    for (vector, tenths) in &all {
        let other: ::cvss::v4::Vector = vector.parse().unwrap();
        assert_eq!(format!("{:.1}", other.score().value()), format!("{:.1}", f64::from(*tenths) / 10.0), "{vector}");
    }
    assert_eq!(largest_loss(&all, &V4, ""), 0);
    assert_eq!((all[0].1, all[all.len() - 1].1), (100, 0));
}
