//! A program of the host that a task may run: which one, and the only form that its arguments can take. No shell is ever involved;
//! a slot is a part of one argument and never becomes two.

use crate::names::{ExecName, SlotName};
use crate::{Digest, EnvName, MountName};
use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Bytes of one filled slot. Linux takes 128 KiB in one argument.
pub const LONGEST_SLOT: usize = 16 << 10;

/// What a slot may be filled with. Controls and NUL are allowed in none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SlotKind {
    /// Any text that does not begin like an option or a file of arguments: not with `-`, `+` or `@`.
    Text,
    /// A whole number.
    Int,
    /// Letters, digits, `.`, `_` and `-`, beginning with a letter or digit.
    Name,
    /// A path in a folder that the task was granted, as the guest sees it. The program sees the host's.
    Path,
    /// One of these.
    Choice(Vec<String>),
}

impl fmt::Display for SlotKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SlotKind::Text => f.write_str("text"),
            SlotKind::Int => f.write_str("int"),
            SlotKind::Name => f.write_str("name"),
            SlotKind::Path => f.write_str("path"),
            SlotKind::Choice(all) => write!(f, "one of {}", all.join(", ")),
        }
    }
}

impl SlotKind {
    /// Whether a value may fill the slot. Of a path only its form is looked at; that it lies in a granted folder is the host's to
    /// check, with the folder open.
    ///
    /// # Errors
    /// The reason, for the plugin's author.
    pub fn check(&self, value: &str) -> Result<(), String> {
        if value.is_empty() {
            return Err("it is empty".to_owned());
        }
        if value.len() > LONGEST_SLOT {
            return Err(format!("it has {} bytes, at most {LONGEST_SLOT} are allowed", value.len()));
        }
        if value.chars().any(char::is_control) {
            return Err("it has a control character".to_owned());
        }
        let first = value.chars().next().unwrap_or(' ');
        match self {
            SlotKind::Text if matches!(first, '-' | '+' | '@') => {
                Err(format!("it begins with `{first}`, which programs take for an option or a file of arguments"))
            }
            SlotKind::Text => Ok(()),
            SlotKind::Int => {
                let digits = value.strip_prefix('-').unwrap_or(value);
                let whole = !digits.is_empty() && digits.len() < 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
                // A negative number looks like an option.
                if whole && first != '-' { Ok(()) } else { Err("it is no whole number from 0".to_owned()) }
            }
            SlotKind::Name => {
                let fits = value.len() <= 255
                    && first.is_ascii_alphanumeric()
                    && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
                if fits {
                    Ok(())
                } else {
                    Err("a name has letters, digits, `.`, `_` and `-`, the first is a letter or digit".to_owned())
                }
            }
            SlotKind::Path if first != '/' => Err("a path begins with `/`, as the guest sees it".to_owned()),
            SlotKind::Path if value.split('/').any(|part| part == "..") => Err("it has `..`".to_owned()),
            SlotKind::Path => Ok(()),
            SlotKind::Choice(all) if all.iter().any(|choice| choice == value) => Ok(()),
            SlotKind::Choice(all) => Err(format!("it is none of {}", all.join(", "))),
        }
    }
}

/// One argument: text with slots, as in `--since={since}`. `{{` and `}}` stand for braces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArgTemplate {
    text: String,
    parts: Vec<ArgPart>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ArgPart {
    Text(String),
    Slot(SlotName),
}

impl ArgTemplate {
    /// The slots in it.
    pub fn slots(&self) -> impl Iterator<Item = &SlotName> {
        self.parts.iter().filter_map(|part| match part {
            ArgPart::Slot(slot) => Some(slot),
            ArgPart::Text(_) => None,
        })
    }

    /// The argument with its slots filled; a slot without a value is left out together with the argument.
    pub fn fill(&self, value: impl Fn(&SlotName) -> Option<String>) -> Option<String> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                ArgPart::Text(part) => text.push_str(part),
                ArgPart::Slot(slot) => text.push_str(&value(slot)?),
            }
        }
        Some(text)
    }

    /// Whether the argument begins with a slot, so that its value could be taken for an option.
    pub fn begins_with_slot(&self) -> bool {
        matches!(self.parts.first(), Some(ArgPart::Slot(_)))
    }
}

impl fmt::Display for ArgTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<ArgTemplate> for String {
    fn from(template: ArgTemplate) -> String {
        template.text
    }
}

impl TryFrom<String> for ArgTemplate {
    type Error = String;

