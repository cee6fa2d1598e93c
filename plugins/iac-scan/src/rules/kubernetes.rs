//! Rules for manifests of Kubernetes.

use crate::node::{Key, Kind, Node};
use crate::read::image::{Pin, pin};
use crate::read::secret::{is_literal, is_secret_name};
use crate::rule::{Hits, Rule, rule};
use crate::rules::cwe;
use orch_sdk::Severity::{Critical, High, Low, Medium};

/// The manifests of a file.
#[derive(Debug)]
pub struct Manifests(Vec<Node>);

/// A pod, or what pods are made from.
struct Pod<'a> {
    /// The manifest's kind and name.
    name: String,
    kind: &'a str,
    spec: &'a Node,
}

/// A container of a pod.
struct Container<'a> {
    pod: &'a Pod<'a>,
    /// The pod's name and its own.
    name: String,
    node: &'a Node,
    is_init: bool,
}

impl Manifests {
    /// Takes the documents of a file; nothing if none is a manifest. The items of a `List` stand for themselves.
    pub fn new(documents: Vec<Node>) -> Option<Manifests> {
        let mut manifests = Vec::new();
        for mut document in documents {
            if document.text_at("apiVersion").is_empty() || document.text_at("kind").is_empty() {
                continue;
            }
            if document.text_at("kind").ends_with("List")
                && let Kind::Map(entries) = &mut document.kind
                && let Some((_, Node { kind: Kind::Seq(items), .. })) =
                    entries.iter_mut().find(|(key, _)| key.text == "items")
            {
                manifests.append(items);
            } else {
                manifests.push(document);
            }
        }
        if manifests.is_empty() { None } else { Some(Manifests(manifests)) }
    }

    fn of<'a>(&'a self, kinds: &'a [&'a str]) -> impl Iterator<Item = &'a Node> {
        self.0.iter().filter(|manifest| kinds.contains(&manifest.text_at("kind")))
    }

    fn pods(&self) -> impl Iterator<Item = Pod<'_>> {
        self.0.iter().filter_map(|manifest| {
            let kind = manifest.text_at("kind");
            let path = match kind {
                "Pod" => "spec",
                "PodTemplate" => "template.spec",
                "Deployment" | "DaemonSet" | "StatefulSet" | "ReplicaSet" | "ReplicationController" | "Job" => {
                    "spec.template.spec"
                }
                "CronJob" => "spec.jobTemplate.spec.template.spec",
                _ => return None,
            };
            Some(Pod { name: name(manifest), kind, spec: manifest.at(path)? })
        })
    }
}

/// The kind and name of a manifest.
fn name(manifest: &Node) -> String {
    let name = [manifest.text_at("metadata.name"), manifest.text_at("metadata.generateName")];
    format!("{} {}", manifest.text_at("kind"), name.into_iter().find(|name| !name.is_empty()).unwrap_or("?"))
}

/// The line of a value, or of what should hold it.
fn line_of(node: &Node, path: &str) -> u32 {
    node.at(path).map_or(node.line, |it| it.line)
}

fn each_pod(manifests: &Manifests, hits: &mut Hits, check: impl Fn(&Pod) -> Option<u32>) {
    for pod in manifests.pods() {
        if let Some(line) = check(&pod) {
            hits.add(line, &pod.name);
        }
    }
}

fn each_container(manifests: &Manifests, hits: &mut Hits, check: impl Fn(&Container) -> Option<u32>) {
    for pod in manifests.pods() {
        for part in ["initContainers", "containers", "ephemeralContainers"] {
            for node in pod.spec.items_at(part) {
                let name = format!("{} container {}", pod.name, node.text_at("name"));
                let container = Container { pod: &pod, name, node, is_init: part != "containers" };
                if let Some(line) = check(&container) {
                    hits.add(line, &container.name);
                }
            }
        }
    }
}

/// A setting of a container's security context, or else of its pod's.
fn setting<'a>(container: &Container<'a>, name: &str) -> Option<&'a Node> {
    let own = container.node.at("securityContext").and_then(|it| it.get(name));
    own.or_else(|| container.pod.spec.at("securityContext").and_then(|it| it.get(name)))
}

