//! `requirements.txt`: joins continued lines, drops comments, and collects what each logical line says. The lines themselves
//! are read by `requirements_line`.

use super::requirements_line::{Line, Requirement, parse as parse_line};
use super::{MAX_PACKAGES, finish};
use crate::model::{Ecosystem, Include, Origin, Package, Packages, Scope};
use crate::purl::pypi_name;
use orch_plugin_kit::parse::ParseError;
use std::collections::BTreeMap;

/// A file with more wrong lines than this is no requirements file.
const MAX_PROBLEMS: usize = 20;

/// Reads a requirements file. `path` is where it lies in the tree: includes are relative to it, and a name such as
/// `requirements-dev.txt` says that its packages are for development.
///
/// # Errors
/// When most of it is not what pip reads.
pub fn parse(text: &str, path: &str) -> Result<Packages, ParseError> {
    let mut found = Packages::default();
    let mut index = Origin::Registry;
    let scope = scope_of_file(path);
    for (line, content) in logical_lines(text) {
        if found.packages.len() + found.includes.len() > MAX_PACKAGES {
            return Err(ParseError::whole(format!("more than {MAX_PACKAGES} packages")));
        }
        match parse_line(&content) {
            Ok(Line::Nothing) => {}
            Ok(Line::Index(url)) if url.trim_end_matches('/') == "https://pypi.org/simple" => index = Origin::Registry,
            Ok(Line::Index(url)) => index = Origin::OtherRegistry(url),
            Ok(Line::Include(target)) => include(&mut found, path, &target, false, line),
            Ok(Line::Constraint(target)) => include(&mut found, path, &target, true, line),
            Ok(Line::Requirement(requirement)) => {
                let mut package = package(requirement, line);
                package.scope = scope;
                found.packages.push(package);
            }
            Err(reason) => found.problems.push(ParseError::at(line, reason)),
        }
        if found.problems.len() > MAX_PROBLEMS {
            return Err(ParseError::at(line, "too many lines that are no requirements"));
        }
    }
    // `--index-url` counts for the whole file, wherever it stands.
    for package in found.packages.iter_mut().filter(|package| package.origin == Origin::Registry) {
        package.origin = index.clone();
    }
    finish(found)
}

fn package(requirement: Requirement, line: u32) -> Package {
    let mut package = Package::new(Ecosystem::Pypi, pypi_name(&requirement.name), requirement.pinned);
    package.line = Some(line);
    package.direct = true;
    package.origin = requirement.origin.unwrap_or(Origin::Registry);
    package.hashes = requirement.hashes;
    let from_network = matches!(package.origin, Origin::Registry | Origin::Url(_));
    package.lacks_integrity = from_network && package.hashes.is_empty() && package.version.is_some();
    if !requirement.extras.is_empty() {
        package.properties.push(("extras", requirement.extras.join(",")));
    }
    if let Some(marker) = requirement.marker {
        package.properties.push(("marker", marker));
    }
    if package.version.is_none() && !requirement.specifier.is_empty() {
        package.properties.push(("specifier", requirement.specifier));
    }
    package
}

/// Gives unpinned packages the versions that constraint files pin.
pub fn apply_constraints(found: &mut Packages, pins: &BTreeMap<String, String>) {
    for package in found.packages.iter_mut().filter(|package| package.version.is_none()) {
        if !matches!(package.origin, Origin::Registry | Origin::OtherRegistry(_)) {
            continue;
        }
        if let Some(version) = pins.get(&package.name) {
            package.version = Some(version.clone());
            package.lacks_integrity = package.hashes.is_empty();
        }
    }
}

