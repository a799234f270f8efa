//! Who may order what, and how often an order counts.

use core::time::Duration;

use super::super::{
    Command, DISARM_S_MAX, Event, Input, ORDER_AGE_S_MAX, Order, Output as O, Refusal, Role, StateName as S,
};
use super::rig::Rig;

#[test]
fn every_order_needs_its_role() {
    for order in Order::ALL {
        for role in [Role::View, Role::Operate, Role::Arm, Role::Maintain, Role::Local] {
            let mut rig = Rig::engine(|_| {});
            let refused = rig.order_by(order, role) == Err(Refusal::Role { needs: order.needs() });
            assert_eq!(refused, role < order.needs(), "{order:?} by {role:?}");
        }
    }
}

#[test]
fn an_order_counts_once_is_fresh_and_never_retained() {
    let mut rig = Rig::engine(|_| {});
    let start = Command { id: 7, order: Order::Start, role: Role::Arm, age: Duration::ZERO, retained: false };
    let late = Command { age: Duration::from_secs(ORDER_AGE_S_MAX + 1), ..start };
    rig.input(Input::Command(Command { retained: true, ..start }));
    rig.input(Input::Command(late));
    assert_eq!(rig.state(), S::Idle);
    rig.input(Input::Command(start));
    assert_eq!(rig.state(), S::Priming);
    rig.input(Input::Command(start));
    let twice = Event::CommandRefused { id: 7, order: Order::Start, why: Refusal::Duplicate };
    assert!(rig.heard(&twice));
    let whys =
        rig.count(|e| matches!(e, Event::CommandRefused { why: Refusal::Retained | Refusal::Stale, .. }));
    assert_eq!(whys, 2);
}

#[test]
fn a_stop_may_be_repeated() {
    let mut rig = Rig::engine(|_| {});
    let stop = Command {
        id: 9,
        order: Order::EmergencyStop,
        role: Role::Operate,
        age: Duration::ZERO,
        retained: false,
    };
    rig.input(Input::Command(stop));
    rig.input(Input::Command(stop));
    assert_eq!(rig.count(|e| matches!(e, Event::CommandDone { .. })), 2);
}

#[test]
fn the_valve_can_be_opened_by_order_and_closes_by_itself() {
    let mut rig = Rig::engine(|_| {});
    rig.order(Order::ValveOpen).expect("open");
    rig.only(&[O::MainValve]);
    rig.run(3599.0);
    rig.only(&[O::MainValve]);
    rig.run(2.0);
    rig.only(&[]);
    rig.order(Order::ValveOpen).expect("open");
    rig.order(Order::ValveClose).expect("close");
    rig.only(&[]);
}

#[test]
fn a_stop_during_a_fault_leaves_the_fault_to_be_reset() {
    let mut rig = Rig::engine(|_| {});
    rig.stuck.push((O::Starter, false));
    rig.demand();
    rig.until(S::Error, 10.0);
    rig.order(Order::EmergencyStop).expect("a stop");
    rig.run(20.0);
    rig.order(Order::Reset).expect("released");
    assert_eq!(rig.state(), S::Error);
    rig.order(Order::Reset).expect("repaired");
    assert_eq!(rig.state(), S::Idle);
}

#[test]
fn the_weekly_test_runs_stops_and_is_asked_for_when_overdue() {
    let mut rig = Rig::engine(|raw| {
        raw.timings.test_s = Some(60.0);
        raw.timings.test_every_days = Some(1);
    });
    rig.cycle = Duration::from_millis(500);
    rig.run(2.0 * 86_400.0 + 1.0);
    let overdue = super::super::Condition::TestOverdue;
    assert!(rig.machine.panel().is_active(overdue));
    rig.order(Order::Test).expect("a test");
    rig.until(S::Stopping, 80.0);
    rig.run(1.0);
    assert!(!rig.machine.panel().is_active(overdue));
}

const _: () = assert!(DISARM_S_MAX == 14_400);
