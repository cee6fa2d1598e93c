//! Rules for workflows of GitHub Actions and for composite actions.

use crate::node::Node;
use crate::read::image::{Pin, pin};
use crate::read::secret::{is_literal, is_secret_name};
use crate::read::shell::{commands, pipes_to_shell};
use crate::rule::{Rule, rule};
use crate::rules::cwe;
use orch_sdk::Severity::{Critical, High, Low, Medium};

/// A workflow or a composite action.
#[derive(Debug)]
pub struct Workflow(Node);

/// A step with the name by which findings call it.
struct Step<'a> {
    name: String,
    node: &'a Node,
}

impl Workflow {
    /// Takes the documents of a file; nothing if it has neither jobs nor what an action runs.
    pub fn new(documents: Vec<Node>) -> Option<Workflow> {
        documents.into_iter().find(|it| it.get("jobs").or(it.get("runs")).is_some()).map(Workflow)
    }

    fn jobs(&self) -> impl Iterator<Item = (&str, &Node, u32)> {
        let jobs = self.0.get("jobs").map_or(&[][..], Node::entries);
        jobs.iter().map(|(key, job)| (key.text.as_str(), job, key.line))
    }

    fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        let of_jobs = self.jobs().flat_map(|(name, job, _)| job.items_at("steps").iter().map(move |step| (name, step)));
        let of_action = self.0.items_at("runs.steps").iter().map(|step| ("runs", step));
        of_jobs.chain(of_action).map(|(job, node)| {
            let own = ["id", "name", "uses"].iter().map(|key| node.text_at(key)).find(|text| !text.is_empty());
            // A script's first line is enough of a name, and a script may be as long as the file.
            let own = own.unwrap_or_else(|| node.text_at("run").lines().next().unwrap_or_default());
            Step { name: format!("{job} {}", own.chars().take(60).collect::<String>()), node }
        })
    }

    /// Whether one of some events starts it.
    fn starts_on(&self, events: &[&str]) -> bool {
        let Some(on) = self.0.get("on") else { return false };
        let named = on.one_or_more().iter().filter_map(Node::text);
        named.chain(on.entries().iter().map(|(key, _)| key.text.as_str())).any(|event| events.contains(&event))
    }

    /// What is written below a key of the file, of each job and of each step.
    fn everywhere<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Node> {
        let top = self.0.get(key);
        let jobs = self.jobs().filter_map(move |(_, job, _)| job.get(key));
        top.into_iter().chain(jobs).chain(self.steps().filter_map(move |step| step.node.get(key)))
    }
}

impl<'a> Step<'a> {
    /// The script of a `run`, or of the action that runs JavaScript, with its line.
    fn script(&self) -> Option<(&'a str, u32)> {
        if let Some((key, run)) = self.node.entries().iter().find(|(key, _)| key.text == "run") {
            return Some((run.text()?, key.line));
        }
        let script = self.node.at("with.script").filter(|_| self.is("actions/github-script"))?;
        Some((script.text()?, script.line))
    }

    /// Whether it uses an action.
    fn is(&self, action: &str) -> bool {
        self.node.text_at("uses").split('@').next().is_some_and(|used| used.eq_ignore_ascii_case(action))
    }
}

const HARDENING: &str = "https://owasp.org/www-project-top-10-ci-cd-security-risks/";
const SLSA: &str = "https://slsa.dev/spec/v1.0/threats";

