//! Licences as CycloneDX wants them: an identifier of the SPDX list, an expression of such identifiers, or a free name.

/// The identifiers that nearly all packages use. A bill must not call something an identifier that the schema's list lacks,
/// and the whole list grows each quarter; what is not here is written as a name, which is always right.
pub const COMMON: [&str; 51] = [
    "0BSD",
    "AFL-2.1",
    "AFL-3.0",
    "AGPL-3.0-only",
    "AGPL-3.0-or-later",
    "Apache-1.1",
    "Apache-2.0",
    "Artistic-2.0",
    "BlueOak-1.0.0",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-2-Clause-Patent",
    "BSD-3-Clause",
    "BSD-3-Clause-Clear",
    "BSD-4-Clause",
    "BSL-1.0",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC-BY-SA-4.0",
    "CC0-1.0",
    "CDDL-1.0",
    "CDDL-1.1",
    "CDLA-Permissive-2.0",
    "EPL-1.0",
    "EPL-2.0",
    "EUPL-1.2",
    "GPL-2.0-only",
    "GPL-2.0-or-later",
    "GPL-3.0-only",
    "GPL-3.0-or-later",
    "ISC",
    "LGPL-2.1-only",
    "LGPL-2.1-or-later",
    "LGPL-3.0-only",
    "LGPL-3.0-or-later",
    "MIT",
    "MIT-0",
    "MPL-1.1",
    "MPL-2.0",
    "MS-PL",
    "NCSA",
    "OFL-1.1",
    "OpenSSL",
    "PostgreSQL",
    "PSF-2.0",
    "Python-2.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "W3C",
    "WTFPL",
    "Zlib",
];

/// What a licence's text is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum License {
    /// An SPDX identifier.
    Id(String),
    /// An SPDX expression of more than one identifier.
    Expression(String),
    /// Anything else.
    Name(String),
}

impl License {
    /// Sorts a lock file's text into one of the three.
    pub fn new(text: &str) -> License {
        let text = text.trim();
        if COMMON.contains(&text) {
            License::Id(text.to_owned())
        } else if is_expression(text) {
            License::Expression(text.to_owned())
        } else {
            License::Name(orch_plugin_lockfiles::parse::shorten(text))
        }
    }
}

/// `id (AND|OR id)*` with brackets. Exceptions (`WITH`) are not in the list above, so they make it a name.
fn is_expression(text: &str) -> bool {
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let (mut depth, mut wants_id) = (0_u32, true);
    for word in spaced.split_ascii_whitespace() {
        match word {
            "(" if wants_id => depth += 1,
            ")" if !wants_id && depth > 0 => depth -= 1,
            "AND" | "OR" if !wants_id => wants_id = true,
            id if wants_id && COMMON.contains(&id) => wants_id = false,
            _ => return false,
        }
    }
    !wants_id && depth == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        assert_eq!(License::new("MIT"), License::Id("MIT".into()));
        for text in ["(MIT OR Apache-2.0)", "MIT AND (ISC OR 0BSD)"] {
            assert_eq!(License::new(text), License::Expression(text.into()));
        }
        for text in ["MIT OR", "(MIT", "MIT ISC", "MIT/X11", "SEE LICENSE IN x", "UNLICENSED", "", "MIT OR Foo-1.0"] {
            assert_eq!(License::new(text), License::Name(text.into()));
        }
    }

    #[test]
    fn the_identifiers_are_spdx() {
        for id in COMMON {
            assert!(spdx::license_id(id).is_some_and(|found| found.name == id), "{id}");
        }
    }
}
