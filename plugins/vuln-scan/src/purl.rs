//! Reads package URLs, by the purl specification, and says what the OSV schema calls their packages.

use orch_plugin_lockfiles::purl::pypi_name;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The longest that is read.
const LONGEST: usize = 2_000;

/// A package URL in its parts, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purl {
    /// As written.
    pub text: String,
    /// The type in lower case: `npm`.
    pub kind: String,
    /// Without slashes at its ends.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The version.
    pub version: Option<String>,
    /// By lower-case key.
    pub qualifiers: BTreeMap<String, String>,
}

impl Purl {
    /// Reads one; `None` if it is none.
    pub fn parse(text: &str) -> Option<Purl> {
        let text = text.trim();
        if text.len() > LONGEST || text.contains(char::is_control) {
            return None;
        }
        let rest = text.strip_prefix("pkg:")?.trim_start_matches('/');
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (kind, rest) = rest.split_once('/')?;
        // An npm scope may be written with a bare `@`, so the last one begins the version, if no slash comes after it.
        let (path, version) = match rest.rsplit_once('@') {
            Some((path, version)) if !path.is_empty() && !version.contains('/') => (path, Some(decode(version)?)),
            _ => (rest, None),
        };
        let path = path.trim_matches('/');
        let (namespace, name) = path.rsplit_once('/').unwrap_or(("", path));
        let (namespace, name) = (decode(namespace)?, decode(name)?);
        let is_type = |byte: u8| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte);
        if name.is_empty() || kind.is_empty() || !kind.bytes().all(is_type) {
            return None;
        }
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let qualifiers = pairs.map(|(key, value)| Some((key.to_ascii_lowercase(), decode(value)?)));
        Some(Purl {
            text: text.to_owned(),
            kind: kind.to_ascii_lowercase(),
            namespace,
            name,
            version: version.filter(|version| !version.is_empty()),
            qualifiers: qualifiers.collect::<Option<_>>()?,
        })
    }

    /// The ecosystem as the OSV schema names it; `None` for one that it does not know, or whose releases are not known here (openEuler).
    pub fn ecosystem(&self) -> Option<&'static str> {
        Some(match (self.kind.as_str(), self.namespace.to_ascii_lowercase().as_str()) {
            ("cargo", _) => "crates.io",
            ("npm", _) => "npm",
            ("pypi", _) => "PyPI",
            ("golang", _) => "Go",
            ("maven", _) => "Maven",
            ("gem", _) => "RubyGems",
            ("nuget", _) => "NuGet",
            ("composer", _) => "Packagist",
            ("hex", _) => "Hex",
            ("pub", _) => "Pub",
            ("swift", _) => "SwiftURL",
            ("githubactions", _) => "GitHub Actions",
            ("deb", "debian") => "Debian",
            ("deb", "ubuntu") => "Ubuntu",
            ("conan", _) => "ConanCenter",
            ("cran", _) => "CRAN",
            ("hackage", _) => "Hackage",
            ("apk", "alpine") => "Alpine",
            ("apk", "wolfi") => "Wolfi",
            ("apk", "chainguard") => "Chainguard",
            ("rpm", "redhat" | "rhel") => "Red Hat",
            ("rpm", "almalinux") => "AlmaLinux",
            ("rpm", "rocky" | "rocky-linux" | "rockylinux") => "Rocky Linux",
            ("rpm", "mageia") => "Mageia",
            ("rpm", "suse" | "sles") => "SUSE",
            ("rpm", "opensuse") => "openSUSE",
            ("rpm", namespace) if namespace.starts_with("opensuse-") => "openSUSE",
            _ => return None,
        })
    }

    /// The name as records of the ecosystem have it, normalised.
    pub fn record_name(&self, ecosystem: &str) -> String {
        let whole = match (ecosystem, self.namespace.as_str()) {
            ("Maven", namespace) => format!("{namespace}:{}", self.name),
            ("Debian" | "Ubuntu" | "Alpine" | "Wolfi" | "Chainguard", _) | (_, "") => self.name.clone(),
            _ if self.kind == "rpm" => self.name.clone(),
            (_, namespace) => format!("{namespace}/{}", self.name),
        };
        normal_name(ecosystem, &whole).into_owned()
    }
}

/// The one form of a name in which those of an ecosystem compare equal. Package URLs of npm and Go have lost their capital letters, so
/// names are compared without them there.
pub fn normal_name<'a>(ecosystem: &str, name: &'a str) -> Cow<'a, str> {
    match ecosystem {
        "PyPI" => Cow::Owned(pypi_name(name)),
        "npm" | "Go" | "NuGet" | "Packagist" | "GitHub Actions" | "SwiftURL"
            if name.chars().any(char::is_uppercase) =>
        {
            Cow::Owned(name.to_lowercase())
        }
        _ => Cow::Borrowed(name),
    }
}

fn decode(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: u8| char::from(byte).to_digit(16);
        let value = digit(rest.next()?)? * 16 + digit(rest.next()?)?;
        bytes.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, &str, &str)>) {
        let found = Purl::parse(text).map(|purl| {
            let ecosystem = purl.ecosystem().unwrap_or("-");
            (ecosystem, purl.record_name(ecosystem), purl.version.clone().unwrap_or_default())
        });
        let found = found.as_ref().map(|(ecosystem, name, version)| (*ecosystem, name.as_str(), version.as_str()));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn names_of_records() {
        check("pkg:cargo/Kit_x@1.0%2Bb", Some(("crates.io", "Kit_x", "1.0+b")));
        check("pkg:npm/%40Acme/kit@1", Some(("npm", "@acme/kit", "1")));
        check("pkg:npm/@acme/kit", Some(("npm", "@acme/kit", "")));
        check("pkg:pypi/My.Kit@1", Some(("PyPI", "my-kit", "1")));
        check("pkg:golang/Git.Example/Acme/Kit/v2@v2.0.0", Some(("Go", "git.example/acme/kit/v2", "v2.0.0")));
        check("pkg:maven/org.example/Kit@1?type=jar", Some(("Maven", "org.example:Kit", "1")));
        check("pkg:composer/Acme/kit@1", Some(("Packagist", "acme/kit", "1")));
        check("pkg:deb/debian/kit@1:2?arch=all", Some(("Debian", "kit", "1:2")));
        check("pkg:rpm/almalinux/kit@1-2.el9#sub", Some(("AlmaLinux", "kit", "1-2.el9")));
        check("pkg:generic/kit@1", Some(("-", "kit", "1")));
        for wrong in ["", "pkg:", "pkg:npm/", "npm/kit", "pkg:np m/kit", "pkg:npm/%zz", "pkg:npm/a%0ab", "pkg:npm/%ff"]
        {
            check(wrong, None);
        }
    }
}
