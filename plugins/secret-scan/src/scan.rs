//! The task: reads the input and the rules, scans the tree, reports.

use crate::baseline::Baseline;
use crate::config::ConfigError;
use crate::detect::{Detector, FileFinds, Search};
use crate::input::{Input, Output};
use crate::ruleset::RuleSet;
use crate::secret;
use crate::walk::{Entry, Filter, Gitignores, walk};
use memchr::memchr;
use orch_sdk::{Finding, Host, Level, Location, Outcome, Status, TaskError};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

/// Findings of one call to the host.
const BATCH: usize = 500;
/// Progress is told once per so many files.
const PROGRESS_FILES: u64 = 512;
/// Where NUL bytes are looked for; text in UTF-16 is taken for binary too.
const BINARY_PROBE: usize = 8 * 1024;
/// The first read: most files end before it does, and a binary one costs no more.
const FIRST_READ: usize = 64 * 1024;
/// The rule file that gitleaks looks for.
const DEFAULT_CONFIG: &str = ".gitleaks.toml";

/// Endings of files that are not text. A key store is binary too, but rules on paths see it before this list does.
const BINARY_ENDINGS: &[&str] = &[
    "7z", "a", "avi", "avif", "bin", "bmp", "bz2", "class", "dll", "dylib", "eot", "exe", "flac", "gif", "gz", "icns",
    "ico", "jar", "jpeg", "jpg", "jks", "lz4", "mkv", "mov", "mp3", "mp4", "o", "ogg", "otf", "p12", "pdf", "pfx",
    "png", "pyc", "rar", "rlib", "so", "tar", "tgz", "tif", "tiff", "ttf", "war", "wasm", "wav", "webm", "webp",
    "woff", "woff2", "xz", "zip", "zst",
];

/// Scans the mount `source` for credentials.
///
/// # Errors
/// [`TaskError::InvalidInput`] for an input, rule file or baseline that cannot be used; [`TaskError::Denied`] without `source`;
/// [`TaskError::Cancelled`]. A file that cannot be read is counted and logged instead.
pub fn scan(input: Input, host: &dyn Host) -> Result<Outcome<Output>, TaskError> {
    if !host.has_capability("fs:source") {
        return Err(TaskError::Denied { capability: "fs".into(), target: "source".into() });
    }
    let source = host.mount("source");
    let gitignore = if input.respect_gitignore { Gitignores::Respect } else { Gitignores::Disregard };
    let filter = Filter::new(&input.include, &input.exclude, gitignore).map_err(TaskError::InvalidInput)?;
    let (rules, config) = read_rules(&input, host, &source)?;
    for warning in &rules.warnings {
        host.log(Level::Warn, warning);
    }
    let baseline = read_baseline(&input, host, &source)?;
    let detector = Detector::new(rules, Search::NearKeywords).map_err(TaskError::Failed)?;
    let rules = detector.rules().len() as u64;
    let output = Output { rules, config, ..Output::default() };
    let limit = usize::try_from(input.max_file_size.0).unwrap_or(usize::MAX);
    let mut scan = Scan { host, detector, baseline, limit, buffer: Vec::new(), batch: Vec::new(), output };
    walk(&source, &filter, &mut |entry| scan.visit(entry))?;
    scan.flush()?;
    scan.tell_progress();
    Ok(Outcome::Succeeded(scan.output))
}

fn invalid(error: &ConfigError) -> TaskError {
    TaskError::InvalidInput(error.to_string())
}

/// A file that the input names: below `config` if that was granted, else below `source`, never above either.
fn named_file(key: &str, name: &str, host: &dyn Host, source: &Path) -> Result<PathBuf, TaskError> {
    let path = Path::new(name);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !plain || name.is_empty() {
        return Err(TaskError::InvalidInput(format!("`{key}`: `{name}` must be a relative path without `..`")));
    }
    let folder = if host.has_capability("fs:config") { host.mount("config") } else { source.to_owned() };
    Ok(folder.join(path))
}

fn read_rules(input: &Input, host: &dyn Host, source: &Path) -> Result<(RuleSet, String), TaskError> {
    let (name, path) = match &input.config {
        Some(name) => (name.as_str(), named_file("config", name, host, source)?),
        None => (DEFAULT_CONFIG, source.join(DEFAULT_CONFIG)),
    };
    match fs::read_to_string(&path) {
        Ok(text) => Ok((RuleSet::from_text(name, &text).map_err(|error| invalid(&error))?, name.to_owned())),
        Err(error) if input.config.is_none() && error.kind() == io::ErrorKind::NotFound => {
            Ok((RuleSet::built_in().map_err(|error| TaskError::Failed(error.to_string()))?, "built-in".to_owned()))
        }
        Err(error) => Err(TaskError::InvalidInput(format!("`config`: `{name}` cannot be read: {error}"))),
    }
}

fn read_baseline(input: &Input, host: &dyn Host, source: &Path) -> Result<Baseline, TaskError> {
    let Some(name) = &input.baseline else { return Ok(Baseline::default()) };
    let text = fs::read_to_string(named_file("baseline", name, host, source)?)
        .map_err(|error| TaskError::InvalidInput(format!("`baseline`: `{name}` cannot be read: {error}")))?;
    Baseline::parse(&text).map_err(|reason| TaskError::InvalidInput(format!("`baseline`: `{name}`: {reason}")))
}

