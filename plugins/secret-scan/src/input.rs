//! What the task takes and what it returns.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::borrow::Cow;
use std::fmt;

/// Files above this are rarely written by people; two mebibytes hold every source file worth reading.
pub const DEFAULT_MAX_FILE_SIZE: u64 = 2 * 1024 * 1024;

/// Archives are held in memory; 64 MiB is more than packages of programs have, and a fraction of the memory asked for.
pub const DEFAULT_MAX_ARCHIVE_SIZE: u64 = 64 * 1024 * 1024;

/// The input of `scan`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Input {
    /// A rule file in gitleaks' form, or several of which each extends those before it; relative to the mount `config` if that is
    /// granted, else to `source`. Without it `.gitleaks.toml` at the root of `source` is used if it is there, else the built-in
    /// rules.
    pub config: Option<FileList>,
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
    /// Look into archives and packed files: zip and what is one (jar, whl, nupkg, apk, docx), tar, gz, bz2, xz, zst.
    pub archives: bool,
    /// Larger archives are not opened, and each is a finding with the status `error`.
    pub max_archive_size: ByteSize,
    /// Scan the commits of the Git repository at the root of `source` too: `true`, or what is wanted of them.
    pub history: Option<History>,
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
            archives: true,
            max_archive_size: ByteSize(DEFAULT_MAX_ARCHIVE_SIZE),
            history: None,
        }
    }
}

/// Names of files: one as text, or several in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileList(
    /// In the order in which they are read.
    pub Vec<String>,
);

impl From<&str> for FileList {
    fn from(name: &str) -> FileList {
        FileList(vec![name.to_owned()])
    }
}

impl<'de> Deserialize<'de> for FileList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<FileList, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = FileList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a file, or a list of names")
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<FileList, E> {
                Ok(FileList::from(name))
            }
            fn visit_seq<A: de::SeqAccess<'de>>(self, names: A) -> Result<FileList, A::Error> {
                Vec::deserialize(de::value::SeqAccessDeserializer::new(names)).map(FileList)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for FileList {
    fn schema_name() -> Cow<'static, str> {
        "FileList".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The name of a file, or a list of names.",
            "type": ["string", "array"],
            "items": { "type": "string" },
            "minItems": 1
        })
    }
}

/// What is wanted of the history. In the input `true` stands for all of it, and `false` for none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Whether it is scanned at all.
    pub wanted: bool,
    /// What of it.
    pub of: HistoryInput,
}

/// Which commits, and what is told of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct HistoryInput {
    /// Only commits of this day or later, in UTC, by the time at which they were committed: `2026-01-31`, or a time in RFC 3339.
    pub since: Option<String>,
    /// Only so many commits, the newest.
    #[schemars(range(min = 1))]
    pub max_commits: Option<u64>,
    /// Only what is reached from these branches, here or as they were fetched; globs. All branches, tags and other names if empty.
    pub branches: Vec<String>,
    /// Tell the name and address of the author who brought a secret.
    pub authors: bool,
}

impl<'de> Deserialize<'de> for History {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<History, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = History;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false, or an object with `since`, `max-commits`, `branches` or `authors`")
            }
            fn visit_bool<E: de::Error>(self, wanted: bool) -> Result<History, E> {
                Ok(History { wanted, of: HistoryInput::default() })
            }
            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<History, A::Error> {
                let of = HistoryInput::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(History { wanted: true, of })
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for History {
    fn schema_name() -> Cow<'static, str> {
        "History".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = HistoryInput::json_schema(generator);
        schema.insert("type".into(), serde_json::json!(["boolean", "object"]));
        schema
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
    /// Files that were read to the end, those of archives among them.
    pub files_scanned: u64,
    /// Their bytes.
    pub bytes_scanned: u64,
    /// Archives that were opened, in archives too.
    pub archives: u64,
    /// Files that were not read, by reason.
    pub files_skipped: Skipped,
    /// Secrets that were reported, those of the history among them.
    pub findings: u64,
    /// Findings with the status `error`: what could not be looked at.
    pub incomplete: u64,
    /// Findings that were left out, by reason.
    pub suppressed: Suppressed,
    /// Rules that were in force.
    pub rules: u64,
    /// Where the rules came from: `built-in`, or the files.
    pub config: String,
    /// Of the history, if it was asked for.
    pub history: Option<HistoryOutput>,
}

/// What was done with the history.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HistoryOutput {
    /// Commits that were looked at.
    pub commits: u64,
    /// Versions of files that were searched, each once.
    pub versions_scanned: u64,
    /// Their bytes.
    pub bytes_scanned: u64,
    /// Secrets that are in the history and were not found in the tree.
    pub findings: u64,
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
