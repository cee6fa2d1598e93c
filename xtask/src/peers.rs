//! `bench --peers`: the same shapes in other engines, side by side. Each is installed from its package registry into a folder that is
//! thrown away; a small driver of ours in `tests/bench/peers` runs it. What cannot be installed or started is printed as such.

mod environment;

use crate::bench;
use crate::chores::say;
use anyhow::{Context, Result, ensure};
use environment::{Ended, Environment};
use std::time::Duration;

/// How long one cell of the table may take. What takes longer is run again with a tenth of the tasks.
const LIMIT: Duration = Duration::from_secs(120);

/// Where an engine comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Registry {
    /// It is here already.
    Machine,
    PyPi,
    Npm,
}

/// An engine and how it is measured.
struct Peer {
    name: &'static str,
    registry: Registry,
    /// `package==version` or `package@version`, the engine itself first.
    packages: &'static [&'static str],
    driver: &'static str,
    /// Whether what is done survives a crash of the machine.
    durable: &'static str,
    sandboxed: &'static str,
}

const PEERS: [Peer; 7] = [
    Peer {
        name: "processes",
        registry: Registry::Machine,
        packages: &[],
        driver: "processes.py",
        durable: "no",
        sandboxed: "no",
    },
    Peer {
        name: "luigi",
        registry: Registry::PyPi,
        packages: &["luigi==3.8.1"],
        driver: "luigi_tasks.py",
        durable: "no",
        sandboxed: "no",
    },
    Peer {
        name: "doit",
        registry: Registry::PyPi,
        packages: &["doit==0.37.0"],
        driver: "doit_tasks.py",
        durable: "no",
        sandboxed: "no",
    },
    Peer {
        name: "ansible-core",
        registry: Registry::PyPi,
        packages: &["ansible-core==2.19.14"],
        driver: "ansible_tasks.py",
        durable: "no",
        sandboxed: "no",
    },
    Peer {
        name: "DBOS, SQLite",
        registry: Registry::PyPi,
        packages: &["dbos==3.4.0"],
        driver: "dbos_tasks.py",
        durable: "yes",
        sandboxed: "no",
    },
    Peer {
        name: "Prefect, SQLite",
        registry: Registry::PyPi,
        // Its server does not start with the newest fastapi, which its own requirement allows.
        packages: &["prefect==3.8.8", "fastapi==0.139.0"],
        driver: "prefect_tasks.py",
        // Results are files that nobody syncs, and the database follows later.
        durable: "later",
        sandboxed: "no",
    },
    Peer {
        name: "Restate",
        registry: Registry::Npm,
        packages: &["@restatedev/restate-server@1.7.12", "@restatedev/restate-sdk@1.17.2"],
        driver: "restate_tasks.mjs",
        durable: "yes",
        sandboxed: "no",
    },
];

/// A shape as the drivers know it, its column, and how many tasks it has.
const SHAPES: [(&str, &str, usize); 5] = [
    ("fibonacci-chain", "40 × fibonacci(10), in a chain", 40),
    ("fibonacci-wide", "10 × fibonacci(33)", 10),
    ("light", "400 light tasks", 400),
    ("waits", "10,000 × wait 100 ms, 100 at once", 10_000),
    ("chain", "400 tasks in a chain", 400),
];

impl Peer {
    fn version(&self) -> &'static str {
        let engine = self.packages.first().and_then(|package| package.rsplit(['=', '@']).next());
        engine.unwrap_or("-")
    }
}

/// What one line of a driver says.
#[derive(Debug, Clone, PartialEq)]
struct Measured {
    shape: String,
    tasks: usize,
    seconds: f64,
}

/// Measures ours and the peers whose names contain one of `wanted`; all if there are none.
pub(crate) fn run(wanted: &[&str]) -> Result<()> {
    bench::build()?;
    let mut rows = vec![ours()?];
    for peer in &PEERS {
        let name = peer.name.to_lowercase();
        if wanted.is_empty() || wanted.iter().any(|wanted| name.contains(&wanted.to_lowercase())) {
            rows.push(measure(peer));
        }
    }
    print(&rows);
    Ok(())
}

fn ours() -> Result<Vec<String>> {
    let output = bench::program("shapes").stderr(std::process::Stdio::inherit()).output()?;
    ensure!(output.status.success(), "the benchmark failed");
    let text = String::from_utf8(output.stdout).context("the benchmark printed no UTF-8")?;
    // The machine's facts come first.
    text.lines().take_while(|line| !line.starts_with('{')).for_each(bench::print);
    let lines: Vec<_> = text.lines().filter_map(parse).collect();
    let mut row = vec!["orch-wasm".into(), env!("CARGO_PKG_VERSION").into(), "yes".into(), "yes".into()];
    for (shape, _, tasks) in SHAPES {
        let line = lines.iter().find(|line| line.shape == shape && line.tasks == tasks);
        row.push(seconds(line.with_context(|| format!("the benchmark did not measure `{shape}`"))?.seconds));
    }
    Ok(row)
}

