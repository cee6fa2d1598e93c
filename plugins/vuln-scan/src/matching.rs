//! Keeps the records that concern a package. An index has the names that are needed; all others are passed over after a glance.

use crate::inventory::{Inventory, Package};
use crate::purl::normal_name;
use crate::ranges::{self, Verdict};
use crate::record::{Affected, Glance, Record, is_id};
use crate::skipped::{self, Skips};
use orch_plugin_kit::version::Order;
use std::collections::{BTreeSet, HashMap};

/// Records that are kept. A tree with more is a tree that nobody maintains.
const MAX_KEPT: usize = 20_000;

/// Events of the entries of one record that concern packages. Each is looked at for each version in use.
const MAX_EVENTS: usize = 20_000;

/// A record that affects some packages.
#[derive(Debug)]
pub struct Match {
    /// The record, with the entries of needed packages only.
    pub record: Record,
    /// The packages it affects, by their place.
    pub packages: Vec<usize>,
}

/// The packages of one ecosystem.
#[derive(Default)]
struct Names<'a> {
    numbers: HashMap<&'a str, Vec<usize>>,
    /// Whether any record speaks of the ecosystem.
    has_records: bool,
}

/// The needed names, and what was found so far.
pub struct Matcher<'a> {
    packages: Vec<&'a Package>,
    index: HashMap<&'static str, Names<'a>>,
    /// What matched, in the order of reading.
    pub matches: Vec<Match>,
    /// How many records were read.
    pub read: usize,
    /// Ecosystems of records that concern a package but whose versions cannot be compared.
    pub unknown: BTreeSet<String>,
}

