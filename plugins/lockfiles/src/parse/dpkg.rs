//! The dpkg database: `var/lib/dpkg/status`, or the files of `var/lib/dpkg/status.d` that images without a package manager have.

pub use super::os_release::{Distribution, parse_os_release, set_distribution};
use super::{MAX_CANDIDATES, finish, poetry_lock::mark_unneeded_as_direct};
use crate::model::{Ecosystem, Package, Packages};
use orch_plugin_kit::parse::ParseError;
use std::collections::{BTreeMap, HashMap};

/// Reads a status file.
///
/// # Errors
/// When a line is no field, or a package lacks its name or version.
pub fn parse(text: &str, _path: &str) -> Result<Packages, ParseError> {
    let mut found = Packages::default();
    let mut needs = Vec::new();
    let mut provided: HashMap<String, Vec<usize>> = HashMap::new();
    for paragraph in paragraphs(text)? {
        let field = |name: &str| paragraph.fields.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        // Files of `status.d` have no such field: what is listed is installed.
        if field("status").is_some_and(|status| status.split_ascii_whitespace().last() != Some("installed")) {
            continue;
        }
        let (Some(name), Some(version)) = (field("package"), field("version")) else {
            return Err(ParseError::at(paragraph.line, "a package without `Package` or `Version`"));
        };
        let index = found.packages.len();
        super::check_count(index)?;
        let mut package = Package::new(Ecosystem::Deb, name, Some(version.to_owned()));
        package.line = Some(paragraph.line);
        if let Some(architecture) = field("architecture") {
            package.qualifiers.insert("arch", architecture.to_owned());
        }
        if let Some(source) = field("source") {
            package.properties.push(("source-package", source.to_owned()));
        }
        provided.entry(name.to_owned()).or_default().push(index);
        for virtual_name in field("provides").into_iter().flat_map(alternatives) {
            provided.entry(virtual_name.to_owned()).or_default().push(index);
        }
        let relations = [field("depends"), field("pre-depends")].into_iter().flatten();
        needs.push(relations.flat_map(alternatives).map(str::to_owned).collect::<Vec<_>>());
        found.packages.push(package);
    }
    for (from, names) in needs.iter().enumerate() {
        for name in names {
            let targets = provided.get(name).map_or(&[][..], Vec::as_slice);
            found.packages[from].dependencies.extend(targets.iter().take(MAX_CANDIDATES));
        }
    }
    let mut found = finish(found)?;
    mark_unneeded_as_direct(&mut found);
    Ok(found)
}

struct Paragraph {
    line: u32,
    /// By lower-case name. Only the fields that are read are kept.
    fields: BTreeMap<String, String>,
}

const WANTED: [&str; 8] =
    ["package", "version", "status", "architecture", "source", "depends", "pre-depends", "provides"];

/// Splits deb822 text: `Field: value`, continued on lines that begin with a blank; an empty line ends a package.
fn paragraphs(text: &str) -> Result<Vec<Paragraph>, ParseError> {
    let mut all = Vec::new();
    let mut current: Option<Paragraph> = None;
    let mut field: Option<String> = None;
    for (number, line) in text.lines().enumerate() {
        let number = u32::try_from(number + 1).unwrap_or(u32::MAX);
        if line.trim().is_empty() {
            all.extend(current.take());
            field = None;
        } else if line.starts_with([' ', '\t']) {
            let Some(paragraph) = &mut current else {
                return Err(ParseError::at(number, "a continued line without a field"));
            };
            if let Some(value) = field.as_ref().and_then(|field| paragraph.fields.get_mut(field)) {
                value.push('\n');
                value.push_str(line.trim());
            }
        } else {
            let Some((name, value)) = line.split_once(':') else {
                return Err(ParseError::at(number, "neither a field nor a continued line"));
            };
            let paragraph = current.get_or_insert_with(|| Paragraph { line: number, fields: BTreeMap::new() });
            let name = name.trim().to_ascii_lowercase();
            field = WANTED.contains(&name.as_str()).then_some(name);
            if let Some(field) = &field {
                paragraph.fields.insert(field.clone(), value.trim().to_owned());
            }
        }
    }
    all.extend(current);
    Ok(all)
}

/// The names in `a (>= 1) | b:any, c [amd64]`. Whichever alternative is installed is one that fulfils the need.
fn alternatives(relations: &str) -> impl Iterator<Item = &str> {
    relations.split([',', '|']).filter_map(|relation| {
        let name = relation.trim().split(['(', '[', '<', ':', ' ', '\n']).next()?.trim();
        (!name.is_empty()).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::purl::purl;

    #[test]
    fn installed_packages_and_their_needs() {
        let text = "Package: tool\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:2.0-1+b1\nDepends: libkit (>= 1.0), mailer | post:any\n\
                    Description: a tool\n with: more\n\nPackage: libkit\nStatus: install ok installed\nArchitecture: amd64\nSource: kit (1.4-2)\nVersion: 1.4-2\n\n\
                    Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: smail\nVersion: 3\nProvides: mailer (= 1)\nArchitecture: all\n";
        let mut found = parse(text, "var/lib/dpkg/status").unwrap();
        set_distribution(&mut found, &parse_os_release("NAME=\"Debian\"\nVERSION_ID=\"12\"\nID=debian\n"));
        let [tool, libkit, smail] = &found.packages[..] else { panic!("{found:?}") };
        assert_eq!((tool.dependencies.clone(), tool.direct, libkit.direct), (vec![1, 2], true, false));
        assert_eq!(libkit.properties, [("source-package", "kit (1.4-2)".to_owned())]);
        assert_eq!(purl(tool).as_deref(), Some("pkg:deb/debian/tool@1:2.0-1%2Bb1?arch=amd64&distro=debian-12"));
        assert_eq!(smail.line, Some(19));
    }

    #[test]
    fn mistakes_have_a_line() {
        assert_eq!(parse("Package: a\nVersion: 1\n\nnonsense\n", "").unwrap_err().line, Some(4));
        assert_eq!(parse("\n\nPackage: a\n", "").unwrap_err().line, Some(3));
        assert_eq!(parse(" a\n", "").unwrap_err().line, Some(1));
    }
}
