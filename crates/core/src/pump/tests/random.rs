//! Random walks over short plans, with every contact fitted, lines that stick, power cuts and
//! orders at any moment. The checker looks at every step.

use core::time::Duration;

use alloc::vec::Vec;
use proptest::prelude::*;

use super::super::plan::Plan;
use super::super::{
    Command, Demand, Input, Order, Output, Reading, Restored, Role, Sensor, Source, StateName,
};
use super::rig::Rig;
use super::tiny;

#[derive(Debug, Clone)]
enum Deed {
    /// Tenths of a second.
    Wait(u8),
    Demand(Demand),
    Order(Command),
    Set(Sensor, Reading),
    /// The engine catches or stops, whatever it was told.
    Engine(bool),
    Stick(Output, bool),
    Heal,
    Cut,
    SelfTest(bool),
    Shutdown,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let sensor = proptest::sample::select(Sensor::ALL.to_vec());
    let reading = prop_oneof![
        4 => Just(Reading::Inactive),
        2 => Just(Reading::Active),
        1 => Just(Reading::Fault),
    ];
    let role = proptest::sample::select(alloc::vec![Role::View, Role::Operate, Role::Arm, Role::Local]);
    let order = (proptest::sample::select(Order::ALL.to_vec()), role, 0_u64..4, 0_u64..12, any::<bool>());
    let command = order.prop_map(|(order, role, id, age, retained)| Command {
        id,
        order,
        role,
        age: Duration::from_secs(age),
        retained: retained && age > 8,
    });
    let demand =
        (0_u64..3, 0_u64..1200, any::<bool>(), 0_u8..20).prop_map(|(id, ms, persists, odd)| Demand {
            id,
            source: Source::Consensus,
            age: Duration::from_millis(ms),
            persists,
            authorised: odd != 0,
            retained: odd == 1,
        });
    let deed = prop_oneof![
        12 => (1_u8..30).prop_map(Deed::Wait),
        4 => demand.prop_map(Deed::Demand),
        3 => command.prop_map(Deed::Order),
        4 => (sensor, reading).prop_map(|(sensor, reading)| Deed::Set(sensor, reading)),
        3 => any::<bool>().prop_map(Deed::Engine),
        1 => (proptest::sample::select(Output::ALL.to_vec()), any::<bool>())
            .prop_map(|(output, is)| Deed::Stick(output, is)),
        1 => Just(Deed::Heal),
        1 => Just(Deed::Cut),
        1 => proptest::bool::weighted(0.8).prop_map(Deed::SelfTest),
        1 => proptest::bool::weighted(0.2).prop_map(|leave| if leave { Deed::Shutdown } else { Deed::Heal }),
    ];
    proptest::collection::vec(deed, 1..60)
}

fn fitted() -> impl Strategy<Value = Vec<Sensor>> {
    proptest::sample::subsequence(Sensor::ALL.to_vec(), 0..8).prop_map(|mut sensors| {
        // A selector has two contacts.
        sensors.retain(|s| *s != Sensor::SelectorManual);
        if sensors.contains(&Sensor::SelectorAuto) {
            sensors.push(Sensor::SelectorManual);
        }
        sensors
    })
}

fn walk(plan: Plan, deeds: Vec<Deed>) {
    let mut rig = Rig::unbooted(plan, Restored::Fresh);
    rig.input(Input::SelfTest(true));
    rig.run(1.5);
    rig.record = rig.machine.ledger_record().to_vec();
    for deed in deeds {
        match deed {
            Deed::Wait(tenths) => rig.run(f64::from(tenths) / 10.0),
            Deed::Demand(demand) => rig.input(Input::Demand(demand)),
            Deed::Order(command) => rig.input(Input::Command(command)),
            Deed::Set(sensor, reading) => {
                rig.set(sensor, reading);
                rig.input(Input::Sensors(rig.image));
            }
            Deed::Engine(turns) => {
                let to = if turns { Reading::Active } else { Reading::Inactive };
                rig.set(Sensor::EngineRun, to);
                rig.set(Sensor::EngineTurning, to);
            }
            Deed::Stick(output, is) => rig.stuck.push((output, is)),
            Deed::Heal => rig.stuck.clear(),
            Deed::SelfTest(passed) => rig.input(Input::SelfTest(passed)),
            Deed::Shutdown => rig.input(Input::Shutdown),
            Deed::Cut => {
                rig = rig.power_cut(plan);
                assert_eq!(rig.machine.relays().bits(), 0);
                rig.input(Input::SelfTest(true));
            }
        }
    }
    settle(rig);
}

