//! Rules for Dockerfiles.

use crate::read::dockerfile::{Dockerfile, Instruction};
use crate::read::image::{Pin, pin};
use crate::read::secret::{is_literal, is_secret_name};
use crate::read::shell::{Command, pipes_to_shell};
use crate::rule::{Hits, Rule, rule};
use crate::rules::cwe;
use orch_sdk::Severity::{High, Info, Low, Medium};

const PRACTICES: &str = "https://docs.docker.com/build/building/best-practices/";
const SECRETS: &str = "https://docs.docker.com/build/building/secrets/";
const REFERENCE: &str = "https://docs.docker.com/reference/dockerfile/";

/// The table.
pub static RULES: &[Rule<Dockerfile>] = &[
    rule(
        ("dockerfile/base-image-latest", Medium),
        "the base image has the tag `latest` or none",
        "Every build may begin from something else, and nobody can say from what an image was made.",
        "Name a version and, better, a digest.",
        &[cwe!(1357), PRACTICES],
        |file, hits| base_images(file, Pin::Latest, hits),
    ),
    rule(
        ("dockerfile/base-image-undigested", Low),
        "the base image is not pinned by a digest",
        "Whoever may push to the registry can move the tag to another image.",
        "Add the digest: `image:tag@sha256:…`. A bot can keep it fresh.",
        &[cwe!(1357), PRACTICES],
        |file, hits| base_images(file, Pin::Tag, hits),
    ),
    rule(
        ("dockerfile/user-root", Medium),
        "the image runs as root",
        "A process that breaks out of the container, or writes to a mounted folder, does so as root.",
        "End the last stage with `USER` and a number other than 0.",
        &[cwe!(250), PRACTICES],
        user_root,
    ),
    rule(
        ("dockerfile/add-url", Medium),
        "ADD fetches from an address without a checksum",
        "What the address serves during the build gets into the image unseen.",
        "Give `ADD` the flag `--checksum=sha256:…`, or fetch and verify in one `RUN`.",
        &[cwe!(494), REFERENCE],
        |file, hits| {
            for add in file.all("ADD").filter(|add| !add.flags.iter().any(|flag| flag.starts_with("--checksum="))) {
                let words = add.words();
                for source in words.split_last().map_or(&[][..], |(_, sources)| sources).iter().filter(|it| is_url(it))
                {
                    hits.add(add.line, source);
                }
            }
        },
    ),
    rule(
        ("dockerfile/add-for-copy", Info),
        "ADD where COPY is enough",
        "ADD also unpacks archives and fetches addresses; a reader cannot tell whether that is meant.",
        "Use COPY for files and folders of the context.",
        &[PRACTICES],
        |file, hits| {
            for add in file.all("ADD").filter(|add| add.heredocs.is_empty()) {
                let words = add.words();
                let sources = words.split_last().map_or(&[][..], |(_, sources)| sources);
                let is_archive = |name: &str| {
                    [".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst"].iter().any(|ending| name.ends_with(ending))
                };
                if !sources.is_empty() && !sources.iter().any(|it| is_url(it) || is_archive(it) || it.contains('$')) {
                    hits.add(add.line, &add.text);
                }
            }
        },
    ),
    rule(
        ("dockerfile/secret-in-env", High),
        "ENV sets a secret",
        "The value stands in the image's configuration, where everybody who can pull it can read it.",
        "Give secrets to the container when it starts, or to a build step with `RUN --mount=type=secret`.",
        &[cwe!(798), SECRETS],
        |file, hits| {
            for env in file.all("ENV") {
                // A value from a build argument stands in the image just as one that is written out.
                let set = |value: &Option<String>| {
                    value.as_ref().is_some_and(|value| is_literal(value) || value.starts_with('$'))
                };
                for (name, _) in env.pairs().iter().filter(|(name, value)| is_secret_name(name) && set(value)) {
                    hits.add(env.line, name);
                }
            }
        },
    ),
    rule(
        ("dockerfile/secret-in-arg", High),
        "a build argument takes a secret",
        "The values of build arguments stay in the history of the image.",
        "Use `RUN --mount=type=secret`.",
        &[cwe!(538), SECRETS],
        |file, hits| {
            for arg in file.all("ARG") {
                for (name, _) in arg.pairs().iter().filter(|(name, _)| is_secret_name(name)) {
                    hits.add(arg.line, name);
                }
            }
        },
    ),
    rule(
        ("dockerfile/secret-copied", High),
        "a file of keys or passwords is copied into the image",
        "Layers keep files even if a later step removes them.",
        "Leave it out with `.dockerignore` and use `RUN --mount=type=secret` where a step needs it.",
        &[cwe!(538), SECRETS],
        |file, hits| {
            for copy in copies(file) {
                let words = copy.words();
                for source in words.split_last().map_or(&[][..], |(_, it)| it).iter().filter(|it| is_secret_file(it)) {
                    hits.add(copy.line, source);
                }
            }
        },
    ),
    rule(
        ("dockerfile/copy-everything", Low),
        "the whole context is copied, and no `.dockerignore` keeps anything out",
        "The history of the repository, local settings and keys get into the image.",
        "Copy what is needed, or write a `.dockerignore`.",
        &[cwe!(538), PRACTICES],
        |file, hits| {
            for copy in copies(file).filter(|_| !file.has_ignore_file) {
                let words = copy.words();
                let sources = words.split_last().map_or(&[][..], |(_, sources)| sources);
                if sources.iter().any(|source| matches!(source.as_str(), "." | "./" | "/" | "*" | "./*")) {
                    hits.add(copy.line, &copy.text);
                }
            }
        },
    ),
    rule(
        ("dockerfile/apt-recommends", Low),
        "apt-get installs recommended packages too",
        "More software is more to keep free of weaknesses.",
        "Add `--no-install-recommends`.",
        &[PRACTICES],
        |file, hits| {
            let is_bare = |it: &Command| {
                apt_installs(it)
                    && !it
                        .words
                        .iter()
                        .any(|word| word == "--no-install-recommends" || word.contains("APT::Install-Recommends"))
            };
            each_command(file, hits, is_bare);
        },
    ),
    rule(
        ("dockerfile/apt-no-cleanup", Low),
        "the lists of apt-get stay in the layer",
        "They make the image larger and go out of date.",
        "End the same RUN with `rm -rf /var/lib/apt/lists/*`, or mount a cache there.",
        &[PRACTICES],
        |file, hits| {
            for run in file.all("RUN") {
                let commands = run.commands();
                let is_mounted = run.flags.iter().any(|flag| flag.contains("/var/lib/apt"));
                let is_clean = commands
                    .iter()
                    .any(|it| it.program().0 == "rm" && it.words.iter().any(|word| word.starts_with("/var/lib/apt")));
                if let Some(install) = commands.iter().find(|it| apt_installs(it)).filter(|_| !is_mounted && !is_clean)
                {
                    hits.add(run.line, install.text());
                }
            }
        },
    ),
    rule(
        ("dockerfile/package-cache", Low),
        "the cache of a package manager stays in the layer",
        "It makes the image larger and serves nobody.",
        "Use `apk add --no-cache`, `pip install --no-cache-dir`, or mount a cache.",
        &[PRACTICES],
        |file, hits| {
            for run in file.all("RUN").filter(|run| !run.flags.iter().any(|flag| flag.contains("type=cache"))) {
                for command in run.commands() {
                    let lacks = |flag: &str| !command.words.iter().any(|word| word == flag);
                    let pip = command.runs("pip", "install") || command.runs("pip3", "install");
                    if command.runs("apk", "add") && lacks("--no-cache") || pip && lacks("--no-cache-dir") {
                        hits.add(run.line, command.text());
                    }
                }
            }
        },
    ),
    rule(
        ("dockerfile/pipe-to-shell", High),
        "a script from the network is run as it comes",
        "Whoever controls the address, or the connection to it, controls the image.",
        "Fetch a file of a fixed version, check its digest, then run it.",
        &[cwe!(494)],
        |file, hits| {
            for (line, commands) in file.commands() {
                pipes_to_shell(&commands).for_each(|command| hits.add(line, command.text()));
            }
        },
    ),
    rule(
        ("dockerfile/sudo", Medium),
        "RUN uses sudo",
        "A build step is root unless USER says otherwise; sudo in the image is a way back to root for whoever gets in.",
        "Do what needs root before `USER`, and leave sudo out of the image.",
        &[cwe!(250), PRACTICES],
        |file, hits| each_command(file, hits, Command::is_sudo),
    ),
    rule(
        ("dockerfile/chmod-777", Medium),
        "files are made writable for everybody",
        "Any process in the container can change what another one runs.",
        "Give the files to the user that needs them: `COPY --chown`, `chmod 750`.",
        &[cwe!(732)],
        |file, hits| {
            let opens = |word: &String| {
                let digits = word.len() >= 3 && word.bytes().all(|byte| byte.is_ascii_digit());
                (digits && word.ends_with(['2', '3', '6', '7']))
                    || matches!(word.as_str(), "a+w" | "o+w" | "a+rwx" | "o+rwx" | "ugo+rwx")
            };
            each_command(file, hits, |it| it.program().0 == "chmod" && it.words.iter().any(opens));
            for copy in copies(file) {
                let modes = copy.flags.iter().filter_map(|flag| flag.strip_prefix("--chmod="));
                modes
                    .filter(|mode| opens(&(*mode).to_owned()))
                    .for_each(|mode| hits.add(copy.line, format!("--chmod={mode}")));
            }
        },
    ),
    rule(
        ("dockerfile/no-healthcheck", Info),
        "the image has no HEALTHCHECK",
        "An engine without probes of its own cannot tell a process that hangs from one that works.",
        "Add `HEALTHCHECK CMD …`, or `HEALTHCHECK NONE` where the platform has its own probes.",
        &[REFERENCE],
        |file, hits| {
            let stages = file.final_stages();
            if !stages.iter().any(|stage| stage.instructions.iter().any(|it| it.keyword == "HEALTHCHECK")) {
                stages.first().into_iter().for_each(|stage| hits.add(stage.line, ""));
            }
        },
    ),
    rule(
        ("dockerfile/expose-ssh", Medium),
        "the image offers SSH",
        "A second way in, with its own keys and logins, beside the platform's own.",
        "Remove the SSH server; use what the platform has to look into a container.",
        &[cwe!(1125)],
        |file, hits| {
            for expose in file.all("EXPOSE") {
                if expose.words().iter().any(|word| matches!(word.as_str(), "22" | "22/tcp")) {
                    hits.add(expose.line, &expose.text);
                }
            }
        },
    ),
    rule(
        ("dockerfile/cd-in-run", Info),
        "RUN begins by changing the folder",
        "The next instruction begins where it was before, which is easily overlooked.",
        "Use WORKDIR.",
        &[PRACTICES],
        |file, hits| {
            for (line, commands) in file.commands() {
                if let Some(command) = commands.first().filter(|it| it.program().0 == "cd") {
                    hits.add(line, command.text());
                }
            }
        },
    ),
    rule(
        ("dockerfile/tls-unverified", High),
        "a download does not check certificates",
        "Anybody on the way can put something else into the image.",
        "Remove the option; add the authority's certificate to the image if it is your own.",
        &[cwe!(295)],
        |file, hits| each_command(file, hits, is_unverified),
    ),
];

