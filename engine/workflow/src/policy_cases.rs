//! Cases for a policy: what it has to allow and what it has to refuse, so that a change of it can be tested before it holds.

use crate::plan::normalised;
use crate::read::{Keys, Reader, shown};
use crate::workflow::{Permissions, permissions, secret_sources};
use crate::yaml::{self, Node};
use camino::Utf8Path;
use orch_core::{
    ArtifactAsk, Ask, Code, Diagnostic, EnvAsk, ExecAsk, FsAsk, FsGrant, Grants, KvAsk, NetAsk, PluginName, Policy,
    Refusal, RefusedBy, SecretAsk, SecretGrant, SecretName, SignerId, Size, Source, Verdict, evaluate,
};

pub(crate) const SCHEMA: &str = "orch-policy-cases/v1";
const MOST_CASES: usize = 10_000;

pub(crate) const FILE: Keys = Keys { of: "a file of cases", known: &["schema", "secrets", "cases"], later: &[] };
pub(crate) const CASE: Keys = Keys {
    of: "a case",
    known: &["name", "plugin", "signers", "permissions", "expect", "because"],
    later: &["limits"],
};

/// What a policy has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// It allows all of it.
    Allowed,
    /// It refuses some of it.
    Refused,
    /// It would refuse some of it, and only counts.
    Counted,
}

const EXPECTED: &[(&str, Expected)] =
    &[("allowed", Expected::Allowed), ("refused", Expected::Refused), ("counted", Expected::Counted)];

/// One case.
#[derive(Debug, Clone)]
pub struct PolicyCase {
    /// For people.
    pub name: String,
    /// Who asks.
    pub plugin: PluginName,
    /// Who signed it; absent when the case is not about trust.
    pub signers: Option<Vec<SignerId>>,
    /// What a task grants. The plugin is taken to ask for exactly that.
    pub grants: Grants,
    /// What the policy has to say.
    pub expect: Expected,
    /// Text that the reason of a refusal has to have.
    pub because: Option<String>,
}

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseResult {
    /// Whether the policy says what it has to.
    pub holds: bool,
    /// What it says.
    pub said: String,
}

/// Reads a file of cases. Paths in it are relative to `folder`.
pub fn parse_policy_cases(source: &Source, folder: &Utf8Path) -> (Option<Vec<PolicyCase>>, Vec<Diagnostic>) {
    let (tree, found) = yaml::read(source);
    let mut reader = Reader::new(source, found);
    let mut cases = Vec::new();
    if let Some(fields) = tree.as_ref().and_then(|tree| reader.fields(tree, &FILE)) {
        reader.schema(&fields, "a file of cases", SCHEMA);
        let secrets = fields.get("secrets").map(|node| secret_sources(&mut reader, node)).unwrap_or_default();
        if let Some(node) = reader.require(&fields, "cases", "a file of cases") {
            let items = reader.items(node, "cases");
            if items.len() > MOST_CASES {
                let message = format!("there are {} cases, at most {MOST_CASES} are allowed", items.len());
                reader.error(Code::TooMany, &node.span, message);
            } else {
                cases = items.iter().filter_map(|item| case(&mut reader, item, folder, &secrets)).collect();
            }
        }
    }
    let usable = !reader.failed();
    (usable.then_some(cases), reader.finish())
}

fn case(
    reader: &mut Reader<'_>,
    node: &Node,
    folder: &Utf8Path,
    secrets: &[(SecretName, String)],
) -> Option<PolicyCase> {
    let fields = reader.fields(node, &CASE)?;
    let name = reader.require(&fields, "name", CASE.of).and_then(|node| reader.text(node, "name"));
    let plugin = reader.require(&fields, "plugin", CASE.of).and_then(|node| reader.name(node, "plugin"));
    let expect = reader.require(&fields, "expect", CASE.of).and_then(|node| reader.choice(node, "expect", EXPECTED));
    let signers = fields.get("signers").map(|node| {
        let items = reader.items(node, "signers");
        crate::rules::distinct(reader, items, "signers")
    });
    let because = fields.get("because").and_then(|node| reader.text(node, "because"));
    let written = match fields.entry("permissions") {
        Some((key, node)) => permissions(reader, key.span.clone(), node),
        None => Permissions::default(),
    };
    let grants = grants(reader, &written, folder, secrets);
    Some(PolicyCase { name: name?, plugin: plugin?, signers, grants, expect: expect?, because })
}

