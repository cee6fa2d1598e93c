//! `etc/os-release`: which distribution the packages of a system are of.

use crate::model::Packages;

/// The distribution, from `etc/os-release`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// `debian`, `ubuntu`, `alpine`, ...
    pub id: String,
    /// `12`, `24.04`; the ones that are still being made have none.
    pub version: Option<String>,
}

impl Default for Distribution {
    fn default() -> Distribution {
        Distribution { id: "debian".to_owned(), version: None }
    }
}

impl Distribution {
    /// A distribution of which only the package manager is known.
    pub fn named(id: &str) -> Distribution {
        Distribution { id: id.to_owned(), version: None }
    }

    /// The namespace of its package URLs: distributions of one vendor share it.
    pub fn namespace(&self) -> &str {
        match self.id.as_str() {
            "rhel" => "redhat",
            id if id == "opensuse" || id.starts_with("opensuse-") => "opensuse",
            "sles" | "sled" | "sle_hpc" | "sles_sap" | "sle-micro" | "sl-micro" => "suse",
            id => id,
        }
    }
}

/// Reads an `os-release` file: shell-like assignments. Without an `ID` the answer is Debian, because only dpkg's own images lack it.
pub fn parse_os_release(text: &str) -> Distribution {
    let value = |key: &str| {
        let line = text.lines().filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix('=')).next_back()?;
        let value = line.trim().trim_matches(['"', '\'']).to_owned();
        (!value.is_empty()).then_some(value)
    };
    Distribution { id: value("ID").unwrap_or_else(|| Distribution::default().id), version: value("VERSION_ID") }
}

/// Says which distribution the packages are of.
pub fn set_distribution(found: &mut Packages, distribution: &Distribution) {
    let version = distribution.version.as_ref().map(|version| format!("-{version}")).unwrap_or_default();
    for package in &mut found.packages {
        package.group = Some(distribution.namespace().to_owned());
        package.qualifiers.insert("distro", format!("{}{version}", distribution.id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendors_share_a_namespace() {
        for (text, id, namespace, version) in [
            ("ID=\"rhel\"\nVERSION_ID=\"9.4\"", "rhel", "redhat", Some("9.4")),
            ("ID=opensuse-leap\nVERSION_ID=15.6\n", "opensuse-leap", "opensuse", Some("15.6")),
            ("ID='sles'\nVERSION_ID='15.5'", "sles", "suse", Some("15.5")),
            ("ID=alpine\nVERSION_ID=3.18.4", "alpine", "alpine", Some("3.18.4")),
            ("NAME=x", "debian", "debian", None),
        ] {
            let found = parse_os_release(text);
            assert_eq!((found.id.as_str(), found.namespace(), found.version.as_deref()), (id, namespace, version));
        }
    }
}
