//! Searches one file: one pass for all keywords, then the rules whose keyword was met, near where it was met.

use crate::config::ConfigError;
use crate::keywords::Keywords;
use crate::required::Reach;
use crate::rule::{Allowlist, Rank, Required, Rule, Seen};
use crate::ruleset::RuleSet;
use crate::secret;
use memchr::{memchr, memchr_iter, memmem, memrchr};
use regex_automata::{Anchored, Input};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

/// Comments that let the finds of their line pass; the first is known to users of gitleaks.
pub const ALLOW_MARKS: [&str; 2] = ["gitleaks:allow", "orch:allow-secret"];

/// Where a rule's expression is applied. Both find the same; the second is there to prove it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// Around keywords where that is known to be enough.
    NearKeywords,
    /// On the whole file.
    WholeFile,
}

/// A secret in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Index of the rule.
    pub rule: usize,
    /// Where the secret is in the file's bytes.
    pub secret: Range<usize>,
    /// 1-based line where the secret starts; 0 if the file itself is the find.
    pub line: u32,
    /// 1-based column in characters.
    pub column: u32,
    /// 1-based line where the secret ends.
    pub end_line: u32,
    /// 1-based line where the match starts, which is the line that gitleaks reports.
    pub match_line: u32,
    /// Of the secret.
    pub entropy: f64,
    /// Which of the finds of this rule with the same secret in this file, from 0.
    pub occurrence: u32,
    /// Commits for which an allowlist lets it pass.
    pub allowed_in: Vec<String>,
}

/// What one file holds.
#[derive(Debug, Default, PartialEq)]
pub struct FileFinds {
    /// In the order of the file.
    pub found: Vec<Found>,
    /// Let pass by an allowlist.
    pub allowlisted: u64,
    /// Let pass by a comment.
    pub inline: u64,
}

/// Rules, made ready to search many files.
#[derive(Debug)]
pub struct Detector {
    set: RuleSet,
    keywords: Option<Keywords>,
    /// Rules by keyword.
    wanting: Vec<Vec<usize>>,
    /// Rules without a keyword.
    always: Vec<usize>,
    /// For each rule those that it requires, with lines and columns.
    required: Vec<Vec<(usize, Required)>>,
    search: Search,
    hits: Vec<Hits>,
    touched: Vec<usize>,
}

/// Where a rule's keywords are in the current file.
#[derive(Debug, Default, Clone)]
struct Hits {
    touched: bool,
    spans: Vec<Range<usize>>,
}

struct Candidate {
    rule: usize,
    rank: Rank,
    matched: Range<usize>,
    secret: Range<usize>,
    entropy: f64,
    allowed: bool,
    allowed_in: Vec<String>,
}

impl Detector {
    /// Builds the keyword search.
    ///
    /// # Errors
    /// When the keywords are too many for it.
    pub fn new(set: RuleSet, search: Search) -> Result<Detector, String> {
        let mut index: HashMap<&str, usize> = HashMap::new();
        let mut wanting: Vec<Vec<usize>> = Vec::new();
        let mut words = Vec::new();
        let mut always = Vec::new();
        let place = |id: &str| set.rules.iter().position(|rule| rule.id == id);
        let with_place = |required: &Required| Some((place(&required.id)?, required.clone()));
        let required: Vec<Vec<_>> =
            set.rules.iter().map(|rule| rule.required.iter().filter_map(with_place).collect()).collect();
        let needed: HashSet<usize> = required.iter().flatten().map(|(number, _)| *number).collect();
        for (number, rule) in set.rules.iter().enumerate() {
            if rule.regex.is_none() || (rule.skip_report && !needed.contains(&number)) {
                continue;
            }
            if rule.keywords.is_empty() {
                always.push(number);
            }
            for word in &rule.keywords {
                let slot = *index.entry(word).or_insert_with(|| {
                    words.push(word.as_str());
                    wanting.push(Vec::new());
                    words.len() - 1
                });
                if !wanting[slot].contains(&number) {
                    wanting[slot].push(number);
                }
            }
        }
        let keywords = Keywords::new(&words)?;
        let hits = vec![Hits::default(); set.rules.len()];
        Ok(Detector { keywords, wanting, always, required, search, hits, touched: Vec::new(), set })
    }

    /// The rules, by the index that [`Found::rule`] uses.
    pub fn rules(&self) -> &[Rule] {
        &self.set.rules
    }

