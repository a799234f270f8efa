//! Do several cameras agree that something burns?
//!
//! ```text
//! observe ──► Eye, one per camera ──► object: samples → growth, size → vote ─┐
//! seen ─────► (does it see at all)                                          ├─► step ─► Event
//! acknowledge ─────────────────────► sector: k of n → fire → acknowledged ──┘      Verdict
//!                                    every miss and decision ─► Trace ─► why
//! ```
//!
//! Pure: the same inputs at the same times give the same answers, in whatever order the cameras
//! come. Bounded: memory is taken at the start; a flood displaces the flood and not what was seen
//! before it. Time is told and never goes back; no wall clock is known here (C7).
//!
//! Promises: no fire is confirmed by fewer than k cameras that see; smoke alone confirms nothing;
//! a confirmed fire is repeated until it is acknowledged, and its cooldown begins only then; a
//! sector that can't confirm anything says so.
//!
//! It does not know pumps, topics or clocks, and does not say that a fire will be seen.

mod check;
pub mod config;
mod eye;
mod fault;
mod ids;
pub mod limits;
mod object;
mod observation;
pub mod outside;
pub mod raw;
mod record;
mod samples;
mod sector;
mod sentence;
mod tally;
mod trace;

use alloc::vec::Vec;
use core::time::Duration;

pub use check::{Own, check};
pub use config::Config;
pub use fault::{Fault, Wrong};
pub use ids::{CameraId, Class, OBJECT_NAME_BYTES_MAX, ObjectId, ObjectName, SectorId, TriggerId, ZoneId};
pub use observation::{Health, Observation};
pub use record::{Because, Decision, Miss, Predicate, Record, Sight, What};
pub use sector::{Event, Trigger, Verdict};
pub use sentence::Sentence;
pub use trace::{CAMERA_RECORDS_MAX, SECTOR_RECORDS_MAX};

use crate::time::Instant;
use eye::Eye;
use sector::{Round, Watch};
use trace::Trace;

/// The decision, for one box.
#[derive(Debug)]
pub struct Consensus {
    config: Config,
    started: Instant,
    /// The latest time that was told.
    now: Instant,
    /// When the conclusions were drawn last.
    stepped: Instant,
    eyes: Vec<Eye>,
    sectors: Vec<Watch>,
    trace: Trace,
    next_trigger: u64,
}

impl Consensus {
    /// `first`: the number of the first fire, above those of earlier lives of this box.
    #[must_use]
    pub fn new(config: Config, now: Instant, first: TriggerId) -> Self {
        Self {
            started: now,
            now,
            stepped: now,
            eyes: config.camera_ids().map(Eye::new).collect(),
            sectors: config.sector_ids().map(Watch::new).collect(),
            trace: Trace::new(config.cameras.len()),
            next_trigger: first.0,
            config,
        }
    }

    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Takes a detection into account; [`Self::step`] draws the conclusions. What does not count
    /// is said, and kept for [`Self::why`].
    pub fn observe(&mut self, now: Instant, seen: &Observation) -> Result<(), Miss> {
        let now = self.tell(now);
        let at = seen.camera.index();
        match (self.eyes.get_mut(at), self.config.cameras.get(at)) {
            (Some(eye), Some(camera)) => eye.observe(now, seen, camera, &self.config.rules, &mut self.trace),
            // An id of another configuration.
            (None, _) | (_, None) => Err(Miss::count(Predicate::Seeing, 0, 1)),
        }
    }

    /// What is known of a camera's picture. A camera of this box counts only while this says that
    /// it sees; one from outside proves it with its messages, too.
    pub fn seen(&mut self, now: Instant, camera: CameraId, health: Health) {
        let now = self.tell(now);
        if let Some(eye) = self.eyes.get_mut(camera.index()) {
            eye.look(now, health);
        }
    }

    /// An outside camera says that it follows this object no more.
    pub fn ended(&mut self, now: Instant, camera: CameraId, object: ObjectId) {
        self.tell(now);
        if let Some(eye) = self.eyes.get_mut(camera.index()) {
            eye.ended(object);
        }
    }

    /// Takes a message from outside that arrived at `now`.
    pub fn hear(
        &mut self,
        now: Instant,
        form: outside::Form,
        payload: &[u8],
        retained: bool,
    ) -> Result<(), outside::Refusal> {
        let now = self.tell(now);
        let mut of = None;
        match outside::read_of(&self.config, now, form, payload, retained, &mut of) {
            Ok(outside::Message::Seen(seen)) => self.observe(now, &seen).map_err(outside::Refusal::Missed),
            Ok(outside::Message::Ended { camera, object }) => {
                self.ended(now, camera, object);
                Ok(())
            }
            Ok(outside::Message::Alive(camera)) => {
                self.seen(now, camera, Health::GOOD);
                Ok(())
            }
            Err(refusal) => {
                if let Some(eye) = of.and_then(|camera| self.eyes.get_mut(camera.index())) {
                    eye.refused(now, refusal.reason(), &mut self.trace);
                }
                Err(refusal)
            }
        }
    }

