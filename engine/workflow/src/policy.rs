//! The policy file: what the host's owner allows.

use crate::read::{Fields, Keys, Reader, shown};
use crate::rules;
use crate::workflow::{ACCESSES, limits};
use crate::yaml::{self, Node};
use camino::{Utf8Path, Utf8PathBuf};
use orch_core::{
    Capability, Code, Diagnostic, Mode, NamePattern, NetRule, PathRule, PluginRules, Policy, ProgramRule, SignerId,
    Source, TrustRule,
};

/// The version of this format.
pub(crate) const SCHEMA: &str = "orch-policy/v1";

pub(crate) const FILE: Keys = Keys {
    of: "a policy",
    known: &[
        "schema",
        "mode",
        "trust",
        "unsigned-files",
        "banned",
        "revoked-keys",
        "sbom-required",
        "network",
        "limits",
        "plugins",
    ],
    later: &["registries", "approvals"],
};
pub(crate) const TRUST: Keys =
    Keys { of: "a trust rule", known: &["plugins", "signers", "at-least", "fresh-within"], later: &["expires"] };
pub(crate) const BLOCK: Keys = Keys {
    of: "a plugin block",
    known: &["plugins", "mode", "fs", "net", "env", "secrets", "exec", "kv", "artifacts", "clock", "random", "limits"],
    later: &["idempotent", "approval"],
};
pub(crate) const NETWORK: Keys =
    Keys { of: "`network`", known: &["name-servers", "roots", "platform-roots"], later: &["proxy"] };
pub(crate) const NET: Keys = Keys { of: "`net`", known: &["allow", "deny"], later: &[] };
pub(crate) const SECRETS: Keys = Keys { of: "`secrets`", known: &["allow", "deny", "reveal"], later: &[] };
pub(crate) const EXEC: Keys = Keys { of: "`exec`", known: &["allow"], later: &["deny"] };
pub(crate) const PROGRAM: Keys =
    Keys { of: "an allowed program", known: &["program", "digest", "interpreter", "unconfined"], later: &["args"] };
pub(crate) const KV: Keys = Keys { of: "`kv`", known: &["quota"], later: &["buckets"] };

const MODES: &[(&str, Mode)] = &[("enforce", Mode::Enforce), ("count", Mode::Count)];
pub(crate) const FS: Keys = Keys { of: "`fs`", known: &["allow", "deny"], later: &[] };
pub(crate) const ENV: Keys = Keys { of: "`env`", known: &["allow", "deny"], later: &[] };
pub(crate) const PATH: Keys = Keys { of: "an allowed folder", known: &["path", "access"], later: &[] };

/// Reads a policy file. Relative paths in it are relative to `folder`, which is absolute.
pub fn parse_policy(source: &Source, folder: &Utf8Path) -> (Option<Policy>, Vec<Diagnostic>) {
    let (tree, found) = yaml::read(source);
    let mut reader = Reader::new(source, found);
    let mut policy = Policy {
        origin: source.name.clone(),
        mode: orch_core::Mode::Enforce,
        sbom_required: Vec::new(),
        network: orch_core::NetworkOptions::default(),
        trust: Vec::new(),
        unsigned_files: false,
        banned: Vec::new(),
        revoked_keys: Vec::new(),
        limits: orch_core::LimitsRequest::default(),
        plugins: Vec::new(),
    };
    if let Some(tree) = tree {
        read(&mut reader, &tree, folder, &mut policy);
    }
    let usable = !reader.failed();
    (usable.then_some(policy), reader.finish())
}

fn read(reader: &mut Reader<'_>, tree: &Node, folder: &Utf8Path, policy: &mut Policy) {
    let Some(fields) = reader.fields(tree, &FILE) else { return };
    reader.schema(&fields, "a policy", SCHEMA);
    if let Some(node) = fields.get("trust") {
        let items = reader.items(node, "trust");
        policy.trust = items.iter().filter_map(|item| trust(reader, item)).collect();
    }
    if let Some(node) = fields.get("unsigned-files") {
        policy.unsigned_files = reader.boolean(node, "unsigned-files").unwrap_or(false);
    }
    if let Some(node) = fields.get("mode") {
        policy.mode = reader.choice(node, "mode", MODES).unwrap_or_default();
    }
    if let Some(node) = fields.get("sbom-required") {
        policy.sbom_required = patterns(reader, node, "sbom-required");
    }
    if let Some(network) = fields.get("network").and_then(|node| reader.fields(node, &NETWORK)) {
        if let Some(node) = network.get("name-servers") {
            let items = reader.items(node, "name-servers");
            policy.network.name_servers = items.iter().filter_map(|item| name_server(reader, item)).collect();
        }
        if let Some(node) = network.get("roots") {
            let items = reader.items(node, "roots");
            policy.network.root_files = items.iter().filter_map(|item| path(reader, item, folder)).collect();
        }
        let platform = network.get("platform-roots").and_then(|node| reader.boolean(node, "platform-roots"));
        policy.network.platform_roots = platform.unwrap_or(true);
    }
    if let Some(node) = fields.get("banned") {
        let items = reader.items(node, "banned");
        policy.banned = items.iter().filter_map(|item| reader.quantity(item, "banned")).collect();
    }
    if let Some(node) = fields.get("revoked-keys") {
        policy.revoked_keys = signers(reader, node, "revoked-keys");
    }
    if let Some(node) = fields.get("limits") {
        policy.limits = limits(reader, node);
    }
    if let Some(node) = fields.get("plugins") {
        let items = reader.items(node, "plugins");
        policy.plugins = items.iter().filter_map(|item| block(reader, item, folder)).collect();
    }
}

