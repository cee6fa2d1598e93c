//! Finds keywords in a file, in any ASCII case: the pass that every byte of every file goes through.
//!
//! A DFA reads a byte in one step whatever the keywords are, but each step waits for the table's answer to the one before. So
//! four parts of the file are read side by side, whose steps do not wait for each other: 2.5 times the bytes in the same time.

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::dfa::DFA;
use aho_corasick::{Anchored, Input, StartKind};
use std::ops::Range;

/// Parts that are read side by side; eight are no faster than four.
const LANES: usize = 4;

/// The keywords of a rule set.
#[derive(Debug)]
pub(crate) struct Keywords {
    automaton: DFA,
    start: StateID,
    /// Bytes of the longest.
    longest: usize,
}

impl Keywords {
    /// From keywords without empty ones; nothing if there are none.
    ///
    /// # Errors
    /// When they are too many.
    pub(crate) fn new(words: &[&str]) -> Result<Option<Keywords>, String> {
        let Some(longest) = words.iter().map(|word| word.len()).max() else { return Ok(None) };
        // It costs some hundred kilobytes and a few milliseconds.
        let automaton = DFA::builder().ascii_case_insensitive(true).start_kind(StartKind::Unanchored).build(words);
        let automaton = automaton.map_err(|error| error.to_string())?;
        let start = automaton.start_state(Anchored::No).map_err(|error| error.to_string())?;
        Ok(Some(Keywords { automaton, start, longest }))
    }

    /// Calls `met` for each place of each keyword, those of each lane by their ends.
    pub(crate) fn find(&self, content: &[u8], met: &mut impl FnMut(usize, Range<usize>)) {
        // With very few keywords it skips to the next byte that one could begin with, which is faster still. Its start is a
        // special state then, at which lanes would stop at nearly every byte.
        if self.automaton.prefilter().is_some()
            && let Ok(hits) = self.automaton.try_find_overlapping_iter(Input::new(content))
        {
            hits.for_each(|hit| met(hit.pattern().as_usize(), hit.range()));
            return;
        }
        let part = content.len() / LANES;
        // What a lane reads twice has to be little.
        if part < 4 * self.longest {
            self.read(content, 0..content.len(), self.start, usize::MAX, met);
            return;
        }
        let parts: [&[u8]; LANES] = std::array::from_fn(|lane| &content[lane * part..(lane + 1) * part]);
        let mut states = [self.start; LANES];
        #[expect(clippy::needless_range_loop, reason = "it is a place in each of the parts")]
        for at in 0..part {
            let mut is_special = false;
            for lane in 0..LANES {
                states[lane] = self.automaton.next_state(Anchored::No, states[lane], parts[lane][at]);
                is_special |= self.automaton.is_special(states[lane]);
            }
            if is_special {
                for (lane, state) in states.iter().enumerate() {
                    self.hits(*state, lane * part + at + 1, usize::MAX, met);
                }
            }
        }
        for (lane, state) in states.iter().enumerate() {
            // A keyword may begin in a lane and end in the next, which does not see it.
            let border = (lane + 1) * part;
            let last = lane + 1 == LANES;
            let end = if last { content.len() } else { content.len().min(border + self.longest - 1) };
            self.read(content, border..end, *state, if last { usize::MAX } else { border }, met);
        }
    }

    /// Goes on from `state`; only keywords that begin before `before` count.
    fn read(
        &self,
        content: &[u8],
        span: Range<usize>,
        mut state: StateID,
        before: usize,
        met: &mut impl FnMut(usize, Range<usize>),
    ) {
        for at in span {
            state = self.automaton.next_state(Anchored::No, state, content[at]);
            if self.automaton.is_special(state) {
                self.hits(state, at + 1, before, met);
            }
        }
    }

    fn hits(&self, state: StateID, end: usize, before: usize, met: &mut impl FnMut(usize, Range<usize>)) {
        if !self.automaton.is_match(state) {
            return;
        }
        for index in 0..self.automaton.match_len(state) {
            let word = self.automaton.match_pattern(state, index);
            let start = end - self.automaton.pattern_len(word);
            if start < before {
                met(word.as_usize(), start..end);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All places, found by trying each.
    fn by_trying(words: &[&str], content: &[u8]) -> Vec<(usize, Range<usize>)> {
        let mut all = Vec::new();
        for (number, word) in words.iter().enumerate() {
            for start in 0..content.len() {
                let place = start..start + word.len();
                if content.get(place.clone()).is_some_and(|text| text.eq_ignore_ascii_case(word.as_bytes())) {
                    all.push((number, place));
                }
            }
        }
        all
    }

    #[track_caller]
    fn check(words: &[&str], content: &[u8]) {
        let mut found = Vec::new();
        let keywords = Keywords::new(words).unwrap().unwrap();
        keywords.find(content, &mut |word, place| found.push((word, place)));
        found.sort_by_key(|(word, place)| (*word, place.start));
        assert_eq!(found, by_trying(words, content), "{}", String::from_utf8_lossy(content));
    }

    const WORDS: &[&str] = &["a", "ab", "abc", "abcd", "bcda", "aaaa", "key", "kéys", "xoxb-"];

    #[test]
    fn both_ways_are_taken() {
        let has_prefilter = |words| Keywords::new(words).unwrap().unwrap().automaton.prefilter().is_some();
        assert!(has_prefilter(&["abcda"]) && !has_prefilter(WORDS));
    }

    #[test]
    fn of_each_length_around_the_borders_of_lanes() {
        assert!(Keywords::new(&[]).unwrap().is_none());
        for length in 0..200 {
            check(WORDS, &b"abcda".repeat(40)[..length]);
            check(WORDS, &"xKéYS".repeat(40).as_bytes()[..length]);
            check(WORDS, &b"A".repeat(length));
            check(&["abcda"], &b"abcda".repeat(40)[..length]);
            check(&["abcda", "zz", "bcd"], &b"abcda".repeat(40)[..length]);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn on_random_text(
            parts in proptest::collection::vec(
                prop_oneof![
                    Just("a"), Just("B"), Just("b"), Just("C"), Just("d"), Just("KEY"), Just("é"), Just("xoxb-"), Just("s"),
                ],
                0..150,
            )
        ) {
            check(WORDS, parts.concat().as_bytes());
        }
    }
}
