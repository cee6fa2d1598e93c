//! Finds secrets, and words that stand for them, in what is about to leave: a request, a file.

use crate::encodings::encodings;
use crate::needles::{Needles, Place};
use crate::{Secret, SecretName};
use std::sync::Arc;
use zeroize::Zeroizing;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Leak {
    /// A secret in any form, by its place in the list.
    Secret(usize),
    /// A word, by its place in the list.
    Word(usize),
}

/// Knows secrets and words. Built once for an attempt.
pub struct LeakScan {
    /// Absent when there is nothing to find.
    needles: Option<Needles>,
    secrets: usize,
}

impl LeakScan {
    /// Looks for these secrets in all their forms, and for these words as they are.
    ///
    /// # Errors
    /// When they are too many or too long to look for all of them.
    pub fn new(secrets: &[(&SecretName, &Secret)], words: &[&str]) -> Result<LeakScan, String> {
        let mut needles: Vec<(Zeroizing<Vec<u8>>, usize)> = Vec::new();
        for (number, (_, secret)) in secrets.iter().enumerate() {
            needles.extend(encodings(secret.expose()).into_iter().map(|form| (form, number)));
        }
        for (number, word) in words.iter().enumerate() {
            needles.push((Zeroizing::new(word.as_bytes().to_vec()), secrets.len() + number));
        }
        Ok(LeakScan { needles: Needles::new(&needles)?, secrets: secrets.len() })
    }

    /// The first thing in some bytes that `matters`.
    pub fn find(&self, bytes: &[u8], matters: impl Fn(Leak) -> bool) -> Option<Leak> {
        let needles = self.needles.as_ref()?;
        self.feed(&mut needles.start(), bytes, matters)
    }

    fn feed(&self, place: &mut Place, bytes: &[u8], matters: impl Fn(Leak) -> bool) -> Option<Leak> {
        let mut found = None;
        self.needles.as_ref()?.feed(place, bytes, |hit| {
            let leak = match hit.owner.checked_sub(self.secrets) {
                Some(word) => Leak::Word(word),
                None => Leak::Secret(hit.owner),
            };
            if found.is_none() && matters(leak) {
                found = Some(leak);
            }
        });
        found
    }
}

/// Looks through a stream of bytes, whatever its chunks are. Bytes are let through only when they are known not to be a part of
/// what matters: the beginning of a secret is worth as much as the whole.
pub struct LeakStream {
    scan: Arc<LeakScan>,
    place: Option<Place>,
    held: Vec<u8>,
    /// Once something was found nothing is let through any more.
    found: Option<Leak>,
}

impl LeakStream {
    /// A stream at its beginning.
    pub fn new(scan: Arc<LeakScan>) -> LeakStream {
        let place = scan.needles.as_ref().map(Needles::start);
        LeakStream { scan, place, held: Vec::new(), found: None }
    }

    /// Takes a chunk; gives the bytes that may leave by now.
    ///
    /// # Errors
    /// What was found. It stays found.
    pub fn push(&mut self, chunk: &[u8], matters: impl Fn(Leak) -> bool) -> Result<Vec<u8>, Leak> {
        if let Some(found) = self.found {
            return Err(found);
        }
        let Some(place) = &mut self.place else { return Ok(chunk.to_vec()) };
        if let Some(found) = self.scan.feed(place, chunk, matters) {
            self.found = Some(found);
            self.held = Vec::new();
            return Err(found);
        }
        let held = self.scan.needles.as_ref().map_or(0, |needles| needles.held_back(*place));
        self.held.extend_from_slice(chunk);
        let safe = self.held.len().saturating_sub(held);
        Ok(self.held.drain(..safe).collect())
    }

    /// The rest.
    ///
    /// # Errors
    /// What was found before.
    pub fn finish(&mut self) -> Result<Vec<u8>, Leak> {
        self.found.map_or_else(|| Ok(std::mem::take(&mut self.held)), Err)
    }
}
