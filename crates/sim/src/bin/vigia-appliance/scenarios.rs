//! What a box is put through, each on a disk of its own (firmware.md, section 8; issue of the image, verification 1).

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use vigia_core::pump::Output;
use vigia_sim::plant::Button;
use vigia_sim::vm::clock::{now, rest};
use vigia_sim::vm::machine::file;
use vigia_sim::vm::rig::RigError;

use crate::bench::{Bench, partition, sees};
use crate::machine::Settled;

type Seeing = Result<String, RigError>;

/// How often the power goes.
#[derive(Debug, Clone, Copy)]
pub struct Counts {
    pub cuts: u32,
    pub pump_cuts: u32,
}

pub struct Scenario {
    pub name: &'static str,
    pub see: fn(&mut Bench, Counts) -> Seeing,
}

/// The first makes the box that all others begin with.
pub const FIRST: Scenario = Scenario { name: "first boot, set up", see: first_boot };
/// In the order of what they take.
pub const ALL: [Scenario; 15] = [
    Scenario { name: "boot, command, detection", see: at_work },
    Scenario { name: "pump run on simulated lines", see: pump_run },
    Scenario { name: "updates that are refused", see: refused },
    Scenario { name: "good update", see: good },
    Scenario { name: "update that panics", see: panics },
    Scenario { name: "update that hangs", see: hangs },
    Scenario { name: "update whose self-test fails", see: unfit },
    Scenario { name: "a frozen system", see: frozen },
    Scenario { name: "vigia hangs", see: vigia_hangs },
    Scenario { name: "torn data partition", see: torn },
    Scenario { name: "factory reset", see: factory_reset },
    Scenario { name: "power that comes and goes", see: short_starts },
    Scenario { name: "power cuts in updates", see: update_cuts },
    Scenario { name: "power cuts in pump runs", see: pump_cuts },
    Scenario { name: "first boot, cut", see: first_boot_cut },
];

fn first_boot(bench: &mut Bench, _: Counts) -> Seeing {
    bench.make_sound();
    let up = bench.appliance.boot()?;
    let settled = bench.settle()?;
    sees(bench.appliance.run("touch /x").is_err(), || "the root can be written".to_owned())?;
    let failed = bench.appliance.run("systemctl --failed --no-legend --plain")?;
    sees(failed.is_empty(), || format!("failed units: {failed}"))?;
    bench.set_up()?;
    bench.wait_armed()?;
    bench.appliance.power_off()?;
    bench.appliance.keep(&bench.settled.clone())?;
    let (up, took) = (up.as_secs_f64(), settled.took.as_secs_f64());
    Ok(format!(
        "inside after {up:.0} s, verdict {took:.0} s later; the root cannot be written, no unit failed"
    ))
}

