//! Whether a file is there, what it is, who owns it, and what its lines say.

use super::accounts::id_of;
use super::number;
use crate::profile::{FileCheck, FileKind, Many, Missing, Pattern};
use crate::root::{Kind, Root, Unseen, is_pattern};
use crate::verdict::{Answer, shown};

/// Answers a check.
pub fn answer(check: &FileCheck, root: &Root) -> Answer {
    let mut found = Vec::new();
    let mut answers = Vec::new();
    for pattern in &check.path.0 {
        let paths = match root.glob(pattern) {
            Ok(paths) => paths,
            Err(reason) => return Answer::error(reason),
        };
        for path in paths {
            match root.resolve_link(&path) {
                Ok((_, kind)) => found.push((path, kind)),
                Err(Unseen::Missing) => {}
                Err(Unseen::Broken(reason)) => {
                    answers.push(Answer::error(format!("`{path}`: {reason}")).at(&path, None))
                }
            }
        }
    }
    let names = check.path.0.join("`, `");
    if !check.exists {
        answers.extend(found.iter().map(|(path, _)| Answer::failed(format!("`{path}` is there")).at(path, None)));
        return if answers.is_empty() {
            Answer::passed(format!("`{names}` is not there"))
        } else {
            Answer::all(answers)
        };
    }
    if found.is_empty() && answers.is_empty() {
        let reason = format!("`{names}` is not there");
        return match check.missing {
            Missing::Passed => Answer::passed(reason),
            Missing::NotApplicable => Answer::not_applicable(reason),
            Missing::Failed => match check.path.0.first().filter(|path| !is_pattern(path)) {
                Some(path) => Answer::failed(reason).at(path, None),
                None => Answer::failed(reason),
            },
        };
    }
    for (path, kind) in &found {
        answers.extend(of_one(check, path, *kind, root));
    }
    answers.extend(contents(check, &found, root));
    if answers.is_empty() { Answer::passed(format!("`{names}` is there")) } else { Answer::all(answers) }
}

fn of_one(check: &FileCheck, path: &str, kind: Kind, root: &Root) -> Vec<Answer> {
    let mut answers = Vec::new();
    if let Some(wanted) = check.kind {
        let right = matches!(
            (wanted, kind),
            (FileKind::File, Kind::File) | (FileKind::Folder, Kind::Folder) | (FileKind::Link, Kind::Link)
        );
        answers.push(
            Answer::of(right, format!("`{path}` is {kind:?}, expected {wanted:?}").to_lowercase()).at(path, None),
        );
    }
    if check.mode.is_none() && check.owner.0.is_empty() && check.group.0.is_empty() {
        return answers;
    }
    let stat = match root.stat(path) {
        Ok(stat) => stat,
        Err(error) => {
            answers.push(Answer::error(format!("`{path}`: {error}")).at(path, None));
            return answers;
        }
    };
    if let Some(most) = check.mode {
        let reason = format!("`{path}` has the mode {:04o}, expected at most {:04o}", stat.mode, most.0);
        answers.push(Answer::of(stat.mode & !most.0 == 0, reason).at(path, None));
    }
    let owners = [("owner", &check.owner, stat.uid, "etc/passwd"), ("group", &check.group, stat.gid, "etc/group")];
    for (what, wanted, id, list) in owners {
        if !wanted.0.is_empty() {
            answers.push(owned(what, wanted, id, list, path, root));
        }
    }
    answers
}

fn owned(what: &str, wanted: &Many, id: u32, list: &str, path: &str, root: &Root) -> Answer {
    let mut unknown = None;
    for name in &wanted.0 {
        match id_of(name, list, root) {
            Ok(Some(known)) if known == id => return Answer::passed(format!("`{path}` has the {what} {name}")),
            Ok(_) => {}
            Err(reason) => unknown = Some(reason),
        }
    }
    match unknown {
        Some(reason) => Answer::error(reason).at(path, None),
        None => {
            let reason = format!("`{path}` has the {what} {id}, expected {}", wanted.0.join(" or "));
            Answer::failed(reason).at(path, None)
        }
    }
}

/// Lines that have to be there and lines that must not.
fn contents(check: &FileCheck, found: &[(String, Kind)], root: &Root) -> Vec<Answer> {
    if check.contains.is_empty() && check.contains_not.is_empty() {
        return Vec::new();
    }
    let mut texts = Vec::new();
    let mut answers = Vec::new();
    for (path, _) in found {
        match root.text(path) {
            Ok(text) => texts.push((path, text)),
            Err(error) => answers.push(Answer::error(format!("`{path}`: {error}")).at(path, None)),
        }
        if root.host().is_cancelled() {
            return vec![Answer::error("cancelled")];
        }
    }
    // Those that could not be read are errors already; whether a line is in them nobody knows.
    let all_read = answers.is_empty();
    let first = |pattern: &Pattern| -> Result<Option<(&str, u32, String)>, String> {
        let regex = pattern.regex()?;
        Ok(texts.iter().find_map(|(path, text)| {
            let (index, line) = text.lines().enumerate().find(|(_, line)| regex.is_match(line.as_bytes()))?;
            Some((path.as_str(), number(index), shown(line.trim(), 200)))
        }))
    };
    for (pattern, wanted) in
        check.contains.iter().map(|one| (one, true)).chain(check.contains_not.iter().map(|one| (one, false)))
    {
        let expected = pattern.text();
        let found = first(pattern);
        if found == Ok(None) && !all_read {
            continue;
        }
        answers.push(match found {
            Err(reason) => Answer::error(reason),
            Ok(Some((path, line, text))) => {
                let reason = match wanted {
                    true => format!("`{path}` has the line `{text}`"),
                    false => format!("`{path}` has the line `{text}`, expected none that fits `{expected}`"),
                };
                Answer::of(wanted, reason).at(path, line)
            }
            Ok(None) if wanted => {
                let reason = format!("no line of `{}` fits `{expected}`", check.path.0.join("`, `"));
                let answer = Answer::failed(reason);
                match texts.first() {
                    Some((path, _)) => answer.at(path, None),
                    None => answer,
                }
            }
            Ok(None) => Answer::passed(format!("no line fits `{expected}`")),
        });
    }
    answers
}
