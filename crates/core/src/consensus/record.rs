//! What a decision or a near miss consists of. [`super::sentence`] puts it into words.

use core::time::Duration;

use super::ids::{CameraId, ObjectId, SectorId, TriggerId};
use crate::time::Instant;

/// One decision or near miss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Record {
    pub at: Instant,
    /// When it was last so; equal to `at` for what happened once.
    pub until: Instant,
    /// How often, from `at` to `until`.
    pub times: u32,
    pub camera: Option<CameraId>,
    pub sector: Option<SectorId>,
    pub object: Option<ObjectId>,
    pub what: What,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum What {
    Missed(Miss),
    /// A message from outside was refused: the reason, without the sender's own words.
    Refused(&'static str),
    Decided(Decision),
}

/// A predicate that did not hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Miss {
    pub predicate: Predicate,
    /// Of several, the one that came closest.
    pub measured: f64,
    pub wanted: f64,
}

/// What must hold. The comment says what is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Predicate {
    /// At most so many seconds old.
    Age,
    /// Not captured before what was seen of the object already: seconds behind.
    Order,
    /// At least.
    Confidence,
    /// The box has an area within the frame: share of the picture.
    Box,
    /// At least, share of the picture.
    AreaMin,
    /// At most, share of the picture.
    AreaMax,
    /// Fewer objects than the limit.
    Room,
    /// At least so many samples.
    Samples,
    /// At least so many seconds from the first to the last.
    Span,
    /// At least so many times as large.
    Growth,
    /// At least such a share of steps that do not fall.
    Steady,
    /// At most so many seconds out of view.
    InView,
    /// At most so many seconds since it last grew.
    Kept,
    /// A good picture at most so many seconds ago.
    Seeing,
    /// At least so many votes.
    Agreement,
    /// One camera alone: for at least so many seconds.
    Alone,
    /// At least one camera sees fire, not only smoke.
    FireSeen,
}

impl Predicate {
    /// For programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Order => "order",
            Self::Confidence => "confidence",
            Self::Box => "box",
            Self::AreaMin => "area_min",
            Self::AreaMax => "area_max",
            Self::Room => "room",
            Self::Samples => "samples",
            Self::Span => "span",
            Self::Growth => "growth",
            Self::Steady => "steady",
            Self::InView => "in_view",
            Self::Kept => "kept",
            Self::Seeing => "seeing",
            Self::Agreement => "agreement",
            Self::Alone => "alone",
            Self::FireSeen => "fire_seen",
        }
    }
}

/// How many predicates there are.
pub(super) const PREDICATES: usize = Predicate::FireSeen as usize + 1;

/// Why an object votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Because {
    /// It grows.
    Growing,
    /// It covers much of the picture, and has for a while (C5).
    Large,
    /// It grew a while ago, and is still there (C5).
    Kept,
}

/// What a camera is worth as a witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    Sees,
    /// Nothing good came from it since the start.
    Unproven,
    /// No new picture within the limit.
    Silent,
    Frozen,
    Black,
    WashedOut,
    Obscured,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decision {
    VoteGiven(Because),
    VoteEnded,
    Sight(Sight),
    /// Fewer cameras see than must agree: seeing, needed.
    QuorumLost {
        seeing: usize,
        needed: usize,
    },
    QuorumBack {
        seeing: usize,
        needed: usize,
    },
    /// `votes` in half votes.
    Confirmed {
        trigger: TriggerId,
        half_votes: usize,
        needed: usize,
    },
    Acknowledged(TriggerId),
    /// The same fire again, within the cooldown.
    Rekindled(TriggerId),
    /// No evidence any more.
    Ended(TriggerId),
    SmokeSeen,
    SmokeGone,
}

impl Miss {
    #[must_use]
    pub fn new(predicate: Predicate, measured: f64, wanted: f64) -> Self {
        Self { predicate, measured, wanted }
    }

    pub(super) fn seconds(predicate: Predicate, measured: Duration, wanted: Duration) -> Self {
        Self::new(predicate, measured.as_secs_f64(), wanted.as_secs_f64())
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of tens")]
    pub(super) fn count(predicate: Predicate, measured: usize, wanted: usize) -> Self {
        Self::new(predicate, measured as f64, wanted as f64)
    }

    /// How far from holding.
    pub(super) fn distance(&self) -> f64 {
        (self.measured - self.wanted).abs()
    }
}

impl What {
    /// Whether it is the same going on, with other numbers.
    pub(super) fn goes_on_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Missed(one), Self::Missed(other)) => one.predicate == other.predicate,
            (Self::Refused(one), Self::Refused(other)) => one == other,
            (Self::Missed(_) | Self::Refused(_) | Self::Decided(_), _) => false,
        }
    }
}

impl Record {
    pub(super) fn of_camera(at: Instant, camera: CameraId, object: Option<ObjectId>, what: What) -> Self {
        Self { at, until: at, times: 1, camera: Some(camera), sector: None, object, what }
    }

    pub(super) fn of_sector(at: Instant, sector: SectorId, what: What) -> Self {
        Self { at, until: at, times: 1, camera: None, sector: Some(sector), object: None, what }
    }
}
