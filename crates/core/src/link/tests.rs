//! Each frame comes back as it was sent, and nothing else is taken for a frame.
#![allow(clippy::indexing_slicing, clippy::expect_used)]

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;

use super::sealed::Payload as _;
use super::*;
use crate::pump::plan::Preset;
use crate::pump::{
    Command, Condition, Demand, Event, Fault, Order, Output, Purpose, RawPlan, Reading, Refusal, RelayImage,
    Role, Seen, Sensor, SensorImage, Source, StateName, StopReason,
};
use crate::time::Instant;

const BOOT: BootId = BootId([7; 16]);
const LONG: Duration = Duration::from_nanos(u64::MAX);

fn refusals() -> Vec<Refusal> {
    use Refusal as R;
    vec![
        R::Role { needs: Role::Local },
        R::Retained,
        R::Stale,
        R::Unauthorised,
        R::Duplicate,
        R::State { now: StateName::Leaving },
        R::NoPump,
        R::NoMainValve,
        R::EngineMoving,
        R::CauseRemains,
        R::StopPressed,
        R::NotAuto,
        R::Disarmed,
        R::BatteryLow,
        R::StartsSpent,
        R::CrankingSpent,
        R::RefillOwed,
        R::TankLow,
        R::TankUnknown,
        R::Booting,
    ]
}

fn faults() -> Vec<Fault> {
    use Fault as F;
    let mut all = vec![
        F::FailToStart,
        F::OverCrank,
        F::DryRun,
        F::LowPressure,
        F::LowTank,
        F::Overspeed,
        F::EngineProtection,
        F::MainValveStuck,
        F::MainValveLost,
        F::StarterWelded,
        F::WontStop,
        F::EngineFoundRunning,
        F::SelfTest,
        F::CycleGap,
        F::RefillFailed,
        F::Unsettled,
    ];
    all.extend(Output::ALL.map(|output| F::Relay { output }));
    all
}

fn events() -> Vec<Event> {
    use Event as E;
    let mut all = vec![
        E::StateChanged { from: StateName::Boot, to: StateName::Idle },
        E::HealthReport,
        E::DemandAccepted { id: u64::MAX, source: Source::Network },
        E::TriggerBlockedRefilling { id: 3, owed: LONG },
        E::EmergencyButtonPressed,
        E::PumpSequenceStart { epoch: u32::MAX, purpose: Purpose::Test },
        E::PrimingStarted,
        E::RefillValveOpenedImmediately,
        E::EmergencyValveSuccess { pulses: 5 },
        E::EmergencyValveFailed,
        E::EngineStartSequence { attempt: 6 },
        E::CrankFailed { attempt: 2, turned: true },
        E::EngineRunning { proven: false },
        E::EngineStalled { ran: LONG },
        E::PrimingComplete,
        E::DryRunUnprotected,
        E::DryRunProtectionTriggered { dry: LONG },
        E::LowPressureDetected,
        E::LowTankDetected,
        E::RpmReduced { reason: StopReason::FireOff },
        E::ShutdownCancelled { id: 9 },
        E::TestPromoted { id: 9 },
        E::ShutdownInitiated { reason: StopReason::Interrupted },
        E::ShutdownComplete { runtime: LONG },
        E::RefillContinuing { duration: LONG },
        E::RefillCompleteTimer,
        E::RefillCompleteFloatSwitch,
        E::RefillBudgetSpent,
        E::CooldownEntered,
        E::IdleStateEntered,
        E::MainValveClosed,
        E::HardwareValidationFailure { relay: Output::Contact, expected: true, actual: false },
        E::CycleLate { gap: LONG },
        E::ClockWentBack,
        E::RunInterrupted { ran: LONG },
        E::LedgerLost,
        E::EmergencyStop,
        E::EmergencyBypassStart,
        E::EmergencyValveOpen,
        E::EmergencyValveClose,
        E::EmergencyReset,
        E::Armed,
        E::Disarmed { until_armed_at_most: LONG },
        E::Acknowledged,
        E::Silenced,
    ];
    all.extend(refusals().into_iter().map(|why| E::TriggerBlocked { id: 1, why }));
    all.extend(refusals().into_iter().map(|why| E::TriggerIgnored { id: 1, why }));
    all.extend(faults().into_iter().map(|fault| E::ErrorStateTriggerIgnored { id: 1, fault }));
    all.extend(faults().into_iter().map(|reason| E::ErrorStateEntered { reason }));
    all.extend(Sensor::ALL.map(|sensor| E::SensorUntrusted { sensor }));
    all.extend(Sensor::ALL.map(|sensor| E::SensorTrusted { sensor }));
    all.extend(Order::ALL.map(|order| E::CommandDone { id: 4, order }));
    let why = Refusal::State { now: StateName::ReducingRpm };
    all.extend(Order::ALL.map(|order| E::CommandRefused { id: 4, order, why }));
    all.extend(Condition::ALL.map(|condition| E::Raised { condition }));
    all.extend(Condition::ALL.map(|condition| E::Restored { condition }));
    all
}

