//! What the task takes and what it returns.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::borrow::Cow;
use std::fmt;

/// Files above this are rarely written by people; two mebibytes hold every source file worth reading.
pub const DEFAULT_MAX_FILE_SIZE: u64 = 2 * 1024 * 1024;

/// The input of `scan`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Input {
    /// A rule file in gitleaks' form, relative to the mount `config` if that is granted, else to `source`. Without it
    /// `.gitleaks.toml` at the root of `source` is used if it is there, else the built-in rules.
    pub config: Option<String>,
    /// A JSON file of known findings to leave out, looked for where `config` is: fingerprints, or a report of gitleaks.
    pub baseline: Option<String>,
    /// Leave out what `.gitignore` files and `.git/info/exclude` name.
    pub respect_gitignore: bool,
    /// Globs of the files to read, relative to `source`; all if empty. A glob without `/` fits at any depth.
    pub include: Vec<String>,
    /// Globs of files and folders to leave out; they win over `include`.
    pub exclude: Vec<String>,
    /// Larger files are left out and counted: bytes, or text such as `8MiB`.
    pub max_file_size: ByteSize,
}

impl Default for Input {
    fn default() -> Input {
        Input {
            config: None,
            baseline: None,
            respect_gitignore: true,
            include: Vec::new(),
            exclude: Vec::new(),
            max_file_size: ByteSize(DEFAULT_MAX_FILE_SIZE),
        }
    }
}

/// A number of bytes, written as an integer or as text with a unit: `65536`, `64KiB`, `8MiB`, `1GiB`, `5MB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ByteSize(
    /// Bytes.
    pub u64,
);

impl std::str::FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<ByteSize, String> {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let factor: u64 = match text[digits..].trim() {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "kB" | "KB" => 1_000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            unit => {
                return Err(format!(
                    "unknown unit `{unit}` in the size `{text}` (known: B, KiB, MiB, GiB, kB, MB, GB)"
                ));
            }
        };
        let number: u64 = text[..digits].parse().map_err(|_error| format!("`{text}` is no size such as `8MiB`"))?;
        number.checked_mul(factor).map(ByteSize).ok_or_else(|| format!("the size `{text}` is too large"))
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ByteSize, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = ByteSize;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of bytes or a size such as `8MiB`")
            }
            fn visit_u64<E: de::Error>(self, bytes: u64) -> Result<ByteSize, E> {
                Ok(ByteSize(bytes))
            }
            fn visit_i64<E: de::Error>(self, bytes: i64) -> Result<ByteSize, E> {
                u64::try_from(bytes).map(ByteSize).map_err(|_error| E::custom("a size cannot be negative"))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<ByteSize, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for ByteSize {
    fn schema_name() -> Cow<'static, str> {
        "ByteSize".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number of bytes, or text such as `8MiB`.",
            "type": ["integer", "string"],
            "minimum": 0,
            "pattern": "^[0-9]+ ?(B|KiB|MiB|GiB|kB|KB|MB|GB)?$"
        })
    }
}

/// The output of `scan`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Output {
    /// Files that were read to the end.
    pub files_scanned: u64,
    /// Their bytes.
    pub bytes_scanned: u64,
    /// Files that were not read, by reason.
    pub files_skipped: Skipped,
    /// Findings that were reported.
    pub findings: u64,
    /// Findings that were left out, by reason.
    pub suppressed: Suppressed,
    /// Rules that were in force.
    pub rules: u64,
    /// Where the rules came from: `built-in`, or the file.
    pub config: String,
}

/// Why files were not read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Skipped {
    /// A NUL byte near the start, or an ending that only binary files have.
    pub binary: u64,
    /// Above `max-file-size`.
    pub too_large: u64,
    /// Left out by an ignore file, a glob or an allowlist, or a symbolic link. A folder that is left out counts as one.
    pub ignored: u64,
    /// Could not be opened or read; each is named in the log.
    pub unreadable: u64,
}

/// Why findings were left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Suppressed {
    /// Known from the baseline.
    pub baseline: u64,
    /// A comment on the line allows it.
    pub inline: u64,
    /// An allowlist of a rule or of all rules.
    pub allowlist: u64,
}
