//! Which version apt would take for a package: the one with the highest priority, of those the latest, apt_preferences(5).

use super::indexes::{Available, Index, Indexes};
use super::pins::Pins;
use crate::model::{Installed, Manager, Update};
use orch_plugin_kit::root::Root;
use std::cmp::Ordering;

/// What an archive has without further ado.
const USUAL: i32 = 500;
/// What the installed version has at least.
const OF_INSTALLED: i32 = 100;
/// What the archive of `APT::Default-Release` has.
const OF_DEFAULT_RELEASE: i32 = 990;
/// From here on an earlier version may take the place of a later one.
const MAY_GO_BACK: i32 = 1000;

/// What decides, besides the indexes.
#[derive(Debug, Default)]
pub struct Preferences {
    /// Entries of the preferences.
    pub pins: Pins,
    /// `APT::Default-Release`.
    pub default_release: Option<String>,
    /// The architecture that a package `all` is for as well.
    pub native: Option<String>,
}

impl Preferences {
    fn priority(&self, name: &str, version: &str, index: &Index) -> i32 {
        if let Some(priority) = self.pins.priority(name, version, index) {
            return priority;
        }
        let release = &index.release;
        let is_default =
            |name: &String| [&release.suite, &release.codename, &release.version].contains(&&Some(name.clone()));
        if self.default_release.as_ref().is_some_and(is_default) {
            return OF_DEFAULT_RELEASE;
        }
        match (release.not_automatic, release.but_automatic_upgrades) {
            (true, false) => 1,
            (true, true) => OF_INSTALLED,
            (false, _) => USUAL,
        }
    }

    fn is_for(&self, available: &Available, installed: &Installed) -> bool {
        let (new, old) = (available.architecture.as_str(), installed.architecture.as_deref());
        Some(new) == old || new == "all" || (old == Some("all") && Some(new) == self.native.as_deref())
    }
}

/// The change that apt would make of an installed package, if any.
pub fn candidate(installed: &Installed, indexes: &Indexes, preferences: &Preferences) -> Option<Update> {
    let name = &installed.name;
    let all = indexes.available.get(name).map_or(&[][..], Vec::as_slice);
    let ours: Vec<&Available> = all.iter().filter(|one| preferences.is_for(one, installed)).collect();
    let compare = |left: &str, right: &str| Manager::Apt.compare(left, right);
    let rate = |one: &&'_ Available| Some(preferences.priority(name, &one.version, indexes.all.get(one.index)?));
    let rated: Vec<(i32, &Available)> = ours.iter().filter_map(|one| Some((rate(one)?, *one))).collect();
    // The installed version is one of those to choose from, with the best priority that any archive gives it.
    let of_installed = rated
        .iter()
        .filter(|(_, one)| compare(&one.version, &installed.version) == Ordering::Equal)
        .fold(OF_INSTALLED, |best, (priority, _)| best.max(*priority));
    let mut best: Option<(i32, &Available)> = None;
    for (priority, one) in rated.iter().copied().filter(|(priority, _)| *priority > 0) {
        let is_better = best.is_none_or(|(highest, known)| {
            (priority, compare(&one.version, &known.version)) > (highest, Ordering::Equal)
        });
        let goes_back = compare(&one.version, &installed.version) == Ordering::Less;
        if is_better && (!goes_back || priority >= MAY_GO_BACK) {
            best = Some((priority, one));
        }
    }
    let (priority, best) = best?;
    if priority < of_installed || compare(&best.version, &installed.version) == Ordering::Equal {
        return None;
    }
    let is_between = |one: &&&Available| {
        compare(&one.version, &installed.version) == Ordering::Greater
            && compare(&one.version, &best.version) != Ordering::Greater
    };
    let from_security = |one: &&Available| indexes.all.get(one.index).is_some_and(|index| index.security);
    Some(Update {
        name: name.clone(),
        architecture: installed.architecture.clone(),
        from: installed.version.clone(),
        to: best.version.clone(),
        security: Some(ours.iter().filter(is_between).any(from_security)),
        size: best.size,
        source: indexes.all.get(best.index).map(Index::title),
    })
}

/// `APT::Default-Release`, where apt's configuration says it in one line, and what is not understood of it.
pub fn default_release(root: &Root) -> (Option<String>, Option<String>) {
    const MAX_FILE: u64 = 1 << 20;
    let folder = "etc/apt/apt.conf.d";
    let files = root.names(folder).unwrap_or_default().into_iter().map(|name| format!("{folder}/{name}"));
    let mut found = (None, None);
    for file in files.chain(["etc/apt/apt.conf".to_owned()]) {
        let Ok(text) = root.text(&file, MAX_FILE) else { continue };
        for line in text.lines().map(str::trim).filter(|line| !line.starts_with("//") && !line.starts_with('#')) {
            if !line.to_ascii_lowercase().contains("default-release") {
                continue;
            }
            let value = line.split('"').nth(1).filter(|value| {
                line.to_ascii_lowercase().starts_with("apt::default-release")
                    && !value.is_empty()
                    && !value.contains('/')
            });
            match value {
                Some(value) => found.0 = Some(value.to_owned()),
                None => found.1 = Some(format!("{file}: a `Default-Release` that is not evaluated")),
            }
        }
    }
    found
}
