//! The task on systems of our own: a whole one, an empty one, and hostile ones.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use orch_plugin_host_facts::facts::Facts;
use orch_plugin_host_facts::task::{Input, collect};
use orch_sdk::{Finding, Severity, TaskError, TestHost};
use std::path::Path;

const NOW: &str = "2026-05-01T12:00:00Z";

fn write(root: &Path, path: &str, content: &[u8]) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

fn link(root: &Path, path: &str, target: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(target, path).unwrap();
}

fn run(root: &Path, now: &str) -> (Facts, Vec<Finding>, TestHost) {
    let host = TestHost::new().with_mount("root", root);
    let facts = collect(Input { now: Some(now.to_owned()) }, &host).unwrap().succeeded().unwrap();
    let findings = host.findings();
    (facts, findings, host)
}

fn found(findings: &[Finding]) -> Vec<(&str, Severity)> {
    findings.iter().map(|one| (one.rule.as_str(), one.severity)).collect()
}

fn whole(root: &Path) {
    for (path, text) in [
        ("etc/hostname", "lamp\n"),
        ("usr/lib/os-release", "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nPRETTY_NAME='Debian 12'\n"),
        ("etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
        ("etc/default/locale", "# comment\nLANG=\"C.UTF-8\"\n"),
        (
            "etc/passwd",
            "root:x:0:0::/root:/bin/bash\nsync:x:4:65534:sync:/bin:/bin/sync\nweb:x:33:33::/var/www:/usr/sbin/nologin\nada:x:1000:1000::/home/ada:\nbroken\n",
        ),
        ("etc/ssh/ssh_host_ed25519_key", "secret"),
        ("etc/ssh/ssh_host_ed25519_key.pub", "ssh-ed25519 AAAA"),
        ("etc/ssh/ssh_host_dsa_key", "secret"),
        ("proc/sys/kernel/osrelease", "6.1.0-37-amd64\n"),
        ("proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu hypervisor\n\nprocessor\t: 1\n"),
        ("proc/meminfo", "MemTotal:       2048 kB\nMemFree: 1 kB\n"),
        ("proc/uptime", "86400.52 1.00\n"),
        ("proc/net/tcp", "  sl\n 0: 00000000:0016 00000000:0000 0A 0\n 1: 0100007F:0050 0100007F:1234 01 0\n"),
        (
            "proc/net/udp6",
            "  sl\n 0: 00000000000000000000000000000000:0044 00000000000000000000000000000000:0000 07 0\n",
        ),
        ("proc/42/mounts", "/dev/sda1 / ext4 ro,relatime 0 0\nproc /proc proc rw 0 0\n"),
        ("sys/devices/sda/size", "2048\n"),
        ("sys/block/loop0/size", "8\n"),
        ("sys/class/dmi/id/sys_vendor", "QEMU\n"),
        ("sys/class/dmi/id/product_serial", "do not tell\n"),
        ("boot/vmlinuz-6.1.0-37-amd64", ""),
        ("boot/vmlinuz-6.1.0-40-amd64", ""),
        ("usr/lib/modules/6.1.0-9-amd64/modules.order", ""),
        ("usr/lib/modules/6.1.0-1-amd64/left-over", ""),
        ("run/cloud-init/cloud-id", "nocloud\n"),
        (
            "var/lib/dpkg/status",
            "Package: a\nStatus: install ok installed\n\nPackage: b\nStatus: deinstall ok config-files\n",
        ),
        ("usr/bin/env", "\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0"),
    ] {
        write(root, path, text.as_bytes());
    }
    link(root, "etc/localtime", "/usr/share/zoneinfo/Europe/Berlin");
    link(root, "etc/systemd/system/multi-user.target.wants/ssh.service", "/lib/systemd/system/ssh.service");
    link(root, "proc/mounts", "self/mounts");
    link(root, "proc/self", "42");
    link(root, "sys/block/sda", "../devices/sda");
}

#[test]
fn a_whole_system() {
    let folder = tempfile::tempdir().unwrap();
    whole(folder.path());
    let (facts, findings, host) = run(folder.path(), NOW);
    assert_eq!(facts.unknown, []);
    let distribution = facts.distribution.as_ref().unwrap();
    assert_eq!(
        (distribution.codename.as_deref(), distribution.end_of_life.as_deref()),
        (Some("bookworm"), Some("2028-06-30"))
    );
    assert_eq!(facts.kernel.installed, ["6.1.0-9-amd64", "6.1.0-37-amd64", "6.1.0-40-amd64"]);
    assert_eq!((facts.processors, facts.memory, facts.uptime), (Some(2), Some(2 << 20), Some(86_400)));
    assert_eq!((facts.time_zone.as_deref(), facts.locale.as_deref()), (Some("Europe/Berlin"), Some("C.UTF-8")));
    assert_eq!(facts.architecture.as_deref(), Some("x86_64"));
    assert_eq!(facts.login_users.as_deref(), Some(&["ada".to_owned(), "root".to_owned()][..]));
    assert_eq!(facts.enabled_units.as_deref(), Some(&["ssh.service".to_owned()][..]));
    assert_eq!(facts.ssh_host_keys.as_deref(), Some(&["dsa".to_owned(), "ed25519".to_owned()][..]));
    let sockets: Vec<_> =
        facts.listening.iter().flatten().map(|one| format!("{} {} {}", one.protocol, one.address, one.port)).collect();
    assert_eq!(sockets, ["tcp 0.0.0.0 22", "udp :: 68"]);
    let mounts = facts.mounts.as_ref().unwrap();
    assert_eq!((mounts.len(), mounts[0].point.as_str(), mounts[0].read_only), (1, "/", true));
    let disks = facts.disks.as_ref().unwrap();
    assert_eq!((disks.len(), disks[0].name.as_str(), disks[0].size), (1, "sda", Some(1 << 20)));
    assert_eq!(facts.packages.as_ref().map(|packages| packages.installed), Some(1));
    assert_eq!(
        (facts.virtualization.join(" "), facts.cloud.as_deref()),
        ("hypervisor kvm".to_owned(), Some("nocloud"))
    );
    assert_eq!(found(&findings), [("weak-host-key", Severity::Low), ("reboot-required", Severity::Medium)]);
    assert!(findings[1].title.contains("6.1.0-40-amd64 is installed"), "{}", findings[1].title);
    // What is confidential is nowhere.
    let text = String::from_utf8(host.artifacts()[0].content.clone()).unwrap();
    for secret in ["0123456789abcdef", "do not tell", "secret", "AAAA"] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert!(facts.stored && text.contains("\"has-machine-id\": true"));
}

#[test]
fn an_empty_system_is_unknown_and_not_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let (facts, findings, _) = run(folder.path(), NOW);
    assert_eq!(found(&findings), [("time-zone-unset", Severity::Low)]);
    let unknown: Vec<_> = facts.unknown.iter().map(|one| one.fact.as_str()).collect();
    for fact in [
        "hostname",
        "distribution",
        "has-machine-id",
        "time-zone",
        "locale",
        "ssh-host-keys",
        "enabled-units",
        "kernel.running",
        "architecture",
        "processors",
        "memory",
        "uptime",
        "mounts",
        "disks",
        "login-users",
        "listening",
        "packages",
    ] {
        assert!(unknown.contains(&fact), "{fact}: {unknown:?}");
    }
    assert!(facts.hostname.is_none() && facts.listening.is_none() && !facts.reboot.required);
    let host = TestHost::new().with_mount("root", folder.path()).without_artifacts();
    let facts = collect(Input::default(), &host).unwrap().succeeded().unwrap();
    assert!(!facts.stored && host.logs().is_empty());
}

