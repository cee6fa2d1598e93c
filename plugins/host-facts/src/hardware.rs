//! Processors, memory, disks, mounts, and what points to a virtual machine, a container or a cloud.

use crate::facts::{Disk, Facts, Mount};
use crate::task::{Reader, shown};
use std::collections::BTreeSet;
use std::io::Read;

/// Mounts and disks in the output.
const MOST: usize = 2_000;

/// Types of file systems that hold files, besides those of devices.
const REMOTE: [&str; 10] = ["nfs", "nfs4", "cifs", "smb3", "ceph", "9p", "virtiofs", "overlay", "zfs", "fuse.sshfs"];

/// Collects what the kernel and the firmware say of the machine.
pub fn collect(facts: &mut Facts, reader: &mut Reader<'_>) {
    facts.architecture = architecture(reader);
    let processors = reader.text("processors", "proc/cpuinfo");
    let count = |text: &String| text.lines().filter(|line| line.starts_with("processor") && line.contains(':')).count();
    facts.processors =
        processors.as_ref().map(count).filter(|count| *count > 0).and_then(|count| u32::try_from(count).ok());
    facts.memory = reader.text("memory", "proc/meminfo").and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.split_ascii_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
    });
    facts.uptime = reader.text("uptime", "proc/uptime").and_then(|text| text.split(['.', ' ']).next()?.parse().ok());
    facts.mounts = reader.text("mounts", "proc/mounts").map(|text| mounts(&text));
    facts.disks = reader.names("disks", "sys/block").map(|names| disks(&names, reader));
    facts.virtualization = virtualization(processors.as_deref().unwrap_or_default(), reader);
    facts.cloud = cloud(reader);
}

/// The machine for which a program of the root was built: ELF, `e_machine`.
fn architecture(reader: &mut Reader<'_>) -> Option<String> {
    let programs = ["usr/bin/env", "bin/sh", "bin/busybox", "usr/bin/bash"];
    let machine = programs.iter().find_map(|path| {
        let mut head = [0_u8; 20];
        reader.root.open(path).ok()?.read_exact(&mut head).ok()?;
        let number = [head[18], head[19]];
        // The fifth byte says the order of the others.
        head.starts_with(b"\x7fELF")
            .then(|| if head[5] == 2 { u16::from_be_bytes(number) } else { u16::from_le_bytes(number) })
    });
    let name = match machine {
        Some(3) => "i386",
        Some(21) => "ppc64",
        Some(22) => "s390x",
        Some(40) => "arm",
        Some(62) => "x86_64",
        Some(183) => "aarch64",
        Some(243) => "riscv64",
        Some(258) => "loongarch64",
        Some(other) => {
            reader.unknown("architecture", programs[0], &format!("the machine {other} is not known"));
            return None;
        }
        None => {
            reader.unknown("architecture", programs[0], "no program was found whose machine could be read");
            return None;
        }
    };
    Some(name.to_owned())
}

fn mounts(text: &str) -> Vec<Mount> {
    let mut all: BTreeSet<Mount> = BTreeSet::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').take(4).collect();
        let [source, point, kind, options] = words[..] else { continue };
        if !source.starts_with("/dev/") && !REMOTE.contains(&kind) {
            continue;
        }
        if all.len() == MOST {
            break;
        }
        let read_only = options.split(',').any(|option| option == "ro");
        let plain = |text: &str| shown(&unescape(text), 300);
        all.insert(Mount { point: plain(point), source: plain(source), kind: shown(kind, 40), read_only });
    }
    all.into_iter().collect()
}

/// The kernel writes blanks and the like as `\040`.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let number = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok()).filter(u8::is_ascii);
        match number {
            Some(byte) => {
                plain.push(char::from(byte));
                plain.push_str(&part[3..]);
            }
            None => {
                plain.push('\\');
                plain.push_str(part);
            }
        }
    }
    plain
}

