//! The panel: three kinds, latches, acknowledge, silence, reset.

use super::super::plan::RawPlan;
use super::super::plan::raw::Preset;
use super::super::{Condition, Event, Kind, Order, Output as O, StateName as S};
use super::rig::{Rig, engine_plan};

fn all_bells() -> Rig {
    Rig::new(&RawPlan::of(Preset::AlarmOnly))
}

#[test]
fn silence_is_not_reset() {
    let mut rig = all_bells();
    rig.demand();
    assert!(rig.on(O::Siren) && rig.on(O::Strobe) && rig.on(O::Contact));
    rig.order(Order::Silence).expect("silence");
    assert!(!rig.on(O::Siren) && rig.on(O::Strobe) && rig.on(O::Contact));
    assert!(rig.machine.panel().is_latched(Condition::Fire));
    rig.order(Order::Acknowledge).expect("seen");
    assert!(rig.on(O::Contact), "the fire is still there");
    rig.run(26.0);
    assert!(!rig.on(O::Contact) && rig.on(O::Strobe), "out, seen, not reset");
    rig.order(Order::Reset).expect("a reset");
    assert!(!rig.on(O::Strobe));
}

#[test]
fn an_alarm_is_held_until_acknowledged() {
    let mut rig = all_bells();
    rig.demand();
    rig.run(3600.0);
    assert!(rig.on(O::Siren) && rig.on(O::Strobe) && rig.on(O::Contact));
}

#[test]
fn a_reset_does_not_end_a_fire_that_is_still_seen() {
    let mut rig = all_bells();
    rig.demand();
    rig.order(Order::Reset).expect("a reset");
    assert!(rig.on(O::Strobe) && rig.on(O::Siren));
}

#[test]
fn a_second_fire_sounds_again() {
    let mut rig = all_bells();
    rig.demand();
    rig.order(Order::Silence).expect("silence");
    rig.run(30.0);
    assert!(!rig.on(O::Siren));
    rig.demand();
    assert!(rig.on(O::Siren));
}

#[test]
fn a_reset_acknowledges_nothing_and_ends_the_silence_with_the_fire() {
    let mut rig = all_bells();
    rig.demand();
    rig.order(Order::Reset).expect("a reset");
    assert!(!rig.machine.panel().is_acknowledged(Condition::Fire));
    rig.order(Order::Silence).expect("silence");
    rig.order(Order::Reset).expect("a reset");
    assert!(rig.machine.panel().is_silenced(), "it burns on");
    rig.run(30.0);
    rig.order(Order::Reset).expect("a reset");
    assert!(!rig.machine.panel().is_silenced());
}

#[test]
fn a_trouble_beside_a_silenced_fire_sounds_nothing() {
    let mut rig = all_bells();
    rig.demand();
    rig.order(Order::Silence).expect("silence");
    rig.now = rig.now.after(core::time::Duration::from_secs(1));
    rig.tick();
    assert!(rig.machine.panel().is_active(Condition::CycleLate) && !rig.on(O::Siren));
}

#[test]
fn a_fire_that_is_said_again_stays_silenced() {
    let mut rig = all_bells();
    rig.order(Order::Silence).expect("there is nothing to silence");
    assert!(!rig.machine.panel().is_silenced());
    rig.demand();
    rig.order(Order::Silence).expect("silence");
    rig.order(Order::Reset).expect("and it burns on");
    for _ in 0..30 {
        rig.run(1.0);
        rig.demand();
        assert!(!rig.on(O::Siren));
    }
}

/// Seen once is not seen for ever: what comes back is to be acknowledged anew.
#[test]
fn an_acknowledged_fire_that_comes_back_holds_the_contact_again() {
    let mut rig = all_bells();
    rig.demand();
    rig.order(Order::Acknowledge).expect("seen");
    rig.run(30.0);
    assert!(!rig.on(O::Contact) && rig.machine.panel().is_acknowledged(Condition::Fire));
    rig.demand();
    rig.run(30.0);
    assert!(rig.on(O::Contact) && !rig.machine.panel().is_acknowledged(Condition::Fire));
}

#[test]
fn the_three_kinds_are_shown_apart() {
    let mut rig = Rig::engine(|_| {});
    rig.demand();
    rig.run(10.0);
    rig.order(Order::EmergencyStop).expect("a stop");
    rig.run(1.0);
    let shown = |kind| rig.machine.panel().shown(kind).collect::<alloc::vec::Vec<_>>();
    assert_eq!(shown(Kind::Alarm), [Condition::Fire]);
    assert!(shown(Kind::Trouble).contains(&Condition::EmergencyStop));
    assert!(shown(Kind::Supervisory).contains(&Condition::ValveOffNormal));
    for kind in [Kind::Alarm, Kind::Supervisory, Kind::Trouble] {
        assert!(shown(kind).iter().all(|c| c.kind() == kind));
    }
}

#[test]
fn trouble_restores_by_itself_and_stays_listed_until_seen() {
    let mut rig = Rig::engine(|_| {});
    rig.now = rig.now.after(core::time::Duration::from_secs(1));
    rig.tick();
    assert!(rig.machine.panel().is_active(Condition::CycleLate));
    rig.run(61.0);
    assert!(!rig.machine.panel().is_active(Condition::CycleLate));
    assert!(rig.machine.panel().is_latched(Condition::CycleLate));
    rig.order(Order::Acknowledge).expect("seen");
    assert!(!rig.machine.panel().is_latched(Condition::CycleLate));
}

#[test]
fn a_disarmed_box_announces_fires_says_so_every_minute_and_arms_itself() {
    let mut rig = Rig::engine(|raw| raw.outputs = None);
    rig.order(Order::Disarm).expect("disarmed");
    rig.demand();
    assert_eq!(rig.state(), S::Idle);
    assert!(rig.machine.panel().is_active(Condition::Fire));
    rig.run(3600.0);
    let said = rig.count(|e| *e == Event::Raised { condition: Condition::Disarmed });
    assert_eq!(said, 61);
    rig.run(3.0 * 3600.0);
    assert!(rig.machine.status().is_armed);
    rig.demand();
    assert_eq!(rig.state(), S::Priming);
}

#[test]
fn what_a_site_cannot_see_is_supervisory_from_the_start() {
    let rig = Rig::new(&engine_plan(|_| {}));
    assert!(rig.machine.panel().is_active(Condition::DryRunUnprotected));
    assert!(rig.machine.panel().is_active(Condition::RunUnproven));
}

/// what a restart of the box would disturb, from the first valve to the reset.
#[test]
fn a_restart_disturbs_nothing_only_at_rest() {
    use super::super::Stir;
    let mut rig = Rig::engine(|_| {});
    let stir = |rig: &Rig| rig.machine.status().stir();
    assert_eq!(stir(&rig), None);
    rig.demand();
    assert_eq!(stir(&rig), Some(Stir::State(S::Priming)));
    rig.order(Order::Acknowledge).expect("seen");
    rig.until(S::Refilling, 3_600.0);
    assert_eq!(stir(&rig), Some(Stir::State(S::Refilling)));
    rig.until(S::Idle, 86_400.0);
    assert_eq!(stir(&rig), Some(Stir::Alarm(Condition::Fire)), "the alarm is latched");
    rig.order(Order::Reset).expect("a reset");
    assert_eq!(stir(&rig), None);
}
