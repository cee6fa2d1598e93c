//! Takes the values of secrets out of text on its way out: every form of them that [`encodings`] knows becomes `***`. A safety net
//! for values that a program was given; the rule is that it is not given them.

use crate::encodings::encodings;
use crate::needles::{Hit, Needles, Place};
use crate::{Secret, SecretName};
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Knows the values of some secrets, and masks them. Built once for an attempt.
pub struct Masker {
    /// Absent when there is no secret: then masking costs nothing.
    needles: Option<Needles>,
    filler: String,
}

/// The ranges of a text that are to be masked, in order. Those that overlap are one.
#[derive(Default)]
struct Ranges(Vec<(usize, usize)>);

impl Ranges {
    fn add(&mut self, mut start: usize, end: usize) {
        while let Some((before, _)) = self.0.pop_if(|(_, before_end)| *before_end > start) {
            start = start.min(before);
        }
        self.0.push((start, end));
    }
}

impl Masker {
    /// A masker of these secrets.
    ///
    /// # Errors
    /// When their values are too many or too long to look for all of them.
    pub fn new(secrets: &[(&SecretName, &Secret)]) -> Result<Masker, String> {
        let mut needles: Vec<(Zeroizing<Vec<u8>>, usize)> = Vec::new();
        for (number, (_, secret)) in secrets.iter().enumerate() {
            needles.extend(encodings(secret.expose()).into_iter().map(|form| (form, number)));
        }
        Ok(Masker { needles: Needles::new(&needles)?, filler: filler(secrets) })
    }

    /// A masker that knows no secret.
    pub fn empty() -> Masker {
        Masker { needles: None, filler: "***".to_owned() }
    }

    /// Whether there is nothing to mask.
    pub fn is_empty(&self) -> bool {
        self.needles.is_none()
    }

    /// The text without the secrets. One that has none comes back without a copy.
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let ranges = self.ranges(text.as_bytes());
        if ranges.0.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for (start, end) in ranges.0 {
            // A form is whole characters, so these are places between characters; a doubt must not show a secret.
            out.push_str(text.get(from..start).unwrap_or_default());
            out.push_str(&self.filler);
            from = end;
        }
        out.push_str(text.get(from..).unwrap_or_default());
        Cow::Owned(out)
    }

    /// As [`Self::mask`] for text that is nobody else's.
    pub fn mask_owned(&self, text: String) -> String {
        match self.mask(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(masked) => masked,
        }
    }

    /// Masks the texts and keys of a JSON value, and numbers whose digits hold a secret: those become text.
    pub fn mask_json(&self, value: &mut Value) {
        if self.is_empty() {
            return;
        }
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => {
                if let Cow::Owned(masked) = self.mask(&number.to_string()) {
                    *value = Value::String(masked);
                }
            }
            Value::String(text) => {
                if let Cow::Owned(masked) = self.mask(text) {
                    *text = masked;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask_json(item)),
            Value::Object(map) => {
                map.values_mut().for_each(|item| self.mask_json(item));
                if map.keys().any(|key| matches!(self.mask(key), Cow::Owned(_))) {
                    let entries = std::mem::take(map);
                    for (key, item) in entries {
                        let mut key = self.mask_owned(key);
                        while map.contains_key(&key) {
                            // Two keys with different secrets in them are still two keys.
                            key.push('\'');
                        }
                        map.insert(key, item);
                    }
                }
            }
        }
    }

    /// Whether bytes hold any form of any secret.
    pub fn contains(&self, bytes: &[u8]) -> bool {
        !self.ranges(bytes).0.is_empty()
    }

    fn ranges(&self, bytes: &[u8]) -> Ranges {
        let mut ranges = Ranges::default();
        if let Some(needles) = &self.needles {
            needles.feed(&mut needles.start(), bytes, |hit| ranges.add(hit.end - hit.length, hit.end));
        }
        ranges
    }
}

