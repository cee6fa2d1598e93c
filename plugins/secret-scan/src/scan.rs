//! The task: reads the input and the rules, scans the history if that is wanted, then the tree, and reports.

use crate::baseline::Baseline;
use crate::config::ConfigError;
use crate::content::{Item, Searcher, Stop, Told as Met};
use crate::detect::{Detector, FileFinds, Search};
use crate::history::{self, Bounds, History};
use crate::input::{Input, Output};
use crate::report::{Told, incomplete};
use crate::ruleset::RuleSet;
use crate::secret;
use crate::walk::{Entry, Filter, Gitignores, walk};
use orch_sdk::{Finding, Host, Level, Outcome, TaskError};
use serde_json::{Map, Value, json};
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

/// Findings of one call to the host.
const BATCH: usize = 500;
/// Progress is told once per so many files.
const PROGRESS_FILES: u64 = 512;
/// The rule file that gitleaks looks for.
const DEFAULT_CONFIG: &str = ".gitleaks.toml";
/// Archives that could not be read, beyond which they are only counted.
const MOST_INCOMPLETE: u64 = 1_000;

const ARCHIVE_ADVICE: &str = "Look into the archive by hand, or leave it out with `exclude`.";
const HISTORY_ADVICE: &str = "Scan a whole clone: with all commits, without a filter, and mounted at its root.";
const HISTORY_NOTE: &str = "It is in the history: to remove the line is not enough, because every clone has it. Issue a new \
                            credential first; whether the history is then rewritten is another question.";

/// Scans the mount `source` for credentials.
///
/// # Errors
/// [`TaskError::InvalidInput`] for an input, rule file or baseline that cannot be used; [`TaskError::Denied`] without `source`;
/// [`TaskError::Cancelled`]. A file that cannot be read is counted and logged instead; an archive or a part of the history is a
/// finding with the status `error`.
pub fn scan(input: Input, host: &dyn Host) -> Result<Outcome<Output>, TaskError> {
    if !host.has_capability("fs:source") {
        return Err(TaskError::Denied { capability: "fs".into(), target: "source".into() });
    }
    let source = host.mount("source");
    let gitignore = if input.respect_gitignore { Gitignores::Respect } else { Gitignores::Disregard };
    let filter = Filter::new(&input.include, &input.exclude, gitignore).map_err(TaskError::InvalidInput)?;
    let (rules, config) = read_rules(&input, host, &source)?;
    let wanted = input.history.as_ref().filter(|history| history.wanted);
    let commit_warnings = if wanted.is_some() { &[] } else { &rules.commit_warnings[..] };
    for warning in rules.warnings.iter().chain(commit_warnings) {
        host.log(Level::Warn, warning);
    }
    let baseline = read_baseline(&input, host, &source)?;
    let detector = Detector::new(rules, Search::NearKeywords).map_err(TaskError::Failed)?;
    let rules = detector.rules().len() as u64;
    let mut searcher = Searcher::new(detector, input.archives, input.max_file_size.0, input.max_archive_size.0);
    let history = match wanted {
        Some(wanted) => Some(history::scan(&wanted.of, &source, &mut searcher, &filter, Bounds::default(), host)?),
        None => None,
    };
    let bare = history.as_ref().is_some_and(|history| history.bare);
    let output = Output { rules, config, ..Output::default() };
    let report = Report { host, baseline, history, batch: Vec::new(), output };
    let mut scan = Scan { searcher, report };
    if !bare {
        walk(&source, &filter, &mut |entry| scan.visit(entry))?;
    }
    let Scan { searcher, mut report } = scan;
    report.history(&searcher.detector)?;
    report.flush()?;
    report.tell_progress();
    Ok(Outcome::Succeeded(report.output))
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
    let mut files = Vec::new();
    match &input.config {
        Some(names) if names.0.is_empty() => {
            let reason = "`config` is an empty list; leave it out for the built-in rules".to_owned();
            return Err(TaskError::InvalidInput(reason));
        }
        Some(names) => {
            for name in &names.0 {
                files.push((name.as_str(), named_file("config", name, host, source)?));
            }
        }
        None => {
            let path = source.join(DEFAULT_CONFIG);
            if fs::metadata(&path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
                let built_in = RuleSet::built_in().map_err(|error| TaskError::Failed(error.to_string()))?;
                return Ok((built_in, "built-in".to_owned()));
            }
            files.push((DEFAULT_CONFIG, path));
        }
    }
    let mut texts = Vec::new();
    for (name, path) in &files {
        let text = fs::read_to_string(path)
            .map_err(|error| TaskError::InvalidInput(format!("`config`: `{name}` cannot be read: {error}")))?;
        texts.push((*name, text));
    }
    let texts: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let names: Vec<&str> = texts.iter().map(|(name, _)| *name).collect();
    Ok((RuleSet::from_texts(&texts).map_err(|error| invalid(&error))?, names.join(", ")))
}

