//! What outlives the power.

use core::time::Duration;

use proptest::prelude::*;

use super::super::ledger::{Budget, STARTS_LEN};
use super::super::{
    Command, Event, Fault, Input, LEDGER_BYTES, Ledger, LedgerError, Order, Output as O, Refusal, Restored,
    Role, StateName as S,
};
use super::rig::{Rig, engine_plan, plan};
use crate::time::Instant;

fn ledger() -> impl Strategy<Value = Ledger> {
    let ms = || (0_u64..1 << 40).prop_map(Duration::from_millis);
    let starts = proptest::array::uniform6(proptest::option::of((1_u64..3600).prop_map(at)));
    let uses = proptest::collection::vec((0_u64..80_000, 1_u64..5_000), 0..30);
    let fault = (0_usize..18).prop_map(|n| match n {
        16 => Some(Fault::Relay { output: O::Kill }),
        17 => None,
        n => Fault::PLAIN.get(n).copied(),
    });
    (ms(), ms(), any::<u32>(), proptest::option::of(ms()), starts, uses, fault, any::<bool>(), any::<bool>())
        .prop_map(|(owed, total, runs, unfinished, starts, uses, fault, stopped, engine_on)| {
            let mut refilling = Budget::default();
            let mut when: alloc::vec::Vec<_> = uses;
            when.sort_unstable();
            for (s, ms) in when {
                refilling.spend(Instant(s), Duration::from_millis(ms), Duration::from_secs(86_400));
            }
            let mut ledger = Ledger::new();
            ledger.refill_owed = owed;
            ledger.run_total = total;
            ledger.runs = runs;
            ledger.unfinished = unfinished;
            ledger.starts = starts;
            ledger.refilling = refilling;
            ledger.fault = fault;
            ledger.stopped = stopped;
            ledger.engine_on = engine_on;
            ledger.since_test = owed;
            ledger.recent = [u64::from(runs); 16];
            ledger
        })
}

fn at(s: u64) -> Instant {
    Instant(s * 1_000_000_000)
}

proptest! {
    #[test]
    fn a_record_is_read_as_it_was_written(ledger in ledger()) {
        let bytes = ledger.to_bytes(Instant(0));
        let read = Ledger::from_bytes(&bytes, Instant(0)).expect("a ledger");
        // Times are rounded up to milliseconds, and then stay.
        prop_assert_eq!(read.to_bytes(Instant(0)), bytes);
        prop_assert_eq!(read.refill_owed, ledger.refill_owed);
        prop_assert_eq!(read.fault, ledger.fault);
        prop_assert_eq!(read.starts, ledger.starts);
        prop_assert_eq!(read.recent, ledger.recent);
        prop_assert!(read.refilling.spent() >= ledger.refilling.spent());
    }

    #[test]
    fn any_flipped_bit_is_noticed(ledger in ledger(), bit in 0..LEDGER_BYTES * 8) {
        let mut bytes = ledger.to_bytes(Instant(0));
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(Ledger::from_bytes(&bytes, Instant(0)).is_err());
    }

    /// Never short of the truth, at most an eighth of a window long.
    #[test]
    fn a_budget_is_never_short(uses in proptest::collection::vec((0_u64..200, 0_u64..9), 1..200)) {
        let window = Duration::from_secs(600);
        let (mut budget, mut log, mut now) = (Budget::default(), alloc::vec::Vec::new(), 0);
        for (pause, long) in uses {
            now += pause;
            budget.age(at(now));
            budget.spend(at(now), Duration::from_secs(long), window);
            log.push((now, long));
            let within = |span: u64| log.iter().filter(|(t, _)| t + span > now).map(|(_, s)| *s).sum::<u64>();
            let spent = budget.spent().as_secs();
            prop_assert!(spent >= within(600), "{spent} of {}", within(600));
            prop_assert!(spent <= within(600 + 76), "{spent} of {}", within(676));
        }
    }
}

#[test]
fn records_that_are_none_are_refused() {
    let bytes = Ledger::new().to_bytes(Instant(0));
    assert_eq!(Ledger::from_bytes(&bytes[1..], Instant(0)), Err(LedgerError::Length(LEDGER_BYTES - 1)));
    assert_eq!(Ledger::from_bytes(&[0; LEDGER_BYTES], Instant(0)), Err(LedgerError::Checksum));
}

/// A record of version 2 is read by every later program of that version.
#[test]
fn a_record_has_its_length_and_no_unknown_flags() {
    assert_eq!(LEDGER_BYTES, 440);
    for (flags, spare, is_known) in [(0, 0, true), (3, 0, true), (4, 0, false), (0, 1, false)] {
        let mut bytes = Ledger::new().to_bytes(Instant(0));
        bytes[6..8].copy_from_slice(&[flags, spare]);
        let crc = crc32fast::hash(&bytes[..LEDGER_BYTES - 4]).to_le_bytes();
        bytes[LEDGER_BYTES - 4..].copy_from_slice(&crc);
        let read = Ledger::from_bytes(&bytes, Instant(0));
        assert_eq!(read.is_ok(), is_known, "{flags} {spare}: {read:?}");
        assert!(is_known || read == Err(LedgerError::Content));
    }
}

#[test]
fn a_run_of_any_length_is_a_run() {
    let ledger = Ledger { unfinished: Some(Duration::MAX), ..Ledger::new() };
    let read = Ledger::from_bytes(&ledger.to_bytes(Instant(0)), Instant(0)).expect("a ledger");
    assert_eq!(read.unfinished, Some(Duration::from_millis(u64::MAX - 1)));
}