/// Joins lines that end with a backslash and removes comments, as pip does: a comment ends a continued line.
fn logical_lines(text: &str) -> Vec<(u32, String)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = Vec::new();
    let mut open: Option<(u32, String)> = None;
    for (number, line) in text.lines().enumerate() {
        let number = u32::try_from(number + 1).unwrap_or(u32::MAX);
        let is_comment = line.trim_start().starts_with('#');
        let (first, mut content) = open.take().unwrap_or((number, String::new()));
        match line.strip_suffix('\\') {
            Some(line) if !is_comment => {
                content.push_str(line);
                open = Some((first, content));
            }
            _ => {
                if is_comment {
                    content.push(' ');
                }
                content.push_str(line);
                lines.push((first, content));
            }
        }
    }
    lines.extend(open);
    for (_, content) in &mut lines {
        let comment =
            if content.starts_with('#') { Some(0) } else { content.find(" #").or_else(|| content.find("\t#")) };
        if let Some(comment) = comment {
            content.truncate(comment);
        }
    }
    lines
}

fn include(found: &mut Packages, path: &str, target: &str, constraint: bool, line: u32) {
    match join_inside(path, target) {
        Ok(path) => found.includes.push(Include { path, constraint, line }),
        Err(reason) => found.problems.push(ParseError::at(line, reason)),
    }
}

/// The place of an included file, if it is inside the tree.
fn join_inside(path: &str, target: &str) -> Result<String, String> {
    let shown = super::shorten(target);
    if target.contains("://") || target.starts_with("file:") {
        return Err(format!("`{shown}` is an address, and this task has no network"));
    }
    if target.starts_with(['/', '\\']) || target.contains([':', '\0']) {
        return Err(format!("`{shown}` is outside of the tree"));
    }
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or_else(|| format!("`{shown}` is outside of the tree"))?;
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() { Err(format!("`{shown}` is no file")) } else { Ok(parts.join("/")) }
}

/// The format has no place for it, but the habit is to have a file for each purpose.
fn scope_of_file(path: &str) -> Scope {
    const PURPOSES: [&str; 9] = ["dev", "develop", "development", "test", "tests", "testing", "docs", "doc", "lint"];
    let file = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let for_development = file.split(['-', '_', '.']).any(|word| PURPOSES.contains(&word));
    if for_development { Scope::Dev } else { Scope::Required }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn continued_lines_and_comments() {
        let text = "# head\nkit==1.0 \\\n    --hash=sha256:HASH \\\n    --hash=sha512:00  # via app\n\nother==2 # why\n--index-url https://py.example/simple\n"
            .replace("HASH", &"a1".repeat(32));
        let found = parse(&text, "requirements.txt").unwrap();
        let [kit, other] = &found.packages[..] else { panic!("{found:?}") };
        assert_eq!((kit.line, kit.hashes.len(), kit.lacks_integrity), (Some(2), 1, false));
        assert_eq!((other.version.as_deref(), other.line, other.lacks_integrity), (Some("2"), Some(6), true));
        assert_eq!(kit.origin, Origin::OtherRegistry("https://py.example/simple".into()));
    }

    #[test]
    fn includes_stay_inside() {
        let text = "-r ../base.txt\n-c limits.txt\n-r ../../../etc/passwd\n-r https://a.example/x\n-r /etc/passwd\n";
        let found = parse(text, "app/req/dev.txt").unwrap();
        let paths: Vec<_> = found.includes.iter().map(|include| (include.path.as_str(), include.constraint)).collect();
        assert_eq!(paths, [("app/base.txt", false), ("app/req/limits.txt", true)]);
        assert_eq!(found.problems.iter().map(|problem| problem.line.unwrap()).collect::<Vec<_>>(), [3, 4, 5]);
    }

    #[test]
    fn constraints_pin() {
        let mut found = parse("kit>=1\nother\n", "requirements-dev.txt").unwrap();
        apply_constraints(&mut found, &BTreeMap::from([("kit".to_owned(), "1.5".to_owned())]));
        let versions: Vec<_> = found.packages.iter().map(|package| package.version.as_deref()).collect();
        assert_eq!(versions, [Some("1.5"), None]);
        assert_eq!(found.packages[0].scope, Scope::Dev);
    }

    #[test]
    fn something_else_altogether() {
        assert!(parse(&"<p>hello</p>\n".repeat(50), "requirements.txt").is_err());
    }
}