#[test]
fn support_ends() {
    let at = |now: &str, release: &str| {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "etc/os-release", release.as_bytes());
        write(folder.path(), "etc/timezone", b"Etc/UTC\n");
        write(folder.path(), "etc/machine-id", b"uninitialized\n");
        write(folder.path(), "proc/sys/kernel/osrelease", b"6.1\n");
        let (_, findings, _) = run(folder.path(), now);
        findings.into_iter().map(|one| (one.rule, one.severity)).collect::<Vec<_>>()
    };
    let no_id = ("machine-id-missing".to_owned(), Severity::Info);
    let debian = "ID=debian\nVERSION_ID=11\n";
    assert_eq!(at("2026-09-01T00:00:00Z", debian), [no_id.clone(), ("end-of-life".to_owned(), Severity::High)]);
    assert_eq!(at("2026-08-31T23:00:00Z", debian), [no_id.clone(), ("end-of-life-soon".to_owned(), Severity::Low)]);
    assert_eq!(at("2026-06-02T00:00:00Z", debian), [no_id.clone(), ("end-of-life-soon".to_owned(), Severity::Low)]);
    assert_eq!(at("2026-06-01T00:00:00Z", debian), std::slice::from_ref(&no_id));
    assert_eq!(at("2099-01-01T00:00:00Z", "ID=other\nVERSION_ID=1\n"), std::slice::from_ref(&no_id));
    assert_eq!(at("2099-01-01T00:00:00Z", "ID=debian\n"), [no_id]);
    let host = TestHost::new();
    assert!(matches!(collect(Input { now: Some("today".into()) }, &host), Err(TaskError::InvalidInput(_))));
    assert!(matches!(collect(Input::default(), &host), Err(TaskError::Denied { .. })));
}

