//! Finds many byte strings in a stream in one pass, whatever its chunks are (Aho and Corasick, 1975). Every place where one ends is
//! told, also inside of others: what overlaps must not hide what it overlaps with.

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::{Anchored, MatchKind, StartKind, dfa, nfa};
use std::collections::HashMap;

/// Up to this many bytes of needles a table is built, in which each byte of the text is one look; it takes about 300 bytes for
/// each of them. Longer ones get the form that is slower and stays small.
const MOST_FOR_TABLE: usize = 8 << 10;

/// Up to this many bytes of needles it is known of each state how much of the text it holds back; beyond, the longest needle
/// is the bound.
const MOST_FOR_DEPTHS: usize = 256 << 10;

enum Machine {
    Table(dfa::DFA),
    Sparse(nfa::contiguous::NFA),
}

/// Byte strings to find, each with the number of whom it belongs to.
///
/// The automaton holds the needles in a form that cannot be wiped; it lives as long as an attempt.
pub(crate) struct Needles {
    machine: Machine,
    start: StateID,
    owners: Vec<usize>,
    longest: usize,
    depths: HashMap<StateID, usize>,
}

/// Where a search stands between two chunks.
#[derive(Clone, Copy)]
pub(crate) struct Place(StateID);

/// A needle that ends in the chunk that was fed.
#[derive(Clone, Copy)]
pub(crate) struct Hit {
    /// Behind its last byte, from the beginning of the chunk.
    pub(crate) end: usize,
    /// How long it is; it may begin before the chunk.
    pub(crate) length: usize,
    /// Whom it belongs to.
    pub(crate) owner: usize,
}

impl Needles {
    /// `None` when there is nothing to find.
    ///
    /// # Errors
    /// When there are more needles than an automaton can have.
    pub(crate) fn new<T: AsRef<[u8]>>(needles: &[(T, usize)]) -> Result<Option<Needles>, String> {
        let needles: Vec<(&[u8], usize)> = needles.iter().map(|(needle, owner)| (needle.as_ref(), *owner)).collect();
        if needles.is_empty() {
            return Ok(None);
        }
        let (bytes, owners): (Vec<_>, Vec<_>) = needles.iter().copied().unzip();
        let all = bytes.iter().map(|needle| needle.len()).sum::<usize>();
        let too_many = |error: aho_corasick::BuildError| error.to_string();
        let machine = match all <= MOST_FOR_TABLE {
            true => {
                let mut builder = dfa::DFA::builder();
                builder.match_kind(MatchKind::Standard).start_kind(StartKind::Unanchored).prefilter(false);
                Machine::Table(builder.build(&bytes).map_err(too_many)?)
            }
            false => {
                let mut builder = nfa::contiguous::NFA::builder();
                builder.match_kind(MatchKind::Standard).prefilter(false);
                Machine::Sparse(builder.build(&bytes).map_err(too_many)?)
            }
        };
        let start = match &machine {
            Machine::Table(machine) => machine.start_state(Anchored::No),
            Machine::Sparse(machine) => machine.start_state(Anchored::No),
        };
        let start = start.map_err(|error| error.to_string())?;
        let longest = bytes.iter().map(|needle| needle.len()).max().unwrap_or(0);
        let mut found = Needles { machine, start, owners, longest, depths: HashMap::new() };
        if all <= MOST_FOR_DEPTHS {
            found.depths = found.measure(&bytes);
        }
        Ok(Some(found))
    }

    /// A search at its beginning.
    pub(crate) fn start(&self) -> Place {
        Place(self.start)
    }

    /// Goes on with a search.
    pub(crate) fn feed(&self, place: &mut Place, chunk: &[u8], hit: impl FnMut(Hit)) {
        match &self.machine {
            Machine::Table(machine) => feed(machine, &self.owners, place, chunk, hit),
            Machine::Sparse(machine) => feed(machine, &self.owners, place, chunk, hit),
        }
    }

    /// How many of the last bytes may be the beginning of a needle that is not over yet.
    pub(crate) fn held_back(&self, place: Place) -> usize {
        match place.0 == self.start {
            true => 0,
            false => self.depths.get(&place.0).copied().unwrap_or(self.longest),
        }
    }

    /// A state of an automaton stands for the one beginning of a needle that leads there.
    fn measure(&self, needles: &[&[u8]]) -> HashMap<StateID, usize> {
        let mut depths = HashMap::new();
        for needle in needles {
            let mut place = self.start();
            for (at, byte) in needle.iter().enumerate() {
                self.feed(&mut place, &[*byte], |_| ());
                depths.insert(place.0, at + 1);
            }
        }
        depths
    }
}

fn feed<A: Automaton>(machine: &A, owners: &[usize], place: &mut Place, chunk: &[u8], mut hit: impl FnMut(Hit)) {
    let mut state = place.0;
    for (at, byte) in chunk.iter().enumerate() {
        state = machine.next_state(Anchored::No, state, *byte);
        if machine.is_special(state) && machine.is_match(state) {
            for index in 0..machine.match_len(state) {
                let needle = machine.match_pattern(state, index);
                let owner = owners[needle.as_usize()];
                hit(Hit { end: at + 1, length: machine.pattern_len(needle), owner });
            }
        }
    }
    place.0 = state;
}
