//! What unpacking one file may cost. A bomb ends in a reason, and never in a full memory.

use std::cell::Cell;
use std::io::{self, Read};

/// Archives in archives.
pub const DEEPEST: usize = 3;
/// Entries of a file's archives together.
const MOST_ENTRIES: u64 = 100_000;
/// Unpacked bytes for each packed one: sources and logs come to five or twenty.
const RATIO: u64 = 200;
/// However well it packs, so much is unpacked.
const LEAST_BYTES: u64 = 64 << 20;
/// However large it is, so much and no more.
const MOST_BYTES: u64 = 1 << 30;

/// What is left for a file and all archives in it.
#[derive(Debug)]
pub struct Budget {
    bytes: Cell<u64>,
    all: u64,
    entries: Cell<u64>,
    spent: Cell<bool>,
}

impl Budget {
    /// For a file of so many bytes.
    pub fn new(size: u64) -> Budget {
        let all = size.saturating_mul(RATIO).clamp(LEAST_BYTES, MOST_BYTES);
        Budget { bytes: Cell::new(all), all, entries: Cell::new(MOST_ENTRIES), spent: Cell::new(false) }
    }

    /// Counts one entry.
    ///
    /// # Errors
    /// The reason, when they are too many.
    pub fn entry(&self) -> Result<(), String> {
        match self.entries.get().checked_sub(1) {
            Some(left) => {
                self.entries.set(left);
                Ok(())
            }
            None => {
                self.spent.set(true);
                Err(format!("it has more than {MOST_ENTRIES} entries"))
            }
        }
    }

    /// Whether nothing more may be read.
    pub fn is_spent(&self) -> bool {
        self.spent.get()
    }

    /// Counts what is read from `inner`.
    pub fn count<R: Read>(&self, inner: R) -> Counted<'_, R> {
        Counted { budget: self, inner }
    }
}

/// A reader whose bytes count.
#[derive(Debug)]
pub struct Counted<'a, R> {
    budget: &'a Budget,
    inner: R,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        match self.budget.bytes.get().checked_sub(count as u64) {
            Some(left) => {
                self.budget.bytes.set(left);
                Ok(count)
            }
            None => {
                self.budget.spent.set(true);
                let most = self.budget.all >> 20;
                Err(io::Error::other(format!("it unpacks to more than {most} MiB, the bound for its size")))
            }
        }
    }
}
