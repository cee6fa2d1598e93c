//! What the tasks share: managers, installed packages, and the updates that go from `outdated` through an approval to `update` and
//! `verify`.

use orch_plugin_kit::version::Order;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// What keeps the packages of a system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Manager {
    /// Debian, Ubuntu and what is made of them: dpkg and apt.
    Apt,
    /// Alpine.
    Apk,
    /// Fedora, Red Hat and what is made of it: rpm and dnf.
    Dnf,
}

impl Manager {
    /// The name users write.
    pub fn name(self) -> &'static str {
        match self {
            Manager::Apt => "apt",
            Manager::Apk => "apk",
            Manager::Dnf => "dnf",
        }
    }

    /// Which of two versions is the later one.
    pub fn compare(self, left: &str, right: &str) -> Ordering {
        match self {
            Manager::Apt => Order::Debian.compare(left, right),
            Manager::Apk => Order::Apk.compare(left, right),
            Manager::Dnf => Order::Rpm.compare(left, right),
        }
    }

    /// Why a name cannot be one of a package, an architecture none, or a version no version. They become arguments of programs.
    ///
    /// # Errors
    /// The reason, a lower-case fragment.
    pub fn check(self, name: &str, architecture: Option<&str>, version: &str) -> Result<(), String> {
        let begins = |text: &str| text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        let has_only =
            |text: &str, others: &[u8]| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || others.contains(&byte));
        let name_fits = match self {
            Manager::Apt => has_only(name, b"+-."),
            Manager::Apk | Manager::Dnf => has_only(name, b"+-._"),
        };
        if name.len() > 200 || !begins(name) || !name_fits {
            return Err("the name is none of a package".to_owned());
        }
        if architecture.is_some_and(|text| text.len() > 50 || !begins(text) || !has_only(text, b"-_")) {
            return Err("the architecture is none".to_owned());
        }
        if version.len() > 200 || !begins(version) || !has_only(version, b".+-~:^_") {
            return Err("the version is none".to_owned());
        }
        Ok(())
    }
}

/// One installed package.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Installed {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it was built for.
    pub architecture: Option<String>,
    /// The package of source code that it was made of.
    pub source: Option<String>,
    /// Whether it is to stay at its version.
    pub held: bool,
    /// dpkg's word for it, `installed` if all is well.
    pub state: String,
    /// What it needs, as it is written in the database.
    pub needs: Vec<String>,
    /// What it stands for besides its name, as it is written.
    pub provides: Option<String>,
    /// The 1-based line in the database.
    pub line: Option<u32>,
}

impl Installed {
    /// Whether it is unpacked and configured.
    pub fn is_well(&self) -> bool {
        self.state == INSTALLED
    }
}

/// The state of a package that is unpacked and configured.
pub const INSTALLED: &str = "installed";

/// A change of one package. What `outdated` returns is what `update` and `verify` take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Update {
    /// The package.
    pub name: String,
    /// What it was built for.
    #[serde(default)]
    pub architecture: Option<String>,
    /// The installed version.
    pub from: String,
    /// The version that it is to have.
    pub to: String,
    /// Whether a later version comes from an archive for security; null where nobody says.
    #[serde(default)]
    pub security: Option<bool>,
    /// Bytes to download, where it is known.
    #[serde(default)]
    pub size: Option<u64>,
    /// Where it comes from, as `origin/suite`, a repository's name, or a file of the index.
    #[serde(default)]
    pub source: Option<String>,
}

impl Update {
    /// `name:architecture`, or the name.
    pub fn title(&self) -> String {
        title(&self.name, self.architecture.as_deref())
    }

    /// Whether it is about this installed package.
    pub fn is_of(&self, installed: &Installed) -> bool {
        self.name == installed.name && (self.architecture.is_none() || self.architecture == installed.architecture)
    }
}

/// `name:architecture`, or the name.
pub fn title(name: &str, architecture: Option<&str>) -> String {
    match architecture {
        Some(architecture) if architecture != "all" && architecture != "noarch" => format!("{name}:{architecture}"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_becomes_an_argument_is_a_name_and_a_version() {
        assert_eq!(Manager::Apt.check("libstdc++6", Some("kfreebsd-amd64"), "1:12.2~rc1-14+b1"), Ok(()));
        assert_eq!(Manager::Dnf.check("python3_x", Some("x86_64"), "1:2.0^git-3.el9"), Ok(()));
        for (name, version) in [
            ("-o", "1"),
            ("a b", "1"),
            ("a=2", "1"),
            ("", "1"),
            ("a/b", "1"),
            ("a", ""),
            ("a", "-1"),
            ("a", "1 2"),
            ("a", "1=2"),
            ("a", "1\n"),
            ("ä", "1"),
        ] {
            assert!(Manager::Apt.check(name, None, version).is_err(), "{name:?} {version:?}");
        }
        assert!(Manager::Apt.check(&"a".repeat(201), None, "1").is_err());
        assert!(Manager::Apt.check("a", Some("amd64 -o"), "1").is_err());
    }
}