fn disks(names: &[String], reader: &Reader<'_>) -> Vec<Disk> {
    let real =
        names.iter().filter(|name| !["loop", "ram", "zram", "sr", "fd"].iter().any(|kind| name.starts_with(kind)));
    real.take(MOST)
        .map(|name| {
            // Sectors of 512 bytes, whatever those of the disk are.
            let sectors =
                reader.quiet(&format!("sys/block/{name}/size")).and_then(|text| text.trim().parse::<u64>().ok());
            Disk { name: shown(name, 100), size: sectors.and_then(|sectors| sectors.checked_mul(512)) }
        })
        .collect()
}

fn virtualization(processors: &str, reader: &Reader<'_>) -> Vec<String> {
    let mut hints = BTreeSet::new();
    if reader.root.has(".dockerenv") {
        hints.insert("docker");
    }
    if reader.root.has("run/.containerenv") {
        hints.insert("podman");
    }
    if reader.root.has("run/systemd/container") {
        hints.insert("container");
    }
    let groups = reader.quiet("proc/1/cgroup").unwrap_or_default();
    for (word, hint) in [("docker", "docker"), ("kubepods", "kubernetes"), ("/lxc", "lxc")] {
        if groups.contains(word) {
            hints.insert(hint);
        }
    }
    let [vendor, product] = ["sys_vendor", "product_name"].map(|file| firmware(file, reader));
    for (word, hint) in [
        ("QEMU", "kvm"),
        ("KVM", "kvm"),
        ("VMware", "vmware"),
        ("innotek", "virtualbox"),
        ("Xen", "xen"),
        ("Firecracker", "firecracker"),
    ] {
        if vendor.contains(word) || product.contains(word) {
            hints.insert(hint);
        }
    }
    if vendor.contains("Microsoft") && product.contains("Virtual Machine") {
        hints.insert("hyper-v");
    }
    let has_flag = processors.lines().any(|line| line.starts_with("flags") && line.contains(" hypervisor"));
    if has_flag {
        hints.insert("hypervisor");
    }
    hints.into_iter().map(str::to_owned).collect()
}

/// What the firmware says of itself. Its serial numbers are not asked for.
fn firmware(file: &str, reader: &Reader<'_>) -> String {
    reader.quiet(&format!("sys/class/dmi/id/{file}")).unwrap_or_default().trim().to_owned()
}

fn cloud(reader: &Reader<'_>) -> Option<String> {
    // cloud-init knows best where it runs.
    if let Some(id) = reader.quiet("run/cloud-init/cloud-id") {
        let id = shown(id.trim(), 40);
        if !id.is_empty() && id != "none" {
            return Some(id);
        }
    }
    let [vendor, product, tag] = ["sys_vendor", "product_name", "chassis_asset_tag"].map(|file| firmware(file, reader));
    let known = [
        (vendor.contains("Amazon EC2"), "aws"),
        (product.contains("Google Compute Engine"), "gcp"),
        // The tag by which Azure's documentation lets guests know it.
        (tag == "7783-7084-3265-9085-8269-3286-77", "azure"),
        (vendor.contains("DigitalOcean"), "digitalocean"),
        (vendor.contains("Hetzner"), "hetzner"),
        (vendor.contains("Scaleway"), "scaleway"),
        (vendor.contains("Alibaba Cloud"), "alibaba"),
        (tag == "OracleCloud.com", "oracle"),
        (vendor.contains("OpenStack") || product.contains("OpenStack"), "openstack"),
    ];
    known.iter().find(|(is, _)| *is).map(|(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::{mounts, unescape};

    #[test]
    fn mounted() {
        let text = "/dev/vda / ext4 rw,relatime 0 0\nproc /proc proc rw 0 0\nserver:/a /srv/my\\040files nfs4 ro,vers=4 0 0\nbroken\n\n";
        let found = mounts(text);
        assert_eq!(found.len(), 2);
        assert_eq!((found[1].point.as_str(), found[1].read_only), ("/srv/my files", true));
        assert_eq!(unescape("a\\134b\\9\\"), "a\\b\\9\\");
        assert_eq!(unescape("\\12é"), "\\12é");
    }
}
