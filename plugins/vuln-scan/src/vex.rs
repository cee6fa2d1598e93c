//! Statements on whether a vulnerability matters: CycloneDX (`vulnerabilities[].analysis`) and OpenVEX
//! 0.2. A statement counts only for packages that it names.

use crate::inventory::Package;
use crate::purl::{Purl, normal_name};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The largest file that is read.
pub const MAX_VEX: u64 = 16 * 1024 * 1024;

/// Statements of one file.
const MAX_STATEMENTS: usize = 100_000;

/// What is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It does not matter here.
    NotAffected,
    /// It is repaired, though the version does not say so.
    Fixed,
    /// Somebody is looking.
    UnderInvestigation,
    /// It does matter.
    Affected,
}

impl State {
    /// Whether findings are suppressed.
    pub fn suppresses(self) -> bool {
        matches!(self, State::NotAffected | State::Fixed)
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            State::NotAffected => "not affected",
            State::Fixed => "fixed",
            State::UnderInvestigation => "under investigation",
            State::Affected => "affected",
        }
    }
}

/// One statement.
#[derive(Debug, Clone)]
pub struct Statement {
    /// The names of the vulnerability.
    pub ids: Vec<String>,
    /// The packages.
    pub products: Vec<Purl>,
    /// What is said.
    pub state: State,
    /// Why.
    pub justification: Option<String>,
    /// When, as RFC 3339; empty if it is not said.
    pub time: String,
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "bomFormat", default)]
    bom_format: Option<String>,
    #[serde(rename = "@context", default)]
    context: Option<serde_json::Value>,
    #[serde(default)]
    timestamp: Option<String>,
    #[serde(default)]
    statements: Option<Vec<OpenStatement>>,
    #[serde(default)]
    components: Option<Vec<Component>>,
    #[serde(default)]
    vulnerabilities: Option<Vec<Vulnerability>>,
}

#[derive(Deserialize)]
struct OpenStatement {
    vulnerability: serde_json::Value,
    #[serde(default)]
    products: Option<Vec<Product>>,
    status: String,
    #[serde(default)]
    justification: Option<String>,
    #[serde(default)]
    impact_statement: Option<String>,
    #[serde(default)]
    timestamp: Option<String>,
}

#[derive(Deserialize)]
struct Product {
    #[serde(rename = "@id", default)]
    id: Option<String>,
    #[serde(default)]
    identifiers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    subcomponents: Option<Vec<Product>>,
}

#[derive(Deserialize)]
struct Component {
    #[serde(rename = "bom-ref", default)]
    reference: Option<String>,
    #[serde(default)]
    purl: Option<String>,
}

#[derive(Deserialize)]
struct Vulnerability {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    references: Option<Vec<Alias>>,
    #[serde(default)]
    analysis: Option<Analysis>,
    #[serde(default)]
    affects: Option<Vec<Affects>>,
    #[serde(default)]
    updated: Option<String>,
}

#[derive(Deserialize)]
struct Alias {
    #[serde(default)]
    id: Option<String>,
}

#[derive(Deserialize)]
struct Analysis {
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    justification: Option<String>,
    #[serde(default)]
    detail: Option<String>,
}

#[derive(Deserialize)]
struct Affects {
    #[serde(rename = "ref")]
    reference: String,
    #[serde(default)]
    versions: Option<Vec<AffectsVersion>>,
}

#[derive(Deserialize)]
struct AffectsVersion {
    #[serde(default)]
    version: Option<String>,
}

/// Reads a file. `references` are the bill's own names of package URLs. Answers with the statements, and with the reasons why others
/// say nothing that can be used.
///
/// # Errors
/// A reason, when it is neither format.
pub fn parse(text: &str, references: &BTreeMap<String, String>) -> Result<(Vec<Statement>, Vec<String>), String> {
    let document: Document = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let count =
        document.statements.as_ref().map_or(0, Vec::len) + document.vulnerabilities.as_ref().map_or(0, Vec::len);
    if count > MAX_STATEMENTS {
        return Err(format!("more than {MAX_STATEMENTS} statements"));
    }
    let is_open = document.context.as_ref().and_then(|it| it.as_str()).is_some_and(|it| it.contains("openvex"));
    if is_open {
        return Ok(open(document));
    }
    if document.bom_format.as_deref() == Some("CycloneDX") {
        return Ok(cyclonedx(document, references));
    }
    Err("neither CycloneDX (`bomFormat`) nor OpenVEX (`@context`)".to_owned())
}

fn open(document: Document) -> (Vec<Statement>, Vec<String>) {
    let (mut statements, mut unusable) = (Vec::new(), Vec::new());
    for statement in document.statements.unwrap_or_default() {
        let ids = names(&statement.vulnerability);
        let mut purls = Vec::new();
        for product in statement.products.into_iter().flatten() {
            // Where parts are named the statement is about them, and the product is what they are part of.
            match product.subcomponents {
                Some(parts) if !parts.is_empty() => purls.extend(parts.into_iter().flat_map(purls_of)),
                _ => purls.extend(purls_of(product)),
            }
        }
        let state = match statement.status.as_str() {
            "not_affected" => Some(State::NotAffected),
            "fixed" => Some(State::Fixed),
            "under_investigation" => Some(State::UnderInvestigation),
            "affected" => Some(State::Affected),
            _ => None,
        };
        let time = statement.timestamp.or_else(|| document.timestamp.clone()).unwrap_or_default();
        let justification = join(statement.justification, statement.impact_statement);
        add(&mut statements, &mut unusable, ids, purls, state, justification, time);
    }
    (statements, unusable)
}

