//! Registries that show an old, frozen, mixed or swollen history (R5), and keys that hand over or fall into other hands (R8).

use crate::support::{NOW, World, name, outcome, pack, refused, req, sign, version};
use base64::Engine as _;
use orch_core::{Code, Digest, NamePattern, Period, SignerId, Timestamp, TrustRule, canonical_json};
use orch_registry::{
    FactState, FolderRegistry, IndexPosition, LockFile, LockSource, LockedPlugin, PublishOptions, SigningKey, Terms,
};
use serde_json::{Value, json};

const DAY: i64 = 86_400_000;

fn id(key: &SigningKey) -> SignerId {
    key.public().id()
}

/// What is locked now, with how far the index is.
fn locked(world: &World) -> LockedPlugin {
    let (found, index) = world.find_at("^1", None, NOW).unwrap();
    LockedPlugin::new(&found, req("^1"), LockSource::Registry("folder".to_owned())).seen(Some(index))
}

fn yank(world: &World, key: &SigningKey, text: &str) {
    world.registry.yank(&name("orch/tool"), &version(text), "leaks", key, NOW).unwrap();
}

/// The policy trusts these keys, and wants a confirmation within so many days if any.
fn trust(world: &mut World, signers: &[&SigningKey], days: Option<u64>) {
    world.policy.trust = vec![TrustRule {
        plugins: NamePattern("orch/*".to_owned()),
        signers: signers.iter().map(|key| id(key)).collect(),
        at_least: 1,
        fresh_within: days.map(|days| Period::from_millis(days * DAY.unsigned_abs())),
    }];
}

#[test]
fn r5_an_index_that_was_cut_is_refused_where_more_was_seen() {
    let world = World::new();
    world.tool("1.0.0");
    world.tool("1.1.0");
    let before = world.index();
    yank(&world, &world.key, "1.1.0");
    // Who locked 1.0.0 after the withdrawal knows of all three lines.
    let lock = locked(&world);
    assert_eq!((lock.version.to_string(), lock.index.unwrap().lines), ("1.0.0".to_owned(), 3));
    let find = || outcome(world.find_locked("^1", Some(&lock)));
    assert_eq!(find(), "1.0.0");
    let whole = world.index();
    let first = before.lines().next().unwrap();
    for (text, lines) in
        [(before.clone(), "2 lines"), (format!("{first}\n"), "1 line"), (format!("{before}{{\"v\":"), "2 lines")]
    {
        world.write_index(&text);
        assert!(find().starts_with("OW0220 the registry shows an older index of `orch/tool`: it has "), "{}", find());
        assert!(find().contains(&format!("it has {lines}, and it had 3 when it was locked")), "{}", find());
        // Also where something else of it is wanted, and nothing is locked for that.
        let terms = Terms { seen: lock.index.as_ref(), ..world.terms() };
        refused(world.registry.find(&name("orch/tool"), &req("=1.1.0"), &terms), Code::IndexNotCurrent, "older index");
    }
    world.write_index(&before);
    assert_eq!(world.outcome("^1"), "1.1.0", "without a lock nothing tells, and the withdrawn version is back");
    // As long and longer, but another history: the same signed lines with another chain.
    let mut lines: Vec<Value> = whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.swap(1, 0);
    world.forge(&lines);
    assert!(
        find().starts_with("OW0220 the registry shows another index of `orch/tool`: its first 3 lines"),
        "{}",
        find()
    );
    world.forge(&lines);
    world.tool("1.2.0");
    assert!(find().starts_with("OW0220 the registry shows another index"), "{}", find());
    // What goes on from there is fine, and the locked version is still the one.
    world.write_index(&whole);
    world.tool("1.3.0");
    assert_eq!(find(), "1.0.0");
    // A lock file that says absurd things is refused as well, and breaks nothing.
    for lines in [4_000, u64::MAX] {
        let index = Some(IndexPosition { lines, head: lock.index.unwrap().head });
        refused(world.find_locked("^1", Some(&lock.clone().seen(index))), Code::IndexNotCurrent, "an older index");
    }
    let nothing = Some(IndexPosition { lines: 0, head: Digest::of(b"") });
    refused(world.find_locked("^1", Some(&lock.clone().seen(nothing))), Code::IndexNotCurrent, "another index");
}

