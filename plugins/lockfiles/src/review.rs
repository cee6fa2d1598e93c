//! The findings about packages: what a lock file leaves open.

use crate::model::{LockKind, Origin, Package};
use crate::read::LockFile;
use orch_plugin_kit::parse::ParseError;
use orch_plugin_kit::report::Problem;
use orch_sdk::{Finding, Severity, Status};
use std::collections::BTreeMap;

/// A lock file, or an entry of it, that could not be read.
pub fn parse_error(path: &str, error: &ParseError) -> Finding {
    Problem {
        rule: "lockfile-parse-error",
        severity: Severity::Medium,
        status: Status::Error,
        title: format!("`{path}` cannot be read completely: {}", error.reason),
        path,
        line: error.line,
        identity: &[&error.reason],
        remediation: "Make the file again with its own tool; what it lists is missing here.",
    }
    .finding()
}

/// Everything there is to say about the packages of one lock file.
pub fn review(file: &LockFile) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        file.found.problems.iter().map(|problem| parse_error(&file.path, problem)).collect();
    findings.extend(file.found.packages.iter().filter_map(|package| package_problem(&file.path, package)));
    findings.extend(other_registries(file));
    findings.extend(missing_integrity(file));
    findings
}

fn package_problem(path: &str, package: &Package) -> Option<Finding> {
    let name = package.display_name();
    let version = package.version.as_deref().unwrap_or_default();
    let (rule, severity, title, other, remediation) = match &package.origin {
        Origin::Registry | Origin::OtherRegistry(_) if package.version.is_none() => {
            let limits =
                package.properties.iter().find(|(name, _)| *name == "specifier").map_or("", |(_, value)| value);
            let limits = if limits.is_empty() { "any version".to_owned() } else { format!("`{limits}`") };
            let title = format!("`{name}` is not pinned: {limits} may be installed");
            let advice = "Pin it with `==`, or compile the file with a tool such as pip-tools or uv.";
            ("unpinned-dependency", Severity::Low, title, "", advice)
        }
        Origin::Git { url, commit } => match commit.as_deref() {
            Some(commit) if is_commit(commit) => {
                let title = format!("`{name}` comes from a git repository: {url}");
                let advice = "Prefer a release from the registry, which has a checksum and can be looked up.";
                ("git-dependency", Severity::Low, title, url.as_str(), advice)
            }
            moving => {
                let what = moving.map_or_else(|| "its default branch".to_owned(), |name| format!("`{name}`"));
                let title = format!("`{name}` comes from {what} of {url}, which can move");
                ("git-dependency", Severity::Medium, title, url.as_str(), "Name the full commit hash.")
            }
        },
        Origin::Url(url) => {
            let safe = !package.hashes.is_empty() && !url.starts_with("http://");
            let severity = if safe { Severity::Low } else { Severity::Medium };
            let title = format!("`{name}` comes from an address outside of any registry: {url}");
            let advice = "Prefer a release from a registry, or give the file's hash and use https.";
            ("non-registry-source", severity, title, url.as_str(), advice)
        }
        _ => return None,
    };
    let problem = Problem {
        rule,
        severity,
        status: Status::Open,
        title: crate::parse::shorten(&title),
        path,
        line: package.line,
        identity: &[package.ecosystem.name(), &name, version, other],
        remediation,
    };
    Some(problem.finding())
}

