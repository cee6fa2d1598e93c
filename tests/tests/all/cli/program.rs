//! The program as a test starts it: in a folder of its own, with a home of its own and nothing of this process's environment.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// How long a refusal may take at most. Generous: what it is about is that nobody waits for a bomb.
pub(crate) const REFUSAL: Duration = Duration::from_secs(2);

/// The checkout.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The binary beside this test, built from what the checkout has now.
pub(crate) fn binary() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let binary = orch_tests::program("orch-wasm");
        let Some(cargo) = std::env::var_os("CARGO") else { return binary };
        let profile = binary.parent().unwrap();
        let mut build = Command::new(cargo);
        build.current_dir(repository()).args(["build", "--quiet", "--package", "orch-wasm", "--target-dir"]);
        build.arg(profile.parent().unwrap());
        if profile.ends_with("release") {
            build.arg("--release");
        }
        let built = build.output().expect("cargo can be started");
        assert!(built.status.success(), "the program does not build:\n{}", String::from_utf8_lossy(&built.stderr));
        binary
    })
}

/// A folder with a home beside it; both go away.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    shared_cache: bool,
}

impl Place {
    /// An empty folder.
    pub(crate) fn empty() -> Place {
        let folder = tempfile::tempdir().unwrap();
        for name in ["work", "home", "tmp"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Place { folder, shared_cache: false }
    }

    /// With what `init` writes: a workflow, a policy, a registry and a key.
    pub(crate) fn new() -> Place {
        let place = Place::empty();
        place.run(["init", "."]).exits(0);
        place
    }

    /// With a code cache that all such places share: compiling a large guest takes longer than most tests.
    pub(crate) fn with_shared_cache(mut self) -> Place {
        self.shared_cache = true;
        self
    }

    /// Where the program is started.
    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// A path in the folder where the program is started.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.work().join(name)
    }

    /// A path beside the folder where the program is started.
    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where compiled code is kept.
    pub(crate) fn code_cache(&self) -> PathBuf {
        self.cache().join("orch-wasm/code")
    }

    fn cache(&self) -> PathBuf {
        match self.shared_cache {
            true => Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-cache"),
            false => self.outside("home/.cache"),
        }
    }

    /// Writes a file, with the folders above it.
    pub(crate) fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Reads a file.
    #[track_caller]
    pub(crate) fn read(&self, name: impl AsRef<Path>) -> String {
        let path = self.path(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Puts `new` in the place of `old` in a file.
    #[track_caller]
    pub(crate) fn replace(&self, name: &str, old: &str, new: &str) {
        let text = self.read(name);
        assert!(text.contains(old), "`{name}` has no `{old}`:\n{text}");
        self.write(name, text.replace(old, new));
    }

    /// The program, ready to be started here.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(binary());
        command.args(arguments);
        self.surround(&mut command);
        command
    }

    /// Gives a command this place's folder and an environment that has nothing else in it.
    pub(crate) fn surround(&self, command: &mut Command) {
        let home = self.outside("home");
        command
            .current_dir(self.work())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", &home)
            .env("XDG_CONFIG_HOME", home.join(".config"))
            .env("XDG_CACHE_HOME", self.cache())
            .env("TMPDIR", self.outside("tmp"))
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null());
    }

    /// Runs the program to its end.
    #[track_caller]
    pub(crate) fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Ran {
        Ran::of(self.command(arguments))
    }

    /// The next run in the same folder works: nothing that happened before is in its way.
    #[track_caller]
    pub(crate) fn still_works(&self) {
        self.write("still-works.yaml", STILL_WORKS);
        self.run(["run", "still-works.yaml"]).exits(0).says_out("still-works succeeded");
        self.run(["runs", "verify", "latest"]).exits(0);
    }

    /// How many runs are recorded.
    #[track_caller]
    pub(crate) fn runs(&self) -> usize {
        match self.path(".orch-wasm/state.db").exists() {
            true => self.run(["runs", "list", "--most", "1000", "--format", "json"]).exits(0).stdout.lines().count(),
            false => 0,
        }
    }
}