fn trust(reader: &mut Reader<'_>, node: &Node) -> Option<TrustRule> {
    let fields = reader.fields(node, &TRUST)?;
    let plugins = reader.require(&fields, "plugins", "a trust rule").and_then(|node| pattern(reader, node, "plugins"));
    let list = reader.require(&fields, "signers", "a trust rule")?;
    let signers = signers(reader, list, "signers");
    let at_least = fields.get("at-least").and_then(|node| Some((node, reader.within(node, "at-least", 1..=100)?)));
    let different: std::collections::BTreeSet<_> = signers.iter().collect();
    if let Some((node, most)) = at_least.filter(|(_, most)| *most as usize > different.len()) {
        let message = format!("{most} of {} signers can never have signed", different.len());
        reader.error(Code::Contradiction, &node.span, message);
    }
    let at_least = at_least.map_or(1, |(_, at_least)| at_least);
    let fresh_within = fields.get("fresh-within").and_then(|node| reader.quantity(node, "fresh-within"));
    Some(TrustRule { plugins: plugins?, signers, at_least, fresh_within })
}

fn signers(reader: &mut Reader<'_>, list: &Node, key: &str) -> Vec<SignerId> {
    let mut signers = Vec::new();
    for item in reader.items(list, key) {
        let Some(text) = reader.text(item, key) else { continue };
        let Some(signer) = reader.checked_name::<SignerId>(&text, &item.span) else { continue };
        if text.len() == 16 {
            signers.push(signer);
        } else {
            let message = format!("the signer id `{signer}` has {} digits, it needs 16", text.len());
            reader.error_help(Code::InvalidName, &item.span, message, "`orch-wasm keys list` shows the ids of keys");
        }
    }
    signers
}

/// An address, with a port if it is not 53.
fn name_server(reader: &mut Reader<'_>, node: &Node) -> Option<std::net::SocketAddr> {
    let text = reader.text(node, "name-servers")?;
    let address = text.parse::<std::net::IpAddr>().map(|address| (address, 53).into());
    match text.parse().or(address) {
        Ok(address) => Some(address),
        Err(_) => {
            let message = format!("`{}` is no address of a name server", shown(&text));
            reader.error_help(Code::WrongType, &node.span, message, "write it as `10.0.0.53` or `10.0.0.53:5353`");
            None
        }
    }
}