/// What stands for a secret. No form of any secret has its characters in it, so that what stands around it can never become a form
/// together with it: masking `ab` + SECRET + `cd` must not show the secret `ab***cd`.
fn filler(secrets: &[(&SecretName, &Secret)]) -> String {
    let free = |c: &char| !secrets.iter().any(|(_, secret)| secret.expose().contains(*c));
    // Block elements, and after them whatever there is: values are finite.
    let found = ['*', '#'].into_iter().chain('\u{2588}'..=char::MAX).find(free);
    found.map_or_else(String::new, |c| String::from_iter([c; 3]))
}

/// Masks a stream of bytes, whatever its chunks are. What may be the beginning of a secret is held back until it is known.
pub struct MaskStream {
    masker: Arc<Masker>,
    place: Option<Place>,
    /// What was taken and not given back, from a place before which everything is decided.
    pending: Vec<u8>,
    ranges: Ranges,
}

impl MaskStream {
    /// A stream at its beginning.
    pub fn new(masker: Arc<Masker>) -> MaskStream {
        let place = masker.needles.as_ref().map(Needles::start);
        MaskStream { masker, place, pending: Vec::new(), ranges: Ranges::default() }
    }

    /// Takes a chunk; gives what is known to be no secret by now.
    pub fn push<'a>(&mut self, chunk: &'a [u8]) -> Cow<'a, [u8]> {
        let (Some(needles), Some(place)) = (&self.masker.needles, &mut self.place) else {
            return Cow::Borrowed(chunk);
        };
        let (before, ranges) = (self.pending.len(), &mut self.ranges);
        needles.feed(place, chunk, |Hit { end, length, .. }| {
            let end = before + end;
            // What is masked already may have been let go of in part.
            ranges.add(end.saturating_sub(length), end);
        });
        let held = needles.held_back(*place);
        if before == 0 && held == 0 && ranges.0.is_empty() {
            return Cow::Borrowed(chunk);
        }
        self.pending.extend_from_slice(chunk);
        Cow::Owned(self.give(self.pending.len().saturating_sub(held)))
    }

    /// The rest. The stream is then at its beginning again.
    pub fn finish(&mut self) -> Vec<u8> {
        self.place = self.masker.needles.as_ref().map(Needles::start);
        self.give(self.pending.len())
    }

    /// Gives everything before `safe`, where nothing can begin any more that is not known yet.
    fn give(&mut self, safe: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(safe);
        let mut from = 0;
        for (start, end) in std::mem::take(&mut self.ranges.0) {
            if end <= safe {
                out.extend_from_slice(&self.pending[from..start]);
                out.extend_from_slice(self.masker.filler.as_bytes());
                from = end;
                continue;
            }
            if start < safe {
                // It may still become longer. Its bytes are not needed for that.
                out.extend_from_slice(&self.pending[from..start]);
                from = safe;
            }
            self.ranges.0.push((start.saturating_sub(safe), end - safe));
        }
        out.extend_from_slice(self.pending.get(from..safe).unwrap_or_default());
        self.pending.drain(..safe);
        out
    }
}

/// Looks for secrets in a stream of bytes, whatever its chunks are, and lets them be.
pub struct SecretScan {
    masker: Arc<Masker>,
    place: Option<Place>,
    found: bool,
}

impl SecretScan {
    /// A stream at its beginning.
    pub fn new(masker: Arc<Masker>) -> SecretScan {
        let place = masker.needles.as_ref().map(Needles::start);
        SecretScan { masker, place, found: false }
    }

    /// Takes a chunk; whether there was a secret by now.
    pub fn push(&mut self, chunk: &[u8]) -> bool {
        if let (Some(needles), Some(place), false) = (&self.masker.needles, &mut self.place, self.found) {
            needles.feed(place, chunk, |_| self.found = true);
        }
        self.found
    }
}

#[cfg(test)]
#[path = "mask_tests.rs"]
mod tests;