#[test]
fn a_file_that_asks_for_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "run/reboot-required", b"");
    let (facts, findings, _) = run(folder.path(), NOW);
    assert_eq!(facts.reboot.reasons, ["run/reboot-required is there"]);
    assert!(findings.iter().any(|one| one.rule == "reboot-required"));
}

#[test]
fn a_time_zone_that_is_not_known_is_not_one_that_is_not_set() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "etc/localtime", b"TZif2");
    let (facts, findings, _) = run(folder.path(), NOW);
    assert!(facts.time_zone.is_none() && findings.is_empty());
    assert!(facts.unknown.iter().any(|one| one.fact == "time-zone" && one.reason.contains("no link")));
}

#[test]
fn hostile_systems() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for path in [
        "etc/os-release",
        "etc/hostname",
        "etc/passwd",
        "etc/machine-id",
        "etc/timezone",
        "proc/cpuinfo",
        "proc/meminfo",
        "proc/uptime",
        "proc/mounts",
        "proc/net/tcp",
        "proc/net/tcp6",
        "proc/sys/kernel/osrelease",
        "var/lib/dpkg/status",
        "usr/bin/env",
        "sys/block/sda/size",
        "run/cloud-init/cloud-id",
        "boot/vmlinuz-6\u{1b}[31m",
    ] {
        write(root, path, b"ID=\x1b[31m\nx\xff\x00\xfe:::::::\n0: zz:yy 1 0A\n\\999 \\ \xc3\xa9 \n\n=\n");
    }
    let (facts, findings, _) = run(root, NOW);
    let text = serde_json::to_string(&facts).unwrap();
    assert!(!text.contains("\\u001b") && !text.contains("\\u0000"), "{text}");
    assert!(findings.iter().all(|one| !one.title.chars().any(char::is_control)));

    // Too large, in a circle, a folder where a file should be, and a link that leads out.
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("name"), "outside\n").unwrap();
    std::fs::remove_file(root.join("etc/hostname")).unwrap();
    link(root, "etc/hostname", outside.path().join("name").to_str().unwrap());
    write(root, "proc/meminfo", &vec![b'x'; 5 << 20]);
    std::fs::remove_file(root.join("proc/uptime")).unwrap();
    link(root, "proc/uptime", "uptime");
    std::fs::remove_file(root.join("etc/machine-id")).unwrap();
    std::fs::create_dir(root.join("etc/machine-id")).unwrap();
    let (facts, _, _) = run(root, NOW);
    assert_eq!(facts.hostname, None);
    for (fact, says) in
        [("hostname", "missing"), ("memory", "larger than"), ("uptime", "circle"), ("has-machine-id", "no plain file")]
    {
        let unknown = facts.unknown.iter().find(|one| one.fact == fact).unwrap_or_else(|| panic!("{fact}"));
        assert!(unknown.reason.contains(says), "{unknown:?}");
    }
}
