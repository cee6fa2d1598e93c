//! Scans the commits of a repository: each version of a file once, and tells of each secret which commit brought it.
//!
//! Parents come before children. A version that has finds is compared with the versions that the parents have at its path, so
//! that a secret belongs to the commit in which it appears, and not to those that change the file around it.

use crate::baseline::Baseline;
use crate::content::{Item, Searcher, Stop, Told as Met};
use crate::git::commits::{self, Node, Wanted};
use crate::git::diff::{self, Change, Step};
use crate::git::id::Id;
use crate::git::refs::{self, Refs};
use crate::git::store::Store;
use crate::git::{GitError, object};
use crate::input::{HistoryInput, HistoryOutput, Suppressed};
use crate::report::Told;
use crate::secret;
use crate::walk::Filter;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use orch_plugin_kit::timestamp;
use orch_sdk::{Host, TaskError};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;

/// What the scan of one history may cost; whatever is beyond is told.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Secrets; the host takes 50,000 findings in all.
    pub secrets: usize,
    /// Finds in versions that are remembered, with some tens of bytes each.
    pub remembered: usize,
    /// Entries of trees. A tree that holds itself many times over, in few bytes, ends here.
    pub entries: u64,
    /// Versions of files.
    pub versions: usize,
    /// Bytes of files.
    pub bytes: u64,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { secrets: 20_000, remembered: 1_000_000, entries: 200_000_000, versions: 4_000_000, bytes: 256 << 30 }
    }
}

/// Examples of what could not be read; the others are counted.
const NAMED: usize = 3;
/// Between two looks at whether the task is cancelled.
const TOLD_COMMITS: usize = 64;

/// Rule, path and secret, as 32 hexadecimal digits: the fingerprint of a find that is the first of its kind in its file.
type Key = String;
/// A version: path and blob.
type Version = [u8; 16];

/// A secret that a commit brought.
#[derive(Debug)]
pub struct Brought {
    /// The find, in the version that the commit brought.
    pub told: Told,
    /// What goes into a finding's data.
    pub data: Map<String, Value>,
    /// Whether the newest commit of the checked-out branch has it.
    pub in_head: bool,
    /// Whether the scan of the tree found it too.
    pub in_tree: bool,
}

/// What the history has.
#[derive(Debug, Default)]
pub struct History {
    /// Secrets by fingerprint.
    pub brought: BTreeMap<Key, Brought>,
    /// What could not be looked at: where, and why.
    pub problems: BTreeSet<(String, String)>,
    /// Finds that were left out.
    pub suppressed: Suppressed,
    /// Figures.
    pub output: HistoryOutput,
    /// Whether there is no working tree.
    pub bare: bool,
}

/// The names of branches that are wanted.
fn branches(globs: &[String]) -> Result<GlobSet, TaskError> {
    let mut set = GlobSetBuilder::new();
    for text in globs {
        let glob = GlobBuilder::new(text).literal_separator(true).build();
        set.add(
            glob.map_err(|error| TaskError::InvalidInput(format!("`history.branches`: `{text}`: {}", error.kind())))?,
        );
    }
    set.build().map_err(|error| TaskError::InvalidInput(format!("`history.branches`: {}", error.kind())))
}

/// The names from which the walk begins.
fn tips(input: &HistoryInput, refs: &Refs) -> Result<Vec<Id>, TaskError> {
    if input.branches.is_empty() {
        return Ok(refs.names.values().copied().collect());
    }
    let wanted = branches(&input.branches)?;
    let named = |name: &str| refs::branch(name).is_some_and(|branch| wanted.is_match(branch));
    let tips: Vec<Id> = refs.names.iter().filter(|(name, _)| named(name)).map(|(_, id)| *id).collect();
    if tips.is_empty() {
        let known: BTreeSet<String> =
            refs.names.keys().filter_map(|name| refs::branch(name)).map(|name| format!("`{name}`")).collect();
        let known: Vec<String> = known.into_iter().take(10).collect();
        let known = if known.is_empty() { "it has none".to_owned() } else { format!("known: {}", known.join(", ")) };
        return Err(TaskError::InvalidInput(format!("`history.branches` fits no branch of the repository ({known})")));
    }
    Ok(tips)
}