fn at_work(bench: &mut Bench, _: Counts) -> Seeing {
    const LIMIT: Duration = Duration::from_secs(1200);
    bench.appliance.cut();
    bench.appliance.renew(&bench.settled.clone())?;
    let since = now();
    bench.appliance.boot()?;
    let mut answered = bench.ctl(&["ping"]);
    while answered.is_err() && now().since(since) < LIMIT {
        rest(Duration::from_millis(500));
        answered = bench.ctl(&["ping"]);
    }
    answered?;
    let command = now().since(since).as_secs_f64();
    let seen = bench.hear("nvr/detections/0", LIMIT, |text| text.contains("class_name"))?;
    let detection = now().since(since).as_secs_f64();
    let class = seen
        .split("\"class_name\":\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap_or("?")
        .to_owned();
    Ok(format!(
        "first MQTT command answered {command:.0} s after the power, first detection ({class}) after {detection:.0} s"
    ))
}

fn pump_run(bench: &mut Bench, _: Counts) -> Seeing {
    bench.start_settled()?;
    bench.wait_armed()?;
    bench.press(Button::Fire);
    bench.wait("the engine runs", |world| world.plant.truth().runs)?;
    let tells = |output| matches!(output, Output::Siren | Output::Strobe);
    bench.wait("the engine stands, and nothing is on", |world| {
        !world.plant.truth().runs
            && world.story().last().is_some_and(|m| m.is_k0_pulled && m.asked.energised().all(tells))
    })?;
    let truth = bench.appliance.world.with(|world| *world.plant.truth());
    sees(truth.delivered_l > 0.0, || "no water flowed".to_owned())?;
    Ok(format!("fire button, valves, crank, run, rest: {:.0} l delivered", truth.delivered_l))
}

/// Each in RAUC's or the gate's own words.
fn refused(bench: &mut Bench, _: Counts) -> Seeing {
    let before = bench.start_settled()?;
    let mut said = Vec::new();
    for name in ["tampered", "older", "other-key", "other-board"] {
        let refused =
            bench.install(name).err().ok_or_else(|| RigError::Not(format!("{name} was installed")))?;
        let RigError::Command { says, .. } = refused else { return Err(refused) };
        let last =
            says.lines().find_map(|line| line.split_once("LastError: ")).map_or(&*says, |(_, why)| why);
        said.push(format!("{name}: {}", last.trim().chars().take(160).collect::<String>()));
    }
    let after = bench.restart()?;
    stayed(&before, &after)?;
    Ok(said.join("; "))
}

fn good(bench: &mut Bench, _: Counts) -> Seeing {
    let before = bench.start_settled()?;
    let install = bench.install("good")?;
    let after = bench.restart()?;
    sees(after.slot != before.slot && after.version != before.version, || {
        format!("{before:?}, then {after:?}: {}", history(bench))
    })?;
    sees(history(bench).contains("passed"), || format!("history: {}", history(bench)))?;
    let (install, took) = (install.as_secs_f64(), after.took.as_secs_f64());
    Ok(format!(
        "{} in {} to {} in {}; install {install:.0} s, up to the verdict {took:.0} s",
        before.version, before.slot, after.version, after.slot
    ))
}

fn panics(bench: &mut Bench, _: Counts) -> Seeing {
    falls_back(bench, "panics")
}

fn hangs(bench: &mut Bench, _: Counts) -> Seeing {
    falls_back(bench, "hangs")
}

fn unfit(bench: &mut Bench, _: Counts) -> Seeing {
    falls_back(bench, "unfit")
}

fn falls_back(bench: &mut Bench, name: &str) -> Seeing {
    let before = bench.start_settled()?;
    bench.install(name)?;
    let after = bench.restart()?;
    stayed(&before, &after)?;
    sees(after.starts > 1, || "it was not even started".to_owned())?;
    let history = history(bench);
    sees(history.contains("failed"), || format!("no reason in the history: {history:?}"))?;
    let reason = history.lines().last().unwrap_or_default();
    Ok(format!(
        "back on {} in {} after {} starts; history: {}",
        after.version, after.slot, after.starts, reason
    ))
}

fn stayed(before: &Settled, after: &Settled) -> Result<(), RigError> {
    let same = after.slot == before.slot && after.version == before.version;
    sees(same, || format!("{} in {} became {} in {}", before.version, before.slot, after.version, after.slot))
}

fn history(bench: &Bench) -> String {
    bench.appliance.run("cat /data/update/history").unwrap_or_default()
}

/// PID 1 stops petting the watchdog.
fn frozen(bench: &mut Bench, _: Counts) -> Seeing {
    let before = bench.start_settled()?;
    let (boots, _) = bench.appliance.lines.boots();
    let since = now();
    bench.appliance.lines.throw("echo c > /proc/sysrq-trigger")?;
    bench.appliance.wait_up(boots, Duration::from_secs(900))?;
    let up = now().since(since).as_secs_f64();
    let after = bench.settle()?;
    stayed(&before, &after)?;
    Ok(format!("inside again {up:.0} s after the kernel's panic"))
}

fn vigia_hangs(bench: &mut Bench, _: Counts) -> Seeing {
    bench.start_settled()?;
    let pid = || bench.appliance.run("systemctl show vigia -p MainPID --value");
    let before = pid()?;
    bench.appliance.run("systemctl kill -s STOP vigia")?;
    let since = now();
    while pid()? == before && now().since(since) < Duration::from_secs(180) {
        rest(Duration::from_secs(1));
    }
    let took = now().since(since).as_secs_f64();
    sees(pid()? != before, || "systemd left it as it was".to_owned())?;
    Ok(format!("started again {took:.0} s later"))
}

/// The superblock and its neighbours are gone: the box is as new, and works.
fn torn(bench: &mut Bench, _: Counts) -> Seeing {
    bench.appliance.cut();
    bench.appliance.renew(&bench.settled.clone())?;
    let disk = bench.appliance.disk();
    let at = partition(&disk, 4)?;
    let torn = OpenOptions::new()
        .write(true)
        .open(&disk)
        .and_then(|f| f.write_all_at(&[0xa5; 512 * 1024], at + 4096));
    torn.map_err(file("can't write", &disk))?;
    bench.appliance.boot()?;
    let settled = bench.settle()?;
    let said = bench
        .appliance
        .run("journalctl -b -u vigia-data -o cat --no-pager | grep -E 'torn|making|mend' | tail -n 2")?;
    sees(bench.appliance.run("test -e /run/vigia-data-lost").is_err(), || {
        format!("/data is in memory: {said}")
    })?;
    Ok(format!("{} in {} runs; {}", settled.version, settled.slot, said.replace('\n', "; ")))
}

fn factory_reset(bench: &mut Bench, _: Counts) -> Seeing {
    const WHOSE: &str = "sha256sum < /etc/vigia/pki/ca.crt; sha256sum < /etc/vigia/mqtt-password";
    bench.start_settled()?;
    let before = bench.appliance.run(WHOSE)?;
    bench.appliance.run("touch /data/factory-reset && sync")?;
    bench.restart()?;
    let after = bench.appliance.run(WHOSE)?;
    sees(before.lines().zip(after.lines()).all(|(a, b)| a != b), || "a secret outlived it".to_owned())?;
    let kept = bench.appliance.run("grep -c farm /etc/vigia/site.yaml; ls /etc/vigia/people 2>&1; true")?;
    sees(kept.starts_with('0') && kept.contains("No such"), || format!("the site outlived it: {kept}"))?;
    Ok("CA, passwords, site and people are new".to_owned())
}

/// More often than a slot may start without a verdict, and never for long enough to get one.
fn short_starts(bench: &mut Bench, _: Counts) -> Seeing {
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
fn update_cuts(bench: &mut Bench, counts: Counts) -> Seeing {
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
fn pump_cuts(bench: &mut Bench, counts: Counts) -> Seeing {
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
fn first_boot_cut(bench: &mut Bench, _: Counts) -> Seeing {
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
