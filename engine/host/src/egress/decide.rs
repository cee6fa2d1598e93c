//! What is said about a request: that it is refused, and what would allow it; that it is only counted; that it was made.

use super::{Problem, Refused};
use crate::guest::Audit;
use orch_core::{AddressRange, Host, Method, NetPass, PathPattern, RefusedBy, Wanted};
use std::net::IpAddr;

/// Records a refusal of a request.
pub(super) fn refuse(audit: &Audit, wanted: &Wanted<'_>, refused: &Refused) -> Problem {
    audit.refuse("net", &wanted.to_string(), refused.by, &refused.reason, refused.fix.clone());
    Problem::Denied
}

/// Asks the grants. What the policy only counts is recorded and passes.
pub(crate) fn decide<'a>(
    audit: &Audit,
    net: &'a orch_core::EffectiveNet,
    wanted: Wanted<'a>,
) -> Result<NetPass<'a>, Problem> {
    let pass = net.decide(wanted).map_err(|refused| {
        let (by, reason) = (refused.by, refused.reason.to_owned());
        refuse(audit, &wanted, &Refused { by, reason, fix: fix(&wanted, by, None) })
    })?;
    if let Some(reason) = pass.counted {
        audit.count("net", &wanted.to_string(), RefusedBy::Policy, reason, fix(&wanted, RefusedBy::Policy, None));
    }
    Ok(pass)
}

/// Checks every address of a host. One that may not be had spoils them all: which of them is used is not up to whoever gave the answer.
pub(crate) fn admit(
    audit: &Audit,
    pass: &NetPass<'_>,
    wanted: &Wanted<'_>,
    addresses: &[IpAddr],
) -> Result<(), Problem> {
    for address in addresses {
        if let Err((by, what)) = pass.admit(*address) {
            let target = match wanted.host {
                Host::Address(_) => wanted.to_string(),
                Host::Name(_) => format!("{wanted} at {address}"),
            };
            let reason = format!("the address {address} is special ({what}) and nothing names it");
            audit.refuse("net", &target, by, &reason, fix(wanted, by, Some(*address)));
            return Err(Problem::Denied);
        }
    }
    Ok(())
}

/// What to write where, so that the same is allowed next time.
fn fix(wanted: &Wanted<'_>, by: RefusedBy, address: Option<IpAddr>) -> Option<String> {
    let rule = rule(wanted, address);
    match by {
        RefusedBy::Plugin => Some(format!("in plugin.yaml: permissions: {{ net: [{{ {rule}, reason: … }}] }}")),
        RefusedBy::Workflow => Some(format!(
            "add to the task: permissions: {{ net: [{{ {rule} }}] }}; the plugin and the policy must say the same"
        )),
        RefusedBy::Policy => Some(format!("in the policy: net: {{ allow: [{{ {rule} }}] }}")),
        RefusedBy::Engine => None,
    }
}

/// The narrowest rule that a request fits.
pub(crate) fn rule(wanted: &Wanted<'_>, address: Option<IpAddr>) -> String {
    let host = match wanted.host {
        // A bracket at the beginning means a list in YAML.
        Host::Address(IpAddr::V6(address)) => format!("\"[{address}]\""),
        host => host.to_string(),
    };
    let mut rule = format!("scheme: {}, host: {host}", wanted.scheme);
    if wanted.scheme.default_port() != Some(wanted.port) {
        rule.push_str(&format!(", ports: [{}]", wanted.port));
    }
    if let Some(Ok(method)) = wanted.method.map(Method::try_from) {
        rule.push_str(&format!(", methods: [{method}]"));
    }
    if let Some(Ok(path)) = wanted.path.map(PathPattern::try_from) {
        rule.push_str(&format!(", paths: [\"{}\"]", path.to_string().replace('"', "\\\"")));
    }
    if let (Some(address), Host::Name(_)) = (address, wanted.host) {
        rule.push_str(&format!(", addresses: [\"{}\"]", AddressRange::only(address)));
    }
    rule
}