fn pod_flag(manifests: &Manifests, hits: &mut Hits, flag: &str) {
    each_pod(manifests, hits, |pod| pod.spec.get(flag).filter(|it| it.is_true()).map(|it| it.line));
}

fn each_rbac_rule(manifests: &Manifests, hits: &mut Hits, is_bad: impl Fn(&Node) -> bool) {
    for role in manifests.of(&["Role", "ClusterRole"]) {
        for rule in role.items_at("rules").iter().filter(|rule| is_bad(rule)) {
            hits.add(rule.line, name(role));
        }
    }
}

fn holds(rule: &Node, key: &str, words: &[&str]) -> bool {
    rule.items_at(key).iter().any(|item| item.text().is_some_and(|text| words.contains(&text)))
}

const POD_SECURITY: &str = "https://kubernetes.io/docs/concepts/security/pod-security-standards/";
const SECURITY_CONTEXT: &str = "https://kubernetes.io/docs/tasks/configure-pod-container/security-context/";
const RBAC: &str = "https://kubernetes.io/docs/concepts/security/rbac-good-practices/";
const SECRETS: &str = "https://kubernetes.io/docs/concepts/security/secrets-good-practices/";
const SERVICE: &str = "https://kubernetes.io/docs/concepts/services-networking/service/";

