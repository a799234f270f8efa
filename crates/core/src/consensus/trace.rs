//! What was decided, and what missed by how much: enough to tell a technician why it did not fire.
//!
//! Each camera has a ring of its own, so that a flood on one does not push out what the others
//! have to tell; so have the sectors. What goes on is one record that counts, not many. Memory is
//! taken once, at the start.

use alloc::vec::Vec;
use core::time::Duration;

use super::config::Config;
use super::ids::{CameraId, SectorId};
use super::record::{Record, What};
use crate::time::Instant;

/// Records kept per camera.
pub const CAMERA_RECORDS_MAX: usize = 128;
/// Records kept for all sectors together.
pub const SECTOR_RECORDS_MAX: usize = 1024;
/// What goes on longer than this gets a new record, so that its course can be seen.
const COALESCE: Duration = Duration::from_secs(60);
/// New records per camera and second, misses and decisions each; beyond it they are only counted.
const NEW_PER_SECOND_MAX: u32 = 8;

/// Where a miss that goes on is recorded.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Note(Option<u64>);

#[derive(Debug)]
pub(super) struct Trace {
    cameras: Vec<Ring>,
    sectors: Ring,
    suppressed: u64,
}

#[derive(Debug)]
struct Ring {
    records: Vec<Record>,
    len_max: usize,
    /// Records ever pushed.
    pushed: u64,
    misses: Budget,
    decisions: Budget,
}

#[derive(Debug, Clone, Copy, Default)]
struct Budget {
    second: u64,
    used: u32,
}

impl Trace {
    pub fn new(cameras: usize) -> Self {
        let cameras = (0..cameras).map(|_| Ring::new(CAMERA_RECORDS_MAX)).collect();
        Self { cameras, sectors: Ring::new(SECTOR_RECORDS_MAX), suppressed: 0 }
    }

    /// Records that were not written because their camera had too many.
    pub fn suppressed(&self) -> u64 {
        self.suppressed
    }

    /// Something did not hold; the same again is counted in the record that `note` knows.
    pub fn miss(&mut self, note: &mut Note, record: Record) {
        let Some(ring) = self.ring(&record) else { return };
        if let Some(old) = note.0.and_then(|number| ring.get_mut(number))
            && old.what.goes_on_as(&record.what)
            && record.at.since(old.at) < COALESCE
        {
            old.until = record.at;
            old.times = old.times.saturating_add(1);
            if let (What::Missed(best), What::Missed(miss)) = (&mut old.what, &record.what)
                && (miss.distance() < best.distance() || best.distance().is_nan())
            {
                *best = *miss;
                old.object = record.object;
            }
        } else if ring.misses.take(record.at) {
            *note = Note(Some(ring.push(record)));
        } else {
            self.suppressed = self.suppressed.saturating_add(1);
        }
    }

    pub fn decided(&mut self, record: Record) {
        let Some(ring) = self.ring(&record) else { return };
        // Sectors decide seldom by their nature, and nothing of theirs is left out.
        if record.camera.is_none() || ring.decisions.take(record.at) {
            ring.push(record);
        } else {
            self.suppressed = self.suppressed.saturating_add(1);
        }
    }

    /// In the order of time: what `camera` has to tell, with its sectors; or everybody.
    pub fn between<'t>(
        &'t self,
        config: &Config,
        camera: Option<CameraId>,
        from: Instant,
        to: Instant,
    ) -> impl Iterator<Item = &'t Record> + use<'t> {
        let is_sector = |sector: SectorId| match (camera, config.sectors.get(sector.index())) {
            (Some(camera), Some(sector)) => sector.cameras.contains(&camera),
            (None, _) | (_, None) => true,
        };
        let of_cameras = self.cameras.iter().enumerate();
        let of_cameras = of_cameras.filter(|(at, _)| camera.is_none_or(|camera| camera.index() == *at));
        let mut found: Vec<&Record> = of_cameras.flat_map(|(_, ring)| &ring.records).collect();
        found.extend(self.sectors.records.iter().filter(|r| r.sector.is_none_or(is_sector)));
        found.retain(|record| record.until >= from && record.at <= to);
        found.sort_by_key(|record| record.at);
        found.into_iter()
    }

    fn ring(&mut self, record: &Record) -> Option<&mut Ring> {
        match record.camera {
            Some(camera) => self.cameras.get_mut(camera.index()),
            None => Some(&mut self.sectors),
        }
    }
}

impl Ring {
    fn new(len_max: usize) -> Self {
        Self {
            records: Vec::with_capacity(len_max),
            len_max,
            pushed: 0,
            misses: Budget::default(),
            decisions: Budget::default(),
        }
    }

    fn push(&mut self, record: Record) -> u64 {
        let number = self.pushed;
        let at = self.place(number);
        match self.records.get_mut(at) {
            Some(slot) => *slot = record,
            None => self.records.push(record),
        }
        self.pushed += 1;
        number
    }

    /// The record, unless a later one took its place.
    fn get_mut(&mut self, number: u64) -> Option<&mut Record> {
        let age = self.pushed.checked_sub(number)?;
        let at = self.place(number);
        if age <= self.len_max as u64 { self.records.get_mut(at) } else { None }
    }

    fn place(&self, number: u64) -> usize {
        usize::try_from(number % self.len_max as u64).unwrap_or(0)
    }
}

impl Budget {
    fn take(&mut self, at: Instant) -> bool {
        let second = at.0 / 1_000_000_000;
        if second != self.second {
            *self = Self { second, used: 0 };
        }
        self.used = self.used.saturating_add(1);
        self.used <= NEW_PER_SECOND_MAX
    }
}
