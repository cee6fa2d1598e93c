//! `go.mod` with the hashes of `go.sum`. Since Go 1.17 the file lists every module that is needed to build, the ones only needed
//! by others marked `// indirect`; who needs those is not in it.

use super::finish;
use crate::model::{Ecosystem, Origin, Package, Packages};
use orch_plugin_kit::parse::ParseError;
use std::collections::{BTreeMap, BTreeSet};

/// Hashes by module and version. They are kept as they are: `h1:` hashes a list of file hashes, so it is no SHA-256 of the file
/// that is downloaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    /// Of the whole module.
    pub module: BTreeMap<(String, String), String>,
    /// Of its `go.mod` alone.
    pub go_mod: BTreeMap<(String, String), String>,
}

/// Reads a `go.sum`.
///
/// # Errors
/// When a line has not three words.
pub fn parse_sum(text: &str) -> Result<Sums, ParseError> {
    let mut sums = Sums::default();
    for (number, line) in text.lines().enumerate() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words[..] {
            [] => {}
            [module, version, hash] => {
                let (map, version) = match version.strip_suffix("/go.mod") {
                    Some(version) => (&mut sums.go_mod, version),
                    None => (&mut sums.module, version),
                };
                map.insert((module.to_owned(), version.to_owned()), hash.to_owned());
            }
            _ => return Err(ParseError::at(line_number(number), "not `module version hash`")),
        }
    }
    Ok(sums)
}

struct Replacement {
    path: String,
    version: Option<String>,
}

#[derive(Default)]
struct Directives {
    module: Option<(String, u32)>,
    require: Vec<(String, String, bool, u32)>,
    replace: BTreeMap<(String, Option<String>), Replacement>,
    exclude: BTreeSet<(String, String)>,
}

/// Reads a `go.mod`. Excluded versions are left out and replaced modules are named as what replaces them.
///
/// # Errors
/// When a directive this parser needs is not as the reference has it.
pub fn parse(text: &str, _path: &str) -> Result<Packages, ParseError> {
    let directives = read(text)?;
    let mut found = Packages::default();
    if let Some((module, line)) = &directives.module {
        let mut package = Package::new(Ecosystem::Go, module.clone(), None);
        package.origin = Origin::FirstParty;
        package.direct = true;
        package.line = Some(*line);
        found.packages.push(package);
    }
    for (module, version, indirect, line) in &directives.require {
        if directives.exclude.contains(&(module.clone(), version.clone())) {
            continue;
        }
        let exact = directives.replace.get(&(module.clone(), Some(version.clone())));
        let replacement = exact.or_else(|| directives.replace.get(&(module.clone(), None)));
        let mut package = Package::new(Ecosystem::Go, module.clone(), Some(version.clone()));
        if let Some(replacement) = replacement {
            package.properties.push(("replaces", format!("{module}@{version}")));
            match &replacement.version {
                Some(version) => {
                    package.name.clone_from(&replacement.path);
                    package.version = Some(version.clone());
                }
                None => package.origin = Origin::Path(replacement.path.clone()),
            }
        }
        package.line = Some(*line);
        package.direct = !indirect;
        if *indirect {
            package.properties.push(("indirect", "true".to_owned()));
        } else if directives.module.is_some() {
            let index = found.packages.len();
            found.packages[0].dependencies.push(index);
        }
        found.packages.push(package);
    }
    finish(found)
}

/// Adds the hashes, and says which modules have none. A module of which only the `go.mod` was needed has only that hash.
pub fn add_sums(found: &mut Packages, sums: &Sums) {
    for package in found.packages.iter_mut().filter(|package| package.origin == Origin::Registry) {
        let key = (package.name.clone(), package.version.clone().unwrap_or_default());
        let (module, go_mod) = (sums.module.get(&key), sums.go_mod.get(&key));
        package.lacks_integrity = module.is_none() && go_mod.is_none();
        package.properties.extend(module.map(|hash| ("go.sum", hash.clone())));
        package.properties.extend(go_mod.map(|hash| ("go.sum.go.mod", hash.clone())));
    }
}

fn read(text: &str) -> Result<Directives, ParseError> {
    let mut directives = Directives::default();
    let mut block: Option<String> = None;
    for (number, line) in text.lines().enumerate() {
        let number = line_number(number);
        let (code, comment) = line.split_once("//").map_or((line, ""), |(code, comment)| (code, comment));
        // A `//` inside of quotes can only stand in a path of a replacement, where it is as good as `/`.
        let words = words(code).map_err(|reason| ParseError::at(number, reason))?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match (&block, &words[..]) {
            (_, []) => {}
            (Some(_), [")"]) => block = None,
            (Some(verb), words) => directive(&mut directives, &verb.clone(), words, comment, number)?,
            (None, [verb, "("]) => block = Some((*verb).to_owned()),
            (None, [verb, words @ ..]) => directive(&mut directives, verb, words, comment, number)?,
        }
        super::check_count(directives.require.len())?;
    }
    match block {
        Some(verb) => Err(ParseError::whole(format!("the block `{}` is never closed", super::shorten(&verb)))),
        None => Ok(directives),
    }
}