/// Seconds since 1970 of a day or a time.
fn seconds(text: &str) -> Option<i64> {
    timestamp::seconds(text).or_else(|| timestamp::seconds(&format!("{text}T00:00:00Z")))
}

/// Scans the repository at `root`.
///
/// # Errors
/// [`TaskError::InvalidInput`] for what is asked of the history, [`TaskError::Cancelled`]. What cannot be read is a problem instead.
pub fn scan(
    input: &HistoryInput,
    root: &Path,
    searcher: &mut Searcher,
    filter: &Filter,
    bounds: Bounds,
    host: &dyn Host,
) -> Result<History, TaskError> {
    let since = input.since.as_deref().map(|text| {
        seconds(text).ok_or_else(|| {
            TaskError::InvalidInput(format!(
                "`history.since`: `{text}` is no day such as `2026-01-31` and no time in RFC 3339"
            ))
        })
    });
    let since = since.transpose()?;
    if input.max_commits == Some(0) {
        return Err(TaskError::InvalidInput("`history.max-commits` must be at least 1".into()));
    }
    let most = input.max_commits.map(|most| usize::try_from(most).unwrap_or(usize::MAX));
    let mut history = History::default();
    let (folder, bare) = match refs::find(root) {
        refs::Found::At { folder, bare } => (folder, bare),
        refs::Found::Nothing(reason) => {
            history.problems.insert((".git".into(), reason));
            return Ok(history);
        }
    };
    history.bare = bare;
    let refs = Refs::read(&folder);
    let tips = tips(input, &refs)?;
    let (mut store, unread) = Store::open(&folder.join("objects"), refs.id_length());
    let goes_on = &mut |commits: u64| match host.is_cancelled() {
        true => Err(TaskError::Cancelled),
        false => {
            host.progress(commits, None, "commits listed");
            Ok(())
        }
    };
    let walked = commits::walk(&mut store, tips.into_iter(), &refs.shallow, Wanted { since, most }, goes_on)?;
    let problems = refs.problems.iter().cloned().chain(unread).chain(walked.problems);
    history.problems.extend(problems.map(|reason| (".git".to_owned(), reason)));
    history.output.commits = walked.nodes.len() as u64;
    let mut scan = Scan {
        host,
        searcher,
        filter,
        bounds,
        authors: input.authors,
        history,
        finds: HashMap::new(),
        seen: HashSet::new(),
        remembered: 0,
        entries: 0,
        trees: 0,
        lost: BTreeMap::new(),
        full: None,
    };
    scan.commits(&mut store, &walked.nodes)?;
    scan.mark_head(&mut store, refs.names.get("HEAD"))?;
    Ok(scan.finish(&folder))
}

struct Scan<'a> {
    host: &'a dyn Host,
    searcher: &'a mut Searcher,
    filter: &'a Filter,
    bounds: Bounds,
    authors: bool,
    history: History,
    /// Of versions that have finds.
    finds: HashMap<Version, Vec<Key>>,
    seen: HashSet<Version>,
    remembered: usize,
    entries: u64,
    trees: u64,
    /// What could not be read, by reason: how often, and where for example.
    lost: BTreeMap<String, (u64, Vec<String>)>,
    /// The bound that was reached, after which nothing more is scanned.
    full: Option<String>,
}

/// Why a walk through trees ends early.
enum End {
    Full,
    Task(TaskError),
}

impl From<TaskError> for End {
    fn from(error: TaskError) -> End {
        End::Task(error)
    }
}

/// A find of a version, before it is known whether its commit brought it.
struct Find {
    key: Key,
    told: Told,
    allowed_in: Vec<String>,
}

