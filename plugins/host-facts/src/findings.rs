//! What somebody should act on, out of the facts. A handful: what is secure is the matter of `orch/compliance-check`.

use crate::facts::Facts;
use orch_plugin_kit::report::Problem;
use orch_sdk::{Finding, Severity, Status};

/// Days before the end of support from which on it is told.
const SOON: i64 = 90;

/// The findings. `today` is a day, as `2026-01-31`.
pub fn findings(facts: &Facts, time_zone_unset: bool, today: &str) -> Vec<Finding> {
    let mut all = Vec::new();
    let mut add = |rule, severity, title: String, path: &str, identity: &[&str], remediation| {
        let problem = Problem { rule, severity, status: Status::Open, title, path, line: None, identity, remediation };
        all.push(problem.finding());
    };
    if facts.reboot.required {
        let why = facts.reboot.reasons.join("; ");
        let remediation = "Restart the host: until then the old kernel or libraries are in use.";
        add(
            "reboot-required",
            Severity::Medium,
            format!("the host should be restarted: {why}"),
            "run/reboot-required",
            &[],
            remediation,
        );
    }
    if let Some(distribution) = &facts.distribution
        && let Some(end) = &distribution.end_of_life
    {
        let version = distribution.version.as_deref().unwrap_or_default();
        let name = format!("{} {version}", distribution.id);
        let remediation = "Move to a supported release.";
        let identity = [distribution.id.as_str(), version];
        // Days of the same form are in the order of their texts.
        if today > end.as_str() {
            let title = format!("{name} has not been supported since {end}: holes are not closed any more");
            add("end-of-life", Severity::High, title, "etc/os-release", &identity, remediation);
        } else if days(end).zip(days(today)).is_some_and(|(end, today)| end - today <= SOON) {
            let title = format!("the support of {name} ends on {end}");
            add("end-of-life-soon", Severity::Low, title, "etc/os-release", &identity, remediation);
        }
    }
    if time_zone_unset {
        let title = "no time zone is set: the times of logs are those of whoever started the program".to_owned();
        add("time-zone-unset", Severity::Low, title, "etc/timezone", &[], "Set one, for example `Etc/UTC`.");
    }
    if facts.has_machine_id == Some(false) && facts.kernel.running.is_some() {
        let title = "the machine has no id: what tells hosts apart by it, as DHCP and logs do, cannot".to_owned();
        add("machine-id-missing", Severity::Info, title, "etc/machine-id", &[], "Run `systemd-machine-id-setup`.");
    }
    if facts.ssh_host_keys.iter().flatten().any(|key| key == "dsa") {
        let title = "the SSH server has a DSA host key, which no current client takes".to_owned();
        let remediation = "Remove the key and make one of type ed25519.";
        add("weak-host-key", Severity::Low, title, "etc/ssh/ssh_host_dsa_key.pub", &[], remediation);
    }
    all
}

/// Days of a date, counted from some day; years that begin in March, Gregorian (Hinnant 2013).
fn days(date: &str) -> Option<i64> {
    let number = |from: usize, to: usize| date.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let year = year - i64::from(month <= 2);
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    Some(year * 365 + year / 4 - year / 100 + year / 400 + (153 * from_march + 2) / 5 + day)
}
