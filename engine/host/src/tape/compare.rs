//! What differs between what was recorded and what came of a replay, place by place.

use super::recording::{RecordedOutcome, Recording};
use orch_core::{FailureKind, Finding, StoredArtifact, shorten, visible};
use serde::Serialize;
use serde_json::Value;

/// Differences that are told; a plugin that says something else everywhere is known after some of them.
const MOST_TOLD: usize = 20;

/// Characters of a value that is told.
const LONGEST: usize = 200;

/// What differs, in words.
pub(super) fn differences(
    recording: &Recording,
    outcome: &RecordedOutcome,
    findings: &[Finding],
    artifacts: &[StoredArtifact],
) -> Vec<String> {
    let mut all = Vec::new();
    let (before, now) = (&recording.outcome, outcome);
    match (before, now) {
        (RecordedOutcome::Succeeded { output: old }, RecordedOutcome::Succeeded { output: new })
        | (RecordedOutcome::Rejected { output: old }, RecordedOutcome::Rejected { output: new }) => {
            values("output", old, new, &mut all);
        }
        // Where a program traps depends on how it was built.
        (RecordedOutcome::Broke { failure: old }, RecordedOutcome::Broke { failure: new })
            if old.what == FailureKind::Trap && new.what == FailureKind::Trap => {}
        _ if before == now => {}
        _ => all.push(format!("the outcome was {}, and is {}", words(before), words(now))),
    }
    values("findings", &json(&recording.findings), &json(findings), &mut all);
    values("artifacts", &json(&recording.artifacts), &json(artifacts), &mut all);
    if all.len() > MOST_TOLD {
        let more = all.len() - MOST_TOLD;
        all.truncate(MOST_TOLD);
        all.push(format!("and {more} more"));
    }
    all
}

fn json<T: Serialize + ?Sized>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

fn words(outcome: &RecordedOutcome) -> String {
    let text = |text: &str| shorten(&visible(text), 500).into_owned();
    match outcome {
        RecordedOutcome::Succeeded { .. } => "succeeded".to_owned(),
        RecordedOutcome::Rejected { .. } => "rejected".to_owned(),
        RecordedOutcome::Skipped { reason } => format!("skipped ({})", text(reason)),
        RecordedOutcome::Broke { failure } => format!("{} ({})", failure.outcome().word(), text(&failure.message)),
    }
}

fn values(place: &str, old: &Value, new: &Value, all: &mut Vec<String>) {
    let told = |value: Option<&Value>| match value {
        None => "nothing".to_owned(),
        Some(value) => format!("`{}`", shorten(&visible(&value.to_string()), LONGEST)),
    };
    let mut differ = |place: String, old: Option<&Value>, new: Option<&Value>| match (old, new) {
        (Some(old), Some(new)) => values(&place, old, new, all),
        (old, new) => all.push(format!("{} was {}, and is {}", visible(&place), told(old), told(new))),
    };
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
            for name in names {
                differ(format!("{place}.{name}"), old.get(name), new.get(name));
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for number in 0..old.len().max(new.len()) {
                differ(format!("{place}[{number}]"), old.get(number), new.get(number));
            }
        }
        (old, new) if old == new => {}
        (old, new) => {
            all.push(format!("{} was {}, and is {}", visible(place), told(Some(old)), told(Some(new))));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(old: Value, new: Value, expected: &[&str]) {
        let mut all = Vec::new();
        values("output", &old, &new, &mut all);
        assert_eq!(all, expected);
    }

    #[test]
    fn each_place_that_differs_is_named() {
        check(json!({ "a": 1, "b": [1, 2] }), json!({ "a": 1, "b": [1, 2] }), &[]);
        check(json!({ "a": 1 }), json!({ "a": 2 }), &["output.a was `1`, and is `2`"]);
        check(
            json!({ "a": [1, { "b": "x" }] }),
            json!({ "a": [1, { "b": "y" }] }),
            &["output.a[1].b was `\"x\"`, and is `\"y\"`"],
        );
        check(json!([1]), json!([1, 2]), &["output[1] was nothing, and is `2`"]);
        check(json!({ "a": null }), json!({}), &["output.a was `null`, and is nothing"]);
        check(json!({}), json!({ "b": 1 }), &["output.b was nothing, and is `1`"]);
        check(json!(1), json!("1"), &["output was `1`, and is `\"1\"`"]);
    }
}
