//! Makes lock files of many packages up, reads them natively, and prints how fast that was: `parse_speed [PACKAGES]`.

use orch_plugin_kit::parse::ParseError;
use orch_plugin_lockfiles::model::Packages;
use orch_plugin_lockfiles::parse::{apk, package_lock, pnpm_lock, yarn_lock};
use std::fmt::Write;
use std::time::Instant;

/// What each package needs of those after it.
const NEEDS: usize = 3;

const HASH: &str = "sha512-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";

fn needs(number: usize, count: usize) -> impl Iterator<Item = usize> {
    (1..=NEEDS).map(move |step| number + step * 7).filter(move |other| *other < count)
}

fn yarn(count: usize) -> Result<String, std::fmt::Error> {
    let mut text = String::from("# yarn lockfile v1\n");
    for number in 0..count {
        let address =
            format!("https://registry.yarnpkg.com/@scope/package-{number}/-/package-{number}-1.{number}.0.tgz");
        write!(
            text,
            "\n\"@scope/package-{number}@^1.{number}.0\":\n  version \"1.{number}.0\"\n  resolved \"{address}\"\n"
        )?;
        write!(text, "  integrity {HASH}\n  dependencies:\n")?;
        for other in needs(number, count) {
            writeln!(text, "    \"@scope/package-{other}\" \"^1.{other}.0\"")?;
        }
    }
    Ok(text)
}

fn pnpm(count: usize) -> Result<String, std::fmt::Error> {
    let mut text = String::from(
        "lockfileVersion: '9.0'\n\nimporters:\n\n  .:\n    dependencies:\n      '@scope/package-0':\n        specifier: ^1.0.0\n        version: 1.0.0\n\npackages:\n",
    );
    for number in 0..count {
        write!(text, "\n  '@scope/package-{number}@1.{number}.0':\n    resolution: {{integrity: {HASH}}}\n")?;
        writeln!(text, "    engines: {{node: '>=18'}}")?;
    }
    text.push_str("\nsnapshots:\n");
    for number in 0..count {
        write!(text, "\n  '@scope/package-{number}@1.{number}.0':\n    dependencies:\n      fixed: 1.0.0\n")?;
        for other in needs(number, count) {
            writeln!(text, "      '@scope/package-{other}': 1.{other}.0")?;
        }
    }
    Ok(text)
}

fn npm(count: usize) -> Result<String, std::fmt::Error> {
    let mut text =
        String::from("{\n  \"lockfileVersion\": 3,\n  \"packages\": {\n    \"\": {\n      \"name\": \"app\"\n    }");
    for number in 0..count {
        write!(text, ",\n    \"node_modules/@scope/package-{number}\": {{\n      \"version\": \"1.{number}.0\",\n")?;
        let address = format!("https://registry.npmjs.org/@scope/package-{number}/-/package-{number}-1.{number}.0.tgz");
        write!(
            text,
            "      \"resolved\": \"{address}\",\n      \"integrity\": \"{HASH}\",\n      \"license\": \"MIT\",\n"
        )?;
        let needs: Vec<_> =
            needs(number, count).map(|other| format!("        \"@scope/package-{other}\": \"^1.{other}.0\"")).collect();
        write!(text, "      \"dependencies\": {{\n{}\n      }}\n    }}", needs.join(",\n"))?;
    }
    text.push_str("\n  }\n}\n");
    Ok(text)
}

fn alpine(count: usize) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for number in 0..count {
        write!(text, "P:package-{number}\nV:1.{number}.0-r0\nA:x86_64\nL:MIT\no:package\nD:")?;
        for other in needs(number, count) {
            write!(text, "so:libpackage{other}.so.1 ")?;
        }
        write!(text, "\np:so:libpackage{number}.so.1=1\n")?;
        for file in 0..10 {
            write!(text, "F:usr/share/package-{number}/{file}\nR:file\na:0:0:644\nZ:Q1AAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")?;
        }
        text.push('\n');
    }
    Ok(text)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count: usize = std::env::args().nth(1).map_or(Ok(20_000), |count| count.parse())?;
    type Parse = fn(&str, &str) -> Result<Packages, ParseError>;
    let all: [(&str, String, Parse); 4] = [
        ("yarn.lock", yarn(count)?, yarn_lock::parse),
        ("pnpm-lock.yaml", pnpm(count)?, pnpm_lock::parse),
        ("package-lock.json", npm(count)?, package_lock::parse),
        ("apk's database", alpine(count)?, apk::parse),
    ];
    for (name, text, parse) in all {
        let start = Instant::now();
        let found = parse(&text, name)?;
        let seconds = start.elapsed().as_secs_f64();
        let edges: usize = found.packages.iter().map(|package| package.dependencies.len()).sum();
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let megabytes = text.len() as f64 / 1e6;
        println!(
            "{name}: {} packages, {edges} edges, {megabytes:.1} MB in {seconds:.3} s, {:.0} MB/s",
            found.packages.len(),
            megabytes / seconds
        );
    }
    Ok(())
}
