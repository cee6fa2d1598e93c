//! Whether what the installed packages of dpkg need is installed: names, versions and alternatives of `Depends` and `Pre-Depends`.

use crate::database::Database;
use crate::model::Manager;
use std::cmp::Ordering;
use std::collections::HashMap;

/// Needs in one package; the largest metapackages have some hundred.
const MAX_NEEDS: usize = 20_000;

/// A need that nothing installed fulfils.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The package that needs it.
    pub package: String,
    /// The 1-based line of that package.
    pub line: Option<u32>,
    /// What it needs, as it is written.
    pub need: String,
}

/// What is missing. Architectures behind a colon are not looked at.
pub fn broken(database: &Database) -> Vec<Broken> {
    let mut there: HashMap<&str, Vec<Option<&str>>> = HashMap::new();
    for one in &database.packages {
        there.entry(&one.name).or_default().push(Some(&one.version));
        for provided in one.provides.iter().flat_map(|all| all.split(',')) {
            let (name, relation) = relation(provided);
            // A name without a version fulfils no need of a version (deb-control(5)).
            there.entry(name).or_default().push(relation.map(|(_, version)| version));
        }
    }
    let fulfils = |alternative: &str| {
        let (name, relation) = relation(alternative);
        there.get(name).is_some_and(|versions| {
            versions.iter().any(|version| match (relation, version) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some((operator, wanted)), Some(version)) => holds(operator, Manager::Apt.compare(version, wanted)),
            })
        })
    };
    let mut all = Vec::new();
    for one in &database.packages {
        let needs = one.needs.iter().flat_map(|all| all.split(',')).map(str::trim).filter(|need| !need.is_empty());
        for need in needs.take(MAX_NEEDS).filter(|need| !need.split('|').any(fulfils)) {
            all.push(Broken { package: one.name.clone(), line: one.line, need: need.replace('\n', " ") });
        }
    }
    all
}

/// The name and, where there is one, the operator and version of `name:any (>= 1.0)`.
fn relation(text: &str) -> (&str, Option<(&str, &str)>) {
    let text = text.trim();
    let (name, rest) = text.split_once('(').unwrap_or((text, ""));
    let name = name.split([':', '[', '<']).next().unwrap_or_default().trim();
    let inner = rest.split(')').next().unwrap_or_default().trim();
    let end = inner.find(|letter: char| !matches!(letter, '<' | '>' | '=')).unwrap_or(inner.len());
    let (operator, version) = inner.split_at(end);
    (name, (!inner.is_empty()).then(|| (operator, version.trim())))
}

fn holds(operator: &str, is: Ordering) -> bool {
    match operator {
        "=" => is == Ordering::Equal,
        ">=" | ">" => is != Ordering::Less,
        "<=" | "<" => is != Ordering::Greater,
        ">>" => is == Ordering::Greater,
        "<<" => is == Ordering::Less,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dpkg;

    #[track_caller]
    fn check(needs: &str, expected: &[&str]) {
        let text = format!(
            "Package: one\nStatus: install ok installed\nVersion: 1\nDepends: {needs}\n\nPackage: two\nStatus: install ok installed\nVersion: 2.0-1\n\
             Provides: mailer, post (= 3)\n"
        );
        let packages = dpkg::parse(text.as_bytes()).unwrap();
        let found = broken(&Database { manager: Manager::Apt, path: "", packages });
        assert_eq!(found.iter().map(|one| one.need.as_str()).collect::<Vec<_>>(), expected, "{needs}");
    }

    #[test]
    fn needs() {
        check("two, two (>= 2.0), two (= 2.0-1), two:any (<< 3), mailer, post (>= 2)", &[]);
        check("two (>> 2.0-1), two (<< 2), three", &["two (>> 2.0-1)", "two (<< 2)", "three"]);
        check("three | two (>= 9) | mailer", &[]);
        check("mailer (>= 1), post (>= 4) | three", &["mailer (>= 1)", "post (>= 4) | three"]);
        check("two (~ 1), (((, ,", &["two (~ 1)", "((("]);
    }
}
