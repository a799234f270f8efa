//! Each state and each input: where it leads in that very step. A new state or order breaks
//! the build of the tables or the length of a row.

use super::super::{Input, Order, Output as O, Reading, Sensor, StateName as S};
use super::rig::{Rig, fit, short_run};

/// Columns: demand, stop, start, valve open, valve close, reset, test, shutdown, hard-wired stop.
const COLUMNS: usize = 9;

fn apply(rig: &mut Rig, column: usize) {
    let orders =
        [Order::EmergencyStop, Order::Start, Order::ValveOpen, Order::ValveClose, Order::Reset, Order::Test];
    match column {
        0 => rig.demand(),
        1..=6 => drop(rig.order(orders[column - 1])),
        7 => rig.input(Input::Shutdown),
        _ => {
            rig.set(Sensor::EmergencyStop, Reading::Active);
            rig.input(Input::Sensors(rig.image));
        }
    }
}

/// A rig in a state, its kill pulse over where there was one.
fn in_state(state: S) -> Rig {
    let mut rig = Rig::engine(|raw| {
        short_run(raw);
        raw.tank.refill_multiplier = Some(1.0);
        let all = [Sensor::SelectorAuto, Sensor::SelectorManual, Sensor::EmergencyStop, Sensor::Overspeed];
        fit(raw, &all);
        if state == S::LowPressure {
            fit(raw, &[Sensor::Pressure]);
            raw.timings.pressure_check_s = Some(5.0);
        }
    });
    match state {
        S::Idle => {}
        S::Off | S::Manual => {
            rig.set(Sensor::SelectorAuto, Reading::Inactive);
            if state == S::Manual {
                rig.set(Sensor::SelectorManual, Reading::Active);
            }
            rig.run(1.0);
        }
        S::EmergencyStop => drop(rig.order(Order::EmergencyStop)),
        S::Error => {
            rig.set(Sensor::Overspeed, Reading::Active);
            rig.demand();
            rig.run(1.0);
            rig.set(Sensor::Overspeed, Reading::Inactive);
        }
        S::Priming
        | S::Starting
        | S::Running
        | S::ReducingRpm
        | S::Stopping
        | S::Refilling
        | S::Cooldown
        | S::LowPressure => {
            rig.demand();
            rig.until(state, 200.0);
        }
        S::Leaving => rig.input(Input::Shutdown),
        S::Boot => panic!("a rig has booted"),
    }
    if matches!(state, S::Error | S::EmergencyStop | S::LowPressure) {
        rig.run(20.0);
    }
    if state == S::Leaving {
        rig.tick();
    }
    assert_eq!(rig.state(), state);
    rig
}

#[test]
fn every_input_in_every_state_leads_where_the_table_says() {
    use S::*;
    const STOP: S = EmergencyStop;
    #[rustfmt::skip]
    let table: [(S, [S; COLUMNS]); 14] = [
        //             demand       stop  start      open         close        reset        test         shutdown     wire
        (Idle,        [Priming,     STOP, Priming,   Idle,        Idle,        Idle,        Priming,     Leaving,     STOP]),
        (Cooldown,    [Priming,     STOP, Priming,   Cooldown,    Cooldown,    Cooldown,    Cooldown,    Leaving,     STOP]),
        (Refilling,   [Refilling,   STOP, Priming,   Refilling,   Refilling,   Refilling,   Refilling,   Leaving,     STOP]),
        (Off,         [Off,         STOP, Off,       Off,         Off,         Off,         Off,         Leaving,     STOP]),
        (Manual,      [Manual,      STOP, Manual,    Manual,      Manual,      Manual,      Manual,      Leaving,     STOP]),
        (Leaving,     [Leaving,     STOP, Leaving,   Leaving,     Leaving,     Leaving,     Leaving,     Leaving,     STOP]),
        (Priming,     [Priming,     STOP, Priming,   Priming,     Priming,     Priming,     Priming,     Stopping,    STOP]),
        (Starting,    [Starting,    STOP, Starting,  Starting,    Starting,    Starting,    Starting,    Stopping,    STOP]),
        (Running,     [Running,     STOP, Running,   Running,     Running,     Running,     Running,     Stopping,    STOP]),
        (ReducingRpm, [ReducingRpm, STOP, ReducingRpm, ReducingRpm, ReducingRpm, ReducingRpm, ReducingRpm, Stopping,  STOP]),
        (Stopping,    [Stopping,    STOP, Stopping,  Stopping,    Stopping,    Stopping,    Stopping,    Stopping,    STOP]),
        (Error,       [Error,       STOP, Error,     Error,       Error,       Idle,        Error,       Error,       STOP]),
        (LowPressure, [LowPressure, STOP, LowPressure, LowPressure, LowPressure, Refilling, LowPressure, LowPressure, STOP]),
        (STOP,        [STOP,        STOP, STOP,      STOP,        STOP,        Idle,        STOP,        STOP,        STOP]),
    ];
    for (from, row) in table {
        for (column, to) in row.into_iter().enumerate() {
            let mut rig = in_state(from);
            apply(&mut rig, column);
            assert_eq!(rig.state(), to, "{from:?}, column {column}");
            let is_engine_state = matches!(to, S::Running | S::ReducingRpm | S::Starting);
            assert!(is_engine_state || !(rig.on(O::Run) || rig.on(O::Starter)), "{from:?}, column {column}");
        }
    }
}
