//! What a deed does.

use std::time::Duration;

use vigia_core::pump::{RelayImage, Source};
use vigia_core::time::Instant;

use super::link::Frame;
use super::script::Deed;
use super::stage::Stage;

pub(super) fn perform(stage: &mut Stage, deed: Deed) {
    let now = stage.now;
    let seconds = |s: u16| Duration::from_secs(u64::from(s));
    match deed {
        Deed::Fire { cameras, seconds: long } => {
            stage.counts.fires += 1;
            stage.eyes.light(now, seconds(long), cameras, true);
        }
        Deed::FalseAlarm { cameras, seconds: long, grows } => {
            stage.eyes.light(now, seconds(long), cameras, grows);
        }
        Deed::Blind { camera, seconds: long } => {
            stage.eyes.blind(now, camera, now.after(seconds(long)));
        }
        Deed::Fault(fault) => {
            stage.counts.faults += 1;
            stage.plant.fault(fault);
        }
        Deed::Mend(fault) => stage.plant.mend(fault),
        Deed::Press(button) => stage.plant.press(button, true),
        Deed::Release(button) => stage.plant.press(button, false),
        Deed::Turn(selector) => stage.plant.turn(selector),
        Deed::HoldIgnition(is) => stage.plant.hold_ignition(is),
        Deed::Order { id, order, role, age_s, retained, twice } => {
            stage.counts.orders += 1;
            let given = Instant(now.0.saturating_sub(u64::from(age_s) * 1_000_000_000));
            let frame = Frame::Order { id, order, role, given, retained };
            for _ in 0..if twice { 2 } else { 1 } {
                stage.link.send(now, frame, &mut stage.rng);
            }
        }
        Deed::Demand { id, age_s, authorised, retained } => {
            let seen = Instant(now.0.saturating_sub(u64::from(age_s) * 1_000_000_000));
            let source = Source::Network;
            let frame = Frame::Demand { id, source, seen, persists: false, authorised, retained };
            stage.link.send(now, frame, &mut stage.rng);
        }
        Deed::FillTank => {
            let full = stage.plant.config().tank.high_l() * 1.01;
            stage.plant.fill_to(full);
        }
        Deed::LinkBreaks { seconds: long } => {
            stage.link.broken_until = now.after(seconds(u16::from(long)));
        }
        Deed::KillPump { back_ms, within, disk_lost } => {
            if within {
                stage.hand.doomed = true;
                stage.hand.disk_lost = false;
            } else {
                stage.kill_pump(Duration::from_millis(u64::from(back_ms)), disk_lost);
            }
        }
        Deed::KillVigia { back_ms } => stage.kill_vigia(Duration::from_millis(u64::from(back_ms))),
        Deed::PowerCut { seconds: long } => {
            let long = seconds(long);
            // Lines, relays, everything.
            stage.hand.lines = RelayImage::NONE;
            stage.plant.advance(now, &RelayImage::NONE);
            stage.kill_pump(long, false);
            stage.kill_vigia(long);
        }
        Deed::Hang { ms } => {
            if stage.hand.machine.is_some() {
                stage.hangs_until = now.after(Duration::from_millis(u64::from(ms)));
                stage.plant.heartbeat(now, false);
            }
        }
        Deed::FailSelfTest => stage.fail_self_test = true,
    }
}
