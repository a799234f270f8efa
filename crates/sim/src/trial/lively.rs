//! The second phase: nothing is broken any more and nobody interferes. Then good things must happen.

use std::time::Duration;

use vigia_core::pump::{Condition, Order, Output, Role, Sensor, StateName};
use vigia_core::time::Instant;

use super::broken::Broken;
use super::diary::Note;
use super::link::{Frame, Weather};
use super::stage::Stage;
use crate::plant::{Button, Selector};

/// A day's budget of refill may be spent, and an hour's starts.
const REST_S_MAX: f64 = 26.0 * 3600.0;
/// A fire is confirmed by then.
const CONFIRMED_S: f64 = 15.0;

/// Mends everything; waits for rest; lights a fire, and looks for water; waits for rest again.
pub(super) fn end_well(stage: &mut Stage, can_wait: bool) -> Result<(), Broken> {
    mend(stage);
    come_to_rest(stage)?;
    if !wait_for_permission(stage, can_wait)? {
        return Ok(());
    }
    burn(stage)?;
    stage.eyes.put_out(stage.now);
    come_to_rest(stage)?;
    tank_is_full(stage)
}

fn mend(stage: &mut Stage) {
    stage.note(Note::Everything("everything is mended, and nobody interferes"));
    stage.plant.mend_all();
    for button in [Button::Stop, Button::Fire, Button::Reset] {
        stage.plant.press(button, false);
    }
    stage.plant.turn(Selector::Manual);
    stage.plant.hold_ignition(false);
    stage.plant.turn(Selector::Auto);
    stage.link.weather = Weather { late: 0, ..stage.link.weather };
    stage.link.broken_until = Instant(0);
    stage.eyes.put_out(stage.now);
    stage.eyes.blind_until = [Instant(0); super::cameras::CAMERAS_LEN_MAX];
    stage.fail_self_test = false;
    stage.hand.doomed = false;
    // The power is back.
    let soon = stage.now.after(Duration::from_secs(1));
    stage.hand.starts_at = stage.hand.starts_at.map(|at| at.min(soon));
    stage.eyes_start_at = stage.eyes_start_at.map(|at| at.min(soon));
    stage.hangs_until = stage.now;
    stage.hand.wake = stage.hand.wake.min(stage.now.after(Duration::from_millis(100)));
    stage.longest_sleep = Duration::from_secs(60);
}

/// Until it is idle. What latched is reset by a hand at the box.
fn come_to_rest(stage: &mut Stage) -> Result<(), Broken> {
    let began = stage.now;
    let mut refusals = 0;
    loop {
        let waited_s = stage.now.since(began).as_secs_f64();
        let state = stage.state();
        match state {
            Some(StateName::Idle) if !stage.plant.truth().runs => return Ok(()),
            Some(state @ (StateName::Error | StateName::LowPressure | StateName::EmergencyStop)) => {
                refusals += 1;
                if refusals > 40 {
                    return Err(Broken::CannotReset { state, why: "refused for too long" });
                }
                reset(stage)?;
            }
            Some(_) | None => {}
        }
        let settled = matches!(state, Some(StateName::Idle | StateName::Refilling | StateName::Cooldown));
        if waited_s > REST_S_MAX || (!settled && waited_s > 3600.0) {
            return Err(Broken::NeverRests { state: state.unwrap_or(StateName::Boot), waited_s });
        }
        stage.play(stage.now.after(Duration::from_secs(10)), None)?;
    }
}

/// By hand: reset, arm, and a new self-test where that was what failed.
fn reset(stage: &mut Stage) -> Result<(), Broken> {
    let fault = stage.hand.machine.as_ref().and_then(|m| m.status().fault);
    if fault == Some(vigia_core::pump::Fault::SelfTest) {
        // Its cause is only looked for at the start.
        stage.kill_pump(Duration::from_millis(500), false);
        return stage.play(stage.now.after(Duration::from_secs(10)), None);
    }
    order(stage, Order::Reset)
}

fn order(stage: &mut Stage, order: Order) -> Result<(), Broken> {
    stage.order_by_hand(order)
}

/// Whether it may start at all now; starts and refills are counted over time.
fn wait_for_permission(stage: &mut Stage, can_wait: bool) -> Result<bool, Broken> {
    order(stage, Order::Reset)?;
    order(stage, Order::Arm)?;
    let Some(pump) = stage.hand.plan.pump().copied() else { return Ok(true) };
    let began = stage.now;
    let mut idle_since = began;
    loop {
        let Some(machine) = &stage.hand.machine else { return Ok(false) };
        let starts = machine.ledger().starts_spent() < usize::from(pump.limits.starts_max);
        let cranking = !machine.panel().is_active(Condition::CrankingSpent);
        if machine.state() != StateName::Idle {
            idle_since = stage.now;
        }
        let quiet = stage.now.since(idle_since) > pump.limits.off_min + Duration::from_secs(35);
        if starts && cranking && quiet {
            break;
        }
        if matches!(machine.state(), StateName::Error | StateName::LowPressure | StateName::EmergencyStop) {
            // A fire of before was taken up, and something came of it.
            come_to_rest(stage)?;
            continue;
        }
        if !can_wait && stage.now.since(began) > Duration::from_secs(120) {
            return Ok(false);
        }
        if stage.now.since(began).as_secs_f64() > REST_S_MAX {
            return Err(Broken::NeverRests { state: machine.state(), waited_s: REST_S_MAX });
        }
        stage.play(stage.now.after(Duration::from_secs(10)), None)?;
    }
    // Somebody looks after the tank where no float can ask for water.
    let tank = stage.plant.config().tank;
    stage.plant.fill_to(tank.volume_l * 0.93);
    stage.hand.wake = stage.now;
    stage.play(stage.now.after(Duration::from_secs(5)), None)?;
    Ok(true)
}

