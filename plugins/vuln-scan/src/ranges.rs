//! Whether a version is among the affected ones: the evaluation that the OSV schema describes.

use crate::record::{Affected, Event, Range};
use orch_plugin_kit::version::Order;

/// What an entry says of a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The version is none of those it lists.
    NotAffected,
    /// It cannot be said: the reason.
    Unknown(String),
    /// The version is affected.
    Affected,
}

/// Whether an entry's list or one of its ranges has a version. `order` is that of the entry's ecosystem.
pub fn verdict(affected: &Affected, version: &str, order: Option<Order>) -> Verdict {
    let is_listed = |listed: &&String| {
        listed.as_str() == version
            || order.is_some_and(|order| {
                order.is_version(listed) && order.is_version(version) && order.compare(listed, version).is_eq()
            })
    };
    if affected.versions().iter().any(|listed| is_listed(&listed)) {
        return Verdict::Affected;
    }
    // The worst that a range says; what cannot be said is worse than no.
    let ranges =
        affected.ranges().iter().filter_map(|range| Some(in_range(range, version, range_order(range, order)?)));
    ranges.max().unwrap_or(Verdict::NotAffected)
}

/// The order of a range; `None` if there is nothing to compare: commits, or an ecosystem whose order is not known.
pub fn range_order(range: &Range, order: Option<Order>) -> Option<Order> {
    match range.kind.as_str() {
        "ECOSYSTEM" => order,
        // The same order, with the spelling of the ecosystem's own versions.
        "SEMVER" => order.filter(|it| matches!(it, Order::Npm | Order::Go | Order::NuGet)).or(Some(Order::SemVer)),
        _ => None,
    }
}

/// The versions that end the trouble of an entry, above the one in use.
pub fn fixes<'a>(affected: &'a Affected, version: &'a str, order: Option<Order>) -> impl Iterator<Item = &'a str> {
    affected.ranges().iter().flat_map(move |range| {
        let order = range_order(range, order);
        let fixed = range.events.iter().filter_map(|event| event.fixed.as_deref());
        fixed.filter(move |fixed| {
            order.is_some_and(|order| order.is_version(fixed) && order.compare(fixed, version).is_gt())
        })
    })
}

fn in_range(range: &Range, version: &str, order: Order) -> Verdict {
    if !order.is_version(version) {
        return Verdict::Unknown(format!("`{version}` is no version that can be compared"));
    }
    // `0` stands for before everything, also where it is no version.
    let at_or_after = |event: &str| event == "0" || order.compare(version, event).is_ge();
    let mut events: Vec<(&str, &Event)> = Vec::with_capacity(range.events.len());
    let mut limits = range.events.iter().filter_map(|event| event.limit.as_deref()).peekable();
    let is_within =
        limits.peek().is_none() || limits.any(|limit| limit == "*" || order.compare(version, limit).is_lt());
    for event in &range.events {
        let at = event.introduced.as_ref().or(event.fixed.as_ref()).or(event.last_affected.as_ref());
        let limit = event.limit.as_ref().filter(|limit| *limit != "*");
        if let Some(odd) = at.into_iter().chain(limit).find(|it| *it != "0" && !order.is_version(it)) {
            return Verdict::Unknown(format!("`{odd}` is no version that can be compared"));
        }
        events.extend(at.map(|at| (at.as_str(), event)));
    }
    // Stable: of events at one version the first in the record comes first.
    events.sort_by(|(left, _), (right, _)| match (*left == "0", *right == "0") {
        (false, false) => order.compare(left, right),
        (left, right) => right.cmp(&left),
    });
    let mut is_affected = false;
    for (at, event) in events {
        if event.introduced.is_some() {
            is_affected |= at_or_after(at);
        } else if event.fixed.is_some() {
            is_affected &= !at_or_after(at);
        } else {
            is_affected &= order.compare(version, at).is_le();
        }
    }
    if is_affected && is_within { Verdict::Affected } else { Verdict::NotAffected }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(order: Option<Order>, affected: serde_json::Value, hit: &[&str], missed: &[&str]) {
        let affected: Affected = serde_json::from_value(affected).unwrap();
        for version in hit {
            assert_eq!(verdict(&affected, version, order), Verdict::Affected, "{version}");
        }
        for version in missed {
            assert_eq!(verdict(&affected, version, order), Verdict::NotAffected, "{version}");
        }
    }

    fn range(kind: &str, events: serde_json::Value) -> serde_json::Value {
        json!({ "ranges": [{ "type": kind, "events": events }] })
    }

    #[test]
    fn events() {
        let cargo = Some(Order::SemVer);
        let from_start = range("SEMVER", json!([{ "introduced": "0" }, { "fixed": "1.2.0" }]));
        check(cargo, from_start, &["0.0.0-a", "1.2.0-rc.1", "1.1.9"], &["1.2.0", "2.0.0"]);
        let twice =
            json!([{ "fixed": "2.1.0" }, { "introduced": "2.0.0" }, { "introduced": "1.0.0" }, { "fixed": "1.5.0" }]);
        check(cargo, range("SEMVER", twice), &["1.0.0", "1.4.9", "2.0.5"], &["0.9.0", "1.5.0", "1.9.0", "2.1.0"]);
        let last = json!([{ "introduced": "1.0.0" }, { "last_affected": "1.5.0" }]);
        check(cargo, range("SEMVER", last), &["1.0.0", "1.5.0"], &["1.5.1", "0.9.0"]);
        let limit = json!([{ "introduced": "1.0.0" }, { "limit": "2.0.0" }]);
        check(cargo, range("SEMVER", limit), &["1.9.0"], &["2.0.0", "0.1.0"]);
        check(cargo, range("SEMVER", json!([{ "introduced": "0" }])), &["1.0.0"], &[]);
        check(cargo, range("SEMVER", json!([])), &[], &["1.0.0"]);
        check(cargo, range("GIT", json!([{ "introduced": "0" }])), &[], &["1.0.0"]);
        let again = json!([{ "introduced": "0" }, { "fixed": "2.0.0" }, { "introduced": "2.0.0" }]);
        check(cargo, range("SEMVER", again), &["1.0.0", "2.0.0", "3.0.0"], &[]);
    }

    #[test]
    fn orders_and_lists() {
        let debian = range("ECOSYSTEM", json!([{ "introduced": "0" }, { "fixed": "1:2.0-1+deb12u2" }]));
        check(Some(Order::Debian), debian, &["1:2.0-1+deb12u1", "3.0-1"], &["1:2.0-1+deb12u2", "1:2.1-1"]);
        check(
            Some(Order::Go),
            range("SEMVER", json!([{ "introduced": "1.0.0" }, { "fixed": "1.1.0" }])),
            &["v1.0.5"],
            &["v1.1.0+incompatible"],
        );
        let list = json!({ "versions": ["1.0", "2.0"] });
        check(Some(Order::Pep440), list.clone(), &["1.0.0", "2"], &["1.5"]);
        check(None, list, &["1.0"], &["1.0.0"]);
        check(None, range("ECOSYSTEM", json!([{ "introduced": "0" }])), &[], &["1"]);
    }

    #[test]
    fn what_cannot_be_said() {
        for (events, version) in [
            (json!([{ "introduced": "0" }]), "main"),
            (json!([{ "introduced": "x" }]), "1.0.0"),
            (json!([{ "introduced": "0" }, { "limit": "x" }]), "1.0.0"),
        ] {
            let affected: Affected = serde_json::from_value(range("SEMVER", events)).unwrap();
            assert!(matches!(verdict(&affected, version, Some(Order::SemVer)), Verdict::Unknown(_)));
        }
    }
}
