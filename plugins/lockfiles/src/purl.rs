//! Package URLs: <https://github.com/package-url/purl-spec>, with the rules of the types this plugin writes.

use crate::model::{Ecosystem, Origin, Package};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The package URL of a package; `None` for first-party code and for packages that only exist as a path, because a package
/// URL would claim that they are the registry's package of that name, and for an empty name.
pub fn purl(package: &Package) -> Option<String> {
    let mut qualifiers: BTreeMap<&str, String> =
        package.qualifiers.iter().map(|(key, value)| (*key, value.clone())).collect();
    match &package.origin {
        Origin::FirstParty | Origin::Path(_) => return None,
        Origin::Registry => {}
        Origin::OtherRegistry(url) => {
            qualifiers.insert("repository_url", url.clone());
        }
        Origin::Git { url, commit } => {
            let commit = commit.as_ref().map(|commit| format!("@{commit}")).unwrap_or_default();
            // Other systems name themselves: `hg+https://`.
            let named = url.split_once("://").is_some_and(|(scheme, _)| scheme.contains('+'));
            qualifiers.insert("vcs_url", format!("{}{url}{commit}", if named { "" } else { "git+" }));
        }
        Origin::Url(url) => {
            qualifiers.insert("download_url", url.clone());
        }
    }
    let (namespace, name) = namespace_and_name(package);
    if name.is_empty() {
        return None;
    }
    let mut text = format!("pkg:{}", package.ecosystem.purl_type());
    for segment in namespace.split('/').filter(|segment| !segment.is_empty()) {
        text.push('/');
        encode(segment, &mut text);
    }
    text.push('/');
    encode(&name, &mut text);
    if let Some(version) = package.version.as_deref().filter(|version| !version.is_empty()) {
        text.push('@');
        encode(version, &mut text);
    }
    // A map keeps the keys sorted, as the canonical form asks.
    for (number, (key, value)) in qualifiers.iter().filter(|(_, value)| !value.is_empty()).enumerate() {
        text.push(if number == 0 { '?' } else { '&' });
        text.push_str(key);
        text.push('=');
        encode_qualifier(value, &mut text);
    }
    Some(text)
}

/// Splits and changes a name as the type's rules say.
fn namespace_and_name(package: &Package) -> (String, String) {
    let group = package.group.clone().unwrap_or_default();
    match package.ecosystem {
        Ecosystem::Cargo => (String::new(), package.name.clone()),
        // Names with upper-case letters are from before npm forbade them; the type's rule is lower case for all.
        Ecosystem::Npm => (group.to_lowercase(), package.name.to_lowercase()),
        Ecosystem::Pypi => (String::new(), pypi_name(&package.name)),
        Ecosystem::Deb | Ecosystem::Apk | Ecosystem::Composer => (group.to_lowercase(), package.name.to_lowercase()),
        // Names of RPM packages, gems and libraries of Java and .NET keep their case.
        Ecosystem::Rpm => (group.to_lowercase(), package.name.clone()),
        Ecosystem::Maven => (group, package.name.clone()),
        Ecosystem::Gem | Ecosystem::Nuget => (String::new(), package.name.clone()),
        Ecosystem::Go => {
            let path = package.name.to_lowercase();
            match path.rsplit_once('/') {
                Some((namespace, name)) => (namespace.to_owned(), name.to_owned()),
                None => (String::new(), path),
            }
        }
    }
}

/// A Python distribution's name in the one form that compares equal: lower case, and `-` for each run of `-`, `_` and `.`
/// (the "Names and normalization" specification).
pub fn pypi_name(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for character in name.trim().chars() {
        if matches!(character, '-' | '_' | '.') {
            if !normal.ends_with('-') {
                normal.push('-');
            }
        } else {
            normal.extend(character.to_lowercase());
        }
    }
    normal
}

fn encode(text: &str, out: &mut String) {
    percent_encode(text, b"", out);
}

/// In a qualifier's value the slash stays as it is, as in the specification's own examples.
fn encode_qualifier(text: &str, out: &mut String) {
    percent_encode(text, b"/", out);
}

fn percent_encode(text: &str, also_plain: &[u8], out: &mut String) {
    for byte in text.bytes() {
        // The colon is unambiguous everywhere in a package URL, and the specification says not to encode it.
        if byte.is_ascii_alphanumeric() || b".-_~:".contains(&byte) || also_plain.contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ecosystem: Ecosystem, group: Option<&str>, name: &str, version: &str, expected: &str) {
        let mut package = Package::new(ecosystem, name, Some(version.to_owned()));
        package.group = group.map(str::to_owned);
        assert_eq!(purl(&package).as_deref(), Some(expected));
    }

    #[test]
    fn types_have_their_rules() {
        check(Ecosystem::Cargo, None, "Inflector_x", "0.11.4+b", "pkg:cargo/Inflector_x@0.11.4%2Bb");
        check(Ecosystem::Npm, Some("@acme"), "Widget", "1.0.0", "pkg:npm/%40acme/widget@1.0.0");
        check(Ecosystem::Pypi, None, "Zope._Interface", "5", "pkg:pypi/zope-interface@5");
        check(Ecosystem::Go, None, "github.com/Acme/Kit/v2", "v2.0.0", "pkg:golang/github.com/acme/kit/v2@v2.0.0");
        check(Ecosystem::Go, None, "a.b/c", "v2.0.0+incompatible", "pkg:golang/a.b/c@v2.0.0%2Bincompatible");
        check(Ecosystem::Deb, Some("debian"), "libc6", "1:2.3-4+deb12u1~x", "pkg:deb/debian/libc6@1:2.3-4%2Bdeb12u1~x");
        check(Ecosystem::Rpm, Some("Fedora"), "perl-IO", "1-2.fc40", "pkg:rpm/fedora/perl-IO@1-2.fc40");
        check(Ecosystem::Composer, Some("Acme"), "Kit", "v1.0", "pkg:composer/acme/kit@v1.0");
        check(Ecosystem::Maven, Some("org.Example"), "Kit", "1", "pkg:maven/org.Example/Kit@1");
        check(Ecosystem::Nuget, None, "Acme.Kit", "1", "pkg:nuget/Acme.Kit@1");
        check(Ecosystem::Gem, None, "Kit_x", "1", "pkg:gem/Kit_x@1");
        check(Ecosystem::Cargo, None, "a/b c@é", "1", "pkg:cargo/a%2Fb%20c%40%C3%A9@1");
    }

    #[test]
    fn origins_become_qualifiers() {
        let mut package = Package::new(Ecosystem::Cargo, "kit", Some("1.0.0".into()));
        package.origin = Origin::Git { url: "https://git.example/kit".into(), commit: Some("abc".into()) };
        assert_eq!(purl(&package).as_deref(), Some("pkg:cargo/kit@1.0.0?vcs_url=git%2Bhttps://git.example/kit%40abc"));
        package.origin = Origin::OtherRegistry("https://crates.example/index?a=b&c".into());
        package.qualifiers.insert("arch", "all".into());
        assert_eq!(
            purl(&package).as_deref(),
            Some("pkg:cargo/kit@1.0.0?arch=all&repository_url=https://crates.example/index%3Fa%3Db%26c")
        );
        package.origin = Origin::Path("../kit".into());
        assert_eq!(purl(&package), None);
        assert_eq!(purl(&Package::new(Ecosystem::Go, "a/", None)), None, "a package URL has a name");
    }
}
