//! Names that the engine keeps or turns into files: twins in case and Unicode (F10), what Windows and file systems take for something
//! else (F11). Each name has one spelling, or is refused.

use orch_core::{
    ArtifactName, BucketName, Digest, EnvName, ExecName, InputName, MountName, PluginName, PluginTaskName, RunId,
    SecretName, SignerId, SlotName, TaskName,
};
use std::collections::BTreeMap;

/// Whether a kind of name takes a text, and what it stores then.
type Takes = fn(&str) -> Option<String>;

fn taken<T>(text: &str) -> Option<String>
where
    T: for<'t> TryFrom<&'t str> + Into<String>,
{
    T::try_from(text).ok().map(Into::into)
}

/// Kinds whose names are lower case only: there is one spelling, on every file system.
const LOWER: [(&str, Takes); 9] = [
    ("mount", taken::<MountName>),
    ("plugin task", taken::<PluginTaskName>),
    ("program", taken::<ExecName>),
    ("slot", taken::<SlotName>),
    ("bucket", taken::<BucketName>),
    ("signer", taken::<SignerId>),
    ("run", taken::<RunId>),
    ("plugin", |text| taken::<PluginName>(&format!("orch/{text}"))),
    ("namespace", |text| taken::<PluginName>(&format!("{text}/a"))),
];

/// Kinds that know upper case. None of them names a file, except for artifacts.
const MIXED: [(&str, Takes); 5] = [
    ("task", taken::<TaskName>),
    ("input", taken::<InputName>),
    ("variable", taken::<EnvName>),
    ("secret", taken::<SecretName>),
    ("artifact", taken::<ArtifactName>),
];

/// Texts that somebody could take for `plugin`, `i` or `a`.
const TWINS: [&str; 16] = [
    "Plugin",
    "PLUGIN",
    "plug\u{131}n",   // dotless i
    "PLUG\u{130}N",   // dotted I
    "pl\u{fc}gin",    // NFC
    "plu\u{308}gin",  // NFD
    "\u{ff50}lugin",  // full width
    "pl\u{1d42e}gin", // mathematical
    "\u{440}lugin",   // Cyrillic
    "plugin\u{200b}", // zero width
    "plugin\u{ad}",   // soft hyphen
    "\u{202e}nigulp", // right to left
    "\u{feff}plugin", // byte order mark
    "plugin\u{fe0f}", // variation selector
    "stra\u{df}e",    // sharp s
    "\u{fb01}le",     // ligature
];

#[test]
fn f10_a_name_has_one_spelling() {
    for (kind, takes) in LOWER.iter().chain(&MIXED) {
        let mixed = MIXED.iter().any(|(mixed, _)| mixed == kind);
        for twin in TWINS {
            // Only ASCII is ever taken, and upper case only where it stays what it is.
            let may = mixed && twin.is_ascii();
            assert_eq!(takes(twin), may.then(|| twin.to_owned()), "{kind}: {twin:?}");
        }
    }
    // Ids in hexadecimal digits: the same number in upper case is another text, and none.
    for (digits, takes) in [(16, taken::<SignerId> as Takes), (32, taken::<RunId>)] {
        assert!(takes(&"a".repeat(digits)).is_some());
        for wrong in
            ["A".repeat(digits), "\u{ff41}".repeat(digits), "a".repeat(digits + 1), format!("{} ", "a".repeat(digits))]
        {
            assert_eq!(takes(&wrong), None, "{wrong}");
        }
    }
    assert!(format!("sha256:{}", "A".repeat(64)).parse::<Digest>().is_err());
    // What has passed is as it was written: nothing is trimmed, folded or normalised behind anybody's back.
    for (kind, takes) in LOWER.iter().chain(&MIXED) {
        for text in ["a", "a-b", "a1"] {
            assert!(takes(text).is_none_or(|stored| stored.ends_with(text) || stored.starts_with(text)), "{kind}");
        }
        for text in [" a", "a ", "a\n", "\ta", "a\0", "a\u{a0}"] {
            assert_eq!(takes(text), None, "{kind}: {text:?}");
        }
    }
}

/// What Windows takes for a device, another stream or another name; the table is of Microsoft's page on naming files.
const DEVICES: [&str; 22] = [
    "con",
    "CON",
    "prn",
    "aux",
    "nul",
    "NUL",
    "com1",
    "COM9",
    "lpt1",
    "LPT9",
    "com0",
    "lpt0",
    "con.txt",
    "NUL.tar.gz",
    "aux.json",
    "COM\u{b9}",
    "com\u{b2}",
    "LPT\u{b3}",
    "conin$",
    "CONOUT$",
    "clock$",
    "nul.",
];

/// What would be another name on some file system.
const STRANGE: [&str; 20] = [
    "a.",
    "a..",
    "a ",
    "a. .",
    "a:b",
    "a:$DATA",
    "a::$DATA",
    "a:stream.txt",
    "C:",
    "c:a",
    "\\\\?\\a",
    "\\\\.\\a",
    "a\\b",
    "a/b",
    "..",
    ".",
    "a*",
    "a?",
    "a|b",
    "a<b>",
];

#[test]
fn f11_names_that_become_files_are_harmless_everywhere() {
    // These become parts of paths: artifacts in `/artifacts` and in reports, plugins in a registry, mounts, ids of runs and keys.
    let files: BTreeMap<&str, Takes> = BTreeMap::from([
        ("artifact", taken::<ArtifactName> as Takes),
        ("run", taken::<RunId>),
        ("signer", taken::<SignerId>),
        ("mount", taken::<MountName>),
        ("plugin", |text| taken::<PluginName>(&format!("orch/{text}"))),
        ("namespace", |text| taken::<PluginName>(&format!("{text}/a"))),
    ]);
    for (kind, takes) in files {
        for text in DEVICES.iter().chain(&STRANGE) {
            assert_eq!(takes(text), None, "{kind}: {text:?} is taken");
        }
        // Names that only look alike are fine.
        for text in ["console", "auxiliary", "com", "com10", "nulls", "lpt"] {
            let is_id = matches!(kind, "run" | "signer");
            assert_eq!(takes(text).is_some(), !is_id, "{kind}: {text:?}");
        }
    }
}
