//! CVSS 3.0 and 3.1: the formulas of section 7.1 of the specification, <https://www.first.org/cvss/v3-1/specification-document>. The
//! versions differ in the wording of their rounding only, and the later wording avoids errors of floating point numbers.

use super::{Metrics, Score};

pub(super) fn score(metrics: &Metrics) -> Option<Score> {
    let number = |name: &str, values: &[&str], weights: &[f64]| weights.get(metrics.place(name, values)?).copied();
    let changed = metrics.place("S", &["U", "C"])? == 1;
    let privileges = if changed { [0.85, 0.68, 0.5] } else { [0.85, 0.62, 0.27] };
    let exploitability = 8.22
        * number("AV", &["N", "A", "L", "P"], &[0.85, 0.62, 0.55, 0.2])?
        * number("AC", &["L", "H"], &[0.77, 0.44])?
        * number("PR", &["N", "L", "H"], &privileges)?
        * number("UI", &["N", "R"], &[0.85, 0.62])?;
    let mut kept = 1.0;
    for name in ["C", "I", "A"] {
        kept *= 1.0 - number(name, &["H", "L", "N"], &[0.56, 0.22, 0.0])?;
    }
    let lost = 1.0 - kept;
    let impact = if changed { 7.52 * (lost - 0.029) - 3.25 * (lost - 0.02_f64).powi(15) } else { 6.42 * lost };
    if impact <= 0.0 {
        return Some(Score(0));
    }
    let together = if changed { 1.08 * (impact + exploitability) } else { impact + exploitability };
    Some(Score(round_up(together.min(10.0))))
}

/// Up to the next tenth (appendix A of 3.1): first to five digits, so that 4.00000001 stays 4.0.
fn round_up(value: f64) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 10")]
    let hundred_thousandths = (value * 100_000.0).round() as u32;
    u8::try_from(hundred_thousandths.div_ceil(10_000)).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use crate::cvss::base_score;

    #[track_caller]
    fn check(vector: &str, expected: &str) {
        for version in ["3.0", "3.1"] {
            let found = base_score(&format!("CVSS:{version}/{vector}")).map(|score| score.to_string());
            assert_eq!(found.as_deref().unwrap_or("none"), expected, "{vector}");
        }
    }

    #[test]
    fn scores() {
        for line in include_str!("../../tests/fixtures/cvss/v3.txt").lines() {
            let (vector, expected) = line.split_once(' ').unwrap();
            check(vector, expected);
        }
    }

    #[test]
    fn what_is_no_vector() {
        check("AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H", "none");
        check("AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:X", "none");
        check("AV:N/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "none");
        check("AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H/E:U/RL:O", "9.8");
        check("", "none");
        assert_eq!(base_score("CVSS:5.0/AV:N"), None);
        assert_eq!(base_score("é"), None);
    }
}
