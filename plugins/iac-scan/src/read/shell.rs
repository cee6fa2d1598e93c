//! The commands of a shell script, as far as rules need them: words, pipes and lines. It is no shell: loops and functions are
//! words like others, and nothing is expanded.

/// Commands of one script that are looked at.
const MOST_COMMANDS: usize = 20_000;

/// A command.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Command {
    /// Lines of the script before it.
    pub line: u32,
    /// What it is called with, without quotes.
    pub words: Vec<String>,
    /// Whether it reads what the command before it writes.
    pub is_piped: bool,
}

/// Words in front of a command that are not its name.
const BEFORE: &[&str] = &[
    "!", "{", "command", "do", "doas", "else", "env", "exec", "if", "nohup", "sudo", "then", "time", "until", "while",
];

const SHELLS: &[&str] = &["ash", "bash", "dash", "ksh", "sh", "zsh"];
const INTERPRETERS: &[&str] = &["node", "perl", "php", "python", "python3", "ruby"];
const DOWNLOADERS: &[&str] = &["aria2c", "curl", "fetch", "http", "wget"];

impl Command {
    /// The name of the program without its folder, and its arguments.
    pub fn program(&self) -> (&str, &[String]) {
        let is_before = |word: &String| {
            let is_assignment = word.split_once('=').is_some_and(|(name, _)| {
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            });
            is_assignment || BEFORE.contains(&word.as_str())
        };
        let mut start = self.words.iter().take_while(|word| is_before(word)).count();
        if self.words[..start].iter().any(|word| word == "sudo") {
            start += self.words[start..].iter().take_while(|word| word.starts_with('-')).count();
        }
        match self.words[start..].split_first() {
            Some((name, arguments)) => (name.rsplit('/').next().unwrap_or(name), arguments),
            None => ("", &[]),
        }
    }

    /// Whether it is a program with an argument, such as `apt-get install`.
    pub fn runs(&self, program: &str, argument: &str) -> bool {
        let (name, arguments) = self.program();
        name == program && arguments.iter().any(|one| one == argument)
    }

    /// Whether it is called through `sudo`.
    pub fn is_sudo(&self) -> bool {
        self.words
            .iter()
            .take_while(|word| BEFORE.contains(&word.as_str()) || word.contains('='))
            .any(|it| it == "sudo")
    }

    /// As written, but for quotes.
    pub fn text(&self) -> String {
        self.words.join(" ")
    }

    /// Whether one of its words fetches something and hands it to this shell: `sh -c "$(curl …)"`, `bash <(curl …)`.
    fn runs_what_it_fetches(&self) -> bool {
        let (name, arguments) = self.program();
        let takes_code = SHELLS.contains(&name) || matches!(name, "eval" | "source" | ".");
        takes_code
            && arguments.iter().any(|word| {
                ["$(", "<(", "`"].iter().any(|open| {
                    let inside = word.split_once(open).map_or("", |(_, inside)| inside.trim_start());
                    DOWNLOADERS.iter().any(|it| inside.strip_prefix(it).is_some_and(|rest| rest.starts_with(' ')))
                })
            })
    }

    /// Whether it runs the code that it reads.
    fn runs_its_input(&self) -> bool {
        let (name, arguments) = self.program();
        let first = arguments.first().map(String::as_str).unwrap_or_default();
        (SHELLS.contains(&name) && first != "-c" && (first.is_empty() || first.starts_with(['-', '>', '<'])))
            || (INTERPRETERS.contains(&name) && matches!(first, "" | "-"))
    }
}

/// The commands that run what another one fetched.
pub fn pipes_to_shell(commands: &[Command]) -> impl Iterator<Item = &Command> {
    let mut fetches = false;
    commands.iter().filter(move |command| {
        fetches = (fetches && command.is_piped) || DOWNLOADERS.contains(&command.program().0);
        (fetches && command.is_piped && command.runs_its_input()) || command.runs_what_it_fetches()
    })
}

/// The commands of a script. What `sh -c` gets is read as a script too.
pub fn commands(script: &str) -> Vec<Command> {
    let mut commands = split(script);
    let inner: Vec<Command> = commands
        .iter()
        .filter_map(|command| {
            let (name, arguments) = command.program();
            let at = arguments.iter().position(|word| word.starts_with('-') && word.ends_with('c'))?;
            let script = arguments.get(at + 1).filter(|_| SHELLS.contains(&name))?;
            Some(split(script).into_iter().map(|inner| Command { line: inner.line + command.line, ..inner }))
        })
        .flatten()
        .take(MOST_COMMANDS)
        .collect();
    commands.extend(inner);
    commands
}