/// The table. What a pod may do follows the levels of the Pod Security Standards.
pub static RULES: &[Rule<Manifests>] = &[
    rule(
        ("kubernetes/privileged", Critical),
        "a container is privileged",
        "It has every device and capability of its node: whoever is in it owns the node.",
        "Remove `privileged`; add the one capability or device that is needed.",
        &[cwe!(250), POD_SECURITY],
        |file, hits| {
            each_container(file, hits, |it| {
                it.node.at("securityContext.privileged").filter(|it| it.is_true()).map(|it| it.line)
            });
        },
    ),
    rule(
        ("kubernetes/host-network", High),
        "a pod uses the network of its node",
        "It reaches what listens on the node only, and no network policy applies to it.",
        "Remove `hostNetwork`.",
        &[cwe!(668), POD_SECURITY],
        |file, hits| pod_flag(file, hits, "hostNetwork"),
    ),
    rule(
        ("kubernetes/host-pid", High),
        "a pod sees the processes of its node",
        "It can read their environment and signal them.",
        "Remove `hostPID`.",
        &[cwe!(668), POD_SECURITY],
        |file, hits| pod_flag(file, hits, "hostPID"),
    ),
    rule(
        ("kubernetes/host-ipc", High),
        "a pod shares the memory of processes of its node",
        "It can read and change what they exchange.",
        "Remove `hostIPC`.",
        &[cwe!(668), POD_SECURITY],
        |file, hits| pod_flag(file, hits, "hostIPC"),
    ),
    rule(
        ("kubernetes/docker-socket", Critical),
        "a pod has the socket of its node's container engine",
        "Whoever can talk to it starts a privileged container, and so owns the node.",
        "Build and inspect by other means; leave the socket on the node.",
        &[cwe!(250), POD_SECURITY],
        |file, hits| host_paths(file, hits, is_engine_socket),
    ),
    rule(
        ("kubernetes/host-path", High),
        "a pod mounts a folder of its node",
        "It reads files of the node and of other pods, or leaves some there.",
        "Use a volume of the cluster, such as `emptyDir` or a claim.",
        &[cwe!(668), POD_SECURITY],
        |file, hits| host_paths(file, hits, |path| !is_engine_socket(path)),
    ),
    rule(
        ("kubernetes/host-port", Low),
        "a container takes a port of its node",
        "It is reached around services and most network policies.",
        "Use a Service.",
        &[cwe!(668), POD_SECURITY],
        |file, hits| {
            each_container(file, hits, |it| {
                let mut ports = it.node.items_at("ports").iter().filter_map(|port| port.get("hostPort"));
                ports.find(|port| port.text().is_some_and(|text| text != "0")).map(|port| port.line)
            });
        },
    ),
    rule(
        ("kubernetes/run-as-root", Medium),
        "a container may run as root",
        "A process that breaks out of its container does so as root.",
        "Set `runAsNonRoot: true`, for the pod or the container.",
        &[cwe!(250), POD_SECURITY, SECURITY_CONTEXT],
        |file, hits| {
            each_container(file, hits, |it| {
                let user = setting(it, "runAsUser");
                let is_root = user.is_some_and(|user| user.text() == Some("0"));
                let is_other = user.is_some() && !is_root;
                let refuses = setting(it, "runAsNonRoot").is_some_and(Node::is_true);
                (is_root || !(refuses || is_other)).then(|| user.map_or(it.node.line, |user| user.line))
            });
        },
    ),
    rule(
        ("kubernetes/privilege-escalation", Medium),
        "a process of a container may get more privileges than its parent",
        "A setuid program in the image is a way to root.",
        "Set `allowPrivilegeEscalation: false`.",
        &[cwe!(250), POD_SECURITY, SECURITY_CONTEXT],
        |file, hits| {
            let path = "securityContext.allowPrivilegeEscalation";
            each_container(file, hits, |it| (!it.node.is_false_at(path)).then(|| line_of(it.node, path)));
        },
    ),
    rule(
        ("kubernetes/capabilities-added", High),
        "a container gets capabilities of root",
        "Many of them are enough to leave the container.",
        "Remove them; `NET_BIND_SERVICE` is the only one that the restricted level allows.",
        &[cwe!(250), POD_SECURITY],
        |file, hits| {
            each_container(file, hits, |it| {
                let added = it.node.items_at("securityContext.capabilities.add");
                let mut bad =
                    added.iter().filter(|it| !matches!(it.text(), Some("NET_BIND_SERVICE" | "CAP_NET_BIND_SERVICE")));
                bad.next().map(|it| it.line)
            });
        },
    ),
    rule(
        ("kubernetes/capabilities-kept", Low),
        "a container keeps the capabilities that engines give by default",
        "Few programs need any of them.",
        "Set `capabilities: { drop: [ALL] }`.",
        &[cwe!(250), POD_SECURITY],
        |file, hits| {
            let path = "securityContext.capabilities";
            each_container(file, hits, |it| {
                let dropped = it.node.items_at("securityContext.capabilities.drop");
                let all = dropped.iter().any(|it| it.text().is_some_and(|it| it.eq_ignore_ascii_case("all")));
                (!all).then(|| line_of(it.node, path))
            });
        },
    ),
    rule(
        ("kubernetes/writable-root", Low),
        "a container may write to its root file system",
        "Whoever gets in can replace what runs and keep tools there.",
        "Set `readOnlyRootFilesystem: true` and mount an `emptyDir` where the program writes.",
        &[cwe!(732), SECURITY_CONTEXT],
        |file, hits| {
            let path = "securityContext.readOnlyRootFilesystem";
            each_container(file, hits, |it| (!it.node.is_true_at(path)).then(|| line_of(it.node, path)));
        },
    ),
    rule(
        ("kubernetes/seccomp", Low),
        "a container may call everything that its kernel has",
        "Most ways out of a container use a system call that programs seldom need.",
        "Set `seccompProfile: { type: RuntimeDefault }`, for the pod or the container.",
        &[cwe!(250), POD_SECURITY],
        |file, hits| {
            each_container(file, hits, |it| {
                let profile = setting(it, "seccompProfile");
                let kind = profile.map(|profile| profile.text_at("type")).unwrap_or_default();
                (!matches!(kind, "RuntimeDefault" | "Localhost")).then(|| profile.map_or(it.node.line, |it| it.line))
            });
        },
    ),
    rule(
        ("kubernetes/proc-mount", Medium),
        "a container sees all of /proc",
        "What engines hide there tells about the node and lets its settings be changed.",
        "Remove `procMount: Unmasked`.",
        &[cwe!(668), POD_SECURITY],
        |file, hits| {
            let path = "securityContext.procMount";
            each_container(file, hits, |it| {
                it.node.at(path).filter(|it| it.text() == Some("Unmasked")).map(|it| it.line)
            });
        },
    ),
    rule(
        ("kubernetes/sysctls", Medium),
        "a pod sets kernel parameters outside the safe set",
        "They may concern the whole node.",
        "Remove them, or let the node's administrator set them.",
        &[cwe!(250), "https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/"],
        |file, hits| {
            each_pod(file, hits, |pod| {
                let mut names = pod.spec.items_at("securityContext.sysctls").iter().filter_map(|it| it.get("name"));
                names.find(|name| name.text().is_some_and(|name| !SAFE_SYSCTLS.contains(&name))).map(|it| it.line)
            });
        },
    ),
    rule(
        ("kubernetes/no-limits", Low),
        "a container has no limit of memory",
        "One that leaks takes the memory of the others on its node.",
        "Set `resources.limits.memory`, and requests.",
        &[cwe!(770), "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/"],
        |file, hits| {
            each_container(file, hits, |it| {
                it.node.at("resources.limits.memory").is_none().then(|| line_of(it.node, "resources"))
            });
        },
    ),
    rule(
        ("kubernetes/no-probes", Low),
        "a container of a service has no probe",
        "Requests go to a program that is not ready, or that hangs.",
        "Add a `readinessProbe`, and a `livenessProbe` if a restart helps.",
        &["https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/"],
        |file, hits| {
            each_container(file, hits, |it| {
                let serves =
                    matches!(it.pod.kind, "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") && !it.is_init;
                let has = ["readinessProbe", "livenessProbe"].iter().any(|probe| it.node.get(probe).is_some());
                (serves && !has).then_some(it.node.line)
            });
        },
    ),
    rule(
        ("kubernetes/image-latest", Medium),
        "an image has the tag `latest` or none",
        "A restart may bring another program, and nobody can say which one runs.",
        "Name a version and, better, a digest.",
        &[cwe!(1357), "https://kubernetes.io/docs/concepts/containers/images/"],
        |file, hits| {
            each_container(file, hits, |it| {
                let image = it.node.get("image")?;
                (pin(image.text()?) == Pin::Latest).then_some(image.line)
            });
        },
    ),
    rule(
        ("kubernetes/secret-in-env", High),
        "a secret is written into a container's environment",
        "It stands in the repository, and everybody who may read pods can read it.",
        "Use `valueFrom: { secretKeyRef: … }`, or mount it.",
        &[cwe!(798), SECRETS],
        |file, hits| {
            each_container(file, hits, |it| {
                let is_secret = |it: &&Node| is_secret_name(it.text_at("name")) && is_literal(it.text_at("value"));
                it.node.items_at("env").iter().find(is_secret).map(|it| it.line)
            });
        },
    ),
    rule(
        ("kubernetes/secret-in-config-map", High),
        "a ConfigMap holds a secret",
        "ConfigMaps are neither encrypted at rest nor guarded as Secrets are.",
        "Put it into a Secret that is not kept in the repository.",
        &[cwe!(312), SECRETS],
        |file, hits| {
            for map in file.of(&["ConfigMap"]) {
                let entries = map.get("data").map_or(&[][..], Node::entries);
                let is_secret =
                    |(key, value): &&(Key, Node)| is_secret_name(&key.text) && value.text().is_some_and(is_literal);
                entries
                    .iter()
                    .filter(is_secret)
                    .for_each(|(key, _)| hits.add(key.line, format!("{} {}", name(map), key.text)));
            }
        },
    ),
    rule(
        ("kubernetes/secret-in-manifest", High),
        "a Secret is written out in a file",
        "Base64 hides nothing: whoever reads the file has it.",
        "Keep it in a store, or encrypt it before it gets into the repository.",
        &[cwe!(312), SECRETS],
        |file, hits| {
            for secret in file.of(&["Secret"]) {
                for part in ["data", "stringData"] {
                    let entries = secret.get(part).map_or(&[][..], Node::entries);
                    let mut written = entries.iter().filter(|(_, value)| value.text().is_some_and(is_literal));
                    written.next().into_iter().for_each(|(key, _)| hits.add(key.line, name(secret)));
                }
            }
        },
    ),
    rule(
        ("kubernetes/service-account-token", Low),
        "a pod gets a token of the cluster's API that it may not need",
        "Whoever gets into the pod can use it.",
        "Set `automountServiceAccountToken: false`, or name a service account of the pod's own.",
        &[cwe!(250), "https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/"],
        |file, hits| {
            each_pod(file, hits, |pod| {
                let is_default = matches!(pod.spec.text_at("serviceAccountName"), "" | "default");
                (is_default && !pod.spec.is_false_at("automountServiceAccountToken")).then_some(pod.spec.line)
            });
        },
    ),
    rule(
        ("kubernetes/rbac-wildcard", High),
        "a role allows everything by a `*`",
        "It also allows what is added to the cluster later.",
        "Name groups, resources and verbs.",
        &[cwe!(250), RBAC],
        |file, hits| {
            each_rbac_rule(file, hits, |rule| holds(rule, "verbs", &["*"]) || holds(rule, "resources", &["*"]));
        },
    ),
    rule(
        ("kubernetes/rbac-secrets", Medium),
        "a role may read all Secrets",
        "They hold the tokens and passwords of everything else.",
        "Name the Secrets in `resourceNames`, and leave out `list` and `watch`.",
        &[cwe!(668), RBAC],
        |file, hits| {
            each_rbac_rule(file, hits, |rule| {
                let reads = holds(rule, "verbs", &["get", "list", "watch"]);
                holds(rule, "resources", &["secrets"]) && reads && rule.items_at("resourceNames").is_empty()
            });
        },
    ),
    rule(
        ("kubernetes/rbac-escalation", High),
        "a role may give itself more rights",
        "`escalate`, `bind`, `impersonate`, or a shell in any pod lead to everything else.",
        "Leave these to the cluster's administrators.",
        &[cwe!(269), RBAC],
        |file, hits| {
            each_rbac_rule(file, hits, |rule| {
                let shell = holds(rule, "resources", &["pods/exec", "pods/attach", "nodes/proxy"])
                    && holds(rule, "verbs", &["create", "get"]);
                holds(rule, "verbs", &["escalate", "bind", "impersonate"]) || shell
            });
        },
    ),
    rule(
        ("kubernetes/cluster-admin", High),
        "somebody gets the role `cluster-admin`",
        "It allows everything in the whole cluster.",
        "Bind a role with what is needed.",
        &[cwe!(250), RBAC],
        |file, hits| {
            for binding in file.of(&["ClusterRoleBinding", "RoleBinding"]) {
                if binding.text_at("roleRef.name") == "cluster-admin" {
                    hits.add(line_of(binding, "roleRef.name"), name(binding));
                }
            }
        },
    ),
    rule(
        ("kubernetes/rbac-anonymous", Critical),
        "a role is bound to people who have not logged in",
        "Everybody who reaches the API has it.",
        "Bind it to named users, groups or service accounts.",
        &[cwe!(306), RBAC],
        |file, hits| {
            for binding in file.of(&["ClusterRoleBinding", "RoleBinding"]) {
                let names = binding.items_at("subjects").iter().filter_map(|subject| subject.get("name"));
                let anonymous =
                    names.filter(|it| matches!(it.text(), Some("system:anonymous" | "system:unauthenticated")));
                anonymous.for_each(|it| hits.add(it.line, name(binding)));
            }
        },
    ),
    rule(
        ("kubernetes/service-load-balancer", Medium),
        "a service is open to every address",
        "A load balancer without `loadBalancerSourceRanges` is reached from the whole network, often the Internet.",
        "Set `loadBalancerSourceRanges`, make it internal, or put an Ingress in front.",
        &[cwe!(668), SERVICE],
        |file, hits| {
            for service in file.of(&["Service"]).filter(|it| it.text_at("spec.type") == "LoadBalancer") {
                let annotations = service.at("metadata.annotations").map_or(&[][..], Node::entries);
                let is_internal = annotations.iter().any(|(key, value)| {
                    key.text.contains("internal") && !value.is_false()
                        || value.text() == Some("internal")
                        || value.text() == Some("Internal")
                });
                let ranges = service.items_at("spec.loadBalancerSourceRanges");
                let is_open =
                    ranges.is_empty() || ranges.iter().any(|it| matches!(it.text(), Some("0.0.0.0/0" | "::/0")));
                if is_open && !is_internal {
                    hits.add(line_of(service, "spec.type"), name(service));
                }
            }
        },
    ),
    rule(
        ("kubernetes/service-node-port", Low),
        "a service takes a port of every node",
        "It is reached around the load balancer and its rules.",
        "Use `ClusterIP` and an Ingress.",
        &[cwe!(668), SERVICE],
        |file, hits| {
            for service in file.of(&["Service"]).filter(|it| it.text_at("spec.type") == "NodePort") {
                hits.add(line_of(service, "spec.type"), name(service));
            }
        },
    ),
    rule(
        ("kubernetes/external-ips", Medium),
        "a service takes addresses outside the cluster",
        "Who may set `externalIPs` can catch traffic of others to these addresses (CVE-2020-8554).",
        "Use a load balancer.",
        &[cwe!(300), SERVICE],
        |file, hits| {
            for service in file.of(&["Service"]).filter(|it| !it.items_at("spec.externalIPs").is_empty()) {
                hits.add(line_of(service, "spec.externalIPs"), name(service));
            }
        },
    ),
    rule(
        ("kubernetes/ingress-no-tls", Medium),
        "an Ingress has no TLS",
        "Passwords and cookies cross the network readably.",
        "Add `tls` with the hosts and a certificate.",
        &[cwe!(319), "https://kubernetes.io/docs/concepts/services-networking/ingress/"],
        |file, hits| {
            for ingress in file.of(&["Ingress"]).filter(|it| it.items_at("spec.tls").is_empty()) {
                hits.add(line_of(ingress, "spec"), name(ingress));
            }
        },
    ),
    rule(
        ("kubernetes/network-policy-open", Medium),
        "a network policy allows everything",
        "An empty rule undoes the isolation that the policy looks like.",
        "Name peers and ports in the rule.",
        &[cwe!(668), "https://kubernetes.io/docs/concepts/services-networking/network-policies/"],
        |file, hits| {
            for policy in file.of(&["NetworkPolicy"]) {
                for rule in policy.items_at("spec.ingress") {
                    let is_empty = rule.entries().is_empty() && matches!(rule.kind, Kind::Map(_) | Kind::Null);
                    let from = rule.items_at("from");
                    let anybody = from.iter().any(|peer| matches!(peer.text_at("ipBlock.cidr"), "0.0.0.0/0" | "::/0"));
                    if is_empty || anybody {
                        hits.add(rule.line, name(policy));
                    }
                }
            }
        },
    ),
];

/// The safe set of the sysctl page of the documentation, as of Kubernetes 1.32.
const SAFE_SYSCTLS: &[&str] = &[
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_wmem",
];

/// Whether a path is the socket of a container engine. Compose files have the same rule.
pub(crate) fn is_engine_socket(path: &str) -> bool {
    ["docker.sock", "containerd.sock", "crio.sock", "podman.sock"].iter().any(|name| path.ends_with(name))
}

fn host_paths(manifests: &Manifests, hits: &mut Hits, is_bad: impl Fn(&str) -> bool) {
    for pod in manifests.pods() {
        let paths = pod.spec.items_at("volumes").iter().filter_map(|volume| volume.at("hostPath.path"));
        for path in paths {
            if let Some(text) = path.text().filter(|text| is_bad(text)) {
                hits.add(path.line, format!("{} {text}", pod.name));
            }
        }
    }
}
