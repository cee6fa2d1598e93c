//! Puts the records of one vulnerability together, and says of each package that it affects: by which name, how bad, and what helps.

use crate::cvss::{Score, base_score};
use crate::inventory::Package;
use crate::matching::{Match, Matcher};
use crate::ranges::{self, Verdict};
use crate::record::{Record, is_id};
use orch_plugin_kit::version::Order;
use orch_sdk::Severity;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// Versions that are tried as a remedy.
const MAX_CANDIDATES: usize = 200;

/// Records of one vulnerability that affect one package.
#[derive(Debug)]
pub struct Group<'m> {
    /// The package.
    pub package: usize,
    /// The name that is reported.
    pub id: String,
    /// All names, sorted, with that one.
    pub ids: Vec<String>,
    /// How bad it is.
    pub rating: Rating,
    /// The smallest version above that no record of the group affects.
    pub fixed: Option<String>,
    /// The records; the one of the reported name first, if there is one.
    pub records: Vec<&'m Record>,
}

/// How bad it is, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rating {
    /// The word.
    pub severity: Severity,
    /// The highest score with its vector.
    pub score: Option<(Score, String)>,
    /// Where the word comes from.
    pub origin: Origin,
}

/// Where a rating comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A CVSS vector.
    Vector,
    /// A word of the database.
    Word,
    /// Nobody says.
    Assumed,
}

/// Makes the groups, sorted by package and name.
pub fn groups<'m>(matches: &'m [Match], packages: &[&Package]) -> Vec<Group<'m>> {
    let mut sets = Sets::default();
    for found in matches {
        let own = sets.number(&found.record.id);
        for other in found.record.same_as().filter(|id| is_id(id)) {
            let other = sets.number(other);
            sets.unite(own, other);
        }
    }
    let mut names: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for (name, number) in sets.numbers.clone() {
        names.entry(sets.root(number)).or_default().insert(name);
    }
    let mut together: BTreeMap<(usize, usize), Vec<&Record>> = BTreeMap::new();
    for found in matches {
        let number = sets.number(&found.record.id);
        let root = sets.root(number);
        for package in &found.packages {
            together.entry((*package, root)).or_default().push(&found.record);
        }
    }
    let group = |((number, root), mut records): ((usize, usize), Vec<&'m Record>)| {
        let ids: Vec<String> = names.get(&root).into_iter().flatten().cloned().collect();
        let id = ids.iter().min_by_key(|id| (rank(id), *id)).cloned().unwrap_or_default();
        records
            .sort_by_key(|record| (record.id != id, Reverse(record.summary.is_some()), rank(&record.id), &record.id));
        let fixed = packages.get(number).and_then(|package| remedy(&records, package));
        Group { package: number, id, ids, rating: rate(&records), fixed, records }
    };
    let mut groups: Vec<Group> = together.into_iter().map(group).collect();
    groups.sort_by(|left, right| (left.package, &left.id).cmp(&(right.package, &right.id)));
    groups
}

/// Names that are known everywhere come first.
fn rank(id: &str) -> u8 {
    match id.split('-').next() {
        Some("CVE") => 0,
        Some("GHSA") => 1,
        _ => 2,
    }
}

/// Names that stand for one vulnerability: union and find.
#[derive(Debug, Default)]
struct Sets {
    numbers: BTreeMap<String, usize>,
    parents: Vec<usize>,
}

impl Sets {
    fn number(&mut self, name: &str) -> usize {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.parents.len();
        self.parents.push(number);
        self.numbers.insert(name.to_owned(), number);
        number
    }

    fn root(&mut self, mut number: usize) -> usize {
        while self.parents[number] != number {
            // Halving the way keeps later ones short.
            self.parents[number] = self.parents[self.parents[number]];
            number = self.parents[number];
        }
        number
    }

    fn unite(&mut self, left: usize, right: usize) {
        let (left, right) = (self.root(left), self.root(right));
        self.parents[left.max(right)] = left.min(right);
    }
}

fn rate(records: &[&Record]) -> Rating {
    let vectors = records.iter().flat_map(|record| record.vectors());
    let scores = vectors.filter_map(|vector| Some((base_score(vector)?, vector.to_owned())));
    if let Some(score) = scores.max() {
        return Rating { severity: score.0.severity(), score: Some(score), origin: Origin::Vector };
    }
    let words = records.iter().filter_map(|record| record.severity_word()).filter_map(word);
    match words.max() {
        Some(severity) => Rating { severity, score: None, origin: Origin::Word },
        None => Rating { severity: Severity::Medium, score: None, origin: Origin::Assumed },
    }
}

fn word(text: &str) -> Option<Severity> {
    Some(match text.to_ascii_lowercase().as_str() {
        "critical" => Severity::Critical,
        "high" | "important" => Severity::High,
        "moderate" | "medium" => Severity::Medium,
        "low" | "negligible" | "unimportant" => Severity::Low,
        "none" => Severity::Info,
        _ => return None,
    })
}

