//! Repositories made with the program `git`, and what the scan of their history says.

mod support;

use orch_plugin_secret_scan::content::Searcher;
use orch_plugin_secret_scan::detect::{Detector, Search};
use orch_plugin_secret_scan::history::Bounds;
use orch_plugin_secret_scan::ruleset::RuleSet;
use orch_plugin_secret_scan::walk::{Filter, Gitignores};
use orch_plugin_secret_scan::{FileList, History, HistoryInput, Input, scan};
use orch_sdk::{Finding, Status, TaskError, TestHost};
use std::fs;
use std::path::Path;
use std::process::Command;
use support::{Tree, github_token, place};

/// A repository, whose commits are a day apart.
struct Repository {
    tree: Tree,
    day: u64,
}

impl Repository {
    fn new() -> Repository {
        Repository::with(&["init", "--quiet", "--initial-branch=main"])
    }

    fn with(init: &[&str]) -> Repository {
        let repository = Repository { tree: Tree::new(&[]), day: 0 };
        repository.git(init);
        repository
    }

    fn path(&self) -> &Path {
        self.tree.0.path()
    }

    /// Runs `git` without any configuration of the machine.
    fn git(&self, arguments: &[&str]) -> String {
        let date = format!("{} +0200", 1_700_000_000 + self.day * 86_400);
        let ran = Command::new("git")
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "gc.auto=0"])
            .args(["-c", "protocol.file.allow=always"])
            .args(arguments)
            .current_dir(self.path())
            .env("HOME", self.path().join("no-home"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_DATE", &date)
            .output()
            .unwrap();
        assert!(ran.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    }

    /// Writes files, commits all, and returns the commit's name. Empty content removes a file.
    fn commit(&mut self, files: &[(&str, &str)]) -> String {
        for (path, content) in files {
            if content.is_empty() {
                fs::remove_file(self.path().join(path)).unwrap();
            } else {
                self.tree.write(path, content.as_bytes());
            }
        }
        self.day += 1;
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "work"]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn scan(&self) -> Vec<Finding> {
        self.scan_with(HistoryInput::default())
    }

    fn scan_with(&self, of: HistoryInput) -> Vec<Finding> {
        self.tree.scan(with_history(of)).1
    }
}

fn with_history(of: HistoryInput) -> Input {
    Input { history: Some(History { wanted: true, of }), ..Input::default() }
}

/// `path:line rule commit` with the commit's first eight digits.
fn told(finding: &Finding) -> String {
    let commit = finding.data.as_ref().and_then(|data| data["commit"].as_str()).map_or("", |commit| &commit[..8]);
    format!("{} {commit}", place(finding)).trim_end().to_owned()
}

#[track_caller]
fn check(findings: &[Finding], expected: &[String]) {
    assert_eq!(findings.iter().map(told).collect::<Vec<_>>(), expected);
}

fn line(place: &str, commit: &str) -> String {
    format!("{place} github-pat {}", &commit[..8])
}

#[test]
fn a_secret_that_was_removed() {
    let token = github_token("removed");
    let mut repository = Repository::new();
    repository.commit(&[("a.txt", "nothing\n")]);
    let second = repository.commit(&[("a.txt", &format!("one\nkey = {token}\n"))]);
    // The line moves, and others change around it: the commit that brought it stays the second.
    repository.commit(&[("a.txt", &format!("one\ntwo\nkey = {token}\nfour\n"))]);
    repository.commit(&[("a.txt", "one\ntwo\n")]);
    let findings = repository.scan();
    check(&findings, &[line("a.txt:2", &second)]);
    let data = findings[0].data.as_ref().unwrap();
    assert_eq!(data["commit"], second.as_str());
    assert_eq!(data["author_date"], "2023-11-17T00:13:20+02:00");
    assert_eq!(data["in_tree"], false);
    assert!(data.get("author").is_none(), "{data}");
    assert!(findings[0].title.ends_with("(in the history only)"), "{}", findings[0].title);
    assert!(findings[0].remediation.as_ref().unwrap().contains("to remove the line is not enough"));
    assert!(!format!("{findings:?}").contains(&token[4..]));
    let (output, ..) = repository.tree.scan(with_history(HistoryInput::default()));
    let history = output.history.unwrap();
    assert_eq!((history.commits, history.versions_scanned, history.findings, output.findings), (4, 4, 1, 1));
    // The author only if asked for.
    let findings = repository.scan_with(HistoryInput { authors: true, ..HistoryInput::default() });
    assert_eq!(findings[0].data.as_ref().unwrap()["author"], "Ada <ada@example.org>");
    // Without `history` there is nothing.
    assert_eq!(repository.tree.scan(Input::default()).1, []);
}

#[test]
fn a_secret_that_is_still_there_is_one_finding() {
    let token = github_token("still");
    let mut repository = Repository::new();
    let first = repository.commit(&[("a.txt", &format!("{token}\n"))]);
    repository.commit(&[("a.txt", &format!("\n\n{token}\n"))]);
    let findings = repository.scan();
    // Where it is now, and which commit brought it.
    check(&findings, &[line("a.txt:3", &first)]);
    assert_eq!(findings[0].data.as_ref().unwrap()["in_tree"], true);
    let print = findings[0].fingerprint.clone();
    // The same fingerprint without the history, and after the line is gone: a baseline goes on to hold.
    assert_eq!(repository.tree.scan(Input::default()).1[0].fingerprint, print);
    fs::remove_file(repository.path().join("a.txt")).unwrap();
    let findings = repository.scan();
    assert_eq!(findings[0].fingerprint, print);
    assert!(findings[0].title.ends_with("(in the newest commit)"), "{}", findings[0].title);
    assert_eq!(findings[0].data.as_ref().unwrap()["in_tree"], true);
    repository.commit(&[]);
    assert_eq!(repository.scan()[0].fingerprint, print);
    repository.tree.write("known.json", format!("[{print:?}]").as_bytes());
    let (output, findings, _) =
        repository.tree.scan(Input { baseline: Some("known.json".into()), ..with_history(HistoryInput::default()) });
    assert_eq!((findings.len(), output.suppressed.baseline), (0, 1));
    // As gitleaks names it.
    repository.tree.write("known.json", format!("[\"{first}:a.txt:github-pat:1\"]").as_bytes());
    let (output, ..) =
        repository.tree.scan(Input { baseline: Some("known.json".into()), ..with_history(HistoryInput::default()) });
    assert_eq!((output.findings, output.suppressed.baseline), (0, 1));
}

#[test]
fn packs_and_single_objects_say_the_same() {
    let mut repository = Repository::new();
    let mut body: Vec<String> =
        (0..400).map(|n| format!("line {n} of some text that is long enough for deltas")).collect();
    let mut expected = Vec::new();
    for n in 0..40_usize {
        body[n * 7] = format!("changed {n}");
        let token = github_token(&format!("pack{n}"));
        let mut text = body.clone();
        text.insert(n, format!("k = {token}"));
        let commit = repository.commit(&[("dir/sub/a.txt", &text.join("\n")), (&format!("other{}", n % 5), "x")]);
        expected.push(line(&format!("dir/sub/a.txt:{}", n + 1), &commit));
    }
    repository.commit(&[("dir/sub/a.txt", "")]);
    check(&repository.scan(), &expected);
    for arguments in [
        &["repack", "-q", "-a", "-d", "-f", "--depth=50", "--window=50"][..],
        &["-c", "pack.indexVersion=2", "repack", "-q", "-a", "-d", "-f", "--depth=1"],
        &["-c", "repack.useDeltaBaseOffset=false", "repack", "-q", "-a", "-d", "-f"],
    ] {
        repository.git(arguments);
        assert!(!repository.path().join(".git/objects/00").exists());
        check(&repository.scan(), &expected);
    }
    // A part packed, a part not, and the names packed too.
    repository.git(&["pack-refs", "--all"]);
    let token = github_token("later");
    let last = repository.commit(&[("z", &token)]);
    expected.push(line("z:1", &last));
    let mut findings = repository.scan();
    findings.sort_by_key(|finding| place(finding).starts_with('z'));
    check(&findings, &expected);
}

#[test]
fn merges_renames_and_submodules() {
    let (one, two, three) = (github_token("m1"), github_token("m2"), github_token("m3"));
    let mut repository = Repository::new();
    let base = repository.commit(&[("a", "base\n"), ("old name.txt", &one)]);
    repository.git(&["checkout", "--quiet", "-b", "side"]);
    let side = repository.commit(&[("b", &format!("{two}\r\nno newline at the end {two}"))]);
    repository.git(&["checkout", "--quiet", "main"]);
    let moved = repository.commit(&[("old name.txt", ""), ("dir/nëw \"name\"\t.txt", &one)]);
    repository.day += 1;
    repository.git(&["merge", "--quiet", "--no-commit", "side"]);
    // What the merge itself brings; what comes from its parents is theirs.
    let merge = repository.commit(&[("c", &three)]);
    repository.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{base},module")]);
    repository.git(&["commit", "--quiet", "--message", "module"]);
    std::os::unix::fs::symlink(&two, repository.path().join("link")).unwrap();
    repository.commit(&[]);
    repository.git(&["tag", "--annotate", "v1", "--message", "v1"]);
    repository.git(&["rm", "--quiet", "-r", "--cached", "b", "c", "dir"]);
    repository.git(&["clean", "--quiet", "--force", "-d"]);
    repository.commit(&[]);
    let findings = repository.scan();
    check(
        &findings,
        &[
            line("b:1", &side),
            line("c:1", &merge),
            line("dir/nëw \"name\"\u{fffd}.txt:1", &moved),
            line("old name.txt:1", &base),
        ],
    );
}

#[test]
fn since_number_and_branches() {
    let tokens: Vec<String> = (0..4).map(|n| github_token(&format!("range{n}"))).collect();
    let mut repository = Repository::new();
    let first = repository.commit(&[("a", &tokens[0])]);
    let second = repository.commit(&[("a", &format!("{}\n{}", tokens[0], tokens[1]))]);
    repository.git(&["checkout", "--quiet", "-b", "release/1.0"]);
    let side = repository.commit(&[("b", &tokens[2])]);
    repository.git(&["checkout", "--quiet", "main"]);
    let third = repository.commit(&[("a", &format!("{}\n{}\n{}", tokens[0], tokens[1], tokens[3]))]);
    repository.commit(&[("a", "")]);
    let all = [line("a:1", &first), line("a:2", &second), line("a:3", &third), line("b:1", &side)];
    let of = |since: Option<&str>, max_commits, branches: &[&str]| HistoryInput {
        since: since.map(str::to_owned),
        max_commits,
        branches: branches.iter().map(|branch| (*branch).to_owned()).collect(),
        authors: false,
    };
    check(&repository.scan(), &all);
    check(&repository.scan_with(of(None, None, &["main"])), &all[..3]);
    check(&repository.scan_with(of(None, None, &["release/*"])), &[&all[..2], &all[3..]].concat());
    // A secret of before is not the work of the first commit that is looked at.
    check(&repository.scan_with(of(None, Some(2), &["main"])), &all[2..3]);
    check(&repository.scan_with(of(Some("2023-11-16"), None, &["main"])), &all[1..3]);
    check(&repository.scan_with(of(Some("2023-11-16T22:13:21Z"), None, &["main"])), &all[2..3]);
    check(&repository.scan_with(of(Some("2023-11-17T00:13:20+02:00"), None, &["main"])), &all[1..3]);
    let input = |of| with_history(of);
    for (wrong, reason) in [
        (of(Some("yesterday"), None, &[]), "`history.since`: `yesterday` is no day"),
        (of(Some("2023-02-29"), None, &[]), "is no day"),
        (of(Some("2023-02-28T1:00"), None, &[]), "is no day"),
        (of(None, Some(0), &[]), "must be at least 1"),
        (of(None, None, &["nope"]), "fits no branch of the repository (known: `main`, `release/1.0`)"),
        (of(None, None, &["a["]), "`history.branches`: `a[`"),
    ] {
        match scan(input(wrong), &repository.tree.host()) {
            Err(TaskError::InvalidInput(text)) => assert!(text.contains(reason), "{text}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn allowlists_of_commits() {
    let (one, two) = (github_token("c1"), github_token("c2"));
    let mut repository = Repository::new();
    let first = repository.commit(&[("a", &one)]);
    let second = repository.commit(&[("a", &format!("{one}\n{two}"))]);
    repository.commit(&[("a", "none")]);
    for (list, expected) in [
        (format!("[allowlist]\ncommits = ['{first}']"), vec![line("a:2", &second)]),
        (
            format!("[[allowlists]]\ncommits = ['{}']\ntargetRules = ['github-pat']", second.to_uppercase()),
            vec![line("a:1", &first)],
        ),
        (
            format!(
                "[[rules]]\nid = 'github-pat'\n[[rules.allowlists]]\ncondition = 'AND'\npaths = ['^a$']\ncommits = ['{first}']"
            ),
            vec![line("a:2", &second)],
        ),
        (
            format!("[[allowlists]]\ncondition = 'AND'\npaths = ['^b$']\ncommits = ['{first}']"),
            vec![line("a:1", &first), line("a:2", &second)],
        ),
        (format!("[[allowlists]]\ncondition = 'AND'\ncommits = ['{first}', '{second}']"), vec![]),
    ] {
        let config = Tree::new(&[("rules.toml", &format!("[extend]\nuseDefault = true\n{list}\n"))]);
        let host = repository.tree.host().with_mount("config", config.0.path());
        let input = Input { config: Some(FileList::from("rules.toml")), ..with_history(HistoryInput::default()) };
        let output = scan(input, &host).unwrap().succeeded().unwrap();
        check(&host.findings(), &expected);
        assert_eq!(output.suppressed.allowlist, 2 - expected.len() as u64, "{list}");
        assert_eq!(host.logs(), []);
    }
    // What a commit on the list brought, and another brings again.
    let again = repository.commit(&[("a", &one)]);
    repository.commit(&[("a", "none")]);
    let config =
        Tree::new(&[("r.toml", &format!("[extend]\nuseDefault = true\n[allowlist]\ncommits = ['{first}']\n"))]);
    let host = repository.tree.host().with_mount("config", config.0.path());
    let input = Input { config: Some(FileList::from("r.toml")), ..with_history(HistoryInput::default()) };
    scan(input, &host).unwrap();
    check(&host.findings(), &[line("a:1", &again), line("a:2", &second)]);
}

#[test]
fn paths_comments_binaries_and_archives_are_as_in_a_tree() {
    let token = github_token("kinds");
    let mut repository = Repository::new();
    repository.tree.write("image.png", token.as_bytes());
    repository.tree.write("binary", format!("\0{token}").as_bytes());
    repository.tree.write("cert.p12", b"x");
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gz, token.as_bytes()).unwrap();
    repository.tree.write("dump.sql.gz", &gz.finish().unwrap());
    let allowed = format!("{token} # gitleaks:allow");
    let first = repository.commit(&[("allowed", &allowed), ("vendor/a", &token), ("keep/a", &token)]);
    for path in ["image.png", "binary", "cert.p12", "dump.sql.gz", "allowed", "vendor/a", "keep/a"] {
        fs::remove_file(repository.path().join(path)).unwrap();
    }
    repository.commit(&[]);
    let input = Input { exclude: vec!["vendor".into()], ..with_history(HistoryInput::default()) };
    let short = &first[..8];
    check(
        &repository.tree.scan(input).1,
        &[
            format!("cert.p12 pkcs12-file {short}"),
            format!("dump.sql.gz!dump.sql:1 github-pat {short}"),
            format!("keep/a:1 github-pat {short}"),
        ],
    );
}

#[test]
fn a_bare_repository_and_sha256() {
    let token = github_token("bare");
    for init in [
        &["init", "--quiet", "--initial-branch=main"][..],
        &["init", "--quiet", "--initial-branch=main", "--object-format=sha256"],
    ] {
        let mut repository = Repository::with(init);
        let first = repository.commit(&[("a", &token)]);
        let last = repository.commit(&[("b", "x")]);
        repository.git(&["gc", "--quiet"]);
        check(&repository.scan(), &[line("a:1", &first)]);
        repository.git(&["clone", "--quiet", "--bare", ".", "bare.git"]);
        let host = TestHost::new().with_mount("source", repository.path().join("bare.git"));
        let output = scan(with_history(HistoryInput::default()), &host).unwrap().succeeded().unwrap();
        let findings = host.findings();
        check(&findings, &[line("a:1", &first)]);
        assert_eq!(findings[0].data.as_ref().unwrap()["in_tree"], true);
        assert_eq!((output.files_scanned, last.len()), (0, first.len()));
    }
}

/// The reasons of findings with the status `error`.
fn incomplete(findings: &[Finding]) -> Vec<&str> {
    let wrong = findings.iter().filter(|finding| finding.status == Status::Error);
    wrong
        .map(|finding| {
            assert_eq!(finding.rule, "history-incomplete");
            finding.title.as_str()
        })
        .collect()
}

#[test]
fn what_is_not_there_is_told() {
    let token = github_token("lost");
    let mut repository = Repository::new();
    let first = repository.commit(&[("a", &token)]);
    repository.commit(&[("a", "x"), ("b", "y")]);
    // A shallow clone.
    let url = format!("file://{}", repository.path().display());
    repository.git(&["clone", "--quiet", "--depth=1", &url, "shallow"]);
    let host = TestHost::new().with_mount("source", repository.path().join("shallow"));
    scan(with_history(HistoryInput::default()), &host).unwrap();
    let findings = host.findings();
    assert!(incomplete(&findings)[0].contains("the clone is shallow: 1 of its commits"), "{findings:?}");
    // A clone whose objects are elsewhere.
    repository.git(&["clone", "--quiet", "--shared", ".", "shared"]);
    let host = TestHost::new().with_mount("source", repository.path().join("shared"));
    scan(with_history(HistoryInput::default()), &host).unwrap();
    assert!(!incomplete(&host.findings()).is_empty(), "{:?}", host.findings());
    // A worktree.
    repository.git(&["worktree", "add", "--quiet", "worktree"]);
    let host = TestHost::new().with_mount("source", repository.path().join("worktree"));
    scan(with_history(HistoryInput::default()), &host).unwrap();
    assert!(incomplete(&host.findings())[0].contains("`.git` is a file"), "{:?}", host.findings());
    // No repository at all.
    let findings = Tree::new(&[("a", "b")]).scan(with_history(HistoryInput::default())).1;
    assert!(incomplete(&findings)[0].contains("has no folder `.git`"), "{findings:?}");
    // A blob, a tree and a commit that are gone, one after the other; what can be read still is.
    for (what, reason) in [
        (format!("{first}:a"), "objects are not there"),
        (format!("{first}^{{tree}}"), "objects are not there"),
        (first.clone(), "1 commits cannot be read"),
    ] {
        let id = repository.git(&["rev-parse", &what]);
        fs::remove_file(repository.path().join(".git/objects").join(&id[..2]).join(&id[2..])).unwrap();
        let input = Input { include: vec!["a".into(), "b".into()], ..with_history(HistoryInput::default()) };
        let findings = repository.tree.scan(input).1;
        assert!(incomplete(&findings).iter().any(|text| text.contains(reason)), "{what}: {findings:?}");
    }
}

#[test]
fn a_damaged_repository_never_ends_the_task() {
    let mut repository = Repository::new();
    let text: Vec<String> = (0..300).map(|n| format!("line {n} {}", github_token(&n.to_string()))).collect();
    for n in 0..6 {
        repository.commit(&[("a", &text[n..].join("\n")), (&format!("dir/{n}"), "x")]);
    }
    repository.git(&["repack", "-q", "-a", "-d", "-f"]);
    let folder = repository.path().join(".git/objects/pack");
    let files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "pack" || ending == "idx"))
        .collect();
    assert_eq!(files.len(), 2);
    for file in files {
        let mut permissions = fs::metadata(&file).unwrap().permissions();
        #[expect(clippy::permissions_set_readonly_false, reason = "a file of the test's own")]
        permissions.set_readonly(false);
        fs::set_permissions(&file, permissions).unwrap();
        let whole = fs::read(&file).unwrap();
        for at in (0..whole.len()).step_by(1 + whole.len() / 120) {
            for damaged in [whole[..at].to_vec(), {
                let mut flipped = whole.clone();
                flipped[at] ^= 0x55;
                flipped
            }] {
                fs::write(&file, damaged).unwrap();
                let host = repository.tree.host();
                scan(with_history(HistoryInput { max_commits: Some(50), ..HistoryInput::default() }), &host).unwrap();
            }
        }
        fs::write(&file, whole).unwrap();
    }
    assert_eq!(incomplete(&repository.scan()), Vec::<&str>::new());
}

#[test]
fn a_tree_that_holds_itself_many_times_ends() {
    let repository = Repository::new();
    // Ten names for the same folder, twenty deep: 10^20 paths in twenty objects.
    repository.tree.write("a", b"x");
    let mut object = repository.git(&["hash-object", "-w", "a"]);
    let mut mode = "100644 blob";
    for _ in 0..20 {
        let lines: String = (0..10).map(|n| format!("{mode} {object}\tn{n}\n")).collect();
        repository.tree.write("lines", lines.as_bytes());
        let ran =
            Command::new("sh").args(["-c", "git mktree < lines"]).current_dir(repository.path()).output().unwrap();
        object = String::from_utf8(ran.stdout).unwrap().trim().to_owned();
        mode = "040000 tree";
    }
    let commit = repository.git(&["commit-tree", &object, "-m", "bomb"]);
    repository.git(&["update-ref", "refs/heads/main", &commit]);
    check_bound(&repository, Bounds { entries: 5_000, ..Bounds::default() }, "more than 5000 entries of folders");
    check_bound(&repository, Bounds { versions: 3_000, ..Bounds::default() }, "more than 3000 versions of files");
}

/// The history is not read to its end, and says so.
#[track_caller]
fn check_bound(repository: &Repository, bounds: Bounds, reason: &str) {
    let detector = Detector::new(RuleSet::built_in().unwrap(), Search::NearKeywords).unwrap();
    let mut searcher = Searcher::new(detector, true, 1 << 20, 1 << 20);
    let filter = Filter::new(&[], &[], Gitignores::Respect).unwrap();
    let input = HistoryInput::default();
    let host = repository.tree.host();
    let history =
        orch_plugin_secret_scan::history::scan(&input, repository.path(), &mut searcher, &filter, bounds, &host)
            .unwrap();
    let reasons: Vec<_> = history.problems.iter().map(|(_, reason)| reason.as_str()).collect();
    assert_eq!(reasons, [format!("the history has {reason}, the rest is not searched")]);
}

#[test]
fn bounds_are_told() {
    let mut repository = Repository::new();
    for n in 0..4 {
        let tokens: Vec<String> = (0..30).map(|m| github_token(&format!("bound{n}-{m}"))).collect();
        repository.commit(&[("a", &tokens.join("\n"))]);
    }
    check_bound(&repository, Bounds { secrets: 50, ..Bounds::default() }, "more than 50 secrets");
    check_bound(&repository, Bounds { remembered: 70, ..Bounds::default() }, "more than 70 finds in all versions");
    check_bound(&repository, Bounds { bytes: 2_000, ..Bounds::default() }, "more than 2000 bytes of files");
    let host = repository.tree.host();
    host.cancel();
    assert_eq!(scan(with_history(HistoryInput::default()), &host).unwrap_err(), TaskError::Cancelled);
}

#[test]
fn nothing_of_the_repository_is_run_or_obeyed() {
    let token = github_token("config");
    let mut repository = Repository::new();
    let first = repository.commit(&[("a", &token)]);
    repository.commit(&[("a", "x")]);
    let mark = repository.path().join("ran");
    let touch = format!("touch {}", mark.display());
    for key in ["core.fsmonitor", "core.sshCommand", "diff.external", "core.pager", "filter.x.clean", "diff.x.textconv"]
    {
        repository.git(&["config", key, &touch]);
    }
    repository.git(&["config", "log.showSignature", "true"]);
    repository.tree.write(".git/config.worktree", b"[broken");
    repository.tree.write(".git/info/attributes", b"* filter=x diff=x\n");
    repository.tree.write(".git/info/grafts", b"garbage");
    check(&repository.scan(), &[line("a:1", &first)]);
    assert!(!mark.exists());
}

#[test]
fn inputs() {
    for (json, expected) in [
        ("{}", Ok(None)),
        (r#"{"history": true}"#, Ok(Some((true, None)))),
        (r#"{"history": false}"#, Ok(Some((false, None)))),
        (r#"{"history": {"max-commits": 5}}"#, Ok(Some((true, Some(5))))),
        (r#"{"history": {"newest": 5}}"#, Err("unknown field `newest`")),
        (r#"{"history": "yes"}"#, Err("true, false, or an object with")),
        (r#"{"config": 3}"#, Err("the name of a file, or a list of names")),
    ] {
        match (serde_json::from_str::<Input>(json), expected) {
            (Ok(input), Ok(wanted)) => {
                assert_eq!(input.history.map(|history| (history.wanted, history.of.max_commits)), wanted, "{json}");
            }
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{json}: {error}"),
            (got, _) => panic!("{json}: {got:?}"),
        }
    }
}
