//! Approvals: forms, references to them, and what the plan says.

use crate::support::{World, check};
use orch_workflow::{PlannedApproval, PlannedKind};

#[track_caller]
fn planned(keys: &str) -> PlannedApproval {
    let plan = World::new().planned(&format!("tasks: {{ a: {{ approval: {{ {keys} }} }} }}"));
    match &plan.tasks()[0].kind {
        PlannedKind::Approval(approval) => approval.as_ref().clone(),
        _ => panic!(),
    }
}

#[test]
fn what_an_approval_says() {
    let plain = planned("prompt: Ship it?");
    assert_eq!((plain.required, plain.exclude_requester, plain.expires), (1, false, None));
    assert!(plain.users.is_empty() && plain.groups.is_empty());
    let whole = planned(
        "prompt: 'Ship ${{ run.id }}?', approvers: { users: [ann, bob], groups: [release] }, required: 3, \
         exclude-requester: true, expires: 24h",
    );
    assert_eq!((whole.required, whole.exclude_requester, whole.expires.unwrap().to_string()), (3, true, "1d".into()));
    assert_eq!((whole.users, whole.groups), (vec!["ann".into(), "bob".into()], vec!["release".into()]));
}

#[test]
fn forms() {
    let case =
        |keys: &str, expected: &[&str]| check(&format!("tasks: {{ a: {{ approval: {{ {keys} }} }} }}"), expected);
    case("required: 1", &["3:27 OW0105 an approval needs the key `prompt`"]);
    case("prompt: ' '", &["3:35 OW0104 `prompt` is empty"]);
    case("prompt: [a]", &["3:35 OW0104 `prompt` is text, not a list"]);
    case("prompt: '${{ tasks.b.outcome }}'", &["3:40 OW0111 there is no task `b` (known: `a`)"]);
    case("prompt: '${{ item }}'", &["3:40 OW0111 `item` is not known in `prompt` (known: `inputs`, `tasks`, `run`)"]);
    case("prompt: x, required: 0", &["3:48 OW0104 `required` is a whole number from 1 to 100, not `0`"]);
    case("prompt: x, required: 101", &["3:48 OW0104 `required` is a whole number from 1 to 100, not `101`"]);
    case(
        "prompt: x, approvers: { users: [a, b] }, required: 3",
        &["3:78 OW0112 3 people have to agree, and only 2 may"],
    );
    case("prompt: x, approvers: { users: [a], groups: [g] }, required: 3", &[]);
    case(
        "prompt: x, approvers: {}",
        &[
            "3:49 OW0105 `approvers` names nobody (name `users` or `groups`, or leave `approvers` out if anybody may answer)",
        ],
    );
    case("prompt: x, approvers: { groups: [] }", &["3:59 OW0104 `groups` is empty"]);
    case(
        "prompt: x, approvers: { users: [a, a, '', '${{ x }}', \"b\\u202ec\"] }",
        &[
            "3:62 OW0112 `a` stands twice in `users`",
            "3:65 OW0109 `` is no name in `users`: it is empty",
            "3:69 OW0109 `${{ x }}` is no name in `users`: it holds an expression",
            "3:81 OW0109 `b\\u{202e}c` is no name in `users`: it holds characters that cannot be seen",
        ],
    );
    case("prompt: x, expires: 0s", &["3:47 OW0104 an approval that may not wait is rejected at once"]);
    case(
        "prompt: x, exclude-requester: 1",
        &["3:57 OW0104 `exclude-requester` is a boolean, not an integer (known: `true`, `false`)"],
    );
    case(
        "prompt: x, approver: a",
        &[
            "3:38 OW0103 an approval has no key `approver` (did you mean `approvers`? known: `prompt`, `approvers`, `required`, \
           `exclude-requester`, `expires`)",
        ],
    );
}

#[test]
fn people_give_no_outputs() {
    check(
        "tasks: { a: { approval: { prompt: x } }, b: { uses: o/a@1, needs: a, with: { x: '${{ tasks.a.outputs.by }}' } } }",
        &["3:86 OW0111 the approval `a` has no outputs (people decide; ask for `tasks['a'].outcome`)"],
    );
    check(
        "tasks: { a: { approval: { prompt: x } }, b: { uses: o/a@1, needs: a, if: tasks.a.outcome == 'rejected' } }",
        &[],
    );
    let text = "defaults: { continue-on-error: true }\ntasks: { a: { approval: { prompt: x } }, b: { approval: { prompt: x }, continue-on-error: true } }";
    let plan = World::new().planned(text);
    assert_eq!(plan.tasks().iter().map(|task| task.continue_on_error).collect::<Vec<_>>(), [false, true]);
}