    fn try_from(text: String) -> Result<ArgTemplate, String> {
        if text.chars().any(char::is_control) {
            return Err("an argument has no control characters".to_owned());
        }
        let (mut parts, mut plain, mut rest) = (Vec::new(), String::new(), text.as_str());
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
                continue;
            }
            let Some((slot, after)) = rest.split_once('}').filter(|_| brace == "{") else {
                return Err(format!("`{text}` has a lone `{brace}`; write it twice if it is meant"));
            };
            if !plain.is_empty() {
                parts.push(ArgPart::Text(std::mem::take(&mut plain)));
            }
            parts.push(ArgPart::Slot(SlotName::try_from(slot).map_err(|error| error.to_string())?));
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() || parts.is_empty() {
            parts.push(ArgPart::Text(plain));
        }
        Ok(ArgTemplate { text, parts })
    }
}

/// A program that a task may run, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecGrant {
    /// What the plugin calls it.
    pub alias: ExecName,
    /// Absolute.
    pub program: Utf8PathBuf,
    /// Its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<ArgTemplate>,
    /// What its slots may be filled with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub slots: BTreeMap<SlotName, SlotKind>,
    /// The granted folder in which it runs; absent for an empty folder of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<MountName>,
    /// Variables that it sees. It sees no other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvName>,
    /// What the program's bytes have to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Whether it changes nothing, so that a dry run may run it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
    /// Whether it may be one that runs other programs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interpreter: bool,
    /// Whether it keeps the rights of the user who runs the engine and reaches every file that this user reaches, as a package manager
    /// has to. A dry run never runs it: nothing could keep it from changing what it likes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unconfined: bool,
}

/// The longest single argument that Linux takes (`MAX_ARG_STRLEN`, 32 pages of 4 KiB, with the NUL at its end).
pub const LONGEST_ARGUMENT: usize = (128 << 10) - 1;

/// Bytes of all arguments together. Linux takes a quarter of the stack's limit, 2 MiB as a rule.
pub const MOST_ARGUMENTS: usize = 1 << 20;

impl ExecGrant {
    /// The values of slots by their name, each checked for its form.
    ///
    /// # Errors
    /// A slot that the grant does not have, one that is given twice, or a value that does not fit.
    pub fn check_slots(&self, given: &[(String, String)]) -> Result<BTreeMap<SlotName, String>, String> {
        let mut values = BTreeMap::new();
        for (name, value) in given {
            let known = || self.slots.keys().map(|slot| format!("`{slot}`")).collect::<Vec<_>>().join(", ");
            let Some((slot, kind)) = self.slots.iter().find(|(slot, _)| slot.as_str() == name) else {
                let known = if self.slots.is_empty() { "none".to_owned() } else { known() };
                return Err(format!("the grant has no such slot (it has {known})"));
            };
            kind.check(value).map_err(|reason| format!("the value of `{slot}` ({kind}) does not fit: {reason}"))?;
            if values.insert(slot.clone(), value.clone()).is_some() {
                return Err(format!("the slot `{slot}` is given twice"));
            }
        }
        Ok(values)
    }

    /// The arguments with their slots filled. An argument with a slot that has no value is left out; `--` comes before the first
    /// value of a plugin, where the program takes that for the end of its options.
    ///
    /// # Errors
    /// A template names a slot that has no kind, or the arguments are longer than the system takes.
    pub fn arguments(&self, values: &BTreeMap<SlotName, String>) -> Result<Vec<String>, String> {
        if let Some(slot) = self.args.iter().flat_map(ArgTemplate::slots).find(|slot| !self.slots.contains_key(*slot)) {
            return Err(format!("the grant says nothing of what may fill `{slot}`"));
        }
        let end_of_options = self.end_of_options();
        let mut arguments = Vec::with_capacity(self.args.len() + 1);
        for (at, template) in self.args.iter().enumerate() {
            if end_of_options == Some(at) {
                arguments.push("--".to_owned());
            }
            arguments.extend(template.fill(|slot| values.get(slot).cloned()));
        }
        if let Some(long) = arguments.iter().find(|argument| argument.len() > LONGEST_ARGUMENT) {
            return Err(format!("an argument has {} bytes, at most {LONGEST_ARGUMENT} are possible", long.len()));
        }
        let all: usize = arguments.iter().map(|argument| argument.len() + 1).sum();
        if all > MOST_ARGUMENTS {
            return Err(format!("the arguments have {all} bytes, at most {MOST_ARGUMENTS} are allowed"));
        }
        Ok(arguments)
    }

