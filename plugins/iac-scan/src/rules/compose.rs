//! Rules for Compose files.

use crate::node::Node;
use crate::read::image::{Pin, pin};
use crate::read::secret::{is_literal, is_secret_name};
use crate::rule::{Hits, Rule, rule};
use crate::rules::cwe;
use crate::rules::kubernetes::is_engine_socket;
use orch_sdk::Severity::{Critical, High, Low, Medium};

/// A Compose file.
#[derive(Debug)]
pub struct Compose(Node);

impl Compose {
    /// Takes the documents of a file; nothing if it has no services.
    pub fn new(documents: Vec<Node>) -> Option<Compose> {
        documents.into_iter().find(|document| document.get("services").is_some()).map(Compose)
    }

    /// The services with their names. One that only extends another or is a part of an override is looked at for what it says.
    fn services(&self) -> impl Iterator<Item = (&str, &Node, u32)> {
        let entries = self.0.get("services").map_or(&[][..], Node::entries);
        entries.iter().map(|(key, node)| (key.text.as_str(), node, key.line))
    }
}

fn each_service(file: &Compose, hits: &mut Hits, check: impl Fn(&Node) -> Option<&Node>) {
    for (name, service, _) in file.services() {
        if let Some(found) = check(service) {
            hits.add(found.line, name);
        }
    }
}

fn equals<'a>(service: &'a Node, key: &str, value: &str) -> Option<&'a Node> {
    service.get(key).filter(|it| it.text() == Some(value))
}

/// The sources of a service's volumes, in the short and the long form.
fn sources(service: &Node) -> impl Iterator<Item = (&str, u32)> {
    service.items_at("volumes").iter().filter_map(|volume| {
        let source = match volume.text() {
            Some(text) => text.split_once(':')?.0,
            None => volume.text_at("source"),
        };
        Some((source, volume.line))
    })
}

const SERVICES: &str = "https://docs.docker.com/reference/compose-file/services/";
const SECRETS: &str = "https://docs.docker.com/compose/how-tos/use-secrets/";

