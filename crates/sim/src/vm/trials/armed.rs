//! A program that starts has K0 fed and tested, and drives no relay before that.

use std::time::Duration;

use vigia_core::board::Level;

use super::{Bench, HEARTBEAT, LOOK_EVERY, sees};
use crate::vm::clock::{now, rest};
use crate::vm::lines::{Place, Told, What};
use crate::vm::rig::RigError;
use crate::vm::wire::{GuestTime, LineId, Seen};

/// From the start of the program to a fed K0.
const ARMED_MAX: Duration = Duration::from_secs(60);
/// The self-test feeds K0 for a quarter of a second at least, an edge each 50 ms.
const BEATS_OF_TEST: usize = 4;

/// Somebody gave a line its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Drive {
    line: LineId,
    level: Level,
    at: GuestTime,
    /// It was another before.
    is_edge: bool,
}

impl Drive {
    /// Lines that nobody holds stand at their pulls, so only what somebody drives counts: by an edge, or as an
    /// output that has its level from the first moment on.
    fn of(what: &What) -> Option<Self> {
        match *what {
            What::Edge(e) if e.seen == Seen::Trace => {
                Some(Self { line: e.line, level: e.level, at: e.at, is_edge: true })
            }
            What::Turned { line, drives: true, level, at } => Some(Self { line, level, at, is_edge: false }),
            _ => None,
        }
    }
}

/// When K0 had been tested, and the first relay that was on before.
fn tested(
    drives: &[Drive],
    heartbeat: LineId,
    is_on: impl Fn(&Drive) -> bool,
) -> (Option<GuestTime>, Option<Drive>) {
    let mut beats = drives.iter().filter(|d| d.is_edge && d.line == heartbeat);
    let tested = beats.nth(BEATS_OF_TEST).map(|beat| beat.at);
    let early = drives.iter().find(|d| is_on(d) && tested.is_none_or(|tested| d.at < tested));
    (tested, early.copied())
}

impl Bench {
    /// What was told from `place` on, after `died` of the same boot. Returns when K0 had been tested.
    pub(super) fn wait_armed(&self, place: Place, died: Option<GuestTime>) -> Result<GuestTime, RigError> {
        let heartbeat = self.rig.line(HEARTBEAT)?;
        let (boot, _) = self.rig.lines.boots();
        let is_later =
            |told: &Told, drive: &Drive| died.is_none_or(|died| told.boot > boot || drive.at > died);
        let is_on = |drive: &Drive| {
            self.rig.wiring.relays.iter().any(|r| (r.line, r.active) == (drive.line, drive.level))
        };
        let since = now();
        while now().since(since) < ARMED_MAX {
            let (told, _) = self.rig.lines.since(place);
            let drives: Vec<Drive> =
                told.iter().filter_map(|told| Drive::of(&told.what).filter(|d| is_later(told, d))).collect();
            let (tested, early) = tested(&drives, heartbeat, is_on);
            let name = early.map(|drive| self.rig.lines.layout().name(drive.line));
            sees(name.is_none(), || format!("{name:?} was driven before K0 was tested"))?;
            if let Some(tested) = tested.filter(|_| self.world.with(|world| world.is_k0_pulled())) {
                return Ok(tested);
            }
            rest(LOOK_EVERY);
        }
        Err(RigError::Not(format!("it is not armed after {} s: {}", ARMED_MAX.as_secs(), self.log())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm::wire::Edge;

    const BEAT: LineId = LineId(0);
    const RELAY: LineId = LineId(1);

    fn edge(line: LineId, level: Level, at: u64, seen: Seen) -> What {
        What::Edge(Edge { line, level, at: GuestTime(at), seen })
    }

    const fn out(line: LineId, level: Level, at: u64) -> What {
        What::Turned { line, drives: true, level, at: GuestTime(at) }
    }

    /// Five beats from 100 to 500, and this besides: when K0 was tested, and whether a relay was on before.
    #[track_caller]
    fn check(besides: What, is_early: bool) {
        let beats =
            (1..=5).map(|n| edge(BEAT, [Level::Low, Level::High][n % 2], n as u64 * 100, Seen::Trace));
        let told: Vec<What> = [out(BEAT, Level::Low, 50), besides.clone()].into_iter().chain(beats).collect();
        let drives: Vec<Drive> = told.iter().filter_map(Drive::of).collect();
        let (at, early) = tested(&drives, BEAT, |d| d.line == RELAY && d.level == Level::High);
        assert_eq!((at, early.is_some()), (Some(GuestTime(500)), is_early), "{besides:?}");
    }

    #[test]
    fn whoever_drives_a_relay_before_the_fifth_beat_is_early() {
        check(edge(RELAY, Level::High, 499, Seen::Trace), true);
        check(edge(RELAY, Level::High, 500, Seen::Trace), false);
        check(edge(RELAY, Level::Low, 60, Seen::Trace), false);
    }

    /// A line that its pull takes there is driven by nobody; one that is an output with that level is.
    #[test]
    fn an_output_that_is_on_from_the_first_moment_is_early_too() {
        check(edge(RELAY, Level::High, 60, Seen::Look), false);
        check(out(RELAY, Level::High, 60), true);
        check(out(RELAY, Level::Low, 60), false);
    }

    #[test]
    fn without_its_beats_nothing_is_tested() {
        let beats: Vec<Drive> =
            (1..=4).filter_map(|n| Drive::of(&edge(BEAT, Level::High, n, Seen::Trace))).collect();
        assert_eq!(tested(&beats, BEAT, |_| false), (None, None));
        assert_eq!(tested(&beats, BEAT, |d| d.at.0 == 4), (None, Some(beats[3])));
    }
}
