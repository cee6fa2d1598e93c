//! The story that users know, from `examples/supply-chain`: the next version of a popular plugin also reads every secret and calls home.
//! It is stopped by the lock, by the difference of what it asks for, and by the policy; and the thief's listener counts who came.

use super::newcomer::with_rust;
use super::packages::{blob, forge, key, lines, point};
use super::program::{Place, Ran, repository};
use crate::network::sinks::Sink;
use orch_registry::package;
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;

/// What the thief is after: a secret that the task has by its handle, and one that lies in the environment.
const TOKEN: &str = "chat-canary-5d1f0a";
const DEPLOY_KEY: &str = "deploy-canary-77c2e9";

/// The example in a folder of its own, with a chat room and a thief who listen.
struct Story {
    place: Place,
    chat: Sink,
    thief: Sink,
}

impl Story {
    fn new() -> Story {
        let place = Place::empty().with_shared_cache();
        let (chat, thief) = neighbours();
        place.run(["keys", "new"]).exits(0);
        for file in ["workflow.yaml", "policy.yaml"] {
            let text = fs::read_to_string(repository().join("examples/supply-chain").join(file)).unwrap();
            place.write(file, at(&text, chat.address.port()));
        }
        Story { place, chat, thief }
    }

    /// The program, where both secrets can be had.
    #[track_caller]
    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = self.place.command(arguments);
        command.env("CHAT_TOKEN", TOKEN).env("DEPLOY_KEY", DEPLOY_KEY);
        let ran = Ran::of(command);
        for secret in [TOKEN, DEPLOY_KEY] {
            assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret), "a secret is shown\n{ran}");
        }
        ran
    }

    /// A version of the plugin, built from its source and moved to the ports of this test.
    fn built(&self, version: &str) -> Vec<u8> {
        let out = self.place.path("notify.wasm");
        let source = repository().join("examples/supply-chain/plugin").join(version);
        let arguments = [OsStr::new("plugin"), "build".as_ref(), source.as_ref(), "--out".as_ref(), out.as_ref()];
        let mut command = self.place.command(arguments);
        with_rust(&mut command);
        Ran::of(command).exits(0);
        let bytes = fs::read(&out).unwrap();
        let manifest = serde_json::to_string(&package::extract(&bytes).unwrap()).unwrap();
        let manifest = at(&manifest, self.chat.address.port());
        package::embed(&bytes, &serde_json::from_str(&manifest).unwrap()).unwrap()
    }

    #[track_caller]
    fn publish(&self, package: &[u8]) {
        self.place.write("notify.wasm", package);
        self.place.run(["plugin", "publish", "notify.wasm"]).exits(0);
    }

    /// Nobody ever came to the thief.
    #[track_caller]
    fn nothing_left(&self) {
        assert_eq!((self.thief.hits(), self.thief.seen().len()), (0, 0), "{:?}", self.thief.seen());
    }
}

/// The text of the example with other ports.
fn at(text: &str, port: u16) -> String {
    text.replace("8802", &(port + 1).to_string()).replace("8801", &port.to_string())
}

/// Two listeners side by side: the thief listens at the port behind the chat's.
fn neighbours() -> (Sink, Sink) {
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if port.checked_add(1).is_some_and(free) && free(port) {
            return (Sink::new(&format!("127.0.0.1:{port}")), Sink::new(&format!("127.0.0.1:{}", port + 1)));
        }
    }
}

/// No file of the place has a secret in it.
#[track_caller]
fn no_secret_below(folder: &std::path::Path) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            no_secret_below(&entry.path());
            continue;
        }
        let bytes = fs::read(entry.path()).unwrap();
        for secret in [TOKEN, DEPLOY_KEY] {
            let found = bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
            assert!(!found, "a secret is in {}", entry.path().display());
        }
    }
}