fn split(script: &str) -> Vec<Command> {
    let mut reader = Reader { rest: script.chars().peekable(), line: 0, word: None, current: Command::default() };
    let mut commands = Vec::new();
    while commands.len() < MOST_COMMANDS {
        let Some(c) = reader.next() else { break };
        match c {
            '\\' => match reader.next() {
                Some('\n') | None => {}
                Some(other) => reader.push(other),
            },
            '\'' => reader.quoted('\''),
            '"' => reader.quoted('"'),
            '`' => reader.raw_until('`'),
            '#' if reader.word.is_none() => {
                while reader.rest.peek().is_some_and(|c| *c != '\n') {
                    reader.next();
                }
            }
            '$' | '<' | '>' if reader.rest.peek() == Some(&'(') => {
                reader.push(c);
                reader.parenthesis();
            }
            // `>&2` and `&>file` are redirections, not the end of a command.
            '&' if reader.word.as_deref().is_some_and(|word| word.ends_with('>'))
                || reader.rest.peek() == Some(&'>') =>
            {
                reader.push(c);
            }
            ';' | '&' | '|' | '(' | ')' | '\n' => {
                let is_double = reader.rest.peek() == Some(&c);
                let pipes = c == '|' && !is_double;
                if (c == '|' || c == '&') && is_double || (pipes && reader.rest.peek() == Some(&'&')) {
                    reader.next();
                }
                reader.end(&mut commands, pipes);
            }
            c if c.is_whitespace() => reader.end_word(),
            c => reader.push(c),
        }
    }
    reader.end(&mut commands, false);
    commands
}

struct Reader<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    line: u32,
    word: Option<String>,
    current: Command,
}

impl Reader<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.rest.next();
        self.line += u32::from(next == Some('\n'));
        next
    }

    fn push(&mut self, c: char) {
        if self.word.is_none() && self.current.words.is_empty() {
            self.current.line = self.line;
        }
        self.word.get_or_insert_default().push(c);
    }

    fn quoted(&mut self, end: char) {
        self.word.get_or_insert_default();
        while let Some(c) = self.next() {
            match c {
                '\\' if end == '"' => match self.next() {
                    Some('\n') | None => {}
                    Some(other) => self.push(other),
                },
                c if c == end => return,
                c => self.push(c),
            }
        }
    }

    /// A command in the old form stays as it is, in one word.
    fn raw_until(&mut self, end: char) {
        self.push(end);
        while let Some(c) = self.next() {
            self.push(c);
            if c == end {
                return;
            }
        }
    }

    /// What stands between a parenthesis and the one that closes it stays as it is.
    fn parenthesis(&mut self) {
        let mut depth = 0_usize;
        while let Some(c) = self.next() {
            self.push(c);
            match c {
                '(' => depth += 1,
                ')' if depth == 1 => return,
                ')' => depth -= 1,
                _ => {}
            }
        }
    }

    fn end_word(&mut self) {
        self.current.words.extend(self.word.take());
    }

    fn end(&mut self, commands: &mut Vec<Command>, pipes: bool) {
        self.end_word();
        // An end of line after a pipe ends nothing.
        if self.current.words.is_empty() {
            return;
        }
        let next = Command { is_piped: pipes, line: self.line, words: Vec::new() };
        commands.push(std::mem::replace(&mut self.current, next));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_pipes_and_lines() {
        let script = "a 'b c' \\\n  \"d $e\" 2>&1 | f -x && # no\nFOO=1 sudo -E /bin/g $(h | i; j)\n\n( k ) &";
        let found: Vec<_> = commands(script).into_iter().map(|it| (it.line, it.text(), it.is_piped)).collect();
        let expected = [
            (0, "a b c d $e 2>&1", false),
            (1, "f -x", true),
            (2, "FOO=1 sudo -E /bin/g $(h | i; j)", false),
            (4, "k", false),
        ];
        assert_eq!(found, expected.map(|(line, text, piped)| (line, text.to_owned(), piped)));
        let command = &commands(script)[2];
        assert_eq!((command.program().0, command.is_sudo()), ("g", true));
    }

    #[test]
    fn code_from_elsewhere() {
        for script in [
            "curl -fsSL https://a.example/x | sh",
            "wget -qO- https://a.example/x | tee log | sudo -E bash -s -- --yes",
            "bash -c \"$(curl -fsSL https://a.example)\"",
            "bash <(curl https://a.example)",
            "sh -ec 'curl https://a.example | bash'",
            "curl https://a.example |\n python3 -",
            "eval `curl https://a.example`",
        ] {
            assert_eq!(pipes_to_shell(&commands(script)).count(), 1, "{script}");
        }
        for script in [
            "curl https://a.example -o x && sha256sum -c x.sum && sh x",
            "curl https://a.example | python3 -m json.tool",
            "curl https://a.example | sh_filter",
            "curl https://a.example || sh",
            "echo x | sh",
            "# curl https://a.example | sh",
        ] {
            assert_eq!(pipes_to_shell(&commands(script)).count(), 0, "{script}");
        }
    }
}
