//! What the README tells people to type works, in the order in which it stands there.

use super::newcomer::with_rust;
use super::program::{Place, Ran, binary, repository};
use std::fs;
use std::process::Command;

/// The lines of all blocks that are marked `sh test`, and how many blocks there are.
fn blocks(text: &str) -> (Vec<&str>, usize) {
    let (mut lines, mut count, mut inside) = (Vec::new(), 0, false);
    for line in text.lines() {
        match line.trim_end() {
            "```sh test" => (inside, count) = (true, count + 1),
            "```" => inside = false,
            _ if inside => lines.push(line),
            _ => {}
        }
    }
    (lines, count)
}

/// The lines as one script. The command below `# exits 3` has to end with 3.
fn script(lines: &[&str]) -> String {
    let mut script = String::new();
    let mut expected = None;
    for line in lines {
        if let Some(code) = line.trim().strip_prefix("# exits ") {
            expected = Some(code.parse::<u8>().expect("an exit code is a number"));
        } else if let Some(code) = expected.take().filter(|_| !line.trim().is_empty()) {
            assert!(!line.ends_with('\\'), "a command with an exit code is one line: {line}");
            script += &format!(
                "code=0; {line} || code=$?\n[ \"$code\" = {code} ] || {{ echo \"ended with $code, not {code}\" >&2; exit 99; }}\n"
            );
        } else {
            script += &format!("{line}\n");
        }
    }
    script
}

#[test]
fn a_script_knows_the_exit_codes_it_was_told() {
    let text = "```sh test\na\n# exits 3\nb c\n```\nprose\n```sh\nnot this\n```\n```sh test\nd\n```\n";
    let (lines, count) = blocks(text);
    assert_eq!((lines.as_slice(), count), (["a", "# exits 3", "b c", "d"].as_slice(), 2));
    let script = script(&lines);
    assert!(
        script.starts_with("a\ncode=0; b c || code=$?\n[ \"$code\" = 3 ]") && script.ends_with("\nd\n"),
        "{script}"
    );
}

#[test]
fn the_commands_of_the_readme_work() {
    let text = fs::read_to_string(repository().join("README.md")).expect("there is a README.md");
    let (lines, count) = blocks(&text);
    assert!(count > 0, "README.md has no block marked `sh test`");
    let place = Place::empty();
    let mut command = Command::new("bash");
    command.args(["-euo", "pipefail", "-c", &format!("PS4='$ '; set -x\n{}", script(&lines))]);
    place.surround(&mut command);
    with_rust(&mut command);
    let path = command.get_envs().find_map(|(name, value)| value.filter(|_| name == "PATH")).unwrap().to_owned();
    let mut with_program = binary().parent().unwrap().as_os_str().to_owned();
    with_program.push(":");
    with_program.push(path);
    command.env("PATH", with_program);
    Ran::of(command).exits(0);
}