    /// Before which argument `--` is put. Not before the value of an option (`-e {pattern}`) or where options of the template
    /// follow, which would change what the template means; the kinds of slots refuse what looks like an option in any case.
    fn end_of_options(&self) -> Option<usize> {
        let is_option = |template: &ArgTemplate| template.text.starts_with('-');
        if !honours_end_of_options(&self.program) || self.args.iter().any(|template| template.text == "--") {
            return None;
        }
        // A choice is text of the grant's author, and may well be an option.
        let is_value = |template: &ArgTemplate| match template.parts.first() {
            Some(ArgPart::Slot(slot)) => !matches!(self.slots.get(slot), Some(SlotKind::Choice(_))),
            _ => false,
        };
        let at = (0..self.args.len())
            .find(|at| is_value(&self.args[*at]) && !(*at > 0 && is_option(&self.args[*at - 1])))?;
        let options_follow = self.args[at..]
            .iter()
            .any(|template| is_option(template) || (template.begins_with_slot() && !is_value(template)));
        (!options_follow).then_some(at)
    }
}

/// Programs that run other programs or text, so that a grant of one of them is a grant of everything.
const INTERPRETERS: &[&str] = &[
    "ansible",
    "ant",
    "apt",
    "apt-get",
    "ash",
    "at",
    "awk",
    "bash",
    "batch",
    "bazel",
    "bpftrace",
    "bun",
    "bundle",
    "bunx",
    "busybox",
    "bwrap",
    "c++",
    "cargo",
    "cc",
    "chroot",
    "chrt",
    "clang",
    "clisp",
    "cmake",
    "composer",
    "corepack",
    "cpan",
    "cpio",
    "cpp",
    "crontab",
    "csh",
    "ctr",
    "dash",
    "dc",
    "deno",
    "docker",
    "doas",
    "dpkg",
    "ed",
    "elixir",
    "elvish",
    "emacs",
    "entr",
    "env",
    "erl",
    "ex",
    "expect",
    "fakeroot",
    "find",
    "firejail",
    "fish",
    "flock",
    "ftp",
    "g++",
    "gawk",
    "gcc",
    "gdb",
    "gem",
    "ghc",
    "git",
    "go",
    "gosu",
    "gradle",
    "groovy",
    "guile",
    "helm",
    "hg",
    "iex",
    "install",
    "ionice",
    "ip",
    "irb",
    "java",
    "journalctl",
    "jshell",
    "julia",
    "ksh",
    "kubectl",
    "ld",
    "ld-linux",
    "ld.so",
    "less",
    "logrotate",
    "ltrace",
    "lua",
    "luajit",
    "m4",
    "make",
    "man",
    "mawk",
    "meson",
    "mksh",
    "more",
    "mosh",
    "most",
    "mount",
    "mvn",
    "nerdctl",
    "newgrp",
    "nice",
    "ninja",
    "node",
    "nodejs",
    "nohup",
    "npm",
    "npx",
    "nsenter",
    "nu",
    "numactl",
    "nvim",
    "octave",
    "parallel",
    "perf",
    "perl",
    "pg",
    "php",
    "pip",
    "pipx",
    "pkexec",
    "pnpm",
    "podman",
    "posh",
    "prlimit",
    "proot",
    "psql",
    "pwsh",
    "python",
    "r",
    "racket",
    "rake",
    "rbash",
    "rlwrap",
    "rpm",
    "rscript",
    "rsync",
    "ruby",
    "run-parts",
    "runc",
    "runghc",
    "runuser",
    "rustup",
    "rview",
    "rvim",
    "sbcl",
    "scala",
    "scheme",
    "scp",
    "screen",
    "script",
    "sed",
    "setarch",
    "setpriv",
    "setsid",
    "sftp",
    "sg",
    "sh",
    "socat",
    "split",
    "sqlite",
    "ssh",
    "sshpass",
    "start-stop-daemon",
    "stdbuf",
    "strace",
    "su",
    "sudo",
    "svn",
    "systemctl",
    "systemd-run",
    "tar",
    "taskset",
    "tclsh",
    "tcsh",
    "terraform",
    "time",
    "timeout",
    "tini",
    "tmux",
    "toybox",
    "ts-node",
    "tsx",
    "unshare",
    "uv",
    "uvx",
    "valgrind",
    "vi",
    "view",
    "vim",
    "vimdiff",
    "watch",
    "wish",
    "xargs",
    "xonsh",
    "yarn",
    "yash",
    "zip",
    "zsh",
];

