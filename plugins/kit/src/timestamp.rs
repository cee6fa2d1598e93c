//! Checks a time the user gives, and writes the time it is.

use std::time::{SystemTime, UNIX_EPOCH};

/// A time in UTC to the minute: `2026-01-31 12:00`.
pub fn minute(time: SystemTime) -> String {
    let minutes = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() / 60);
    let (days, minute) = (minutes / 1440, minutes % 1440);
    let (year, month, day) = date(i64::try_from(days).unwrap_or_default());
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", minute / 60, minute % 60)
}

/// Seconds since 1970 of an RFC 3339 time; `None` for a text that is none. A fraction is left out, and a leap second is the one before it.
pub fn seconds(text: &str) -> Option<i64> {
    if !is_rfc3339(text) {
        return None;
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let days = days(number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let seconds = days * 86_400 + number(11, 13)? * 3_600 + number(14, 16)? * 60 + number(17, 19)?.min(59);
    let offset = match text.len().checked_sub(6).and_then(|at| text.get(at..)) {
        Some(end) if end.starts_with(['+', '-']) => {
            let away = end[1..3].parse::<i64>().ok()? * 3_600 + end[4..6].parse::<i64>().ok()? * 60;
            if end.starts_with('-') { -away } else { away }
        }
        _ => 0,
    };
    Some(seconds - offset)
}

/// An RFC 3339 time in UTC to the second, `2026-01-31T12:00:00Z`; `None` for a text that is none, or outside of the years 0 to 9999.
pub fn utc(text: &str) -> Option<String> {
    let seconds = seconds(text)?;
    let (year, month, day) = date(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    (0..=9999).contains(&year).then(|| {
        format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
    })
}

/// A date of the proleptic Gregorian calendar to days since 1970, in years that begin in March and eras of 400 of them (Hinnant 2013).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year_from_march, month_from_march) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (year_from_march.div_euclid(400), year_from_march.rem_euclid(400));
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// The inverse of [`days`]: year, month and day.
pub fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days.saturating_add(719_468);
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// Whether a text is an RFC 3339 `date-time`: `2026-01-31T12:00:00Z`, with a fraction or an offset if wanted.
pub fn is_rfc3339(text: &str) -> bool {
    let bytes = text.as_bytes();
    if !text.is_ascii() || bytes.len() < 20 {
        return false;
    }
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|(at, byte)| bytes[*at] != *byte) {
        return false;
    }
    let within = |from: usize, to: usize, low: u32, high: u32| {
        let digits = &text[from..to];
        digits.bytes().all(|byte| byte.is_ascii_digit())
            && digits.parse().is_ok_and(|number| (low..=high).contains(&number))
    };
    let (Ok(year), Ok(month)) = (text[..4].parse::<u32>(), text[5..7].parse::<u32>()) else { return false };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + u32::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    // 60 is a leap second.
    let date_and_time = within(0, 4, 0, 9999)
        && within(5, 7, 1, 12)
        && within(8, 10, 1, days)
        && within(11, 13, 0, 23)
        && within(14, 16, 0, 59)
        && within(17, 19, 0, 60);
    let mut end = 19;
    if bytes[end] == b'.' {
        let digits = bytes[end + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return false;
        }
        end += 1 + digits;
    }
    let offset = match &bytes[end..] {
        b"Z" => true,
        [b'+' | b'-', _, _, b':', _, _] => within(end + 1, end + 3, 0, 23) && within(end + 4, end + 6, 0, 59),
        _ => false,
    };
    date_and_time && offset
}

#[cfg(test)]
mod tests {
    use super::{is_rfc3339, minute, utc};
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn minutes() {
        let at = |seconds| minute(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01 00:00");
        assert_eq!(at(951_782_399), "2000-02-28 23:59");
        assert_eq!(at(951_782_400), "2000-02-29 00:00");
        assert_eq!(at(1_577_836_800), "2020-01-01 00:00");
        assert_eq!(at(4_107_542_399), "2100-02-28 23:59");
        assert_eq!(at(4_107_542_400), "2100-03-01 00:00");
    }

    #[test]
    fn other_zones() {
        for (text, expected) in [
            ("2026-01-31T12:00:00Z", Some("2026-01-31T12:00:00Z")),
            ("2024-03-01T01:30:05.5+02:00", Some("2024-02-29T23:30:05Z")),
            ("1969-12-31T23:00:00-05:30", Some("1970-01-01T04:30:00Z")),
            ("2016-12-31T23:59:60Z", Some("2016-12-31T23:59:59Z")),
            ("9999-12-31T23:59:59-01:00", None),
            ("2026-01-31", None),
        ] {
            assert_eq!(utc(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn times() {
        for right in ["2026-01-31T12:00:00Z", "2024-02-29T23:59:60.125+05:30"] {
            assert!(is_rfc3339(right), "{right}");
        }
        for wrong in [
            "2026-01-31",
            "2026-02-29T12:00:00Z",
            "2026-01-31T24:00:00Z",
            "2026-01-31T12:00:00",
            "2026-01-31T12:00:00.Z",
            "2026-01-31T12:00:00+0530",
            "+026-01-31T12:00:00Z",
            "2026-01-31T12:00:00Zé",
        ] {
            assert!(!is_rfc3339(wrong), "{wrong}");
        }
    }
}