fn moment() -> Moment {
    Moment {
        state: StateName::Running,
        epoch: 3,
        fault: Some(Fault::Relay { output: Output::Kill }),
        relays: RelayImage::read_back(|o| o != Output::Kill),
        seen: SeenImage::of(|s| if s == Sensor::Flow { Seen::Unknown } else { Seen::Yes }),
        refill_owed: LONG,
        current_runtime: LONG,
        total_runtime: LONG,
        armed: true,
    }
}

fn status() -> Status {
    Status {
        at: Instant(u64::MAX),
        now: moment(),
        purpose: Some(Purpose::Fire),
        panel: PanelImage {
            active: Conditions::of(|_| true),
            latched: Conditions::of(|c| c == Condition::EventsLost),
            acknowledged: Conditions::default(),
            silenced: true,
        },
        sensors: SensorImage::QUIET.with(Sensor::StarterClosed, Reading::Fault),
        read_back: RelayImage::NONE,
        bank: BankKind::Simulated,
        self_tested: true,
        watchdog_fed: true,
        detection: Detection::Impaired,
        ledger: Keeping::Behind,
        runs: u32::MAX,
        starts_spent: 6,
        last_event: u64::MAX,
        events_unacknowledged: 512,
        events_lost: u32::MAX,
        frames_refused: u32::MAX,
        late_us_p999: u32::MAX,
        late_us_max: u32::MAX,
        late_cycles: 3,
        cycles: u32::MAX,
        watchdog: WatchdogRelay::Fallen,
        memory_locked: true,
        realtime: false,
    }
}

fn to_pump() -> Vec<ToPump> {
    let demand = Demand {
        id: 5,
        source: Source::Consensus,
        age: Duration::from_millis(1),
        persists: true,
        authorised: true,
        retained: false,
    };
    let mut all = vec![
        ToPump::Hello,
        ToPump::Demand(demand),
        ToPump::Alive(Alive { cameras: 64, cameras_seeing: 63, detector: true, consensus: false }),
        ToPump::EventAck { up_to: u64::MAX },
    ];
    for (order, role) in Order::ALL.into_iter().zip([Role::View, Role::Maintain].into_iter().cycle()) {
        all.push(ToPump::Command(Command { id: 8, order, role, age: LONG, retained: true }));
    }
    all
}