/// Needs the plugin that `init` published, by the version that it has.
const STILL_WORKS: &str = "schema: orch-wasm/v1
name: still-works
tasks:
  one: { uses: orch/echo@=1.0.0, with: { message: fine } }
";

/// What became of a start of the program.
#[derive(Debug)]
pub(crate) struct Ran {
    /// As it was started, for messages.
    what: String,
    /// The exit code, or 128 and the signal.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Ran {
    /// Runs a command to its end, which is never that of a program with a bug.
    #[track_caller]
    pub(crate) fn of(command: Command) -> Ran {
        Ran::unchecked(command).without_bug()
    }

    /// Runs a command to its end, whatever that is.
    #[track_caller]
    pub(crate) fn unchecked(mut command: Command) -> Ran {
        let begun = Instant::now();
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Ran::end(child.unwrap_or_else(|error| panic!("{command:?}: {error}")), &command, begun)
    }

    /// Waits for the end of a command that was started.
    #[track_caller]
    pub(crate) fn end(child: Child, command: &Command, begun: Instant) -> Ran {
        let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
        let arguments: Vec<_> = command.get_args().map(|argument| argument.to_string_lossy()).collect();
        Ran {
            what: arguments.join(" "),
            code: status.code().or(status.signal().map(|signal| 128 + signal)).unwrap(),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
            took: begun.elapsed(),
        }
    }

    /// It did not end by a bug of the program.
    #[track_caller]
    pub(crate) fn without_bug(self) -> Ran {
        // What a guest says of its own panics stands behind its task's name.
        let panicked = |line: &str| line.starts_with("thread '") && line.contains("panicked");
        assert!(!self.stderr.lines().any(panicked), "{self}");
        for bad in ["this is a bug", "overflowed its stack", "memory allocation of"] {
            assert!(!self.stderr.contains(bad), "{self}");
        }
        self
    }

    /// Its exit code is this one.
    #[track_caller]
    pub(crate) fn exits(&self, code: i32) -> &Ran {
        assert_eq!(self.code, code, "{self}");
        self
    }

    /// It is refused as invalid input, with this code and these texts on standard error, and prints nothing on standard output.
    #[track_caller]
    pub(crate) fn refused(&self, code: &str, texts: &[&str]) -> &Ran {
        self.fails(2, code, texts)
    }

    /// It fails with this exit code, this error code and these texts on standard error.
    #[track_caller]
    pub(crate) fn fails(&self, exit: i32, code: &str, texts: &[&str]) -> &Ran {
        self.exits(exit).says(&format!("error[{code}]"));
        assert_eq!(self.stdout, "", "{self}");
        texts.iter().for_each(|text| {
            self.says(text);
        });
        self
    }

    /// Standard error has this text.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Ran {
        assert!(self.stderr.contains(text), "standard error has no `{text}`\n{self}");
        self
    }

    /// Standard error does not have this text.
    #[track_caller]
    pub(crate) fn does_not_say(&self, text: &str) -> &Ran {
        assert!(!self.stderr.contains(text), "standard error has `{text}`\n{self}");
        self
    }

    /// Standard output has this text.
    #[track_caller]
    pub(crate) fn says_out(&self, text: &str) -> &Ran {
        assert!(self.stdout.contains(text), "standard output has no `{text}`\n{self}");
        self
    }

    /// It took no longer than this.
    #[track_caller]
    pub(crate) fn within(&self, time: Duration) -> &Ran {
        assert!(self.took <= time, "it took {:?}\n{self}", self.took);
        self
    }

    /// Standard output as one JSON value a line.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<serde_json::Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.stdout.lines().map(parse).collect()
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let cut = |text: &str| text.chars().take(6_000).collect::<String>();
        writeln!(f, "`orch-wasm {}` ended with {} after {:?}", self.what, self.code, self.took)?;
        writeln!(f, "-- standard output\n{}-- standard error\n{}--", cut(&self.stdout), cut(&self.stderr))
    }
}
