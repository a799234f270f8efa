//! Power that goes.

use std::time::Duration;

use vigia_sim::plant::Button;
use vigia_sim::vm::clock::{now, rest};
use vigia_sim::vm::rig::RigError;

use crate::bench::{Bench, sees};
use crate::power::Moment;
use crate::scenarios::{Counts, Seeing};
use crate::writes::Writes;

/// Many more starts than a slot has without a verdict, none of them long enough for one: the good slot keeps its place for twenty
/// of them, then the other has its turn, and with power that stays the box works.
pub fn short_starts(bench: &mut Bench, _: Counts) -> Seeing {
    const TIMES: usize = 26;
    const KEPT: usize = 20;
    const SLOT: &str = "until systemctl is-active -q vigia-kept; do sleep 0.2; done; grep -o 'rauc.slot=.' /proc/cmdline | cut -d= -f2";
    bench.appliance.cut();
    bench.appliance.renew(&bench.settled.clone())?;
    let mut slots = String::new();
    for _ in 0..TIMES {
        bench.appliance.boot()?;
        // The start in which the other slot is chosen ends by itself.
        slots += &bench.appliance.run(SLOT).unwrap_or_else(|_| "-".to_owned());
        bench.appliance.power_cut(&mut bench.rng)?;
    }
    sees(slots.starts_with(&"A".repeat(KEPT)), || format!("a good slot was left: {slots}"))?;
    sees(slots.contains('B'), || format!("no other slot had its turn: {slots}"))?;
    bench.appliance.boot()?;
    let settled = bench.settle()?;
    Ok(format!(
        "{TIMES} starts without a verdict, in {slots}; then {} in {} stays",
        settled.version, settled.slot
    ))
}

/// At any moment from the first byte of an update to its verdict.
pub fn update_cuts(bench: &mut Bench, counts: Counts) -> Seeing {
    bench.blind()?;
    bench.start_blind()?;
    bench.settle()?;
    let since = now();
    bench.install("good")?;
    bench.restart()?;
    let whole = now().since(since);
    let (mut ends, mut lost) = (Vec::new(), 0);
    while ends.len() < counts.cuts as usize {
        bench.start_blind()?;
        bench.settle()?;
        bench.updates()?;
        bench.appliance.lines.leave("rauc install /run/updates/good.raucb && systemctl reboot")?;
        let cuts = Cuts::within(bench, whole, counts.cuts as usize - ends.len(), |_| Ok(()))?;
        for cut in &cuts.all {
            let wrong = |e: RigError| {
                RigError::Not(format!("cut {} of {}, {:.1} s: {e}", ends.len(), counts.cuts, cut.second))
            };
            lost += cuts.boot(bench, cut).map_err(wrong)?;
            let settled = bench.settle().map_err(wrong)?;
            bench.wait_armed().map_err(wrong)?;
            let is_lost = bench.appliance.run("test -e /run/vigia-data-lost").is_ok();
            sees(!is_lost, || "the data partition is lost".to_owned()).map_err(wrong)?;
            eprintln!("cut {} in an update: {:.1} s, then slot {}", ends.len(), cut.second, settled.slot);
            ends.push(format!("{:.0}→{}", cut.second, settled.slot));
        }
    }
    Ok(format!(
        "{} cuts within {:.0} s, {lost} writes lost that were not flushed, 0 bricks (second→slot): {}",
        counts.cuts,
        whole.as_secs_f64(),
        ends.join(" ")
    ))
}

