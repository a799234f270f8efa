//! `vigia-vm smoke`: proves the floor that all tests of the lines stand on, with gpiod's own tools and none of
//! the product. What is late, lost or untrue here is late, lost or untrue in every other test.

use std::time::Duration;

use vigia_core::board::Level;

use super::clock::{now, rest};
use super::lines::{Told, What};
use super::rig::{BOOT_MAX, Options, Rig, RigError};
use super::wire::Seen;

mod master;
pub(super) mod table;

pub use table::{Row, Spans, Table};

const SOON: Duration = Duration::from_secs(20);
/// An output, an input and an input that is watched, of no meaning here.
const OUTPUT: &str = "relay-contact";
const INPUT: &str = "contact-fire-button";
const WATCHED: &str = "contact-reset-button";

/// What one check saw, or why it failed.
type Seeing = Result<String, RigError>;

/// Runs all of it; rows are told as they come.
///
/// # Errors
/// There is no rig at all.
pub fn run<'a>(options: &Options, tell: impl FnMut(&Row) + 'a) -> Result<Table<'a>, RigError> {
    let mut rig = Rig::new(options)?;
    let mut table = Table::new(tell);
    table.check("boot", boot(&mut rig));
    if table.is_good() {
        table.check("chips and names", chips(&rig));
        table.check("an output and its release", output(&rig));
        table.check("an input", input(&rig));
        table.check("an input that is watched", watched(&rig));
        table.check("jitter of 1 ms sleeps", jitter(&rig));
        table.check("K0 and its contact", master::check(&rig));
        table.check("a power cut keeps /data", power_cut(&mut rig));
        table.check("a dead kernel is reset", frozen(&mut rig, "echo c > /proc/sysrq-trigger"));
        table.check("a dead systemd is reset", frozen(&mut rig, "kill -SEGV 1"));
        table.check("nothing was lost", nothing_lost(&rig));
        table.check("power off", power_off(&mut rig));
    }
    if !table.is_good() {
        let serial = rig.machine.serial();
        let last: Vec<&str> = serial.lines().rev().take(12).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        table.note(&format!("the guest's last words:\n{}", last.join("\n")));
    }
    Ok(table)
}

/// Boots, and says what the emulator adds to any figure.
///
/// # Errors
/// It does not come up.
pub fn boot_only(options: &Options, samples: u32) -> Result<String, RigError> {
    let mut rig = Rig::new(options)?;
    let boot = boot(&mut rig)?;
    let spread = rig.lines.jitter(samples)?;
    let blame = rig.run("systemd-analyze time | head -1; systemd-analyze blame --no-pager | head -8")?;
    Ok(format!("{boot}\n1 ms sleeps wake late by {}\n{blame}", table::jitter(&spread)))
}

fn boot(rig: &mut Rig) -> Seeing {
    let boot = rig.boot()?;
    let guest = rig.lines.time()?;
    let (lines, system) = (boot.to_lines.as_secs_f64(), boot.to_system.as_secs_f64());
    Ok(format!(
        "lines up after {lines:.1} s, all of systemd after {system:.1} s (guest {:.1} s)",
        guest.0 as f64 / 1e9
    ))
}

fn chips(rig: &Rig) -> Seeing {
    let detected = rig.run("gpiodetect; gpioinfo")?;
    let layout = rig.lines.layout();
    for chip in &layout.chips {
        let wanted = format!("[{}] ({} lines)", chip.label, chip.len);
        sees(detected.contains(&wanted), || format!("no {wanted} in {detected}"))?;
        for line in &chip.lines {
            sees(detected.contains(&format!("\"{}\"", line.name)), || {
                format!("no {} in {detected}", line.name)
            })?;
        }
    }
    Ok(format!("{} lines on {} chips", layout.len(), layout.chips.len()))
}

/// The lines are pulled up: a program drives one low, and lets go.
fn output(rig: &Rig) -> Seeing {
    let (line, (chip, offset)) = (rig.line(OUTPUT)?, rig.place(OUTPUT)?);
    let place = rig.lines.place();
    rig.run(&format!("gpioset --mode=time --usec=200000 {chip} {offset}=0"))?;
    let driven = rig.lines.wait_for(line, Level::Low, place, SOON)?;
    let let_go = rig.lines.wait_for(line, Level::High, place, SOON)?;
    let is_out = |told: &Told| {
        matches!(told.what, What::Turned { line: l, drives: true, .. } if l == line).then_some(())
    };
    rig.lines.wait(place, "the line as an output", SOON, is_out)?;
    sees(driven.seen == Seen::Trace && let_go.seen == Seen::Look, || format!("{driven:?} {let_go:?}"))?;
    let held = let_go.at.since(driven.at);
    // Under a busy host a program may hold it longer, never shorter.
    sees(held >= Duration::from_millis(200), || format!("held for {held:?}"))?;
    Ok(format!("driven low by trace, back at its adverse pull {} later", table::ms(held)))
}

fn input(rig: &Rig) -> Seeing {
    let line = rig.line(INPUT)?;
    for level in [Level::Low, Level::High, Level::Low] {
        rig.lines.pull(line, level)?;
        let read = rig.read(INPUT)?;
        sees(read == level, || format!("pulled {}, read {}", level.name(), read.name()))?;
    }
    Ok("gpioget reads what is pulled".to_owned())
}

