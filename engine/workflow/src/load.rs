//! The other workflow files that a workflow runs: found by name, read by whoever asks for them, and checked for what only shows
//! when one looks at them together. Nothing here touches the disk.

use crate::plan::normalised;
use crate::read::shown;
use crate::workflow::{Workflow, parse};
use camino::{Utf8Path, Utf8PathBuf};
use orch_core::{Code, Diagnostic, Source};
use std::collections::BTreeMap;

/// Files below the first one.
const MOST_FILES: usize = 100;
/// Workflows inside of workflows. Ids of tasks have one part for each.
pub(crate) const DEEPEST: usize = 8;

/// The workflow files that a workflow runs, directly and through others, by absolute path. Only [`load`] makes one that holds
/// files, so none of them runs itself, or lies too deep.
#[derive(Debug, Clone, Default)]
pub struct NestedFiles {
    files: BTreeMap<Utf8PathBuf, NestedFile>,
}

/// One of them.
#[derive(Debug, Clone)]
pub struct NestedFile {
    /// What it says.
    pub workflow: Workflow,
    /// Its text.
    pub source: Source,
    folder: Utf8PathBuf,
}

impl NestedFile {
    /// The absolute folder in which it stands: what its paths are relative to.
    pub fn folder(&self) -> &Utf8Path {
        &self.folder
    }
}

impl NestedFiles {
    /// A file by its absolute path, without `.` and `..`.
    pub fn get(&self, path: &Utf8Path) -> Option<&NestedFile> {
        self.files.get(path)
    }

    /// All of them with their absolute paths.
    pub fn iter(&self) -> impl Iterator<Item = (&Utf8Path, &NestedFile)> {
        self.files.iter().map(|(path, file)| (path.as_path(), file))
    }
}

/// What a path that stands in a file means: absolute, without `.` and `..`. `folder` is that of the file.
pub fn absolute(folder: &Utf8Path, path: &str) -> Utf8PathBuf {
    normalised(&folder.join(path))
}

/// Reads every workflow file that `workflow` runs, directly and through others, each once. `path` is its own absolute path and
/// `source` its text; `read` gives the text of an absolute path, or says in a fragment why not. The problems of all files
/// come together; those in the files themselves carry the name of the [`Source`] that `read` gave.
///
/// At most 100 files, at most 8 inside of each other. A file that runs itself, directly or through others, is an error that names
/// the chain. So are keys that belong to the workflow that is run first: `on-failure`, `finally`, `concurrency`, `secrets` and
/// `priority`.
pub fn load(
    path: &Utf8Path,
    workflow: &Workflow,
    source: &Source,
    read: &mut dyn FnMut(&Utf8Path) -> Result<Source, String>,
) -> (NestedFiles, Vec<Diagnostic>) {
    let mut load = Load { read, files: NestedFiles::default(), seen: BTreeMap::new(), found: Vec::new() };
    let mut chain = vec![normalised(path)];
    load.below(&mut chain, workflow, source);
    (load.files, load.found)
}

struct Load<'r> {
    read: &'r mut dyn FnMut(&Utf8Path) -> Result<Source, String>,
    files: NestedFiles,
    /// Everything that was looked at, also what cannot be used; with its height.
    seen: BTreeMap<Utf8PathBuf, usize>,
    found: Vec<Diagnostic>,
}

impl Load<'_> {
    /// Loads what a file runs; says how deep that goes. `chain` is the way to the file and ends with it.
    fn below(&mut self, chain: &mut Vec<Utf8PathBuf>, workflow: &Workflow, source: &Source) -> usize {
        let folder = chain.last().and_then(|path| path.parent()).unwrap_or(Utf8Path::new("/")).to_owned();
        let mut height = 0;
        for named in workflow.nested_files() {
            let error = |code, message: String| Diagnostic::error(code, &source.name, named.span.clone(), message);
            let path = absolute(&folder, &named.path);
            if let Some(start) = chain.iter().position(|other| *other == path) {
                let mut names: Vec<_> = chain[start..].iter().filter_map(|path| path.file_name()).map(shown).collect();
                names.push(shown(path.file_name().unwrap_or_default()));
                let message = format!("a workflow runs itself: {}", names.join(" -> "));
                self.found.push(error(Code::Cycle, message));
                continue;
            }
            let known = self.seen.get(&path).copied();
            // The first file of a chain is not inside of any, so this one is `chain.len()` deep, and what it runs deeper.
            if chain.len() + known.unwrap_or(0) > DEEPEST {
                let message = format!("workflows run each other more than {DEEPEST} deep");
                self.found.push(error(Code::TooMany, message));
                continue;
            }
            let below = match known {
                Some(height) => height,
                None if self.seen.len() >= MOST_FILES => {
                    let message = format!("the workflows run more than {MOST_FILES} files");
                    self.found.push(error(Code::TooMany, message));
                    return height;
                }
                None => match (self.read)(&path) {
                    Ok(inner) => self.file(chain, path, inner),
                    Err(reason) => {
                        let message = format!("the workflow `{}` cannot be read: {reason}", shown(&named.path));
                        self.found.push(error(Code::Unreadable, message));
                        self.seen.insert(path, 0);
                        0
                    }
                },
            };
            height = height.max(below + 1);
        }
        height
    }

    fn file(&mut self, chain: &mut Vec<Utf8PathBuf>, path: Utf8PathBuf, source: Source) -> usize {
        let (workflow, found) = parse(&source);
        self.found.extend(found);
        self.seen.insert(path.clone(), 0);
        let Some(workflow) = workflow else { return 0 };
        for (name, span) in &workflow.outermost {
            let message = format!("`{name}` belongs to the workflow that runs this one");
            let problem = Diagnostic::error(Code::Contradiction, &source.name, span.clone(), message);
            self.found.push(problem.help("remove it, or run this file by itself"));
        }
        chain.push(path.clone());
        let height = self.below(chain, &workflow, &source);
        chain.pop();
        self.seen.insert(path.clone(), height);
        let folder = path.parent().unwrap_or(&path).to_owned();
        self.files.files.insert(path, NestedFile { workflow, source, folder });
        height
    }
}
