//! Packages, units of systemd and kernel modules.

use super::formats::layered;
use super::number;
use crate::profile::{KernelModuleCheck, PackageCheck, ServiceCheck, ServiceState};
use crate::root::{Root, Unseen};
use crate::verdict::Answer;
use std::collections::BTreeSet;

/// Where units are, the strongest first.
const UNITS: [&str; 5] = [
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
];
/// Where modules are configured, the strongest first.
const MODPROBE: [&str; 5] =
    ["etc/modprobe.d", "run/modprobe.d", "usr/local/lib/modprobe.d", "usr/lib/modprobe.d", "lib/modprobe.d"];

/// Whether packages are installed.
pub fn package(check: &PackageCheck, root: &Root) -> Answer {
    let installed = match root.packages() {
        Ok(installed) => installed,
        Err(reason) => return Answer::error(reason).at("var/lib/dpkg/status", None),
    };
    let each = check.name.0.iter().map(|name| {
        let is = installed.contains(name);
        let reason = format!("the package `{name}` is {}installed", if is { "" } else { "not " });
        Answer::of(is == check.installed, reason).at("var/lib/dpkg/status", None)
    });
    Answer::all(each.collect())
}

/// The units that others want or require.
pub(crate) fn wanted_units(root: &Root) -> Result<BTreeSet<String>, String> {
    let mut wanted = BTreeSet::new();
    for folder in UNITS {
        for kind in ["wants", "requires"] {
            let links = root.glob(&format!("{folder}/*.{kind}/*"))?;
            wanted.extend(links.iter().filter_map(|path| path.rsplit('/').next()).map(str::to_owned));
        }
    }
    Ok(wanted)
}

/// The state of units.
pub fn service(check: &ServiceCheck, root: &Root) -> Answer {
    let wanted = match wanted_units(root) {
        Ok(wanted) => wanted,
        Err(reason) => return Answer::error(reason),
    };
    let each = check.unit.0.iter().map(|unit| match state(unit, &wanted, root) {
        Ok((state, place)) => {
            let expected: Vec<_> = check.state.iter().map(|state| word(*state)).collect();
            let reason = format!("`{unit}` is {}, expected {}", word(state), expected.join(" or "));
            Answer::of(check.state.contains(&state), reason).at(&place, None)
        }
        Err(reason) => Answer::error(reason),
    });
    Answer::all(each.collect())
}

fn word(state: ServiceState) -> &'static str {
    match state {
        ServiceState::Enabled => "enabled",
        ServiceState::Disabled => "disabled",
        ServiceState::Masked => "masked",
        ServiceState::Absent => "absent",
    }
}

fn state(unit: &str, wanted: &BTreeSet<String>, root: &Root) -> Result<(ServiceState, String), String> {
    for folder in UNITS {
        let path = format!("{folder}/{unit}");
        if root.resolve_link(&path) == Err(Unseen::Missing) {
            continue;
        }
        // An image has no `/dev/null` to follow, so the link itself counts.
        if root.link_target(&path).as_deref() == Some("/dev/null") {
            return Ok((ServiceState::Masked, path));
        }
        let state = match root.text(&path) {
            Ok(text) if text.is_empty() => ServiceState::Masked,
            Ok(_) if wanted.contains(unit) => ServiceState::Enabled,
            Ok(_) => ServiceState::Disabled,
            // A link to a unit that is gone.
            Err(Unseen::Missing) => ServiceState::Absent,
            Err(error) => return Err(format!("`{path}`: {error}")),
        };
        return Ok((state, path));
    }
    Ok((ServiceState::Absent, "etc/systemd/system".to_owned()))
}

/// Whether a module can be loaded neither by name nor by itself.
pub fn kernel_module(check: &KernelModuleCheck, root: &Root) -> Answer {
    let plain = |name: &str| name.replace('-', "_");
    let module = plain(&check.name);
    let files = match layered(&MODPROBE, root) {
        Ok(files) => files,
        Err(reason) => return Answer::error(reason),
    };
    let (mut install, mut blacklist) = (None, false);
    for path in files.into_values() {
        let text = match root.text(&path) {
            Ok(text) => text,
            Err(Unseen::Missing) => continue,
            Err(error) => return Answer::error(format!("`{path}`: {error}")).at(&path, None),
        };
        for (index, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split_ascii_whitespace().take(3).collect();
            match words[..] {
                ["install", name, command] if plain(name) == module => {
                    install = Some((command.to_owned(), path.clone(), number(index)));
                }
                ["blacklist", name] if plain(name) == module => blacklist = true,
                _ => {}
            }
        }
    }
    if let Ok(text) = root.text("proc/modules")
        && text.lines().any(|line| line.split(' ').next() == Some(&module))
    {
        return Answer::failed(format!("the module `{}` is loaded", check.name)).at("proc/modules", None);
    }
    let Some((command, path, line)) = install else {
        let reason = format!("no `install {} /bin/false` in `etc/modprobe.d`", check.name);
        return Answer::failed(reason).at("etc/modprobe.d", None);
    };
    if !["/bin/true", "/bin/false", "/usr/bin/true", "/usr/bin/false"].contains(&command.as_str()) {
        return Answer::failed(format!("loading `{}` runs a program other than /bin/false", check.name))
            .at(&path, line);
    }
    let what = if blacklist { "cannot be loaded" } else { "has no `blacklist`" };
    Answer::of(blacklist, format!("the module `{}` {what}", check.name)).at(&path, line)
}
