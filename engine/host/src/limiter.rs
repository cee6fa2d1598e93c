//! Memory and tables of one guest, summed over all of its core instances: wasmtime's own limits see each memory alone.

use orch_core::{Limits, Size};
use wasmtime::ResourceLimiter;

#[derive(Debug)]
pub(crate) struct Limiter {
    memory: u64,
    most_memory: u64,
    peak: u64,
    elements: u64,
    most_elements: u64,
    instances: usize,
    /// The limit that was reached, with its value.
    pub(crate) reached: Option<(&'static str, String)>,
}

/// Core memories and tables of one component. Toolchains make one or two of each.
pub(crate) const MOST_MEMORIES: usize = 4;
pub(crate) const MOST_TABLES: usize = 16;

impl Limiter {
    pub(crate) fn new(limits: &Limits) -> Limiter {
        Limiter {
            memory: 0,
            most_memory: limits.memory.bytes(),
            peak: 0,
            elements: 0,
            most_elements: limits.table_elements,
            instances: usize::try_from(limits.instances).unwrap_or(usize::MAX),
            reached: None,
        }
    }

    /// The most linear memory there was at once.
    pub(crate) fn peak(&self) -> Size {
        Size::from_bytes(self.peak)
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // It cannot grow so far by its own type, so nothing is to be counted: a guest may ask as often as it likes.
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let total = self.memory + (desired as u64).saturating_sub(current as u64);
        if total > self.most_memory {
            self.reached = Some(("memory", Size::from_bytes(self.most_memory).to_string()));
            return Ok(false);
        }
        self.memory = total;
        self.peak = self.peak.max(total);
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let total = self.elements + (desired as u64).saturating_sub(current as u64);
        if total > self.most_elements {
            self.reached = Some(("table elements", self.most_elements.to_string()));
            return Ok(false);
        }
        self.elements = total;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        MOST_TABLES
    }

    fn memories(&self) -> usize {
        MOST_MEMORIES
    }
}
