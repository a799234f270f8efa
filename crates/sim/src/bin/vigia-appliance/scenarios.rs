//! What a box is put through, each on a disk of its own (firmware.md, section 8; issue of the image, verification 1).

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use vigia_core::pump::Output;
use vigia_sim::plant::Button;
use vigia_sim::vm::clock::{now, rest};
use vigia_sim::vm::machine::file;
use vigia_sim::vm::rig::RigError;

use crate::bench::{Bench, partition, sees};
use crate::machine::Settled;
use crate::{cuts, updates};

pub type Seeing = Result<String, RigError>;

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
pub const ALL: [Scenario; 17] = [
    Scenario { name: "boot, command, detection", see: at_work },
    Scenario { name: "pump run on simulated lines", see: pump_run },
    Scenario { name: "updates that are refused", see: updates::refused },
    Scenario { name: "good update", see: updates::good },
    Scenario { name: "update that panics", see: updates::panics },
    Scenario { name: "update that hangs", see: updates::hangs },
    Scenario { name: "update whose self-test fails", see: updates::unfit },
    Scenario { name: "update, support bundle and reset by MQTT", see: updates::by_mqtt },
    Scenario { name: "a site on a USB stick", see: by_stick },
    Scenario { name: "a frozen system", see: frozen },
    Scenario { name: "vigia hangs", see: vigia_hangs },
    Scenario { name: "torn data partition", see: torn },
    Scenario { name: "factory reset", see: factory_reset },
    Scenario { name: "power that comes and goes", see: cuts::short_starts },
    Scenario { name: "power cuts in updates", see: cuts::update_cuts },
    Scenario { name: "power cuts in pump runs", see: cuts::pump_cuts },
    Scenario { name: "first boot, cut", see: cuts::first_boot_cut },
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

/// What a start looks like from outside: words of the journal, and what they are called.
const MARKS: [(&str, &str); 9] = [
    ("launcher: slot", "boot loader chooses the slot"),
    ("Finished vigia-data.service", "data partition checked and mounted"),
    ("Started vigia-pump.service", "pump program: has its lines"),
    ("self-test passed", "pump program: lines, contacts and K0 tested"),
    ("Started vigia-broker.service", "broker listens"),
    ("| processor_start |", "vigia starts"),
    ("| engine_chosen |", "model loaded and measured"),
    ("| stream_state | running", "first picture of a camera"),
    ("verdict: ", "verdict: the slot stays"),
];

fn at_work(bench: &mut Bench, _: Counts) -> Seeing {
    const LIMIT: Duration = Duration::from_secs(1200);
    bench.appliance.cut();
    bench.appliance.renew(&bench.settled.clone())?;
    let up = bench.appliance.boot()?;
    let inside = now();
    let after_power = || (up + now().since(inside)).as_secs_f64();
    let mut answered = bench.ctl(&["ping"], 5);
    while answered.is_err() && now().since(inside) < LIMIT {
        rest(Duration::from_millis(500));
        answered = bench.ctl(&["ping"], 5);
    }
    answered?;
    let command = after_power();
    let seen = bench.hear("nvr/detections/0", LIMIT, |text| text.contains("class_name"))?;
    let detection = after_power();
    let class = seen.split("\"class_name\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or("?");
    let mut marks = marks(bench, after_power)?;
    marks.push((command, "a command over MQTT is answered".to_owned()));
    marks.push((detection, format!("first detection on MQTT: {class}")));
    marks.sort_by(|a, b| a.0.total_cmp(&b.0));
    let text: String = marks.iter().map(|(at, what)| format!("{at:6.1} s  {what}\n")).collect();
    let path = bench.people.join("start.txt");
    fs::write(&path, text).map_err(file("can't write", &path))?;
    Ok(format!(
        "first MQTT command answered {command:.0} s after the power, first detection ({class}) after {detection:.0} s; all of it in {}",
        path.display()
    ))
}

/// Seconds after the power came, and what was then.
fn marks(bench: &Bench, after_power: impl Fn() -> f64) -> Result<Vec<(f64, String)>, RigError> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let up = bench.appliance.run("cut -d' ' -f1 /proc/uptime")?;
    // The kernel's clock begins some seconds after the power.
    let firmware = after_power() - number(&up).unwrap_or_default();
    // Not all of it: an answer has its limit.
    let words = MARKS.map(|(words, _)| format!(" -e '{words}'")).concat();
    let ask = format!("journalctl -b -o short-monotonic --no-pager | grep -F{words}");
    let journal = bench.appliance.run_for(&ask, Duration::from_secs(300))?;
    let found = |(words, what): &(&str, &str)| {
        let line = journal.lines().find(|line| line.contains(words))?;
        let at = number(line.strip_prefix('[')?.split(']').next()?)?;
        Some((at + firmware, (*what).to_owned()))
    };
    Ok(MARKS.iter().filter_map(found).collect())
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

pub fn stayed(before: &Settled, after: &Settled) -> Result<(), RigError> {
    let same = after.slot == before.slot && after.version == before.version;
    sees(same, || format!("{} in {} became {} in {}", before.version, before.slot, after.version, after.slot))
}

pub fn history(bench: &Bench) -> String {
    bench.appliance.run("cat /data/update/history").unwrap_or_default()
}

/// One with a mistake changes nothing; without it, the same one makes the box what it says.
fn by_stick(bench: &mut Bench, _: Counts) -> Seeing {
    const SAID: &str = "journalctl -b -u 'vigia-usb@*' -o cat --no-pager | grep -v systemd";
    let folder = bench.people.join("stick");
    fs::create_dir_all(&folder).map_err(file("can't make", &folder))?;
    let put = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).map_err(file("can't write", &path))
    };
    let site = bench.site()?;
    put("site.yaml", &site.replace("confidence: 0.4", "confidence: 4"))?;
    put("board", "virtual")?;
    put("name", "lookout")?;
    bench.appliance.cut();
    bench.appliance.renew(&bench.appliance.built())?;
    bench.appliance.plug(Some(folder.clone()))?;
    bench.appliance.boot()?;
    bench.settle()?;
    let refused = bench.appliance.run(SAID)?;
    sees(refused.contains("confidence"), || format!("a wrong site: {refused}"))?;
    sees(bench.appliance.run("grep farm /etc/vigia/site.yaml").is_err(), || "it was taken".to_owned())?;
    bench.appliance.power_off()?;
    put("site.yaml", &site)?;
    bench.appliance.plug(Some(folder.clone()))?;
    bench.appliance.boot()?;
    bench.settle()?;
    let taken = bench.appliance.run(SAID)?;
    bench.appliance.plug(None)?;
    sees(taken.contains("the site is as the folder says"), || format!("a good site: {taken}"))?;
    let now = bench
        .appliance
        .run("hostname; grep -c farm /etc/vigia/site.yaml; systemctl is-active vigia vigia-pump")?;
    sees(now == "lookout\n1\nactive\nactive", || format!("the box is {now}"))?;
    let sentence = refused.lines().find(|line| line.contains("confidence")).unwrap_or_default();
    Ok(format!("with a mistake: {sentence}; without it: name, cameras and pump are the stick's"))
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
