//! The database of dpkg, `var/lib/dpkg/status`: also what is held, and what is not wholly installed.

use crate::deb822::{self, Paragraph};
use crate::model::Installed;
use std::io::BufRead;

/// More packages than any system has.
pub const MAX_PACKAGES: usize = 100_000;

const FIELDS: [&str; 8] =
    ["package", "status", "version", "architecture", "source", "depends", "pre-depends", "provides"];

/// Reads the database. Packages of which only configuration is left are not installed.
///
/// # Errors
/// With the line, when something is no package, or there are too many.
pub fn parse(from: impl BufRead) -> Result<Vec<Installed>, String> {
    let mut all = Vec::new();
    deb822::read(from, &FIELDS, &mut |paragraph| {
        if let Some(package) = package(&paragraph)? {
            if all.len() == MAX_PACKAGES {
                return Err(format!("more than {MAX_PACKAGES} packages"));
            }
            all.push(package);
        }
        Ok(())
    })?;
    Ok(all)
}

fn package(paragraph: &Paragraph) -> Result<Option<Installed>, String> {
    let [name, status, version, architecture, source, depends, pre_depends, provides] =
        std::array::from_fn(|at| paragraph.get(at));
    let wrong = |what: &str| format!("line {}: a package without `{what}`", paragraph.line);
    let name = name.ok_or_else(|| wrong("Package"))?;
    let status = status.ok_or_else(|| wrong("Status"))?;
    let mut words = status.split_ascii_whitespace();
    let (Some(want), Some(flag), Some(state), None) = (words.next(), words.next(), words.next(), words.next()) else {
        return Err(format!("line {}: a `Status` that has not three words", paragraph.line));
    };
    if matches!(state, "not-installed" | "config-files") {
        return Ok(None);
    }
    // A package that has to be installed anew is none that is well, whatever else its state says.
    let state = if flag == "reinstreq" { format!("{state}, reinstallation required") } else { state.to_owned() };
    Ok(Some(Installed {
        name: name.to_owned(),
        version: version.ok_or_else(|| wrong("Version"))?.to_owned(),
        architecture: architecture.map(str::to_owned),
        // `Source: name (version)`, where the source has another version than the package.
        source: source.and_then(|source| source.split_ascii_whitespace().next()).map(str::to_owned),
        held: want == "hold",
        state,
        needs: [pre_depends, depends].into_iter().flatten().map(str::to_owned).collect(),
        provides: provides.map(str::to_owned),
        line: Some(paragraph.line),
    }))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn states() {
        let text = "Package: a\nStatus: install ok installed\nArchitecture: amd64\nSource: src (1.0)\nVersion: 1.0-1\nDepends: b, c\nPre-Depends: d\n\n\
                    Package: gone\nStatus: deinstall ok config-files\n\n\
                    Package: half\nStatus: hold reinstreq half-installed\nVersion: 2\n";
        let found = parse(text.as_bytes()).unwrap();
        let [a, half] = &found[..] else { panic!("{found:?}") };
        assert_eq!((a.source.as_deref(), a.held, a.is_well(), a.line), (Some("src"), false, true, Some(1)));
        assert_eq!(a.needs, ["d", "b, c"]);
        assert_eq!((half.held, half.is_well()), (true, false));
        assert_eq!(half.state, "half-installed, reinstallation required");
    }

    #[test]
    fn hostile() {
        for (text, says) in [
            ("Status: install ok installed\nVersion: 1\n", "without `Package`"),
            ("Package: a\nVersion: 1\n", "without `Status`"),
            ("Package: a\nStatus: install ok installed\n", "without `Version`"),
            ("Package: a\nStatus: installed\nVersion: 1\n", "three words"),
            ("Package: a\nStatus: install ok installed\nVersion: 1\nrest", "line 4"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(says) && error.contains("line"), "{text:?}: {error}");
        }
    }
}