#[test]
fn the_story_is_stopped_three_times() {
    let story = Story::new();
    let (good, evil) = (story.built("1.0.0"), story.built("1.1.0"));
    story.publish(&good);
    story.run(&["run"]).exits(0).says("locked acme/notify 1.0.0");
    assert!(story.chat.seen()[0].contains(&format!("authorization: {TOKEN}")), "{:?}", story.chat.seen());

    // One: the lock. A newer version is there, and the locked one runs.
    story.publish(&evil);
    story.run(&["run"]).exits(0).says("acme/notify 1.0.0").does_not_say("1.1.0");
    // And the other way, as with a tag that moves: the same version is another component, signed with the publisher's own key.
    let index = story.place.read("registry/index/acme/notify.jsonl");
    let runs = story.place.runs();
    let mut moved = lines(&story.place, "acme/notify");
    let renamed = json!({ "version": "1.0.0" });
    point(&story.place, &mut moved[0], &with(&evil, renamed));
    moved[0]["asks"] = moved[1]["asks"].clone();
    moved[0]["capability_hash"] = moved[1]["capability_hash"].clone();
    forge(&story.place, "acme/notify", &moved, Some(&key(&story.place)));
    story.run(&["run"]).refused("OW0209", &["acme/notify", "`1.0.0` is sha256:", "is locked"]);
    story.place.write("registry/index/acme/notify.jsonl", &index);
    // Or its bytes are exchanged, and nobody tells the index.
    let file = blob(&story.place, &lines(&story.place, "acme/notify")[0]);
    fs::write(&file, &evil).unwrap();
    story.run(&["run"]).refused("OW0207", &["acme/notify@1.0.0", "not those that were published"]);
    fs::write(&file, &good).unwrap();
    assert_eq!(story.place.runs(), runs, "what was refused is no run");
    story.nothing_left();

    // Two: what it asks for. Somebody locks again, and is shown the difference.
    let port = story.chat.address.port();
    let more = [
        format!("net http://*:{port},{}", port + 1),
        "env DEPLOY_KEY".to_owned(),
        "secrets deploy-key, revealed".to_owned(),
    ];
    let locked = story.place.read("orch-wasm.lock");
    let shown: Vec<&str> = more.iter().map(String::as_str).collect();
    story.run(&["lock", "--update"]).refused("OW0210", &shown).says("orch-wasm lock --accept");
    assert_eq!(story.place.read("orch-wasm.lock"), locked);
    story.run(&["run"]).exits(0).says("acme/notify 1.0.0");
    story.nothing_left();

    // Three: the policy. Somebody accepts all that.
    let accepted = story.run(&["lock", "--accept"]);
    for line in &more {
        accepted.exits(0).says(line);
    }
    let ran = story.run(&["run"]);
    let target = format!("net POST http://collector.localhost:{}/loot", port + 1);
    ran.exits(0).says("acme/notify 1.1.0").says(&format!("the policy refused `{target}`"));
    let explained = story.run(&["explain", "latest", "announce"]);
    explained
        .exits(0)
        .says_out(&format!("the policy refused `{target}`: no rule of the policy allows it"))
        .says_out(&format!(
            "fix: in the policy: net: {{ allow: [{{ scheme: http, host: collector.localhost, ports: [{}]",
            port + 1
        ))
        .says_out("the workflow refused `secrets deploy-key`");
    // It is in the record of the run, which nobody can edit unseen.
    story.run(&["runs", "verify", "latest"]).exits(0);
    let log = story.run(&["runs", "show", "latest", "--format", "json"]).lines();
    let refusals: Vec<&Value> =
        log.iter().map(|line| &line["event"]).filter(|event| event.to_string().contains("/loot")).collect();
    assert!(!refusals.is_empty(), "{log:#?}");
    story.nothing_left();
    no_secret_below(&story.place.work());
    // The chat went on as if nothing had happened: the thief is no reason to stop what the task is for.
    assert_eq!(story.chat.hits(), 4);
}

/// The control: where the policy lets the thief be reached, a request does come, so that a count of zero says something. Not even then
/// does the token travel: its audience is the chat room.
#[test]
fn where_everything_is_allowed_the_secret_still_stays() {
    let story = Story::new();
    story.publish(&story.built("1.1.0"));
    story.place.replace(
        "policy.yaml",
        "host: chat.localhost, ports: [",
        &format!("host: \"*\", ports: [{}, ", story.thief.address.port()),
    );
    let ran = story.run(&["run"]);
    ran.exits(0).says("acme/notify 1.1.0").says("refused `secrets deploy-key`");
    assert_eq!(story.thief.hits(), story.thief.seen().len());
    let seen = story.thief.seen();
    assert!(seen.iter().any(|request| request.starts_with("POST /loot")), "the control does not work: {seen:?}\n{ran}");
    for request in &seen {
        assert!(!request.contains(TOKEN) && !request.contains(DEPLOY_KEY), "{request}");
        assert!(!request.contains("orch-secret-"), "not even what stands for it leaves: {request}");
    }
    assert!(story.chat.seen().iter().any(|request| request.contains(&format!("authorization: {TOKEN}"))));
    no_secret_below(&story.place.work());
}

/// A package with other words in its manifest.
fn with(package: &[u8], words: Value) -> Vec<u8> {
    let mut manifest = serde_json::to_value(package::extract(package).unwrap()).unwrap();
    for (key, value) in words.as_object().unwrap() {
        manifest[key] = value.clone();
    }
    package::embed(package, &serde_json::from_value(manifest).unwrap()).unwrap()
}