fn is_url(word: &str) -> bool {
    ["http://", "https://", "ftp://"].iter().any(|scheme| word.to_ascii_lowercase().starts_with(scheme))
}

/// COPY and ADD from the context, not from another stage.
fn copies(file: &Dockerfile) -> impl Iterator<Item = &Instruction> {
    let copies = file.instructions().filter(|it| matches!(it.keyword, "COPY" | "ADD"));
    copies.filter(|copy| !copy.flags.iter().any(|flag| flag.starts_with("--from=")))
}

fn each_command(file: &Dockerfile, hits: &mut Hits, is_bad: impl Fn(&Command) -> bool) {
    for (line, commands) in file.commands() {
        commands.iter().filter(|command| is_bad(command)).for_each(|command| hits.add(line, command.text()));
    }
}

fn apt_installs(command: &Command) -> bool {
    command.runs("apt-get", "install") || command.runs("apt", "install")
}

fn base_images(file: &Dockerfile, wrong: Pin, hits: &mut Hits) {
    for (number, stage) in file.stages.iter().enumerate() {
        if stage.image != "scratch" && file.base_of(number).is_none() && pin(&stage.image) == wrong {
            hits.add(stage.line, &stage.image);
        }
    }
}

fn user_root(file: &Dockerfile, hits: &mut Hits) {
    let stages = file.final_stages();
    let user = stages.iter().find_map(|stage| stage.instructions.iter().rfind(|it| it.keyword == "USER"));
    match user {
        Some(user) => {
            let name = user.text.split([':', ' ']).next().unwrap_or_default();
            if matches!(name, "root" | "0") {
                hits.add(user.line, format!("USER {}", user.text));
            }
        }
        None => stages.first().into_iter().for_each(|stage| hits.add(stage.line, "no USER")),
    }
}