    /// Whether an allowlist for all rules lets the file pass unread.
    pub fn allows_file(&self, path: &str) -> bool {
        self.set.allowlists.iter().any(|list| list.allows_file(path))
    }

    /// The rules for which the path alone is the find.
    pub fn search_path(&self, path: &str) -> FileFinds {
        let mut finds = FileFinds::default();
        for (number, rule) in self.set.rules.iter().enumerate() {
            let fits = rule.regex.is_none() && !rule.skip_report;
            if fits && rule.path.as_ref().is_some_and(|pattern| pattern.is_match(path.as_bytes())) {
                let seen = Seen { path, secret: b"", matched: b"", line: b"" };
                if self.is_allowed(rule, &seen) {
                    finds.allowlisted += 1;
                } else {
                    let (line, column, end_line, match_line, occurrence) = (0, 0, 0, 0, 0);
                    finds.found.push(Found {
                        rule: number,
                        secret: 0..0,
                        line,
                        column,
                        end_line,
                        match_line,
                        entropy: 0.0,
                        occurrence,
                        allowed_in: self.allowed_in(rule, &seen),
                    });
                }
            }
        }
        finds
    }

    /// All finds in a file.
    ///
    /// # Errors
    /// When the expression of a rule is well written but too large to compile.
    pub fn search(&mut self, path: &str, content: &[u8]) -> Result<FileFinds, ConfigError> {
        self.find_keywords(content);
        let mut touched = std::mem::take(&mut self.touched);
        touched.extend_from_slice(&self.always);
        touched.sort_unstable();
        let mut candidates = Vec::new();
        let mut outcome = Ok(());
        for number in &touched {
            if outcome.is_ok() {
                outcome = self.apply(*number, path, content, &mut candidates);
            }
            self.hits[*number].touched = false;
            self.hits[*number].spans.clear();
        }
        touched.clear();
        self.touched = touched;
        outcome?;
        if candidates.is_empty() {
            return Ok(FileFinds::default());
        }
        candidates.sort_by_key(|c| (c.secret.start, c.secret.end, c.rule));
        let candidates = self.complete(candidates, content);
        Ok(report(most_specific(candidates), content))
    }

    fn find_keywords(&mut self, content: &[u8]) {
        let Detector { set, keywords, wanting, search, hits, touched, .. } = self;
        let Some(keywords) = keywords else { return };
        keywords.find(content, &mut |word, place| {
            for number in &wanting[word] {
                let hits = &mut hits[*number];
                if *search == Search::NearKeywords
                    && let Reach::Near { spellings, .. } = set.rules[*number].reach()
                {
                    if spellings.as_ref().is_some_and(|all| !all.iter().any(|one| one == &content[place.clone()])) {
                        continue;
                    }
                    hits.spans.push(place.clone());
                }
                if !hits.touched {
                    hits.touched = true;
                    touched.push(*number);
                }
            }
        });
        for number in touched {
            // By their ends, so that the parts of the file around them rise too.
            hits[*number].spans.sort_unstable_by_key(|span| (span.end, span.start));
        }
    }

    /// Runs a rule over the parts of the file that it must see.
    fn apply(&self, number: usize, path: &str, content: &[u8], out: &mut Vec<Candidate>) -> Result<(), ConfigError> {
        let rule = &self.set.rules[number];
        if rule.path.as_ref().is_some_and(|pattern| !pattern.is_match(path.as_bytes())) {
            return Ok(());
        }
        let spans = &self.hits[number].spans;
        match rule.reach() {
            Reach::Near { longest, within_line, .. } if self.search == Search::NearKeywords => {
                let mut current: Option<Range<usize>> = None;
                for hit in spans {
                    let next = window(content, hit, *longest, *within_line);
                    match &mut current {
                        Some(current) if next.start < current.end => current.end = current.end.max(next.end),
                        current => {
                            if let Some(done) = current.replace(next) {
                                self.apply_within(number, path, content, done, out)?;
                            }
                        }
                    }
                }
                current.map_or(Ok(()), |last| self.apply_within(number, path, content, last, out))
            }
            _ => self.apply_within(number, path, content, 0..content.len(), out),
        }
    }

