//! The policy file: what the host's owner allows.

use crate::read::{Keys, Reader, shown};
use crate::workflow::{ACCESSES, limits};
use crate::yaml::{self, Node};
use camino::{Utf8Path, Utf8PathBuf};
use orch_core::{Code, Diagnostic, FsRule, NamePattern, PathRule, PluginRules, Policy, SignerId, Source, TrustRule};

/// The version of this format.
pub(crate) const SCHEMA: &str = "orch-policy/v1";

pub(crate) const FILE: Keys = Keys {
    of: "a policy",
    known: &["schema", "trust", "unsigned-files", "banned", "limits", "plugins"],
    later: &["mode", "net", "secrets", "exec", "kv", "registries", "approvals"],
};
pub(crate) const TRUST: Keys = Keys { of: "a trust rule", known: &["plugins", "signers"], later: &["expires"] };
pub(crate) const BLOCK: Keys = Keys {
    of: "a plugin block",
    known: &["plugins", "fs", "env", "artifacts"],
    later: &["net", "secrets", "exec", "kv", "clock", "random", "limits", "mode"],
};
pub(crate) const FS: Keys = Keys { of: "`fs`", known: &["allow", "deny"], later: &[] };
pub(crate) const ENV: Keys = Keys { of: "`env`", known: &["allow", "deny"], later: &[] };
pub(crate) const PATH: Keys = Keys { of: "an allowed folder", known: &["path", "access"], later: &[] };

/// Reads a policy file. Relative paths in it are relative to `folder`, which is absolute.
pub fn parse_policy(source: &Source, folder: &Utf8Path) -> (Option<Policy>, Vec<Diagnostic>) {
    let (tree, found) = yaml::read(source);
    let mut reader = Reader::new(source, found);
    let mut policy = Policy {
        origin: source.name.clone(),
        trust: Vec::new(),
        unsigned_files: false,
        banned: Vec::new(),
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
    if let Some(node) = fields.get("banned") {
        let items = reader.items(node, "banned");
        policy.banned = items.iter().filter_map(|item| reader.quantity(item, "banned")).collect();
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
    let mut signers = Vec::new();
    for item in reader.items(list, "signers") {
        let Some(text) = reader.text(item, "signers") else { continue };
        let Some(signer) = reader.checked_name::<SignerId>(&text, &item.span) else { continue };
        if text.len() == 16 {
            signers.push(signer);
        } else {
            let message = format!("the signer id `{signer}` has {} digits, it needs 16", text.len());
            reader.error_help(Code::InvalidName, &item.span, message, "`orch-wasm keys list` shows the ids of keys");
        }
    }
    Some(TrustRule { plugins: plugins?, signers })
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
    let mut rules = PluginRules {
        plugins: NamePattern(String::new()),
        fs: FsRule { allow: Vec::new(), deny: Vec::new() },
        env: Vec::new(),
        env_deny: Vec::new(),
        artifacts: false,
    };
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
    rules.plugins = plugins?;
    Some(rules)
}

fn allowed(reader: &mut Reader<'_>, node: &Node, folder: &Utf8Path) -> Option<PathRule> {
    let fields = reader.fields(node, &PATH)?;
    let access =
        reader.require(&fields, "access", "an allowed folder").and_then(|node| reader.choice(node, "access", ACCESSES));
    let path = reader.require(&fields, "path", "an allowed folder").and_then(|node| path(reader, node, folder));
    Some(PathRule { path: path?, access: access? })
}
