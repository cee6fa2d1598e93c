//! What manifests, workflows and policies say in the same words: connections, programs, real or fixed.

use crate::read::{Fields, Keys, Reader, shown};
use crate::yaml::{Kind, Node};
use camino::Utf8PathBuf;
use orch_core::{
    ArgTemplate, Code, Entropy, ExecGrant, Host, HostPattern, InvalidName, InvalidNet, NetRule, Scheme, SlotKind,
    SlotName, Span, is_interpreter,
};
use std::collections::BTreeMap;

pub(crate) const NET: Keys = Keys {
    of: "a connection",
    known: &["scheme", "host", "ports", "methods", "paths", "addresses"],
    later: &["headers", "query"],
};
pub(crate) const EXEC: Keys = Keys {
    of: "a granted program",
    known: &["alias", "program", "args", "slots", "cwd", "env", "digest", "read-only", "interpreter", "unconfined"],
    later: &["stdin", "timeout", "user"],
};

const SCHEMES: &[(&str, Scheme)] =
    &[("https", Scheme::Https), ("http", Scheme::Http), ("tcp", Scheme::Tcp), ("udp", Scheme::Udp)];
pub(crate) const ENTROPIES: &[(&str, Entropy)] = &[("real", Entropy::Real), ("fixed", Entropy::Fixed)];
const SLOT_KINDS: &[&str] = &["text", "int", "name", "path"];

/// Things in one list of a rule. Each request is compared with each.
const MOST_IN_A_LIST: usize = 100;
/// Arguments of a program.
const MOST_ARGS: usize = 200;

/// Who says a rule, and so what it means when it leaves something out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Says {
    /// A plugin: what it leaves out is `https` and its port, any method, any path. It knows no addresses.
    Manifest,
    /// A task: as a plugin, and `*` alone is not a host.
    Workflow,
    /// A policy: what it leaves out is everything.
    Policy,
}

/// Reads a connection. `fields` may have further keys, which the caller reads.
pub(crate) fn net_rule(reader: &mut Reader<'_>, fields: &Fields<'_>, says: Says) -> Option<NetRule> {
    let scheme = fields.get("scheme").and_then(|node| reader.choice(node, "scheme", SCHEMES));
    let host_node = reader.require(fields, "host", NET.of)?;
    let host = reader.text(host_node, "host")?;
    let host: HostPattern = checked(reader, &host, &host_node.span)?;
    let mut ports = Vec::new();
    for node in list(reader, fields, "ports") {
        ports.extend(reader.within(node, "ports", 1..=65_535).and_then(|port| u16::try_from(port).ok()));
    }
    let (methods, paths) = (texts(reader, fields, "methods"), texts(reader, fields, "paths"));
    let addresses: Vec<_> = texts(reader, fields, "addresses");
    let mut scheme = scheme;
    if says != Says::Policy {
        let named = *scheme.get_or_insert(Scheme::Https);
        if ports.is_empty() {
            match named.default_port() {
                Some(port) => ports.push(port),
                None => {
                    let message = format!("a connection by `{named}` needs `ports`");
                    reader.error(Code::MissingKey, &fields.start(), message);
                    return None;
                }
            }
        }
    }
    if says == Says::Manifest && !addresses.is_empty() {
        let (key, _) = fields.entry("addresses")?;
        let message = "which addresses a host has is nothing that a plugin knows";
        reader.error_help(
            Code::Contradiction,
            &key.span,
            message,
            "remove `addresses`: who runs the plugin grants them",
        );
        return None;
    }
    if says == Says::Workflow && host == HostPattern::Any {
        let message = "a task names the hosts that it grants";
        reader.error_help(
            Code::WrongType,
            &host_node.span,
            message,
            "write a host, or `*.example.com` for all below one",
        );
        return None;
    }
    if scheme.is_some_and(Scheme::is_raw) {
        let is_address = matches!(host, HostPattern::Exactly(Host::Address(_)) | HostPattern::Any);
        if !is_address || !methods.is_empty() || !paths.is_empty() {
            let message = "raw connections are granted by address and port, without methods and paths";
            reader.error(Code::Contradiction, &fields.start(), message);
            return None;
        }
    }
    Some(NetRule { scheme, host, ports, methods, paths, addresses })
}

