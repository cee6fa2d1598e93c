//! The facts: what is not known is null, and a line in `unknown` says why.

use schemars::JsonSchema;
use serde::Serialize;

/// What `collect` returns, and `facts.json` has.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Facts {
    /// The host's name, from `etc/hostname`.
    pub hostname: Option<String>,
    /// The distribution, from `os-release`.
    pub distribution: Option<Distribution>,
    /// What the programs below the root were built for, such as `x86_64`.
    pub architecture: Option<String>,
    /// Whether there is a machine id. Its value is confidential, machine-id(5), and not read further.
    pub has_machine_id: Option<bool>,
    /// The kernels.
    pub kernel: Kernel,
    /// Processors that are online.
    pub processors: Option<u32>,
    /// Bytes of main memory.
    pub memory: Option<u64>,
    /// Seconds since the start.
    pub uptime: Option<u64>,
    /// The time zone, such as `Europe/Berlin`.
    pub time_zone: Option<String>,
    /// The locale, such as `C.UTF-8`.
    pub locale: Option<String>,
    /// The package manager.
    pub packages: Option<Packages>,
    /// Users whose shell lets them log in.
    pub login_users: Option<Vec<String>>,
    /// Units of systemd that others want or require, by links below `etc`.
    pub enabled_units: Option<Vec<String>>,
    /// Sockets that take connections or datagrams.
    pub listening: Option<Vec<Socket>>,
    /// Mounted file systems, without those of the kernel.
    pub mounts: Option<Vec<Mount>>,
    /// Disks.
    pub disks: Option<Vec<Disk>>,
    /// Types of the SSH server's host keys, such as `ed25519`.
    pub ssh_host_keys: Option<Vec<String>>,
    /// Whether and why the host should be restarted.
    pub reboot: Reboot,
    /// What points to a container or a virtual machine, such as `docker` or `kvm`.
    pub virtualization: Vec<String>,
    /// The cloud, such as `aws`, as the firmware or cloud-init names it.
    pub cloud: Option<String>,
    /// What could not be found out.
    pub unknown: Vec<Unknown>,
    /// Whether `facts.json` was stored.
    pub stored: bool,
}

/// The distribution.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Distribution {
    /// `debian`, `ubuntu`, `alpine`, …
    pub id: String,
    /// `12`, `24.04`; those that are still being made have none.
    pub version: Option<String>,
    /// `bookworm`
    pub codename: Option<String>,
    /// For people.
    pub name: Option<String>,
    /// The last day of support, as `2028-06-30`, where this version of the plugin knows it.
    pub end_of_life: Option<String>,
}

/// The kernels.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Kernel {
    /// The release of the one that runs.
    pub running: Option<String>,
    /// The releases of those that are installed, from the oldest to the newest.
    pub installed: Vec<String>,
}

/// The package manager.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Packages {
    /// `dpkg`, `apk` or `rpm`.
    pub manager: String,
    /// How many packages are installed.
    pub installed: usize,
}

/// A socket that takes connections or datagrams.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Socket {
    /// `tcp` or `udp`.
    pub protocol: String,
    /// The port.
    pub port: u16,
    /// The address; `0.0.0.0` and `::` stand for all.
    pub address: String,
}

/// A mounted file system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Mount {
    /// Where it is mounted.
    pub point: String,
    /// What is mounted.
    pub source: String,
    /// Its type, such as `ext4`.
    pub kind: String,
    /// Whether it is mounted for reading alone.
    pub read_only: bool,
}

/// A disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Disk {
    /// Its name, such as `sda`.
    pub name: String,
    /// Bytes.
    pub size: Option<u64>,
}

/// Whether and why the host should be restarted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Reboot {
    /// Whether it should be.
    pub required: bool,
    /// Why, one line each.
    pub reasons: Vec<String>,
}

/// Something that could not be found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Unknown {
    /// Which fact, by its name in the output.
    pub fact: String,
    /// The file, below the root.
    pub path: String,
    /// Why.
    pub reason: String,
}
