//! The consensus with the streams of this box, which commands may change while it watches.
//!
//! A table of cameras is replaced only while nothing burns and nobody votes; until then, and
//! whenever the new streams make no table, the old one goes on and the panel says so.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vigia_core::config::{Config as Site, Stream};
use vigia_core::consensus::config::Origin;
use vigia_core::consensus::limits::AGE_MAX;
use vigia_core::consensus::{
    CameraId, Config, Consensus, Health, ObjectId, Observation, Sight, config::FrameSize,
};
use vigia_core::time::Instant;

use super::feed::Report;

pub struct Table {
    pub consensus: Consensus,
    started: Instant,
    by_source: BTreeMap<u32, CameraId>,
    /// What comes once it is calm.
    waiting: Option<Config>,
    /// Why the present streams make no table.
    pub outdated: Option<String>,
    /// Streams that a command added, and that no rule lets vote.
    pub uncounted: BTreeSet<u32>,
    /// When the detector last looked at a frame.
    last_report: Option<Instant>,
}

impl Table {
    pub fn new(consensus: Consensus, site: &Site, streams: &[Stream], outdated: Option<String>) -> Self {
        let mut table = Self {
            by_source: by_source(consensus.config()),
            consensus,
            started: crate::clock::now(),
            waiting: None,
            outdated,
            uncounted: BTreeSet::new(),
            last_report: None,
        };
        table.uncounted = table.strangers(site, streams, table.consensus.config());
        table
    }

    /// The streams are these from now on.
    pub fn follow(&mut self, site: &Site, streams: &[Stream]) {
        self.waiting = None;
        match site.consensus(streams) {
            None => {}
            Some(Ok(config)) => {
                self.outdated = None;
                self.uncounted = self.strangers(site, streams, &config);
                if config != *self.consensus.config() {
                    self.outdated = Some("the new cameras count once nothing burns".to_owned());
                    self.waiting = Some(config);
                }
            }
            Some(Err(faults)) => {
                let said: Vec<String> = faults.iter().take(3).map(ToString::to_string).collect();
                self.outdated = Some(said.join("; "));
                self.uncounted = self.strangers(site, streams, self.consensus.config());
            }
        }
    }

    fn strangers(&self, site: &Site, streams: &[Stream], config: &Config) -> BTreeSet<u32> {
        let configured = |id: u32| site.streams.iter().any(|s| s.source_id == id);
        let counts = |id: u32| config.camera_of_source(id).is_some();
        let ids = streams.iter().map(|s| s.source_id);
        ids.filter(|id| !configured(*id) && !counts(*id)).collect()
    }

    /// Changes over to the table that waits, if nothing speaks against it.
    pub fn change_over(&mut self, now: Instant) -> bool {
        if !self.consensus.is_calm() {
            return false;
        }
        let Some(config) = self.waiting.take() else { return false };
        self.by_source = by_source(&config);
        self.consensus = Consensus::new(config, now, self.consensus.next_trigger());
        self.started = now;
        self.outdated = None;
        true
    }

    /// What the detector saw. What does not count is in the trace.
    pub fn take(&mut self, now: Instant, report: &Report) {
        self.last_report = Some(now);
        let Some(camera) = self.by_source.get(&report.source_id).copied() else { return };
        // A result that comes too late is no proof that somebody looks, nor is one of a model that
        // would not know a fire.
        let frame_advanced = now.since(report.captured) <= AGE_MAX && report.knows_fire;
        self.consensus.seen(now, camera, Health { frame_advanced, ..report.health });
        for one in &report.found {
            let seen = Observation {
                camera,
                object: one.tracker_id.map(ObjectId::Tracked),
                class: one.class,
                confidence: one.confidence,
                bbox: one.bbox,
                frame: FrameSize { width: report.width, height: report.height },
                captured: report.captured,
            };
            // Why it does not count stands in the trace.
            let _ = self.consensus.observe(now, &seen);
        }
    }

    /// Whether cameras had the time to show that they see.
    pub fn is_settled(&self, now: Instant) -> bool {
        now.since(self.started) > self.timeout()
    }

    pub fn timeout(&self) -> Duration {
        self.consensus.config().rules.camera_timeout
    }

    /// How well fires are looked for.
    pub fn alive(&self, now: Instant) -> vigia_core::link::Alive {
        let (consensus, config) = (&self.consensus, self.consensus.config());
        let seeing = config.camera_ids().filter(|id| consensus.sight(*id) == Sight::Sees).count();
        let short = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
        let own = !self.by_source.is_empty();
        let looked = self.last_report.is_some_and(|at| now.since(at) <= self.timeout());
        vigia_core::link::Alive {
            cameras: short(config.cameras.len()),
            cameras_seeing: short(seeing),
            detector: !own || looked,
            consensus: config.sector_ids().all(|id| consensus.quorum_possible(id)),
        }
    }
}

fn by_source(config: &Config) -> BTreeMap<u32, CameraId> {
    let own = |(id, camera): (CameraId, &vigia_core::consensus::config::Camera)| match camera.origin {
        Origin::Own { source_id } => Some((source_id, id)),
        Origin::Outside { .. } => None,
    };
    config.camera_ids().zip(&config.cameras).filter_map(own).collect()
}
