//! The shape of a file of waivers.

use schemars::JsonSchema;

/// Findings that somebody answers for, until a day.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct WaiversFile {
    /// The version of this format.
    schema: WaiversVersion,
    /// One for each exception.
    #[schemars(length(max = 10000))]
    waivers: Vec<Waiver>,
}

#[derive(JsonSchema)]
enum WaiversVersion {
    #[schemars(rename = "orch-waivers/v1")]
    V1,
}

/// An exception.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["fingerprint"] }, { "required": ["rule"] }]))]
pub(super) struct Waiver {
    /// Covers the one problem with this fingerprint.
    fingerprint: Option<String>,
    /// Covers every problem of this rule.
    rule: Option<String>,
    /// Of that rule only what is at or below this path.
    path: Option<String>,
    /// Who answers for it.
    owner: String,
    /// Why.
    reason: String,
    /// The last day on which it holds, `YYYY-MM-DD`.
    #[schemars(regex(pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))]
    expires: String,
}
