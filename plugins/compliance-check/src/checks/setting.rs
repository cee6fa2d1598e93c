//! Compares what a key is set to with what it should be.

use super::formats::{self, Lines, Value};
use crate::profile::{Format, SettingCheck};
use crate::root::Root;
use crate::verdict::{Answer, shown};
use orch_plugin_kit::glob::fits_name;

/// Answers a check.
pub fn answer(check: &SettingCheck, root: &Root) -> Answer {
    let files = if check.files.0.is_empty() { own_files(check.format) } else { check.files.0.clone() };
    let one = |blank| {
        let lines = Lines { section: check.section.as_deref(), blank };
        lines.value(&files, &check.key, root).map(|value| value.into_iter().collect())
    };
    let found: Result<Vec<Value>, String> = match check.format {
        Format::Sshd => formats::sshd(&files, &check.key, root),
        Format::Sysctl => formats::sysctl(&check.key, root).map(|value| value.into_iter().collect()),
        Format::LoginDefs => one(true),
        Format::Ini | Format::KeyValue => one(false),
    };
    let mut values = match found {
        Ok(values) => values,
        Err(reason) => return Answer::error(reason),
    };
    if !check.match_blocks {
        values.retain(|value| !value.in_match);
    }
    let key = &check.key;
    let first_file = files.first().map_or("", String::as_str);
    let is_set = values.iter().any(|value| !value.in_match);
    let mut answers: Vec<Answer> = values.iter().map(|value| compare(check, value)).collect();
    if let Some(wanted) = check.is_set {
        let word = if is_set { "is set" } else { "is not set" };
        let set = Answer::of(is_set == wanted, format!("`{key}` {word}"));
        answers.push(match values.first() {
            Some(value) => set.at(&value.path, value.line),
            None => set.at(first_file, None),
        });
    }
    if !is_set && check.is_set != Some(false) {
        answers.push(match &check.default {
            Some(default) => {
                let value = Value { text: default.clone(), path: first_file.to_owned(), line: 0, in_match: false };
                compare(check, &value)
            }
            None => Answer::failed(format!("`{key}` is not set, expected {}", expected(check))).at(first_file, None),
        });
    }
    if check.live && check.format == Format::Sysctl {
        answers.extend(formats::sysctl_live(key, root).map(|value| compare(check, &value)));
    }
    Answer::all(answers)
}

fn own_files(format: Format) -> Vec<String> {
    let files: &[&str] = match format {
        Format::Sshd => &["etc/ssh/sshd_config"],
        Format::LoginDefs => &["etc/login.defs"],
        Format::Sysctl => &["etc/sysctl.conf"],
        Format::Ini | Format::KeyValue => &[],
    };
    files.iter().map(|file| (*file).to_owned()).collect()
}

/// What is asked for, in words.
fn expected(check: &SettingCheck) -> String {
    let mut words = Vec::new();
    words.extend(check.equals.iter().map(|text| format!("`{text}`")));
    let lists = [("not", &check.not), ("one of", &check.one_of), ("only", &check.only), ("none of", &check.without)];
    words.extend(
        lists
            .iter()
            .filter(|(_, many)| !many.0.is_empty())
            .map(|(word, many)| format!("{word} `{}`", many.0.join("`, `"))),
    );
    words.extend(check.at_least.map(|number| format!("at least {number}")));
    words.extend(check.at_most.map(|number| format!("at most {number}")));
    words.extend(check.matches.iter().map(|pattern| format!("a value that fits `{}`", pattern.text())));
    if words.is_empty() { "a value".to_owned() } else { words.join(" and ") }
}

fn compare(check: &SettingCheck, value: &Value) -> Answer {
    let text = &value.text;
    let same = |other: &String| other.eq_ignore_ascii_case(text);
    let parts = if check.format == Format::Sshd {
        elements(text, check.default.as_deref())
    } else {
        text.split([',', ' ', '\t']).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let among = |part: &String, many: &[String]| {
        many.iter().any(|known| fits_name(&known.to_ascii_lowercase(), &part.to_ascii_lowercase()))
    };
    let bounded = |holds: &dyn Fn(i64) -> bool| amount(text, check.format).is_some_and(holds);
    let fits_pattern = match check.matches.as_ref().map(|pattern| pattern.regex()) {
        None => true,
        Some(Ok(regex)) => regex.is_match(text.as_bytes()),
        Some(Err(reason)) => return Answer::error(reason),
    };
    let holds = check.equals.as_ref().is_none_or(same)
        && !check.not.0.iter().any(same)
        && (check.one_of.0.is_empty() || check.one_of.0.iter().any(same))
        && check.at_most.is_none_or(|most| bounded(&|number| number <= most))
        && check.at_least.is_none_or(|least| bounded(&|number| number >= least))
        && fits_pattern
        && (check.only.0.is_empty() || parts.iter().all(|part| among(part, &check.only.0)))
        && !parts.iter().any(|part| among(part, &check.without.0));
    let how = match (value.line, value.in_match) {
        (0, _) => "is not set, so it is",
        (_, true) => "below `Match` is",
        (_, false) => "is",
    };
    let reason = format!("`{}` {how} `{}`, expected {}", check.key, shown(text, 200), expected(check));
    Answer::of(holds, reason).at(&value.path, (value.line > 0).then_some(value.line))
}

/// A number; of sshd also a time such as `1m30s`.
fn amount(text: &str, format: Format) -> Option<i64> {
    if let Ok(number) = text.trim().parse() {
        return Some(number);
    }
    if format != Format::Sshd || text.is_empty() {
        return None;
    }
    let (mut sum, mut number) = (0_i64, None::<i64>);
    for byte in text.bytes() {
        if byte.is_ascii_digit() {
            number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(i64::from(byte - b'0'))?);
            continue;
        }
        let unit = match byte.to_ascii_lowercase() {
            b's' => 1,
            b'm' => 60,
            b'h' => 3_600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return None,
        };
        sum = sum.checked_add(number.take()?.checked_mul(unit)?)?;
    }
    sum.checked_add(number.unwrap_or(0))
}

/// A list of sshd: `+` and `^` add to the defaults, `-` takes from them.
fn elements(text: &str, default: Option<&str>) -> Vec<String> {
    let split = |text: &str| -> Vec<String> {
        text.split([',', ' ', '\t']).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let defaults = || split(default.unwrap_or_default());
    if let Some(more) = text.strip_prefix(['+', '^']) {
        return defaults().into_iter().chain(split(more)).collect();
    }
    match text.strip_prefix('-') {
        Some(less) => {
            let gone = split(less);
            defaults().into_iter().filter(|part| !gone.iter().any(|pattern| fits_name(pattern, part))).collect()
        }
        None => split(text),
    }
}
