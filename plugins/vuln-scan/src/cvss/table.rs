//! The scores of the MacroVectors of CVSS v4.0, in tenths: the table of the specification's section 8.3, facts that FIRST publishes
//! with it (<https://www.first.org/cvss/v4-0/>).

/// The score of a MacroVector; `None` where there is none: an EQ out of its range, or EQ3 2 with EQ6 0.
pub(super) fn score(eq: [u8; 6]) -> Option<i64> {
    let [eq1, eq2, eq3, eq4, eq5, eq6] = eq.map(usize::from);
    if eq1 > 2 || eq2 > 1 || eq3 > 2 || eq4 > 2 || eq5 > 2 || eq6 > 1 {
        return None;
    }
    let tenths = SCORES.get(eq1 * 6 + eq2 * 3 + eq3)?.get(eq4 * 6 + eq5 * 2 + eq6)?;
    (*tenths > 0).then_some(i64::from(*tenths))
}

/// A row for each EQ1, EQ2, EQ3; in it EQ4, EQ5, EQ6, the last one fastest.
#[rustfmt::skip]
const SCORES: [[u8; 18]; 18] = [
    [100,  99,  98,  95,  95,  92, 100,  96,  93,  87,  91,  81,  93,  90,  89,  80,  81,  68], // 000
    [ 98,  95,  95,  92,  90,  84,  93,  92,  89,  81,  81,  65,  88,  80,  78,  70,  69,  48], // 001
    [  0,  92,   0,  82,   0,  72,   0,  79,   0,  69,   0,  50,   0,  69,   0,  55,   0,  27], // 002
    [ 99,  97,  95,  92,  92,  85,  95,  91,  90,  83,  84,  71,  92,  81,  82,  71,  72,  53], // 010
    [ 95,  93,  92,  85,  85,  73,  92,  82,  80,  72,  70,  59,  84,  70,  71,  52,  50,  30], // 011
    [  0,  86,   0,  75,   0,  52,   0,  71,   0,  52,   0,  29,   0,  63,   0,  29,   0,  17], // 012
    [ 98,  95,  94,  87,  91,  81,  94,  89,  86,  74,  77,  64,  87,  75,  74,  63,  63,  49], // 100
    [ 94,  89,  88,  77,  76,  67,  86,  76,  74,  58,  59,  50,  72,  57,  57,  52,  52,  25], // 101
    [  0,  83,   0,  70,   0,  54,   0,  65,   0,  58,   0,  26,   0,  53,   0,  21,   0,  13], // 102
    [ 95,  90,  88,  76,  76,  70,  90,  77,  75,  62,  61,  53,  77,  66,  68,  59,  52,  30], // 110
    [ 89,  78,  76,  67,  62,  58,  74,  59,  57,  57,  47,  23,  61,  52,  57,  29,  24,  16], // 111
    [  0,  71,   0,  59,   0,  30,   0,  58,   0,  26,   0,  15,   0,  23,   0,  13,   0,   6], // 112
    [ 93,  87,  86,  72,  75,  58,  86,  74,  74,  61,  56,  34,  70,  54,  52,  40,  40,  22], // 200
    [ 85,  75,  74,  55,  62,  51,  72,  57,  55,  41,  46,  19,  53,  36,  34,  19,  19,   8], // 201
    [  0,  64,   0,  51,   0,  20,   0,  47,   0,  21,   0,  11,   0,  24,   0,   9,   0,   4], // 202
    [ 88,  75,  73,  53,  60,  50,  73,  55,  59,  40,  41,  20,  54,  43,  45,  22,  20,  11], // 210
    [ 75,  55,  58,  45,  40,  21,  61,  51,  48,  18,  20,   9,  46,  18,  17,   7,   8,   2], // 211
    [  0,  53,   0,  24,   0,  14,   0,  24,   0,  12,   0,   5,   0,  10,   0,   3,   0,   1], // 212
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_270_and_worse_is_never_lower() {
        let mut count = 0;
        for number in 0_u16..324 {
            let digit = |divisor: u16, base: u16| u8::try_from(number / divisor % base).unwrap();
            let eq = [digit(108, 3), digit(54, 2), digit(18, 3), digit(6, 3), digit(2, 3), digit(1, 2)];
            let Some(here) = score(eq) else { continue };
            count += 1;
            for place in 0..6 {
                let mut lower = eq;
                lower[place] += 1;
                assert!(score(lower).is_none_or(|lower| lower <= here), "{eq:?}");
            }
        }
        assert_eq!(count, 270);
    }
}