fn remedy(records: &[&Record], package: &Package) -> Option<String> {
    let mut candidates: Vec<(&str, Order)> = Vec::new();
    for record in records {
        for (affected, order) in Matcher::entries(record, package) {
            let order_of_all = order.unwrap_or(Order::SemVer);
            candidates.extend(ranges::fixes(affected, &package.version, order).map(|fixed| (fixed, order_of_all)));
        }
    }
    candidates.sort_by(|(left, order), (right, _)| order.compare(left, right).then_with(|| left.cmp(right)));
    candidates.dedup();
    let is_free = |version: &str| {
        records.iter().all(|record| {
            Matcher::entries(record, package)
                .all(|(affected, order)| ranges::verdict(affected, version, order) == Verdict::NotAffected)
        })
    };
    candidates
        .iter()
        .take(MAX_CANDIDATES)
        .find(|(version, _)| is_free(version))
        .map(|(version, _)| (*version).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Inventory;
    use crate::skipped::Skips;
    use serde_json::json;

    fn inventory(purl: &str) -> Inventory {
        let folder = tempfile::tempdir().unwrap();
        let bill = json!({ "bomFormat": "CycloneDX", "components": [{ "purl": purl }] });
        std::fs::write(folder.path().join("bill.json"), bill.to_string()).unwrap();
        Inventory::of_bill(folder.path(), "bill.json", &mut Skips::default())
    }

    fn record(id: &str, aliases: &[&str], fixed: &[(&str, &str)], extra: serde_json::Value) -> Vec<u8> {
        let events = fixed.iter().flat_map(|(from, to)| [json!({ "introduced": from }), json!({ "fixed": to })]);
        let events: Vec<_> = events.collect();
        let mut record = json!({ "id": id, "aliases": aliases, "affected": [
            { "package": { "ecosystem": "npm", "name": "kit" }, "ranges": [{ "type": "SEMVER", "events": events }] }] });
        record.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        record.to_string().into_bytes()
    }

    #[track_caller]
    fn check(records: &[Vec<u8>], expected: &[(&str, &[&str], &str, Option<&str>)]) {
        let inventory = inventory("pkg:npm/kit@1.0.0");
        let mut matcher = Matcher::new(&inventory);
        for record in records {
            matcher.read(record, "x", &mut Skips::default());
        }
        let groups = groups(&matcher.matches, matcher.packages());
        let found: Vec<_> = groups
            .iter()
            .map(|it| {
                let ids: Vec<&str> = it.ids.iter().map(String::as_str).collect();
                (it.id.clone(), ids, format!("{:?} {:?}", it.rating.severity, it.rating.origin), it.fixed.clone())
            })
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(id, ids, rating, fixed)| {
                ((*id).to_owned(), ids.to_vec(), (*rating).to_owned(), fixed.map(str::to_owned))
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn aliases_are_one() {
        let low =
            json!({ "severity": [{ "type": "CVSS_V3", "score": "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:L/I:N/A:N" }] });
        let high = json!({ "severity": [{ "type": "CVSS_V4", "score": "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N" }] });
        check(
            &[
                record("ZZ-1", &["CVE-2000-0001"], &[("0", "1.5.0")], low),
                record("GHSA-aaaa", &["CVE-2000-0001"], &[("0", "1.2.0")], high),
                record("ZZ-2", &[], &[("0", "1.1.0")], json!({ "database_specific": { "severity": "LOW" } })),
                record("ZZ-3", &[], &[("0", "2.0.0")], json!({})),
                record("ZZ-4", &[], &[("0", "0.5.0"), ("2.0.0", "3.0.0")], json!({})),
                record("ZZ-5", &[], &[("0", "9.0.0")], json!({ "withdrawn": "2000-01-01T00:00:00Z" })),
            ],
            &[
                ("CVE-2000-0001", &["CVE-2000-0001", "GHSA-aaaa", "ZZ-1"], "Critical Vector", Some("1.5.0")),
                ("ZZ-2", &["ZZ-2"], "Low Word", Some("1.1.0")),
                ("ZZ-3", &["ZZ-3"], "Medium Assumed", Some("2.0.0")),
            ],
        );
    }

    #[test]
    fn a_chain_of_aliases() {
        let plain = |id: &str, aliases: &[&str]| record(id, aliases, &[("0", "2.0.0")], json!({}));
        let upstream = json!({ "upstream": ["CVE-2000-0002"] });
        check(
            &[plain("A-1", &["B-1"]), plain("C-1", &["B-1"]), record("D-1", &[], &[("0", "2.0.0")], upstream)],
            &[
                ("A-1", &["A-1", "B-1", "C-1"], "Medium Assumed", Some("2.0.0")),
                ("CVE-2000-0002", &["CVE-2000-0002", "D-1"], "Medium Assumed", Some("2.0.0")),
            ],
        );
        // The next branch is affected again, so its first version is no remedy.
        check(
            &[
                record("E-1", &[], &[("0", "1.1.0"), ("1.1.0", "1.2.0")], json!({})),
                record("F-1", &["E-1"], &[("0", "1.1.0")], json!({})),
            ],
            &[("E-1", &["E-1", "F-1"], "Medium Assumed", Some("1.2.0"))],
        );
    }
}