/// The table.
pub static RULES: &[Rule<Workflow>] = &[
    rule(
        ("actions/unpinned-action", Medium),
        "an action is not pinned by a full commit",
        "Whoever may push to its repository can move the tag or branch to other code.",
        "Write the 40 digits of the commit, and the version in a comment. A bot can keep it fresh.",
        &[cwe!(829), HARDENING],
        |file, hits| {
            let jobs = file.jobs().filter_map(|(_, job, _)| job.get("uses"));
            for used in jobs.chain(file.steps().filter_map(|step| step.node.get("uses"))) {
                let text = used.text().unwrap_or_default();
                let reference = text.split_once('@').map_or("", |(_, reference)| reference);
                let is_commit =
                    matches!(reference.len(), 40 | 64) && reference.bytes().all(|byte| byte.is_ascii_hexdigit());
                if !is_commit && !text.starts_with("./") && !text.starts_with("docker://") {
                    hits.add(used.line, text);
                }
            }
        },
    ),
    rule(
        ("actions/script-injection", High),
        "a script contains what strangers write",
        "Expressions are put into the script before it runs: a title with a quote in it becomes code.",
        "Put the value into `env`, and use the variable in quotes.",
        &[cwe!(94), HARDENING],
        |file, hits| {
            for step in file.steps() {
                let Some((script, line)) = step.script() else { continue };
                for expression in expressions(script).filter(|it| is_untrusted(it)) {
                    hits.add(line, format!("{}: {expression}", step.name));
                }
            }
        },
    ),
    rule(
        ("actions/pull-request-target-checkout", Critical),
        "code of a pull request is checked out with the rights of the repository",
        "Its author's code runs with secrets and a token that may write.",
        "Use `pull_request`, or do not check out the pull request's head.",
        &[cwe!(829), HARDENING],
        |file, hits| {
            let has_rights = file.starts_on(&["pull_request_target", "workflow_run"]);
            for step in file.steps().filter(|_| has_rights) {
                let reference = step.node.at("with.ref").filter(|_| step.is("actions/checkout"));
                let is_head = |text: &str| {
                    let text = text.to_lowercase();
                    ["head.sha", "head.ref", "head_ref", "head_sha", "head_branch", "refs/pull/", "merge_commit_sha"]
                        .iter()
                        .any(|it| text.contains(it))
                };
                if let Some(reference) = reference.filter(|it| it.text().is_some_and(is_head)) {
                    hits.add(reference.line, step.name);
                } else if let Some((_, line)) = step.script().filter(|(script, _)| script.contains("gh pr checkout")) {
                    hits.add(line, step.name);
                }
            }
        },
    ),
    rule(
        ("actions/no-permissions", Medium),
        "a job does not say what its token may do",
        "It then may do what the repository's settings say, often to write everything.",
        "Write `permissions: {}` at the top, and give each job what it needs.",
        &[cwe!(250), HARDENING],
        |file, hits| {
            for (name, job, line) in file.jobs().filter(|_| file.0.get("permissions").is_none()) {
                if job.get("permissions").is_none() {
                    hits.add(line, name);
                }
            }
        },
    ),
    rule(
        ("actions/write-all", High),
        "a token may write everything",
        "Any action that a job uses can change the repository and its releases.",
        "Name the permissions that are needed.",
        &[cwe!(250), HARDENING],
        |file, hits| {
            let all = file.everywhere("permissions").filter(|it| it.text() == Some("write-all"));
            all.for_each(|it| hits.add(it.line, "write-all"));
        },
    ),
    rule(
        ("actions/secret-in-log", High),
        "a script prints a secret",
        "The log hides a secret only as long as nothing changes a character of it.",
        "Give it to the program by `env` or a file, and print nothing.",
        &[cwe!(532), HARDENING],
        |file, hits| {
            for step in file.steps() {
                let Some((script, line)) = step.script().filter(|_| step.node.get("run").is_some()) else { continue };
                let all = commands(script);
                for (at, command) in all.iter().enumerate() {
                    let prints =
                        matches!(command.program().0, "echo" | "printf") && command.text().contains("secrets.");
                    let is_kept = command.text().contains('>') || all.get(at + 1).is_some_and(|next| next.is_piped);
                    if prints && !is_kept {
                        hits.add(line, format!("{}: {}", step.name, command.text()));
                    }
                }
            }
        },
    ),
    rule(
        ("actions/secrets-inherit", Medium),
        "a called workflow gets all secrets",
        "Whoever changes that workflow can use every one of them.",
        "Name the secrets that it needs.",
        &[cwe!(250), HARDENING],
        |file, hits| {
            for (name, job, _) in file.jobs() {
                job.get("secrets")
                    .filter(|it| it.text() == Some("inherit"))
                    .into_iter()
                    .for_each(|it| hits.add(it.line, name));
            }
        },
    ),
    rule(
        ("actions/all-secrets", Medium),
        "all secrets are handed on at once",
        "A step gets those that it does not need, too, and the log hides none of what JSON does to them.",
        "Name the secrets that the step needs.",
        &[cwe!(250), HARDENING],
        |file, hits| {
            for step in file.steps() {
                let places = ["env", "with"].iter().filter_map(|key| step.node.get(key)).flat_map(Node::entries);
                let texts = places.map(|(_, node)| node).chain(step.node.get("run"));
                let whole = |text: &str| expressions(text).any(|it| it.contains("tojson(secrets)"));
                texts.filter(|it| it.text().is_some_and(whole)).for_each(|it| hits.add(it.line, &step.name));
            }
        },
    ),
    rule(
        ("actions/self-hosted-pull-request", High),
        "pull requests run on a machine of one's own",
        "Its author's code can stay there and wait for the next job.",
        "Use hosted runners for pull requests, or machines that serve one job.",
        &[cwe!(668), HARDENING],
        |file, hits| {
            let by_strangers = file.starts_on(&["pull_request", "pull_request_target"]);
            for (name, job, _) in file.jobs().filter(|_| by_strangers) {
                let Some(runs_on) = job.get("runs-on") else { continue };
                let labels = runs_on.get("labels").unwrap_or(runs_on);
                if labels.one_or_more().iter().any(|it| it.text() == Some("self-hosted")) {
                    hits.add(runs_on.line, name);
                }
            }
        },
    ),
    rule(
        ("actions/unsecure-commands", High),
        "commands in the log may set the environment",
        "Whatever prints a line can set variables such as PATH for later steps (CVE-2020-15228).",
        "Remove `ACTIONS_ALLOW_UNSECURE_COMMANDS`, and write to the files that the runner names.",
        &[cwe!(74), HARDENING],
        |file, hits| {
            let set = file.everywhere("env").filter_map(|env| env.get("ACTIONS_ALLOW_UNSECURE_COMMANDS"));
            set.filter(|it| it.is_true()).for_each(|it| hits.add(it.line, "ACTIONS_ALLOW_UNSECURE_COMMANDS"));
        },
    ),
    rule(
        ("actions/container-unpinned", Medium),
        "a container image is not pinned by a digest",
        "Whoever may push to the registry can move the tag to another image, which then sees the job's secrets.",
        "Add the digest: `image:tag@sha256:…`.",
        &[cwe!(829), SLSA],
        |file, hits| {
            let containers = file.jobs().filter_map(|(_, job, _)| job.get("container"));
            let services = file.jobs().flat_map(|(_, job, _)| job.get("services").map_or(&[][..], Node::entries));
            let images = containers.chain(services.map(|(_, service)| service)).map(|it| it.get("image").unwrap_or(it));
            let used = file.steps().filter_map(|step| step.node.get("uses"));
            for image in images.chain(used.filter(|it| it.text().is_some_and(|text| text.starts_with("docker://")))) {
                let text = image.text().unwrap_or_default().trim_start_matches("docker://");
                if !text.is_empty() && matches!(pin(text), Pin::Tag | Pin::Latest) {
                    hits.add(image.line, text);
                }
            }
        },
    ),
    rule(
        ("actions/pipe-to-shell", High),
        "a script from the network is run as it comes",
        "Whoever controls the address controls the job, its token and its secrets.",
        "Fetch a file of a fixed version, check its digest, then run it.",
        &[cwe!(494), SLSA],
        |file, hits| {
            for step in file.steps().filter(|step| step.node.get("run").is_some()) {
                let Some((script, line)) = step.script() else { continue };
                pipes_to_shell(&commands(script))
                    .for_each(|it| hits.add(line, format!("{}: {}", step.name, it.text())));
            }
        },
    ),
    rule(
        ("actions/persist-credentials", Low),
        "the token stays in the checked-out folder",
        "Every later step can push with it, and an archive of the folder contains it.",
        "Set `persist-credentials: false`.",
        &[cwe!(522), HARDENING],
        |file, hits| {
            for step in file.steps().filter(|step| step.is("actions/checkout")) {
                if !step.node.is_false_at("with.persist-credentials") {
                    hits.add(step.node.line, &step.name);
                }
            }
        },
    ),
    rule(
        ("actions/cache-in-release", Medium),
        "a release is built from a cache",
        "A branch or an earlier job can leave something in the cache that gets into the release.",
        "Build releases without a cache.",
        &[cwe!(349), SLSA],
        |file, hits| {
            let releases = file.starts_on(&["release"]) || file.0.at("on.push.tags").is_some();
            for step in file.steps().filter(|_| releases) {
                let used = step.node.text_at("uses");
                let is_cache = step.is("actions/cache") || step.is("actions/cache/restore");
                let setup = used.rsplit('/').next().is_some_and(|name| name.starts_with("setup-"));
                let cache = step.node.at("with.cache").filter(|it| setup && !it.is_false() && it.text() != Some(""));
                if is_cache || cache.is_some() {
                    hits.add(cache.map_or(step.node.line, |it| it.line), &step.name);
                }
            }
        },
    ),
    rule(
        ("actions/secret-in-env", High),
        "a secret is written out",
        "Everybody who can read the repository has it.",
        "Keep it in the repository's secrets.",
        &[cwe!(798), HARDENING],
        |file, hits| {
            for (key, value) in file.everywhere("env").chain(file.everywhere("with")).flat_map(Node::entries) {
                if is_secret_name(&key.text) && value.text().is_some_and(is_literal) {
                    hits.add(key.line, &key.text);
                }
            }
        },
    ),
    rule(
        ("actions/bot-condition", Medium),
        "a condition trusts whoever acted last",
        "A stranger can make a bot act on a pull request that is not the bot's.",
        "Ask for the author: `github.event.pull_request.user.login`.",
        &[cwe!(290), HARDENING],
        |file, hits| {
            for condition in file.everywhere("if") {
                let text = condition.text().unwrap_or_default().replace(char::is_whitespace, "").to_lowercase();
                if text.contains("github.actor=='") && text.contains("[bot]'") {
                    hits.add(condition.line, text);
                }
            }
        },
    ),
];

