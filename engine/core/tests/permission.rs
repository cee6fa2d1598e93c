//! The evaluator as a table: what is asked, granted and allowed, and what is left.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use orch_core::{
    Access, AddressRange, ArtifactAsk, Ask, Effective, EffectiveNet, Entropy, EnvAsk, ExecGrant, FindingsAsk, FsAsk,
    FsGrant, Grants, Host, KvGrant, Mode, NamePattern, NetAsk, NetRule, PathRule, PluginName, Policy, ProgramRule,
    Refusal, RefusedBy, Scheme, SecretGrant, Size, Verdict, Wanted, evaluate, special_address,
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
fn findings_are_for_plugins_that_ask() {
    let ask = |findings| Ask { findings, ..Ask::default() };
    let asked = ask(Some(FindingsAsk { reason: "to count".to_owned(), optional: false }));
    let evaluation = evaluate(&plugin(), &asked, &Grants::default(), &policy());
    assert!(evaluation.effective.findings);
    assert_eq!(evaluation.decisions[0].rule, "findings of needs");
    assert!(!evaluate(&plugin(), &ask(None), &Grants::default(), &policy()).effective.findings);
    // To begin to ask is to ask for more.
    assert_eq!(asked.more_than(&ask(None)), ["findings of needs"]);
    assert!(asked.more_than(&asked).is_empty());
    assert_eq!(asked.without_reasons().findings.unwrap().reason, "");
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

fn rule(scheme: Scheme, host: &str) -> NetRule {
    NetRule {
        scheme: Some(scheme),
        host: host.try_into().unwrap(),
        ports: scheme.default_port().into_iter().collect(),
        methods: Vec::new(),
        paths: Vec::new(),
        addresses: Vec::new(),
    }
}

fn asks_net(rule: NetRule) -> Ask {
    Ask { net: vec![NetAsk { rule, reason: "because".into(), optional: false }], ..Ask::default() }
}

/// What becomes of a request to `https://HOST/PATH` with a method, in words.
#[track_caller]
fn requested(net: &EffectiveNet, method: &str, host: &str, path: &str) -> String {
    let host = Host::try_from(host).unwrap();
    let wanted = Wanted { scheme: Scheme::Https, host: &host, port: 443, method: Some(method), path: Some(path) };
    match net.decide(wanted) {
        Ok(pass) => pass.counted.map_or("yes".into(), |reason| format!("counted: {reason}")),
        Err(refused) => refused.by.to_string(),
    }
}

#[test]
fn a_request_has_to_fit_each_of_the_three() {
    let mut policy = policy();
    policy.plugins[0].net.allow =
        vec![NetRule { methods: vec!["GET".try_into().unwrap()], ..rule(Scheme::Https, "*") }];
    policy.plugins[0].net.deny = vec![rule(Scheme::Https, "evil.example.com")];
    let ask = asks_net(rule(Scheme::Https, "*.example.com"));
    let granted = NetRule { paths: vec!["/v1/*".try_into().unwrap()], ..rule(Scheme::Https, "*.example.com") };
    let grants = Grants { net: vec![granted], ..Grants::default() };
    let evaluation = evaluate(&plugin(), &ask, &grants, &policy);
    assert_eq!(evaluation.refusals().count(), 0);
    let net = &evaluation.effective.net;
    for (method, host, path, expected) in [
        ("GET", "api.example.com", "/v1/x", "yes"),
        ("GET", "API.example.com.", "/v1/x", "yes"),
        ("POST", "api.example.com", "/v1/x", "the policy"),
        ("GET", "evil.example.com", "/v1/x", "the policy"),
        ("GET", "api.example.com", "/v2/x", "the workflow"),
        ("GET", "api.example.com", "/v1", "the workflow"),
        ("GET", "example.com", "/v1/x", "the plugin's manifest"),
        ("GET", "a.b.example.com", "/v1/x", "the plugin's manifest"),
        ("GET", "api.example.com.evil.org", "/v1/x", "the plugin's manifest"),
        ("GET", "127.0.0.1", "/v1/x", "the plugin's manifest"),
    ] {
        assert_eq!(requested(net, method, host, path), expected, "{method} {host}{path}");
    }
    // A policy that only counts lets it happen and says so.
    policy.mode = Mode::Count;
    let counting = evaluate(&plugin(), &ask, &grants, &policy).effective.net;
    assert_eq!(requested(&counting, "POST", "api.example.com", "/v1/x"), "counted: no rule of the policy allows it");
    assert_eq!(requested(&counting, "GET", "api.example.com", "/v2/x"), "the workflow");
}

#[test]
fn special_addresses_are_named_by_task_and_policy_or_not_reached() {
    let at = |range: &str| vec![AddressRange::try_from(range).unwrap()];
    let host = Host::try_from("db.example.com").unwrap();
    let wanted = Wanted { scheme: Scheme::Https, host: &host, port: 443, method: None, path: None };
    let private = "10.1.2.3".parse().unwrap();
    for (granted, allowed, mode, expected) in [
        (vec![], vec![], Mode::Enforce, Some(RefusedBy::Workflow)),
        (at("10.1.2.0/24"), at("10.0.0.0/8"), Mode::Enforce, None),
        (vec![], at("10.0.0.0/8"), Mode::Enforce, Some(RefusedBy::Workflow)),
        // Nor does counting open them.
        (vec![], vec![], Mode::Count, Some(RefusedBy::Workflow)),
        (at("10.0.0.0/8"), vec![], Mode::Count, Some(RefusedBy::Policy)),
    ] {
        let mut policy = policy();
        policy.mode = mode;
        policy.plugins[0].net.allow = vec![NetRule { addresses: allowed, ..rule(Scheme::Https, "*") }];
        let ask = asks_net(rule(Scheme::Https, "db.example.com"));
        let grant = NetRule { addresses: granted, ..rule(Scheme::Https, "db.example.com") };
        let grants = Grants { net: vec![grant], ..Grants::default() };
        let net = evaluate(&plugin(), &ask, &grants, &policy).effective.net;
        let pass = net.decide(wanted).unwrap();
        assert_eq!(pass.admit(private).err().map(|(by, _)| by), expected, "{mode:?}");
        assert!(pass.admit("93.184.216.34".parse().unwrap()).is_ok());
    }
}

#[test]
fn addresses_are_special_by_the_registries() {
    for (address, special) in [
        ("127.0.0.1", true),
        ("10.255.255.255", true),
        ("11.0.0.0", false),
        ("100.64.0.1", true),
        ("100.128.0.1", false),
        ("169.254.169.254", true),
        ("172.32.0.1", false),
        ("192.168.1.1", true),
        ("0.0.0.0", true),
        ("255.255.255.255", true),
        ("224.0.0.1", true),
        ("8.8.8.8", false),
        ("::", true),
        ("::1", true),
        ("::ffff:8.8.8.8", true),
        ("64:ff9b::8.8.8.8", true),
        ("2002:808:808::1", true),
        ("2001:0:1::1", true),
        ("fd00:ec2::254", true),
        ("fe80::1", true),
        ("4000::1", true),
        ("2606:4700::1111", false),
    ] {
        assert_eq!(special_address(address.parse().unwrap()).is_some(), special, "{address}");
    }
}

#[test]
fn for_whom_a_secret_is_says_the_task_where_the_plugin_does_not_know() {
    let ask = |host: &str| -> Ask {
        let audience = serde_json::json!([{ "scheme": "https", "host": host }]);
        let secret = serde_json::json!({ "name": "token", "audience": audience, "header": "authorization" });
        serde_json::from_value(serde_json::json!({ "secrets": [secret] })).unwrap()
    };
    let rule = |host: &str| -> NetRule {
        serde_json::from_value(serde_json::json!({ "scheme": "https", "host": host })).unwrap()
    };
    let grant = |audience: &[&str]| {
        let name = || "token".try_into().unwrap();
        let audience = audience.iter().map(|host| rule(host)).collect();
        let secret = SecretGrant { name: name(), from: name(), source: "env:TOKEN".into(), reveal: false, audience };
        Grants { secrets: vec![secret], ..Grants::default() }
    };
    let goes = |asked: &str, granted: &[&str], to: &str| {
        let effective = evaluate(&plugin(), &ask(asked), &grant(granted), &policy()).effective;
        let host = Host::try_from(to).unwrap();
        let wanted = Wanted { scheme: Scheme::Https, host: &host, port: 443, method: Some("GET"), path: Some("/") };
        effective.secrets.iter().any(|secret| secret.is_for(&wanted))
    };
    // Asked for everybody and granted for nobody in particular: refused, with the line that says for whom.
    let refused = evaluate(&plugin(), &ask("*"), &grant(&[]), &policy());
    assert!(refused.effective.secrets.is_empty());
    assert!(refused.refusals().all(|refusal| refusal.fix.as_ref().unwrap().contains("audience: [{ host: … }]")));
    assert!(goes("*", &["a.example"], "a.example"));
    assert!(!goes("*", &["a.example"], "b.example"));
    assert!(goes("a.example", &[], "a.example"));
    // What the task says only narrows.
    assert!(!goes("a.example", &["b.example"], "b.example"));
    assert!(!goes("a.example", &["b.example"], "a.example"));
}

#[test]
fn what_all_other_kinds_need_is_said_by_three_too() {
    let ask: Ask = serde_json::from_value(serde_json::json!({
        "secrets": [{ "name": "token", "audience": [{ "scheme": "https", "host": "a.example" }], "header": "authorization" }],
        "exec": [{ "alias": "wc" }], "kv": [{ "bucket": "seen", "quota": "10MiB" }],
    }))
    .unwrap();
    let program: ExecGrant =
        serde_json::from_value(serde_json::json!({ "alias": "wc", "program": "/usr/bin/wc" })).unwrap();
    let name = || "token".try_into().unwrap();
    let grants = Grants {
        secrets: vec![SecretGrant {
            name: name(),
            from: name(),
            source: "env:TOKEN".into(),
            reveal: false,
            audience: Vec::new(),
        }],
        exec: vec![program],
        kv: vec![KvGrant { bucket: "seen".try_into().unwrap(), quota: Some(Size::from_mib(5)) }],
        ..Grants::default()
    };
    let nothing = evaluate(&plugin(), &ask, &Grants::default(), &policy());
    assert_eq!(nothing.effective, Effective::default());
    assert!(nothing.refusals().all(|refusal| refusal.by == RefusedBy::Workflow) && nothing.refusals().count() == 3);
    // The built-in policy knows no program.
    let built_in = evaluate(&plugin(), &ask, &grants, &policy());
    assert_eq!((built_in.effective.secrets.len(), built_in.effective.exec.len()), (1, 0));
    assert_eq!(built_in.effective.kv[0].quota, Size::from_mib(5));
    let mut strict = policy();
    strict.plugins[0].secrets.deny = vec![NamePattern("env:TOK*".into())];
    strict.plugins[0].kv = Some(Size::from_mib(1));
    strict.plugins[0].exec =
        vec![ProgramRule { program: "/usr/bin/wc".into(), digest: None, interpreter: false, unconfined: false }];
    let strictly = evaluate(&plugin(), &ask, &grants, &strict);
    assert_eq!((strictly.effective.secrets.len(), strictly.effective.exec.len()), (0, 1));
    // Rights of the engine's user need a yes of the policy too.
    let mut mighty = grants.clone();
    mighty.exec[0].unconfined = true;
    let refused = evaluate(&plugin(), &ask, &mighty, &strict);
    assert!(refused.effective.exec.is_empty());
    let fix = refused.refusals().find(|refusal| refusal.capability == "exec").unwrap().fix.clone().unwrap();
    assert!(fix.contains("unconfined: true"), "{fix}");
    strict.plugins[0].exec[0].unconfined = true;
    assert!(evaluate(&plugin(), &ask, &mighty, &strict).effective.exec[0].unconfined);
    assert_eq!(strictly.effective.kv[0].quota, Size::from_mib(1));
    // A plugin that has to see the value needs a yes of all three.
    let mut seeing = ask.clone();
    seeing.secrets[0].reveal = true;
    let mut shown = grants.clone();
    shown.secrets[0].reveal = true;
    let mut open = policy();
    open.plugins[0].secrets.reveal = true;
    assert!(evaluate(&plugin(), &seeing, &grants, &open).effective.secrets.is_empty());
    assert!(evaluate(&plugin(), &seeing, &shown, &policy()).effective.secrets.is_empty());
    assert!(evaluate(&plugin(), &seeing, &shown, &open).effective.secrets[0].reveal);
    // Fixed is less than real, whoever says it.
    strict.plugins[0].clock = Some(Entropy::Fixed);
    assert_eq!(evaluate(&plugin(), &Ask::default(), &grants, &strict).effective.clock, Entropy::Fixed);
    assert_eq!(evaluate(&plugin(), &Ask::default(), &grants, &policy()).effective.clock, Entropy::Real);
}