#[test]
fn r5_a_lock_keeps_how_far_the_index_was() {
    let world = World::new();
    world.tool("1.0.0");
    let mut lock = LockFile::default();
    lock.accept(locked(&world));
    let text = lock.text();
    assert!(text.starts_with("# Made by") && text.contains("\nversion = 2\n"), "{text}");
    assert!(text.contains("\nindex = { head = \"sha256:") && text.contains("lines = 1 }\n"), "{text}");
    assert_eq!(LockFile::parse("orch-wasm.lock", &text).unwrap(), lock);
    // One that was written before: it is read, and saw nothing.
    let old: String =
        text.lines().filter(|line| !line.starts_with("index = ")).map(|line| format!("{line}\n")).collect();
    let old = LockFile::parse("orch-wasm.lock", &old.replace("version = 2\n", "version = 1\n")).unwrap();
    assert_eq!((old.plugins().len(), old.seen(&name("orch/tool"))), (1, None));
    for (from, to) in [
        ("lines = 1 }", "lines = -1 }"),
        ("lines = 1 }", "lines = 1, more = 2 }"),
        ("head = \"sha256:", "head = \"md5:"),
    ] {
        let error = LockFile::parse("orch-wasm.lock", &text.replace(from, to)).unwrap_err();
        assert_eq!(error.code(), Code::InvalidLock, "{to}: {error}");
    }
    // An index that went on is no change of what is locked, and one view holds for all that is taken from the plugin.
    world.tool("1.1.0");
    let (_, index) = world.find_at("^1", None, NOW).unwrap();
    let again = old.plugins()[0].clone().seen(Some(index));
    assert_eq!(lock.compare(&again), orch_registry::LockState::Same);
    lock.accept(LockedPlugin { requirement: req("=1.0.0"), ..again });
    assert_eq!(lock.plugins().iter().map(|plugin| plugin.index.unwrap().lines).collect::<Vec<_>>(), [2, 2]);
    assert_eq!(lock.seen(&name("orch/tool")), Some(&index));
}

#[test]
fn r5_an_index_that_nobody_confirms_grows_stale() {
    let mut world = World::new();
    let (other, stranger) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    world.tool("1.0.0");
    let tool = name("orch/tool");
    let at = |world: &World, days: i64| {
        outcome(world.find_at("^1", None, Timestamp(NOW.0 + days * DAY)).map(|found| found.0))
    };
    trust(&mut world, &[&other], None);
    world.policy.trust[0].signers.push(id(&world.key));
    assert_eq!(at(&world, 10_000), "1.0.0", "nobody asked for it");
    world.policy.trust[0].fresh_within = Some("30d".parse().unwrap());
    // The times of publications are signed by nobody, and do not count.
    let stale =
        "OW0220 the index of `orch/tool` may be an old one: the built-in policy wants it confirmed within 30d, and ";
    assert_eq!(at(&world, 0), format!("{stale}nobody whom it trusts did"));
    world.registry.confirm(&tool, &world.key, NOW).unwrap();
    for (days, expected) in
        [(0, "1.0.0".to_owned()), (30, "1.0.0".to_owned()), (31, format!("{stale}that was done 31 days ago"))]
    {
        assert_eq!(at(&world, days), expected, "{days}");
    }
    // A stranger's word changes nothing; that of another whom the policy trusts does, and it need not have published anything.
    world.registry.confirm(&tool, &stranger, Timestamp(NOW.0 + 40 * DAY)).unwrap();
    assert!(at(&world, 41).contains("41 days ago"), "{}", at(&world, 41));
    world.registry.confirm(&tool, &other, Timestamp(NOW.0 + 40 * DAY)).unwrap();
    assert_eq!(at(&world, 41), "1.0.0");
    // One from the future would hold for ever: it does not count before its time, give or take a clock.
    world.registry.confirm(&tool, &world.key, Timestamp(NOW.0 + 100_000 * DAY)).unwrap();
    assert!(at(&world, 80).contains("40 days ago"), "{}", at(&world, 80));
    // The word of a key that was revoked is worth nothing.
    world.policy.revoked_keys = vec![id(&other)];
    assert!(at(&world, 41).contains("41 days ago"), "{}", at(&world, 41));
    world.policy.revoked_keys.clear();
    // A time that was changed afterwards, or a line of another index: the signature is over both.
    let whole = world.index();
    let mut lines = world.lines();
    lines[1]["time"] = json!(NOW.0 + 60 * DAY);
    lines.truncate(2);
    world.forge(&lines);
    assert_eq!(at(&world, 61), format!("{stale}nobody whom it trusts did"));
    // A rule that does not ask for it is enough.
    world.write_index(whole);
    let mut second = world.policy.trust[0].clone();
    second.fresh_within = None;
    world.policy.trust.push(second);
    assert_eq!(at(&world, 10_000), "1.0.0");
    // The report has it too.
    world.policy.trust.pop();
    let terms = Terms::new(&world.policy, Timestamp(NOW.0 + 41 * DAY));
    let report = world.registry.verify_package(&tool, &req("*"), &terms).unwrap();
    let fact = report.facts.iter().find(|fact| fact.check == orch_registry::Check::Fresh).unwrap();
    assert!(report.good && fact.state == FactState::Holds { detail: "within 30d".to_owned() }, "{fact:?}");
}