    /// Looks at everything that changed or aged, and says what came of it. To be called after
    /// each batch of detections, and by [`Self::deadline`] at the latest. `events` is appended to.
    pub fn step(&mut self, now: Instant, events: &mut Vec<Event>) {
        let now = self.tell(now);
        self.stepped = now;
        let timeout = self.config.rules.camera_timeout;
        for (eye, (camera, id)) in
            self.eyes.iter_mut().zip(self.config.cameras.iter().zip(self.config.camera_ids()))
        {
            if let Some(sight) = eye.new_sight(now, timeout) {
                events.push(Event::Sight { camera: id, sight });
                let what = What::Decided(Decision::Sight(sight));
                self.trace.decided(Record::of_camera(now, id, None, what));
            }
            eye.count(now, camera, &self.config.rules, &mut self.trace);
            eye.note_blind_vote(now, timeout, &mut self.trace);
        }
        let settled = now.since(self.started) > timeout;
        let mut round = Round {
            now,
            settled,
            config: &self.config,
            eyes: &self.eyes,
            next: &mut self.next_trigger,
            trace: &mut self.trace,
            events,
        };
        self.sectors.iter_mut().for_each(|sector| sector.step(&mut round));
    }

    /// When [`Self::step`] must be called next, whatever comes in until then.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        let busy = !self.is_calm() || self.eyes.iter().any(|eye| eye.objects_len() > 0);
        let wait: Duration = if busy { limits::RECHECK } else { limits::STEP_MAX };
        self.stepped.after(wait)
    }

    /// The controller has taken over this fire: it is not said again, and its cooldown begins.
    /// False: nobody waits for that.
    pub fn acknowledge(&mut self, now: Instant, trigger: TriggerId) -> bool {
        let now = self.tell(now);
        let (rules, trace) = (&self.config.rules, &mut self.trace);
        self.sectors.iter_mut().any(|sector| sector.acknowledge(now, trigger, rules, trace))
    }

    #[must_use]
    pub fn verdict(&self, sector: SectorId) -> Verdict<'_> {
        self.sectors.get(sector.index()).map_or(Verdict::Clear, Watch::verdict)
    }

    /// Whether nobody votes and nothing burns: the time to change the configuration (R-29).
    #[must_use]
    pub fn is_calm(&self) -> bool {
        self.sectors.iter().all(|sector| sector.verdict() == Verdict::Clear)
    }

    /// The number of the next fire: what a successor begins with.
    #[must_use]
    pub fn next_trigger(&self) -> TriggerId {
        TriggerId(self.next_trigger)
    }

    /// Whether enough cameras of the sector see to confirm a fire.
    #[must_use]
    pub fn quorum_possible(&self, sector: SectorId) -> bool {
        self.sectors.get(sector.index()).is_some_and(Watch::quorum)
    }

    #[must_use]
    pub fn sight(&self, camera: CameraId) -> Sight {
        let timeout = self.config.rules.camera_timeout;
        self.eyes.get(camera.index()).map_or(Sight::Unproven, |eye| eye.sight(self.now, timeout))
    }

    /// Number of objects that a camera follows at present.
    #[must_use]
    pub fn objects(&self, camera: CameraId) -> usize {
        self.eyes.get(camera.index()).map_or(0, Eye::objects_len)
    }

    /// Objects of a camera that vote fire at present.
    #[must_use]
    pub fn voting(&self, camera: CameraId) -> Vec<ObjectId> {
        self.eyes.get(camera.index()).map(Eye::voting).unwrap_or_default()
    }

    /// Decisions and near misses in the order of time: of one camera and its sectors, or of all.
    pub fn why(
        &self,
        camera: Option<CameraId>,
        from: Instant,
        to: Instant,
    ) -> impl Iterator<Item = &Record> + use<'_> {
        self.trace.between(&self.config, camera, from, to)
    }

    /// A record as a sentence for people.
    #[must_use]
    pub fn sentence<'a>(&'a self, record: &'a Record) -> Sentence<'a> {
        Sentence::new(&self.config, record)
    }

    /// Records that were left out because a camera had too many at a time.
    #[must_use]
    pub fn suppressed(&self) -> u64 {
        self.trace.suppressed()
    }

    /// Time never goes back: an earlier time counts as the latest told.
    fn tell(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "small positive numbers"
)]
mod tests;
