//! The preferences of apt, `etc/apt/preferences` and `preferences.d`: which versions somebody prefers or wants never, apt_preferences(5).

use super::indexes::Index;
use crate::deb822;
use orch_plugin_kit::glob::Glob;
use orch_plugin_kit::root::{Root, Unseen};

/// Bytes of one file.
const MAX_FILE: u64 = 1 << 20;
/// Entries in all.
const MAX_PINS: usize = 5_000;

/// One entry.
#[derive(Debug, Clone)]
pub struct Pin {
    /// Names of packages; `None` for `*`, which stands for all and is weaker than an entry by name.
    packages: Option<Vec<Glob>>,
    what: What,
    priority: i32,
}

#[derive(Debug, Clone)]
enum What {
    /// The version fits a pattern.
    Version(Glob),
    /// Every one of the archive's fields fits: `a=`, `n=`, `o=`, `l=`, `c=`, `v=`.
    Release(Vec<(char, Glob)>),
    /// It comes from this host.
    Origin(Glob),
}

/// The preferences of a system.
#[derive(Debug, Clone, Default)]
pub struct Pins {
    all: Vec<Pin>,
    /// Entries that are not understood, with file and line; what they would change is not known.
    pub not_evaluated: Vec<String>,
}

impl Pins {
    /// The priority of a version of a package in an index; none if no entry is about it.
    pub fn priority(&self, name: &str, version: &str, index: &Index) -> Option<i32> {
        let about = |pin: &&Pin| pin.packages.as_ref().is_some_and(|names| names.iter().any(|glob| glob.fits(name)));
        let general = |pin: &&Pin| pin.packages.is_none();
        let fits = |pin: &&Pin| pin.what.fits(version, index);
        // The first that fits counts; entries by name come before those for all.
        let found = self.all.iter().filter(about).find(fits);
        found.or_else(|| self.all.iter().filter(general).find(fits)).map(|pin| pin.priority)
    }
}

impl What {
    fn fits(&self, version: &str, index: &Index) -> bool {
        match self {
            What::Version(glob) => glob.fits(version),
            What::Origin(glob) => glob.fits(index.host()),
            What::Release(fields) => fields.iter().all(|(field, glob)| {
                let value = match field {
                    'a' => &index.release.suite,
                    'n' => &index.release.codename,
                    'o' => &index.release.origin,
                    'l' => &index.release.label,
                    'v' => &index.release.version,
                    _ => &index.component,
                };
                value.as_deref().is_some_and(|value| glob.fits(value))
            }),
        }
    }
}

/// Reads the preferences, in the order in which apt does.
pub fn read(root: &Root) -> Pins {
    let mut pins = Pins::default();
    let folder = "etc/apt/preferences.d";
    let in_folder = match root.names(folder) {
        Ok(names) => names,
        Err(Unseen::Missing) => Vec::new(),
        Err(Unseen::Broken(reason)) => {
            pins.not_evaluated.push(format!("{folder}: {reason}"));
            Vec::new()
        }
    };
    // apt reads names without an ending, or with `.pref`.
    let counts = |name: &String| {
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        plain && name.rsplit_once('.').is_none_or(|(_, end)| end == "pref")
    };
    let files = std::iter::once("etc/apt/preferences".to_owned());
    for file in files.chain(in_folder.into_iter().filter(counts).map(|name| format!("{folder}/{name}"))) {
        match root.text(&file, MAX_FILE) {
            Ok(text) => pins.add(&text, &file),
            Err(Unseen::Missing) => {}
            Err(Unseen::Broken(reason)) => pins.not_evaluated.push(format!("{file}: {reason}")),
        }
    }
    pins
}

impl Pins {
    fn add(&mut self, text: &str, file: &str) {
        let fields = ["package", "pin", "pin-priority"];
        let read = deb822::read(text.as_bytes(), &fields, &mut |entry| {
            let [Some(packages), Some(pin), Some(priority)] = std::array::from_fn(|at| entry.get(at)) else {
                self.not_evaluated
                    .push(format!("{file}:{}: `Package`, `Pin` or `Pin-Priority` is missing", entry.line));
                return Ok(());
            };
            if self.all.len() == MAX_PINS {
                return Err(format!("more than {MAX_PINS} entries"));
            }
            match parse(packages, pin, priority) {
                Ok(pin) => self.all.push(pin),
                Err(reason) => self.not_evaluated.push(format!("{file}:{}: {reason}", entry.line)),
            }
            Ok(())
        });
        if let Err(reason) = read {
            self.not_evaluated.push(format!("{file}: {reason}"));
        }
    }
}

fn parse(packages: &str, pin: &str, priority: &str) -> Result<Pin, String> {
    let priority = priority.trim().parse().map_err(|_| "`Pin-Priority` is no number".to_owned())?;
    let packages = match packages.trim() {
        "*" => None,
        names => Some(names.split_ascii_whitespace().map(name_pattern).collect::<Result<_, _>>()?),
    };
    let (kind, rest) = pin.trim().split_once(char::is_whitespace).unwrap_or((pin, ""));
    let rest = rest.trim();
    let what = match kind {
        "version" => What::Version(pattern(rest)?),
        "origin" => What::Origin(pattern(rest.trim_matches('"'))?),
        "release" => What::Release(rest.split(',').map(release_field).collect::<Result<_, _>>()?),
        _ => return Err("a kind of `Pin` that is not evaluated".to_owned()),
    };
    Ok(Pin { packages, what, priority })
}

fn name_pattern(name: &str) -> Result<Glob, String> {
    if name.starts_with("src:") || name.contains(':') {
        return Err("`Package` with `src:` or an architecture is not evaluated".to_owned());
    }
    pattern(name)
}

/// A name with `*` and `?`. Regular expressions and sets are told of.
fn pattern(text: &str) -> Result<Glob, String> {
    if text.is_empty() || text.contains(['/', '[', ']']) {
        return Err("a pattern that is not evaluated".to_owned());
    }
    Glob::new(text)
}

fn release_field(field: &str) -> Result<(char, Glob), String> {
    let field = field.trim();
    if field == "*" {
        return Ok(('a', pattern("*")?));
    }
    match field.split_once('=') {
        Some((name @ ("a" | "n" | "o" | "l" | "c" | "v"), value)) => {
            Ok((name.chars().next().unwrap_or('a'), pattern(value.trim().trim_matches('"'))?))
        }
        // A word alone is the suite, the codename or the version.
        _ => Err("`Pin: release` with a field that is not evaluated".to_owned()),
    }
}
