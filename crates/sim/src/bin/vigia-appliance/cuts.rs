//! Power that goes.

use std::time::Duration;

use vigia_sim::plant::Button;
use vigia_sim::vm::clock::{now, rest};
use vigia_sim::vm::rig::RigError;

use crate::bench::{Bench, sees};
use crate::scenarios::{Counts, Seeing};

/// More often than a slot may start without a verdict, and never for long enough to get one.
pub fn short_starts(bench: &mut Bench, _: Counts) -> Seeing {
    const TIMES: u32 = 8;
    bench.appliance.cut();
    bench.appliance.renew(&bench.settled.clone())?;
    for _ in 0..TIMES {
        bench.appliance.boot()?;
        bench.appliance.run("until systemctl is-active -q vigia-kept; do sleep 0.2; done")?;
        bench.appliance.cut();
    }
    bench.appliance.boot()?;
    let settled = bench.settle()?;
    sees(settled.slot == "A", || format!("after {TIMES} short starts it went to slot {}", settled.slot))?;
    Ok(format!("cut {TIMES} times before the verdict; {} in {} runs", settled.version, settled.slot))
}

/// At any moment from the first byte of an update to its verdict.
pub fn update_cuts(bench: &mut Bench, counts: Counts) -> Seeing {
    bench.blind()?;
    bench.start_blind()?;
    bench.settle()?;
    let since = now();
    bench.install("good")?;
    let whole = now().since(since).mul_f64(2.0);
    let mut ends = Vec::new();
    bench.start_blind()?;
    bench.settle()?;
    for round in 0..counts.cuts {
        let wrong = |e: RigError| RigError::Not(format!("cut {round} of {}: {e}", counts.cuts));
        let moment = whole.mul_f64(bench.rng.f64());
        bench.updates().map_err(wrong)?;
        bench
            .appliance
            .lines
            .leave("rauc install /run/updates/good.raucb && systemctl reboot")
            .map_err(|e| wrong(e.into()))?;
        rest(moment);
        bench.appliance.cut();
        bench.appliance.boot().map_err(wrong)?;
        let settled = bench.settle().map_err(wrong)?;
        let lost = bench.appliance.run("test -e /run/vigia-data-lost").is_ok();
        sees(!lost, || format!("cut {round}: the data partition is lost"))?;
        ends.push(format!("{:.0}→{}", moment.as_secs_f64(), settled.slot));
    }
    Ok(format!(
        "{} cuts within {:.0} s, 0 bricks (second→slot): {}",
        counts.cuts,
        whole.as_secs_f64(),
        ends.join(" ")
    ))
}

/// What was told of a run before the power went is known afterwards.
pub fn pump_cuts(bench: &mut Bench, counts: Counts) -> Seeing {
    const TOLD: &str =
        "journalctl -u vigia-pump -o cat --no-pager | grep -oE 'EngineRunning|ShutdownComplete' | tail -1";
    let mut in_a_run = 0;
    bench.blind()?;
    for round in 0..counts.pump_cuts {
        let wrong = |e: RigError| RigError::Not(format!("cut {round} of {}: {e}", counts.pump_cuts));
        bench.start_blind().map_err(wrong)?;
        bench.wait_armed().map_err(wrong)?;
        bench.press(Button::Fire);
        rest(Duration::from_millis(bench.rng.u64(0..15_000)));
        let told = bench.appliance.run(TOLD).map_err(wrong)? == "EngineRunning";
        bench.appliance.cut();
        rest(Duration::from_secs(2));
        bench.appliance.boot().map_err(wrong)?;
        bench.settle().map_err(wrong)?;
        bench.wait_armed().map_err(wrong)?;
        let log = bench.appliance.run("journalctl -b -u vigia-pump -o cat --no-pager").map_err(wrong)?;
        sees(!log.contains("LedgerLost"), || format!("cut {round}: the ledger was lost: {log}"))?;
        sees(!told || log.contains("RunInterrupted"), || {
            format!("cut {round}: a run that was told is forgotten: {log}")
        })?;
        in_a_run += u32::from(told);
    }
    Ok(format!("{} cuts, {in_a_run} of them in a run that was told: 0 lost records", counts.pump_cuts))
}

/// Setting itself up, it loses its power, several times; then it is whole.
pub fn first_boot_cut(bench: &mut Bench, _: Counts) -> Seeing {
    const TIMES: u32 = 3;
    bench.appliance.cut();
    let built = bench.appliance.built();
    bench.appliance.renew(&built)?;
    for _ in 0..TIMES {
        bench.appliance.boot()?;
        rest(Duration::from_millis(bench.rng.u64(0..15_000)));
        bench.appliance.cut();
    }
    bench.appliance.boot()?;
    let settled = bench.settle()?;
    bench.appliance.run("openssl verify -CAfile /etc/vigia/pki/ca.crt /etc/vigia/pki/broker.crt")?;
    Ok(format!(
        "cut {TIMES} times; then {} in {} runs, its certificates are whole",
        settled.version, settled.slot
    ))
}