/// `*`, `prefix*` or a whole name: a star elsewhere would be taken for a character, and a rule would silently not hold.
fn pattern(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<NamePattern> {
    let text = reader.text(node, what)?;
    let stem = text.strip_suffix('*').unwrap_or(&text);
    if text.is_empty() || stem.contains(['*', '?', '[']) {
        let message = format!("`{}` is no pattern of `{what}`", shown(&text));
        reader.error_help(
            Code::WrongType,
            &node.span,
            message,
            "write a whole name, or a beginning with `*` at its end",
        );
        return None;
    }
    Some(NamePattern(text))
}

fn patterns(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<NamePattern> {
    let items = reader.items(node, what);
    items.iter().filter_map(|item| pattern(reader, item, what)).collect()
}

fn path(reader: &mut Reader<'_>, node: &Node, folder: &Utf8Path) -> Option<Utf8PathBuf> {
    let text = reader.text(node, "path")?;
    if text.is_empty() || text.contains('\0') || text.contains(['*', '?']) {
        let message = format!("`{}` is no path of a folder", shown(&text));
        reader.error_help(
            Code::WrongType,
            &node.span,
            message,
            "a folder stands for everything below it; patterns are not supported",
        );
        return None;
    }
    Some(crate::plan::normalised(&folder.join(text)))
}

fn block(reader: &mut Reader<'_>, node: &Node, folder: &Utf8Path) -> Option<PluginRules> {
    let fields = reader.fields(node, &BLOCK)?;
    let plugins =
        reader.require(&fields, "plugins", "a plugin block").and_then(|node| pattern(reader, node, "plugins"));
    let mut rules = PluginRules::nothing(NamePattern(String::new()));
    if let Some(fs) = fields.get("fs").and_then(|node| reader.fields(node, &FS)) {
        if let Some(node) = fs.get("allow") {
            let items = reader.items(node, "allow");
            rules.fs.allow = items.iter().filter_map(|item| allowed(reader, item, folder)).collect();
        }
        if let Some(node) = fs.get("deny") {
            let items = reader.items(node, "deny");
            rules.fs.deny = items.iter().filter_map(|item| path(reader, item, folder)).collect();
        }
    }
    if let Some(env) = fields.get("env").and_then(|node| reader.fields(node, &ENV)) {
        rules.env = env.get("allow").map(|node| patterns(reader, node, "allow")).unwrap_or_default();
        rules.env_deny = env.get("deny").map(|node| patterns(reader, node, "deny")).unwrap_or_default();
    }
    if let Some(node) = fields.get("artifacts") {
        rules.artifacts = reader.boolean(node, "artifacts").unwrap_or(false);
    }
    rules.mode = fields.get("mode").and_then(|node| reader.choice(node, "mode", MODES));
    if let Some(net) = fields.get("net").and_then(|node| reader.fields(node, &NET)) {
        rules.net.allow = connections(reader, &net, "allow");
        rules.net.deny = connections(reader, &net, "deny");
    }
    if let Some(secrets) = fields.get("secrets").and_then(|node| reader.fields(node, &SECRETS)) {
        rules.secrets.allow = secrets.get("allow").map(|node| patterns(reader, node, "allow")).unwrap_or_default();
        rules.secrets.deny = secrets.get("deny").map(|node| patterns(reader, node, "deny")).unwrap_or_default();
        rules.secrets.reveal = secrets.get("reveal").and_then(|node| reader.boolean(node, "reveal")).unwrap_or(false);
    }
    if let Some(exec) = fields.get("exec").and_then(|node| reader.fields(node, &EXEC))
        && let Some(node) = exec.get("allow")
    {
        let items = reader.items(node, "allow");
        rules.exec = items.iter().filter_map(|item| program(reader, item)).collect();
    }
    if let Some(kv) = fields.get("kv").and_then(|node| reader.fields(node, &KV)) {
        rules.kv = reader.require(&kv, "quota", KV.of).and_then(|node| reader.quantity(node, "quota"));
    }
    let mut entropy = |key: &str| fields.get(key).and_then(|node| reader.choice(node, key, rules::ENTROPIES));
    (rules.clock, rules.random) = (entropy("clock"), entropy("random"));
    if let Some(node) = fields.get("limits") {
        rules.limits = limits(reader, node);
    }
    for kind in Capability::ALL {
        if let Some(node) = fields.get(kind.word()) {
            rules.lines.insert(kind, reader.source.line_and_column(node.span.start).0);
        }
    }
    rules.plugins = plugins?;
    Some(rules)
}

fn connections(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Vec<NetRule> {
    let Some(node) = fields.get(key) else { return Vec::new() };
    let mut rules = Vec::new();
    for item in reader.items(node, key) {
        let Some(fields) = reader.fields(item, &rules::NET) else { continue };
        rules.extend(rules::net_rule(reader, &fields, rules::Says::Policy));
    }
    rules
}

fn program(reader: &mut Reader<'_>, node: &Node) -> Option<ProgramRule> {
    let fields = reader.fields(node, &PROGRAM)?;
    let program = reader.require(&fields, "program", PROGRAM.of).and_then(|node| rules::program(reader, node));
    let digest = fields.get("digest").and_then(|node| reader.quantity(node, "digest"));
    let mut flag = |key: &str| fields.get(key).and_then(|node| reader.boolean(node, key)).unwrap_or(false);
    let (interpreter, unconfined) = (flag("interpreter"), flag("unconfined"));
    Some(ProgramRule { program: program?, digest, interpreter, unconfined })
}

fn allowed(reader: &mut Reader<'_>, node: &Node, folder: &Utf8Path) -> Option<PathRule> {
    let fields = reader.fields(node, &PATH)?;
    let access =
        reader.require(&fields, "access", "an allowed folder").and_then(|node| reader.choice(node, "access", ACCESSES));
    let path = reader.require(&fields, "path", "an allowed folder").and_then(|node| path(reader, node, folder));
    Some(PathRule { path: path?, access: access? })
}