#[test]
fn r5_lines_of_another_plugin_or_registry_do_not_mix() {
    let mut world = World::new();
    world.tool("1.0.0");
    world.publish(&pack("orch/other", "1.0.0", "other", json!({}))).unwrap();
    let other = std::fs::read_to_string(world.path("index/orch/other.jsonl")).unwrap();
    let whole = world.index();
    world.write_index(format!("{whole}{other}"));
    refused(world.find("*"), Code::RegistryDamaged, "line 2: it is about `orch/other`");
    // With a chain that holds: the name is in the signature as well.
    world.write_index(&whole);
    let mut pasted: Value = serde_json::from_str(&other).unwrap();
    (pasted["name"], pasted["version"]) = (json!("orch/tool"), json!("1.1.0"));
    world.forge(&[world.lines()[0].clone(), pasted]);
    refused(world.find("*"), Code::Untrusted, "its signature is not by");
    // A line of the same plugin in another registry: it does not follow; and where somebody makes it follow, a publication is as good
    // as it was there, but no word about where an index ends.
    let elsewhere = FolderRegistry::create(world.folder.path().join("elsewhere")).unwrap();
    elsewhere
        .publish(&pack("orch/tool", "1.5.0", "x", json!({})), &world.key, NOW, &PublishOptions::default())
        .unwrap();
    elsewhere.confirm(&name("orch/tool"), &world.key, NOW).unwrap();
    let theirs = std::fs::read_to_string(world.folder.path().join("elsewhere/index/orch/tool.jsonl")).unwrap();
    world.write_index(format!("{whole}{theirs}"));
    refused(world.find("*"), Code::RegistryDamaged, "line 2: it does not follow the line before it");
    world.write_index(&whole);
    let mut confirmed: Value = serde_json::from_str(theirs.lines().last().unwrap()).unwrap();
    for key in ["version", "digest", "capability_hash", "size", "asks"] {
        confirmed[key] = world.lines()[0][key].clone();
    }
    world.forge(&[world.lines()[0].clone(), confirmed]);
    assert_eq!(world.outcome("*"), "1.0.0");
    world.policy.trust[0].fresh_within = Some("30d".parse().unwrap());
    refused(world.find("*"), Code::IndexNotCurrent, "nobody whom it trusts did");
}

