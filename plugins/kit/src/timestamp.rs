//! Checks a time the user gives. It is written as it is, so it only has to be right.

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
    use super::is_rfc3339;

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
