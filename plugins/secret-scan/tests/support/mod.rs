//! Samples as templates: `ghp_{alnum:36}` becomes a token that looks real and was never issued. No literal secret is kept in
//! this repository, so that scanners of it, ours among them, stay quiet.
#![allow(dead_code, reason = "each test binary uses its part")]

use orch_plugin_secret_scan::{Input, Output, scan};
use orch_sdk::{Finding, TestHost};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The samples of one rule.
pub struct Samples {
    pub rule: String,
    pub found: Vec<String>,
    pub passed: Vec<String>,
}

/// All samples, of all areas.
pub fn samples() -> Vec<Samples> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut all = Vec::new();
    for file in files {
        let table: BTreeMap<String, BTreeMap<String, Vec<String>>> =
            toml::from_str(&fs::read_to_string(&file).unwrap()).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        for (rule, mut kinds) in table {
            let mut take = |kind: &str| kinds.remove(kind).unwrap_or_default();
            let (found, passed) = (take("true"), take("false"));
            assert!(kinds.is_empty(), "{rule}: only `true` and `false` are known");
            all.push(Samples { rule, found, passed });
        }
    }
    all
}

/// A small generator with a fixed start: the same template and seed give the same text everywhere.
struct Generator(u64);

impl Generator {
    fn new(seed: &str) -> Generator {
        // FNV-1a, then xorshift.
        let hash = seed
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        Generator(hash | 1)
    }

    fn pick(&mut self, letters: &[u8]) -> char {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        char::from(letters[usize::try_from((self.0 >> 16) % letters.len() as u64).unwrap()])
    }

    fn text(&mut self, letters: &[u8], length: usize) -> String {
        (0..length).map(|_| self.pick(letters)).collect()
    }
}

/// Fills in a template. Classes: `{alnum:N}` and its like; `{uuid}`; `{b64lines:N}` for N lines of 64.
pub fn expand(template: &str, seed: &str) -> String {
    const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
    const DIGITS: &str = "0123456789";
    let mut generator = Generator::new(seed);
    let mut out = String::new();
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        let inner = rest[open + 1..].find('}').map(|end| &rest[open + 1..open + 1 + end]);
        let (class, count) = inner.map_or(("", ""), |inner| inner.split_once(':').unwrap_or((inner, "")));
        let count: Option<usize> = count.parse().ok();
        let letters = match class {
            "alnum" => [UPPER, LOWER, DIGITS].concat(),
            "alpha" => [UPPER, LOWER].concat(),
            "lower" => [LOWER, DIGITS].concat(),
            "upper" => [UPPER, DIGITS].concat(),
            "digits" => DIGITS.to_owned(),
            "hex" => [DIGITS, "abcdef"].concat(),
            "HEX" => [DIGITS, "ABCDEF"].concat(),
            "base32" => [UPPER, "234567"].concat(),
            "bech32" => "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L".to_owned(),
            "b64" | "b64lines" => [UPPER, LOWER, DIGITS, "+/"].concat(),
            "b64url" => [UPPER, LOWER, DIGITS, "-_"].concat(),
            "x" => "x".to_owned(),
            "A" => "A".to_owned(),
            "uuid" => {
                let hex = [DIGITS, "abcdef"].concat();
                let parts = [8, 4, 4, 4, 12].map(|length| generator.text(hex.as_bytes(), length));
                out.push_str(&parts.join("-"));
                rest = &rest[open + "{uuid}".len()..];
                continue;
            }
            // A brace of the sample itself.
            _ => {
                out.push('{');
                rest = &rest[open + 1..];
                continue;
            }
        };
        let count = count.unwrap_or_else(|| panic!("`{template}`: `{class}` needs a count"));
        let text = if class == "b64lines" {
            let lines: Vec<_> = (0..count).map(|_| generator.text(letters.as_bytes(), 64)).collect();
            lines.join("\n")
        } else {
            // A hyphen or underscore at an edge would be no edge of a word, as in real tokens it seldom is.
            let edge = [UPPER, LOWER, DIGITS].concat();
            let mut text = generator.text(letters.as_bytes(), count);
            if class.starts_with("b64") {
                let mut ends = || generator.pick(edge.as_bytes());
                let (first, last) = (ends(), ends());
                text = text
                    .char_indices()
                    .map(|(i, c)| {
                        if i == 0 {
                            first
                        } else if i + 1 == count {
                            last
                        } else {
                            c
                        }
                    })
                    .collect();
            }
            text
        };
        out.push_str(&text);
        rest = &rest[open + inner.unwrap().len() + 2..];
    }
    out.push_str(rest);
    out
}

/// A tree of files in a temporary folder.
pub struct Tree(pub tempfile::TempDir);

impl Tree {
    pub fn new(files: &[(&str, &str)]) -> Tree {
        let tree = Tree(tempfile::tempdir().unwrap());
        for (path, content) in files {
            tree.write(path, content.as_bytes());
        }
        tree
    }

    pub fn write(&self, path: &str, content: &[u8]) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn host(&self) -> TestHost {
        TestHost::new().with_mount("source", self.0.path())
    }

    /// Scans with the given input; the host keeps what was said.
    pub fn scan(&self, input: Input) -> (Output, Vec<Finding>, TestHost) {
        let host = self.host();
        let output = scan(input, &host).unwrap().succeeded().unwrap();
        let findings = host.findings();
        (output, findings, host)
    }

    /// `path:line rule` of each finding.
    pub fn found(&self, input: Input) -> Vec<String> {
        self.scan(input).1.iter().map(place).collect()
    }
}

/// `path:line rule`.
pub fn place(finding: &Finding) -> String {
    let location = finding.location.as_ref().unwrap();
    let line = location.line.map_or(String::new(), |line| format!(":{line}"));
    format!("{}{line} {}", location.path, finding.rule)
}

/// A GitHub token that was never issued.
pub fn github_token(seed: &str) -> String {
    expand("ghp_{alnum:36}", seed)
}