/// A full commit hash, SHA-1 or SHA-256, or the abbreviation that lock files of npm and pip users have.
fn is_commit(text: &str) -> bool {
    (7..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// One finding for each registry: a company's mirror is a fact about the file, not about each package.
fn other_registries(file: &LockFile) -> Vec<Finding> {
    let mut registries: BTreeMap<&str, (usize, Option<u32>)> = BTreeMap::new();
    for package in &file.found.packages {
        if let Origin::OtherRegistry(url) = &package.origin {
            let (count, _) = registries.entry(url).or_insert((0, package.line));
            *count += 1;
        }
    }
    let finding = |(url, (count, line)): (&str, (usize, Option<u32>))| {
        let severity = if url.starts_with("http://") { Severity::Medium } else { Severity::Low };
        let title = format!("{} from the registry {url}", packages(count));
        Problem {
            rule: "non-registry-source",
            severity,
            status: Status::Open,
            title: crate::parse::shorten(&title),
            path: &file.path,
            line,
            identity: &["registry", url],
            remediation: "Make sure that the registry is yours and that its names cannot be taken on the public one.",
        }
        .finding()
    };
    registries.into_iter().map(finding).collect()
}

/// Where no package has a hash it is the way the file was made, and said once.
fn missing_integrity(file: &LockFile) -> Vec<Finding> {
    const RULE: &str = "missing-integrity";
    let lacking: Vec<&Package> = file.found.packages.iter().filter(|package| package.lacks_integrity).collect();
    let remediation = match file.kind {
        LockKind::Requirements => "Compile the file with hashes, for example with `uv pip compile --generate-hashes`.",
        LockKind::GoMod => "Run `go mod tidy` and commit `go.sum`.",
        LockKind::GemfileLock => "Run `bundle lock --add-checksums` with Bundler 2.6 or newer.",
        _ => "Make the lock file again with a current version of its tool, against a registry that serves hashes.",
    };
    // Some formats have checksums that are of no file; they are a property.
    let has = |package: &Package| {
        !package.hashes.is_empty() || package.properties.iter().any(|(name, _)| *name == "checksum")
    };
    let none_has = !file.found.packages.iter().any(has);
    let problem = |title: String, line: Option<u32>, identity: &[&str]| {
        let (severity, status) = (Severity::Low, Status::Open);
        Problem { rule: RULE, severity, status, title, path: &file.path, line, identity, remediation }.finding()
    };
    if lacking.len() > 1 && none_has && file.kind != LockKind::GoMod {
        let title = format!("no hashes: {} can be replaced unnoticed", packages(lacking.len()));
        return vec![problem(title, None, &["all"])];
    }
    let each = |package: &&Package| {
        let (name, version) = (package.display_name(), package.version.as_deref().unwrap_or_default());
        let identity = [package.ecosystem.name(), &name, version];
        problem(format!("`{name}` {version} has no hash in the lock file"), package.line, &identity)
    };
    lacking.iter().map(each).collect()
}

fn packages(count: usize) -> String {
    if count == 1 { "1 package".to_owned() } else { format!("{count} packages") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::requirements;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found = requirements::parse(text, "requirements.txt").unwrap();
        let file = LockFile { path: "requirements.txt".into(), kind: LockKind::Requirements, found };
        let severity = |finding: &Finding| format!("{:?}", finding.severity).to_lowercase();
        let line = |finding: &Finding| {
            finding.location.as_ref().unwrap().line.map_or(String::new(), |line| format!(":{line}"))
        };
        let found: Vec<_> =
            review(&file).iter().map(|it| format!("{}{} {} {}", it.rule, line(it), severity(it), it.title)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn rules() {
        check("kit>=1\n", &["unpinned-dependency:1 low `kit` is not pinned: `>=1` may be installed"]);
        check("kit\n", &["unpinned-dependency:1 low `kit` is not pinned: any version may be installed"]);
        check("kit==1\n", &["missing-integrity:1 low `kit` 1 has no hash in the lock file"]);
        check("kit==1\ntool==2\n", &["missing-integrity low no hashes: 2 packages can be replaced unnoticed"]);
        check(
            "kit @ git+https://git.example/kit@main\n",
            &["git-dependency:1 medium `kit` comes from `main` of https://git.example/kit, which can move"],
        );
        check(
            "kit @ git+https://git.example/kit@0123456789abcdef0123456789abcdef01234567\n",
            &["git-dependency:1 low `kit` comes from a git repository: https://git.example/kit"],
        );
        let hash = "0".repeat(64);
        check(
            &format!("-i https://py.example/simple\nkit==1 --hash=sha256:{hash}\n"),
            &["non-registry-source:2 low 1 package from the registry https://py.example/simple"],
        );
        check(
            &format!("kit @ http://files.example/kit.zip#sha256={hash}\n"),
            &[
                "non-registry-source:1 medium `kit` comes from an address outside of any registry: http://files.example/kit.zip",
            ],
        );
    }

    #[test]
    fn fingerprints_survive_a_shift() {
        let prints = |text: &str| {
            let found = requirements::parse(text, "r.txt").unwrap();
            let file = LockFile { path: "r.txt".into(), kind: LockKind::Requirements, found };
            review(&file).into_iter().map(|finding| finding.fingerprint).collect::<Vec<_>>()
        };
        assert_eq!(prints("kit>=1\n"), prints("# one more line\n\nkit>=1\n"));
        assert_ne!(prints("kit>=1\n"), prints("tool>=1\n"));
    }
}