/// The kernel's own time of the interrupt against that of the pull.
fn watched(rig: &Rig) -> Seeing {
    const FLIPS: usize = 10;
    let (line, (chip, offset)) = (rig.line(WATCHED)?, rig.place(WATCHED)?);
    rig.lines.pull(line, Level::Low)?;
    let place = rig.lines.place();
    rig.lines
        .leave(&format!("gpiomon --num-events={FLIPS} --format='%e %s.%n' {chip} {offset} > /tmp/edges"))?;
    // Whoever watches has made it an input first.
    let is_in = |told: &Told| {
        matches!(told.what, What::Turned { line: l, drives: false, .. } if l == line).then_some(())
    };
    rig.lines.wait(place, "gpiomon on the line", SOON, is_in)?;
    rest(Duration::from_millis(500));
    let mut pulls = Vec::new();
    for flip in 0..FLIPS {
        let level = if flip % 2 == 0 { Level::High } else { Level::Low };
        pulls.push(rig.lines.pull(line, level)?.0);
        rest(Duration::from_millis(20));
    }
    let wait = format!(
        "n=0; until [ $(wc -l < /tmp/edges) = {FLIPS} ]; do n=$((n + 1)); [ $n -lt 200 ] || exit 1; sleep 0.1; done"
    );
    let edges = rig.run(&format!("{wait}; cat /tmp/edges"))?;
    let spans = delays(&pulls, &edges)?;
    Ok(format!("{FLIPS} of {FLIPS} edges; pull to interrupt {}", spans.sentence()))
}

fn delays(pulls: &[u64], edges: &str) -> Result<Spans, RigError> {
    let mut spans = Spans::default();
    for (flip, (pull, edge)) in pulls.iter().zip(edges.lines()).enumerate() {
        let wanted = if flip % 2 == 0 { "1" } else { "0" };
        let read = || {
            let (kind, time) = edge.split_once(' ').filter(|(kind, _)| *kind == wanted)?;
            let (s, ns) = time.split_once('.')?;
            Some((kind, s.parse::<u64>().ok()? * 1_000_000_000 + ns.parse::<u64>().ok()?))
        };
        let (_, at) = read().ok_or_else(|| RigError::Not(format!("edge {flip} is {edge:?}")))?;
        spans.add(Duration::from_nanos(at.saturating_sub(*pull)));
    }
    Ok(spans)
}

fn jitter(rig: &Rig) -> Seeing {
    let spread = rig.lines.jitter(1000)?;
    let mut trips = Spans::default();
    for _ in 0..50 {
        let since = now();
        rig.lines.time()?;
        trips.add(now().since(since));
    }
    Ok(format!("late by {}; order and answer {}", table::jitter(&spread), trips.sentence()))
}

fn power_cut(rig: &mut Rig) -> Seeing {
    rig.run("echo kept > /data/kept && sync /data/kept && echo lost > /root/lost")?;
    let line = rig.line(OUTPUT)?;
    rig.machine.cut();
    let is_gone = |told: &Told| (told.what == What::Gone).then_some(());
    rig.lines.wait(rig.lines.place(), "the loss of power", Duration::ZERO, is_gone).or_else(|_| {
        let gone = rig.lines.boots();
        if gone.1 { Err(RigError::Not("nobody noticed that the power is cut".to_owned())) } else { Ok(()) }
    })?;
    sees(rig.lines.level(line) == Some(Level::High), || "the line is not at its pull".to_owned())?;
    let boot = rig.boot()?;
    let kept = rig.run("cat /data/kept; ls /root/lost 2> /dev/null || echo gone")?;
    sees(kept == "kept\ngone", || format!("/data/kept and the rest: {kept:?}"))?;
    Ok(format!("kept; lines up again after {:.1} s", boot.to_lines.as_secs_f64()))
}

/// systemd feeds the watchdog each 2.5 s; i6300esb resets some time after that.
fn frozen(rig: &mut Rig, how: &str) -> Seeing {
    let (boots, _) = rig.lines.boots();
    rig.lines.throw(how)?;
    let since = now();
    rig.wait_up(boots, BOOT_MAX)?;
    let up = now().since(since);
    let boot = Duration::from_nanos(rig.lines.time()?.0);
    rig.lines.run("systemctl is-system-running --wait", SOON * 6)?;
    Ok(format!(
        "lines up again {:.1} s after it, {:.1} s after the reset",
        up.as_secs_f64(),
        boot.as_secs_f64()
    ))
}

fn nothing_lost(rig: &Rig) -> Seeing {
    let (lost, garbled) = rig.lines.troubles();
    sees(lost == 0, || format!("the kernel's trace ran over {lost} times"))?;
    // One for each guest that was cut off in the middle of a word.
    sees(garbled <= 3, || format!("{garbled} words were not understood"))?;
    Ok(format!("no edge lost, {garbled} words cut off"))
}

fn power_off(rig: &mut Rig) -> Seeing {
    let since = now();
    rig.lines.throw("systemctl poweroff --force --force")?;
    rig.machine.wait_off(BOOT_MAX)?;
    Ok(format!("off after {:.1} s", now().since(since).as_secs_f64()))
}

fn sees(is: bool, otherwise: impl FnOnce() -> String) -> Result<(), RigError> {
    if is { Ok(()) } else { Err(RigError::Not(otherwise())) }
}
