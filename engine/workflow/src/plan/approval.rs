//! Approvals: who may answer, and what the answers come to. Data in, data out.

use crate::expr::{ExprError, Template};
use crate::scope::Scope;
use orch_core::{Period, Person};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An approval of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedApproval {
    /// What people are asked.
    pub prompt: Template,
    /// Accounts that may answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// Groups whose accounts may answer. With neither users nor groups everybody may who can reach the state folder.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// How many different people have to agree.
    pub required: u32,
    /// Whether the person who started the run may not answer.
    pub exclude_requester: bool,
    /// How long it may wait; then it is rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Period>,
}

impl PlannedApproval {
    /// What people are asked, filled in.
    ///
    /// # Errors
    /// When an expression cannot be evaluated with the values of the run.
    pub fn prompt(&self, scope: &Scope<'_>) -> Result<String, ExprError> {
        Ok(match self.prompt.render(scope, None)? {
            Value::String(text) => text,
            other => other.to_string(),
        })
    }

    /// Whether a person may answer; the error says why not.
    ///
    /// # Errors
    /// When the person is not among the approvers or started the run, and that is excluded.
    pub fn may_answer(&self, person: &Person, requester: Option<&Person>) -> Result<(), String> {
        if self.exclude_requester && requester.is_none_or(|requester| requester.name == person.name) {
            return Err(format!("`{}` started the run, and whoever did that may not answer", person.name));
        }
        let anybody = self.users.is_empty() && self.groups.is_empty();
        let named = self.users.contains(&person.name);
        if anybody || named || person.groups.iter().any(|group| self.groups.contains(group)) {
            return Ok(());
        }
        let words = |kind: &str, names: &[String]| format!("{kind} {}", crate::read::list(names));
        let who = match (self.users.as_slice(), self.groups.as_slice()) {
            (users, []) => words("users", users),
            ([], groups) => words("groups", groups),
            (users, groups) => format!("{}, {}", words("users", users), words("groups", groups)),
        };
        Err(format!("`{}` is not among those who may answer ({who})", person.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(name: &str, groups: &[&str]) -> Person {
        Person { name: name.into(), groups: groups.iter().map(|group| (*group).into()).collect() }
    }

    fn approval(users: &[&str], groups: &[&str], exclude_requester: bool) -> PlannedApproval {
        PlannedApproval {
            prompt: Template::Literal("ship it?".into()),
            users: users.iter().map(|name| (*name).into()).collect(),
            groups: groups.iter().map(|name| (*name).into()).collect(),
            required: 1,
            exclude_requester,
            expires: None,
        }
    }

    #[test]
    fn who_may_answer() {
        let (ann, bob) = (person("ann", &["release"]), person("bob", &["dev"]));
        let may = |approval: &PlannedApproval, who| approval.may_answer(who, Some(&ann)).is_ok();
        assert!(may(&approval(&[], &[], false), &bob), "nobody named: everybody");
        assert!(
            may(&approval(&["bob"], &["release"], false), &bob) && may(&approval(&["bob"], &["release"], false), &ann)
        );
        assert!(!may(&approval(&[], &["release"], false), &bob) && !may(&approval(&["ann"], &[], false), &bob));
        assert!(!may(&approval(&["ann"], &["release"], true), &ann), "who started it does not approve it");
        assert!(approval(&[], &[], true).may_answer(&bob, None).is_err(), "nobody knows who started it: fail closed");
    }
}
