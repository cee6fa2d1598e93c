//! What fuzzing begins with: the examples, the pages and the tests of this repository. Made anew each time, so that none is kept in it.

use anyhow::{Context, Result};
use std::collections::BTreeSet;
use std::path::Path;

/// The first lines that the tests of the workflow language leave out.
const HEAD: &str = "schema: orch-wasm/v1\nname: test\n";
/// Files of ours that are read whole.
const FILES: [&str; 3] = ["yaml", "md", "rs"];

/// Writes the seeds of a target, a file each, and says how many.
pub(super) fn write(target: &str, root: &Path, to: &Path) -> Result<usize> {
    let mut texts = Vec::new();
    for below in ["examples", "plugins", "docs", "engine/workflow/tests", "tests/guests"] {
        read(&root.join(below), &mut texts)?;
    }
    let mut seeds: BTreeSet<String> = match target {
        "workflow" => texts.iter().filter_map(|text| workflow(text)).collect(),
        "manifest" => texts.iter().filter(|text| text.contains("orch-plugin/v1")).cloned().collect(),
        "policy" => texts.iter().filter(|text| is_policy(text)).cloned().collect(),
        "expression" => texts.iter().flat_map(|text| expressions(text)).collect(),
        _ => BTreeSet::new(),
    };
    // Written for this, where nothing in the repository has the form.
    for form in ["jsonl", "toml"] {
        let file = root.join("fuzz/seeds").join(format!("{target}.{form}"));
        if file.exists() {
            seeds.insert(std::fs::read_to_string(file)?);
        }
    }
    for (number, seed) in seeds.iter().enumerate() {
        std::fs::write(to.join(number.to_string()), seed).context("a seed could not be written")?;
    }
    Ok(seeds.len())
}

/// Every text below a folder that may be a seed: YAML files, blocks of pages, and literals of tests.
fn read(folder: &Path, texts: &mut Vec<String>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("`{}`", folder.display()))? {
        let path = entry?.path();
        let form = path.extension().map(|form| form.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                read(&path, texts)?;
            }
        } else if FILES.contains(&form.as_str()) {
            let text = std::fs::read_to_string(&path).with_context(|| format!("`{}`", path.display()))?;
            match form.as_str() {
                "md" => texts.extend(blocks(&text)),
                "rs" => texts.extend(literals(&text)),
                _ => texts.push(text),
            }
        }
    }
    Ok(())
}

/// The text as a workflow, if it may be one.
fn workflow(text: &str) -> Option<String> {
    let whole = text.contains("schema:");
    let is_one = text.contains("orch-wasm/v1") || !whole && text.contains("tasks:");
    is_one.then(|| if whole { text.to_owned() } else { format!("{HEAD}{text}") })
}

fn is_policy(text: &str) -> bool {
    ["orch-policy/v1", "orch-waivers/v1", "orch-policy-cases/v1"].iter().any(|schema| text.contains(schema))
}

/// What stands in `${{ }}`, and short literals, which in the tests of expressions are such.
fn expressions(text: &str) -> Vec<String> {
    let mut found: Vec<String> =
        text.split("${{").skip(1).filter_map(|rest| Some(rest.split_once("}}")?.0.trim().to_owned())).collect();
    if text.len() < 200 && !text.contains('\n') && text.contains(['.', '(', '+', '=']) {
        found.push(text.to_owned());
    }
    found
}

/// The blocks of YAML of a page.
fn blocks(page: &str) -> Vec<String> {
    page.split("```yaml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0.to_owned())).collect()
}

/// The string literals of a source. One that is read wrongly is a strange seed and no harm.
fn literals(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source.chars().peekable();
    while let Some(character) = rest.next() {
        // The quote of a character, as in `'"'`.
        if character == '\'' && rest.peek() == Some(&'"') {
            rest.next();
        }
        if character != '"' {
            continue;
        }
        let mut literal = String::new();
        while let Some(character) = rest.next().filter(|character| *character != '"') {
            match character {
                '\\' => match rest.next() {
                    Some('n') => literal.push('\n'),
                    Some('t') => literal.push('\t'),
                    // The line goes on, without what the next one is indented by.
                    Some('\n') => while rest.next_if(|next| next.is_whitespace()).is_some() {},
                    Some(other) => literal.push(other),
                    None => {}
                },
                other => literal.push(other),
            }
        }
        found.push(literal.replace("{{", "{").replace("}}", "}").replace("${", "${{"));
        found.push(literal);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_taken_out() {
        assert_eq!(blocks("a\n```yaml\nx: 1\n```\n```sh\nls\n```\n"), ["x: 1\n"]);
        let found = literals("f(\"a\\nb\", '\"', \"c \\\n     d\\\"\")");
        assert!(found.contains(&"a\nb".to_owned()) && found.contains(&"c d\"".to_owned()), "{found:?}");
        assert_eq!(expressions("x: '${{ a.b }}-${{ c }}'\n"), ["a.b", "c"]);
        assert_eq!(workflow("tasks: {}"), Some(format!("{HEAD}tasks: {{}}")));
        assert_eq!(workflow("schema: orch-policy/v1"), None);
    }
}
