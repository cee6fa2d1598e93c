//! The evaluator as a table: what is asked, granted and allowed, and what is left.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use orch_core::{
    Access, ArtifactAsk, Ask, Effective, EnvAsk, FsAsk, FsGrant, Grants, NamePattern, PathRule, PluginName, Policy,
    Refusal, RefusedBy, Verdict, evaluate,
};

fn plugin() -> PluginName {
    "acme/tool".parse().unwrap()
}

fn policy() -> Policy {
    Policy::built_in("/w".into(), Vec::new())
}

fn asks(mount: &str, access: Access, optional: bool) -> Ask {
    let item = FsAsk { mount: mount.parse().unwrap(), access, reason: "because".into(), optional };
    Ask { fs: vec![item], ..Ask::default() }
}

fn grants(mount: &str, path: &str, access: Access) -> Grants {
    Grants { fs: vec![FsGrant { mount: mount.parse().unwrap(), path: path.into(), access }], ..Grants::default() }
}

/// The one mount that is left: root, below, access.
#[track_caller]
fn mounted(effective: &Effective) -> (&str, &str, Access) {
    assert_eq!(effective.fs.len(), 1, "{effective:?}");
    (effective.fs[0].root.as_str(), effective.fs[0].below.as_str(), effective.fs[0].access)
}

#[track_caller]
fn refused(ask: &Ask, grants: &Grants, policy: &Policy, by: RefusedBy) -> Refusal {
    let evaluation = evaluate(&plugin(), ask, grants, policy);
    assert_eq!(evaluation.effective.fs, []);
    let refusals: Vec<_> = evaluation.refusals().cloned().collect();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    assert_eq!(refusals[0].by, by);
    refusals.into_iter().next().unwrap()
}

#[test]
fn access_is_the_least_of_what_all_three_say() {
    use Access::{Read, Write};
    for (asked, granted, allowed, left) in [
        (Read, Read, Write, Read),
        (Read, Write, Write, Read),
        (Write, Read, Write, Read),
        (Write, Write, Read, Read),
        (Write, Write, Write, Write),
    ] {
        let mut policy = policy();
        policy.plugins[0].fs.allow[0].access = allowed;
        let evaluation =
            evaluate(&plugin(), &asks("source", asked, false), &grants("source", "/w/a", granted), &policy);
        assert_eq!(mounted(&evaluation.effective), ("/w", "a", left), "{asked} {granted} {allowed}");
        assert_eq!(evaluation.decisions[0].rule, format!("fs source {left}"), "what is used is compared with this");
    }
}

#[test]
fn nobody_is_enough_alone() {
    let (ask, grant) = (asks("source", Access::Read, false), grants("source", "/w/a", Access::Read));
    let missing = refused(&ask, &Grants::default(), &policy(), RefusedBy::Workflow);
    assert!(missing.fix.unwrap().contains("fs: [{ mount: source, path: ./source, access: read }]"));
    let mut closed = policy();
    closed.plugins.clear();
    refused(&ask, &grant, &closed, RefusedBy::Policy);
    // A grant that nobody asked for reaches nothing, and is no reason to stop.
    let evaluation = evaluate(&plugin(), &Ask::default(), &grant, &policy());
    assert_eq!(evaluation.effective, Effective::default());
    assert_eq!(evaluation.refusals().count(), 0);
    assert!(matches!(&evaluation.decisions[0].verdict, Verdict::LeftOut(refusal) if refusal.by == RefusedBy::Plugin));
}

#[test]
fn an_optional_ask_may_stay_unanswered_but_not_be_refused_by_the_policy() {
    let ask = asks("source", Access::Read, true);
    let evaluation = evaluate(&plugin(), &ask, &Grants::default(), &policy());
    assert!(matches!(evaluation.decisions[0].verdict, Verdict::LeftOut(_)));
    refused(&ask, &grants("source", "/etc", Access::Read), &policy(), RefusedBy::Policy);
}