#[test]
fn r5_nobody_is_locked_out_by_absurd_numbers() {
    let world = World::new();
    world.tool("1.0.0");
    let stranger = SigningKey::generate().unwrap();
    let highest = format!("{0}.{0}.{0}", u64::MAX);
    let absurd = pack("orch/tool", &highest, "x", json!({}));
    // Not by somebody else; and by the publisher's own mistake it can be undone, and no number is in the way of the next one.
    refused(
        world.registry.publish(&absurd, &stranger, NOW, &PublishOptions::default()),
        Code::Untrusted,
        "has signed this plugin so far",
    );
    world.publish(&absurd).unwrap();
    assert_eq!((world.outcome("*"), world.outcome("^1")), (highest.clone(), "1.0.0".to_owned()));
    world.tool("1.0.1");
    assert_eq!(world.outcome("^1"), "1.0.1");
    yank(&world, &world.key, &highest);
    assert_eq!(world.outcome("*"), "1.0.1");
    // A time at the end of all times, in either direction, decides nothing.
    for time in [i64::MAX, i64::MIN] {
        world.forge_last(|line| line["time"] = json!(time));
        assert_eq!(world.outcome("*"), "1.0.1");
    }
    // The number of a line's format is not the reader's to believe.
    for v in [0_u64, 2, 3, 4_294_967_295] {
        world.forge_last(|line| line["v"] = json!(v));
        refused(world.find("*"), Code::RegistryDamaged, &format!("it has format {v}"));
    }
}