/// A list of texts that are made into something of the vocabulary.
fn texts<T>(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Vec<T>
where
    T: for<'a> TryFrom<&'a str, Error = InvalidNet>,
{
    let mut all = Vec::new();
    for node in list(reader, fields, key) {
        let Some(text) = reader.text(node, key) else { continue };
        all.extend(checked(reader, &text, &node.span));
    }
    all
}

/// The items of a list that must not be empty: an empty one would stand for everything.
fn list<'n>(reader: &mut Reader<'_>, fields: &Fields<'n>, key: &str) -> &'n [Node] {
    let Some(node) = fields.get(key) else { return &[] };
    let items = reader.items(node, key);
    if items.is_empty() && matches!(node.kind, Kind::Seq(_)) {
        let message = format!("`{key}` is empty");
        reader.error_help(Code::WrongType, &node.span, message, "leave the key out if all are meant");
    }
    if items.len() > MOST_IN_A_LIST {
        let message = format!("there are {} of `{key}`, at most {MOST_IN_A_LIST} are allowed", items.len());
        reader.error(Code::TooMany, &node.span, message);
        return &[];
    }
    items
}

pub(crate) fn checked<T>(reader: &mut Reader<'_>, text: &str, span: &Span) -> Option<T>
where
    T: for<'a> TryFrom<&'a str, Error = InvalidNet>,
{
    match T::try_from(text) {
        Ok(value) => Some(value),
        Err(error) => {
            reader.error(Code::WrongType, span, error.to_string());
            None
        }
    }
}

/// An absolute path of a program, as it stands: nothing is looked up.
pub(crate) fn program(reader: &mut Reader<'_>, node: &Node) -> Option<Utf8PathBuf> {
    let text = reader.text(node, "program")?;
    let parts = text.split('/').skip(1);
    let plain = parts.clone().all(|part| !part.is_empty() && part != "." && part != "..");
    if !text.starts_with('/') || !plain || text.chars().any(char::is_control) {
        let message = format!("`{}` is no absolute path of a program", shown(&text));
        let help = "write it whole, without `.` and `..`: nothing is looked up in PATH";
        reader.error_help(Code::WrongType, &node.span, message, help);
        return None;
    }
    Some(text.into())
}

/// Reads a granted program.
pub(crate) fn exec_grant(reader: &mut Reader<'_>, node: &Node) -> Option<ExecGrant> {
    let fields = reader.fields(node, &EXEC)?;
    let alias = reader.require(&fields, "alias", EXEC.of).and_then(|node| reader.name(node, "alias"));
    let path_node = reader.require(&fields, "program", EXEC.of)?;
    let path = program(reader, path_node);
    let slots = fields.get("slots").map(|node| slots(reader, node)).unwrap_or_default();
    let args = fields.get("args").map(|node| args(reader, node, &slots)).unwrap_or_default();
    let used: Vec<&SlotName> = args.iter().flat_map(ArgTemplate::slots).collect();
    if let Some((unused, _)) = slots.iter().find(|(name, _)| !used.contains(name)) {
        let message = format!("no argument has the slot `{{{unused}}}`");
        reader.error(Code::Contradiction, &node.span, message);
    }
    let cwd = fields.get("cwd").and_then(|node| reader.name(node, "cwd"));
    let mut env = Vec::new();
    for node in list(reader, &fields, "env") {
        env.extend(reader.name(node, "env"));
    }
    let digest = fields.get("digest").and_then(|node| reader.quantity(node, "digest"));
    let mut flag = |key: &str| fields.get(key).and_then(|node| reader.boolean(node, key)).unwrap_or(false);
    let (read_only, interpreter, unconfined) = (flag("read-only"), flag("interpreter"), flag("unconfined"));
    let path = path?;
    if is_interpreter(&path) && !interpreter {
        let message =
            format!("`{path}` runs other programs or text that it is given, so granting it grants everything");
        let help = "grant a program that does only what is needed, or say `interpreter: true`";
        reader.error_help(Code::Contradiction, &path_node.span, message, help);
        return None;
    }
    if unconfined && read_only {
        let message = format!("`{path}` is `unconfined`, so nothing holds it to being `read-only`");
        let help = "leave out one of them; a dry run runs confined programs only";
        reader.error_help(Code::Contradiction, &path_node.span, message, help);
        return None;
    }
    Some(ExecGrant { alias: alias?, program: path, args, slots, cwd, env, digest, read_only, interpreter, unconfined })
}

fn slots(reader: &mut Reader<'_>, node: &Node) -> BTreeMap<SlotName, SlotKind> {
    let mut slots = BTreeMap::new();
    for (key, node) in reader.entries(node, "slots") {
        let name = reader.checked_name::<SlotName>(&key.text, &key.span);
        let kind = match &node.kind {
            Kind::Seq(items) => {
                let choices: Vec<String> = items.iter().filter_map(|item| reader.text(item, "slots")).collect();
                if let Some(wrong) =
                    choices.iter().find(|choice| choice.is_empty() || choice.chars().any(char::is_control))
                {
                    let message = format!("`{}` is no choice", shown(wrong));
                    reader.error(Code::WrongType, &node.span, message);
                }
                Some(SlotKind::Choice(choices))
            }
            _ => slot_kind(reader, node),
        };
        if let (Some(name), Some(kind)) = (name, kind) {
            slots.insert(name, kind);
        }
    }
    slots
}

fn slot_kind(reader: &mut Reader<'_>, node: &Node) -> Option<SlotKind> {
    let text = reader.text(node, "slots")?;
    match text.as_str() {
        "text" => Some(SlotKind::Text),
        "int" => Some(SlotKind::Int),
        "name" => Some(SlotKind::Name),
        "path" => Some(SlotKind::Path),
        other => {
            let message = format!("`{}` is no kind of slot", shown(other));
            let help = format!("{}; or a list of choices", crate::read::known(other, SLOT_KINDS));
            reader.error_help(Code::WrongType, &node.span, message, help);
            None
        }
    }
}

fn args(reader: &mut Reader<'_>, node: &Node, slots: &BTreeMap<SlotName, SlotKind>) -> Vec<ArgTemplate> {
    let items = reader.items(node, "args");
    if items.len() > MOST_ARGS {
        let message = format!("there are {} arguments, at most {MOST_ARGS} are allowed", items.len());
        reader.error(Code::TooMany, &node.span, message);
        return Vec::new();
    }
    let mut args = Vec::with_capacity(items.len());
    for node in items {
        let Some(text) = reader.text(node, "args") else { continue };
        match ArgTemplate::try_from(text) {
            Err(error) => reader.error(Code::WrongType, &node.span, error),
            Ok(arg) => {
                if let Some(unknown) = arg.slots().find(|slot| !slots.contains_key(*slot)) {
                    let message = format!("what may fill the slot `{{{unknown}}}` is not said");
                    let help = format!("add `slots: {{ {unknown}: text }}`");
                    reader.error_help(Code::MissingKey, &node.span, message, help);
                }
                args.push(arg);
            }
        }
    }
    args
}

/// A name in a list of names, each once.
pub(crate) fn distinct<T>(reader: &mut Reader<'_>, items: &[Node], what: &str) -> Vec<T>
where
    T: for<'a> TryFrom<&'a str, Error = InvalidName> + PartialEq + std::fmt::Display,
{
    let mut all: Vec<T> = Vec::new();
    for item in items {
        let Some(name) = reader.name::<T>(item, what) else { continue };
        match all.contains(&name) {
            true => reader.error(Code::Contradiction, &item.span, format!("`{name}` is there twice")),
            false => all.push(name),
        }
    }
    all
}