#[test]
fn a_folder_beside_an_allowed_one_is_not_inside() {
    let ask = asks("source", Access::Read, false);
    for outside in ["/", "/work", "/w2", "/etc", "/wx/a"] {
        refused(&ask, &grants("source", outside, Access::Read), &policy(), RefusedBy::Policy);
    }
    for inside in ["/w", "/w/a/b"] {
        let evaluation = evaluate(&plugin(), &ask, &grants("source", inside, Access::Read), &policy());
        assert_eq!(mounted(&evaluation.effective).0, "/w");
    }
}

#[test]
fn deny_beats_allow_above_and_below() {
    let ask = asks("source", Access::Read, false);
    let mut policy = policy();
    policy.plugins[0].fs.deny = vec!["/w/secret".into()];
    for path in ["/w/secret", "/w/secret/deep", "/w"] {
        // Mounting `/w` would show `/w/secret` too.
        let refusal = refused(&ask, &grants("source", path, Access::Read), &policy, RefusedBy::Policy);
        assert!(refusal.reason.contains("/w/secret"));
    }
    evaluate(&plugin(), &ask, &grants("source", "/w/open", Access::Read), &policy).effective.fs.pop().unwrap();
}

#[test]
fn the_first_block_that_fits_applies_alone() {
    let mut policy = policy();
    let mut strict = policy.plugins[0].clone();
    strict.plugins = NamePattern("acme/*".into());
    strict.fs.allow = vec![PathRule { path: "/w/acme".into(), access: Access::Read }];
    policy.plugins.insert(0, strict);
    let ask = asks("source", Access::Write, false);
    refused(&ask, &grants("source", "/w/other", Access::Write), &policy, RefusedBy::Policy);
    let evaluation = evaluate(&plugin(), &ask, &grants("source", "/w/acme", Access::Write), &policy);
    assert_eq!(mounted(&evaluation.effective), ("/w/acme", "", Access::Read));
}

#[test]
fn variables_and_artifacts_follow_the_same_rule() {
    let ask = Ask {
        env: vec![EnvAsk { name: "TOKEN".parse().unwrap(), reason: String::new(), optional: false }],
        artifacts: vec![ArtifactAsk { name: "a.json".parse().unwrap(), reason: String::new(), optional: false }],
        ..Ask::default()
    };
    let grant =
        Grants { env: vec!["TOKEN".parse().unwrap()], artifacts: vec!["a.json".parse().unwrap()], ..Grants::default() };
    let all = evaluate(&plugin(), &ask, &grant, &policy());
    assert_eq!((all.effective.env.len(), all.effective.artifacts.len()), (1, 1));

    let none = evaluate(&plugin(), &ask, &Grants::default(), &policy());
    assert_eq!((none.effective.env.len(), none.effective.artifacts.len(), none.refusals().count()), (0, 0, 2));

    let unasked = evaluate(&plugin(), &Ask::default(), &grant, &policy());
    assert_eq!((unasked.effective.env.len(), unasked.effective.artifacts.len()), (0, 0));

    let mut strict = policy();
    strict.plugins[0].env_deny = vec![NamePattern("TOK*".into())];
    strict.plugins[0].artifacts = false;
    let denied = evaluate(&plugin(), &ask, &grant, &strict);
    assert_eq!((denied.effective.env.len(), denied.effective.artifacts.len(), denied.refusals().count()), (0, 0, 2));
    assert!(denied.refusals().all(|refusal| refusal.by == RefusedBy::Policy));
}

#[test]
fn what_an_update_asks_in_addition_is_listed() {
    let before = asks("source", Access::Read, false);
    assert_eq!(before.more_than(&before), Vec::<String>::new());
    assert_eq!(asks("source", Access::Write, false).more_than(&before), ["fs source write"]);
    assert_eq!(
        asks("source", Access::Read, false).more_than(&asks("source", Access::Write, false)),
        Vec::<String>::new()
    );
    assert_eq!(asks("other", Access::Read, true).more_than(&before), ["fs other read (optional)"]);
}

#[test]
fn rewording_a_reason_is_no_new_permission() {
    let mut reworded = asks("source", Access::Read, false);
    reworded.fs[0].reason = "for another reason".into();
    assert_eq!(reworded.without_reasons(), asks("source", Access::Read, false).without_reasons());
}
