//! Connections. Patterns of hosts and paths have no exact intersection that people could read, so all three lists are kept, and each
//! request is tested against each.

use super::evaluate::{Item, Judge, No};
use super::{Ask, Capability, Grants, RefusedBy};
use crate::net::special_address;
use crate::{NetRule, Wanted};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What a task may connect to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EffectiveNet {
    /// What the plugin asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<NetRule>,
    /// What the workflow grants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub granted: Vec<NetRule>,
    /// What the policy allows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<NetRule>,
    /// What the policy denies, whatever it allows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub denied: Vec<NetRule>,
    /// The policy only counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub counts: bool,
}

/// A request that may be made, if the addresses of its host may be had.
#[derive(Debug, Clone, Copy)]
pub struct NetPass<'a> {
    net: &'a EffectiveNet,
    wanted: Wanted<'a>,
    /// The rules of the plugin and of the workflow that it fits, by their places.
    asked: usize,
    grant: usize,
    /// What the policy would refuse, if it did not only count.
    pub counted: Option<&'static str>,
}

/// Why a request may not be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetRefused {
    /// Who says so.
    pub by: RefusedBy,
    /// Why.
    pub reason: &'static str,
}

impl EffectiveNet {
    /// Whether nothing may be connected to.
    pub fn is_nothing(&self) -> bool {
        *self == EffectiveNet::default()
    }

    /// Whether a connection, or a request over it, may be made.
    ///
    /// # Errors
    /// Who refuses it, and why.
    pub fn decide<'a>(&'a self, wanted: Wanted<'a>) -> Result<NetPass<'a>, NetRefused> {
        let fits = |rules: &[NetRule]| rules.iter().position(|rule| rule.matches(&wanted));
        let Some(asked) = fits(&self.asked) else {
            let reason = "the plugin never asked for it";
            return Err(NetRefused { by: RefusedBy::Plugin, reason });
        };
        let Some(grant) = fits(&self.granted) else {
            let reason = "no grant of the task is about it";
            return Err(NetRefused { by: RefusedBy::Workflow, reason });
        };
        let reason = if self.denied.iter().any(|rule| rule.denies(&wanted)) {
            Some("the policy denies it")
        } else if fits(&self.allowed).is_none() {
            Some("no rule of the policy allows it")
        } else {
            None
        };
        match reason {
            Some(reason) if !self.counts => Err(NetRefused { by: RefusedBy::Policy, reason }),
            counted => Ok(NetPass { net: self, wanted, asked, grant, counted }),
        }
    }
}

impl NetPass<'_> {
    /// What counts as used: the rule that was asked for, by which decisions are listed, and the grant.
    pub fn used(&self) -> [String; 2] {
        [&self.net.asked[self.asked], &self.net.granted[self.grant]].map(|rule| format!("net {rule}"))
    }

    /// Whether the host may have this address. Special addresses have to be named by the workflow and by the policy; no policy that
    /// only counts lets a request reach one.
    ///
    /// # Errors
    /// Who refuses it, and what is special about it.
    pub fn admit(&self, address: IpAddr) -> Result<(), (RefusedBy, &'static str)> {
        let Some(what) = special_address(address) else { return Ok(()) };
        let named = |rules: &[NetRule]| rules.iter().any(|rule| rule.matches(&self.wanted) && rule.admits(address));
        if !named(&self.net.granted) {
            return Err((RefusedBy::Workflow, what));
        }
        if !named(&self.net.allowed) {
            return Err((RefusedBy::Policy, what));
        }
        Ok(())
    }
}