struct Scan<'a> {
    host: &'a dyn Host,
    detector: Detector,
    baseline: Baseline,
    limit: usize,
    /// Grows to the largest file and is used for all.
    buffer: Vec<u8>,
    batch: Vec<Finding>,
    output: Output,
}

/// How reading a file went.
enum Content {
    Text(usize),
    Binary,
    TooLarge,
}

impl Scan<'_> {
    fn visit(&mut self, entry: Entry) -> Result<(), TaskError> {
        if self.host.is_cancelled() {
            return Err(TaskError::Cancelled);
        }
        match entry {
            Entry::Ignored => self.output.files_skipped.ignored += 1,
            Entry::Unreadable { relative, error } => self.unreadable(relative, &error),
            Entry::File { relative, .. } if self.detector.allows_file(relative) => {
                self.output.files_skipped.ignored += 1;
            }
            Entry::File { path, relative } => self.file(path, relative)?,
        }
        Ok(())
    }

    fn unreadable(&mut self, relative: &str, error: &io::Error) {
        self.output.files_skipped.unreadable += 1;
        self.host.log(Level::Warn, &format!("`{relative}` cannot be read: {error}"));
    }

    fn file(&mut self, path: &Path, relative: &str) -> Result<(), TaskError> {
        let by_path = self.detector.search_path(relative);
        self.report(relative, &by_path, 0)?;
        let content = if has_binary_ending(relative) { Ok(Content::Binary) } else { self.read(path) };
        match content {
            Ok(Content::Binary) => self.output.files_skipped.binary += 1,
            Ok(Content::TooLarge) => self.output.files_skipped.too_large += 1,
            Err(error) => self.unreadable(relative, &error),
            Ok(Content::Text(length)) => {
                let finds = self.detector.search(relative, &self.buffer[..length]).map_err(|error| invalid(&error))?;
                self.output.files_scanned += 1;
                self.output.bytes_scanned += length as u64;
                self.report(relative, &finds, length)?;
                if self.output.files_scanned.is_multiple_of(PROGRESS_FILES) {
                    self.tell_progress();
                }
            }
        }
        Ok(())
    }

    fn read(&mut self, path: &Path) -> io::Result<Content> {
        let mut file = File::open(path)?;
        let size = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        if size > self.limit {
            return Ok(Content::TooLarge);
        }
        if self.buffer.len() < size {
            self.buffer.resize(size, 0);
        }
        let mut length = 0;
        // Up to the size that was told: asking once more for the end would double the calls for small files.
        while length < size {
            let until = if length < BINARY_PROBE { size.min(FIRST_READ) } else { size };
            let probed = length.min(BINARY_PROBE);
            match file.read(&mut self.buffer[length..until]) {
                Ok(0) => break,
                Ok(count) => length += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if memchr(0, &self.buffer[probed..length.min(BINARY_PROBE)]).is_some() {
                return Ok(Content::Binary);
            }
        }
        Ok(Content::Text(length))
    }

    fn report(&mut self, path: &str, finds: &FileFinds, length: usize) -> Result<(), TaskError> {
        self.output.suppressed.allowlist += finds.allowlisted;
        self.output.suppressed.inline += finds.inline;
        for found in &finds.found {
            let rule = &self.detector.rules()[found.rule];
            let in_file = found.line > 0;
            let secret = if in_file { &self.buffer[..length][found.secret.clone()] } else { path.as_bytes() };
            let fingerprint = secret::fingerprint(&rule.id, path, secret, found.occurrence);
            if self.baseline.knows(&fingerprint, path, &rule.id, [found.line, found.match_line]) {
                self.output.suppressed.baseline += 1;
                continue;
            }
            let detail = in_file.then(|| format!("{}, entropy {:.1}", secret::mask(secret), found.entropy));
            let data = in_file.then(|| {
                serde_json::json!({
                    "masked": secret::mask(secret),
                    "entropy": (found.entropy * 100.0).round() / 100.0,
                    "tags": rule.tags,
                })
            });
            self.batch.push(Finding {
                rule: rule.id.clone(),
                severity: rule.severity,
                status: Status::Open,
                title: rule.description.clone(),
                detail,
                fingerprint,
                location: Some(Location {
                    path: path.to_owned(),
                    line: in_file.then_some(found.line),
                    column: in_file.then_some(found.column),
                    end_line: in_file.then_some(found.end_line),
                }),
                remediation: Some(rule.remediation.clone()),
                references: rule.reference.iter().cloned().collect(),
                data,
            });
            self.output.findings += 1;
            if self.batch.len() == BATCH {
                self.host.emit(&self.batch)?;
                self.batch.clear();
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), TaskError> {
        if !self.batch.is_empty() {
            self.host.emit(&self.batch)?;
            self.batch.clear();
        }
        Ok(())
    }

    fn tell_progress(&self) {
        let note = format!("{} MiB, {} findings", self.output.bytes_scanned >> 20, self.output.findings);
        self.host.progress(self.output.files_scanned, None, &note);
    }
}

fn has_binary_ending(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some((_, ending)) = name.rsplit_once('.') else { return false };
    BINARY_ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending))
}
