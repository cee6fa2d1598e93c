//! Name, distribution, time zone, locale, machine id, SSH host keys and units: what files below `etc` say.

use crate::end_of_life::last_day;
use crate::facts::{Distribution, Facts};
use crate::task::{Reader, shown};
use orch_plugin_kit::root::{Root, Unseen};
use std::collections::BTreeSet;

/// Where links say which units are wanted.
const UNITS: [&str; 2] = ["etc/systemd/system", "etc/systemd/user"];
/// Names in one list.
const MOST: usize = 5_000;

/// Collects what `etc` says.
pub fn collect(facts: &mut Facts, reader: &mut Reader<'_>) {
    facts.hostname = reader.first_line("hostname", "etc/hostname");
    facts.distribution = distribution(reader);
    // 32 hexadecimal digits; `uninitialized` or nothing in an image that was not started yet.
    facts.has_machine_id = reader.text("has-machine-id", "etc/machine-id").map(|text| {
        let id = text.trim();
        id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    facts.time_zone = time_zone(reader);
    facts.locale = ["etc/locale.conf", "etc/default/locale"]
        .into_iter()
        .filter_map(|path| assignment(&reader.quiet(path)?, "LANG"))
        .next();
    if facts.locale.is_none() {
        reader.unknown("locale", "etc/locale.conf", "neither it nor etc/default/locale sets `LANG`");
    }
    facts.ssh_host_keys = reader.names("ssh-host-keys", "etc/ssh").map(|names| {
        let types = names.iter().filter_map(|name| name.strip_prefix("ssh_host_")?.strip_suffix("_key"));
        types.map(|name| shown(name, 40)).collect()
    });
    facts.enabled_units = units(reader);
}

fn distribution(reader: &mut Reader<'_>) -> Option<Distribution> {
    let text = reader.quiet("etc/os-release").or_else(|| reader.text("distribution", "usr/lib/os-release"))?;
    let id = assignment(&text, "ID").unwrap_or_else(|| "linux".to_owned());
    let version = assignment(&text, "VERSION_ID");
    let end = version.as_deref().and_then(|version| last_day(&id, version)).map(str::to_owned);
    Some(Distribution {
        version,
        codename: assignment(&text, "VERSION_CODENAME"),
        name: assignment(&text, "PRETTY_NAME"),
        end_of_life: end,
        id,
    })
}

/// The last `KEY=value`, as shells read it: with or without quotes.
fn assignment(text: &str, key: &str) -> Option<String> {
    let value = text.lines().filter_map(|line| line.trim().strip_prefix(key)?.strip_prefix('=')).next_back()?;
    let value = shown(value.trim().trim_matches(['"', '\'']), 200);
    (!value.is_empty()).then_some(value)
}

/// `etc/timezone` on Debian; elsewhere the link of `etc/localtime` says it. A copy of a zone's file has no name.
fn time_zone(reader: &mut Reader<'_>) -> Option<String> {
    const LINK: &str = "etc/localtime";
    let named = reader.quiet("etc/timezone").and_then(|text| text.lines().next().map(str::trim).map(str::to_owned));
    if let Some(zone) = named.filter(|zone| !zone.is_empty()) {
        return Some(shown(&zone, 100));
    }
    let reason = match reader.root.link_target(LINK) {
        Ok(Some(target)) => match target.split_once("zoneinfo/") {
            Some((_, zone)) => return Some(shown(zone, 100)),
            None => "the link names no zone".to_owned(),
        },
        Ok(None) => "it is no link, and etc/timezone names none".to_owned(),
        Err(Unseen::Missing) => {
            reader.time_zone_unset = true;
            "neither it nor etc/timezone is there".to_owned()
        }
        Err(Unseen::Broken(reason)) => reason,
    };
    reader.unknown("time-zone", LINK, &reason);
    None
}

fn units(reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let folders = reader.names("enabled-units", UNITS[0])?;
    let mut found = BTreeSet::new();
    let mut add = |root: &Root, folder: &str, names: &[String]| {
        for name in names.iter().filter(|name| name.ends_with(".wants") || name.ends_with(".requires")).take(MOST) {
            for unit in root.names(&format!("{folder}/{name}")).unwrap_or_default() {
                if found.len() < MOST {
                    found.insert(shown(&unit, 256));
                }
            }
        }
    };
    add(reader.root, UNITS[0], &folders);
    add(reader.root, UNITS[1], &reader.root.names(UNITS[1]).unwrap_or_default());
    Some(found.into_iter().collect())
}
