//! How much each package is needed, found by walking from the first-party packages.

use crate::model::{Origin, Package, Scope};

/// The edges of one package, by what they are for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Links {
    pub(crate) plain: Vec<usize>,
    pub(crate) optional: Vec<usize>,
    pub(crate) dev: Vec<usize>,
}

impl Links {
    /// All of them.
    pub(crate) fn all(&self) -> Vec<usize> {
        [&self.plain[..], &self.optional[..], &self.dev[..]].concat()
    }
}

/// What optional edges of packages that are not first-party mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OptionalEdges {
    /// They are in the file because somebody asked for them: as strong as plain ones.
    AskedFor,
    /// What they lead to may be left out.
    Weak,
}

/// Walks from the first-party packages: over plain edges for what is required, then over optional edges for what is optional,
/// then over the roots' own edges of development for what is for development.
pub(crate) fn set_scopes(packages: &mut [Package], links: &[Links], optional_edges: OptionalEdges) {
    let is_root: Vec<bool> = packages.iter().map(|package| package.origin == Origin::FirstParty).collect();
    if !is_root.contains(&true) {
        return;
    }
    let roots = || (0..packages.len()).filter(|index| is_root[*index]);
    let mut reached: Vec<Option<Scope>> = vec![None; packages.len()];
    for scope in [Scope::Required, Scope::Optional, Scope::Dev] {
        let mut open: Vec<usize> = Vec::new();
        for root in roots() {
            open.extend(match scope {
                Scope::Required => &links[root].plain,
                Scope::Optional => &links[root].optional,
                Scope::Dev => &links[root].dev,
            });
            reached[root] = Some(Scope::Required);
        }
        if scope == Scope::Optional && optional_edges == OptionalEdges::Weak {
            let required = (0..packages.len()).filter(|index| reached[*index].is_some());
            open.extend(required.flat_map(|index| &links[index].optional));
        }
        while let Some(index) = open.pop() {
            if reached[index].is_none() {
                reached[index] = Some(scope);
                open.extend(&links[index].plain);
                if scope != Scope::Required || optional_edges == OptionalEdges::AskedFor {
                    open.extend(&links[index].optional);
                }
            }
        }
    }
    for (package, scope) in packages.iter_mut().zip(reached) {
        // What no root reaches is in the file for another platform or by mistake: listed, but not as needed.
        package.scope = scope.unwrap_or(Scope::Optional);
    }
}