#[test]
fn a_lost_ledger_owes_a_tank_and_a_reset_ends_the_trouble() {
    let mut rig = Rig::with(plan(&engine_plan(|_| {})), Restored::Lost);
    assert_eq!(rig.state(), S::Refilling);
    assert!(rig.machine.panel().is_active(super::super::Condition::LedgerLost));
    rig.order(Order::Reset).expect("seen");
    rig.run(1.0);
    assert!(!rig.machine.panel().is_active(super::super::Condition::LedgerLost));
}

/// I18: an id counts once, whatever happens between the two.
#[test]
fn an_order_counts_once_over_a_power_cut() {
    let raw = engine_plan(|_| {});
    let mut rig = Rig::new(&raw);
    let start = Command { id: 7, order: Order::Start, role: Role::Arm, age: Duration::ZERO, retained: false };
    rig.input(Input::Command(start));
    assert_eq!(rig.state(), S::Priming);
    let mut after = rig.power_cut(plan(&raw));
    after.boot();
    after.input(Input::Command(start));
    let twice = Event::CommandRefused { id: 7, order: Order::Start, why: Refusal::Duplicate };
    assert!(after.heard(&twice));
    after.input(Input::Command(Command { id: 8, ..start }));
    assert_ne!(after.state(), S::Idle);
}

#[test]
fn what_latched_is_latched_after_a_power_cut() {
    let raw = engine_plan(|_| {});
    let mut rig = Rig::new(&raw);
    rig.demand();
    rig.run(10.0);
    rig.order(Order::EmergencyStop).expect("a stop");
    let mut after = rig.power_cut(plan(&raw));
    after.boot();
    assert_eq!(after.state(), S::EmergencyStop);

    let mut rig = Rig::new(&raw);
    rig.stuck.push((O::Starter, false));
    rig.demand();
    rig.until(S::Error, 10.0);
    let mut after = rig.power_cut(plan(&raw));
    after.boot();
    assert_eq!(after.machine.status().fault, Some(Fault::Relay { output: O::Starter }));
}

#[test]
fn starts_are_counted_across_power_cuts() {
    let raw = engine_plan(|raw| {
        raw.timings.fire_off_s = Some(60.0);
        raw.timings.prime_s = Some(1.0);
        raw.tank.refill_multiplier = Some(1.0);
    });
    let mut rig = Rig::new(&raw);
    for _ in 0..STARTS_LEN {
        rig.order(Order::Start).expect("a start");
        rig.until(S::Refilling, 120.0);
        rig = rig.power_cut(plan(&raw));
        rig.boot();
    }
    assert_eq!(rig.order(Order::Start), Err(Refusal::StartsSpent));
    rig.demand();
    assert!(rig.machine.panel().is_active(super::super::Condition::StartsSpent));
    rig.cycle = Duration::from_millis(500);
    rig.run(3600.0);
    rig.order(Order::Start).expect("an hour later");
}

#[test]
fn a_run_is_written_down_every_ten_seconds_and_at_each_change() {
    let mut rig = Rig::engine(|_| {});
    rig.demand();
    rig.run(10.0);
    for _ in 0..50 {
        rig.run(1.0);
        let record = Ledger::from_bytes(&rig.record, rig.now).expect("a record");
        let behind = rig.machine.ledger().run_total().saturating_sub(record.run_total());
        assert!(behind <= Duration::from_secs(10), "{behind:?}");
    }
    assert!(rig.count(|e| matches!(e, Event::EngineRunning { .. })) == 1);
}

#[test]
fn starts_and_use_are_forgotten_exactly_at_their_times() {
    let window = Duration::from_secs(80);
    let mut ledger = Ledger::new();
    assert_eq!(ledger.runs(), 0);
    ledger.count_start(at(10));
    ledger.count_start(at(20));
    assert_eq!(ledger.runs(), 2);
    // The second use falls into the next eighth of the window.
    ledger.cranking.spend(at(1), Duration::from_secs(3), window);
    ledger.cranking.spend(at(11), Duration::from_secs(4), window);
    let early = |s: u64| Instant(at(s).0 - 1);
    let rows = [
        (early(10), 2, 7),
        (at(10), 1, 7),
        (early(20), 1, 7),
        (at(20), 0, 7),
        (early(81), 0, 7),
        (at(81), 0, 4),
    ];
    for (now, starts, spent) in rows {
        ledger.age(now);
        assert_eq!((ledger.starts_spent(), ledger.cranking.spent().as_secs()), (starts, spent), "{now:?}");
    }
    assert_eq!(ledger.runs(), 2);
}

#[test]
fn a_budget_in_use_all_the_time_forgets_what_is_old() {
    let window = Duration::from_secs(80);
    let mut ledger = Ledger::new();
    for s in 0..1000 {
        ledger.refilling.age(at(s));
        ledger.refilling.spend(at(s), Duration::from_secs(1), window);
        let spent = ledger.refilling.spent().as_secs();
        assert!((s.min(80)..=90).contains(&spent), "{spent} s at {s} s");
    }
}

#[test]
fn a_ledger_names_when_it_forgets() {
    let mut ledger = Ledger::new();
    ledger.count_start(at(10));
    ledger.cranking.spend(at(1), Duration::from_secs(3), Duration::from_secs(80));
    ledger.refilling.spend(at(2), Duration::from_secs(3), Duration::from_secs(80));
    let mut named = alloc::vec::Vec::new();
    ledger.visit(&mut |name, at| named.push((name, at.0 / 1_000_000_000)));
    let uses = |s: u64| [("use_forgotten", s + 80), ("use_counted", s + 10)];
    assert_eq!(named, [&[("start_forgotten", 10)][..], &uses(1), &uses(2)].concat());
}