/// I12, and water.
fn burn(stage: &mut Stage) -> Result<(), Broken> {
    let lit = stage.now;
    stage.note(Note::Everything("a fire before all cameras"));
    let all = (1_u16 << stage.eyes.len()) - 1;
    let all = u8::try_from(all).unwrap_or(u8::MAX);
    stage.counts.fires += 1;
    stage.eyes.light(stage.now, Duration::from_secs(600), all, true);
    let before = stage.last_accepted;
    let confirmed_by = lit.after(Duration::from_secs_f64(CONFIRMED_S + 40.0));
    while stage.last_accepted == before {
        if stage.hand.plan.pump().is_none() && stage.is_on(Output::Siren) {
            return Ok(());
        }
        if stage.now >= confirmed_by {
            return Err(Broken::NeverConfirmed { seconds: CONFIRMED_S + 40.0 });
        }
        stage.turn(confirmed_by, None)?;
    }
    alarm_sounds(stage)?;
    water_flows(stage)
}

fn alarm_sounds(stage: &mut Stage) -> Result<(), Broken> {
    stage.play(stage.now.after(Duration::from_millis(300)), None)?;
    let has = stage.hand.plan.has_output(Output::Siren);
    let silenced = stage.hand.machine.as_ref().is_some_and(|m| m.panel().is_silenced());
    if has && !silenced && !stage.is_on(Output::Siren) { Err(Broken::NoAlarm) } else { Ok(()) }
}

fn water_flows(stage: &mut Stage) -> Result<(), Broken> {
    use vigia_core::pump::plan::Drive;
    let Some(pump) = stage.hand.plan.pump().copied() else { return Ok(()) };
    let taken = stage.now;
    let opening = pump.opening.wait.max(pump.opening.travel_max);
    // I12: a crank within prime, open and a second.
    let (crank_s, attempts) = match pump.drive {
        Drive::Engine(c) => ((c.crank + c.rest).as_secs_f64(), f64::from(c.attempts)),
        Drive::Electric => (1.0, 1.0),
    };
    let start_by = taken.after(opening + Duration::from_secs(1));
    let cranked = |stage: &Stage| {
        stage.is_on(Output::Starter) || stage.is_on(Output::Run) || stage.is_on(Output::Contactor)
    };
    while !cranked(stage) {
        if stage.now >= start_by {
            return Err(Broken::NoStart { seconds: stage.now.since(taken).as_secs_f64() });
        }
        stage.turn(start_by, None)?;
    }
    let prime_s = stage.plant.config().priming_s * 4.0;
    let most_s = opening.as_secs_f64() + crank_s * attempts + prime_s + 10.0;
    let by = taken.after(Duration::from_secs_f64(most_s));
    while stage.plant.truth().flow_l_per_s <= 0.0 {
        let state = stage.state().unwrap_or(StateName::Boot);
        if stage.now >= by {
            return Err(Broken::NoWater { state, seconds: most_s });
        }
        stage.turn(by, None)?;
    }
    Ok(())
}

/// What was used is back: the float says so, or the time that was owed.
fn tank_is_full(stage: &Stage) -> Result<(), Broken> {
    let (truth, tank) = (stage.plant.truth(), stage.plant.config().tank);
    if !stage.hand.plan.has_output(Output::RefillValve) || !stage.sees(Sensor::FloatHigh) {
        return Ok(());
    }
    if truth.level_l < 0.9 * tank.high_l() {
        return Err(Broken::TankNotFull { level_l: truth.level_l, volume_l: tank.volume_l });
    }
    Ok(())
}

impl Stage {
    /// An order from the panel: no link, no repetition.
    fn order_by_hand(&mut self, order: Order) -> Result<(), Broken> {
        let given = self.now;
        let frame = Frame::Order { id: 0, order, role: Role::Local, given, retained: false };
        self.deliver(frame)
    }
}

/// Somebody comes by: everything is mended and what latched is reset. He does not wait.
pub(super) fn visit(stage: &mut Stage) -> Result<(), Broken> {
    let sleep = stage.longest_sleep;
    let weather = stage.link.weather;
    mend(stage);
    stage.longest_sleep = sleep;
    stage.link.weather = weather;
    stage.play(stage.now.after(Duration::from_secs(60)), None)?;
    reset(stage)?;
    order(stage, Order::Arm)
}
