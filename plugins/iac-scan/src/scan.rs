//! The task `scan`: walk, recognise, read, apply the rules, report.

use crate::input::{Family, Input, Output, Severities, Skipped};
use crate::read::{dockerfile, hcl, yaml};
use crate::recognise::{Named, by_name, may_be_kubernetes};
use crate::rule::{About, Hits, apply};
use crate::rules::{self, actions, compose, kubernetes, terraform};
use crate::suppress::Suppressions;
use orch_plugin_kit::glob::Glob;
use orch_plugin_kit::parse::ParseError;
use orch_plugin_kit::report::{self, Problem};
use orch_plugin_kit::tree;
use orch_sdk::{Finding, Host, Outcome, Severity, Status, TaskError};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The mount that is read.
const MOUNT: &str = "source";
/// A bundle of manifests has a few MiB.
const MAX_FILE: u64 = 4 << 20;
/// No module that a person keeps in one file is near it, and the HCL library compares every key of an object with all others.
const MAX_HCL: u64 = 256 << 10;
/// Entries of the output's list; the findings name all.
const MAX_SKIPPED: usize = 1_000;
/// Progress is told once per so many files.
const PROGRESS_FILES: usize = 64;

/// Scans the mount `source`.
///
/// # Errors
/// When the input is wrong, the mount is not granted, or the host wants the task to stop. A file that cannot be read is a finding,
/// not an error.
pub fn scan(input: Input, host: &dyn Host) -> Result<Outcome<Output>, TaskError> {
    let wrong = |field: &str, reason: String| TaskError::InvalidInput(format!("`{field}`: {reason}"));
    let globs = input.exclude.iter().map(|pattern| Glob::new(pattern));
    let exclude: Vec<Glob> = globs.collect::<Result<_, _>>().map_err(|reason| wrong("exclude", reason))?;
    let known: BTreeSet<&str> = rules::all().map(|(_, about)| about.id).collect();
    if let Some(unknown) = input.skip_rules.iter().find(|rule| !known.contains(rule.as_str())) {
        let known = known.into_iter().collect::<Vec<_>>().join("`, `");
        return Err(wrong("skip-rules", format!("there is no rule `{unknown}` (known: `{known}`)")));
    }
    let families = input.families.unwrap_or_else(|| Family::ALL.into());
    let root = report::granted_mount(MOUNT, host)?;
    let mut scan = Scan {
        root: &root,
        families,
        skip_rules: input.skip_rules,
        known,
        findings: Vec::new(),
        output: Output::default(),
    };
    scan.output.rules = rules::all()
        .filter(|(family, about)| scan.families.contains(family) && !scan.skip_rules.contains(about.id))
        .count();
    let tree = scan.walk(&exclude, host)?;
    let total = tree.files.len();
    for (done, (path, named)) in tree.files.iter().enumerate() {
        report::check_cancelled(host)?;
        if done.is_multiple_of(PROGRESS_FILES) {
            host.progress(done as u64, Some(total as u64), path);
        }
        scan.file(path, *named, &tree);
    }
    let Scan { findings, output, .. } = scan;
    if output.files.is_empty() {
        host.warn("no file of the chosen families was found");
    }
    report::emit(findings, host)?;
    Ok(Outcome::Succeeded(output))
}

/// What the tree has for us.
#[derive(Default)]
struct Tree {
    files: Vec<(String, Named)>,
    /// Folders with a `.dockerignore`, and files with one of their own.
    ignoring: BTreeSet<String>,
}

impl Tree {
    /// Whether files are kept out of the context of a build: the context is a folder at or above the Dockerfile's.
    fn has_ignore_file(&self, path: &str) -> bool {
        let folders = path.match_indices('/').map(|(at, _)| &path[..at]);
        folders.chain(["", path]).any(|place| self.ignoring.contains(place))
    }
}

struct Scan<'a> {
    root: &'a Path,
    families: BTreeSet<Family>,
    skip_rules: BTreeSet<String>,
    known: BTreeSet<&'static str>,
    findings: Vec<Finding>,
    output: Output,
}

