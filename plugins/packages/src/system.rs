//! What the tasks do alike: the granted root, programs with their slots, and whether the system wants a reboot.

use crate::model::Manager;
use crate::text::{shown, tail};
use orch_plugin_kit::digest::fingerprint;
use orch_plugin_kit::report::granted_mount;
use orch_plugin_kit::root::{Root, Unseen};
use orch_sdk::{Finding, Host, Location, Printed, Severity, Status, TaskError};

/// How much of a program's output becomes part of a message or an output.
pub const TAIL: usize = 4_000;
/// How much of a program's output is read.
const MAX_PRINTED: usize = 8 << 20;

/// The file that asks for a reboot, on Debian and what is made of it.
pub const REBOOT: &str = "run/reboot-required";

/// The granted system.
pub struct System<'a> {
    /// Its files.
    pub root: Root,
    /// The host.
    pub host: &'a dyn Host,
    mount: String,
}

impl<'a> System<'a> {
    /// The system at the mount `root`.
    ///
    /// # Errors
    /// [`TaskError::Denied`] if it is not granted.
    pub fn new(host: &'a dyn Host) -> Result<System<'a>, TaskError> {
        let folder = granted_mount("root", host)?;
        let mount = folder.to_string_lossy().into_owned();
        Ok(System { root: Root::new(folder), host, mount })
    }

    /// Whether a program was granted.
    pub fn has(&self, alias: &str) -> bool {
        self.host.has_capability(&format!("exec:{alias}"))
    }

    /// Runs a granted program about the root, and about one package if one is given.
    ///
    /// # Errors
    /// When it was not granted, or prints too much.
    pub fn run(&self, alias: &str, package: Option<(&str, Option<&str>)>) -> Result<Printed, TaskError> {
        let mut slots = vec![("root", self.mount.as_str())];
        if let Some((name, version)) = package {
            slots.push(("package", name));
            slots.extend(version.map(|version| ("version", version)));
        }
        let mut stdout = Vec::new();
        let printed = self.host.stream(alias, &slots, &mut |bytes| {
            if stdout.len() + bytes.len() > MAX_PRINTED {
                // The end is what says why; ending the program in the middle of its work would do harm.
                let gone = (stdout.len() + bytes.len() - MAX_PRINTED).min(stdout.len());
                stdout.drain(..gone);
            }
            stdout.extend_from_slice(bytes);
            Ok(())
        })?;
        Ok(Printed { stdout, ..printed })
    }

    /// Which slots beside `root` a manager's programs take for one package: apk upgrades to what its index has, and a version in its
    /// arguments would be written into `etc/apk/world`.
    pub fn slots<'b>(manager: Manager, name: &'b str, version: &'b str) -> (&'b str, Option<&'b str>) {
        match manager {
            Manager::Apt | Manager::Dnf => (name, Some(version)),
            Manager::Apk => (name, None),
        }
    }

    /// Whether the system asks for a reboot, and for which packages.
    pub fn reboot(&self) -> (bool, Vec<String>) {
        const MAX_FILE: u64 = 1 << 20;
        let required = self.root.has(REBOOT);
        let mut packages: Vec<String> = Vec::new();
        if required && let Ok(text) = self.root.text("run/reboot-required.pkgs", MAX_FILE) {
            packages.extend(
                text.lines().filter(|line| !line.trim().is_empty()).take(1_000).map(|line| shown(line.trim(), 200)),
            );
        }
        packages.sort();
        packages.dedup();
        (required, packages)
    }
}

/// The end of what a program printed, standard error first when there is some.
pub fn said(printed: &Printed) -> String {
    let error = tail(&printed.stderr, TAIL);
    let out = tail(&printed.stdout, TAIL);
    match (error.is_empty(), out.is_empty()) {
        (true, _) => out,
        (_, true) => error,
        _ => format!("{error}\n{out}"),
    }
}

/// How a program ended, as a lower-case fragment.
pub fn ended(printed: &Printed) -> String {
    match (printed.exit.code, printed.exit.signal) {
        (Some(code), _) => format!("it ended with code {code}"),
        (None, Some(signal)) => format!("the signal {signal} ended it"),
        (None, None) => "it did not end by itself".to_owned(),
    }
}

/// What a finding of this plugin says.
pub struct Fact<'a> {
    /// The rule.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Open, or not to be found out.
    pub status: Status,
    /// One line.
    pub title: String,
    /// More.
    pub detail: Option<String>,
    /// The file it was read from.
    pub path: &'a str,
    /// 1-based.
    pub line: Option<u32>,
    /// What makes it the same problem in the next run.
    pub identity: &'a [&'a str],
    /// What to do.
    pub remediation: &'static str,
}

impl Fact<'_> {
    /// The finding.
    pub fn finding(self) -> Finding {
        let mut parts = vec![self.rule];
        parts.extend(self.identity);
        Finding {
            rule: self.rule.to_owned(),
            severity: self.severity,
            status: self.status,
            title: shown(&self.title, 300),
            detail: self.detail,
            fingerprint: fingerprint(&parts),
            location: Some(Location { path: self.path.to_owned(), line: self.line, column: None, end_line: None }),
            remediation: Some(self.remediation.to_owned()),
            references: Vec::new(),
            data: None,
        }
    }
}

/// That the system wants a reboot.
pub fn reboot_finding(packages: &[String]) -> Finding {
    let detail = (!packages.is_empty()).then(|| format!("asked for by {}", packages.join(", ")));
    Fact {
        rule: "reboot-required",
        severity: Severity::Medium,
        status: Status::Open,
        title: "the system asks for a reboot".to_owned(),
        detail,
        path: REBOOT,
        line: None,
        identity: &[],
        remediation: "Restart the machine: until then the old kernel or libraries are in use.",
    }
    .finding()
}

/// Why a file could not be looked at, other than that it is not there.
pub fn broken(unseen: &Unseen) -> Option<&str> {
    match unseen {
        Unseen::Missing => None,
        Unseen::Broken(reason) => Some(reason),
    }
}
