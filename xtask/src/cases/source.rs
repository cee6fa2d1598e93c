//! Which tests the sources have. Read from the text: building every test to ask it for its name would take minutes.

use super::Family;
use anyhow::{Context, Result};
use std::path::Path;

/// A test and its file, below the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Test {
    pub(super) file: String,
    pub(super) name: String,
}

impl Test {
    /// The case that its name begins with: `s12_a` is one of S12.
    pub(super) fn case(&self, families: &[Family]) -> Option<String> {
        let (case, _) = self.name.split_once('_')?;
        let letter = case.chars().next()?.to_ascii_uppercase();
        let number = case.get(1..)?;
        let is_one = families.iter().any(|family| family.letter == letter);
        (is_one && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| format!("{letter}{number}"))
    }
}

/// Every test of every source file below a folder, by file and then by place.
pub(super) fn tests_below(root: &Path) -> Result<Vec<Test>> {
    let mut files = Vec::new();
    sources(root, &mut files)?;
    files.sort();
    let mut tests = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(root.join(&file)).with_context(|| format!("`{file}` could not be read"))?;
        tests.extend(tests_of(&text).into_iter().map(|name| Test { file: file.clone(), name }));
    }
    Ok(tests)
}

/// The paths of source files below `root`, relative to it. What is built and what is hidden is left out.
fn sources(root: &Path, files: &mut Vec<String>) -> Result<()> {
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).with_context(|| format!("`{}`", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type()?;
            if kind.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(entry.path());
            } else if kind.is_file() && name.ends_with(".rs") {
                files.push(entry.path().strip_prefix(root)?.to_string_lossy().into_owned());
            }
        }
    }
    Ok(())
}

/// The names of the functions that bear an attribute `test`, of whatever runtime.
fn tests_of(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        let attribute = line.strip_prefix("#[").and_then(|line| line.split(['(', ']']).next());
        if let Some(path) = attribute {
            is_test |= path == "test" || path.ends_with("::test");
        } else if is_test && !line.is_empty() && !line.starts_with("//") {
            let rest = line.split_once("fn ").map(|(_, rest)| rest);
            let name = rest.map(|rest| rest.split(['(', '<']).next().unwrap_or_default().to_owned());
            names.extend(name);
            is_test = false;
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_found_by_their_attribute() {
        let text = "fn a() {}\n#[test]\nfn b() {}\n    #[test]\n    #[should_panic]\n    // why\n    fn c() {}\n\
                    #[tokio::test(flavor = \"x\")]\nasync fn d() {}\n#[cfg(test)]\nmod e { fn f() {} }\n";
        assert_eq!(tests_of(text), ["b", "c", "d"]);
    }

    #[test]
    fn built_and_hidden_folders_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        for file in ["a.rs", "target/b.rs", ".hidden/c.rs", "in/d.rs", "in/e.txt"] {
            let place = folder.path().join(file);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::write(place, "#[test]\nfn s1_x() {}\n").unwrap();
        }
        let files: Vec<String> = tests_below(folder.path()).unwrap().into_iter().map(|test| test.file).collect();
        assert_eq!(files, ["a.rs", "in/d.rs"]);
    }
}
