//! Until when distributions are supported, without what is paid for.
//!
//! Sources: Debian and Ubuntu, the tables of the package `distro-info-data` (for Debian the end of long-term support); Alpine, its page
//! of releases; Fedora, the announcements of its project; Rocky Linux, its version guide.

/// Distribution, beginning of its version, last day.
const DATES: &[(&str, &str, &str)] = &[
    ("debian", "8", "2020-06-30"),
    ("debian", "9", "2022-06-30"),
    ("debian", "10", "2024-06-30"),
    ("debian", "11", "2026-08-31"),
    ("debian", "12", "2028-06-30"),
    ("debian", "13", "2030-06-30"),
    ("ubuntu", "16.04", "2021-04-30"),
    ("ubuntu", "18.04", "2023-05-31"),
    ("ubuntu", "20.04", "2025-05-29"),
    ("ubuntu", "22.04", "2027-06-01"),
    ("ubuntu", "23.10", "2024-07-11"),
    ("ubuntu", "24.04", "2029-05-31"),
    ("ubuntu", "24.10", "2025-07-10"),
    ("ubuntu", "25.04", "2026-01-15"),
    ("ubuntu", "25.10", "2026-07-09"),
    ("ubuntu", "26.04", "2031-05-29"),
    ("alpine", "3.16", "2024-05-23"),
    ("alpine", "3.17", "2024-11-22"),
    ("alpine", "3.18", "2025-05-09"),
    ("alpine", "3.19", "2025-11-01"),
    ("alpine", "3.20", "2026-04-01"),
    ("alpine", "3.21", "2026-11-01"),
    ("alpine", "3.22", "2027-05-01"),
    ("alpine", "3.23", "2027-11-01"),
    ("fedora", "39", "2024-11-26"),
    ("fedora", "40", "2025-05-13"),
    ("fedora", "41", "2025-12-15"),
    ("fedora", "42", "2026-05-28"),
    ("rocky", "8", "2029-05-31"),
    ("rocky", "9", "2032-05-31"),
    ("rocky", "10", "2035-05-31"),
];

/// The last day of support, as `2028-06-30`; none if it is not known.
pub fn last_day(id: &str, version: &str) -> Option<&'static str> {
    let fits =
        |beginning: &str| version.strip_prefix(beginning).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    DATES.iter().find(|(known, beginning, _)| *known == id && fits(beginning)).map(|(_, _, day)| *day)
}

#[cfg(test)]
mod tests {
    use super::{DATES, last_day};

    #[test]
    fn days() {
        assert_eq!(last_day("debian", "12"), Some("2028-06-30"));
        assert_eq!(last_day("alpine", "3.20.3"), Some("2026-04-01"));
        assert_eq!(last_day("rocky", "9.4"), Some("2032-05-31"));
        for (id, version) in [("debian", ""), ("debian", "120"), ("alpine", "3.2"), ("other", "12"), ("rocky", "1")] {
            assert_eq!(last_day(id, version), None, "{id} {version}");
        }
        let is_day = |day: &str| day.len() == 10 && orch_plugin_kit::timestamp::is_rfc3339(&format!("{day}T00:00:00Z"));
        assert!(DATES.iter().all(|(_, _, day)| is_day(day)));
    }
}