impl<'a> Matcher<'a> {
    /// For the packages of an inventory, which are numbered in its order.
    pub fn new(inventory: &'a Inventory) -> Matcher<'a> {
        let packages: Vec<&Package> = inventory.packages.values().collect();
        let mut index: HashMap<&'static str, Names> = HashMap::new();
        for (number, package) in packages.iter().enumerate() {
            let names = index.entry(package.ecosystem).or_default();
            for name in std::iter::once(&package.name).chain(&package.source_name) {
                names.numbers.entry(name).or_default().push(number);
            }
        }
        Matcher { packages, index, matches: Vec::new(), read: 0, unknown: BTreeSet::new() }
    }

    /// Reads one record; `place` is where it comes from.
    pub fn read(&mut self, bytes: &[u8], place: &str, skips: &mut Skips) {
        self.read += 1;
        let glance: Glance = match serde_json::from_slice(bytes) {
            Ok(glance) => glance,
            Err(error) => return skips.unreadable(skipped::RECORD, ".", place, &error.to_string()),
        };
        if !is_id(&glance.id) {
            return skips.unreadable(skipped::RECORD, ".", place, "its id is no name of a vulnerability");
        }
        let mut is_needed = false;
        for (ecosystem, name) in glance.packages() {
            if let Some(names) = self.index.get_mut(base(ecosystem)) {
                names.has_records = true;
                is_needed |= names.numbers.contains_key(&*normal_name(base(ecosystem), name));
            }
        }
        if !is_needed {
            return;
        }
        match serde_json::from_slice::<Record>(bytes) {
            Ok(record) => self.take(record, place, skips),
            Err(error) => skips.unreadable(skipped::RECORD, ".", place, &error.to_string()),
        }
    }

    /// The packages of a name; of a distribution, those of all its releases.
    fn named(&self, ecosystem: &str, name: &str) -> &[usize] {
        let names = self.index.get(base(ecosystem));
        let found = names.and_then(|names| names.numbers.get(&*normal_name(base(ecosystem), name)));
        found.map_or(&[], Vec::as_slice)
    }

    fn concerned(&self, affected: &Affected) -> Vec<usize> {
        let Some(package) = &affected.package else { return Vec::new() };
        let named = self.named(&package.ecosystem, &package.name).iter().copied();
        named.filter(|number| is_of_release(&package.ecosystem, self.packages[*number])).collect()
    }

    fn take(&mut self, mut record: Record, place: &str, skips: &mut Skips) {
        if record.withdrawn.is_some() {
            return skips.count("withdrawn", &record.id);
        }
        record.keep(|affected| !self.concerned(affected).is_empty());
        let events = record.affected().iter().flat_map(Affected::ranges).map(|range| range.events.len());
        if events.sum::<usize>() > MAX_EVENTS {
            return skips.unreadable(skipped::RECORD, ".", place, &format!("more than {MAX_EVENTS} events"));
        }
        let mut hit = BTreeSet::new();
        let mut doubtful = BTreeSet::new();
        for affected in record.affected() {
            let ecosystem = affected.package.as_ref().map_or("", |package| &package.ecosystem);
            let order = Order::for_ecosystem(ecosystem);
            let has_ranges = affected.ranges().iter().any(|range| range.kind == "ECOSYSTEM");
            for number in self.concerned(affected) {
                match ranges::verdict(affected, &self.packages[number].version, order) {
                    Verdict::Affected => {
                        hit.insert(number);
                    }
                    Verdict::Unknown(reason) => {
                        doubtful.insert((number, reason));
                    }
                    Verdict::NotAffected if order.is_none() && has_ranges => {
                        self.unknown.insert(ecosystem.to_owned());
                        // A list of versions speaks for the range beside it.
                        if affected.versions().is_empty() {
                            doubtful.insert((number, format!("the order of versions of `{ecosystem}` is not known")));
                        }
                    }
                    Verdict::NotAffected => {}
                }
            }
        }
        for (number, reason) in doubtful.iter().filter(|(number, _)| !hit.contains(number)) {
            let package = self.packages[*number];
            let path = package.places.first().map_or(".", |(path, _)| path.as_str());
            let what = format!("{} against {}", package.purl.text, record.id);
            skips.unreadable(skipped::PACKAGE, path, &what, reason);
        }
        if hit.is_empty() {
            return;
        }
        if self.matches.len() == MAX_KEPT {
            return skips.unreadable(skipped::RECORDS, ".", place, &format!("more than {MAX_KEPT} records match"));
        }
        self.matches.push(Match { record, packages: hit.into_iter().collect() });
    }

    /// What a record says of a package, with the order of its versions.
    pub fn entries<'r>(
        record: &'r Record,
        package: &'r Package,
    ) -> impl Iterator<Item = (&'r Affected, Option<Order>)> {
        record.affected().iter().filter_map(move |affected| {
            let named = affected.package.as_ref()?;
            let is_it = base(&named.ecosystem) == package.ecosystem
                && has_name(package, &normal_name(package.ecosystem, &named.name))
                && is_of_release(&named.ecosystem, package);
            is_it.then(|| (affected, Order::for_ecosystem(&named.ecosystem)))
        })
    }

    /// Ecosystems of packages that no record speaks of.
    pub fn without_records(&self) -> BTreeSet<&'static str> {
        self.index.iter().filter(|(_, names)| !names.has_records).map(|(ecosystem, _)| *ecosystem).collect()
    }

    /// The packages, by their numbers.
    pub fn packages(&self) -> &[&'a Package] {
        &self.packages
    }
}

fn has_name(package: &Package, name: &str) -> bool {
    package.name == name || package.source_name.as_deref() == Some(name)
}

/// An ecosystem without its release.
fn base(ecosystem: &str) -> &str {
    ecosystem.split(':').next().unwrap_or_default()
}

/// Whether an ecosystem with a release, such as `Debian:12`, is that of a package. Ubuntu's `Pro` has other versions than the release
/// itself, so its records are not compared.
fn is_of_release(ecosystem: &str, package: &Package) -> bool {
    let Some((_, suffix)) = ecosystem.split_once(':') else { return true };
    let Some(release) = &package.release else { return true };
    if package.ecosystem == "SUSE" {
        // `SUSE:Linux Enterprise Module for Basesystem 15 SP5`: which module a package is of is not known, and its name says enough.
        return suffix.strip_suffix(release.as_str()).is_some_and(|product| product.ends_with(' '));
    }
    !suffix.starts_with("Pro:") && suffix.split(':').any(|part| part == release)
}