impl Scan<'_> {
    fn walk(&mut self, exclude: &[Glob], host: &dyn Host) -> Result<Tree, TaskError> {
        let mut found = Tree::default();
        let mut links = Vec::new();
        let incomplete = tree::walk(self.root, exclude, &mut |folder| {
            report::check_cancelled(host)?;
            for skipped in [".git", ".hg", ".jj", ".svn", ".terraform", "node_modules"] {
                folder.folders.remove(skipped);
            }
            for name in folder.files {
                if name == ".dockerignore" {
                    found.ignoring.insert(folder.path.to_owned());
                } else if let Some(file) = name.strip_suffix(".dockerignore") {
                    found.ignoring.insert(folder.join(file));
                }
                let path = folder.join(name);
                found.files.extend(by_name(&path).filter(|named| self.may_read(*named)).map(|named| (path, named)));
            }
            links.extend(folder.links.iter().map(|name| folder.join(name)).filter(|path| by_name(path).is_some()));
            Ok(())
        })?;
        for link in links {
            host.info(&format!("`{link}` is a symbolic link and is not read"));
        }
        for reason in incomplete {
            self.unread(&rules::INCOMPLETE, ".", &ParseError::whole(reason));
        }
        found.files.sort_by(|left, right| left.0.cmp(&right.0));
        Ok(found)
    }

    fn may_read(&self, named: Named) -> bool {
        self.families.contains(&match named {
            Named::As(family) => family,
            Named::Yaml => Family::Kubernetes,
        })
    }

    fn file(&mut self, path: &str, named: Named, tree: &Tree) {
        let limit = if named == Named::As(Family::Terraform) { MAX_HCL } else { MAX_FILE };
        let text = match tree::text(self.root, path, limit) {
            Ok(text) => text,
            // What a YAML file of any name is, nobody knows without reading it.
            Err(error) => return self.unread(&rules::UNREADABLE, path, &error),
        };
        let family = match named {
            Named::As(family) => family,
            Named::Yaml if may_be_kubernetes(&text) => Family::Kubernetes,
            Named::Yaml => return,
        };
        match self.check(path, &text, family, tree) {
            Ok(None) => {}
            Ok(Some(found)) => {
                *self.output.files.entry(family).or_default() += 1;
                self.output.bytes += text.len() as u64;
                self.report(path, &text, found);
            }
            Err(error) if family == Family::Kubernetes && text.contains("{{") => {
                self.unread(&rules::TEMPLATE, path, &error);
            }
            Err(error) => self.unread(&rules::UNREADABLE, path, &error),
        }
    }

    /// What the rules find in a file; nothing if it is none of the family after all.
    fn check(
        &self,
        path: &str,
        text: &str,
        family: Family,
        tree: &Tree,
    ) -> Result<Option<Vec<(&'static About, Hits)>>, ParseError> {
        let is_wanted = |about: &About| !self.skip_rules.contains(about.id);
        Ok(match family {
            Family::Dockerfile => {
                let mut file = dockerfile::read(text)?;
                file.has_ignore_file = tree.has_ignore_file(path);
                Some(apply(rules::dockerfile::RULES, &file, &is_wanted))
            }
            Family::Terraform => Some(apply(terraform::RULES, &hcl::read(text)?, &is_wanted)),
            Family::Kubernetes => kubernetes::Manifests::new(yaml::read(text)?)
                .map(|manifests| apply(kubernetes::RULES, &manifests, &is_wanted)),
            Family::Compose => {
                compose::Compose::new(yaml::read(text)?).map(|file| apply(compose::RULES, &file, &is_wanted))
            }
            Family::Actions => {
                actions::Workflow::new(yaml::read(text)?).map(|file| apply(actions::RULES, &file, &is_wanted))
            }
        })
    }

    fn report(&mut self, path: &str, text: &str, found: Vec<(&'static About, Hits)>) {
        let suppressions = Suppressions::read(text);
        for (about, hits) in found {
            if hits.left_out > 0 {
                let reason = format!("`{}` holds in {} more places than are told", about.id, hits.left_out);
                self.unread(&rules::INCOMPLETE, path, &ParseError::whole(reason));
            }
            // Equal problems are told apart by their order: the only thing left that does not change with each line.
            let mut equal: BTreeMap<String, usize> = BTreeMap::new();
            for hit in hits.found {
                let number = equal.entry(hit.subject.clone()).or_default();
                *number += 1;
                let reason = suppressions.reason(about.id, hit.line);
                let status = if reason.is_some() { Status::NotApplicable } else { Status::Open };
                let title = if hit.subject.is_empty() {
                    about.title.to_owned()
                } else {
                    format!("{}: `{}`", about.title, hit.subject)
                };
                let mut finding = Problem {
                    rule: about.id,
                    severity: about.severity,
                    status,
                    title,
                    path,
                    line: Some(hit.line),
                    identity: &[&hit.subject, &number.to_string()],
                    remediation: about.remediation,
                }
                .finding();
                finding.detail = Some(match reason {
                    Some(reason) => format!("{} Suppressed by a comment: {reason}", about.why),
                    None => about.why.to_owned(),
                });
                finding.references = about.references.iter().map(|&it| it.to_owned()).collect();
                self.push(finding);
            }
        }
        for suppression in suppressions.iter() {
            let reason = match () {
                () if suppression.rule.is_empty() => "names no rule".to_owned(),
                () if !self.known.contains(suppression.rule.as_str()) => {
                    format!("there is no rule `{}`", suppression.rule)
                }
                () if suppression.reason.is_empty() => format!("gives no reason for `{}`", suppression.rule),
                () => continue,
            };
            let finding = Problem {
                rule: rules::SUPPRESSION.id,
                severity: rules::SUPPRESSION.severity,
                status: Status::Open,
                title: format!("{}: {reason}", rules::SUPPRESSION.title),
                path,
                line: Some(suppression.line),
                identity: &[&reason],
                remediation: rules::SUPPRESSION.remediation,
            };
            self.push(finding.finding());
        }
    }

    fn push(&mut self, finding: Finding) {
        if finding.status == Status::NotApplicable {
            self.output.suppressed += 1;
        } else {
            let Severities { critical, high, medium, low, info } = &mut self.output.findings;
            *match finding.severity {
                Severity::Critical => critical,
                Severity::High => high,
                Severity::Medium => medium,
                Severity::Low => low,
                Severity::Info => info,
            } += 1;
        }
        self.findings.push(finding);
    }

    /// Reports what was not read.
    fn unread(&mut self, about: &'static About, path: &str, error: &ParseError) {
        if self.output.skipped.len() < MAX_SKIPPED {
            self.output.skipped.push(Skipped { path: path.to_owned(), reason: error.to_string() });
        }
        let finding = Problem {
            rule: about.id,
            severity: about.severity,
            status: Status::Error,
            title: format!("{}: {}", about.title, error.reason),
            path,
            line: error.line,
            identity: &[&error.reason],
            remediation: about.remediation,
        };
        self.findings.push(finding.finding());
    }
}
