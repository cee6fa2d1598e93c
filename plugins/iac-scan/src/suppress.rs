//! What the authors of a file accept: a comment `orch:ignore RULE reason` on the line of a finding, or on the line above it.
//! Several lines of nothing but such comments count together.

use std::collections::BTreeMap;

/// What stands before the rule.
const MARK: &str = "orch:ignore";

/// Suppressions of a file that are read.
const MOST: usize = 10_000;

/// A comment that suppresses a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppression {
    /// 1-based.
    pub line: u32,
    /// As written; empty if it is missing.
    pub rule: String,
    /// Why; empty if it is missing.
    pub reason: String,
    /// Whether nothing else stands in its line, so that it speaks of the next one too.
    is_alone: bool,
}

/// The suppressions of a file, by line.
#[derive(Debug, Default)]
pub struct Suppressions(BTreeMap<u32, Suppression>);

impl Suppressions {
    /// Reads the comments of a file.
    pub fn read(text: &str) -> Suppressions {
        let lines = text.lines().zip(1_u32..).filter_map(|(line, number)| {
            let (before, after) = line.split_once(MARK)?;
            let before = before.trim();
            if !before.ends_with('#') && !before.ends_with("//") || !after.starts_with([' ', '\t']) && !after.is_empty()
            {
                return None;
            }
            let is_alone = matches!(before, "#" | "//");
            let (rule, reason) = after.trim().split_once(char::is_whitespace).unwrap_or((after.trim(), ""));
            let cleaned = |text: &str| text.trim().chars().filter(|c| !c.is_control()).take(200).collect::<String>();
            Some((number, Suppression { line: number, rule: cleaned(rule), reason: cleaned(reason), is_alone }))
        });
        Suppressions(lines.take(MOST).collect())
    }

    /// All of them, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = &Suppression> {
        self.0.values()
    }

    /// Why a rule is suppressed at a line, if it is. A comment without a reason suppresses nothing.
    pub fn reason(&self, rule: &str, line: u32) -> Option<&str> {
        let own = self.0.get(&line);
        let above = (1..line).rev().map_while(|line| self.0.get(&line).filter(|it| it.is_alone));
        own.into_iter().chain(above).find(|it| it.rule == rule && !it.reason.is_empty()).map(|it| it.reason.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_line_and_lines_above() {
        let text = "# orch:ignore a/b first reason\n// orch:ignore a/c second\nx = 1 # orch:ignore a/d third\ny\n# orch:ignore a/e\nz\n'orch:ignore a/f not a comment'\n";
        let found = Suppressions::read(text);
        assert_eq!(found.iter().count(), 4);
        assert_eq!(found.reason("a/b", 3), Some("first reason"));
        assert_eq!(found.reason("a/c", 3), Some("second"));
        assert_eq!(found.reason("a/d", 3), Some("third"));
        assert_eq!(found.reason("a/d", 4), None, "what stands behind a value speaks of its own line only");
        assert_eq!(found.reason("a/e", 6), None, "no reason");
    }
}
