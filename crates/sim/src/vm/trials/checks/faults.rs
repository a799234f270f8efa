//! Lines and relays that do not do as they are told (P29), and a fault in the middle (P31).

use std::time::Duration;

use vigia_core::board::Level::{High, Low};
use vigia_core::pump::{Output, Reading, Sensor};

use super::fit;
use crate::plant::{Button, Contact, Fault};
use crate::vm::clock::rest;
use crate::vm::smoke::table::ms;
use crate::vm::trials::watch::in_time;
use crate::vm::trials::{Bench, Seeing, sees};

/// The starter's contact as its feedback instead of an input of its own.
const WITH_FEEDBACK: &str = "sed -i -e '/starter_closed:/d' -e 's/\\(line: relay-starter, .*\\)}$/\\1, feedback: \
     {chip: vigia-contacts, line: contact-starter-closed, offset: 18, active: high}}/' /etc/vigia/board.yaml \
     && grep -q 'relay-starter.*feedback' /etc/vigia/board.yaml";
/// What a contact may take (50 ms unless the board says more), and how long a relay may differ (250 ms).
const MISMATCH: Duration = Duration::from_millis(50 + 250 + 50);
/// Filter of the contact and one cycle.
const TRIPS: Duration = Duration::from_millis(100 + 50);

pub fn p29_a_starter_that_does_not_follow_gets_no_ignition(bench: &mut Bench) -> Seeing {
    // A sound one first: the contact is on its line, and turned the right way.
    bench.prepared(|_| {})?;
    bench.rig.run(WITH_FEEDBACK)?;
    bench.start()?;
    bench.start_a_run()?;
    bench.prepared(|_| {})?;
    bench.rig.run(WITH_FEEDBACK)?;
    bench.start()?;
    bench.world.with(|world| world.plant.fault(Fault::RelayDead(Output::Starter)));
    let place = bench.rig.lines.place();
    bench.press(Button::Fire);
    let on = bench.edge(place, "relay-starter", High)?.at;
    let off = bench.edge(place, "relay-starter", Low)?.at.since(on);
    in_time("the starter's end", off, MISMATCH)?;
    bench.wait_said("ErrorStateEntered { reason: Relay { output: Starter } }")?;
    bench.edge(place, "relay-main-valve", Low)?;
    bench.never(place, "relay-run", High)?;
    Ok(format!("starter given up after {}, no ignition, main valve shut, fault names it", ms(off)))
}

/// The chip of all relays goes away between the valves and the crank.
pub fn p29_lines_that_cannot_be_written_start_nothing(bench: &mut Bench) -> Seeing {
    let seen = without_a_chip(bench);
    bench.boot_again()?;
    seen
}

fn without_a_chip(bench: &Bench) -> Seeing {
    bench.fresh(|site| site.timings.pre_open_s = Some(4.0))?;
    let place = bench.rig.lines.place();
    bench.press(Button::Fire);
    bench.edge(place, "relay-main-valve", High)?;
    let life = bench.rig.run("systemctl show -p InvocationID --value vigia-pump")?;
    bench.rig.run(
        "cd /sys/kernel/config/gpio-sim && for b in *; do [ $(cat $b/bank0/label) != vigia-relays ] || echo 0 > $b/live; done",
    )?;
    let gone = bench.rig.lines.time()?;
    let fell = bench.world.wait(Duration::from_secs(5), |world| !world.is_k0_pulled());
    sees(fell, || "K0 is still fed".to_owned())?;
    // The crank was due, the watchdog has ended the program, and it was started again.
    rest(Duration::from_secs(10));
    for name in ["relay-starter", "relay-run"] {
        let on = bench.edges(place, name)?;
        let on = on.iter().find(|edge| edge.level == High && edge.at > gone);
        sees(on.is_none(), || format!("{name} came on: {on:?}"))?;
    }
    let is_fed = bench.world.with(|world| world.story().last().is_some_and(|m| bench.is_any_behind_k0(m)));
    sees(!is_fed, || "a coil behind K0 has current".to_owned())?;
    let log = format!("journalctl _SYSTEMD_INVOCATION_ID={life} -o cat --no-pager");
    let told = bench.rig.run(&format!("{log} | grep -F 'the relays cannot be written or read' | head -1"))?;
    sees(!told.is_empty(), || "it never said that the lines are gone".to_owned())?;
    let log = bench.log();
    sees(log.contains("there is no chip vigia-relays; there are "), || format!("a new start says {log}"))?;
    let code = bench.rig.run("systemctl show -p ExecMainStatus --value vigia-pump")?;
    sees(code == "2", || format!("the new start ended with {code}"))?;
    Ok("no crank, no ignition, K0 let go; it says so, and the next start refuses with code 2".to_owned())
}

pub fn p31_a_fault_lets_go_of_throttle_and_ignition(bench: &mut Bench) -> Seeing {
    bench.fresh(|site| {
        fit(site, Sensor::Overspeed, Reading::Active);
        site.timings.throttle_down_s = Some(10.0);
    })?;
    let place = bench.rig.lines.place();
    bench.start_a_run()?;
    bench.edge(place, "relay-throttle-down", High)?;
    bench.world.with(|world| world.plant.fault(Fault::Contact(Sensor::Overspeed, Contact::StuckActive)));
    let trips = bench.edge(place, "contact-overspeed", High)?.at;
    let throttle = bench.edge(place, "relay-throttle-down", Low)?.at.since(trips);
    let run = bench.edge(place, "relay-run", Low)?.at.since(trips);
    in_time("throttle and ignition off", throttle.max(run), TRIPS)?;
    bench.wait_said("ErrorStateEntered { reason: Overspeed }")?;
    Ok(format!("contact to throttle off {}, to ignition off {}", ms(throttle), ms(run)))
}
