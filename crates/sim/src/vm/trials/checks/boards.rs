//! Boards that are not what their file says (P48): refused, in one sentence that names what there is.

use vigia_core::board::Level;

use crate::vm::lines::{Place, What};
use crate::vm::rig::RigError;
use crate::vm::trials::{Bench, Seeing, sees};
use crate::vm::wire::{End, LineId};

const BOARD: &str = "/run/wrong.yaml";

/// One thing wrong.
struct Case {
    what: &'static str,
    /// On the board's file.
    sed: &'static str,
    /// In the guest, before and after.
    before: &'static str,
    after: &'static str,
    says: &'static str,
}

/// A line that somebody holds, and another chip with a line of the same name.
const HOLD: &str = "gpioset --mode=signal --background vigia-relays 3=0";
const LET_GO: &str = "kill $(pidof gpioset)";
const TWIN: &str = "cd /sys/kernel/config/gpio-sim && mkdir -p twin/bank0/line0 && echo twin > twin/bank0/label \
     && echo relay-run > twin/bank0/line0/name && echo 1 > twin/live";
const NO_TWIN: &str =
    "cd /sys/kernel/config/gpio-sim && echo 0 > twin/live && rmdir twin/bank0/line0 twin/bank0 twin";

const CASES: [Case; 5] = [
    Case {
        what: "no such chip",
        sed: "s/chip: vigia-relays/chip: vigia-relais/",
        before: "true",
        after: "true",
        says: "there is no chip vigia-relais; there are ",
    },
    Case {
        what: "no such line",
        sed: "s/line: relay-run,/line: relay-rum,/",
        before: "true",
        after: "true",
        says: "lines.outputs.run.line: there is no line relay-rum on vigia-relays; there are relay-main-valve, ",
    },
    Case {
        what: "another number",
        sed: "s/line: relay-run, offset: 3/line: relay-run, offset: 12/",
        before: "true",
        after: "true",
        says: "lines.outputs.run.line: relay-run is line 3 of vigia-relays, and must be 12",
    },
    Case {
        what: "line in use",
        sed: "",
        before: HOLD,
        after: LET_GO,
        says: "lines.outputs.run.line: relay-run is in use by gpioset",
    },
    Case {
        what: "two of one name",
        sed: "s/chip: vigia-relays, line: relay-run, offset: 3/line: relay-run/",
        before: TWIN,
        after: NO_TWIN,
        says: "lines.outputs.run.line: relay-run is a line of ",
    },
];

pub fn p48_a_board_that_is_wrong_is_refused_in_one_sentence(bench: &mut Bench) -> Seeing {
    bench.fresh(|_| {})?;
    bench.rig.run("systemctl stop vigia-pump")?;
    for case in &CASES {
        let named = |e| RigError::Not(format!("{}: {e}", case.what));
        bench.rig.run(case.before).map_err(named)?;
        let seen = refused(bench, case).map_err(named);
        bench.rig.run(case.after).map_err(named)?;
        seen?;
    }
    bench.start()?;
    let all = CASES.iter().map(|case| case.what).collect::<Vec<_>>().join(", ");
    Ok(format!("{all}: each refused with code 2 and its sentence, no line taken"))
}

fn refused(bench: &Bench, case: &Case) -> Result<(), RigError> {
    bench.rig.run(&format!("sed '{}' /etc/vigia/board.yaml > {BOARD}", case.sed))?;
    let place = bench.rig.lines.place();
    let command = format!(
        "vigia-pump run --hardware {BOARD} --site /etc/vigia/site.yaml --state /run/wrong --run /run/wrong"
    );
    let ran = bench.rig.lines.run(&command, std::time::Duration::from_secs(20))?;
    sees(ran.end == End::Code(2), || format!("it ended with {}: {}", ran.end, ran.err))?;
    sees(ran.err.contains(case.says), || format!("it says {:?}, not {:?}", ran.err, case.says))?;
    let sentences = ran.err.lines().filter(|line| line.contains("lines.outputs.run.line")).count();
    sees(sentences == 1, || format!("{sentences} sentences about it: {}", ran.err))?;
    nothing_driven(bench, place)
}

fn nothing_driven(bench: &Bench, place: Place) -> Result<(), RigError> {
    let is_relay = |line: LineId| bench.rig.wiring.relays.iter().any(|relay| relay.line == line);
    // All that has happened is told by then.
    bench.never(place, "relay-main-valve", Level::Low)?;
    let (told, _) = bench.rig.lines.since(place);
    let driven = told.iter().find(|told| match told.what {
        What::Turned { line, drives, .. } => drives && is_relay(line),
        What::Edge(edge) => is_relay(edge.line),
        What::Up { .. } | What::Gone => true,
    });
    sees(driven.is_none(), || format!("a relay's line was touched: {driven:?}"))
}