#[test]
fn r8_after_a_handover_the_old_key_signs_nothing_more() {
    let mut world = World::new();
    let (old, new, third) = (world.key.public(), SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let tool = name("orch/tool");
    world.tool("1.0.0");
    trust(&mut world, &[&new, &third], None);
    world.policy.trust[0].signers.push(old.id());
    // Only who signed it hands it over, and not to itself.
    refused(world.registry.rotate(&tool, &new.public(), &third, NOW), Code::Untrusted, "cannot hand it over");
    refused(world.registry.rotate(&tool, &old, &world.key, NOW), Code::Untrusted, "is this key itself");
    let done = world.registry.rotate(&tool, &new.public(), &world.key, NOW).unwrap();
    assert_eq!((done.signer, done.already_there), (old.id(), false));
    assert!(world.registry.rotate(&tool, &new.public(), &world.key, NOW).unwrap().already_there);
    refused(world.registry.rotate(&tool, &third.public(), &world.key, NOW), Code::Untrusted, "handed over to");
    // What was published before stays valid, and the new key goes on without a word of force.
    assert_eq!(world.outcome("*"), "1.0.0");
    let with = |key: &SigningKey, text: &str| {
        world.registry.publish(&pack("orch/tool", text, text, json!({})), key, NOW, &PublishOptions::default())
    };
    with(&new, "1.1.0").unwrap();
    assert_eq!(world.outcome("*"), "1.1.0");
    let whole = world.index();
    // The old one is refused by the writer ...
    let refusal = "handed over to";
    refused(with(&world.key, "1.2.0"), Code::Untrusted, refusal);
    refused(world.registry.endorse(&tool, &version("1.1.0"), &world.key, NOW), Code::Untrusted, refusal);
    refused(world.registry.confirm(&tool, &world.key, NOW), Code::Untrusted, refusal);
    refused(world.registry.yank(&tool, &version("1.1.0"), "mine", &world.key, NOW), Code::Untrusted, refusal);
    // ... and by everybody who reads, where somebody with the old key wrote into the folder.
    let package = pack("orch/tool", "1.2.0", "1.2.0", json!({}));
    let mut stolen = world.lines()[0].clone();
    (stolen["version"], stolen["digest"], stolen["size"]) =
        (json!("1.2.0"), json!(Digest::of(&package)), json!(package.len()));
    let blob = world.blob(&Digest::of(&package));
    std::fs::create_dir_all(blob.parent().unwrap()).unwrap();
    std::fs::write(blob, &package).unwrap();
    stolen["signature"] = json!(sign(&world.key, &stolen));
    let mut lines = world.lines();
    lines.push(stolen.clone());
    world.forge(&lines);
    refused(world.find("*"), Code::Untrusted, "signed it after it had handed over to");
    assert_eq!(world.outcome("=1.0.0"), "1.0.0");
    // Before the handover it does not fit either: that is signed over everything before it.
    lines = whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.insert(1, stolen);
    for line in lines.iter_mut().filter(|line| line["kind"] == "rotate") {
        for key in ["version", "digest", "size", "capability_hash"] {
            let repeated = if key == "size" { json!(package.len()) } else { line[key].clone() };
            line[key] = repeated;
        }
        (line["version"], line["digest"]) = (json!("1.2.0"), json!(Digest::of(&package)));
    }
    world.forge(&lines);
    refused(world.find("=1.2.0"), Code::Untrusted, "says without a valid signature that");
    refused(world.find("=1.0.0"), Code::Untrusted, "says without a valid signature that");
    // A withdrawal by the old key forces nobody to an older version.
    world.write_index(&whole);
    let mut lines = world.lines();
    let mut back = lines[2].clone();
    (back["kind"], back["reason"], back["signer"]) = (json!("yank"), json!("back"), json!(old.id()));
    back["signature"] = json!(signed_yank(&world.key, &back));
    lines.push(back);
    world.forge(&lines);
    refused(world.find("*"), Code::Untrusted, "whose key does not count any more");
}

/// The other lines that a key signs go the same way as its publications.
#[test]
fn r8_an_endorsement_or_a_confirmation_after_a_handover_does_not_count() {
    let mut world = World::new();
    let (second, new) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let tool = name("orch/tool");
    world.tool("1.0.0");
    trust(&mut world, &[&second], Some(30));
    world.policy.trust[0].signers.push(id(&world.key));
    world.policy.trust[0].at_least = 2;
    // The second key publishes too, so that it may hand over, and confirms.
    let other = pack("orch/tool", "1.1.0", "x", json!({}));
    let options = PublishOptions { new_signer: orch_registry::NewSigner::Accept, ..PublishOptions::default() };
    world.registry.publish(&other, &second, NOW, &options).unwrap();
    world.registry.endorse(&tool, &version("1.0.0"), &second, NOW).unwrap();
    world.registry.confirm(&tool, &second, NOW).unwrap();
    world.registry.rotate(&tool, &new.public(), &second, NOW).unwrap();
    assert_eq!(world.outcome("=1.0.0"), "1.0.0", "what was said before the handover counts");
    let whole = world.lines();
    let (endorsement, confirmation, handover) = (&whole[2], &whole[3], &whole[4]);
    let shown = |lines: &[&Value]| {
        world.forge(&[&whole[..2], &lines.iter().map(|line| (*line).clone()).collect::<Vec<_>>()].concat());
        world.outcome("=1.0.0")
    };
    assert!(shown(&[confirmation, handover, endorsement]).contains("wants 2 of"));
    // A handover that was moved is one that nobody signed: then neither counts.
    assert!(shown(&[handover, endorsement, confirmation]).contains("wants 2 of"));
    assert!(shown(&[endorsement, handover, confirmation]).contains("wants 2 of"));
    // A confirmation that stands elsewhere does not fit what is before it.
    assert_eq!(shown(&[endorsement, confirmation]), "1.0.0");
    let twice = shown(&[endorsement, endorsement, confirmation]);
    assert!(twice.starts_with("OW0220") && twice.contains("nobody whom it trusts did"), "{twice}");
    assert_eq!(shown(&[endorsement, confirmation, handover]), "1.0.0");
}

/// The signature of a withdrawal.
fn signed_yank(key: &SigningKey, line: &Value) -> String {
    let statement =
        json!({ "name": line["name"], "version": line["version"], "digest": line["digest"], "reason": line["reason"] });
    let message = format!("orch-wasm yank v1\n{}", canonical_json(&statement));
    base64::engine::general_purpose::STANDARD.encode(key.sign(message.as_bytes()))
}

#[test]
fn r8_a_handover_makes_nobody_trusted() {
    let mut world = World::new();
    let (new, last) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let tool = name("orch/tool");
    world.tool("1.0.0");
    let old = id(&world.key);
    world.registry.rotate(&tool, &new.public(), &world.key, NOW).unwrap();
    world.registry.publish(&pack("orch/tool", "1.1.0", "x", json!({})), &new, NOW, &PublishOptions::default()).unwrap();
    // The policy knows the old key only, and is told of the handover.
    let error = world.find("*").unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "`orch/tool@1.1.0` is not to be trusted: the built-in policy does not trust `{}` with `orch/tool`, to which `{old}` handed over",
            id(&new)
        )
    );
    assert!(error.help().unwrap().contains(&format!("keys/{}.pub", id(&new))));
    world.policy.trust[0].signers.push(id(&new));
    assert_eq!(world.outcome("*"), "1.1.0");
    // And on from there, but never back.
    world.registry.rotate(&tool, &last.public(), &new, NOW).unwrap();
    refused(world.registry.rotate(&tool, &world.key.public(), &last, NOW), Code::Untrusted, "handed over before");
    world.registry.yank(&tool, &version("1.1.0"), "worse", &last, NOW).unwrap();
    world.policy.trust[0].signers.push(id(&last));
    assert_eq!(world.outcome("*"), "1.0.0");
    // Handovers that cannot be are damage: by a key that never signed, twice, to itself, in a circle, to no key.
    let whole = world.lines();
    let forged = |change: &dyn Fn(&mut Value)| {
        let mut lines = whole.clone();
        let mut line = lines[1].clone();
        line["version"] = lines[2]["version"].clone();
        line["digest"] = lines[2]["digest"].clone();
        for key in ["capability_hash", "size", "asks"] {
            line[key] = lines[2][key].clone();
        }
        change(&mut line);
        lines.push(line);
        world.forge(&lines);
        world.outcome("*")
    };
    let stranger = SigningKey::generate().unwrap();
    for (text, reason) in [
        (forged(&|_| {}), "hands over a second time"),
        (forged(&|line| line["signer"] = json!(id(&stranger))), "hands over what it never signed"),
        (forged(&|line| line["signer"] = json!(id(&last))), "which handed over itself"),
        (forged(&|line| line["successor"] = json!("ed25519:nothing")), "hands over to what is no key"),
        (
            forged(&|line| drop(line.as_object_mut().unwrap().remove("successor"))),
            "names a key that somebody hands over to",
        ),
        (forged(&|line| line["v"] = json!(1)), "it has format 1"),
        (forged(&|line| line["version"] = json!("1.0.0")), "not the publication before it"),
    ] {
        assert!(text.starts_with("OW0212") && text.contains(reason), "{reason}: {text}");
    }
}

