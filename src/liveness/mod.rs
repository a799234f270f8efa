//! Who owes signs of life, how they are given, and what their absence means.
//!
//! A watched thread leaves the time in its [`Pulse`] whenever it comes by: one store, no lock, no memory. The
//! [`Roster`] lists the pulses of all that live. [`Judge`] compares them with limits and reads no clock; the
//! thread that does all this at intervals, and acts on it, is `app/watchdog.rs`.
//!
//! What a new start would meet again is told and ends nothing: the judge lets only those end the process that
//! worked before in this life. So a disk, a driver or a mount that hangs costs at most one restart, and the
//! cameras beside it go on.

mod judge;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use vigia_core::time::Instant;

pub use judge::{Judge, Row, Rows, Turn};

/// Of our own loops: none of them waits for longer than a second.
const LOOP_LIMIT: Duration = Duration::from_secs(10);
/// Of what runs inside of GStreamer and the engines, which are slow on a busy processor.
const FOREIGN_LIMIT: Duration = Duration::from_secs(30);

/// What is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The loop that owns the state of the instance.
    App,
    /// The instance's connection to the broker. A broker that is away is no stall.
    Mqtt,
    /// The threads of the cameras. A camera that is away is no stall.
    Cameras,
    /// What cameras delivered is taken up.
    Frames,
    /// What was taken up comes out again.
    Engine,
    /// The thread that decides about fires.
    Fire,
    /// Its connection to the broker.
    FireMqtt,
    /// The thread that writes what must not be lost.
    Courier,
    /// The thread that speaks with the pump program.
    PumpLink,
}

impl Part {
    pub const ALL: [Self; 9] = [
        Self::App,
        Self::Mqtt,
        Self::Cameras,
        Self::Frames,
        Self::Engine,
        Self::Fire,
        Self::FireMqtt,
        Self::Courier,
        Self::PumpLink,
    ];

    /// As on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Mqtt => "mqtt",
            Self::Cameras => "cameras",
            Self::Frames => "frames",
            Self::Engine => "engine",
            Self::Fire => "fire",
            Self::FireMqtt => "fire_mqtt",
            Self::Courier => "courier",
            Self::PumpLink => "pump_link",
        }
    }

    /// How long it may give no sign.
    #[must_use]
    pub fn limit(self) -> Duration {
        match self {
            Self::App | Self::Mqtt | Self::Fire | Self::FireMqtt | Self::Courier | Self::PumpLink => {
                LOOP_LIMIT
            }
            Self::Cameras | Self::Frames | Self::Engine => FOREIGN_LIMIT,
        }
    }
}

/// A thread's signs of life. Clones are the same pulse; it is watched as long as one of them is there.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<Signs>);

#[derive(Debug, Default)]
struct Signs {
    /// Nanoseconds since boot; 0 while none is owed.
    last: AtomicU64,
    worked: AtomicBool,
}

impl Pulse {
    /// It came by, and owes the next sign from now on.
    pub fn beat(&self, now: Instant) {
        self.0.last.store(now.0, Ordering::Relaxed);
    }

    /// It owes nothing until the next sign: it waits for work, or has ended.
    pub fn rest(&self) {
        self.0.last.store(0, Ordering::Relaxed);
    }

    /// It did what it is for. Only then may a stall of it end the process.
    pub fn worked(&self) {
        self.0.worked.store(true, Ordering::Relaxed);
    }
}

/// All that are watched.
#[derive(Debug, Clone, Default)]
pub struct Roster(Arc<ArcSwap<Vec<Member>>>);

#[derive(Debug, Clone)]
struct Member {
    part: Part,
    source_id: Option<u32>,
    signs: Weak<Signs>,
}

/// What one of them shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sign {
    pub part: Part,
    /// Of a camera.
    pub source_id: Option<u32>,
    /// The last one, if another is owed.
    pub last: Option<Instant>,
    pub worked: bool,
}

impl Roster {
    /// Watches this pulse from now on, in the place of an earlier one of the same name.
    pub fn watch(&self, part: Part, source_id: Option<u32>, pulse: &Pulse) {
        let member = Member { part, source_id, signs: Arc::downgrade(&pulse.0) };
        let stays = |m: &&Member| m.signs.strong_count() > 0 && (m.part, m.source_id) != (part, source_id);
        self.0.rcu(|all| {
            let mut all: Vec<_> = all.iter().filter(stays).cloned().collect();
            all.push(member.clone());
            all
        });
    }

    #[must_use]
    pub fn signs(&self) -> Vec<Sign> {
        let sign = |m: &Member| {
            let signs = m.signs.upgrade()?;
            let last = Some(signs.last.load(Ordering::Relaxed)).filter(|ns| *ns > 0).map(Instant);
            let worked = signs.worked.load(Ordering::Relaxed);
            Some(Sign { part: m.part, source_id: m.source_id, last, worked })
        };
        self.0.load().iter().filter_map(sign).collect()
    }
}

/// Whole milliseconds.
#[must_use]
pub fn ms(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pulse_is_watched_until_its_owner_goes_or_another_takes_its_place() {
        let (roster, first, second) = (Roster::default(), Pulse::default(), Pulse::default());
        let lasts = |roster: &Roster| roster.signs().iter().map(|s| s.last).collect::<Vec<_>>();
        roster.watch(Part::Mqtt, None, &first);
        assert_eq!(lasts(&roster), [None]);
        first.beat(Instant(7));
        assert_eq!(lasts(&roster), [Some(Instant(7))]);
        roster.watch(Part::Mqtt, None, &second);
        assert_eq!(lasts(&roster), [None], "a rename brings another connection");
        roster.watch(Part::Cameras, Some(4), &first);
        roster.watch(Part::Cameras, Some(5), &first.clone());
        first.rest();
        assert_eq!(lasts(&roster), [None; 3]);
        drop(first);
        assert_eq!(roster.signs().len(), 1);
        second.worked();
        assert!(roster.signs()[0].worked);
    }
}
