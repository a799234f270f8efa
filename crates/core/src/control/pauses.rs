//! Who is silent, and until when.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

use crate::time::Instant;

/// When a pause ends by itself; `None`: never.
pub type Until = Option<Instant>;

/// The pauses of an instance. A later pause replaces an earlier one of the same extent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pauses {
    /// Of the whole instance, streams added later included.
    all: Option<Until>,
    /// Of single streams. They outlast a pause of the whole that ends by its time.
    sources: BTreeMap<u32, Until>,
}

impl Pauses {
    /// No sources: all.
    pub fn pause(&mut self, now: Instant, sources: &[u32], timeout: Option<Duration>) {
        let until = timeout.map(|timeout| now.after(timeout));
        if sources.is_empty() {
            self.all = Some(until);
        }
        self.sources.extend(sources.iter().map(|id| (*id, until)));
    }

    /// No sources: all. `streams`: all there are, since those not named stay paused when
    /// the whole instance was.
    pub fn resume(&mut self, sources: &[u32], streams: &[u32]) {
        if sources.is_empty() {
            *self = Self::default();
            return;
        }
        if let Some(all) = self.all.take() {
            for id in streams {
                self.sources.entry(*id).and_modify(|own| *own = later(*own, all)).or_insert(all);
            }
        }
        self.sources.retain(|id, _| !sources.contains(id));
    }

    /// Ends what is due. Whether anything ended.
    pub fn expire(&mut self, now: Instant) -> bool {
        let before = (self.all.is_some(), self.sources.len());
        let is_due = |until: Until| until.is_some_and(|until| until <= now);
        self.all = self.all.filter(|until| !is_due(*until));
        self.sources.retain(|_, until| !is_due(*until));
        before != (self.all.is_some(), self.sources.len())
    }

    /// Forgets the pauses of streams that are gone: one added again later is not silent.
    pub fn keep(&mut self, streams: &[u32]) {
        self.sources.retain(|id, _| streams.contains(id));
    }

    #[must_use]
    pub fn is_paused(&self, source_id: u32) -> bool {
        self.is_all_paused() || self.sources.contains_key(&source_id)
    }

    /// Whether the whole instance is.
    #[must_use]
    pub fn is_all_paused(&self) -> bool {
        self.all.is_some()
    }

    /// Those of `streams` that are silent, in their order.
    #[must_use]
    pub fn paused_sources(&self, streams: &[u32]) -> Vec<u32> {
        streams.iter().copied().filter(|id| self.is_paused(*id)).collect()
    }

    /// When the next pause ends by itself.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.entries().filter_map(|(_, until)| until).min()
    }

    /// Each pause: of which stream (`None`: all), until when.
    pub fn entries(&self) -> impl Iterator<Item = (Option<u32>, Until)> {
        let all = self.all.iter().map(|until| (None, *until));
        all.chain(self.sources.iter().map(|(id, until)| (Some(*id), *until)))
    }
}

impl FromIterator<(Option<u32>, Until)> for Pauses {
    fn from_iter<I: IntoIterator<Item = (Option<u32>, Until)>>(entries: I) -> Self {
        let mut pauses = Self::default();
        for (source_id, until) in entries {
            match source_id {
                None => pauses.all = Some(until),
                Some(id) => drop(pauses.sources.insert(id, until)),
            }
        }
        pauses
    }
}

fn later(a: Until, b: Until) -> Until {
    a.zip(b).map(|(a, b)| a.max(b))
}