    fn apply_within(
        &self,
        number: usize,
        path: &str,
        content: &[u8],
        span: Range<usize>,
        out: &mut Vec<Candidate>,
    ) -> Result<(), ConfigError> {
        let rule = &self.set.rules[number];
        let Some(pattern) = &rule.regex else { return Ok(()) };
        let regex = pattern.regex().map_err(|reason| ConfigError {
            file: "the rules".to_owned(),
            line: None,
            place: format!("rule `{}`", rule.id),
            reason: format!("`regex`: {reason}"),
        })?;
        let mut at = span.start;
        while at <= span.end {
            let Some(found) = regex.search(&Input::new(content).span(at..span.end)) else { break };
            let matched = found.range();
            at = matched.end.max(matched.start + 1);
            let mut secret = matched.clone();
            if regex.captures_len() > 1 {
                let mut groups = regex.create_captures();
                let input = Input::new(content).span(matched.clone()).anchored(Anchored::Yes);
                regex.search_captures(&input, &mut groups);
                let first = || (1..groups.group_len()).find_map(|n| groups.get_group(n).filter(|g| g.start < g.end));
                let group = if rule.secret_group == 0 { first() } else { groups.get_group(rule.secret_group) };
                secret = group.map_or(secret, |group| group.range());
            }
            let text = &content[secret.clone()];
            let entropy = secret::entropy(text);
            if text.is_empty() || entropy <= rule.entropy || (rule.mixed && !secret::is_mixed(text)) {
                continue;
            }
            let seen = Seen { path, secret: text, matched: &content[matched.clone()], line: lines(content, &matched) };
            let allowed = self.is_allowed(rule, &seen);
            let allowed_in = self.allowed_in(rule, &seen);
            out.push(Candidate { rule: number, rank: rule.rank(), matched, secret, entropy, allowed, allowed_in });
        }
        Ok(())
    }

    fn is_allowed(&self, rule: &Rule, seen: &Seen) -> bool {
        self.allowlists(rule).any(|list| list.allows(seen))
    }

    fn allowed_in(&self, rule: &Rule, seen: &Seen) -> Vec<String> {
        self.allowlists(rule)
            .filter(|list| !list.commits.is_empty())
            .flat_map(|list| list.allows_in(seen))
            .cloned()
            .collect()
    }

    fn allowlists<'a>(&'a self, rule: &'a Rule) -> impl Iterator<Item = &'a Allowlist> {
        let global = self.set.allowlists.iter();
        let global = global.filter(|list| list.target_rules.is_empty() || list.target_rules.contains(&rule.id));
        global.chain(&rule.allowlists)
    }

    /// Leaves out finds of rules that require others which found nothing near, and the finds that only count for others.
    fn complete(&self, candidates: Vec<Candidate>, content: &[u8]) -> Vec<Candidate> {
        if candidates.iter().all(|one| self.required[one.rule].is_empty() && !self.set.rules[one.rule].skip_report) {
            return candidates;
        }
        // Line and column by place, counted once for each place.
        let mut starts: Vec<usize> = candidates.iter().map(|one| one.matched.start).collect();
        starts.sort_unstable();
        starts.dedup();
        let mut counter = LineCounter { content, at: 0, line: 1 };
        let places: HashMap<usize, (u32, u32)> =
            starts.into_iter().map(|start| (start, (counter.line_of(start), column(content, start)))).collect();
        let place = |one: &Candidate| places.get(&one.matched.start).copied().unwrap_or_default();
        // What each rule found, by line, so that a file full of finds is not compared with itself.
        let mut by_rule: HashMap<usize, Vec<(u32, u32)>> = HashMap::new();
        for one in candidates.iter().filter(|one| !one.allowed) {
            by_rule.entry(one.rule).or_default().push(place(one));
        }
        by_rule.values_mut().for_each(|places| places.sort_unstable());
        let is_complete = |one: &Candidate| {
            let (line, column) = place(one);
            self.required[one.rule].iter().all(|(rule, required)| {
                let others = by_rule.get(rule).map_or(&[][..], Vec::as_slice);
                let lines = required.within_lines.unwrap_or(u32::MAX);
                let from = others.partition_point(|other| other.0 < line.saturating_sub(lines));
                let near = others[from..].iter().take_while(|other| other.0 <= line.saturating_add(lines));
                let columns = required.within_columns.unwrap_or(u32::MAX);
                near.into_iter().any(|other| other.1.abs_diff(column) <= columns)
            })
        };
        let keep: Vec<bool> =
            candidates.iter().map(|one| !self.set.rules[one.rule].skip_report && is_complete(one)).collect();
        candidates.into_iter().zip(keep).filter_map(|(one, keep)| keep.then_some(one)).collect()
    }
}