fn cyclonedx(document: Document, references: &BTreeMap<String, String>) -> (Vec<Statement>, Vec<String>) {
    let own = document.components.into_iter().flatten().filter_map(|it| Some((it.reference?, it.purl?)));
    let own: BTreeMap<String, String> = own.collect();
    let (mut statements, mut unusable) = (Vec::new(), Vec::new());
    for vulnerability in document.vulnerabilities.unwrap_or_default() {
        let aliases = vulnerability.references.into_iter().flatten().filter_map(|it| it.id);
        let ids: Vec<String> = vulnerability.id.into_iter().chain(aliases).collect();
        // Without an analysis it is only a list of vulnerabilities.
        let Some(analysis) = vulnerability.analysis else { continue };
        let state = match analysis.state.as_deref() {
            Some("not_affected" | "false_positive") => Some(State::NotAffected),
            Some("resolved" | "resolved_with_pedigree") => Some(State::Fixed),
            Some("in_triage") => Some(State::UnderInvestigation),
            Some("exploitable") => Some(State::Affected),
            _ => None,
        };
        let mut purls = Vec::new();
        for affects in vulnerability.affects.into_iter().flatten() {
            // A link into another bill: `urn:cdx:serial/1#reference`.
            let link = affects.reference.strip_prefix("urn:cdx:").and_then(|link| link.split_once('#'));
            let reference = link.map_or(affects.reference.as_str(), |(_, reference)| reference);
            let purl = own.get(reference).or_else(|| references.get(reference)).map_or(reference, String::as_str);
            let Some(purl) = Purl::parse(purl) else { continue };
            match affects.versions {
                // Ranges are not read; a version that is not named is not spoken of.
                Some(versions) if !versions.is_empty() => {
                    let named = versions.into_iter().filter_map(|it| it.version);
                    purls.extend(named.map(|version| Purl { version: Some(version), ..purl.clone() }));
                }
                _ => purls.push(purl),
            }
        }
        let time = vulnerability.updated.unwrap_or_default();
        add(&mut statements, &mut unusable, ids, purls, state, join(analysis.justification, analysis.detail), time);
    }
    (statements, unusable)
}

fn add(
    statements: &mut Vec<Statement>,
    unusable: &mut Vec<String>,
    ids: Vec<String>,
    products: Vec<Purl>,
    state: Option<State>,
    justification: Option<String>,
    time: String,
) {
    let name = ids.first().cloned().unwrap_or_else(|| "a statement".to_owned());
    match state {
        _ if ids.is_empty() => unusable.push(format!("{name} names no vulnerability")),
        None => unusable.push(format!("what is said of {name} is no known state")),
        Some(_) if products.is_empty() => {
            unusable.push(format!("what is said of {name} names no package by its package URL"))
        }
        Some(state) => statements.push(Statement { ids, products, state, justification, time }),
    }
}

fn join(short: Option<String>, long: Option<String>) -> Option<String> {
    match (short, long) {
        (Some(short), Some(long)) => Some(format!("{short}: {long}")),
        (short, long) => short.or(long),
    }
}

/// A vulnerability is a text, or an object with `name` and `aliases`.
fn names(value: &serde_json::Value) -> Vec<String> {
    let aliases = value.get("aliases").and_then(|it| it.as_array()).into_iter().flatten();
    let all = [Some(value), value.get("name")].into_iter().flatten().chain(aliases);
    all.filter_map(|it| it.as_str()).map(str::to_owned).collect()
}

fn purls_of(product: Product) -> Vec<Purl> {
    let purl = product.identifiers.and_then(|mut it| it.remove("purl"));
    purl.or(product.id).as_deref().and_then(Purl::parse).into_iter().collect()
}

/// Whether a product of a statement is a package: without a version it is every one, and what it does not qualify may be anything.
pub fn is_product(product: &Purl, package: &Package) -> bool {
    let same = |left: &str, right: &str| normal_name(package.ecosystem, left) == normal_name(package.ecosystem, right);
    product.kind == package.purl.kind
        && product.namespace.eq_ignore_ascii_case(&package.purl.namespace)
        && same(&product.name, &package.purl.name)
        && product.version.as_ref().is_none_or(|version| Some(version) == package.purl.version.as_ref())
        && product.qualifiers.iter().all(|(key, value)| package.purl.qualifiers.get(key) == Some(value))
}

/// The last word on a vulnerability in a package: of the statements that fit, the latest, and of equal times the last one read.
pub fn decide<'s>(statements: &'s [Statement], ids: &[String], package: &Package) -> Option<&'s Statement> {
    let fits = |it: &&Statement| {
        it.ids.iter().any(|id| ids.contains(id)) && it.products.iter().any(|product| is_product(product, package))
    };
    statements.iter().filter(fits).max_by(|left, right| left.time.cmp(&right.time))
}
