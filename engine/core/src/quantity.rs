//! Durations and sizes as people write them: `90s`, `10m`, `2h`, `1d`; `64KiB`, `10MiB`, `1GiB`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Text that is no duration or size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a {kind}: write {form}", crate::shorten(&crate::visible(text), 40))]
pub struct InvalidQuantity {
    /// `duration` or `size`.
    pub kind: &'static str,
    /// The offending text.
    pub text: String,
    /// What is right.
    pub form: &'static str,
}

/// A length of time, whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period(u64);

/// A number of bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Size(u64);

const PERIODS: [(&str, u64); 5] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZES: [(&str, u64); 4] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1)];

/// A year: no timeout of a workflow is longer, and it is far from every overflow.
const LONGEST: u64 = 366 * 86_400_000;

fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let factor = units.iter().find(|(name, _)| *name == unit)?.1;
    number.parse::<u64>().ok()?.checked_mul(factor)
}

fn print(f: &mut fmt::Formatter<'_>, value: u64, units: &[(&str, u64)], smallest: &str) -> fmt::Result {
    let whole =
        units.iter().filter(|(_, factor)| value >= *factor && value.is_multiple_of(*factor)).max_by_key(|(_, f)| *f);
    match whole {
        Some((name, factor)) => write!(f, "{}{name}", value / factor),
        None => write!(f, "{value}{smallest}"),
    }
}

impl Period {
    /// From milliseconds.
    pub const fn from_millis(millis: u64) -> Period {
        Period(millis)
    }

    /// As milliseconds.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// As the standard library's type.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl Size {
    /// From bytes.
    pub const fn from_bytes(bytes: u64) -> Size {
        Size(bytes)
    }

    /// From mebibytes.
    pub const fn from_mib(mib: u64) -> Size {
        Size(mib << 20)
    }

    /// As bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl std::str::FromStr for Period {
    type Err = InvalidQuantity;
    fn from_str(text: &str) -> Result<Period, InvalidQuantity> {
        match parse(text, &PERIODS) {
            Some(millis) if millis <= LONGEST => Ok(Period(millis)),
            _ => {
                let form = "a whole number and a unit, `90s`, `10m`, `2h` or `1d`, at most `366d`";
                Err(InvalidQuantity { kind: "duration", text: text.to_owned(), form })
            }
        }
    }
}

impl std::str::FromStr for Size {
    type Err = InvalidQuantity;
    fn from_str(text: &str) -> Result<Size, InvalidQuantity> {
        parse(text, &SIZES).map(Size).ok_or_else(|| InvalidQuantity {
            kind: "size",
            text: text.to_owned(),
            form: "a whole number and a unit, `512B`, `64KiB`, `10MiB` or `1GiB`",
        })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(f, self.0, &PERIODS, "ms")
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(f, self.0, &SIZES, "B")
    }
}

macro_rules! text {
    ($type:ident) => {
        impl TryFrom<String> for $type {
            type Error = InvalidQuantity;
            fn try_from(text: String) -> Result<Self, InvalidQuantity> {
                text.parse()
            }
        }
        impl From<$type> for String {
            fn from(value: $type) -> String {
                value.to_string()
            }
        }
    };
}
text!(Period);
text!(Size);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        for text in ["0ms", "250ms", "90s", "10m", "2h", "1d"] {
            assert_eq!(text.parse::<Period>().unwrap().to_string(), text);
        }
        for text in ["0B", "512B", "64KiB", "10MiB", "1GiB"] {
            assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
        }
        assert_eq!("60s".parse::<Period>().unwrap().to_string(), "1m");
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "10",
            "s",
            "-1s",
            "1.5h",
            "10 m",
            "10M",
            "18446744073709551616s",
            "18446744073709551615d",
            "367d",
            "1s ",
        ] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
        for text in ["", "10", "MiB", "10MB", "10mib", "18446744073709551615GiB"] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }
}