/// The 1-based column in characters: bytes that continue a character in UTF-8 do not count.
fn column(content: &[u8], at: usize) -> u32 {
    let line_start = memrchr(b'\n', &content[..at]).map_or(0, |newline| newline + 1);
    let characters = content[line_start..at].iter().filter(|byte| **byte & 0xC0 != 0x80).count();
    u32::try_from(characters + 1).unwrap_or(u32::MAX)
}

/// The part of the file in which every match lies that holds the keyword at `hit`.
fn window(content: &[u8], hit: &Range<usize>, longest: Option<usize>, within_line: bool) -> Range<usize> {
    let mut start = longest.map_or(0, |longest| hit.end.saturating_sub(longest));
    let mut end = longest.map_or(content.len(), |longest| hit.start.saturating_add(longest).min(content.len()));
    if within_line {
        start = memrchr(b'\n', &content[start..hit.start]).map_or(start, |newline| start + newline + 1);
        end = memchr(b'\n', &content[hit.end..end]).map_or(end, |newline| hit.end + newline);
    }
    start..end
}

/// The whole lines that `span` touches, without the last line's end.
fn lines<'a>(content: &'a [u8], span: &Range<usize>) -> &'a [u8] {
    let start = memrchr(b'\n', &content[..span.start]).map_or(0, |newline| newline + 1);
    // A match may end with the line's end, which does not make it touch the next line.
    let last = if span.end > span.start && content[span.end - 1] == b'\n' { span.end - 1 } else { span.end };
    let end = memchr(b'\n', &content[last..]).map_or(content.len(), |newline| last + newline);
    &content[start..end]
}

/// Leaves out finds on whose secret a more specific rule found something, also if that is then let pass. Of several generic
/// finds on one text the first rule's stays.
fn most_specific(candidates: Vec<Candidate>) -> Vec<Candidate> {
    let overlap = |a: &Range<usize>, b: &Range<usize>| a.start < b.end && b.start < a.end;
    let loses = |candidate: &Candidate| {
        candidate.rank < Rank::Specific
            && candidates.iter().any(|other| {
                let wins = other.rank > candidate.rank
                    || (other.rank == candidate.rank && candidate.rank == Rank::Generic && other.rule < candidate.rule);
                wins && overlap(&other.matched, &candidate.secret)
            })
    };
    let keep: Vec<bool> = candidates.iter().map(|candidate| !loses(candidate)).collect();
    candidates.into_iter().zip(keep).filter_map(|(candidate, keep)| keep.then_some(candidate)).collect()
}

/// Counts lines, applies comments and numbers equal finds.
fn report(candidates: Vec<Candidate>, content: &[u8]) -> FileFinds {
    let mut finds = FileFinds::default();
    let mut occurrences: BTreeMap<(usize, &[u8]), u32> = BTreeMap::new();
    let mut counter = LineCounter { content, at: 0, line: 1 };
    for candidate in candidates {
        if candidate.allowed {
            finds.allowlisted += 1;
            continue;
        }
        let text = lines(content, &candidate.matched);
        if ALLOW_MARKS.iter().any(|mark| memmem::find(text, mark.as_bytes()).is_some()) {
            finds.inline += 1;
            continue;
        }
        let Range { start, end } = candidate.secret;
        let line = counter.line_of(start);
        let newlines =
            |span: Range<usize>| u32::try_from(memchr_iter(b'\n', &content[span]).count()).unwrap_or(u32::MAX);
        let occurrence = occurrences.entry((candidate.rule, &content[start..end])).or_insert(0);
        finds.found.push(Found {
            rule: candidate.rule,
            secret: start..end,
            line,
            column: column(content, start),
            end_line: line + newlines(start..end.max(start + 1) - 1),
            match_line: line - newlines(candidate.matched.start.min(start)..start),
            entropy: candidate.entropy,
            occurrence: *occurrence,
            allowed_in: candidate.allowed_in,
        });
        *occurrence += 1;
    }
    finds
}

/// Line numbers of rising positions, in one pass.
struct LineCounter<'a> {
    content: &'a [u8],
    at: usize,
    line: u32,
}

impl LineCounter<'_> {
    fn line_of(&mut self, position: usize) -> u32 {
        let newlines = memchr_iter(b'\n', &self.content[self.at..position]).count();
        self.at = position;
        self.line = self.line.saturating_add(u32::try_from(newlines).unwrap_or(u32::MAX));
        self.line
    }
}