/// Liveness: the plant heals, the engine obeys, and everything comes to rest.
fn settle(mut rig: Rig) {
    rig.stuck.clear();
    for sensor in Sensor::ALL {
        rig.set(sensor, Reading::Inactive);
    }
    rig.set(Sensor::SelectorAuto, Reading::Active);
    rig.input(Input::SelfTest(true));
    for _ in 0..600 {
        let image = rig.machine.relays();
        let driven = image.is_on(Output::Run) || image.is_on(Output::Contactor);
        let opened = if image.is_on(Output::MainValve) { Reading::Active } else { Reading::Inactive };
        let turns = if driven { Reading::Active } else { Reading::Inactive };
        rig.set(Sensor::EngineRun, turns);
        rig.set(Sensor::EngineTurning, turns);
        rig.set(Sensor::ValveOpen, opened);
        rig.tick();
    }
    let state = rig.state();
    let rests = [
        StateName::Idle,
        StateName::Error,
        StateName::LowPressure,
        StateName::EmergencyStop,
        StateName::Leaving,
    ];
    assert!(rests.contains(&state), "left alone it ends in {state:?}");
    let pump = [Output::Run, Output::Starter, Output::Contactor, Output::Kill, Output::MainValve];
    assert!(pump.iter().all(|o| !rig.on(*o)), "{:?} in {state:?}", rig.machine.relays());
}

proptest! {
    #[test]
    fn nothing_that_happens_to_an_engine_pump_breaks_an_invariant(sensors in fitted(), deeds in deeds()) {
        walk(tiny::engine(&sensors), deeds);
    }

    #[test]
    fn nothing_that_happens_to_an_electric_pump_breaks_an_invariant(sensors in fitted(), deeds in deeds()) {
        walk(tiny::electric(&sensors), deeds);
    }

    /// I7: what comes back from an earlier run changes nothing.
    #[test]
    fn a_read_back_of_another_run_changes_nothing(deeds in deeds(), epoch in 1_u32..9) {
        let mut rig = Rig::unbooted(tiny::engine(&[]), Restored::Fresh);
        rig.boot();
        for deed in deeds {
            if let Deed::Wait(tenths) = deed {
                rig.run(f64::from(tenths) / 10.0);
            }
            let before = rig.machine.state;
            let wrote = rig.machine.relays();
            let read = super::super::RelayImage::read_back(|o| !wrote.is_on(o));
            rig.input(Input::ReadBack { epoch: rig.machine.epoch().wrapping_add(epoch), wrote, read });
            prop_assert_eq!(rig.machine.state, before);
        }
    }

    /// Same inputs, same outputs (I17).
    #[test]
    fn the_same_inputs_give_the_same_relays(deeds in deeds()) {
        let run = |deeds: &[Deed]| {
            let mut rig = Rig::unbooted(tiny::engine(&[Sensor::EngineRun]), Restored::Fresh);
            rig.boot();
            let mut images = Vec::new();
            for deed in deeds {
                match deed {
                    Deed::Wait(tenths) => rig.run(f64::from(*tenths) / 10.0),
                    Deed::Demand(demand) => rig.input(Input::Demand(*demand)),
                    Deed::Order(command) => rig.input(Input::Command(*command)),
                    _ => {}
                }
                images.push(rig.machine.relays());
            }
            images
        };
        prop_assert_eq!(run(&deeds), run(&deeds));
    }
}