impl Scan<'_> {
    fn commits(&mut self, store: &mut Store, nodes: &[Node]) -> Result<(), TaskError> {
        let trees: HashMap<Id, Id> = nodes.iter().map(|node| (node.id, node.tree)).collect();
        for (at, node) in nodes.iter().enumerate() {
            if at.is_multiple_of(TOLD_COMMITS) {
                self.tell_progress(at, nodes.len())?;
            }
            let mut before = Vec::with_capacity(node.parents.len());
            for parent in &node.parents {
                match trees.get(parent) {
                    Some(tree) => before.push(*tree),
                    None => match commits::read(store, parent) {
                        Ok(commit) => before.push(commit.tree),
                        // The commit then brings more than it did, which is better than less.
                        Err(error) => self.lose(&error, &node.id.to_string()),
                    },
                }
            }
            let outcome = diff::changes(store, node.tree, &before, &mut |store, step| {
                self.step(store, step, node)?;
                if self.full.is_some() { Err(End::Full) } else { Ok(()) }
            });
            match outcome {
                Ok(()) => {}
                Err(End::Full) => break,
                Err(End::Task(error)) => return Err(error),
            }
        }
        self.tell_progress(nodes.len(), nodes.len())
    }

    fn tell_progress(&self, done: usize, all: usize) -> Result<(), TaskError> {
        if self.host.is_cancelled() {
            return Err(TaskError::Cancelled);
        }
        let note =
            format!("commits, {} MiB, {} secrets", self.history.output.bytes_scanned >> 20, self.history.brought.len());
        self.host.progress(done as u64, Some(all as u64), &note);
        Ok(())
    }

    fn step(&mut self, store: &mut Store, step: Step, node: &Node) -> Result<(), TaskError> {
        match step {
            Step::Tree(entries) => {
                self.entries += entries.max(1);
                if self.entries > self.bounds.entries {
                    self.full = Some(format!("more than {} entries of folders", self.bounds.entries));
                }
                self.trees += 1;
                if self.trees.is_multiple_of(64) && self.host.is_cancelled() {
                    return Err(TaskError::Cancelled);
                }
                Ok(())
            }
            Step::Problem(path, error) => {
                self.lose(&error, &path);
                Ok(())
            }
            Step::Changed(change) => self.changed(store, &change, node),
        }
    }

    fn lose(&mut self, error: &GitError, place: &str) {
        let kind = match error {
            GitError::Missing(_) => {
                "objects are not there; a partial clone or one with alternates lacks them".to_owned()
            }
            GitError::TooLarge(_) => "objects are too large to be read".to_owned(),
            GitError::Broken(reason) => reason.clone(),
        };
        // A hostile repository may be broken in as many ways as it has objects.
        let kind = if self.lost.len() < 20 || self.lost.contains_key(&kind) {
            kind
        } else {
            "other objects are broken".into()
        };
        let (count, places) = self.lost.entry(kind).or_default();
        *count += 1;
        if places.len() < NAMED {
            places.push(format!("`{place}`"));
        }
    }

    fn changed(&mut self, store: &mut Store, change: &Change, node: &Node) -> Result<(), TaskError> {
        if self.full.is_some() || !self.filter.wants(&change.path) || self.searcher.detector.allows_file(&change.path) {
            return Ok(());
        }
        let version = version(&change.path, &change.blob);
        let (keys, fresh) = self.keys(store, version, &change.path, &change.blob)?;
        if keys.is_empty() {
            return Ok(());
        }
        let mut before = HashSet::new();
        for blob in &change.before {
            let (keys, _) = self.keys(store, self::version(&change.path, blob), &change.path, blob)?;
            before.extend(keys);
        }
        let new = |key: &Key| !before.contains(key) && !self.history.brought.contains_key(key);
        if !keys.iter().any(new) {
            return Ok(());
        }
        // A version that was seen before and brings something all the same: a commit before it was let pass.
        let finds = match fresh {
            Some(finds) => finds,
            None => self.search(store, &change.path, &change.blob)?,
        };
        let commit = node.id.to_string();
        let mut counted = HashSet::new();
        for find in finds {
            if before.contains(&find.key) || self.history.brought.contains_key(&find.key) {
                continue;
            }
            if find.allowed_in.contains(&commit) {
                self.history.suppressed.allowlist += u64::from(counted.insert(find.key));
                continue;
            }
            if self.history.brought.len() == self.bounds.secrets {
                self.full = Some(format!("more than {} secrets", self.bounds.secrets));
                break;
            }
            let data = self.data(store, node);
            let brought = Brought { told: find.told, data, in_head: false, in_tree: false };
            self.history.brought.insert(find.key, brought);
        }
        Ok(())
    }

    fn data(&self, store: &mut Store, node: &Node) -> Map<String, Value> {
        let mut data = Map::new();
        data.insert("commit".into(), json!(node.id.to_string()));
        if let Ok(commit) = commits::read(store, &node.id) {
            data.insert("author_date".into(), json!(commit.authored.rfc3339()));
            if self.authors {
                data.insert("author".into(), json!(commit.author));
            }
        }
        data
    }

    /// The keys of a version's finds, and the finds if it was searched just now.
    fn keys(
        &mut self,
        store: &mut Store,
        version: Version,
        path: &str,
        blob: &Id,
    ) -> Result<(Vec<Key>, Option<Vec<Find>>), TaskError> {
        if self.seen.contains(&version) {
            return Ok((self.finds.get(&version).cloned().unwrap_or_default(), None));
        }
        if self.seen.len() == self.bounds.versions {
            self.full = Some(format!("more than {} versions of files", self.bounds.versions));
            return Ok((Vec::new(), None));
        }
        let finds = self.search(store, path, blob)?;
        let keys: BTreeSet<Key> = finds.iter().map(|find| find.key.clone()).collect();
        let keys: Vec<Key> = keys.into_iter().collect();
        self.seen.insert(version);
        if !keys.is_empty() {
            self.remembered += keys.len();
            if self.remembered > self.bounds.remembered {
                self.full = Some(format!("more than {} finds in all versions", self.bounds.remembered));
            }
            self.finds.insert(version, keys.clone());
        }
        Ok((keys, Some(finds)))
    }

    fn search(&mut self, store: &mut Store, path: &str, blob: &Id) -> Result<Vec<Find>, TaskError> {
        let mut finds = Vec::new();
        // Of a file that is not text by its name only the name is looked at, so its content need not be read.
        let is_binary = self.searcher.is_binary_by_name(path);
        let read = if is_binary {
            Ok((object::Kind::Blob, Rc::default()))
        } else {
            store.read(blob, self.searcher.largest() as u64)
        };
        let content = match read {
            Ok((object::Kind::Blob, content)) => content,
            Ok(_) => {
                self.lose(&GitError::broken("a file's object is no file"), path);
                return Ok(finds);
            }
            // As in the tree, too large is no secret's place and no problem; an archive's limit is larger.
            Err(GitError::TooLarge(_)) if !self.searcher.opens_archives() => return Ok(finds),
            Err(error) => {
                self.lose(&error, path);
                return Ok(finds);
            }
        };
        let (output, problems) = (&mut self.history.output, &mut self.history.problems);
        let host = self.host;
        let item = Item { path, size: Some(content.len() as u64), content: &mut content.as_slice() };
        let outcome = self.searcher.search(item, &mut |detector, met| {
            let (path, content, found) = match met {
                Met::Text { path, content, finds } => {
                    output.versions_scanned += 1;
                    output.bytes_scanned += content.len() as u64;
                    (path, content, finds.found)
                }
                Met::Name { path, finds } => (path, &b""[..], finds.found),
                Met::Problem { path, reason } => {
                    if problems.len() < 1000 {
                        problems.insert((path.to_owned(), format!("in the history: {reason}")));
                    }
                    return Ok(());
                }
                // Between the files of an archive, which may be many.
                Met::Archive if host.is_cancelled() => return Err(TaskError::Cancelled),
                _ => return Ok(()),
            };
            for find in found {
                let secret = if find.line > 0 { &content[find.secret.clone()] } else { path.as_bytes() };
                let key = secret::fingerprint(&detector.rules()[find.rule].id, path, secret, 0);
                finds.push(Find { key, told: Told::new(path, content, &find), allowed_in: find.allowed_in });
            }
            Ok(())
        });
        if self.history.output.bytes_scanned > self.bounds.bytes {
            self.full = Some(format!("more than {} bytes of files", self.bounds.bytes));
        }
        match outcome {
            Ok(()) => Ok(finds),
            Err(Stop::Task(error)) => Err(error),
            Err(Stop::Unreadable(error)) => {
                self.lose(&GitError::broken(format!("a file cannot be read ({error})")), path);
                Ok(finds)
            }
        }
    }

    /// Which of the secrets the newest commit still has.
    fn mark_head(&mut self, store: &mut Store, head: Option<&Id>) -> Result<(), TaskError> {
        let Some(tree) = head.and_then(|head| commits::read(store, head).ok()).map(|commit| commit.tree) else {
            return Ok(());
        };
        let mut files: HashMap<String, Vec<Key>> = HashMap::new();
        let keys: Vec<(Key, String)> =
            self.history.brought.iter().map(|(key, one)| (key.clone(), one.told.path.clone())).collect();
        for (key, path) in keys {
            if !files.contains_key(&path) {
                // A name may have the mark that stands between an archive and what is in it.
                let places = [path.as_str(), outermost(&path)];
                let found = places.iter().find_map(|place| Some((*place, diff::file_at(store, tree, place).ok()??)));
                let known = match found {
                    Some((place, blob)) => self.keys(store, version(place, &blob), place, &blob)?.0,
                    None => Vec::new(),
                };
                files.insert(path.clone(), known);
            }
            let in_head = files.get(&path).is_some_and(|known| known.contains(&key));
            if let Some(one) = self.history.brought.get_mut(&key) {
                one.in_head = in_head;
            }
        }
        Ok(())
    }

    fn finish(mut self, folder: &Path) -> History {
        for (reason, (count, places)) in std::mem::take(&mut self.lost) {
            let hint =
                if reason.starts_with("objects are not there") && folder.join("objects/info/alternates").is_file() {
                    ", and this one has alternates"
                } else {
                    ""
                };
            let places = places.join(", ");
            let text = format!("{reason}{hint} ({count} times, for example at {places})");
            self.history.problems.insert((".git".into(), text));
        }
        if let Some(bound) = self.full.take() {
            self.history.problems.insert((".git".into(), format!("the history has {bound}, the rest is not searched")));
        }
        self.history
    }
}

impl History {
    /// The findings of secrets that the tree does not have, with their rules, in the order of their paths.
    pub fn gone(&self) -> Vec<(&Key, &Brought)> {
        let mut gone: Vec<_> = self.brought.iter().filter(|(_, one)| !one.in_tree).collect();
        gone.sort_by(|(_, a), (_, b)| {
            (&a.told.path, a.told.lines, a.told.rule).cmp(&(&b.told.path, b.told.lines, b.told.rule))
        });
        gone
    }

    /// Whether the baseline knows it.
    pub fn is_known(baseline: &Baseline, rule: &str, key: &Key, told: &Told) -> bool {
        let line = told.lines.map_or(0, |(line, _, _)| line);
        baseline.knows(key, &told.path, rule, [line, told.match_line])
    }
}

/// The file itself, of a path in an archive.
fn outermost(path: &str) -> &str {
    path.split_once('!').map_or(path, |(outer, _)| outer)
}

fn version(path: &str, blob: &Id) -> Version {
    let mut hash = Sha256::new();
    hash.update(blob.as_bytes());
    hash.update(path.as_bytes());
    let digest = hash.finalize();
    let mut version = [0; 16];
    version.copy_from_slice(&digest[..16]);
    version
}