fn read_baseline(input: &Input, host: &dyn Host, source: &Path) -> Result<Baseline, TaskError> {
    let Some(name) = &input.baseline else { return Ok(Baseline::default()) };
    let path = named_file("baseline", name, host, source)?;
    let text = fs::read_to_string(path)
        .map_err(|error| TaskError::InvalidInput(format!("`baseline`: `{name}` cannot be read: {error}")))?;
    Baseline::parse(&text).map_err(|reason| TaskError::InvalidInput(format!("`baseline`: `{name}`: {reason}")))
}

/// The scan of the tree.
struct Scan<'a> {
    searcher: Searcher,
    report: Report<'a>,
}

impl Scan<'_> {
    fn visit(&mut self, entry: Entry) -> Result<(), TaskError> {
        let Scan { searcher, report } = self;
        match entry {
            Entry::Ignored => report.output.files_skipped.ignored += 1,
            Entry::Unreadable { relative, error } => report.unreadable(relative, &error),
            Entry::File { path, relative } => {
                if report.host.is_cancelled() {
                    return Err(TaskError::Cancelled);
                }
                if searcher.detector.allows_file(relative) {
                    report.output.files_skipped.ignored += 1;
                    return Ok(());
                }
                let mut tell = |detector: &Detector, met: Met| report.tell(detector, met);
                if searcher.is_binary_by_name(relative) {
                    searcher.search_name(relative, &mut tell)?;
                    report.output.files_skipped.binary += 1;
                    return Ok(());
                }
                let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
                let outcome = opened.map_err(Stop::Unreadable).and_then(|(size, mut file)| {
                    searcher.search(Item { path: relative, size: Some(size), content: &mut file }, &mut tell)
                });
                match outcome {
                    Ok(()) => {}
                    Err(Stop::Task(error)) => return Err(error),
                    Err(Stop::Unreadable(error)) => report.unreadable(relative, &error),
                }
            }
        }
        Ok(())
    }
}

/// What is told to the host, and what the task returns.
struct Report<'a> {
    host: &'a dyn Host,
    baseline: Baseline,
    history: Option<History>,
    batch: Vec<Finding>,
    output: Output,
}

