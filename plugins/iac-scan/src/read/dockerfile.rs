//! Dockerfiles: instructions with their lines, and the stages they belong to. The form is that of Docker's Dockerfile reference:
//! comments, the `escape` directive, continued lines, flags and here-documents.

use crate::read::shell::{self, Command};
use orch_plugin_kit::parse::ParseError;

/// Instructions of a file that are read.
const MOST_INSTRUCTIONS: usize = 10_000;

const KEYWORDS: &[&str] = &[
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// An instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instruction {
    /// 1-based.
    pub line: u32,
    /// In capitals.
    pub keyword: &'static str,
    /// The words that begin with `--`.
    pub flags: Vec<String>,
    /// What follows, its lines joined.
    pub text: String,
    /// The here-documents below it.
    pub heredocs: Vec<String>,
}

impl Instruction {
    /// Its words, whether it is written as a JSON list or not.
    pub fn words(&self) -> Vec<String> {
        if self.text.starts_with('[')
            && let Ok(words) = serde_json::from_str(&self.text)
        {
            return words;
        }
        let mut words: Vec<String> = vec![String::new()];
        let mut quote = None;
        for c in self.text.chars() {
            match (quote, c) {
                (None, '"' | '\'') => quote = Some(c),
                (Some(open), c) if c == open => quote = None,
                (None, c) if c.is_whitespace() => words.push(String::new()),
                (_, c) => words.last_mut().into_iter().for_each(|word| word.push(c)),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    /// The commands that a `RUN` starts.
    pub fn commands(&self) -> Vec<Command> {
        if self.keyword != "RUN" {
            return Vec::new();
        }
        let mut commands = if self.text.starts_with('[') {
            // Each word is quoted again, so that it stays one.
            let quoted =
                self.words().iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect::<Vec<_>>();
            shell::commands(&quoted.join(" "))
        } else {
            shell::commands(&self.text)
        };
        commands.extend(self.heredocs.iter().flat_map(|script| shell::commands(script)));
        commands
    }

    /// The names and values of an `ENV`, `ARG` or `LABEL`.
    pub fn pairs(&self) -> Vec<(String, Option<String>)> {
        let words = self.words();
        // `ENV name value` is the old form.
        if self.keyword == "ENV" && words.first().is_some_and(|word| !word.contains('=')) {
            let value = words.get(1..).map(|rest| rest.join(" ")).filter(|value| !value.is_empty());
            return words.first().map(|name| (name.clone(), value)).into_iter().collect();
        }
        let pair = |word: String| match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (word, None),
        };
        words.into_iter().map(pair).collect()
    }
}

/// What begins with a `FROM`.
#[derive(Debug)]
pub struct Stage {
    /// What `AS` calls it, in lower case.
    pub name: Option<String>,
    /// What it begins from: an image or the name of an earlier stage.
    pub image: String,
    /// 1-based.
    pub line: u32,
    /// Without its `FROM`.
    pub instructions: Vec<Instruction>,
}

/// A file.
#[derive(Debug)]
pub struct Dockerfile {
    /// At least one.
    pub stages: Vec<Stage>,
    /// Whether something keeps files out of the build's context.
    pub has_ignore_file: bool,
}

impl Dockerfile {
    /// All instructions of all stages.
    pub fn instructions(&self) -> impl Iterator<Item = &Instruction> {
        self.stages.iter().flat_map(|stage| &stage.instructions)
    }

    /// All instructions with a keyword.
    pub fn all(&self, keyword: &str) -> impl Iterator<Item = &Instruction> {
        self.instructions().filter(move |it| it.keyword == keyword)
    }

    /// The commands of all `RUN`s, with the line of the instruction.
    pub fn commands(&self) -> impl Iterator<Item = (u32, Vec<Command>)> {
        self.all("RUN").map(|run| (run.line, run.commands()))
    }

    /// The stage that is built last and those it begins from, the last one first.
    pub fn final_stages(&self) -> Vec<&Stage> {
        let mut found = Vec::new();
        let mut before = self.stages.len();
        while let Some(stage) = before.checked_sub(1).and_then(|at| self.stages.get(at)) {
            found.push(stage);
            match self.base_of(before - 1) {
                Some(base) => before = base + 1,
                None => break,
            }
        }
        found
    }

    /// The number of the earlier stage that a stage begins from.
    pub fn base_of(&self, number: usize) -> Option<usize> {
        let image = self.stages[number].image.to_lowercase();
        self.stages[..number].iter().rposition(|stage| stage.name.as_ref() == Some(&image))
    }
}

/// Reads a file.
///
/// # Errors
/// With the line of an instruction that nobody knows, of a here-document without an end, or when there is no `FROM`.
pub fn read(text: &str) -> Result<Dockerfile, ParseError> {
    let mut defaults: Vec<(String, String)> = Vec::new();
    let mut stages: Vec<Stage> = Vec::new();
    for instruction in instructions(text)? {
        let words = instruction.words();
        match (instruction.keyword, stages.last_mut()) {
            ("FROM", _) => {
                let Some(image) = words.first() else {
                    return Err(ParseError::at(instruction.line, "a FROM without an image"));
                };
                let named = words.get(1).is_some_and(|word| word.eq_ignore_ascii_case("as"));
                let name = words.get(2).filter(|_| named).map(|name| name.to_lowercase());
                let (image, line) = (expand(image, &defaults), instruction.line);
                stages.push(Stage { name, image, line, instructions: Vec::new() });
            }
            ("ARG", None) => {
                defaults.extend(instruction.pairs().into_iter().filter_map(|(name, value)| Some((name, value?))));
            }
            (_, Some(stage)) => stage.instructions.push(instruction),
            (keyword, None) => {
                return Err(ParseError::at(instruction.line, format!("a {keyword} before the first FROM")));
            }
        }
    }
    if stages.is_empty() {
        return Err(ParseError::whole("no FROM"));
    }
    Ok(Dockerfile { stages, has_ignore_file: false })
}

/// An image with the defaults of arguments in place of their names; what is not known stays. The bounds are far above what people
/// write: they keep a hostile file from growing with every argument.
fn expand(image: &str, defaults: &[(String, String)]) -> String {
    let mut image = image.to_owned();
    for (name, value) in defaults.iter().take(100) {
        if value.len() > 200 || image.len() > 1_000 {
            continue;
        }
        image = image.replace(&format!("${{{name}}}"), value);
        if let Some(rest) = image.strip_suffix(&format!("${name}")) {
            image = format!("{rest}{value}");
        }
    }
    image
}

fn instructions(text: &str) -> Result<Vec<Instruction>, ParseError> {
    let mut lines = text.trim_start_matches('\u{feff}').lines().zip(1_u32..).peekable();
    let escape = escape(text);
    let mut found = Vec::new();
    while let Some((first, line)) = lines.next() {
        if is_comment(first) || first.trim().is_empty() {
            continue;
        }
        if found.len() == MOST_INSTRUCTIONS {
            return Err(ParseError::at(line, format!("more than {MOST_INSTRUCTIONS} instructions")));
        }
        let mut joined = String::new();
        let mut part = first;
        loop {
            let trimmed = part.trim_end();
            let Some(continued) = trimmed.strip_suffix(escape) else {
                joined.push_str(trimmed);
                break;
            };
            joined.push_str(continued);
            // Comments and, as ever, empty lines do not end a continued instruction.
            while lines.peek().is_some_and(|(next, _)| is_comment(next) || next.trim().is_empty()) {
                lines.next();
            }
            match lines.next() {
                Some((next, _)) => part = next,
                None => break,
            }
        }
        let mut instruction = parse(joined.trim(), line)?;
        for end in heredocs(&instruction) {
            let mut body = String::new();
            loop {
                let Some((next, _)) = lines.next() else {
                    return Err(ParseError::at(line, format!("the here-document `{}` has no end", end.word)));
                };
                let shown = if end.strips_tabs { next.trim_start_matches('\t') } else { next };
                if shown == end.word {
                    break;
                }
                body.push_str(shown);
                body.push('\n');
            }
            instruction.heredocs.push(body);
        }
        found.push(instruction);
    }
    Ok(found)
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

/// The directive `escape` may only stand in the comments that begin the file.
fn escape(text: &str) -> char {
    let directives = text.lines().take_while(|line| is_comment(line)).take(10);
    let is_backtick = directives
        .filter_map(|line| line.trim_start().trim_start_matches('#').split_once('='))
        .any(|(name, value)| name.trim().eq_ignore_ascii_case("escape") && value.trim() == "`");
    if is_backtick { '`' } else { '\\' }
}

fn parse(text: &str, line: u32) -> Result<Instruction, ParseError> {
    let (mut keyword, mut rest) = keyword(text, line)?;
    if keyword == "ONBUILD" {
        // What it holds concerns the images built on this one just as much.
        (keyword, rest) = self::keyword(rest, line)?;
    }
    let mut flags = Vec::new();
    while rest.starts_with("--") {
        let (flag, more) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        flags.push(flag.to_owned());
        rest = more.trim_start();
    }
    Ok(Instruction { line, keyword, flags, text: rest.to_owned(), heredocs: Vec::new() })
}

/// The instruction that a text begins with, and what follows.
fn keyword(text: &str, line: u32) -> Result<(&'static str, &str), ParseError> {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    match KEYWORDS.iter().find(|known| known.eq_ignore_ascii_case(word)) {
        Some(keyword) => Ok((keyword, rest.trim_start())),
        None => {
            let shown: String = word.chars().filter(|c| !c.is_control()).take(40).collect();
            Err(ParseError::at(line, format!("`{shown}` is no instruction")))
        }
    }
}

struct Heredoc {
    word: String,
    strips_tabs: bool,
}

/// The here-documents that an instruction announces: `<<EOF`, `<<-EOF`, `<<"EOF"`.
fn heredocs(instruction: &Instruction) -> Vec<Heredoc> {
    if !matches!(instruction.keyword, "RUN" | "COPY" | "ADD") {
        return Vec::new();
    }
    let announced = instruction.text.split_whitespace().filter_map(|word| {
        // A file descriptor may stand in front; `<<<` is a here-string.
        let word = word.trim_start_matches(|c: char| c.is_ascii_digit()).strip_prefix("<<")?;
        let strips_tabs = word.starts_with('-');
        let word = word.trim_start_matches('-').trim_matches(['"', '\'']);
        let is_name = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
        is_name.then(|| Heredoc { word: word.to_owned(), strips_tabs })
    });
    announced.take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stages_and_heredocs() {
        let text = "# syntax=x\nARG TAG=1.2\nFROM base:${TAG} AS Build\nRUN a \\\n  # why\n\n  && b\nRUN <<EOF cat <<-'E2'\none\nEOF\n\ttwo\n\tE2\nfrom build\nENV A=1 B=\"x y\"\nENV C d e\nONBUILD RUN --mount=type=cache,target=/x [\"sh\", \"-c\", \"f | g\"]\n";
        let file = read(text).unwrap();
        assert_eq!(file.stages[0].image, "base:1.2");
        assert_eq!(file.base_of(1), Some(0));
        assert_eq!(file.final_stages().len(), 2);
        let runs: Vec<_> = file.all("RUN").collect();
        assert_eq!((runs[0].line, runs[0].commands().len()), (4, 2));
        assert_eq!(runs[1].heredocs, ["one\n", "two\n"]);
        assert_eq!((runs[2].flags.len(), runs[2].commands().len()), (1, 3));
        let pairs: Vec<_> = file.all("ENV").flat_map(Instruction::pairs).collect();
        let expected = [("A", "1"), ("B", "x y"), ("C", "d e")];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), Some(value.to_owned()))));
    }

    #[test]
    fn refusals_and_the_other_escape() {
        for (text, expected) in [
            ("", "no FROM"),
            ("RUN x", "line 1: a RUN before"),
            ("FROM a\nRUNE x", "line 2: `RUNE` is no"),
            ("FROM a\nRUN <<E\nx", "line 2: the here-document `E` has no end"),
            ("FROM", "line 1: a FROM without"),
        ] {
            assert!(read(text).unwrap_err().to_string().contains(expected), "{text}");
        }
        let file = read("# escape=`\nFROM a\nRUN dir C:\\\nRUN b `\n c").unwrap();
        assert_eq!(file.all("RUN").map(|run| run.text.as_str()).collect::<Vec<_>>(), ["dir C:\\", "b  c"]);
    }
}
