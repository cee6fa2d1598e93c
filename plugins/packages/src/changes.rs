//! What changed from one state of the database to another.

use crate::database::Database;
use crate::model::{Installed, Update};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Changes that nobody asked for, in an output.
const MOST_LISTED: usize = 1_000;

/// A package before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Change {
    /// The package.
    pub name: String,
    /// What it is built for.
    pub architecture: Option<String>,
    /// The version before, with its state where it was not wholly installed; null if it was not there.
    pub from: Option<String>,
    /// The version after, likewise.
    pub to: Option<String>,
}

impl Change {
    /// Of a wanted update.
    pub fn of(update: &Update, from: Option<String>, to: Option<String>) -> Change {
        Change { name: update.name.clone(), architecture: update.architecture.clone(), from, to }
    }

    /// For a person.
    pub fn shown(&self) -> String {
        let part = |version: &Option<String>| version.clone().unwrap_or_else(|| "not installed".to_owned());
        format!("{} to {}", part(&self.from), part(&self.to))
    }
}

/// The version, with the state where it is not wholly installed.
pub fn version(installed: &Installed) -> String {
    if installed.is_well() { installed.version.clone() } else { format!("{} ({})", installed.version, installed.state) }
}

/// The installed package that an update is about; of several versions beside each other, as rpm has of kernels, the latest.
pub fn latest<'a>(database: &'a Database, update: &Update) -> Option<&'a Installed> {
    let ours = database.packages.iter().filter(|one| update.is_of(one));
    ours.max_by(|left, right| database.manager.compare(&left.version, &right.version))
}

/// What is different and was not asked for, or has not the version that was asked for although it was changed.
pub fn unexpected(before: &Database, after: &Database, approved: &[Update]) -> Vec<Change> {
    type Key<'a> = (&'a str, Option<&'a str>);
    fn by_key(database: &Database) -> BTreeMap<Key<'_>, Vec<String>> {
        let mut all: BTreeMap<Key<'_>, Vec<String>> = BTreeMap::new();
        for one in &database.packages {
            all.entry((&one.name, one.architecture.as_deref())).or_default().push(version(one));
        }
        all.values_mut().for_each(|versions| versions.sort());
        all
    }
    let (old, new) = (by_key(before), by_key(after));
    let mut keys: Vec<_> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    let is_approved = |key: &Key<'_>| {
        let about = |update: &&Update| {
            update.name == key.0 && (update.architecture.is_none() || update.architecture.as_deref() == key.1)
        };
        // One that is there and not well is told of among the failures.
        let one_of = |update: &Update| {
            new.get(key).is_some_and(|versions| {
                versions.iter().any(|version| version.split(' ').next() == Some(update.to.as_str()))
            })
        };
        approved.iter().filter(about).any(one_of)
    };
    keys.into_iter()
        .filter(|key| old.get(*key) != new.get(*key) && !is_approved(key))
        .take(MOST_LISTED)
        .map(|key| Change {
            name: key.0.to_owned(),
            architecture: key.1.map(str::to_owned),
            from: old.get(key).map(|versions| versions.join(", ")),
            to: new.get(key).map(|versions| versions.join(", ")),
        })
        .collect()
}
