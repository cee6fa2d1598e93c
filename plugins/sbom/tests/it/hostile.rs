//! No text makes a parser panic, and what it accepts can be written.

use crate::common::fixture;
use orch_plugin_kit::parse::ParseError;
use orch_plugin_lockfiles::model::{LockKind, Packages};
use orch_plugin_lockfiles::parse::{
    apk, cargo_lock, composer_lock, dpkg, gemfile_lock, go_mod, gradle_lock, nuget_lock, package_lock, pnpm_lock,
    poetry_lock, python_metadata, requirements, rpm, uv_lock, yarn_lock,
};
use orch_plugin_lockfiles::read::LockFile;
use orch_plugin_lockfiles::testing::rpm_database;
use orch_plugin_sbom::merge::merge;
use orch_plugin_sbom::{cyclonedx, spdx};
use proptest::prelude::*;
use std::collections::BTreeSet;

type Parse = fn(&str, &str) -> Result<Packages, ParseError>;

const PARSERS: [(LockKind, &str, Parse); 15] = [
    (LockKind::CargoLock, "tests/fixtures/shop/rust/Cargo.lock", cargo_lock::parse),
    (LockKind::PackageLock, "tests/fixtures/shop/web/package-lock.json", package_lock::parse),
    (LockKind::Requirements, "tests/fixtures/shop/py/requirements.txt", requirements::parse),
    (LockKind::PoetryLock, "tests/fixtures/shop/poet/poetry.lock", poetry_lock::parse),
    (LockKind::UvLock, "tests/fixtures/shop/worker/uv.lock", uv_lock::parse),
    (LockKind::GoMod, "tests/fixtures/shop/go/go.mod", go_mod::parse),
    (LockKind::DpkgStatus, "tests/fixtures/image/var/lib/dpkg/status", dpkg::parse),
    (LockKind::ApkInstalled, "cases/systems/tree/alpine/lib/apk/db/installed", apk::parse),
    (LockKind::YarnLock, "cases/languages/tree/yarn/yarn.lock", yarn_lock::parse),
    (LockKind::YarnLock, "cases/languages/tree/berry/yarn.lock", yarn_lock::parse),
    (LockKind::PnpmLock, "cases/languages/tree/pnpm/pnpm-lock.yaml", pnpm_lock::parse),
    (LockKind::GemfileLock, "cases/languages/tree/ruby/Gemfile.lock", gemfile_lock::parse),
    (LockKind::ComposerLock, "cases/languages/tree/php/composer.lock", composer_lock::parse),
    (LockKind::GradleLock, "cases/languages/tree/java/gradle.lockfile", gradle_lock::parse),
    (LockKind::NugetLock, "cases/languages/tree/dotnet/packages.lock.json", nuget_lock::parse),
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
    spdx::write(&bill, None, false).unwrap();
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
        let _ = python_metadata::parse(&text);
    }

    #[test]
    fn lock_like_text(text in "([a-z@^/.-]{1,4}|[ \\[\\](),;@=<>~!#.:/\\\\\"'-]{1,3}|\n|\n  |\n    |\n      |version |dependencies:|GEM|specs:|: ){0,60}") {
        for (kind, start, parse) in [
            (LockKind::YarnLock, "a@1:\n  version \"1\"\n", yarn_lock::parse as Parse),
            (LockKind::YarnLock, "__metadata:\n  version: 8\na@npm:1:\n  resolution: a@npm:1\n", yarn_lock::parse),
            (LockKind::PnpmLock, "lockfileVersion: '9.0'\npackages:\n  a@1: {}\n", pnpm_lock::parse),
            (LockKind::GemfileLock, "GEM\n  specs:\n    a (1)\n", gemfile_lock::parse),
            (LockKind::GradleLock, "a:b:1=c\n", gradle_lock::parse),
            (LockKind::ApkInstalled, "P:a\nV:1\n", apk::parse),
        ] {
            whole_way(kind, &format!("{start}{text}"), parse);
        }
    }

    #[test]
    fn changed_databases(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8), cut in any::<prop::sample::Index>()) {
        let mut bytes = rpm_database();
        for (at, value) in &changes {
            let at = at.index(bytes.len());
            bytes[at] = *value;
        }
        for length in [bytes.len(), cut.index(bytes.len())] {
            if let Ok(found) = rpm::parse(std::io::Cursor::new(&bytes[..length])) {
                let bill = merge(&[LockFile { path: "a/b".into(), kind: LockKind::RpmSqlite, found }], None, None);
                cyclonedx::write(&bill, None, false).unwrap();
                spdx::write(&bill, None, false).unwrap();
            }
        }
    }

    #[test]
    fn requirement_like_text(text in "([a-z-]{1,3}|[ \\[\\](),;@=<>~!#.:/\\\\\"'-]{1,3}|--hash|-r|git\\+|\n){0,40}") {
        whole_way(LockKind::Requirements, &text, requirements::parse);
        whole_way(LockKind::GoMod, &format!("module a\nrequire (\n{text}"), go_mod::parse);
    }

    #[test]
    fn changed_fixtures(which in 0..PARSERS.len(), changes in prop::collection::vec(change(), 1..6)) {
        let (kind, path, parse) = PARSERS[which];
        let text = std::fs::read_to_string(fixture("../..").join(path)).unwrap();
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
        format!("__metadata:\n  version: 8\na: {}", "[".repeat(200_000)),
        format!("lockfileVersion: '9.0'\n{}", "- ".repeat(200_000)),
        format!("a@1:\n  version \"{}", "\\".repeat(200_000)),
        format!("GEM\n  specs:\n    a (1)\n{}", "      a\n".repeat(100_000)),
        format!("P:a\nV:1\nD:{}\n", "a ".repeat(200_000)),
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
    // The same in each of the new formats that finds packages by name.
    let provided: String = (0..20_000).map(|number| format!("P:p{number}\nV:1\nD:a\np:a\n\n")).collect();
    let found = apk::parse(&provided, "").unwrap();
    assert!(found.packages.iter().all(|package| package.dependencies.len() <= 32));
    let gems: String = (0..20_000).map(|number| format!("    a (1.{number})\n      a\n")).collect();
    let found = gemfile_lock::parse(&format!("GEM\n  specs:\n{gems}"), "").unwrap();
    assert!(found.packages.iter().all(|package| package.dependencies.len() <= 32));
    let too_many_lines = "a:b:1\n".repeat(50_001);
    assert!(gradle_lock::parse(&too_many_lines, "").unwrap_err().reason.contains("more than"));
    let too_many = "a==1\n".repeat(100_002);
    assert!(requirements::parse(&too_many, "").unwrap_err().reason.contains("more than"));
}