/// Whether a program is known to run other programs or text that it is given. A name counts with and without what stands behind
/// it: `python3.12`, `bash-static`, `perl5.36-x86_64-linux-gnu`; and with what stands before it in a cross compiler's.
pub fn is_interpreter(program: &Utf8Path) -> bool {
    let name = program.file_name().unwrap_or_default().to_ascii_lowercase();
    let known = |name: &str| {
        INTERPRETERS.contains(&name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-'))
    };
    let before = |at: char| name.split(at).next().unwrap_or_default();
    INTERPRETERS.contains(&name.as_str())
        || known(&name)
        || known(before('-'))
        || known(before('.'))
        || known(before('_'))
        || name.starts_with("ld-")
        || name.rsplit('-').take(2).any(known)
}

/// Programs that take `--` for the end of their options and nothing else. Not `git`, for which it stands between revisions and
/// paths, nor `tar`, where it can come between an option and its value.
const END_OF_OPTIONS: &[&str] = &[
    "basename",
    "cat",
    "chmod",
    "chown",
    "cksum",
    "cmp",
    "comm",
    "cp",
    "cut",
    "diff",
    "dirname",
    "du",
    "egrep",
    "fgrep",
    "file",
    "grep",
    "head",
    "join",
    "ln",
    "ls",
    "md5sum",
    "mkdir",
    "mv",
    "nl",
    "od",
    "paste",
    "readlink",
    "realpath",
    "rm",
    "rmdir",
    "sha1sum",
    "sha256sum",
    "sha512sum",
    "sort",
    "stat",
    "tac",
    "tail",
    "touch",
    "tr",
    "truncate",
    "uniq",
    "wc",
];

/// Whether a program is known to take `--` for the end of its options.
pub fn honours_end_of_options(program: &Utf8Path) -> bool {
    program.file_name().is_some_and(|name| END_OF_OPTIONS.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(program: &str, args: &[&str], slots: &[(&str, SlotKind)]) -> ExecGrant {
        ExecGrant {
            alias: ExecName::try_from("a").unwrap(),
            program: program.into(),
            args: args.iter().map(|text| ArgTemplate::try_from((*text).to_owned()).unwrap()).collect(),
            slots: slots.iter().map(|(name, kind)| (SlotName::try_from(*name).unwrap(), kind.clone())).collect(),
            cwd: None,
            env: Vec::new(),
            digest: None,
            read_only: false,
            interpreter: false,
            unconfined: false,
        }
    }

    /// The arguments of a program whose slots `a` and `b` are text, and `c` is a choice.
    #[track_caller]
    fn check_arguments(program: &str, args: &[&str], given: &[(&str, &str)], expected: &[&str]) {
        let choice = SlotKind::Choice(vec!["-l".to_owned()]);
        let grant = grant(program, args, &[("a", SlotKind::Text), ("b", SlotKind::Text), ("c", choice)]);
        let given: Vec<_> = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(grant.arguments(&grant.check_slots(&given).unwrap()).unwrap(), expected);
    }

    #[track_caller]
    fn check_kind(kind: &SlotKind, fit: &[&str], unfit: &[&str]) {
        for value in fit {
            assert_eq!(kind.check(value), Ok(()), "{kind} {value:?}");
        }
        for value in unfit {
            assert!(kind.check(value).is_err(), "{kind} {value:?}");
        }
    }

    #[test]
    fn slots_take_what_they_are_for() {
        let long = "x".repeat(LONGEST_SLOT + 1);
        let never = ["", "a\0b", "a\nb", "a\rb", "\u{1b}[0m", "a\u{85}b", &long];
        let choice = SlotKind::Choice(vec!["one".to_owned(), "-two".to_owned()]);
        for kind in [SlotKind::Text, SlotKind::Int, SlotKind::Name, SlotKind::Path, choice.clone()] {
            check_kind(&kind, &[], &never);
        }
        check_kind(&SlotKind::Text, &["a", "a -b", "$(x); `y`", "ä", "a@b"], &["-", "-a", "--a", "@file", "+x"]);
        check_kind(
            &SlotKind::Int,
            &["0", "42", "9999999999999999999"],
            &["-1", "+1", "1.0", "0x1", "1e3", " 1", "99999999999999999999"],
        );
        check_kind(&SlotKind::Name, &["a", "9", "a.b_c-d"], &[".a", "-a", "_a", "a/b", "a b", "ä", "@a"]);
        check_kind(&SlotKind::Path, &["/", "/source/a", "/source/..a"], &["source", "-a", "@a", "/source/../x", "/.."]);
        check_kind(&choice, &["one", "-two"], &["two", "One", "-"]);
    }

    #[test]
    fn templates_are_parsed_and_filled() {
        let of = |text: &str| ArgTemplate::try_from(text.to_owned());
        for text in ["{", "}", "{a", "a}", "{a}}", "{}", "{A B}", "a\nb", "a\0b"] {
            assert!(of(text).is_err(), "{text:?}");
        }
        let filled = |text: &str| of(text).unwrap().fill(|slot| (slot.as_str() == "a").then(|| "{b} x".to_owned()));
        assert_eq!(filled("plain").as_deref(), Some("plain"));
        assert_eq!(filled("").as_deref(), Some(""));
        assert_eq!(filled("--since={a}.").as_deref(), Some("--since={b} x."), "a value is text, and no template");
        assert_eq!(filled("{{a}}").as_deref(), Some("{a}"));
        assert_eq!(filled("{a}{b}"), None, "an argument with a slot that has no value is left out");
        assert_eq!(of("{{{a}}}").unwrap().slots().count(), 1);
    }

    #[test]
    fn arguments_are_one_for_each_template() {
        let given = [("a", "x y; z"), ("b", "w")];
        check_arguments("/bin/thing", &["-v", "{a}", "{b}"], &given, &["-v", "x y; z", "w"]);
        check_arguments("/bin/thing", &["--x={a}", "{b}"], &given[1..], &["w"]);
    }

    #[test]
    fn the_end_of_options_is_marked_where_it_changes_nothing_else() {
        let given = [("a", "x"), ("b", "y"), ("c", "-l")];
        check_arguments("/bin/cat", &["{a}", "{b}"], &given, &["--", "x", "y"]);
        check_arguments("/bin/grep", &["-n", "-e", "{a}", "{b}"], &given, &["-n", "-e", "x", "--", "y"]);
        check_arguments("/bin/grep", &["--", "{a}"], &given, &["--", "x"]);
        check_arguments("/bin/grep", &["{a}", "-r", "{b}"], &given, &["x", "-r", "y"]);
        check_arguments("/bin/ls", &["{c}", "{a}"], &given, &["-l", "--", "x"]);
        check_arguments("/bin/ls", &["{a}", "{c}"], &given, &["x", "-l"]);
        check_arguments("/bin/git", &["log", "{a}"], &given, &["log", "x"]);
    }

    #[test]
    fn wrong_slots_are_refused() {
        let grant = grant("/bin/cat", &["{a}"], &[("a", SlotKind::Text)]);
        let check = |given: &[(&str, &str)], expected: &str| {
            let given: Vec<_> = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let error = grant.check_slots(&given).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        check(&[("b", "x")], "no such slot (it has `a`)");
        check(&[("a", "x"), ("a", "x")], "twice");
        check(&[("a", "-x")], "begins with `-`");
    }

    #[test]
    fn arguments_longer_than_the_system_takes_are_refused() {
        let value = "x".repeat(LONGEST_SLOT);
        let of = |args: &[&str]| {
            let grant = grant("/bin/thing", args, &[("a", SlotKind::Text)]);
            grant.arguments(&grant.check_slots(&[("a".to_owned(), value.clone())]).unwrap())
        };
        assert!(of(&["{a}{a}{a}{a}{a}{a}{a}"]).is_ok());
        assert!(of(&["{a}{a}{a}{a}{a}{a}{a}{a}"]).is_err(), "128 KiB with the NUL behind it");
        assert!(of(&["{a}{a}{a}{a}"; 16]).is_err(), "1 MiB of arguments");
        assert!(of(&["{b}"]).is_err(), "a slot without a kind");
    }

    /// X2: what runs other programs or text.
    #[test]
    fn x2_interpreters_are_known_by_every_name() {
        let known = [
            "sh",
            "dash",
            "bash-static",
            "bash5",
            "BASH",
            "python",
            "python3",
            "python3.12",
            "python3.12-dbg",
            "perl5.36-x86_64-linux-gnu",
            "node22",
            "env",
            "xargs",
            "find",
            "tar",
            "git",
            "git-shell",
            "ssh",
            "npx",
            "awk",
            "mawk",
            "gawk",
            "docker",
            "busybox.static",
            "ld-linux-x86-64.so.2",
            "ld-musl-x86_64.so.1",
            "x86_64-linux-gnu-gcc",
            "x86_64-linux-gnu-gcc-13",
            "vim.basic",
            "sqlite3",
            "sudo",
            "setsid",
            "timeout",
            "make",
            "php8.2",
            "Rscript",
            "apt-get",
            "start-stop-daemon",
        ];
        for name in known {
            assert!(is_interpreter(Utf8Path::new("/usr/bin").join(name).as_path()), "{name}");
        }
        for name in ["cat", "ls", "grep", "sha256sum", "true", "sleep", "wc", "jq", "terraforming", "shasum", "envoy"] {
            assert!(!is_interpreter(Utf8Path::new("/usr/bin").join(name).as_path()), "{name}");
        }
    }
}