fn directive(out: &mut Directives, verb: &str, words: &[&str], comment: &str, line: u32) -> Result<(), ParseError> {
    match (verb, words) {
        ("module", [path]) => out.module = Some(((*path).to_owned(), line)),
        ("require", [path, version]) => {
            // Other words may follow after a semicolon: `// indirect; kept for the tests`.
            let indirect = comment.trim().split(';').next().is_some_and(|first| first.trim() == "indirect");
            out.require.push(((*path).to_owned(), (*version).to_owned(), indirect, line));
        }
        ("exclude", [path, version]) => {
            out.exclude.insert(((*path).to_owned(), (*version).to_owned()));
        }
        ("replace", [from, rest @ ..]) => {
            let (version, rest) = match rest {
                [version, "=>", rest @ ..] => (Some((*version).to_owned()), rest),
                ["=>", rest @ ..] => (None, rest),
                _ => return Err(ParseError::at(line, "`replace` without `=>`")),
            };
            let replacement = match rest {
                [path] => Replacement { path: (*path).to_owned(), version: None },
                [path, version] => Replacement { path: (*path).to_owned(), version: Some((*version).to_owned()) },
                _ => return Err(ParseError::at(line, "`replace` needs a path, and a version unless it is a folder")),
            };
            out.replace.insert(((*from).to_owned(), version), replacement);
        }
        ("module" | "require" | "exclude", _) => {
            return Err(ParseError::at(line, format!("`{verb}` with {} words", words.len())));
        }
        // go, toolchain, retract, tool, godebug, ignore, and whatever comes: they change no module's version.
        _ => {}
    }
    Ok(())
}

/// Splits at blanks; `"..."` and `` `...` `` are one word each. Brackets stand alone.
fn words(code: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = code.trim();
    while let Some(first) = rest.chars().next() {
        let end = if matches!(first, '"' | '`') {
            let inner = &rest[1..];
            let close = inner.find(first).ok_or_else(|| "a quote is never closed".to_owned())?;
            words.push(inner[..close].to_owned());
            close + 2
        } else if matches!(first, '(' | ')') {
            words.push(first.to_string());
            1
        } else {
            let end = rest.find(|character: char| character.is_whitespace() || "()".contains(character));
            let end = end.unwrap_or(rest.len());
            words.push(rest[..end].to_owned());
            end
        };
        rest = rest[end..].trim_start();
    }
    Ok(words)
}

fn line_number(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"module go.example/app // the app

go 1.23
toolchain go1.23.4

require go.example/kit v1.2.0
require (
	go.example/old v0.9.0
	"go.example/far" v1.0.0 // indirect
	go.example/bad v1.0.0 // indirect; and more
	go.example/local v0.0.0
)

exclude go.example/bad v1.0.0
replace (
	go.example/old v0.9.0 => go.example/new/v2 v2.1.0
	go.example/local => ./local
)
retract [v1.0.0, v1.1.0] // oops
"#;

    #[test]
    fn directives() {
        let mut found = parse(TEXT, "go.mod").unwrap();
        let sums = "go.example/kit v1.2.0 h1:abc=\ngo.example/kit v1.2.0/go.mod h1:def=\ngo.example/new/v2 v2.1.0/go.mod h1:x=\n";
        add_sums(&mut found, &parse_sum(sums).unwrap());
        let [app, kit, new, far, local] = &found.packages[..] else { panic!("{found:?}") };
        assert_eq!((app.name.as_str(), app.dependencies.clone()), ("go.example/app", vec![1, 2, 4]));
        assert_eq!(kit.properties, [("go.sum", "h1:abc=".to_owned()), ("go.sum.go.mod", "h1:def=".to_owned())]);
        assert_eq!((new.name.as_str(), new.version.as_deref()), ("go.example/new/v2", Some("v2.1.0")));
        assert_eq!(new.properties[0], ("replaces", "go.example/old@v0.9.0".to_owned()));
        assert_eq!((far.direct, far.line, far.lacks_integrity), (false, Some(9), true));
        assert_eq!((local.origin.clone(), local.lacks_integrity), (Origin::Path("./local".into()), false));
    }

    #[test]
    fn mistakes_have_a_line() {
        assert_eq!(parse("module a\nrequire (\n x\n)\n", "").unwrap_err().line, Some(3));
        assert!(parse("require (\n", "").is_err());
        assert_eq!(parse_sum("a b\n").unwrap_err().line, Some(1));
    }
}
