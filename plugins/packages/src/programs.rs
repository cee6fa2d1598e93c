//! What package managers print when they are asked what they would do. Only lines that are understood count; what they say is compared
//! with the database before anything is done.

use crate::model::Manager;

/// What a program says that it would do to one package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The package.
    pub name: String,
    /// Its architecture, where it is said.
    pub architecture: Option<String>,
    /// What would happen.
    pub what: What,
    /// Where the new version comes from, where it is said.
    pub source: Option<String>,
}

/// What would happen to a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It would get this version.
    Version(String),
    /// It would be removed.
    Removed,
}

/// Reads the output of `apt-get --simulate`, `apk … --simulate` or `dnf check-update`.
pub fn planned(manager: Manager, output: &str) -> Vec<Planned> {
    match manager {
        Manager::Apt => output.lines().filter_map(apt).collect(),
        Manager::Apk => output.lines().filter_map(apk).collect(),
        Manager::Dnf => dnf(output),
    }
}

/// `Inst name[:arch] [old] (new Origin:version/suite [arch]) []`, `Remv name [old]`.
fn apt(line: &str) -> Option<Planned> {
    let (word, rest) = line.split_once(' ')?;
    let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let (name, of_name) = match name.split_once(':') {
        Some((name, architecture)) => (name, Some(architecture)),
        None => (name, None),
    };
    let planned = |what, architecture: Option<&str>, source: Option<String>| Planned {
        name: name.to_owned(),
        architecture: architecture.map(str::to_owned),
        what,
        source,
    };
    match word {
        "Remv" | "Purg" => Some(planned(What::Removed, of_name, None)),
        "Inst" => {
            let (_, inner) = rest.split_once('(')?;
            let (inner, _) = inner.split_once(')')?;
            let (version, from) = inner.split_once(' ').unwrap_or((inner, ""));
            let (from, architecture) = match from.rsplit_once('[') {
                Some((from, architecture)) => (from, architecture.strip_suffix(']')),
                None => (from, None),
            };
            let source = Some(from.trim().to_owned()).filter(|from| !from.is_empty());
            Some(planned(What::Version(version.to_owned()), of_name.or(architecture), source))
        }
        _ => None,
    }
}

/// `(1/3) Upgrading name (old -> new)`, `Installing name (new)`, `Purging name (old)`.
fn apk(line: &str) -> Option<Planned> {
    let (_, rest) = line.trim().strip_prefix('(')?.split_once(") ")?;
    let (word, rest) = rest.split_once(' ')?;
    let (name, rest) = rest.split_once(" (")?;
    let versions = rest.split_once(')')?.0;
    let what = match word {
        "Upgrading" | "Downgrading" => What::Version(versions.split_once(" -> ")?.1.to_owned()),
        "Installing" | "Replacing" | "Reinstalling" => {
            What::Version(versions.split_once(" -> ").map_or(versions, |(_, new)| new).to_owned())
        }
        "Purging" => What::Removed,
        _ => return None,
    };
    Some(Planned { name: name.to_owned(), architecture: None, what, source: None })
}

/// `name.arch  [epoch:]version-release  repository`, where a long name is followed by a line break; ends before what is obsolete.
fn dnf(output: &str) -> Vec<Planned> {
    let mut all = Vec::new();
    let mut before: Vec<&str> = Vec::new();
    for line in output.lines() {
        if line.starts_with("Obsoleting") {
            break;
        }
        let words: Vec<&str> = line.split_ascii_whitespace().take(4).collect();
        // A line that goes on is indented.
        if !line.starts_with(' ') {
            before.clear();
        }
        before.extend(words);
        let [name, version, repository] = before[..] else {
            if before.len() > 3 {
                before.clear();
            }
            continue;
        };
        let has_version =
            version.contains('-') && version.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if let Some((name, architecture)) = name.rsplit_once('.').filter(|_| has_version) {
            all.push(Planned {
                name: name.to_owned(),
                architecture: Some(architecture.to_owned()),
                what: What::Version(version.to_owned()),
                source: Some(repository.to_owned()),
            });
        }
        before.clear();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(manager: Manager, output: &str, expected: &[(&str, Option<&str>, Option<&str>)]) {
        let found = planned(manager, output);
        let found: Vec<_> = found
            .iter()
            .map(|one| {
                let version = match &one.what {
                    What::Version(version) => Some(version.as_str()),
                    What::Removed => None,
                };
                (one.name.as_str(), one.architecture.as_deref(), version)
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn of_apt() {
        let output = "NOTE: This is only a simulation!\nReading package lists...\n1 upgraded, 0 newly installed.\n\
                      Inst tool [1.0-1] (1.1-1 Own:12.1/stable, Own-Security:12/stable-security [amd64]) []\n\
                      Inst lib:i386 (2:3~rc1 Own:12.1/stable [i386])\nRemv old [1.0] [tool:amd64 ]\nConf tool (1.1-1 Own:12.1/stable [amd64])\n\
                      Inst broken [1.0\nInst\n";
        check(
            Manager::Apt,
            output,
            &[("tool", Some("amd64"), Some("1.1-1")), ("lib", Some("i386"), Some("2:3~rc1")), ("old", None, None)],
        );
        assert_eq!(
            planned(Manager::Apt, output)[0].source.as_deref(),
            Some("Own:12.1/stable, Own-Security:12/stable-security")
        );
    }

    #[test]
    fn of_apk() {
        let output = "(1/4) Upgrading musl (1.2.4-r1 -> 1.2.4-r2)\n(2/4) Installing tool (1.0-r0)\n(3/4) Purging old (0.1-r0)\n\
                      (4/4) Reinstalling kept (1.0)\nOK: 10 MiB in 15 packages\nExecuting busybox-1.36.1-r15.trigger\n(x) Upgrading a\n";
        check(
            Manager::Apk,
            output,
            &[
                ("musl", None, Some("1.2.4-r2")),
                ("tool", None, Some("1.0-r0")),
                ("old", None, None),
                ("kept", None, Some("1.0")),
            ],
        );
    }

    #[test]
    fn of_dnf() {
        let output = "Last metadata expiration check: 0:10:00 ago\n\nbash.x86_64        5.1.8-9.el9      baseos\n\
                      a-very-long-name-of-a-package.noarch\n                   1:2.0-1.el9      appstream\n\
                      Obsoleting Packages\nnew.x86_64   2-1   appstream\n";
        check(
            Manager::Dnf,
            output,
            &[
                ("bash", Some("x86_64"), Some("5.1.8-9.el9")),
                ("a-very-long-name-of-a-package", Some("noarch"), Some("1:2.0-1.el9")),
            ],
        );
    }

    #[test]
    fn of_none() {
        for manager in [Manager::Apt, Manager::Apk, Manager::Dnf] {
            for output in ["", "\n\n", "(", "Inst a (", "(1/1) Upgrading a (1)", "a b c d e f", "\u{fffd}"] {
                check(manager, output, &[]);
            }
        }
    }
}