fn is_secret_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let is_key = [".pem", ".key", ".p12", ".pfx", ".jks", ".kdbx"].iter().any(|ending| name.ends_with(ending));
    let is_known = matches!(
        name.as_str(),
        "id_rsa"
            | "id_dsa"
            | "id_ecdsa"
            | "id_ed25519"
            | ".env"
            | ".npmrc"
            | ".pypirc"
            | ".netrc"
            | ".htpasswd"
            | ".git-credentials"
            | "credentials"
            | "kubeconfig"
            | ".dockercfg"
            | ".aws"
            | ".ssh"
    );
    is_key || is_known
}

fn is_unverified(command: &Command) -> bool {
    let (program, arguments) = command.program();
    let has = |words: &[&str]| arguments.iter().any(|argument| words.contains(&argument.as_str()));
    let short_k = || {
        let mut short = arguments.iter().filter(|it| it.starts_with('-') && !it.starts_with("--"));
        short.any(|it| it[1..].bytes().all(|byte| byte.is_ascii_alphabetic()) && it.contains('k'))
    };
    match program {
        "curl" => has(&["--insecure", "--proxy-insecure"]) || short_k(),
        "wget" => has(&["--no-check-certificate"]),
        "pip" | "pip3" => has(&["--trusted-host"]) || arguments.iter().any(|it| it.starts_with("--trusted-host=")),
        "git" => has(&["http.sslVerify"]) && has(&["false"]) || has(&["http.sslVerify=false"]),
        "npm" | "yarn" => has(&["strict-ssl"]) && has(&["false"]) || has(&["strict-ssl=false", "--strict-ssl=false"]),
        "apt-get" | "apt" => has(&["--allow-unauthenticated", "--force-yes"]),
        _ => false,
    }
}