fn from_pump() -> Vec<FromPump> {
    let welcome = Welcome {
        plan: u64::MAX,
        bank: BankKind::Gpio,
        book: BootId([9; 16]),
        first_event: 1,
        last_event: u64::MAX,
    };
    let mut all = vec![FromPump::Welcome(welcome), FromPump::Status(status())];
    let outcomes = [DemandOutcome::Accepted]
        .into_iter()
        .chain(refusals().into_iter().map(|why| DemandOutcome::Blocked { why }))
        .chain(refusals().into_iter().map(|why| DemandOutcome::Ignored { why }))
        .chain(faults().into_iter().map(|fault| DemandOutcome::Fault { fault }));
    all.extend(outcomes.map(|outcome| FromPump::DemandAck(DemandAck { seq: 1, id: 2, outcome })));
    let refusals = refusals().into_iter().map(Some).chain([None]);
    all.extend(
        refusals
            .map(|refusal| FromPump::CommandAck(CommandAck { seq: 1, id: 2, order: Order::Start, refusal })),
    );
    let after = moment();
    all.extend(
        events()
            .into_iter()
            .map(|event| FromPump::Event(Numbered { number: u64::MAX, at: Instant(u64::MAX), event, after })),
    );
    use Refused as R;
    let refused = [
        R::Malformed,
        R::Version,
        R::OutOfOrder,
        R::Busy,
        R::NotYou,
        R::Greeting,
        R::EventUnknown,
        R::Silent,
    ];
    all.extend(refused.map(FromPump::Refused));
    all
}

fn framed<B: Body>(body: B) -> Frame<B> {
    Frame { boot: BOOT, seq: 77, body }
}

/// With a checksum that is right again.
fn sealed_again(mut bytes: [u8; FRAME_BYTES]) -> [u8; FRAME_BYTES] {
    let crc = crc32fast::hash(&bytes[..CRC_AT]).to_le_bytes();
    bytes[CRC_AT..].copy_from_slice(&crc);
    bytes
}

#[test]
fn every_frame_comes_back_as_it_was() {
    for body in to_pump() {
        let frame = framed(body);
        assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
    }
    for body in from_pump() {
        let frame = framed(body);
        assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
    }
}

#[test]
fn every_payload_has_room() {
    let mut most = 0;
    for body in from_pump() {
        let mut writer = Writer::new();
        body.put(&mut writer);
        assert!(writer.len() <= PAYLOAD_BYTES, "{body:?} needs {}", writer.len());
        most = most.max(writer.len());
    }
    assert!(most > 100, "the largest sample has {most} bytes only");
}

#[test]
fn no_flipped_bit_is_taken() {
    let mut flips = 0;
    let mut flip = |good: [u8; FRAME_BYTES], is_taken: fn(&[u8]) -> bool| {
        assert!(is_taken(&good));
        for bit in 0..FRAME_BYTES * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(!is_taken(&bad), "bit {bit} of {good:?}");
            flips += 1;
        }
    };
    to_pump().into_iter().for_each(|b| flip(framed(b).encode(), |x| Frame::<ToPump>::decode(x).is_ok()));
    from_pump().into_iter().for_each(|b| flip(framed(b).encode(), |x| Frame::<FromPump>::decode(x).is_ok()));
    assert!(flips > 300_000, "{flips}");
}

/// A sender that computes its checksum over nonsense is refused by the words.
#[test]
fn no_unknown_word_is_taken_though_its_checksum_is_right() {
    for body in to_pump() {
        let good = framed(body).encode();
        for (at, byte) in (HEAD_BYTES..CRC_AT).flat_map(|at| (0..=255).map(move |byte| (at, byte))) {
            let mut bad = good;
            bad[at] = byte;
            let bad = sealed_again(bad);
            if let Ok(frame) = Frame::<ToPump>::decode(&bad) {
                assert_eq!(frame.encode(), bad, "two ways to say the same");
            }
        }
    }
}

