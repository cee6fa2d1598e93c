//! The kernel that runs, those that are installed, and whether a newer one waits for a restart.

use crate::facts::{Facts, Kernel};
use crate::task::{Reader, shown};
use orch_plugin_kit::version::Order;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// Kernels; a host that never removes any has some hundred.
const MOST: usize = 1_000;
/// The file that asks for a restart, on Debian and what is made of it.
const REBOOT: &str = "run/reboot-required";

/// Collects the kernels, and whether a restart is asked for.
pub fn collect(facts: &mut Facts, reader: &mut Reader<'_>) {
    let running = reader.first_line("kernel.running", "proc/sys/kernel/osrelease");
    let mut installed: BTreeSet<String> = BTreeSet::new();
    let images = reader.root.names("boot").unwrap_or_default();
    installed.extend(images.iter().filter_map(|name| name.strip_prefix("vmlinuz-")).map(|name| shown(name, 100)));
    for folder in ["usr/lib/modules", "lib/modules"] {
        // A folder that is left over from a kernel that was removed has no list of modules.
        let names = reader.root.names(folder).unwrap_or_default();
        let whole = names.iter().filter(|name| reader.root.has(&format!("{folder}/{name}/modules.order")));
        installed.extend(whole.map(|name| shown(name, 100)));
    }
    // Alpine's images have the flavour alone for a name.
    let mut installed: Vec<String> = installed
        .into_iter()
        .filter(|name| name.bytes().next().is_some_and(|byte| byte.is_ascii_digit()))
        .take(MOST)
        .collect();
    installed.sort_by(|left, right| Order::Debian.compare(left, right));
    if reader.root.has(REBOOT) {
        facts.reboot.reasons.push(format!("{REBOOT} is there"));
    }
    if let Some(running) = &running
        && let Some(newer) = newer(running, &installed)
    {
        facts.reboot.reasons.push(format!("the kernel {running} runs, and {newer} is installed"));
    }
    facts.reboot.required = !facts.reboot.reasons.is_empty();
    facts.kernel = Kernel { running, installed };
}

/// The newest installed kernel of the same flavour, if it is newer than the one that runs. In a container the host's kernel runs, and none of
/// its flavour is installed.
fn newer<'a>(running: &str, installed: &'a [String]) -> Option<&'a str> {
    let same = installed.iter().filter(|one| flavour(one) == flavour(running));
    let newest = same.max_by(|left, right| Order::Debian.compare(left, right))?;
    (Order::Debian.compare(newest, running) == Ordering::Greater).then_some(newest)
}

/// `amd64` of `6.1.0-37-amd64`: what stands behind the numbers.
fn flavour(release: &str) -> String {
    let words = release.split('-').skip_while(|word| word.bytes().next().is_some_and(|byte| byte.is_ascii_digit()));
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::newer;

    #[test]
    fn flavours() {
        let installed = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let debian = installed(&["6.1.0-9-amd64", "6.1.0-37-amd64", "6.1.0-40-cloud-amd64"]);
        assert_eq!(newer("6.1.0-9-amd64", &debian), Some("6.1.0-37-amd64"));
        assert_eq!(newer("6.1.0-37-amd64", &debian), None);
        assert_eq!(newer("6.8.0-rc1", &debian), None);
        assert_eq!(newer("", &debian), None);
        let red_hat = installed(&["5.14.0-427.13.1.el9_4.x86_64", "5.14.0-427.9.1.el9_4.x86_64"]);
        assert_eq!(newer("5.14.0-427.9.1.el9_4.x86_64", &red_hat), Some("5.14.0-427.13.1.el9_4.x86_64"));
        assert_eq!(newer("6.6.32-0-lts", &installed(&["6.6.41-0-lts", "6.9.0-0-edge"])), Some("6.6.41-0-lts"));
    }
}
