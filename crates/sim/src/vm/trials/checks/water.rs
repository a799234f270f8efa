//! Water: what ends a refill, and what stops a pump that has none (P16, P18, P21 to P25).

use std::time::Duration;

use vigia_core::board::Level::{High, Low};
use vigia_core::pump::{Output, RawPlan, Reading, Sensor};

use super::fit;
use crate::plant::{Button, Contact, Fault};
use crate::vm::clock::rest;
use crate::vm::rig::RigError;
use crate::vm::smoke::table::ms;
use crate::vm::trials::watch::{in_time, lasts};
use crate::vm::trials::{Bench, Seeing, sees};

/// The float's filter is half of it.
const FULL_MAX: Duration = Duration::from_secs(2);
/// The least that a site may choose.
const DRY: Duration = Duration::from_secs(10);
/// P21 leaves two seconds.
const DRY_MAX: Duration = Duration::from_secs(12);
/// P25, and the contact's filter.
const STUCK: Duration = Duration::from_secs(30);

/// A pump that only flow protects, and a fire that lasts.
fn flow_only(site: &mut RawPlan) {
    site.inputs.remove(&Sensor::Pressure);
    site.timings.dry_s_max = Some(DRY.as_secs_f64());
    site.timings.fire_off_s = Some(50.0);
}

pub fn p16_a_full_float_ends_the_refill(bench: &mut Bench) -> Seeing {
    bench.fresh(|_| {})?;
    refilling(bench)?;
    let place = bench.rig.lines.place();
    bench.fill(0.95);
    let full = bench.edge(place, "contact-float-high", Low)?.at;
    let shut = bench.edge(place, "relay-refill-valve", Low)?.at;
    let took = shut.since(full);
    in_time("the refill valve", took, FULL_MAX)?;
    bench.wait_said("RefillCompleteFloatSwitch")?;
    bench.wait_rest()?;
    Ok(format!("float to refill valve {}", ms(took)))
}

/// A run is over, and its tank is not full.
fn refilling(bench: &Bench) -> Result<(), RigError> {
    bench.half_a_tank();
    bench.start_a_run()?;
    bench
        .wait("the kill pulse", |world| world.story().last().is_some_and(|m| m.asked.is_on(Output::Kill)))?;
    bench.wait("the refill", |world| {
        let last = world.story().last();
        last.is_some_and(|m| !m.asked.is_on(Output::Kill) && m.coils.is_on(Output::RefillValve))
    })
}

/// The tank is full and the float can't say so: the overflow's contact ends it, and nobody believes the float.
pub fn p18_a_cut_float_wire_is_not_full(bench: &mut Bench) -> Seeing {
    const FROM: f64 = 0.93;
    bench.fresh(|site| fit(site, Sensor::Overflow, Reading::Fault))?;
    refilling(bench)?;
    let place = bench.rig.lines.place();
    bench.world.with(|world| world.plant.fault(Fault::Contact(Sensor::FloatHigh, Contact::Cut)));
    bench.fill(FROM);
    let over = bench.edge(place, "contact-overflow", High)?.at;
    let shut = bench.edge(place, "relay-refill-valve", Low)?.at;
    sees(shut >= over, || "a cut wire passed for a full tank".to_owned())?;
    in_time("the refill valve", shut.since(over), FULL_MAX)?;
    let spilt = bench.world.with(|world| world.plant.truth().overflow_l);
    sees(spilt <= 0.0, || format!("{spilt:.1} l went over the top"))?;
    bench.wait_rest()?;
    let place = bench.rig.lines.place();
    bench.press(Button::Fire);
    bench.wait_said("why: TankUnknown")?;
    bench.never(place, "relay-main-valve", High)?;
    bench.never(place, "relay-starter", High)?;
    Ok(format!(
        "refill went on to the overflow contact, shut {} after it; start refused: tank unknown",
        ms(shut.since(over))
    ))
}

pub fn p21_no_flow_from_the_start_stops_the_engine(bench: &mut Bench) -> Seeing {
    bench.fresh(flow_only)?;
    bench.world.with(|world| world.plant.fault(Fault::SuctionBlocked));
    let place = bench.rig.lines.place();
    bench.press(Button::Fire);
    let on = bench.edge(place, "relay-run", High)?.at;
    let ran = bench.edge(place, "relay-run", Low)?.at.since(on);
    lasts("the dry run", ran, DRY)?;
    bench.wait_said("ErrorStateEntered { reason: DryRun }")?;
    let shut = bench.edge(place, "relay-main-valve", Low)?.at.since(on);
    sees(shut >= ran, || "the main valve closed on a running engine".to_owned())?;
    Ok(format!("ignition off after {} (limit {}), main valve shut after {}", ms(ran), ms(DRY), ms(shut)))
}

pub fn p22_p23_flow_is_watched_for_as_long_as_it_runs(bench: &mut Bench) -> Seeing {
    bench.fresh(flow_only)?;
    let place = bench.rig.lines.place();
    bench.start_a_run()?;
    rest(2 * DRY + Duration::from_secs(1));
    bench.never(place, "relay-run", Low)?;
    let errors = bench.said_times("ErrorStateEntered")?;
    sees(errors == 0, || format!("{errors} faults of a pump that has water"))?;
    let place = bench.rig.lines.place();
    bench.world.with(|world| world.plant.fault(Fault::SuctionBlocked));
    let dry = bench.edge(place, "contact-flow", High)?.at;
    let off = bench.edge(place, "relay-run", Low)?.at.since(dry);
    sees(off >= DRY, || format!("stopped {} after the flow", ms(off)))?;
    in_time("the stop", off, DRY_MAX)?;
    bench.wait_said("ErrorStateEntered { reason: DryRun }")?;
    Ok(format!(
        "no fault in 21 s with flow; ignition off {} after the flow's contact (limit {})",
        ms(off),
        ms(DRY)
    ))
}

pub fn p24_without_sensors_it_says_that_it_is_unprotected(bench: &mut Bench) -> Seeing {
    bench.fresh(|site| {
        flow_only(site);
        site.inputs.remove(&Sensor::Flow);
    })?;
    bench.world.with(|world| world.plant.fault(Fault::SuctionBlocked));
    let place = bench.rig.lines.place();
    bench.start_a_run()?;
    bench.wait_said("DryRunUnprotected")?;
    bench.wait_said("Raised { condition: DryRunUnprotected }")?;
    rest(DRY + Duration::from_secs(3));
    bench.never(place, "relay-run", Low)?;
    let errors = bench.said_times("ErrorStateEntered")?;
    sees(errors == 0, || format!("{errors} faults that nobody can know of"))?;
    Ok("told as unprotected; dry for 13 s and no false fault".to_owned())
}

pub fn p25_a_stuck_flow_contact_is_told_before_a_start(bench: &mut Bench) -> Seeing {
    bench.fresh(|_| {})?;
    let place = bench.rig.lines.place();
    bench.world.with(|world| world.plant.fault(Fault::Contact(Sensor::Flow, Contact::StuckActive)));
    let stuck = bench.edge(place, "contact-flow", Low)?.at;
    let told = bench.wait_said("SensorUntrusted { sensor: Flow }")?.at.since(stuck);
    sees(told >= STUCK, || format!("told after {}", ms(told)))?;
    in_time("the fault", told, STUCK + Duration::from_secs(1))?;
    let starts = bench.said_times("PumpSequenceStart")?;
    sees(starts == 0, || "it started by itself".to_owned())?;
    Ok(format!("told {} after the contact closed, before any start", ms(told)))
}
