//! One logical line of a requirements file: an option, or a requirement as "Dependency specifiers" (PEP 508) and pip's own
//! additions (paths, addresses, hashes) have it.

use super::without_credentials;
use crate::model::{FileHash, Origin};

/// What a line says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Nothing, or an option that does not change which packages there are.
    Nothing,
    /// `-r FILE`
    Include(String),
    /// `-c FILE`
    Constraint(String),
    /// `-i URL`
    Index(String),
    /// A package.
    Requirement(Requirement),
}

/// A required package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// As written; `None` if only an address or path is given that does not name it.
    pub name: String,
    /// The extras asked for.
    pub extras: Vec<String>,
    /// The version limits as written, without blanks.
    pub specifier: String,
    /// The one version the limits allow.
    pub pinned: Option<String>,
    /// The environment marker as written.
    pub marker: Option<String>,
    /// Its `--hash` options.
    pub hashes: Vec<FileHash>,
    /// An address or path, if one is given.
    pub origin: Option<Origin>,
}

/// Makes a line of an option's value.
type Make = fn(&str) -> Result<Line, String>;

/// Reads one logical line, without comment and line breaks.
///
/// # Errors
/// A reason, when it is neither an option nor a requirement.
pub fn parse(line: &str) -> Result<Line, String> {
    let line = line.trim();
    if line.is_empty() {
        return Ok(Line::Nothing);
    }
    if !line.starts_with('-') {
        return requirement(line).map(Line::Requirement);
    }
    let options: [(&str, &str, Make); 4] = [
        ("-r", "--requirement", |value| Ok(Line::Include(value.to_owned()))),
        ("-c", "--constraint", |value| Ok(Line::Constraint(value.to_owned()))),
        ("-e", "--editable", |value| requirement(value).map(Line::Requirement)),
        ("-i", "--index-url", |value| Ok(Line::Index(without_credentials(value)))),
    ];
    for (short, long, make) in options {
        let value = match line.strip_prefix(long) {
            Some(rest) if rest.starts_with(['=', ' ', '\t']) => Some(&rest[1..]),
            Some(_) => None,
            None if line.starts_with("--") => None,
            None => line.strip_prefix(short),
        };
        if let Some(value) = value.map(|value| value.trim().trim_matches(['"', '\''])) {
            return if value.is_empty() { Err(format!("`{long}` without a value")) } else { make(value) };
        }
    }
    Ok(Line::Nothing)
}

fn requirement(line: &str) -> Result<Requirement, String> {
    let (line, hashes) = split_options(line);
    let direct = direct_reference(line);
    // In an address a semicolon may be part of it; pip asks for a blank in front of the marker's.
    let separator = if direct.is_some() { " ;" } else { ";" };
    let (body, marker) = match line.split_once(separator) {
        Some((body, marker)) => (body.trim(), Some(marker.trim().to_owned()).filter(|marker| !marker.is_empty())),
        None => (line, None),
    };
    let mut requirement = match direct_reference(body) {
        Some((name, address)) => from_address(name, address)?,
        None => from_specifier(body)?,
    };
    requirement.marker = marker;
    requirement.hashes.extend(hashes);
    requirement.hashes.sort();
    requirement.hashes.dedup();
    Ok(requirement)
}

/// Cuts `--hash=...` and other options off the end.
fn split_options(line: &str) -> (&str, Vec<FileHash>) {
    let Some(start) = line.find(" --").or_else(|| line.find("\t--")) else { return (line.trim(), Vec::new()) };
    let (body, options) = line.split_at(start);
    let mut hashes = Vec::new();
    let mut words = options.split_ascii_whitespace();
    while let Some(word) = words.next() {
        let value = if word == "--hash" { words.next() } else { word.strip_prefix("--hash=") };
        hashes.extend(value.and_then(|value| FileHash::from_colon(value, None)));
    }
    (body.trim(), hashes)
}

/// `name @ address`, or an address or path alone.
fn direct_reference(body: &str) -> Option<(Option<&str>, &str)> {
    if is_place(body) {
        return Some((None, body));
    }
    let (name, address) = body.split_once('@')?;
    is_place(address.trim()).then(|| (Some(name.trim()), address.trim()))
}

