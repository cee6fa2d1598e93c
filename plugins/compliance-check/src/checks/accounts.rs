//! Accounts and groups: `etc/passwd`, `etc/shadow`, `etc/group`.

use super::number;
use crate::profile::{UserCheck, UserRule};
use crate::root::Root;
use crate::verdict::{Answer, shown};
use std::collections::{BTreeMap, BTreeSet};

/// Ids of accounts for people begin here (`UID_MIN` of Debian's login.defs).
const FIRST_PERSON: u32 = 1000;

/// One line of a list of accounts, split at its colons.
struct Entry {
    line: u32,
    fields: Vec<String>,
}

impl Entry {
    fn field(&self, index: usize) -> &str {
        self.fields.get(index).map_or("", String::as_str)
    }

    fn name(&self) -> String {
        shown(self.field(0), 64)
    }
}

fn entries(list: &str, root: &Root) -> Result<Vec<Entry>, String> {
    let text = root.text(list).map_err(|error| format!("`{list}`: {error}"))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    Ok(lines
        .map(|(index, line)| Entry { line: number(index), fields: line.split(':').map(str::to_owned).collect() })
        .collect())
}

/// The number of a name in `etc/passwd` or `etc/group`; a number is itself.
pub(crate) fn id_of(name: &str, list: &str, root: &Root) -> Result<Option<u32>, String> {
    // These two are the same everywhere, and images without accounts have no lists.
    if name == "root" {
        return Ok(Some(0));
    }
    if let Ok(id) = name.parse() {
        return Ok(Some(id));
    }
    let known = entries(list, root)?;
    Ok(known.iter().find(|entry| entry.field(0) == name).and_then(|entry| entry.field(2).parse().ok()))
}

/// Answers a check.
pub fn answer(check: &UserCheck, root: &Root) -> Answer {
    let rule = check.rule;
    let list = match rule {
        UserRule::NoEmptyPasswords
        | UserRule::StrongHashes
        | UserRule::MaximumDays
        | UserRule::MinimumDays
        | UserRule::WarningDays
        | UserRule::InactiveDays => "etc/shadow",
        UserRule::UniqueGroupIds | UserRule::UniqueGroupNames => "etc/group",
        _ => "etc/passwd",
    };
    if rule == UserRule::NoLegacyEntries {
        let lists = ["etc/passwd", "etc/group", "etc/shadow", "etc/gshadow"];
        let found = lists.into_iter().filter(|list| *list != "etc/gshadow" || root.resolve(list).is_ok());
        return Answer::all(found.map(|list| each(check, list, root)).collect());
    }
    each(check, list, root)
}

fn each(check: &UserCheck, list: &str, root: &Root) -> Answer {
    let known = match entries(list, root) {
        Ok(known) => known,
        Err(reason) => return Answer::error(reason).at(list, None),
    };
    if known.is_empty() {
        return Answer::error(format!("`{list}` has no entries")).at(list, None);
    }
    let groups: BTreeSet<String> = match check.rule {
        UserRule::KnownGroups => match entries("etc/group", root) {
            Ok(groups) => groups.iter().map(|entry| entry.field(2).to_owned()).collect(),
            Err(reason) => return Answer::error(reason),
        },
        _ => BTreeSet::new(),
    };
    let mut before: BTreeMap<String, String> = BTreeMap::new();
    let mut wrong = Vec::new();
    for entry in known.iter().filter(|entry| !check.except.0.iter().any(|name| name == entry.field(0))) {
        let reason = match check.rule {
            UserRule::UniqueUserIds | UserRule::UniqueGroupIds => {
                before.insert(entry.field(2).to_owned(), entry.name()).map(|other| format!("has the id of `{other}`"))
            }
            UserRule::UniqueUserNames | UserRule::UniqueGroupNames => {
                before.insert(entry.field(0).to_owned(), String::new()).map(|_| "stands twice".to_owned())
            }
            _ => of_one(check, entry, list, &groups),
        };
        if let Some(reason) = reason {
            wrong.push(Answer::failed(format!("`{}` {reason}", entry.name())).at(list, entry.line));
        }
    }
    if wrong.is_empty() {
        return Answer::passed(format!("all {} entries of `{list}` comply", known.len())).at(list, None);
    }
    Answer::all(wrong)
}

fn of_one(check: &UserCheck, entry: &Entry, list: &str, groups: &BTreeSet<String>) -> Option<String> {
    let is_root = entry.field(0) == "root";
    let is = |holds: bool, reason: &str| holds.then(|| reason.to_owned());
    let days = |field: usize, what: &str| {
        // An account without a password cannot log in with one, and so nothing has to age.
        if !entry.field(1).starts_with('$') {
            return None;
        }
        let value: Option<i64> = entry.field(field).parse().ok();
        let fits = value.is_some_and(|days| {
            check.at_most.is_none_or(|most| days <= most) && check.at_least.is_none_or(|least| days >= least)
        });
        let found = value.map_or_else(|| "none".to_owned(), |days| days.to_string());
        let bounds = [(check.at_least, "at least"), (check.at_most, "at most")];
        let expected: Vec<_> =
            bounds.iter().filter_map(|(bound, word)| bound.map(|bound| format!("{word} {bound}"))).collect();
        (!fits).then(|| format!("has the {what} {found}, expected {}", expected.join(" and ")))
    };
    match check.rule {
        UserRule::OnlyRootHasUid0 => is(!is_root && number_of(entry.field(2)) == Some(0), "has the user id 0"),
        UserRule::OnlyRootHasGid0 => is(!is_root && number_of(entry.field(3)) == Some(0), "has the group id 0"),
        UserRule::NoEmptyPasswords => is(entry.field(1).is_empty(), "has an empty password"),
        UserRule::NoLegacyEntries => {
            is(entry.field(0).starts_with('+'), &format!("is an entry of NIS in `{list}`, expected none with `+`"))
        }
        UserRule::PasswordsInShadow => is(entry.field(1) != "x", "has its password outside `etc/shadow`"),
        UserRule::KnownGroups => {
            is(!groups.contains(entry.field(3)), &format!("has the unknown group {}", shown(entry.field(3), 20)))
        }
        UserRule::SystemAccountsHaveNoShell => {
            let system = number_of(entry.field(2)).is_some_and(|id| id < FIRST_PERSON && id != 0);
            let shell = entry.field(6);
            let none = ["/nologin", "/false", "/sync", "/shutdown", "/halt"].iter().any(|end| shell.ends_with(end));
            // An empty field means `/bin/sh` (passwd(5)).
            is(system && !none, &format!("is a system account with the shell `{}`", shown(shell, 80)))
        }
        UserRule::StrongHashes => {
            let hash = entry.field(1).trim_start_matches('!');
            let strong =
                ["$y$", "$gy$", "$7$", "$6$", "$5$", "$2b$", "$2y$"].iter().any(|scheme| hash.starts_with(scheme));
            is(!hash.is_empty() && !hash.starts_with('*') && !strong, "has a password with a weak hash")
        }
        UserRule::MinimumDays => days(3, "minimum age"),
        UserRule::MaximumDays => days(4, "maximum age"),
        UserRule::WarningDays => days(5, "days of warning"),
        UserRule::InactiveDays => days(6, "days until it is locked"),
        UserRule::UniqueUserIds | UserRule::UniqueUserNames | UserRule::UniqueGroupIds | UserRule::UniqueGroupNames => {
            None
        }
    }
}

fn number_of(text: &str) -> Option<u32> {
    text.trim().parse().ok()
}
