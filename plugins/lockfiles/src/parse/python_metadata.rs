//! `METADATA` and `PKG-INFO` of an installed Python distribution: headers like those of a mail (the "Core metadata" specification).

use crate::model::{Ecosystem, Package};
use crate::purl::pypi_name;
use orch_plugin_kit::parse::ParseError;

/// Reads one: the package, and the names it needs without any extra.
///
/// # Errors
/// When it has no name or version.
pub fn parse(text: &str) -> Result<(Package, Vec<String>), ParseError> {
    let (mut name, mut version, mut license, mut expression) = (None, None, None, None);
    let mut needs = Vec::new();
    // The headers end at the first empty line; the description follows.
    for line in text.lines().take_while(|line| !line.trim().is_empty()) {
        let Some((field, value)) = line.split_once(':').filter(|_| !line.starts_with([' ', '\t'])) else { continue };
        let value = Some(value.trim()).filter(|value| !value.is_empty() && *value != "UNKNOWN");
        match field.to_ascii_lowercase().as_str() {
            "name" => name = name.or(value),
            "version" => version = version.or(value),
            "license" => license = license.or(value),
            "license-expression" => expression = expression.or(value),
            "requires-dist" => needs.extend(value.and_then(need)),
            _ => {}
        }
    }
    let (Some(name), Some(version)) = (name, version) else {
        return Err(ParseError::whole("a distribution without `Name` or `Version`"));
    };
    let mut package = Package::new(Ecosystem::Pypi, pypi_name(name), Some(version.to_owned()));
    // The older field often has the licence's whole text.
    package.license = expression.or(license.filter(|text| text.len() <= 100)).map(str::to_owned);
    Ok((package, needs))
}

/// The name in `kit[fast] (>=1) ; python_version < "3"`, unless it is of an extra.
fn need(requirement: &str) -> Option<String> {
    let (requirement, marker) = requirement.split_once(';').unwrap_or((requirement, ""));
    let end = requirement.find(|it: char| !(it.is_alphanumeric() || "-_.".contains(it))).unwrap_or(requirement.len());
    let name = pypi_name(&requirement[..end]);
    (!name.is_empty() && !marker.contains("extra")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let text = "Metadata-Version: 2.1\nName: Kit_x\nVersion: 1.0\nLicense: MIT\n  and more\nRequires-Dist: Rope.y[fast] (>=1)\n\
                    Requires-Dist: tool; extra == 'dev'\nRequires-Dist: base>=1; python_version < '3'\n\nName: other\n";
        let (package, needs) = parse(text).unwrap();
        assert_eq!((package.name.as_str(), package.version.as_deref()), ("kit-x", Some("1.0")));
        assert_eq!((package.license.as_deref(), needs), (Some("MIT"), vec!["rope-y".to_owned(), "base".to_owned()]));
        assert!(parse("Name: a\n\nVersion: 1\n").is_err() && parse("").is_err());
        assert_eq!(
            parse("name: a\nversion: 1\nlicense: MIT\nlicense-expression: ISC\n").unwrap().0.license.as_deref(),
            Some("ISC")
        );
    }
}
