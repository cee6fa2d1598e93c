//! Which package manager there is, and how many packages it has installed.

use crate::facts::{Facts, Packages};
use crate::task::{Reader, shown};
use orch_plugin_kit::root::Unseen;
use orch_plugin_lockfiles::parse::rpm;

/// The database of a large desktop has 10 MiB.
const MAX_DATABASE: u64 = 64 << 20;

/// The databases; the first that is there counts.
const DATABASES: [(&str, &str); 7] = [
    ("dpkg", "var/lib/dpkg/status"),
    ("apk", "lib/apk/db/installed"),
    ("apk", "usr/lib/apk/db/installed"),
    ("rpm", "usr/lib/sysimage/rpm/rpmdb.sqlite"),
    ("rpm", "var/lib/rpm/rpmdb.sqlite"),
    ("rpm", "usr/lib/sysimage/rpm/Packages.db"),
    ("rpm", "var/lib/rpm/Packages.db"),
];

/// Collects the package manager.
pub fn collect(facts: &mut Facts, reader: &mut Reader<'_>) {
    let Some((manager, path)) = DATABASES.into_iter().find(|(_, path)| reader.root.has(path)) else {
        return reader.unknown("packages", DATABASES[0].1, "there is no database of dpkg, apk or rpm");
    };
    match count(manager, path, reader) {
        Ok(installed) => facts.packages = Some(Packages { manager: manager.to_owned(), installed }),
        Err(reason) => reader.unknown("packages", path, &shown(&reason, 300)),
    }
}

fn count(manager: &str, path: &str, reader: &Reader<'_>) -> Result<usize, String> {
    let said = |error: Unseen| error.to_string();
    if manager == "rpm" {
        let mut count = 0;
        let each = &mut |_| {
            count += 1;
            Ok(())
        };
        rpm::headers(reader.root.open(path).map_err(said)?, each).map_err(|error| error.to_string())?;
        return Ok(count);
    }
    let text = reader.root.text(path, MAX_DATABASE).map_err(said)?;
    let counts = |line: &&str| match manager {
        "dpkg" => line.strip_prefix("Status:").is_some_and(|status| status.trim_end().ends_with(" installed")),
        _ => line.starts_with("P:"),
    };
    Ok(text.lines().filter(counts).count())
}
