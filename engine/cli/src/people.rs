//! Who is at the keyboard: the account that runs this process, as the system knows it. No option changes it.

use nix::unistd::{Gid, Group, User, getegid, geteuid, getgroups};
use orch_core::Person;
use std::collections::BTreeSet;

/// The account of this process and its groups. What has no name goes by its number.
pub(crate) fn this_person() -> Person {
    let user = geteuid();
    let name = User::from_uid(user).ok().flatten().map_or_else(|| user.to_string(), |user| user.name);
    let ids: BTreeSet<u32> = getgroups().unwrap_or_default().into_iter().chain([getegid()]).map(Gid::as_raw).collect();
    let group =
        |id| Group::from_gid(Gid::from_raw(id)).ok().flatten().map_or_else(|| id.to_string(), |group| group.name);
    Person { name, groups: ids.into_iter().map(group).collect() }
}
