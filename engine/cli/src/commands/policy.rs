//! `policy`: cases that a policy has to answer as they say.

use super::Context;
use crate::args::{Format, PolicyVerb};
use crate::failure::Failure;
use crate::places::WorkflowPlace;
use crate::{prepare, terminal};
use orch_core::{Code, Exit};
use orch_workflow::{Expected, check_policy_case};
use std::path::Path;

pub(crate) fn run(context: &Context, verb: &PolicyVerb) -> anyhow::Result<Exit> {
    let PolicyVerb::Test { cases, policy, format } = verb;
    test(context, cases, policy.as_deref(), *format)
}

fn test(context: &Context, cases: &Path, policy: Option<&Path>, format: Format) -> anyhow::Result<Exit> {
    let place = WorkflowPlace::of(cases)?;
    let policy = prepare::load_policy(policy, &place.folder)?;
    let cases = prepare::load_policy_cases(&place)?;
    if cases.is_empty() {
        return Err(Failure::new(Code::MissingKey, format!("`{}` has no cases", place.shown)).into());
    }
    let results: Vec<_> = cases.iter().map(|case| (case, check_policy_case(&policy, case))).collect();
    let failed = results.iter().filter(|(_, result)| !result.holds).count();
    if format == Format::Json {
        let cases: Vec<_> = results
            .iter()
            .map(|(case, result)| {
                serde_json::json!({
                    "name": case.name, "plugin": case.plugin, "expect": word(case.expect), "holds": result.holds, "said": result.said,
                })
            })
            .collect();
        let whole = serde_json::json!({ "policy": policy.origin, "cases": cases, "failed": failed });
        terminal::print(&format!("{whole}\n"))?;
    } else {
        let style = terminal::style(context.colour, &std::io::stdout());
        let mut text = String::new();
        for (case, result) in &results {
            let name = orch_core::visible(&case.name);
            match result.holds {
                true => text.push_str(&format!("{} {name}\n", style.green("✔"))),
                false => {
                    let expected = word(case.expect);
                    let because = case
                        .because
                        .as_ref()
                        .map_or_else(String::new, |because| format!(" because of `{}`", orch_core::visible(because)));
                    let head = style.red("✘");
                    text.push_str(&format!(
                        "{head} {name}\n    expected: {expected}{because}\n    the policy: {}\n",
                        result.said
                    ));
                }
            }
        }
        text.push_str(&format!(
            "\n{} of {} hold for {}\n",
            results.len() - failed,
            orch_core::plural(results.len(), "case"),
            policy.origin
        ));
        terminal::print(&text)?;
    }
    Ok(if failed == 0 { Exit::Succeeded } else { Exit::Failed })
}

fn word(expected: Expected) -> &'static str {
    match expected {
        Expected::Allowed => "allowed",
        Expected::Refused => "refused",
        Expected::Counted => "counted",
    }
}
