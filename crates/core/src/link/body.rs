//! What travels, in each direction.

use core::time::Duration;

use serde::Serialize;

use super::image::{PanelImage, SeenImage};
use super::sealed::Payload;
use super::wire::{Reader, Wire, Writer, fields, tagged, words};
use super::{BootId, FrameError};
use crate::pump::{
    Command, Demand, Event, Fault, Order, Purpose, RawPlan, Refusal, RelayImage, SensorImage, StateName,
};
use crate::time::Instant;

/// From `vigia`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToPump {
    /// First of all; anything else before it is refused.
    Hello,
    /// A confirmed fire, or a trigger from outside. Answered with [`DemandAck`].
    Demand(Demand),
    /// Answered with [`CommandAck`]. Who may, the machine judges by the role, which `vigia`
    /// has verified.
    Command(Command),
    Alive(Alive),
    /// All events up to this number are in safe hands. Never a number that was not said on
    /// this connection.
    EventAck {
        up_to: u64,
    },
}

/// How well fires are being looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Alive {
    pub cameras: u16,
    /// Those proven to see.
    pub cameras_seeing: u16,
    /// Whether the detector answers.
    pub detector: bool,
    /// Whether enough cameras see for a quorum in each zone.
    pub consensus: bool,
}

impl Alive {
    /// Whether a fire in any zone would be found.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        self.detector && self.consensus && self.cameras_seeing > 0
    }
}

fields!(Alive: cameras, cameras_seeing, detector, consensus);

/// From `vigia-pump`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FromPump {
    Welcome(Welcome),
    DemandAck(DemandAck),
    CommandAck(CommandAck),
    Event(Numbered),
    Status(Status),
    /// What was said is not taken. After all but [`Refused::Malformed`],
    /// [`Refused::OutOfOrder`] and [`Refused::EventUnknown`] the connection ends.
    Refused(Refused),
}

/// Who answers, and with what in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Welcome {
    /// [`fingerprint`] of the plan that is carried out.
    pub plan: u64,
    pub bank: BankKind,
    /// Names the book of events: numbers go on within it, over restarts of the pump, and
    /// begin at 1 in the next (after the box was switched off).
    pub book: BootId,
    /// The first of the unacknowledged events that follow, or the number of the next event.
    pub first_event: u64,
    /// Numbers up to here have been given.
    pub last_event: u64,
}

fields!(Welcome: plan, bank, book, first_event, last_event);

/// What the relays are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BankKind {
    /// No relay moves: a plant that exists in this program only.
    Simulated,
    Gpio,
}

words!(BankKind, "bank": Simulated = 1, Gpio = 2);

/// What the watchdog relay's own contact says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WatchdogRelay {
    /// The board has none.
    NotFitted,
    Fallen,
    Pulled,
}

words!(WatchdogRelay, "watchdog relay": NotFitted = 1, Fallen = 2, Pulled = 3);

impl BankKind {
    #[must_use]
    pub const fn is_simulated(self) -> bool {
        matches!(self, Self::Simulated)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemandAck {
    /// Of the frame that is answered.
    pub seq: u64,
    pub id: u64,
    pub outcome: DemandOutcome,
}

fields!(DemandAck: seq, id, outcome);

/// What became of a demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum DemandOutcome {
    /// Water is on its way, or goes on flowing.
    Accepted,
    /// Heard, alarm given, and no water now. If it persists, say it again: it is taken up as
    /// soon as nothing is in the way.
    Blocked { why: Refusal },
    /// Not listened to: stale, replayed, from nobody.
    Ignored { why: Refusal },
    /// The pump is out of order; alarm given.
    Fault { fault: Fault },
}

tagged!(DemandOutcome, "outcome":
    Accepted = 1, Blocked { why } = 2, Ignored { why } = 3, Fault { fault } = 4,
);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandAck {
    /// Of the frame that is answered.
    pub seq: u64,
    pub id: u64,
    pub order: Order,
    /// `None`: done.
    pub refusal: Option<Refusal>,
}

fields!(CommandAck: seq, id, order, refusal);

/// One event. It is said again after each Welcome until it is acknowledged: whoever takes
/// it in must know (`book`, `number`) again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered {
    pub number: u64,
    /// When, by the clock of this box that counts suspend; the pump reads no wall clock.
    pub at: Instant,
    pub event: Event,
    pub after: Moment,
}

fields!(Numbered: number, at, event, after);

impl Wire for Instant {
    fn put(&self, to: &mut Writer) {
        self.0.put(to);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, FrameError> {
        u64::take(from).map(Self)
    }
}

/// How things stood after the step that an event is from (`system_state` of spec 3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub state: StateName,
    pub epoch: u32,
    pub fault: Option<Fault>,
    pub relays: RelayImage,
    pub seen: SeenImage,
    pub refill_owed: Duration,
    pub current_runtime: Duration,
    pub total_runtime: Duration,
    pub armed: bool,
}

fields!(Moment:
    state, epoch, fault, relays, seen, refill_owed, current_runtime, total_runtime, armed
);

/// How `vigia` is doing, as the pump hears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Detection {
    /// Fires would be found.
    Whole,
    /// It is there, and some fires would not be found.
    Impaired,
    /// Nobody is there.
    Silent,
}

words!(Detection, "detection": Whole = 1, Impaired = 2, Silent = 3);

