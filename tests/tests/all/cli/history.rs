//! A registry that shows an old state, and keys that change hands, through the program.

use super::packages::{lines, pack, publish, workflow};
use super::program::{Place, REFUSAL};
use orch_registry::SigningKey;
use serde_json::json;
use std::fs;

const INDEX: &str = "registry/index/acme/tool.jsonl";

fn with_tool() -> Place {
    let place = Place::new();
    publish(&place, &pack("acme/tool", "1.0.0", json!({})));
    place.write("workflow.yaml", workflow("acme/tool@^1"));
    place
}

/// Nothing runs, and the lock file stays.
#[track_caller]
fn refused(place: &Place, texts: &[&str]) {
    let (runs, lock) = (place.runs(), place.read("orch-wasm.lock"));
    for arguments in [["plan"].as_slice(), &["run"], &["lock"], &["lock", "--update"]] {
        place.run(arguments).refused("OW0220", texts).says("workflow.yaml:5:11").within(REFUSAL);
    }
    assert_eq!((place.runs(), place.read("orch-wasm.lock")), (runs, lock));
    place.still_works();
}

#[test]
fn r5_an_older_index_than_the_lock_saw_is_refused() {
    let place = with_tool();
    publish(&place, &pack("acme/tool", "1.1.0", json!({})));
    let before = place.read(INDEX);
    place.run(["plugin", "yank", "acme/tool", "1.1.0", "--reason", "leaks"]).exits(0);
    place.run(["run"]).exits(0).says("locked acme/tool 1.0.0");
    // The withdrawal is cut off: without the lock 1.1.0 would be the newest again.
    let whole = place.read(INDEX);
    place.write(INDEX, &before);
    refused(
        &place,
        &["shows an older index of `acme/tool`", "2 lines", "had 3 when it was locked", "orch-wasm lock --accept"],
    );
    place.run(["explain", "OW0220"]).exits(0).says_out("OW0220");
    // As many lines, and other ones.
    publish(&place, &pack("acme/tool", "1.2.0", json!({})));
    refused(&place, &["shows another index of `acme/tool`"]);
    // A person may say that this is how it has to be; from then on this is the history.
    place.run(["lock", "--accept"]).exits(0).says("acme/tool 1.2.0");
    place.run(["run"]).exits(0).says("acme/tool 1.2.0");
    place.write(INDEX, &whole);
    place.run(["run"]).exits(2);
}

#[test]
fn r5_a_policy_may_want_the_index_confirmed() {
    let place = with_tool();
    let id = SigningKey::load(place.outside("home/.config/orch-wasm/signing.key")).unwrap().public().id();
    let rule = |fresh: &str| {
        format!(
            "schema: orch-policy/v1\ntrust:\n  - {{ plugins: \"*\", signers: [\"{id}\"], fresh-within: {fresh} }}\n"
        )
    };
    place.write("policy.yaml", rule("30d"));
    place.run(["run"]).refused(
        "OW0220",
        &["wants it confirmed within 30d", "nobody whom it trusts did", "orch-wasm plugin confirm acme/tool"],
    );
    place.run(["plugin", "verify", "acme/tool"]).exits(1).says_out("✘ index confirmed");
    place.run(["plugin", "confirm", "acme/tool"]).exits(0).says_out("acme/tool is confirmed");
    place.run(["plugin", "verify", "acme/tool"]).exits(0).says_out("✔ index confirmed              within 30d");
    place.run(["run"]).exits(0);
    place.write("policy.yaml", rule("0ms"));
    place.run(["run"]).refused("OW0220", &["less than a day ago"]);
    place.write("policy.yaml", rule("soon"));
    place.run(["run"]).refused("OW0104", &["policy.yaml:3", "`soon`"]);
    place.run(["plugin", "confirm", "acme/nothing"]).refused("OW0202", &["acme/nothing"]);
}

#[test]
fn r8_a_publisher_changes_its_key() {
    let place = with_tool();
    place.run(["run"]).exits(0);
    place.run(["keys", "new", "--out", "new.key"]).exits(0);
    let new = SigningKey::load(place.path("new.key")).unwrap().public().id();
    place.run(["plugin", "rotate", "acme/tool", "--to", "new.pub"]).exits(0).says_out(&format!("acme/tool {new}"));
    assert_eq!(lines(&place, "acme/tool")[1]["kind"], "rotate");
    // What was locked goes on; the old key is out, and the new one is in.
    place.run(["run"]).exits(0).says("acme/tool 1.0.0");
    place.write("tool.wasm", pack("acme/tool", "1.1.0", json!({})));
    place.run(["plugin", "publish", "tool.wasm"]).refused("OW0206", &["handed over to", new.as_str(), "line 2"]);
    place.run(["plugin", "publish", "tool.wasm", "--key", "new.key"]).exits(0);
    // Whoever uses it decides whether the new one is trusted, and is told whose successor it is.
    place.run(["lock", "--update"]).refused("OW0206", &["does not trust", "handed over", new.as_str()]);
    place.replace("policy.yaml", "trust:\n", &format!("trust:\n  - {{ plugins: acme/tool, signers: [\"{new}\"] }}\n"));
    place.run(["lock", "--update"]).refused("OW0209", &["signer: "]);
    place.run(["lock", "--accept"]).exits(0).says("acme/tool 1.1.0");
    place.run(["run"]).exits(0).says("acme/tool 1.1.0");
    // The new key falls into other hands: one line of the policy, and nothing that it signed runs, locked or not.
    place.replace("policy.yaml", "orch-policy/v1\n", &format!("orch-policy/v1\nrevoked-keys: [\"{new}\"]\n"));
    for verb in ["plan", "run"] {
        place.run([verb]).refused("OW0206", &["policy.yaml revokes the key of", new.as_str()]);
    }
    fs::remove_file(place.path("orch-wasm.lock")).unwrap();
    place.run(["run"]).refused("OW0206", &["policy.yaml revokes the key of"]);
    place.write("workflow.yaml", workflow("acme/tool@=1.0.0"));
    place.run(["run"]).exits(0).says("acme/tool 1.0.0");
}
