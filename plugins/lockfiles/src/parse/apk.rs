//! Alpine's package database: `lib/apk/db/installed`, or `usr/lib/apk/db/installed` in systems whose `lib` is below `usr`.

pub use super::os_release::{Distribution, set_distribution};
use super::poetry_lock::mark_unneeded_as_direct;
use super::{MAX_CANDIDATES, finish};
use crate::model::{Ecosystem, Package, Packages};
use orch_plugin_kit::parse::ParseError;
use std::collections::HashMap;

/// The fields of one package that are read, each a letter in the file.
#[derive(Default)]
struct Entry<'a> {
    line: u32,
    name: Option<&'a str>,
    version: Option<&'a str>,
    architecture: Option<&'a str>,
    license: Option<&'a str>,
    origin: Option<&'a str>,
    size: Option<&'a str>,
    needs: &'a str,
    provides: &'a str,
}

/// Reads the database.
///
/// # Errors
/// When a line is no field, or a package lacks its name or version.
pub fn parse(text: &str, _path: &str) -> Result<Packages, ParseError> {
    let mut found = Packages::default();
    let mut needs: Vec<&str> = Vec::new();
    let mut provided: HashMap<&str, Vec<usize>> = HashMap::new();
    for entry in entries(text)? {
        let (Some(name), Some(version)) = (entry.name, entry.version) else {
            return Err(ParseError::at(entry.line, "a package without `P` (its name) or `V` (its version)"));
        };
        let index = found.packages.len();
        super::check_count(index)?;
        let mut package = Package::new(Ecosystem::Apk, name, Some(version.to_owned()));
        package.line = Some(entry.line);
        package.license = entry.license.map(str::to_owned);
        package.qualifiers.extend(entry.architecture.map(|it| ("arch", it.to_owned())));
        package.properties.extend(entry.origin.map(|it| ("source-package", it.to_owned())));
        package.properties.extend(entry.size.map(|it| ("installed-size", it.to_owned())));
        found.packages.push(package);
        for name in std::iter::once(name).chain(names(entry.provides)) {
            let providers = provided.entry(name).or_default();
            if providers.last() != Some(&index) {
                providers.push(index);
            }
        }
        needs.push(entry.needs);
    }
    for (package, needs) in found.packages.iter_mut().zip(needs) {
        for name in names(needs) {
            let targets = provided.get(name).map_or(&[][..], Vec::as_slice);
            package.dependencies.extend(targets.iter().take(MAX_CANDIDATES));
        }
    }
    let mut found = finish(found)?;
    mark_unneeded_as_direct(&mut found);
    Ok(found)
}

/// Splits the text at its empty lines. Lines of files (`F`, `R`, `a`, `Z`, `M`) are most of it and are not looked at.
fn entries(text: &str) -> Result<Vec<Entry<'_>>, ParseError> {
    let mut all = Vec::new();
    let mut current: Option<Entry> = None;
    for (number, line) in text.lines().enumerate() {
        let number = u32::try_from(number + 1).unwrap_or(u32::MAX);
        let line = line.trim_end();
        if line.is_empty() {
            all.extend(current.take());
            continue;
        }
        let Some((field, value)) = line.split_once(':').filter(|(field, _)| field.len() == 1) else {
            return Err(ParseError::at(number, "no field: one is a letter, a colon and a value"));
        };
        let entry = current.get_or_insert_with(|| Entry { line: number, ..Entry::default() });
        let text = (!value.is_empty()).then_some(value);
        match field {
            "P" => entry.name = text,
            "V" => entry.version = text,
            "A" => entry.architecture = text,
            "L" => entry.license = text,
            "o" => entry.origin = text,
            "I" => entry.size = text,
            "D" => entry.needs = value,
            "p" => entry.provides = value,
            _ => {}
        }
    }
    all.extend(current);
    Ok(all)
}

/// The names in `so:libc.so.1=1 kit>1.0 tool@edge !other`; the last is a conflict.
fn names(relations: &str) -> impl Iterator<Item = &str> {
    relations.split_ascii_whitespace().filter(|it| !it.starts_with('!')).filter_map(|relation| {
        let name = relation.split(['=', '<', '>', '~', '@']).next()?;
        (!name.is_empty()).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::purl::purl;

    #[test]
    fn installed_packages_and_their_needs() {
        let text = "C:Q1abc=\nP:kit\nV:1.2-r3\nA:x86_64\nS:1\nI:4096\nL:MIT AND ISC\no:kit-all\nD:so:libbase.so.1 /bin/sh !old tool>=1@edge\n\
                    F:usr\nF:usr/bin\nR:kit\nZ:Q1abc=\n\nP:base\nV:2_rc1-r0\nA:x86_64\np:so:libbase.so.1=1.0 /bin/sh base=2\n\nP:tool\nV:3\n";
        let mut found = parse(text, "lib/apk/db/installed").unwrap();
        set_distribution(&mut found, &Distribution { version: Some("3.18.4".into()), ..Distribution::named("alpine") });
        let [kit, base, tool] = &found.packages[..] else { panic!("{found:?}") };
        assert_eq!((kit.dependencies.clone(), kit.direct, base.direct), (vec![1, 2], true, false));
        assert_eq!(kit.license.as_deref(), Some("MIT AND ISC"));
        assert_eq!(kit.properties[0], ("source-package", "kit-all".to_owned()));
        assert_eq!(purl(kit).as_deref(), Some("pkg:apk/alpine/kit@1.2-r3?arch=x86_64&distro=alpine-3.18.4"));
        assert_eq!((tool.line, tool.dependencies.len()), (Some(20), 0));
    }

    #[test]
    fn mistakes_have_a_line() {
        assert_eq!(parse("P:a\nV:1\n\nnonsense\n", "").unwrap_err().line, Some(4));
        assert_eq!(parse("\n\nP:a\n", "").unwrap_err().line, Some(3));
        assert!(parse("", "").unwrap().packages.is_empty());
    }
}
