//! `update`: exactly what was asked for is changed, and the database says what came of it.

use crate::system::{System, failed, package, set_version, wanted};
use orch_plugin_packages::update::{Input, Output, update};
use orch_sdk::{Outcome, Printed, Status, TaskError, TestHost};

fn input(packages: Vec<orch_plugin_packages::model::Update>) -> Input {
    Input { packages, manager: None }
}

fn three() -> System {
    System::new(&[package("one", "1.0"), package("two", "1.0"), package("three", "1.0")].concat())
}

#[track_caller]
fn run(host: &TestHost, packages: Vec<orch_plugin_packages::model::Update>) -> (bool, Output) {
    match update(input(packages), host).unwrap() {
        Outcome::Succeeded(output) => (true, output),
        Outcome::Rejected(output) => (false, output),
        Outcome::Skipped(reason) => panic!("{reason}"),
    }
}

#[test]
fn exactly_what_was_asked_for() {
    let system = three();
    system.write("run/reboot-required", b"");
    system.write("run/reboot-required.pkgs", b"linux-image\n");
    let host = system.with_update(system.host(), |_, _| None);
    let (well, output) = run(&host, vec![wanted("one", "1.0", "1.1"), wanted("two", "1.0", "1.0")]);
    assert!(well && !output.dry_run && !output.simulated);
    assert_eq!((output.changed.len(), output.unchanged.len(), output.failed.len()), (1, 1, 0));
    assert_eq!((output.changed[0].from.as_deref(), output.changed[0].to.as_deref()), (Some("1.0"), Some("1.1")));
    assert!(output.reboot_required && output.reboot_packages == ["linux-image"]);
    assert_eq!(host.started().len(), 1, "what is there already is not touched");
    assert_eq!(host.findings()[0].rule, "reboot-required");
    assert_eq!(system.read("var/lib/dpkg/status").matches("Version: 1.1").count(), 1);
    assert_eq!(host.progress_told().last().unwrap(), &(2, Some(2), String::new()));
    // A second time there is nothing to do.
    let host = system.with_update(system.host(), |_, _| panic!("nothing is to be done"));
    let (well, output) = run(&host, vec![wanted("one", "1.0", "1.1")]);
    assert!(well && output.unchanged.len() == 1 && output.changed.is_empty());
    assert!(matches!(update(input(vec![]), &host), Ok(Outcome::Skipped(_))));
}

#[test]
fn a_program_that_fails_leaves_what_it_said() {
    let system = three();
    let host = system.with_update(system.host(), |status, name| {
        if name == "two" {
            set_version(status, "two", "1.1");
            let broken = status.replace(
                "Package: two\nStatus: install ok installed",
                "Package: two\nStatus: install ok half-configured",
            );
            *status = broken;
            return Some(failed(100, "post-installation script returned error\u{7} exit status 1\n"));
        }
        None
    });
    let (well, output) = run(&host, vec![wanted("two", "1.0", "1.1"), wanted("one", "1.0", "1.1")]);
    assert!(!well);
    assert_eq!(output.changed.len(), 1, "the others go on");
    let failure = &output.failed[0];
    assert_eq!((failure.name.as_str(), failure.now.as_deref()), ("two", Some("1.1 (half-configured)")));
    assert!(failure.reason.contains("code 100"), "{failure:?}");
    assert_eq!(failure.output.as_deref(), Some("post-installation script returned error  exit status 1"));
    let finding = &host.findings()[0];
    assert_eq!((finding.rule.as_str(), finding.status), ("update-failed", Status::Open));
}

#[test]
fn a_program_that_does_something_else_is_told_of() {
    let system = three();
    let host = system.with_update(system.host(), |status, _| {
        set_version(status, "three", "9");
        None
    });
    let (well, output) = run(&host, vec![wanted("one", "1.0", "1.1")]);
    assert!(!well && output.changed.len() == 1);
    assert_eq!(output.unexpected.len(), 1);
    assert_eq!((output.unexpected[0].name.as_str(), output.unexpected[0].to.as_deref()), ("three", Some("9")));
    assert_eq!(host.findings()[0].rule, "unexpected-change");
    // One that ends well and does nothing has not updated.
    let host = system.host().with_program("update", |_| Ok(Printed::from("already the newest version\n")));
    let (well, output) = run(&host, vec![wanted("two", "1.0", "1.1")]);
    assert!(!well && output.failed[0].reason.contains("another version"), "{:?}", output.failed);
}

#[test]
fn what_the_simulation_would_also_do_stops_it() {
    let system = three();
    let host = |says: &'static str| {
        let host = system.host().with_program("simulate", move |slots| {
            assert_eq!(slots[1..], [("package", "one"), ("version", "1.1")]);
            Ok(Printed::from(says))
        });
        system.with_update(host, |_, _| None)
    };
    let asked = || vec![wanted("one", "1.0", "1.1")];
    for says in [
        "Inst one [1.0] (1.1 O:1/s [amd64])\nInst two [1.0] (1.1 O:1/s [amd64])\n",
        "Inst one [1.0] (1.1 O:1/s [amd64])\nRemv three [1.0]\n",
        "Inst one [1.0] (1.1 O:1/s [amd64])\nInst new (1 O:1/s [amd64])\n",
        "Inst one [1.0] (1.2 O:1/s [amd64])\n",
    ] {
        let host = host(says);
        let (well, output) = run(&host, asked());
        assert!(
            !well && output.simulated && output.failed[0].reason.contains("would also change"),
            "{says}: {output:?}"
        );
        assert!(!host.started().iter().any(|line| line.starts_with("update")), "{says}");
    }
    let (well, _) = run(&host("Inst one [1.0] (1.1 O:1/s [amd64])\nConf one (1.1 O:1/s [amd64])\n"), asked());
    assert!(well);
}

