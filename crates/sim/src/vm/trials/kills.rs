//! `vigia-pump` dies in the middle of a run (R-H1, R-H14, I10): the heartbeat stops, K0 falls, nothing that hangs
//! behind it stays on, and the next start drives nothing before it has tested itself.

use std::time::Duration;

use super::{Bench, HEARTBEAT, RUN_MAX, Seeing, sees, went};
use crate::plant::Button;
use crate::vm::clock::{now, rest};
use crate::vm::lines::{Told, What};
use crate::vm::rig::RigError;
use crate::vm::smoke::table::{Spans, ms};
use crate::vm::wire::{GuestTime, LineId};

/// From the death to the last edge of the heartbeat line.
const BEATS_MAX: Duration = Duration::from_millis(100);
/// From the death to coils without current.
const SAFE_MAX: Duration = Duration::from_millis(400);

/// Of the six an hour that a pump has.
const STARTS: u32 = 4;

/// How it dies.
#[derive(Debug, Clone, Copy)]
enum Death {
    Killed,
    /// systemd's watchdog finds it after 2 s, kills and starts it.
    Stopped,
    /// Its memory is taken away.
    OutOfMemory,
}

impl Death {
    const ALL: [Self; 3] = [Self::Killed, Self::Stopped, Self::OutOfMemory];

    /// In the guest's shell; it is dead when the command ends.
    const fn command(self) -> &'static str {
        match self {
            Self::Killed => "kill -KILL $(pidof vigia-pump)",
            Self::Stopped => "kill -STOP $(pidof vigia-pump)",
            Self::OutOfMemory => {
                "p=$(pidof vigia-pump) && echo 1 > /sys/fs/cgroup/system.slice/vigia-pump.service/memory.max; \
                 n=0; while [ -d /proc/$p ] && [ $n -lt 50 ]; do n=$((n+1)); sleep 0.02; done; \
                 ! [ -d /proc/$p ] || kill -KILL $p"
            }
        }
    }
}

pub fn a_dead_vigia_pump_lets_k0_fall(bench: &mut Bench, count: u32) -> Seeing {
    let heartbeat = bench.rig.line(HEARTBEAT)?;
    let (mut beats, mut safe, mut again) = (Spans::default(), Spans::default(), Spans::default());
    for (round, death) in (0..count).zip(Death::ALL.into_iter().cycle()) {
        if round % STARTS == 0 {
            bench.as_new()?;
        }
        let named = |e| RigError::Not(format!("round {round}, {death:?}: {e}"));
        let seen = bench.steadily(|bench| once(bench, heartbeat, death)).map_err(named)?;
        went(round + 1, count);
        beats.add(seen.beats);
        safe.add(seen.safe);
        if !matches!(death, Death::Stopped) {
            again.add(seen.again);
        }
    }
    Ok(format!(
        "{count}; last heartbeat after it {}; coils off {}; has its lines again {}",
        beats.sentence(),
        safe.sentence(),
        again.sentence()
    ))
}

/// What followed a death, and how much later.
#[derive(Debug)]
struct Seen {
    /// The heartbeat's last edge.
    beats: Duration,
    /// All coils behind K0 were off.
    safe: Duration,
    /// The next start took the lines: `vigia-pump off`, which comes before it, leaves the heartbeat's alone.
    again: Duration,
}

fn once(bench: &mut Bench, heartbeat: LineId, death: Death) -> Result<Seen, RigError> {
    bench.press(Button::Fire);
    // Anywhere from the valves to the end of the run.
    rest(Duration::from_millis(bench.rng.u64(0..9_000)));
    let (place, asked) = (bench.rig.lines.place(), now());
    bench.rig.run(death.command())?;
    let died = bench.rig.lines.time()?;
    // Long enough for K0, too short for a new start to beat: that rests first.
    rest(SAFE_MAX);
    let clock = bench.rig.lines.clock().ok_or_else(|| RigError::Not("the guest has no clock".to_owned()))?;
    let until = GuestTime(died.0 + u64::try_from(SAFE_MAX.as_nanos()).unwrap_or(u64::MAX));
    let (told, _) = bench.rig.lines.since(place);
    let edges = told.iter().filter_map(|told| match &told.what {
        What::Edge(edge) if edge.line == heartbeat && edge.at < until => Some(edge.at),
        _ => None,
    });
    let beats = edges.max().unwrap_or(died).since(died);
    sees(beats <= BEATS_MAX, || format!("the heartbeat went on for {}", ms(beats)))?;
    let died_at = clock.host(died);
    bench.wait("K0 falls", |world| world.story().iter().any(|m| m.at >= asked && !m.is_k0_pulled))?;
    let story = bench.story_since(asked);
    // One that took its time to die may have let it fall before.
    let was_pulled = story.iter().rfind(|m| m.at <= died_at).is_none_or(|m| m.is_k0_pulled);
    let fell = story.iter().find(|m| m.at >= died_at && !m.is_k0_pulled).filter(|_| was_pulled);
    let safe_at = fell.map_or(died_at, |m| m.at);
    let safe = safe_at.since(died_at);
    sees(safe <= SAFE_MAX, || format!("coils behind K0 could be on for {}", ms(safe)))?;
    let tested = bench.wait_armed(place, Some(died))?;
    bench.never_behind_k0(safe_at, tested)?;
    let taken = |told: &Told| match told.what {
        What::Turned { line, drives: true, at, .. } if line == heartbeat && at > died => Some(at),
        _ => None,
    };
    let again = bench.rig.lines.wait(place, "the next start", RUN_MAX, taken)?.since(died);
    bench.wait_rest()?;
    Ok(Seen { beats, safe, again })
}