/// The table.
pub static RULES: &[Rule<Compose>] = &[
    rule(
        ("compose/privileged", Critical),
        "a service is privileged",
        "It has every device and capability of the host: whoever is in it owns the host.",
        "Remove `privileged`; add the one capability or device that is needed.",
        &[cwe!(250), SERVICES],
        |file, hits| each_service(file, hits, |it| it.get("privileged").filter(|it| it.is_true())),
    ),
    rule(
        ("compose/host-network", High),
        "a service uses the network of the host",
        "It reaches what listens on the host only, and every port it opens is one of the host.",
        "Remove `network_mode: host` and publish the ports that are needed.",
        &[cwe!(668), SERVICES],
        |file, hits| each_service(file, hits, |it| equals(it, "network_mode", "host")),
    ),
    rule(
        ("compose/host-namespace", High),
        "a service shares processes or memory with the host",
        "It can read the environment of the host's processes and signal them.",
        "Remove `pid: host` and `ipc: host`.",
        &[cwe!(668), SERVICES],
        |file, hits| {
            let keys = ["pid", "ipc", "userns_mode", "uts", "cgroup"];
            each_service(file, hits, |it| keys.iter().find_map(|key| equals(it, key, "host")));
        },
    ),
    rule(
        ("compose/docker-socket", Critical),
        "a service has the socket of the container engine",
        "Whoever can talk to it starts a privileged container, and so owns the host.",
        "Leave the socket out, or put a proxy in front that allows the few requests that are needed.",
        &[cwe!(250), SERVICES],
        |file, hits| {
            for (name, service, _) in file.services() {
                for (_, line) in sources(service).filter(|(source, _)| is_engine_socket(source)) {
                    hits.add(line, name);
                }
            }
        },
    ),
    rule(
        ("compose/host-path", High),
        "a service mounts a folder of the host's system",
        "It reads or changes what the host itself runs on.",
        "Mount a folder of the project, or a volume.",
        &[cwe!(668), SERVICES],
        |file, hits| {
            for (name, service, _) in file.services() {
                for (source, line) in sources(service) {
                    let top = source.strip_prefix('/').map(|rest| rest.split('/').next().unwrap_or_default());
                    let is_system = top.is_some_and(|top| {
                        matches!(top, "" | "boot" | "dev" | "etc" | "lib" | "proc" | "root" | "sys" | "usr")
                    });
                    // The time zone is what half of all files mount.
                    if is_system && !matches!(source, "/etc/localtime" | "/etc/timezone") {
                        hits.add(line, format!("{name} {source}"));
                    }
                }
            }
        },
    ),
    rule(
        ("compose/database-port", Medium),
        "the port of a database is published on every address of the host",
        "The engine's rules come before those of most firewalls: it is open to the network.",
        "Leave the port to the services' own network, or publish it on 127.0.0.1.",
        &[cwe!(668), SERVICES],
        |file, hits| {
            for (name, service, _) in file.services() {
                for port in service.items_at("ports") {
                    let (address, target) = match port.text() {
                        Some(text) => published(text),
                        None if port.get("published").is_none() => continue,
                        None => (port.text_at("host_ip"), port.text_at("target")),
                    };
                    if matches!(address, "" | "0.0.0.0" | "::" | "[::]") && DATABASES.contains(&target) {
                        hits.add(port.line, format!("{name} {target}"));
                    }
                }
            }
        },
    ),
    rule(
        ("compose/capabilities-added", High),
        "a service gets capabilities of root",
        "Many of them are enough to leave the container.",
        "Remove `cap_add`, and add `cap_drop: [ALL]`.",
        &[cwe!(250), SERVICES],
        |file, hits| {
            each_service(file, hits, |it| {
                it.items_at("cap_add").iter().find(|it| !matches!(it.text(), Some("NET_BIND_SERVICE")))
            });
        },
    ),
    rule(
        ("compose/unconfined", Medium),
        "a service turns off the engine's protection",
        "Without seccomp, AppArmor or labels more of the kernel is in reach.",
        "Remove it from `security_opt`, or give a profile of your own.",
        &[cwe!(693), SERVICES],
        |file, hits| {
            let is_off = |it: &&Node| {
                it.text().is_some_and(|text| text.ends_with("unconfined") || text.replace('=', ":") == "label:disable")
            };
            each_service(file, hits, |it| it.items_at("security_opt").iter().find(is_off));
        },
    ),
    rule(
        ("compose/privilege-escalation", Low),
        "a process of a service may get more privileges than its parent",
        "A setuid program in the image is a way to root.",
        "Add `security_opt: [no-new-privileges:true]`.",
        &[cwe!(250), SERVICES],
        |file, hits| {
            for (name, service, line) in file.services() {
                let is_set = |it: &Node| {
                    it.text().is_some_and(|text| text.starts_with("no-new-privileges") && !text.ends_with("false"))
                };
                if !service.items_at("security_opt").iter().any(is_set)
                    && service.get("image").or(service.get("build")).is_some()
                {
                    hits.add(line, name);
                }
            }
        },
    ),
    rule(
        ("compose/secret-in-environment", High),
        "a secret is written into a service's environment",
        "It stands in the repository, and in what the engine tells about the container.",
        "Use `secrets`, or a variable that the file takes from outside.",
        &[cwe!(798), SECRETS],
        |file, hits| {
            for (name, service, _) in file.services() {
                let Some(environment) = service.get("environment") else { continue };
                let listed = environment.items().iter().filter_map(|it| Some((it.text()?.split_once('=')?, it.line)));
                let mapped = environment
                    .entries()
                    .iter()
                    .filter_map(|(key, it)| Some(((key.text.as_str(), it.text()?), key.line)));
                for ((key, _), line) in
                    listed.chain(mapped).filter(|((key, value), _)| is_secret_name(key) && is_literal(value))
                {
                    hits.add(line, format!("{name} {key}"));
                }
            }
        },
    ),
    rule(
        ("compose/no-limits", Low),
        "a service has no limit of memory",
        "One that leaks takes the memory of everything else on the host.",
        "Set `mem_limit`, or `deploy.resources.limits.memory`.",
        &[cwe!(770), "https://docs.docker.com/reference/compose-file/deploy/"],
        |file, hits| {
            for (name, service, line) in file.services() {
                let has = ["mem_limit", "deploy.resources.limits.memory"].iter().any(|path| service.at(path).is_some());
                if !has && service.get("image").or(service.get("build")).is_some() {
                    hits.add(line, name);
                }
            }
        },
    ),
    rule(
        ("compose/image-latest", Medium),
        "an image has the tag `latest` or none",
        "A new start may bring another program, and nobody can say which one runs.",
        "Name a version and, better, a digest.",
        &[cwe!(1357), SERVICES],
        |file, hits| {
            for (name, service, _) in file.services() {
                // With `build` it is the name of what is built.
                let image = service.get("image").filter(|_| service.get("build").is_none());
                if let Some(image) = image.filter(|image| image.text().is_some_and(|text| pin(text) == Pin::Latest)) {
                    hits.add(image.line, name);
                }
            }
        },
    ),
    rule(
        ("compose/user-root", Medium),
        "a service runs as root",
        "A process that breaks out of its container, or writes to a mounted folder, does so as root.",
        "Set `user` to a number other than 0, or leave it to the image.",
        &[cwe!(250), SERVICES],
        |file, hits| {
            let is_root = |it: &&Node| it.text().is_some_and(|it| matches!(it.split(':').next(), Some("root" | "0")));
            each_service(file, hits, |it| it.get("user").filter(is_root));
        },
    ),
];

/// Ports of databases, caches and queues that ask for no password, or a weak one, unless somebody sets it up.
const DATABASES: &[&str] = &[
    "1433", "1521", "2379", "3306", "5432", "5672", "5984", "6379", "8086", "9042", "9092", "9200", "11211", "15672",
    "26257", "27017",
];

/// The host's address and the container's port of `[address:][port:]port[/protocol]`. A port alone is published too, on a port that
/// the engine chooses.
fn published(text: &str) -> (&str, &str) {
    let text = text.split('/').next().unwrap_or(text);
    let (before, target) = text.rsplit_once(':').unwrap_or(("", text));
    match before.rsplit_once(':') {
        Some((address, _)) => (address, target),
        // Without a port of the host there is only an address if it looks like one.
        None if before.contains('.') => (before, target),
        None => ("", target),
    }
}