impl Report<'_> {
    fn unreadable(&mut self, relative: &str, error: &io::Error) {
        self.output.files_skipped.unreadable += 1;
        self.host.log(Level::Warn, &format!("`{relative}` cannot be read: {error}"));
    }

    fn tell(&mut self, detector: &Detector, met: Met) -> Result<(), TaskError> {
        match met {
            Met::Binary => self.output.files_skipped.binary += 1,
            Met::TooLarge => self.output.files_skipped.too_large += 1,
            Met::Allowed => self.output.files_skipped.ignored += 1,
            Met::Archive => self.output.archives += 1,
            Met::Problem { path, reason } => self.incomplete("archive-incomplete", path, &reason, ARCHIVE_ADVICE)?,
            Met::Name { path, finds } => self.finds(detector, path, b"", &finds)?,
            Met::Text { path, content, finds } => {
                self.output.files_scanned += 1;
                self.output.bytes_scanned += content.len() as u64;
                self.finds(detector, path, content, &finds)?;
                if self.output.files_scanned.is_multiple_of(PROGRESS_FILES) {
                    self.tell_progress();
                    if self.host.is_cancelled() {
                        return Err(TaskError::Cancelled);
                    }
                }
            }
        }
        Ok(())
    }

    fn finds(&mut self, detector: &Detector, path: &str, content: &[u8], finds: &FileFinds) -> Result<(), TaskError> {
        self.output.suppressed.allowlist += finds.allowlisted;
        self.output.suppressed.inline += finds.inline;
        for found in &finds.found {
            let rule = &detector.rules()[found.rule];
            let secret = if found.line > 0 { &content[found.secret.clone()] } else { path.as_bytes() };
            let fingerprint = secret::fingerprint(&rule.id, path, secret, found.occurrence);
            let mut more = Map::new();
            if let Some(history) = &mut self.history {
                // The history knows a secret by the first of its finds in a file.
                let first = secret::fingerprint(&rule.id, path, secret, 0);
                if let Some(brought) = history.brought.get_mut(&first) {
                    brought.in_tree = true;
                    more = brought.data.clone();
                    more.insert("in_tree".into(), json!(true));
                }
            }
            if self.baseline.knows(&fingerprint, path, &rule.id, [found.line, found.match_line]) {
                self.output.suppressed.baseline += 1;
                continue;
            }
            let mut finding = Told::new(path, content, found).finding(rule, fingerprint, more);
            if finding.data.as_ref().is_some_and(|data| data.get("commit").is_some()) {
                add_note(&mut finding);
            }
            self.output.findings += 1;
            self.push(finding)?;
        }
        Ok(())
    }

    /// What only the history has, and what of it could not be read.
    fn history(&mut self, detector: &Detector) -> Result<(), TaskError> {
        let Some(history) = self.history.take() else { return Ok(()) };
        let mut output = history.output.clone();
        self.output.suppressed.allowlist += history.suppressed.allowlist;
        for (key, brought) in history.gone() {
            let rule = &detector.rules()[brought.told.rule];
            if History::is_known(&self.baseline, &rule.id, key, &brought.told) {
                self.output.suppressed.baseline += 1;
                continue;
            }
            let mut more: Map<String, Value> = brought.data.clone();
            more.insert("in_tree".into(), json!(brought.in_head));
            let mut finding = brought.told.finding(rule, key.clone(), more);
            let place = if brought.in_head { "in the newest commit" } else { "in the history only" };
            finding.title = format!("{} ({place})", finding.title);
            add_note(&mut finding);
            self.output.findings += 1;
            output.findings += 1;
            self.push(finding)?;
        }
        for (path, reason) in &history.problems {
            self.incomplete("history-incomplete", path, reason, HISTORY_ADVICE)?;
        }
        self.output.history = Some(output);
        Ok(())
    }

    fn incomplete(&mut self, rule: &str, path: &str, reason: &str, advice: &str) -> Result<(), TaskError> {
        self.output.incomplete += 1;
        if self.output.incomplete == MOST_INCOMPLETE {
            self.host
                .log(Level::Warn, "so much could not be searched that what follows is only counted, in `incomplete`");
        }
        if self.output.incomplete > MOST_INCOMPLETE {
            return Ok(());
        }
        self.push(incomplete(rule, path, reason, advice))
    }

    fn push(&mut self, finding: Finding) -> Result<(), TaskError> {
        self.batch.push(finding);
        if self.batch.len() == BATCH { self.flush() } else { Ok(()) }
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

fn add_note(finding: &mut Finding) {
    let remediation = finding.remediation.take().unwrap_or_default();
    finding.remediation = Some(format!("{remediation} {HISTORY_NOTE}").trim_start().to_owned());
}
