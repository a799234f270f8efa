//! Records in plain sentences, for a technician who asks why it did or did not fire.

use core::fmt;

use super::config::Config;
use super::record::{Because, Decision, Miss, Predicate, Record, Sight, What};
use crate::time::Instant;

/// A [`Record`] to be shown: when, who, what, and by how much it missed.
#[derive(Debug)]
pub struct Sentence<'a> {
    config: &'a Config,
    record: &'a Record,
}

impl<'a> Sentence<'a> {
    pub(super) fn new(config: &'a Config, record: &'a Record) -> Self {
        Self { config, record }
    }
}

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { config, record } = self;
        write!(f, "{} s", Seconds(record.at))?;
        if record.times > 1 {
            write!(f, " to {} s, {} times", Seconds(record.until), record.times)?;
        }
        if let Some(sector) = record.sector {
            write!(f, ": sector {}", config.sector_name(sector))?;
        }
        if let Some(camera) = record.camera {
            write!(f, ": camera {}", config.camera_name(camera))?;
        }
        if let Some(object) = record.object {
            write!(f, ", object {object}")?;
        }
        match &record.what {
            What::Missed(miss) => write!(f, ": {miss}"),
            What::Refused(reason) => write!(f, ": a message of it was refused: {reason}"),
            What::Decided(decision) => write!(f, ": {decision}"),
        }
    }
}

/// Since the start of the clock, with tenths.
struct Seconds(Instant);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = self.0.0 / 100_000_000;
        write!(f, "{}.{}", tenths / 10, tenths % 10)
    }
}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { predicate, measured: got, wanted } = self;
        match predicate {
            Predicate::Age => write!(f, "the detection was {got:.1} s old; at most {wanted:.1} s counts"),
            Predicate::Order => write!(f, "the detection is {got:.3} s older than one that came before it"),
            Predicate::Confidence => write!(f, "confidence {got:.3}; at least {wanted:.3} counts"),
            Predicate::Box => f.write_str("the box has no area in the picture"),
            Predicate::AreaMin => {
                write!(f, "covers {got:.5} of the picture; at least {wanted:.5} counts")
            }
            Predicate::AreaMax => {
                write!(f, "covers {got:.3} of the picture; growth is measured up to {wanted:.3}")
            }
            Predicate::Room => write!(f, "{got} objects at a time; at most {wanted} are followed"),
            Predicate::Samples => write!(f, "{got} samples; {wanted} are needed to measure growth"),
            Predicate::Span => write!(f, "seen for {got:.1} s; growth needs at least {wanted:.1} s"),
            Predicate::Growth => write!(f, "became {got:.2} times as large; {wanted:.2} is needed"),
            Predicate::Steady => {
                write!(f, "{got:.2} of the steps did not fall; {wanted:.2} is needed: two things in turns?")
            }
            Predicate::InView => write!(f, "out of view for {got:.1} s; votes rest after {wanted:.1} s"),
            Predicate::Kept => write!(f, "grew last {got:.0} s ago; the vote is kept for {wanted:.0} s"),
            Predicate::Seeing => write!(f, "no good picture for {got:.1} s, so what it votes does not count"),
            Predicate::Agreement => write!(f, "{got} votes; {wanted} are needed"),
            Predicate::Alone => {
                write!(f, "one camera alone for {got:.1} s; it must go on for {wanted:.1} s")
            }
            Predicate::FireSeen => f.write_str("smoke, but no fire; smoke alone starts nothing"),
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VoteGiven(because) => write!(f, "votes: {}", because.words()),
            Self::VoteEnded => f.write_str("votes no more"),
            Self::Sight(sight) => f.write_str(sight.words()),
            Self::QuorumLost { seeing, needed } => {
                write!(f, "can't confirm a fire: {seeing} cameras see, {needed} must agree")
            }
            Self::QuorumBack { seeing, needed } => {
                write!(f, "can confirm fires again: {seeing} cameras see, {needed} must agree")
            }
            Self::Confirmed { trigger, half_votes, needed } => {
                let half = if half_votes % 2 == 1 { " and a half" } else { "" };
                write!(f, "FIRE {}: {}{half} votes, {needed} needed", trigger.0, half_votes / 2)
            }
            Self::Acknowledged(trigger) => {
                write!(f, "fire {} was taken over by the pump controller", trigger.0)
            }
            Self::Rekindled(trigger) => write!(f, "fire {} flared up again within its cooldown", trigger.0),
            Self::Ended(trigger) => write!(f, "fire {}: no camera sees it any more", trigger.0),
            Self::SmokeSeen => f.write_str("smoke is seen"),
            Self::SmokeGone => f.write_str("no smoke is seen any more"),
        }
    }
}

impl Because {
    fn words(self) -> &'static str {
        match self {
            Self::Growing => "it grows",
            Self::Large => "it is large and stays",
            Self::Kept => "it grew and is still there",
        }
    }
}

impl Sight {
    /// For people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Sees => "sees",
            Self::Unproven => "gave no good picture yet",
            Self::Silent => "is silent: no new picture",
            Self::Frozen => "is frozen: the picture does not change",
            Self::Black => "is blind: the picture is black",
            Self::WashedOut => "is blind: the picture is washed out",
            Self::Obscured => "is blind: something covers the lens",
        }
    }

    /// For programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sees => "sees",
            Self::Unproven => "unproven",
            Self::Silent => "silent",
            Self::Frozen => "frozen",
            Self::Black => "black",
            Self::WashedOut => "washed_out",
            Self::Obscured => "obscured",
        }
    }
}
