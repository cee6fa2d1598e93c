//! File systems of their own: what is configured, and what is mounted where the root shows it.

use super::number;
use super::system::wanted_units;
use crate::profile::MountCheck;
use crate::root::{Root, Unseen};
use crate::verdict::Answer;

struct Mounted {
    options: Vec<String>,
    path: String,
    line: u32,
}

/// Answers a check: every source that knows the mount point has to have the options, and one has to know it.
pub fn answer(check: &MountCheck, root: &Root) -> Answer {
    let mut known = Vec::new();
    for path in ["etc/fstab", "proc/mounts"] {
        match table(path, &check.point, root) {
            Ok(found) => known.extend(found),
            Err(Unseen::Missing) => {}
            // What runs is shown to some and not to others; what is configured has to be readable.
            Err(Unseen::Broken(_)) if path == "proc/mounts" => {}
            Err(error) => return Answer::error(format!("`{path}`: {error}")).at(path, None),
        }
    }
    match unit(&check.point, root) {
        Ok(found) => known.extend(found),
        Err(reason) => return Answer::error(reason),
    }
    if known.is_empty() {
        let reason = format!("`{}` is no file system of its own", check.point);
        return Answer::failed(reason).at("etc/fstab", None);
    }
    let each = known.into_iter().map(|mounted| {
        let lacking: Vec<_> =
            check.options.0.iter().filter(|option| !mounted.options.contains(option)).cloned().collect();
        let reason = match lacking.is_empty() {
            true => format!("`{}` is mounted with {}", check.point, mounted.options.join(",")),
            false => format!("`{}` is mounted without {}", check.point, lacking.join(", ")),
        };
        Answer::of(lacking.is_empty(), reason).at(&mounted.path, mounted.line)
    });
    Answer::all(each.collect())
}

/// The last line of a table for a mount point.
fn table(path: &str, point: &str, root: &Root) -> Result<Option<Mounted>, Unseen> {
    let text = root.text(path)?;
    let mut found = None;
    for (index, line) in text.lines().enumerate() {
        let mut fields = line.split_ascii_whitespace();
        let (Some(device), Some(at), Some(_), Some(options)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        if !device.starts_with('#') && (at == point || (at != "/" && at.trim_end_matches('/') == point)) {
            let options = options.split(',').map(str::to_owned).collect();
            found = Some(Mounted { options, path: path.to_owned(), line: number(index) });
        }
    }
    Ok(found)
}

/// A unit such as `tmp.mount`, if it is wanted at boot.
fn unit(point: &str, root: &Root) -> Result<Option<Mounted>, String> {
    let name = format!("{}.mount", point.trim_matches('/').replace('-', "\\x2d").replace('/', "-"));
    if !wanted_units(root)?.contains(&name) {
        return Ok(None);
    }
    for folder in ["etc/systemd/system", "run/systemd/system", "usr/lib/systemd/system", "lib/systemd/system"] {
        let path = format!("{folder}/{name}");
        match root.text(&path) {
            Ok(text) => {
                let options = text.lines().enumerate().find_map(|(index, line)| {
                    line.trim().strip_prefix("Options=").map(|options| (index, options.trim().to_owned()))
                });
                let (index, options) = options.unwrap_or_default();
                let options = options.split(',').map(str::to_owned).collect();
                return Ok(Some(Mounted { options, path, line: number(index) }));
            }
            Err(Unseen::Missing) => {}
            Err(error) => return Err(format!("`{path}`: {error}")),
        }
    }
    Ok(None)
}