#[test]
fn what_belongs_together_may_come_together() {
    let system = three();
    let host = system.host().with_program("simulate", |_| {
        Ok(Printed::from("Inst one [1.0] (1.1 O:1/s [amd64])\nInst two [1.0] (1.1 O:1/s [amd64])\n"))
    });
    let host = system.with_update(host, |status, _| {
        set_version(status, "one", "1.1");
        set_version(status, "two", "1.1");
        None
    });
    let (well, output) = run(&host, vec![wanted("one", "1.0", "1.1"), wanted("two", "1.0", "1.1")]);
    assert!(well && output.changed.len() == 2 && output.unexpected.is_empty(), "{output:?}");
    assert_eq!(host.started().iter().filter(|line| line.starts_with("update")).count(), 1);
}

#[test]
fn a_dry_run_changes_nothing() {
    let system = three();
    let before = system.read("var/lib/dpkg/status");
    let host =
        system.host().dry_run().with_program("simulate", |_| Ok(Printed::from("Inst one [1.0] (1.1 O:1/s [amd64])\n")));
    let host = system.with_update(host, |_, _| panic!("not in a dry run"));
    let (well, output) = run(&host, vec![wanted("one", "1.0", "1.1")]);
    assert!(well && output.dry_run && output.simulated && output.changed.is_empty());
    assert_eq!(output.would_change[0].to.as_deref(), Some("1.1"));
    assert_eq!(host.started().len(), 1);
    // Without the simulation, and without any program at all.
    let (well, output) = run(&system.host().dry_run(), vec![wanted("one", "1.0", "1.1")]);
    assert!(well && !output.simulated && output.would_change.len() == 1);
    let host = system.host().dry_run().with_program("simulate", |_| Ok(failed(100, "E: unmet\n")));
    let (well, output) = run(&host, vec![wanted("one", "1.0", "1.1")]);
    assert!(!well && output.failed[0].output.as_deref() == Some("E: unmet"));
    assert_eq!(system.read("var/lib/dpkg/status"), before);
}

#[test]
fn what_is_refused() {
    let status = [package("one", "1.0"), package("held", "1.0").replace("install ok", "hold ok")].concat();
    let system = System::new(&status);
    let host = system.with_update(system.host(), |_, _| panic!("nothing of this is done"));
    for (asked, says) in [
        (wanted("other", "1.0", "1.1"), "not installed"),
        (wanted("held", "1.0", "1.1"), "it is held"),
        (wanted("one", "0.9", "1.1"), "and not 0.9 any more"),
    ] {
        let (well, output) = run(&host, vec![asked]);
        assert!(!well && output.failed[0].reason.contains(says), "{says}: {output:?}");
    }
    for asked in [
        wanted("-oA=b", "1", "2"),
        wanted("one", "1", "2 -oA=b"),
        wanted("one;reboot", "1", "2"),
        wanted("one", "1", ""),
    ] {
        assert!(matches!(update(input(vec![asked.clone()]), &host), Err(TaskError::InvalidInput(_))), "{asked:?}");
    }
    let twice = vec![wanted("one", "1", "2"), wanted("one", "1", "3")];
    assert!(matches!(update(input(twice), &host), Err(TaskError::InvalidInput(_))));
    let denied = TaskError::Denied { capability: "exec".into(), target: "update".into() };
    assert_eq!(update(input(vec![wanted("one", "1.0", "2")]), &system.host()).unwrap_err(), denied);
    host.cancel();
    assert_eq!(update(input(vec![wanted("one", "1.0", "2")]), &host).unwrap_err(), TaskError::Cancelled);
    assert_eq!(system.read("var/lib/dpkg/status"), status);
}

#[test]
fn apk_gets_no_version() {
    let system = System::empty();
    system.write("lib/apk/db/installed", b"P:musl\nV:1.2.4-r1\nA:x86_64\n\n");
    let path = system.path("lib/apk/db/installed");
    let host = system.host().with_program("update", move |slots| {
        assert_eq!(slots[1..], [("package", "musl")]);
        std::fs::write(&path, "P:musl\nV:1.2.4-r2\nA:x86_64\n\n").unwrap();
        Ok(Printed::from("OK\n"))
    });
    let mut asked = wanted("musl", "1.2.4-r1", "1.2.4-r2");
    asked.architecture = Some("x86_64".into());
    let (well, output) = run(&host, vec![asked]);
    assert!(well && output.changed.len() == 1, "{output:?}");
}

#[test]
fn apt_is_told_which_architecture_is_meant() {
    let status = [package("dpkg", "1"), package("lib", "1").replace("amd64", "i386"), package("lib", "1")].concat();
    let system = System::new(&status);
    let host = system.host().with_program("update", |_| Ok(Printed::from("")));
    let mut foreign = wanted("lib", "1", "2");
    foreign.architecture = Some("i386".into());
    run(&host, vec![foreign, wanted("lib", "1", "2")]);
    let started: Vec<_> = host.started().iter().map(|line| line.split(' ').nth(2).unwrap().to_owned()).collect();
    assert_eq!(started, ["package=lib:i386", "package=lib"]);
}
