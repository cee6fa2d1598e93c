//! No text makes a parser panic, and what it accepts can be written.

use crate::common::fixture;
use orch_plugin_kit::parse::ParseError;
use orch_plugin_lockfiles::model::{LockKind, Packages};
use orch_plugin_lockfiles::parse::{cargo_lock, dpkg, go_mod, package_lock, poetry_lock, requirements, uv_lock};
use orch_plugin_lockfiles::read::LockFile;
use orch_plugin_sbom::cyclonedx;
use orch_plugin_sbom::merge::merge;
use proptest::prelude::*;
use std::collections::BTreeSet;

type Parse = fn(&str, &str) -> Result<Packages, ParseError>;

const PARSERS: [(LockKind, &str, Parse); 7] = [
    (LockKind::CargoLock, "shop/rust/Cargo.lock", cargo_lock::parse),
    (LockKind::PackageLock, "shop/web/package-lock.json", package_lock::parse),
    (LockKind::Requirements, "shop/py/requirements.txt", requirements::parse),
    (LockKind::PoetryLock, "shop/poet/poetry.lock", poetry_lock::parse),
    (LockKind::UvLock, "shop/worker/uv.lock", uv_lock::parse),
    (LockKind::GoMod, "shop/go/go.mod", go_mod::parse),
    (LockKind::DpkgStatus, "image/var/lib/dpkg/status", dpkg::parse),
];

/// Parses, merges and writes, and checks what must hold for every bill.
fn whole_way(kind: LockKind, text: &str, parse: Parse) {
    let Ok(found) = parse(text, "a/b") else { return };
    let count = found.packages.len();
    assert!(found.packages.iter().flat_map(|package| &package.dependencies).all(|index| *index < count));
    let bill = merge(&[LockFile { path: "a/b".into(), kind, found }], None, None);
    let known: BTreeSet<&String> = bill.components.iter().map(|it| &it.bom_ref).chain([&bill.root.bom_ref]).collect();
    assert_eq!(known.len(), bill.components.len() + 1);
    assert_eq!(bill.edges.keys().collect::<BTreeSet<_>>(), known);
    assert!(bill.edges.values().flatten().all(|target| known.contains(target)));
    assert!(bill.components.iter().filter_map(|it| it.purl.as_ref()).all(|purl| purl.is_ascii()));
    cyclonedx::write(&bill, None, false).unwrap();
}

#[derive(Debug, Clone)]
enum Change {
    Remove(prop::sample::Index, u8),
    Insert(prop::sample::Index, String),
    Repeat(prop::sample::Index, prop::sample::Index),
}

fn change() -> impl Strategy<Value = Change> {
    let piece = prop_oneof![
        "[\\[\\]{}()\"'\\\\#@=:;,/ \n-]{1,4}",
        "\\PC{1,6}",
        Just("-r ..\n".to_owned()),
        Just("\0".to_owned())
    ];
    prop_oneof![
        (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, length)| Change::Remove(at, length)),
        (any::<prop::sample::Index>(), piece).prop_map(|(at, text)| Change::Insert(at, text)),
        (any::<prop::sample::Index>(), any::<prop::sample::Index>()).prop_map(|(from, to)| Change::Repeat(from, to)),
    ]
}

fn apply(text: &str, changes: &[Change]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for change in changes {
        let length = characters.len() + 1;
        match change {
            Change::Remove(at, count) => {
                let start = at.index(length);
                let end = (start + usize::from(*count)).min(characters.len());
                characters.drain(start..end);
            }
            Change::Insert(at, text) => {
                let at = at.index(length);
                characters.splice(at..at, text.chars());
            }
            Change::Repeat(from, to) => {
                let (from, to) = (from.index(length), to.index(length));
                let piece: Vec<char> = characters[from.min(to)..from.max(to)].iter().copied().take(400).collect();
                characters.splice(to..to, piece);
            }
        }
    }
    characters.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text(text in "(?s).{0,400}") {
        for (kind, _, parse) in PARSERS {
            whole_way(kind, &text, parse);
        }
        let _ = go_mod::parse_sum(&text);
        let _ = dpkg::parse_os_release(&text);
    }

    #[test]
    fn requirement_like_text(text in "([a-z-]{1,3}|[ \\[\\](),;@=<>~!#.:/\\\\\"'-]{1,3}|--hash|-r|git\\+|\n){0,40}") {
        whole_way(LockKind::Requirements, &text, requirements::parse);
        whole_way(LockKind::GoMod, &format!("module a\nrequire (\n{text}"), go_mod::parse);
    }

    #[test]
    fn changed_fixtures(which in 0..PARSERS.len(), changes in prop::collection::vec(change(), 1..6)) {
        let (kind, path, parse) = PARSERS[which];
        let text = std::fs::read_to_string(fixture(path)).unwrap();
        whole_way(kind, &apply(&text, &changes), parse);
    }
}

#[test]
fn deep_and_wide_files_end_soon() {
    let deep = [
        "[".repeat(200_000),
        format!("a = {}", "[".repeat(200_000)),
        format!("a = {}", "{b=".repeat(200_000)),
        format!("{{\"packages\":{}", "{\"a\":".repeat(200_000)),
        format!("{{\"packages\":{{\"{}\":{{\"dependencies\":{{\"a\":\"1\"}}}}}}}}", "a/".repeat(200_000)),
        "a\\\n".repeat(200_000),
        "replace a => b\n".repeat(100_000),
        "a.".repeat(200_000),
    ];
    for text in &deep {
        for (kind, _, parse) in PARSERS {
            whole_way(kind, text, parse);
        }
    }
    // Many packages of one name that all need that name: an edge for each pair would be ten thousand million.
    let same: String = (0..20_000)
        .map(|number| format!("[[package]]\nname = \"a\"\nversion = \"{number}\"\n[package.dependencies]\na = \"*\"\n"))
        .collect();
    let found = poetry_lock::parse(&same, "").unwrap();
    assert!(found.packages.iter().all(|package| package.dependencies.len() <= 32));
    let too_many = "a==1\n".repeat(100_002);
    assert!(requirements::parse(&too_many, "").unwrap_err().reason.contains("more than"));
}