/// What stands in `${{ … }}`, in small letters and without spaces: names and functions are the same in any case.
fn expressions(text: &str) -> impl Iterator<Item = String> {
    text.split("${{").skip(1).filter_map(|rest| {
        let (inside, _) = rest.split_once("}}")?;
        Some(inside.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect())
    })
}

/// Values that anybody can choose who may open an issue or a pull request, or push a branch of a fork.
const UNTRUSTED: &[&str] = &[
    "github.head_ref",
    "github.event.comment.body",
    "github.event.commits",
    "github.event.discussion.body",
    "github.event.discussion.title",
    "github.event.head_commit.author.email",
    "github.event.head_commit.author.name",
    "github.event.head_commit.message",
    "github.event.issue.body",
    "github.event.issue.title",
    "github.event.pages",
    "github.event.pull_request.body",
    "github.event.pull_request.head.label",
    "github.event.pull_request.head.ref",
    "github.event.pull_request.head.repo.default_branch",
    "github.event.pull_request.title",
    "github.event.review.body",
    "github.event.review_comment.body",
    "github.event.workflow_run.display_title",
    "github.event.workflow_run.head_branch",
    "github.event.workflow_run.head_commit.message",
    "tojson(github",
    "tojson(github.event",
];

fn is_untrusted(expression: &str) -> bool {
    // `github['event']['issue']` is the same as with dots.
    let dotted = expression.replace("['", ".").replace("']", "").replace('"', "");
    UNTRUSTED.iter().any(|name| {
        dotted.match_indices(name).any(|(at, _)| {
            // A longer name is another one; behind a function's opening, so is a part of what it gets.
            let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
            let next = dotted[at + name.len()..].chars().next();
            next.is_none_or(|c| !(is_name(c) || c == '.' && name.starts_with("tojson")))
        })
    })
}