fn is_place(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    let has_scheme = scheme.is_some_and(|scheme| {
        !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    });
    let is_file = [".whl", ".tar.gz", ".zip"].iter().any(|end| text.ends_with(end)) && !text.contains(['@', '=', ' ']);
    has_scheme || is_file || text.starts_with("file:") || text.starts_with(['.', '/', '\\'])
}

fn from_address(name: Option<&str>, address: &str) -> Result<Requirement, String> {
    let (place, fragment) = address.split_once('#').unwrap_or((address, ""));
    let (mut extras, mut written) = (Vec::new(), None);
    if let Some(name) = name {
        let (name, in_brackets, rest) = split_name(name)?;
        if !rest.is_empty() {
            return Err(format!("`{}` before the address", super::shorten(rest)));
        }
        (extras, written) = (in_brackets, Some(name.to_owned()));
    }
    let option = |key: &str| fragment.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
    let file = place.trim_end_matches('/').rsplit(['/', '\\']).next().unwrap_or_default();
    let wheel =
        file.strip_suffix(".whl").map(|stem| stem.split('-').collect::<Vec<_>>()).filter(|parts| parts.len() >= 5);
    let egg = option("egg").and_then(|egg| split_name(egg).ok()).map(|(name, _, _)| name.to_owned());
    let from_file = || wheel.as_ref().map(|parts| parts[0].to_owned());
    let repository = || file.split('@').next().map(|file| file.trim_end_matches(".git").to_owned());
    let name = written.or(egg).or_else(from_file).or_else(repository).filter(|name| split_name(name).is_ok());
    let hash =
        ["sha256", "sha384", "sha512", "sha1", "md5"].iter().find_map(|key| FileHash::new(key, option(key)?, None));
    let origin = match place.split_once("://") {
        Some((scheme, _)) if scheme.contains('+') => version_control(place),
        Some((scheme, _)) if scheme != "file" => Origin::Url(without_credentials(place)),
        _ => Origin::Path(place.to_owned()),
    };
    Ok(Requirement {
        name: name.unwrap_or_else(|| "unnamed".to_owned()),
        extras,
        specifier: String::new(),
        pinned: wheel.map(|parts| parts[1].to_owned()),
        marker: None,
        hashes: hash.into_iter().collect(),
        origin: Some(origin),
    })
}

/// `git+https://host/path@revision`
fn version_control(place: &str) -> Origin {
    let address = place.strip_prefix("git+").unwrap_or(place);
    let path_start = address.find("://").map_or(0, |at| at + 3);
    let path_start = address[path_start..].find('/').map_or(address.len(), |at| path_start + at);
    let (url, commit) = match address[path_start..].rfind('@') {
        Some(at) => (&address[..path_start + at], Some(address[path_start + at + 1..].to_owned())),
        None => (address, None),
    };
    Origin::Git { url: without_credentials(url), commit: commit.filter(|commit| !commit.is_empty()) }
}

fn from_specifier(body: &str) -> Result<Requirement, String> {
    let (name, extras, rest) = split_name(body)?;
    let rest = rest.trim();
    let rest = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(rest);
    let specifier: String = rest.chars().filter(|character| !character.is_whitespace()).collect();
    let limits: Vec<&str> = specifier.split(',').filter(|limit| !limit.is_empty()).collect();
    const OPERATORS: [&str; 8] = ["===", "==", "~=", "!=", "<=", ">=", "<", ">"];
    if let Some(wrong) = limits.iter().find(|limit| !OPERATORS.iter().any(|operator| limit.starts_with(operator))) {
        return Err(format!("`{}` is no version limit", super::shorten(wrong)));
    }
    let pin = |limit: &&str| {
        let version = limit.strip_prefix("===").or_else(|| limit.strip_prefix("=="))?;
        (!version.is_empty() && !version.contains('*')).then(|| version.to_owned())
    };
    let pinned = limits.iter().find_map(pin);
    let name = name.to_owned();
    Ok(Requirement { name, extras, pinned, specifier, marker: None, hashes: Vec::new(), origin: None })
}

