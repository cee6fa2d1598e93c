//! How old the indexes are, by the times of the files that an update of them touches.

use crate::apt::indexes::LISTS;
use crate::model::Manager;
use orch_plugin_kit::root::Root;
use orch_plugin_kit::timestamp::seconds;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Files of which the newest says when the indexes were last updated. An index itself has the time that its archive says.
fn touched(manager: Manager, root: &Root) -> Vec<String> {
    match manager {
        Manager::Apt => {
            let names = root.names(LISTS).unwrap_or_default();
            let releases =
                names.into_iter().filter(|name| name.ends_with("Release")).map(|name| format!("{LISTS}/{name}"));
            let others = [LISTS, "var/lib/apt/lists/partial", "var/lib/apt/periodic/update-success-stamp"];
            releases.chain(others.map(str::to_owned)).collect()
        }
        Manager::Apk => vec!["var/cache/apk".to_owned(), "etc/apk/cache".to_owned()],
        Manager::Dnf => vec!["var/cache/dnf".to_owned(), "var/cache/libdnf5".to_owned()],
    }
}

/// When the indexes were last updated, if that can be known.
pub fn updated(manager: Manager, root: &Root) -> Option<SystemTime> {
    touched(manager, root).iter().filter_map(|path| root.modified(path)).max()
}

/// The time that a text says, RFC 3339.
pub fn time(text: &str) -> Option<SystemTime> {
    let seconds = seconds(text)?;
    let since = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { UNIX_EPOCH.checked_sub(since) } else { UNIX_EPOCH.checked_add(since) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let seconds = |text: &str| time(text).map(|time| time.duration_since(UNIX_EPOCH).unwrap().as_secs());
        assert_eq!(seconds("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(seconds("2000-02-29T00:00:00Z"), Some(951_782_400));
        assert_eq!(seconds("2020-01-01T01:30:00.5+01:30"), Some(1_577_836_800));
        assert_eq!(seconds("2019-12-31T22:30:00-01:30"), Some(1_577_836_800));
        assert_eq!(seconds("2100-03-01T00:00:00Z"), Some(4_107_542_400));
        assert_eq!(seconds("2020-01-01"), None);
        assert!(time("0000-01-01T00:00:00Z").is_none_or(|time| time < UNIX_EPOCH));
    }
}