pub(super) fn evaluate(judge: &mut Judge<'_>, ask: &Ask, grants: &Grants) {
    let line = |rule: &NetRule| format!("{{ net: [{}] }}", yaml(rule));
    for asked in &ask.net {
        let item = Item {
            kind: Capability::Net,
            target: asked.rule.to_string(),
            reason: &asked.reason,
            optional: asked.optional,
            asked: asked.rule.to_string(),
        };
        let meeting: Vec<&NetRule> = grants.net.iter().filter(|grant| grant.overlaps(&asked.rule)).collect();
        let words: Vec<_> = meeting.iter().map(ToString::to_string).collect();
        let granted = if meeting.is_empty() { Err(line(&asked.rule)) } else { Ok(words.join(", ")) };
        let holds = judge.item(&item, granted, |judge| {
            // Each grant has to lead somewhere: one that the policy never allows is a mistake to be told before the run.
            let mut said = Vec::new();
            for grant in &meeting {
                said.push(allowed(judge, grant)?);
            }
            Ok(said.join(", "))
        });
        if holds {
            let net = &mut judge.out.effective.net;
            net.asked.push(asked.rule.clone());
            for grant in meeting {
                if !net.granted.contains(grant) {
                    net.granted.push(grant.clone());
                }
            }
        }
    }
    let unmet = |grant: &&NetRule| !ask.net.iter().any(|asked| asked.rule.overlaps(grant));
    for grant in grants.net.iter().filter(unmet) {
        judge.unasked(Capability::Net, grant.to_string(), grant.to_string(), &line(grant));
    }
    if !judge.out.effective.net.is_nothing() {
        let counts = judge.counts();
        let net = &mut judge.out.effective.net;
        net.counts = counts;
        if let Some(rules) = judge.rules {
            net.allowed.clone_from(&rules.net.allow);
            net.denied.clone_from(&rules.net.deny);
        }
    }
}

/// What the policy says of a grant before there is a request.
fn allowed(judge: &Judge<'_>, grant: &NetRule) -> Result<String, No> {
    let line = format!("net: {{ allow: [{}] }}", yaml(grant));
    let rules = judge.rules(&line)?;
    let origin = &judge.policy.origin;
    let meeting: Vec<_> = rules.net.allow.iter().filter(|rule| rule.overlaps(grant)).collect();
    if meeting.is_empty() {
        let reason = format!("{origin} allows nothing of `{grant}`");
        return Err(No { reason, fix: Some(judge.policy_fix(&line)) });
    }
    let same_or_wider = |rule: &&NetRule| {
        let rule = NetRule { scheme: rule.scheme.or(grant.scheme), ..(*rule).clone() };
        rule.host == grant.host && rule.ports.is_empty() && rule.methods.is_empty() && rule.paths.is_empty()
    };
    if let Some(rule) = rules.net.deny.iter().find(same_or_wider) {
        return Err(No { reason: format!("{origin} denies `{rule}`"), fix: None });
    }
    let covered = |range: &crate::AddressRange| {
        meeting.iter().any(|rule| rule.addresses.iter().any(|allowed| allowed.covers(range)))
    };
    let beyond = |range: &&crate::AddressRange| !covered(range);
    if let Some(range) = grant.addresses.iter().find(beyond) {
        let reason = format!("{origin} does not allow the special addresses `{range}` for `{}`", grant.host);
        return Err(No { reason, fix: Some(judge.policy_fix(&line)) });
    }
    let words: Vec<_> = meeting.iter().map(|rule| rule.to_string()).collect();
    Ok(format!("{} by {}", words.join(", "), judge.origin(Capability::Net)))
}

/// A rule as it is written in a workflow or a policy.
fn yaml(rule: &NetRule) -> String {
    fn list<T: ToString>(key: &str, items: &[T]) -> Option<String> {
        let items: Vec<_> = items.iter().map(ToString::to_string).collect();
        (!items.is_empty()).then(|| format!("{key}: [{}]", items.join(", ")))
    }
    let host = match &rule.host {
        crate::HostPattern::Exactly(crate::Host::Name(_)) => rule.host.to_string(),
        // A star or a bracket at the beginning means something else in YAML.
        _ => format!("\"{}\"", rule.host),
    };
    let parts = [
        rule.scheme.map(|scheme| format!("scheme: {scheme}")),
        Some(format!("host: {host}")),
        list("ports", &rule.ports),
        list("methods", &rule.methods),
        list("paths", &rule.paths),
        list("addresses", &rule.addresses),
    ];
    format!("{{ {} }}", parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}