/// A name and its extras, and what follows them.
fn split_name(text: &str) -> Result<(&str, Vec<String>, &str), String> {
    let text = text.trim();
    let end = text.find(|character: char| !character.is_ascii_alphanumeric() && !".-_".contains(character));
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    let outer = |character: Option<char>| character.is_some_and(|character| character.is_ascii_alphanumeric());
    if !outer(name.chars().next()) || !outer(name.chars().last()) {
        return Err(format!("`{}` is no requirement", super::shorten(text)));
    }
    let rest = rest.trim_start();
    let Some(inner) = rest.strip_prefix('[') else { return Ok((name, Vec::new(), rest)) };
    let Some((extras, rest)) = inner.split_once(']') else { return Err(format!("`[` after `{name}` is never closed")) };
    let extras = extras.split(',').map(|extra| extra.trim().to_owned()).filter(|extra| !extra.is_empty()).collect();
    Ok((name, extras, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, name: &str, pinned: Option<&str>, specifier: &str) -> Requirement {
        let Ok(Line::Requirement(requirement)) = parse(line) else { panic!("{:?}", parse(line)) };
        let found = (requirement.name.as_str(), requirement.pinned.as_deref(), requirement.specifier.as_str());
        assert_eq!(found, (name, pinned, specifier));
        requirement
    }

    #[test]
    fn versions() {
        check("kit==1.2.3", "kit", Some("1.2.3"), "==1.2.3");
        check("kit === 1.2+local", "kit", Some("1.2+local"), "===1.2+local");
        check("kit >=1, <2 # no", "kit", None, ">=1,<2#no");
        check("kit==1.*", "kit", None, "==1.*");
        check("kit (==1.0)", "kit", Some("1.0"), "==1.0");
        check("kit", "kit", None, "");
        let full = check("Kit[a, b]~=2.0 ; python_version < '4' --hash=sha256:00", "Kit", None, "~=2.0");
        assert_eq!((full.extras.join("+").as_str(), full.marker.as_deref()), ("a+b", Some("python_version < '4'")));
        assert!(full.hashes.is_empty(), "a hash of the wrong length is none");
    }

    #[test]
    fn places() {
        let git = |url: &str, commit: Option<&str>| {
            Some(Origin::Git { url: url.to_owned(), commit: commit.map(str::to_owned) })
        };
        let from_git =
            check("kit @ git+https://u:p@git.example/a/kit.git@v1#subdirectory=x ; extra == 'a'", "kit", None, "");
        assert_eq!(from_git.origin, git("https://git.example/a/kit.git", Some("v1")));
        assert_eq!(
            check("-e git+ssh://git@git.example/a/kit.git#egg=tool", "tool", None, "").origin,
            git("ssh://git@git.example/a/kit.git", None)
        );
        assert_eq!(
            check("git+https://git.example/a/kit.git", "kit", None, "").origin,
            git("https://git.example/a/kit.git", None)
        );
        let wheel = check(
            &format!("https://files.example/kit-1.5-py3-none-any.whl#sha256={}", "0".repeat(64)),
            "kit",
            Some("1.5"),
            "",
        );
        assert_eq!(
            (wheel.origin, wheel.hashes.len()),
            (Some(Origin::Url("https://files.example/kit-1.5-py3-none-any.whl".into())), 1)
        );
        assert_eq!(check("-e ./libs/kit", "kit", None, "").origin, Some(Origin::Path("./libs/kit".into())));
        assert_eq!(check("-e .", "unnamed", None, "").origin, Some(Origin::Path(".".into())));
    }

    #[test]
    fn options_and_mistakes() {
        assert_eq!(parse("-r more.txt"), Ok(Line::Include("more.txt".into())));
        assert_eq!(parse("--requirement=more.txt"), Ok(Line::Include("more.txt".into())));
        assert_eq!(parse("-cmore.txt"), Ok(Line::Constraint("more.txt".into())));
        assert_eq!(parse("-i https://u:p@py.example/simple"), Ok(Line::Index("https://py.example/simple".into())));
        assert_eq!(parse("--require-hashes"), Ok(Line::Nothing));
        assert_eq!(parse("--no-binary :all:"), Ok(Line::Nothing));
        for wrong in ["=1", "kit[a", "kit 1.0", "-r", "<html>", "_kit"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
