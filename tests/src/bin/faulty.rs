//! The whole program, with faults that a test names: `ORCH_TEST_FAULT=kill:POINT:N` kills the process when a point is reached for
//! the Nth time, `fail:POINT:N` makes it an error there, `count:FILE` writes how often each point was reached, and
//! `ORCH_TEST_BUG=NAME` makes a part of it wrong.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]
#![expect(clippy::disallowed_methods, reason = "tests talk to their children by the environment")]

use orch_core::{Faults, PlantedBug};
use std::collections::BTreeMap;
use std::io;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

enum Wish {
    Nothing,
    Kill(String, u32),
    Fail(String, u32),
    Count(std::path::PathBuf),
}

struct Named {
    wish: Wish,
    bug: Option<PlantedBug>,
    reached: Mutex<BTreeMap<&'static str, u32>>,
}

impl Faults for Named {
    fn at(&self, point: &'static str) -> io::Result<()> {
        let mut reached = self.reached.lock().unwrap();
        let count = reached.entry(point).or_insert(0);
        *count += 1;
        match &self.wish {
            Wish::Kill(name, number) if name == point && count == number => {
                // Other threads get to do what they can do while this one is here.
                std::thread::sleep(std::time::Duration::from_millis(20));
                // As hard as it gets: nothing of this process runs after it.
                let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
                loop {
                    std::thread::park();
                }
            }
            Wish::Fail(name, number) if name == point && count == number => Err(io::Error::other("planted by a test")),
            Wish::Count(file) => {
                let text: String = reached.iter().map(|(point, count)| format!("{point} {count}\n")).collect();
                std::fs::write(file, text)
            }
            _ => Ok(()),
        }
    }

    fn planted(&self, bug: PlantedBug) -> bool {
        self.bug == Some(bug)
    }
}

fn wish() -> Wish {
    let Ok(text) = std::env::var("ORCH_TEST_FAULT") else { return Wish::Nothing };
    match text.split(':').collect::<Vec<_>>().as_slice() {
        ["kill", point, number] => Wish::Kill((*point).to_owned(), number.parse().unwrap()),
        ["fail", point, number] => Wish::Fail((*point).to_owned(), number.parse().unwrap()),
        ["count", file] => Wish::Count(file.into()),
        _ => panic!("`{text}` is no fault"),
    }
}

fn main() -> ExitCode {
    let bug = std::env::var("ORCH_TEST_BUG").ok();
    let bug = bug.map(|name| serde_json::from_value(name.into()).unwrap());
    orch_wasm::main(Arc::new(Named { wish: wish(), bug, reached: Mutex::default() }))
}
