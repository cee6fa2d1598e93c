//! Which commits are looked at, in an order in which each comes after its parents.

use super::GitError;
use super::id::Id;
use super::object::{Commit, Kind, tag_target};
use super::store::{MOST_OBJECT, Store};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};

/// Commits of one scan; about a hundred bytes of memory each.
pub const MOST_COMMITS: usize = 1_000_000;

/// A commit to look at.
#[derive(Debug)]
pub struct Node {
    /// Its name.
    pub id: Id,
    /// What it holds.
    pub tree: Id,
    /// Those before it, also those that are not looked at.
    pub parents: Vec<Id>,
    committed: i64,
}

/// Which commits are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    /// Committed at this second or later.
    pub since: Option<i64>,
    /// At most this many, the newest.
    pub most: Option<usize>,
}

/// The commits to look at, and why there may be too few.
#[derive(Debug, Default)]
pub struct Walked {
    /// Parents before children; of several that could come next, the older.
    pub nodes: Vec<Node>,
    /// Why commits are missing.
    pub problems: BTreeSet<String>,
}

/// Reads a commit.
///
/// # Errors
/// As [`Store::read`], and when it is none.
pub fn read(store: &mut Store, id: &Id) -> Result<Commit, GitError> {
    Commit::parse(&store.read_kind(id, Kind::Commit)?)
}

/// What a name stands for in the end, a commit as a rule; tags may stand for tags.
fn peel(store: &mut Store, mut id: Id) -> Result<Option<Id>, GitError> {
    for _ in 0..16 {
        match store.read(&id, MOST_OBJECT)? {
            (Kind::Commit, _) => return Ok(Some(id)),
            (Kind::Tag, bytes) => id = tag_target(&bytes).ok_or_else(|| GitError::broken("a tag names nothing"))?,
            _ => return Ok(None),
        }
    }
    Err(GitError::broken("tags stand for tags without end"))
}

/// Walks back from `tips`. `goes_on` is asked now and then with the number of commits, and its error ends the walk.
///
/// # Errors
/// The error of `goes_on`.
pub fn walk<E>(
    store: &mut Store,
    tips: impl Iterator<Item = Id>,
    shallow: &BTreeSet<Id>,
    wanted: Wanted,
    goes_on: &mut dyn FnMut(u64) -> Result<(), E>,
) -> Result<Walked, E> {
    let mut walked = Walked::default();
    let mut place: HashMap<Id, Option<usize>> = HashMap::new();
    // The newest first, as `git log` does, so that `since` and `most` mean the same.
    let mut heap: BinaryHeap<(i64, Id)> = BinaryHeap::new();
    let mut read_ahead: HashMap<Id, Commit> = HashMap::new();
    let mut missing: Vec<String> = Vec::new();
    let mut lost = 0_u64;
    let mut meet = |store: &mut Store, id: Id, read_ahead: &mut HashMap<Id, Commit>| match read(store, &id) {
        Ok(commit) => {
            let committed = commit.committed;
            read_ahead.insert(id, commit);
            Some((committed, id))
        }
        Err(error) => {
            lost += 1;
            missing.push(error.to_string());
            missing.truncate(3);
            None
        }
    };
    let mut broken_tips = BTreeSet::new();
    for tip in tips {
        match peel(store, tip) {
            Ok(Some(id)) if !place.contains_key(&id) => {
                place.insert(id, None);
                heap.extend(meet(store, id, &mut read_ahead));
            }
            Ok(_) => {}
            Err(error) => {
                broken_tips.insert(error.to_string());
            }
        }
    }
    let most = wanted.most.unwrap_or(usize::MAX).min(MOST_COMMITS);
    while let Some((committed, id)) = heap.pop() {
        let Some(commit) = read_ahead.remove(&id) else { continue };
        if wanted.since.is_some_and(|since| committed < since) {
            continue;
        }
        if walked.nodes.len() == most {
            if most == MOST_COMMITS {
                walked.problems.insert(format!("only the newest {MOST_COMMITS} commits are looked at"));
            }
            break;
        }
        if walked.nodes.len().is_multiple_of(1024) {
            goes_on(walked.nodes.len() as u64)?;
        }
        let parents = if shallow.contains(&id) { Vec::new() } else { commit.parents };
        for parent in &parents {
            if !place.contains_key(parent) {
                place.insert(*parent, None);
                heap.extend(meet(store, *parent, &mut read_ahead));
            }
        }
        place.insert(id, Some(walked.nodes.len()));
        walked.nodes.push(Node { id, tree: commit.tree, parents, committed });
    }
    if lost > 0 {
        walked.problems.insert(format!("{lost} commits cannot be read: {}", missing.join("; ")));
    }
    for reason in broken_tips.iter().take(3) {
        walked.problems.insert(format!("a branch or tag cannot be read: {reason}"));
    }
    let cut = walked.nodes.iter().filter(|node| shallow.contains(&node.id)).count();
    if cut > 0 {
        walked.problems.insert(format!(
            "the clone is shallow: {cut} of its commits have parents that were not fetched; `git fetch --unshallow` gets them"
        ));
    }
    sort(&mut walked, &place);
    Ok(walked)
}

/// Parents first.
fn sort(walked: &mut Walked, place: &HashMap<Id, Option<usize>>) {
    let count = walked.nodes.len();
    let mut waits_for = vec![0_usize; count];
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (child, node) in walked.nodes.iter().enumerate() {
        for parent in &node.parents {
            if let Some(Some(parent)) = place.get(parent) {
                waits_for[child] += 1;
                children[*parent].push(child);
            }
        }
    }
    let key = |at: usize| Reverse((walked.nodes[at].committed, walked.nodes[at].id, at));
    let mut ready: BinaryHeap<_> = (0..count).filter(|at| waits_for[*at] == 0).map(key).collect();
    let mut order = Vec::with_capacity(count);
    while let Some(Reverse((_, _, at))) = ready.pop() {
        order.push(at);
        for child in &children[at] {
            waits_for[*child] -= 1;
            if waits_for[*child] == 0 {
                ready.push(key(*child));
            }
        }
    }
    if order.len() < count {
        // Names that are digests cannot make a ring; a forged index can.
        walked.problems.insert(format!("{} commits are among their own ancestors", count - order.len()));
        order.extend((0..count).filter(|at| waits_for[*at] > 0));
    }
    let mut nodes: Vec<Option<Node>> = std::mem::take(&mut walked.nodes).into_iter().map(Some).collect();
    walked.nodes = order.into_iter().filter_map(|at| nodes[at].take()).collect();
}