/// What was told of a run before the power went is known afterwards.
pub fn pump_cuts(bench: &mut Bench, counts: Counts) -> Seeing {
    const WHOLE: Duration = Duration::from_secs(15);
    const TOLD: &str = "journalctl -b -u vigia-pump -o cat --no-pager | grep -oE 'EngineRunning|ShutdownInitiated' | tail -n 1";
    const LOG: &str = "until journalctl -b -u vigia-pump -o cat --no-pager > /run/said && grep -qE 'IdleStateEntered|RunInterrupted' /run/said; \
         do sleep 0.3; done; cat /run/said";
    let (mut done, mut in_a_run, mut lost) = (0, 0, 0);
    bench.blind()?;
    while done < counts.pump_cuts {
        bench.start_blind()?;
        bench.appliance.run(LOG)?;
        bench.press(Button::Fire);
        let cuts = Cuts::within(bench, WHOLE, (counts.pump_cuts - done) as usize, |bench| {
            Ok(bench.appliance.run(TOLD)? == "EngineRunning")
        })?;
        for cut in &cuts.all {
            let wrong = |e: RigError| {
                RigError::Not(format!("cut {done} of {}, {:.1} s: {e}", counts.pump_cuts, cut.second))
            };
            lost += cuts.boot(bench, cut).map_err(wrong)?;
            bench.wait_armed().map_err(wrong)?;
            let log = bench.appliance.run(LOG).map_err(wrong)?;
            sees(!log.contains("LedgerLost"), || format!("the ledger was lost: {log}")).map_err(wrong)?;
            let is_known = log.contains("RunInterrupted");
            sees(is_known || !cut.told, || format!("a run that was told is forgotten: {log}"))
                .map_err(wrong)?;
            eprintln!("cut {done} in a pump run: {:.1} s, told: {}, known: {is_known}", cut.second, cut.told);
            in_a_run += u32::from(cut.told);
            done += 1;
        }
    }
    Ok(format!(
        "{done} cuts, {in_a_run} of them in a run that was told, {lost} writes lost that were not flushed: 0 lost records"
    ))
}

/// Several moments of one thing that a box did, and what it wrote meanwhile: the disk is made anew for each of them, as the
/// power would have left it.
struct Cuts<T> {
    writes: Writes,
    all: Vec<Cut<T>>,
}

struct Cut<T> {
    second: f64,
    /// What the box said shortly before.
    told: T,
    moment: Moment,
}

impl<T> Cuts<T> {
    /// Lets the box go on for that long, and switches it off. Not more than ten, or `number`.
    fn within(
        bench: &mut Bench,
        whole: Duration,
        number: usize,
        ask: impl Fn(&Bench) -> Result<T, RigError>,
    ) -> Result<Self, RigError> {
        const IN_ONE: usize = 10;
        let since = now();
        let mut seconds: Vec<f64> =
            (0..number.min(IN_ONE)).map(|_| whole.as_secs_f64() * bench.rng.f64()).collect();
        seconds.sort_by(f64::total_cmp);
        let take = |(number, second): (usize, f64)| {
            rest(Duration::from_secs_f64(second).saturating_sub(now().since(since)));
            let told = ask(bench)?;
            let moment = bench.appliance.moment(bench.people.join(format!("vars-{number}.fd")))?;
            Ok(Cut { second, told, moment })
        };
        let all = seconds.into_iter().enumerate().map(take).collect::<Result<_, RigError>>()?;
        bench.appliance.cut();
        Ok(Self { writes: bench.appliance.keep_writes()?, all })
    }

    /// Switched on with what that one left. Returns how many writes it lost.
    fn boot(&self, bench: &mut Bench, cut: &Cut<T>) -> Result<u32, RigError> {
        bench.appliance.cut();
        let lost = bench.appliance.leave(&self.writes, &cut.moment, &mut bench.rng)?;
        bench.make_sound();
        bench.appliance.boot()?;
        Ok(lost)
    }
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
        bench.appliance.power_cut(&mut bench.rng)?;
    }
    bench.appliance.boot()?;
    let settled = bench.settle()?;
    bench.appliance.run("openssl verify -CAfile /etc/vigia/pki/ca.crt /etc/vigia/pki/broker.crt")?;
    Ok(format!(
        "cut {TIMES} times; then {} in {} runs, its certificates are whole",
        settled.version, settled.slot
    ))
}
