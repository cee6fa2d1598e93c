//! CVSS 4.0: the MacroVector's score, lowered by how far the vector is below the worst one of its MacroVector (section 8 of
//! <https://www.first.org/cvss/v4-0/specification-document>). Without threat and environmental metrics E is `A` and CR, IR, AR are
//! `H`, as the specification says of values that are not defined.
//!
//! All steps are whole numbers, so nothing depends on how floating point numbers round.

use super::{Metrics, Score, table};

/// A multiple of every depth below.
const COMMON: i64 = 840;

/// Values are places in their lists, from worst to least, so a place is the distance from the worst value.
pub(super) fn score(metrics: &Metrics) -> Option<Score> {
    let av = metrics.place("AV", &["N", "A", "L", "P"])?;
    let ac = metrics.place("AC", &["L", "H"])?;
    let at = metrics.place("AT", &["N", "P"])?;
    let pr = metrics.place("PR", &["N", "L", "H"])?;
    let ui = metrics.place("UI", &["N", "P", "A"])?;
    let impact = |name: &str| metrics.place(name, &["H", "L", "N"]);
    let [vc, vi, va] = [impact("VC")?, impact("VI")?, impact("VA")?];
    let [sc, si, sa] = [impact("SC")?, impact("SI")?, impact("SA")?];
    if [vc, vi, va, sc, si, sa] == [2; 6] {
        return Some(Score(0));
    }
    // Tables 24 to 29: the equivalence sets.
    let none = [av, pr, ui].iter().filter(|place| **place == 0).count();
    let eq1 = if none == 3 {
        0
    } else if none > 0 && av != 3 {
        1
    } else {
        2
    };
    let eq2 = u8::from(ac + at > 0);
    let eq3 = if vc == 0 && vi == 0 {
        0
    } else if [vc, vi, va].contains(&0) {
        1
    } else {
        2
    };
    // EQ4 0 needs the value `S`, which only the modified metrics have.
    let eq4 = if [sc, si, sa].contains(&0) { 1 } else { 2 };
    let eq6 = u8::from(eq3 == 2);
    let eq = [eq1, eq2, eq3, eq4, 0, eq6];
    let here = table::score(eq)?;

    let worst_1: &[[usize; 3]] = match eq1 {
        0 => &[[0, 0, 0]],
        1 => &[[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        _ => &[[3, 0, 0], [1, 1, 1]],
    };
    let worst_2: &[[usize; 2]] = if eq2 == 0 { &[[0, 0]] } else { &[[1, 0], [0, 1]] };
    let worst_3: &[[usize; 3]] = match eq3 {
        0 => &[[0, 0, 0]],
        1 => &[[1, 0, 0], [0, 1, 0]],
        _ => &[[1, 1, 1]],
    };
    let worst_4: &[[usize; 3]] = if eq4 == 1 { &[[0, 0, 0]] } else { &[[1, 1, 1]] };
    let raised = |place: usize| {
        let mut lower = eq;
        lower[place] += 1;
        table::score(lower)
    };
    let lower_3 = match eq3 {
        // Two ways lead down from here; the higher score counts.
        0 => raised(2).max(raised(5)),
        1 => raised(5),
        _ => None,
    };
    // For each set: the score one step below, how far down this vector is, and how far one can be (table 30).
    let steps = [
        (raised(0), distance([av, pr, ui], worst_1)?, [1, 4, 5][usize::from(eq1)]),
        (raised(1), distance([ac, at], worst_2)?, [1, 2][usize::from(eq2)]),
        (lower_3, distance([vc, vi, va], worst_3)?, [7, 8, 10][usize::from(eq3)]),
        (raised(3), distance([sc, si, sa], worst_4)?, [6, 5, 4][usize::from(eq4)]),
        (raised(4), 0, 1),
    ];
    let (mut count, mut sum) = (0, 0);
    for (lower, distance, depth) in steps {
        if let Some(lower) = lower {
            count += 1;
            sum += (here - lower) * distance * COMMON / depth;
        }
    }
    let divisor = COMMON * count.max(1);
    let exact = here * divisor - sum;
    // To the nearest tenth, halves up.
    let tenths = ((2 * exact + divisor) / (2 * divisor)).clamp(0, 100);
    Some(Score(u8::try_from(tenths).ok()?))
}

/// The steps from the first of the worst vectors that is in nothing better than this one.
fn distance<const N: usize>(places: [usize; N], worst: &[[usize; N]]) -> Option<i64> {
    let above = |worst: &&[usize; N]| worst.iter().zip(&places).all(|(worst, place)| worst <= place);
    let worst = worst.iter().find(above)?;
    i64::try_from(places.iter().sum::<usize>() - worst.iter().sum::<usize>()).ok()
}

#[cfg(test)]
mod tests {
    use crate::cvss::base_score;

    #[test]
    fn scores() {
        for line in include_str!("../../tests/fixtures/cvss/v4.txt").lines() {
            let (vector, expected) = line.split_once(' ').unwrap();
            let found = base_score(&format!("CVSS:4.0/{vector}")).map(|score| score.to_string());
            assert_eq!(found.as_deref().unwrap_or("none"), expected, "{vector}");
        }
    }

    #[test]
    fn what_is_no_vector() {
        let whole = "AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N";
        // Threat and environment change nothing.
        let more = format!("CVSS:4.0/{whole}/E:U/CR:L/MAV:P");
        assert_eq!(base_score(&more), base_score(&format!("CVSS:4.0/{whole}")));
        for wrong in [whole.replace("/SA:N", ""), whole.replace("SA:N", "SA:S"), format!("{whole}/AV:N"), String::new()]
        {
            assert_eq!(base_score(&format!("CVSS:4.0/{wrong}")), None, "{wrong}");
        }
    }
}