fn grants(
    reader: &mut Reader<'_>,
    written: &Permissions,
    folder: &Utf8Path,
    secrets: &[(SecretName, String)],
) -> Grants {
    let mut grants = Grants {
        net: written.net.iter().map(|(rule, _)| rule.clone()).collect(),
        env: written.env.iter().map(|(name, _)| name.clone()).collect(),
        exec: written.exec.iter().map(|(grant, _)| grant.clone()).collect(),
        kv: written.kv.iter().map(|(grant, _)| grant.clone()).collect(),
        artifacts: written.artifacts.iter().map(|(name, _)| name.clone()).collect(),
        clock: written.clock,
        random: written.random,
        ..Grants::default()
    };
    for entry in &written.fs {
        match entry.path.as_literal().and_then(|path| path.as_str()) {
            Some(path) => grants.fs.push(FsGrant {
                mount: entry.mount.clone(),
                path: normalised(&folder.join(path)),
                access: entry.access,
            }),
            None => reader.error(Code::InvalidExpression, &entry.path_span, "a case has no inputs to compute with"),
        }
    }
    for entry in &written.secrets {
        match secrets.iter().find(|(name, _)| *name == entry.from) {
            Some((_, source)) => grants.secrets.push(SecretGrant {
                name: entry.name.clone(),
                from: entry.from.clone(),
                source: source.clone(),
                reveal: entry.reveal,
                audience: entry.audience.clone(),
            }),
            None => {
                let message = format!("the file declares no secret `{}`", entry.from);
                reader.error(Code::UnknownReference, &entry.span, message);
            }
        }
    }
    grants
}

/// A plugin that asks for exactly what is granted.
fn ask(grants: &Grants) -> Ask {
    let (reason, optional) = (String::new(), false);
    Ask {
        fs: grants
            .fs
            .iter()
            .map(|grant| FsAsk { mount: grant.mount.clone(), access: grant.access, reason: reason.clone(), optional })
            .collect(),
        net: grants.net.iter().map(|rule| NetAsk { rule: rule.clone(), reason: reason.clone(), optional }).collect(),
        env: grants.env.iter().map(|name| EnvAsk { name: name.clone(), reason: reason.clone(), optional }).collect(),
        secrets: grants
            .secrets
            .iter()
            .map(|grant| SecretAsk {
                name: grant.name.clone(),
                audience: Vec::new(),
                header: None,
                reveal: grant.reveal,
                reason: reason.clone(),
                optional,
            })
            .collect(),
        exec: grants
            .exec
            .iter()
            .map(|grant| ExecAsk {
                alias: grant.alias.clone(),
                slots: grant.slots.keys().cloned().collect(),
                reason: reason.clone(),
                optional,
            })
            .collect(),
        kv: grants
            .kv
            .iter()
            .map(|grant| KvAsk {
                bucket: grant.bucket.clone(),
                quota: grant.quota.unwrap_or(Size::from_mib(1)),
                reason: reason.clone(),
                optional,
            })
            .collect(),
        artifacts: grants
            .artifacts
            .iter()
            .map(|name| ArtifactAsk { name: name.clone(), reason: reason.clone(), optional })
            .collect(),
        findings: None,
    }
}

/// Asks a policy.
pub fn check_policy_case(policy: &Policy, case: &PolicyCase) -> CaseResult {
    let mut refusals: Vec<Refusal> = Vec::new();
    let mut counted: Vec<Refusal> = Vec::new();
    if let Some(signers) = case.signers.as_ref().filter(|signers| !policy.trusts(&case.plugin, signers)) {
        let who: Vec<_> = signers.iter().map(|signer| signer.as_str()).collect();
        refusals.push(Refusal {
            capability: "trust".to_owned(),
            target: case.plugin.to_string(),
            by: RefusedBy::Policy,
            reason: format!(
                "no rule of {} trusts {}",
                policy.origin,
                if who.is_empty() { "nobody".to_owned() } else { who.join(", ") }
            ),
            fix: None,
            counted: false,
        });
    }
    for decision in evaluate(&case.plugin, &ask(&case.grants), &case.grants, policy).decisions {
        match decision.verdict {
            Verdict::Allowed => {}
            Verdict::Counted(refusal) => counted.push(refusal),
            Verdict::LeftOut(refusal) | Verdict::Refused(refusal) => refusals.push(refusal),
        }
    }
    let found = match (refusals.is_empty(), counted.is_empty()) {
        (true, true) => Expected::Allowed,
        (true, false) => Expected::Counted,
        (false, _) => Expected::Refused,
    };
    refusals.extend(counted);
    let said: Vec<_> = refusals.iter().map(shown_refusal).collect();
    let reason_fits =
        case.because.as_ref().is_none_or(|because| said.iter().any(|said| said.contains(because.as_str())));
    let said = if said.is_empty() { "allows all of it".to_owned() } else { said.join("; ") };
    CaseResult { holds: found == case.expect && reason_fits, said }
}

fn shown_refusal(refusal: &Refusal) -> String {
    let text = refusal.to_string();
    if text.len() > 1_000 { shown(&text) } else { orch_core::visible(&text).into_owned() }
}
