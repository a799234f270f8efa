//! One object that one camera follows: what was seen of it, and whether it votes.

use core::time::Duration;

use super::config::{Pace, Rules};
use super::ids::{Class, ObjectId};
use super::record::{Because, Miss, Predicate};
use super::samples::{Samples, reaches};
use super::trace::Note;
use crate::detection::BBox;
use crate::time::Instant;

/// Steps that must not fall where an object is followed by its place and not by its name (C3).
const STEADY_BY_PLACE: f32 = 0.7;

#[derive(Debug, Clone)]
pub(super) struct Object {
    pub id: ObjectId,
    pub class: Class,
    /// Last box, in shares of the picture.
    pub bbox: BBox,
    /// Capture of the last frame it was in.
    pub seen: Instant,
    /// Whether it ever changed its name or had none, so that it may be two objects in truth.
    pub by_place: bool,
    pub samples: Samples,
    /// When it last gave a reason to vote of its own: growth, or its size.
    pub grew: Option<Instant>,
    pub vote: Option<Because>,
    /// Its source said that it follows it no more.
    pub ended: bool,
    pub note: Note,
    large: Option<Large>,
}

/// Since when it covers much of the picture.
#[derive(Debug, Clone, Copy)]
struct Large {
    since: Instant,
    last: Instant,
    times: usize,
}

impl Object {
    pub fn new(id: ObjectId, class: Class, at: Instant) -> Self {
        Self {
            id,
            class,
            bbox: BBox::default(),
            seen: at,
            by_place: matches!(id, ObjectId::Unnamed(_)),
            samples: Samples::default(),
            grew: None,
            vote: None,
            ended: false,
            note: Note::default(),
            large: None,
        }
    }

    /// It is there, `area` large. What is larger than `area_max` says nothing about growth, but
    /// much about being large (C5).
    pub fn sighted(&mut self, at: Instant, bbox: BBox, area: f32, rules: &Rules, pace: &Pace) {
        self.seen = at;
        self.bbox = bbox;
        self.ended = false;
        if area <= rules.area_max {
            self.samples.push(at, area);
        }
        if area >= rules.large_area {
            match &mut self.large {
                Some(large) if at.since(large.last) <= pace.lapse => {
                    large.last = at;
                    large.times = large.times.saturating_add(1);
                }
                Some(_) | None => self.large = Some(Large { since: at, last: at, times: 1 }),
            }
        }
    }

    /// Whether it votes, and what for; or what is missing.
    pub fn judge(&mut self, now: Instant, rules: &Rules, pace: &Pace) -> Result<Because, Miss> {
        self.samples.forget_before(earlier(now, rules.window));
        let unseen = now.since(self.seen);
        if self.ended || unseen > pace.lapse {
            return Err(Miss::seconds(Predicate::InView, unseen, pace.lapse));
        }
        if self.is_large(now, rules, pace) {
            self.grew = Some(now);
            return Ok(Because::Large);
        }
        match (self.growing(rules, pace), self.grew) {
            (Ok(()), _) => {
                self.grew = Some(now);
                Ok(Because::Growing)
            }
            (Err(_), Some(grew)) if now.since(grew) <= rules.keep => Ok(Because::Kept),
            (Err(_), Some(grew)) => Err(Miss::seconds(Predicate::Kept, now.since(grew), rules.keep)),
            (Err(miss), None) => Err(miss),
        }
    }

    /// Whether it is a fire that once voted and is still there. Keeps a confirmed fire alive,
    /// however long ago it grew (C12).
    pub fn stands(&self, now: Instant, pace: &Pace) -> bool {
        !self.ended && self.grew.is_some() && now.since(self.seen) <= pace.lapse
    }

    fn is_large(&self, now: Instant, rules: &Rules, pace: &Pace) -> bool {
        self.large.is_some_and(|large| {
            now.since(large.last) <= pace.lapse
                && large.last.since(large.since) >= rules.large_for
                && large.times >= pace.samples * 2
        })
    }

    /// Spec 2.4, with a least span (K26), and steadiness where it was asked for or is due.
    fn growing(&self, rules: &Rules, pace: &Pace) -> Result<(), Miss> {
        let wanted = pace.samples * 2;
        let Some(growth) = self.samples.growth(pace.samples) else {
            return Err(Miss::count(Predicate::Samples, self.samples.len(), wanted));
        };
        if growth.span < pace.span {
            return Err(Miss::seconds(Predicate::Span, growth.span, pace.span));
        }
        // Two things in turns may have the medians of growth; then the smaller is among the last (C3).
        let ratio = if self.by_place { growth.least } else { growth.ratio };
        if !reaches(ratio, rules.growth_ratio) {
            return Err(Miss::new(Predicate::Growth, ratio, rules.growth_ratio.into()));
        }
        let by_place = if self.by_place { STEADY_BY_PLACE } else { 0.0 };
        let wanted = rules.growth_steady.max(by_place);
        let steady = self.samples.steady_share(pace.samples);
        if steady < wanted {
            return Err(Miss::new(Predicate::Steady, steady.into(), wanted.into()));
        }
        Ok(())
    }
}

/// `now - d`, not before the beginning of time.
pub(super) fn earlier(now: Instant, d: Duration) -> Instant {
    Instant(now.0.saturating_sub(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)))
}