/// How the ledger is being kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Keeping {
    /// All of it is on the disk.
    Written,
    /// Something is on its way.
    Pending,
    /// For longer than a second.
    Behind,
    /// The disk refuses.
    Failing,
}

words!(Keeping, "ledger": Written = 1, Pending = 2, Behind = 3, Failing = 4);

/// All there is to know, every [`super::ALIVE_EVERY`] and on each change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    pub at: Instant,
    pub now: Moment,
    pub purpose: Option<Purpose>,
    pub panel: PanelImage,
    /// What the contacts say; [`Moment::seen`] is what they are taken for.
    pub sensors: SensorImage,
    /// What the lines say the relays do; [`Moment::relays`] is what was asked for.
    pub read_back: RelayImage,
    pub bank: BankKind,
    /// The lines passed their test; nothing is driven before.
    pub self_tested: bool,
    /// Whether the watchdog relay is being fed.
    pub watchdog_fed: bool,
    pub detection: Detection,
    pub ledger: Keeping,
    pub runs: u32,
    /// Of those that an hour may have.
    pub starts_spent: u8,
    pub last_event: u64,
    pub events_unacknowledged: u16,
    /// Events that nobody will hear of: the book was full.
    pub events_lost: u32,
    /// Since the start.
    pub frames_refused: u32,
    /// How late cycles begin, in microseconds.
    pub late_us_p999: u32,
    pub late_us_max: u32,
    /// Cycles that began so late that they fed no watchdog relay.
    pub late_cycles: u32,
    /// Cycles since the start.
    pub cycles: u32,
    pub watchdog: WatchdogRelay,
    /// Nothing of the program can be paged out.
    pub memory_locked: bool,
    /// The program goes before all others.
    pub realtime: bool,
}

fields!(Status:
    at, now, purpose, panel, sensors, read_back, bank, self_tested, watchdog_fed, detection, ledger, runs,
    starts_spent, last_event, events_unacknowledged, events_lost, frames_refused, late_us_p999,
    late_us_max, late_cycles, cycles, watchdog, memory_locked, realtime
);

/// Why something is not listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    Malformed,
    Version,
    OutOfOrder,
    /// Somebody else is connected.
    Busy,
    /// Neither of the pump's own user or group, nor root.
    NotYou,
    /// No Hello, or a second one.
    Greeting,
    /// An acknowledgement of what was never sent.
    EventUnknown,
    /// Said nothing, or took nothing in, for too long.
    Silent,
}

words!(Refused, "refusal of a frame":
    Malformed = 1, Version = 2, OutOfOrder = 3, Busy = 4, NotYou = 5, Greeting = 6,
    EventUnknown = 7, Silent = 8,
);

impl Payload for ToPump {
    fn kind(&self) -> u8 {
        match self {
            Self::Hello => 1,
            Self::Demand(_) => 2,
            Self::Command(_) => 3,
            Self::Alive(_) => 4,
            Self::EventAck { .. } => 5,
        }
    }

    fn put(&self, to: &mut Writer) {
        match self {
            Self::Hello => {}
            Self::Demand(demand) => demand.put(to),
            Self::Command(command) => command.put(to),
            Self::Alive(alive) => alive.put(to),
            Self::EventAck { up_to } => up_to.put(to),
        }
    }

    fn take(kind: u8, from: &mut Reader<'_>) -> Result<Self, FrameError> {
        Ok(match kind {
            1 => Self::Hello,
            2 => Self::Demand(Wire::take(from)?),
            3 => Self::Command(Wire::take(from)?),
            4 => Self::Alive(Wire::take(from)?),
            5 => Self::EventAck { up_to: Wire::take(from)? },
            kind => return Err(FrameError::Kind(kind)),
        })
    }
}

impl Payload for FromPump {
    fn kind(&self) -> u8 {
        match self {
            Self::Welcome(_) => 65,
            Self::DemandAck(_) => 66,
            Self::CommandAck(_) => 67,
            Self::Event(_) => 68,
            Self::Status(_) => 69,
            Self::Refused(_) => 70,
        }
    }

    fn put(&self, to: &mut Writer) {
        match self {
            Self::Welcome(welcome) => welcome.put(to),
            Self::DemandAck(ack) => ack.put(to),
            Self::CommandAck(ack) => ack.put(to),
            Self::Event(event) => event.put(to),
            Self::Status(status) => status.put(to),
            Self::Refused(why) => why.put(to),
        }
    }

    fn take(kind: u8, from: &mut Reader<'_>) -> Result<Self, FrameError> {
        Ok(match kind {
            65 => Self::Welcome(Wire::take(from)?),
            66 => Self::DemandAck(Wire::take(from)?),
            67 => Self::CommandAck(Wire::take(from)?),
            68 => Self::Event(Wire::take(from)?),
            69 => Self::Status(Wire::take(from)?),
            70 => Self::Refused(Wire::take(from)?),
            kind => return Err(FrameError::Kind(kind)),
        })
    }
}

impl Wire for BootId {
    fn put(&self, to: &mut Writer) {
        to.put(&self.0);
    }

    fn take(from: &mut Reader<'_>) -> Result<Self, FrameError> {
        from.bytes().map(Self)
    }
}

/// Of a plan as people wrote it, so that both programs can tell whether they hold the same
/// one. FNV-1a over its canonical JSON: it finds mistakes, it is no signature.
#[must_use]
pub fn fingerprint(plan: &RawPlan) -> u64 {
    let text = serde_json::to_vec(plan).unwrap_or_default();
    text.iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