#[test]
fn each_refusal_has_its_reason() {
    let good = framed(ToPump::Hello).encode();
    let with = |at: usize, byte: u8| {
        let mut bytes = good;
        bytes[at] = byte;
        Frame::<ToPump>::decode(&sealed_again(bytes))
    };
    assert_eq!(Frame::<ToPump>::decode(&[]), Err(FrameError::Length(0)));
    assert_eq!(Frame::<ToPump>::decode(&good[..191]), Err(FrameError::Length(191)));
    assert_eq!(Frame::<ToPump>::decode(&[0; 4096]), Err(FrameError::Length(4096)));
    assert_eq!(with(0, b'V'), Err(FrameError::Magic));
    assert_eq!(with(4, 1), Err(FrameError::Version(1)));
    assert_eq!(with(6, 99), Err(FrameError::Kind(99)));
    assert_eq!(with(7, 1), Err(FrameError::Spare));
    assert_eq!(with(HEAD_BYTES, 1), Err(FrameError::Spare));
    let demand = framed(to_pump()[1]).encode();
    let mut bytes = demand;
    bytes[HEAD_BYTES + 8] = 99;
    assert_eq!(Frame::<ToPump>::decode(&sealed_again(bytes)), Err(FrameError::Word("source")));
    // The wrong way.
    assert_eq!(Frame::<FromPump>::decode(&good), Err(FrameError::Kind(1)));
    let status = framed(FromPump::Status(status())).encode();
    assert_eq!(Frame::<ToPump>::decode(&status), Err(FrameError::Kind(69)));
}

#[test]
fn the_checksum_is_the_one_of_ethernet() {
    assert_eq!(crc32fast::hash(b"123456789"), 0xCBF4_3926);
    assert_eq!(crc32fast::hash(b""), 0);
}

#[test]
fn numbers_of_frames_only_rise() {
    let mut sender = Sequence::default();
    let mut receiver = Sequence::default();
    assert_eq!((sender.next(), sender.next()), (1, 2));
    assert_eq!(receiver.admit(1), Ok(()));
    assert_eq!(receiver.admit(3), Ok(()));
    assert_eq!(receiver.admit(3), Err(OutOfOrder { last: 3, got: 3 }));
    assert_eq!(receiver.admit(2), Err(OutOfOrder { last: 3, got: 2 }));
    assert_eq!(receiver.admit(4), Ok(()));
    assert_eq!(Sequence::default().admit(0), Err(OutOfOrder { last: 0, got: 0 }));
}

#[test]
fn a_plan_is_known_by_its_content() {
    let engine = RawPlan::of(Preset::WildfireEngine);
    assert_eq!(fingerprint(&engine), fingerprint(&engine.clone()));
    let mut other = engine.clone();
    other.timings.crank_s = Some(4.0);
    assert_ne!(fingerprint(&engine), fingerprint(&other));
}

#[test]
fn the_panel_is_shown_as_it_is() {
    let image = PanelImage::default().raising(Condition::EventsLost);
    let shown: Vec<_> = image.shown(crate::pump::Kind::Trouble).collect();
    assert_eq!(shown, [Condition::EventsLost]);
    assert_eq!(image.shown(crate::pump::Kind::Alarm).count(), 0);
}

proptest! {
    /// Whatever arrives, there is an answer; and what is taken is said in one way only.
    #[test]
    fn anything_may_arrive(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Frame::<ToPump>::decode(&bytes);
        let _ = Frame::<FromPump>::decode(&bytes);
    }

    #[test]
    fn anything_may_arrive_well_sealed(
        kind in prop_oneof![0_u8..8, 64_u8..72],
        payload in proptest::collection::vec(prop_oneof![0_u8..4, any::<u8>()], PAYLOAD_BYTES),
        used in 0..PAYLOAD_BYTES,
    ) {
        let mut bytes = framed(ToPump::Hello).encode();
        bytes[6] = kind;
        bytes[HEAD_BYTES..HEAD_BYTES + used].copy_from_slice(&payload[..used]);
        let bytes = sealed_again(bytes);
        if let Ok(frame) = Frame::<ToPump>::decode(&bytes) {
            prop_assert_eq!(frame.encode(), bytes);
        }
        if let Ok(frame) = Frame::<FromPump>::decode(&bytes) {
            prop_assert_eq!(frame.encode(), bytes);
        }
    }
}
