//! What concerns a run as a whole: concurrency groups, priority, secrets.

use crate::support::{World, check};
use orch_core::OnConflict;

const A: &str = "tasks: { a: { uses: orch/any@^1 } }";

#[test]
fn groups() {
    let text = |keys: &str| {
        format!(
            "inputs: {{ e: {{ type: string, default: staging }}, n: {{ type: integer, default: 3 }} }}\nconcurrency: {{ {keys} }}\n{A}"
        )
    };
    let plan = World::new().planned(&text("group: 'release-${{ inputs.e }}'"));
    let group = plan.concurrency().unwrap();
    assert_eq!(
        (group.group.as_str(), group.limit, group.queue, group.on_conflict),
        ("release-staging", 1, 100, OnConflict::Queue)
    );
    let plan =
        World::new().planned(&text("group: '${{ inputs.e }}', limit: 1000, queue: 0, on-conflict: cancel-running"));
    let group = plan.concurrency().unwrap();
    assert_eq!(
        (group.group.as_str(), group.limit, group.queue, group.on_conflict),
        ("staging", 1000, 0, OnConflict::CancelRunning)
    );
    assert!(World::new().planned(A).concurrency().is_none());
    let case = |keys: &str, expected: &[&str]| check(&text(keys), expected);
    case("limit: 1", &["4:16 OW0105 `concurrency` needs the key `group`"]);
    case("group: ''", &["4:23 OW0104 `group` is empty"]);
    case("group: [a]", &["4:23 OW0104 `group` is text, not a list"]);
    case("group: 12", &[]);
    case("group: '${{ tasks.a.outcome }}'", &["4:28 OW0111 `tasks` is not known in `group` (known: `inputs`)"]);
    case("group: '${{ inputs.f }}'", &["4:28 OW0111 there is no input `f` (known: `e`, `n`)"]);
    case(
        "group: a, limit: 0, queue: 1001, on-conflict: wait",
        &[
            "4:33 OW0104 `limit` is a whole number from 1 to 1000, not `0`",
            "4:43 OW0104 `queue` is a whole number from 0 to 1000, not `1001`",
            "4:62 OW0104 `wait` is not a value of `on-conflict` (known: `queue`, `cancel`, `cancel-running`)",
        ],
    );
    let long = "x".repeat(201);
    case(
        &format!("group: {long}"),
        &[&format!(
            "4:23 OW0109 `{}…` is no name of a concurrency group: it has more than 200 characters",
            "x".repeat(79)
        )],
    );
    check(
        &format!("concurrency: a\n{A}"),
        &["3:14 OW0104 `concurrency` is a mapping, not text (known: `group`, `limit`, `queue`, `on-conflict`)"],
    );
    // What inputs make of it is known with the plan.
    World::new().check(
        &text("group: '${{ inputs.n }}'"),
        &["4:23 OW0104 the name of a concurrency group is text, and this is `3`"],
    );
    World::new()
        .input("e", "")
        .check(&text("group: '${{ inputs.e }}'"), &["4:23 OW0109 `` is no name of a concurrency group: it is empty"]);
    World::new().input("e", "a\u{202e}b").check(
        &text("group: 'x${{ inputs.e }}'"),
        &["4:23 OW0109 `xa\\u{202e}b` is no name of a concurrency group: it holds characters that cannot be seen"],
    );
    World::new()
        .check(&text("group: '${{ 1 / (inputs.n - 3) }}'"), &["4:23 OW0110 `1 / (inputs.n - 3)`: division by zero"]);
}

#[test]
fn priorities() {
    assert_eq!(World::new().planned(A).priority(), 50);
    assert_eq!(World::new().planned(&format!("priority: 0\n{A}")).priority(), 0);
    assert_eq!(World::new().planned(&format!("priority: 100\n{A}")).priority(), 100);
    check(&format!("priority: 101\n{A}"), &["3:11 OW0104 `priority` is a whole number from 0 to 100, not `101`"]);
    check(&format!("priority: high\n{A}"), &["3:11 OW0104 `priority` is a whole number from 0 to 100, not text"]);
}

#[test]
fn secrets() {
    let plan = World::new().planned(&format!(
        "secrets: {{ a: {{ from: 'env:A_1' }}, b-c: {{ from: 'file:./x y' }}, c: {{ from: 'exec:pass show x' }}, d: {{ from: 'store:d' }} }}\n{A}"
    ));
    let secrets: Vec<_> = plan.secrets().iter().map(|secret| format!("{}={}", secret.name, secret.from)).collect();
    assert_eq!(secrets, ["a=env:A_1", "b-c=file:./x y", "c=exec:pass show x", "d=store:d"]);
    let case = |secret: &str, expected: &[&str]| check(&format!("secrets: {{ a: {secret} }}\n{A}"), expected);
    case("{}", &["3:15 OW0105 a secret needs the key `from`"]);
    case("env:A", &["3:15 OW0104 a secret is a mapping, not text (known: `from`)"]);
    case(
        "{ from: A }",
        &[
            "3:23 OW0104 `A` does not say where the secret comes from (write `env:NAME`, `file:PATH`, `exec:PROGRAM` or `store:NAME`)",
        ],
    );
    case(
        "{ from: 'evn:A' }",
        &[
            "3:23 OW0104 secrets do not come from `evn:` (did you mean `env:`? known: `env:`, `file:`, `exec:`, `store:`)",
        ],
    );
    case(
        "{ from: 'vault:a' }",
        &["3:23 OW0104 secrets do not come from `vault:` (known: `env:`, `file:`, `exec:`, `store:`)"],
    );
    case(
        "{ from: 'env:A-B' }",
        &[
            "3:23 OW0104 `A-B` is not a valid environment variable name: `-` at byte 1 is not allowed (a letter or `_`, then letters, digits and `_`)",
        ],
    );
    case("{ from: 'env:' }", &["3:23 OW0104 `` is not a valid environment variable name: it is empty"]);
    case(
        "{ from: 'store:a b' }",
        &[
            "3:23 OW0104 `a b` is not a valid secret name: ` ` at byte 1 is not allowed (a letter, then letters, digits, `_` and `-`)",
        ],
    );
    case("{ from: 'file:' }", &["3:23 OW0104 `file:` is followed by a path"]);
    case("{ from: \"exec:a\\nb\" }", &["3:23 OW0104 the path holds characters that cannot be seen"]);
    case("{ from: 'file:${{ inputs.a }}' }", &["3:23 OW0104 the source of a secret holds no expressions"]);
    check(
        &format!("secrets: {{ 'a b': {{ from: 'env:A' }} }}\n{A}"),
        &[
            "3:12 OW0109 `a b` is not a valid secret name: ` ` at byte 1 is not allowed (a letter, then letters, digits, `_` and `-`)",
        ],
    );
}