#[test]
fn r8_what_a_revoked_key_signed_is_refused_also_where_it_is_locked() {
    let mut world = World::new();
    let second = SigningKey::generate().unwrap();
    world.tool("1.0.0");
    trust(&mut world, &[&second], None);
    world.policy.trust[0].signers.push(id(&world.key));
    let lock = locked(&world);
    world.policy.revoked_keys = vec![id(&world.key)];
    for lock in [None, Some(&lock)] {
        refused(world.find_locked("^1", lock), Code::Untrusted, "the built-in policy revokes the key of");
    }
    // Another whom the policy trusts has signed it too: who published it is still a thief.
    world.registry.endorse(&name("orch/tool"), &version("1.0.0"), &second, NOW).unwrap();
    refused(world.find("*"), Code::Untrusted, "revokes the key of");
    // As one of two it counts for nothing.
    world.policy.revoked_keys = vec![id(&second)];
    assert_eq!(world.outcome("*"), "1.0.0");
    world.policy.trust[0].at_least = 2;
    refused(world.find("*"), Code::Untrusted, "wants 2 of");
    world.policy.revoked_keys.clear();
    assert_eq!(world.outcome("*"), "1.0.0");
    // Its withdrawals neither.
    world.tool("1.1.0");
    world.registry.endorse(&name("orch/tool"), &version("1.1.0"), &second, NOW).unwrap();
    world.policy.trust[0].at_least = 1;
    yank(&world, &world.key, "1.1.0");
    assert_eq!(world.outcome("*"), "1.0.0");
    world.policy.revoked_keys = vec![id(&world.key)];
    refused(world.find("*"), Code::Untrusted, "whose key does not count any more");
}