/// A row of the table. Nothing that goes wrong with a peer ends the measurement: it is what its cells say.
fn measure(peer: &Peer) -> Vec<String> {
    let mut row = vec![peer.name.into(), peer.version().into(), peer.durable.into(), peer.sandboxed.into()];
    say(&format!("{} {}", peer.name, peer.version()));
    match Environment::new(peer) {
        Ok(environment) => {
            row.extend(SHAPES.map(|(shape, _, tasks)| {
                let cell = cell(&environment, shape, tasks);
                say(&format!("  {shape}: {cell}"));
                cell
            }));
        }
        Err(error) => {
            let reason = format!("not installed: {}", short(&format!("{error:#}")));
            say(&format!("  {reason}"));
            row.extend(SHAPES.map(|_| reason.clone()));
        }
    }
    row
}

fn cell(environment: &Environment, shape: &str, wanted: usize) -> String {
    let mut tasks = wanted;
    loop {
        match environment.drive(shape, tasks, LIMIT) {
            Ok(Ended::Well(text)) => {
                let line = text.lines().filter_map(parse).next_back();
                return match line.filter(|line| line.shape == shape && line.tasks == tasks) {
                    Some(line) if tasks == wanted => seconds(line.seconds),
                    Some(line) => format!("{} for {tasks} (over {} s for all)", seconds(line.seconds), LIMIT.as_secs()),
                    None => "not run: the driver printed no result".into(),
                };
            }
            Ok(Ended::Badly(reason)) => return format!("not run: {}", short(&reason)),
            // A chain or a computation of fewer tasks says nothing new; what waits does.
            Ok(Ended::TooLate) if tasks >= 1_000 => {
                say(&format!("  {shape}: over {} s for {tasks} tasks; again with a tenth", LIMIT.as_secs()));
                tasks /= 10;
            }
            Ok(Ended::TooLate) => return format!("over {} s for {tasks}", LIMIT.as_secs()),
            Err(error) => return format!("not run: {}", short(&format!("{error:#}"))),
        }
    }
}

/// A line of a driver; `None` if it is anything else.
fn parse(line: &str) -> Option<Measured> {
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    Some(Measured {
        shape: value["shape"].as_str()?.to_owned(),
        tasks: usize::try_from(value["tasks"].as_u64()?).ok()?,
        seconds: value["seconds"].as_f64()?,
    })
}

fn seconds(seconds: f64) -> String {
    if seconds < 10.0 { format!("{seconds:.3} s") } else { format!("{seconds:.1} s") }
}

/// The last line of a reason, short enough for a cell.
fn short(reason: &str) -> String {
    let line = reason.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no reason given");
    line.trim().chars().filter(|c| *c != '|' && !c.is_control()).take(100).collect()
}

fn print(rows: &[Vec<String>]) {
    let titles = SHAPES.map(|(_, title, _)| title);
    bench::print(&format!("\n| engine | version | durable | sandboxed | {} |", titles.join(" | ")));
    bench::print(&format!("|---|---|---|---|{}", "--:|".repeat(SHAPES.len())));
    rows.iter().for_each(|row| bench::print(&format!("| {} |", row.join(" | "))));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_driver_is_read_and_nothing_else() {
        let line = parse(r#"{"shape": "light", "tasks": 400, "seconds": 1.5}"#).unwrap();
        assert_eq!(line, Measured { shape: "light".into(), tasks: 400, seconds: 1.5 });
        for other in ["", "light 400 1.5", "{}", r#"{"shape": "light", "tasks": -1, "seconds": 1}"#] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn every_package_is_pinned_and_every_driver_is_there() {
        for peer in &PEERS {
            let driver = crate::chores::root().join("tests/bench/peers").join(peer.driver);
            assert!(driver.is_file(), "{}", driver.display());
            assert_eq!(peer.packages.is_empty(), peer.registry == Registry::Machine, "{}", peer.name);
            for package in peer.packages {
                let version = package.rsplit(['=', '@']).next().unwrap();
                assert!(version.starts_with(|c: char| c.is_ascii_digit()), "{package}");
            }
        }
    }

    #[test]
    fn a_reason_fits_a_cell() {
        assert_eq!(short("Traceback\n  a | b\n\n"), "a  b");
        assert_eq!(short(""), "no reason given");
    }
}
