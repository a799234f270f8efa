//! The real programs on real lines, watched from outside: what `make test-gpio` and the short test of
//! `make test` run.
//!
//! The lines' pulls are adverse, as nothing else would show a fault: a relay's line that nobody drives reads as
//! on. What must hold then is held by K0 alone, and by who drives the line next.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use vigia_core::pump::{Output, RelayImage};
use vigia_core::time::Instant;

use super::clock::{now, rest};
use super::rig::{Options, Rig, RigError};
use super::smoke::table::{self, Row, Table};
use super::world::{Moment, Turning, World};
use crate::plant::{Button, Plant, PlantConfig};

mod kills;
mod power;
mod run;
mod stage;

/// From a press to water, and from water to rest: seconds of the plan, many more on a busy host.
const RUN_MAX: Duration = Duration::from_secs(120);
/// From the start of the program to a fed K0.
const ARMED_MAX: Duration = Duration::from_secs(60);

/// What one check saw, or why it failed.
type Seeing = Result<String, RigError>;

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub struct Counts {
    pub kills: u32,
    pub power_cuts: u32,
    pub seed: u64,
}

impl Counts {
    /// For each `make test`.
    pub const SHORT: Self = Self { kills: 5, power_cuts: 2, seed: 1 };
    /// For `make test-gpio`.
    pub const LONG: Self = Self { kills: 200, power_cuts: 100, seed: 1 };
}

/// Where to take things from.
#[derive(Debug, Clone)]
pub struct Sources {
    /// `tests/vm/build.sh` fills it.
    pub floor: PathBuf,
    /// Disk and logs of this machine.
    pub work: PathBuf,
    /// The project's own folder: board, units.
    pub project: PathBuf,
}

/// Machine, lines and the world around them.
struct Bench {
    rig: Rig,
    world: Turning,
    rng: fastrand::Rng,
}

/// Runs all of it; rows are told as they come.
///
/// # Errors
/// There is no machine at all.
pub fn run<'a>(
    sources: &Sources,
    counts: Counts,
    tell: impl FnMut(&Row) + 'a,
) -> Result<Table<'a>, RigError> {
    let mut bench = Bench::new(sources, counts.seed)?;
    let mut table = Table::new(tell);
    table.check("boot to rest", bench.boot());
    if table.is_good() {
        table.check("jitter of 1 ms sleeps", bench.jitter());
        table.check("a run by the button", run::by_the_button(&mut bench));
        table.check("the stop button in a run", run::stop_button(&mut bench));
        table.check("kills of vigia-pump", kills::of_the_pump(&mut bench, counts.kills));
        table.check("power cuts in a run", power::cuts(&mut bench, counts.power_cuts));
    }
    if !table.is_good() {
        table.note(&bench.last_words());
    }
    Ok(table)
}

impl Bench {
    fn new(sources: &Sources, seed: u64) -> Result<Self, RigError> {
        let staged = stage::stage(sources)?;
        let options = Options {
            floor: sources.floor.clone(),
            work: sources.work.clone(),
            board: sources.project.join(stage::BOARD),
            product: Some(staged.folder),
            cpus: 1,
        };
        let rig = Rig::new(&options)?;
        let plant = Plant::new(PlantConfig::of(&staged.plan), seed);
        let world = World::new(plant, rig.wiring.clone(), Arc::clone(&rig.lines), seed);
        let world = Turning::start(world).map_err(RigError::Thread)?;
        Ok(Self { rig, world, rng: fastrand::Rng::with_seed(seed) })
    }

    /// Switched on, until K0 is fed and nothing else is on.
    fn boot(&mut self) -> Seeing {
        let since = now();
        let boot = self.rig.boot()?;
        self.wait_armed(since)?;
        let armed = now().since(since).as_secs_f64();
        Ok(format!("lines up after {:.1} s, armed after {armed:.1} s", boot.to_lines.as_secs_f64()))
    }

    fn jitter(&self) -> Seeing {
        let spread = self.rig.lines.jitter(500)?;
        Ok(table::jitter(&spread))
    }

    /// K0 is fed and was so before any relay was driven, from `since` on.
    fn wait_armed(&self, since: Instant) -> Result<(), RigError> {
        let is_armed = |world: &World| {
            let last = world.story().last();
            last.is_some_and(|m| m.at >= since && m.is_k0_pulled && world.is_k0_pulled())
        };
        if !self.world.wait(ARMED_MAX, is_armed) {
            let log = self.log();
            return Err(RigError::Not(format!("it is not armed after {} s: {log}", ARMED_MAX.as_secs())));
        }
        // Lines that nobody holds stand at their pulls; from the first rest on they are held.
        let story = self.story_since(since);
        let held = story.iter().skip_while(|m| m.asked != RelayImage::NONE);
        let early = held.take_while(|m| !m.is_k0_pulled).find(|m| m.asked != RelayImage::NONE);
        early.map_or(Ok(()), |m| Err(RigError::Not(format!("{:?} was driven before K0 was tested", m.asked))))
    }

    fn story_since(&self, since: Instant) -> Vec<Moment> {
        self.world.with(|world| world.story().iter().filter(|m| m.at >= since).copied().collect())
    }

    /// A hand on a button for half a second.
    fn press(&self, button: Button) {
        self.world.with(|world| world.plant.press(button, true));
        rest(Duration::from_millis(500));
        self.world.with(|world| world.plant.press(button, false));
    }

    /// The engine runs.
    fn start_a_run(&self) -> Result<(), RigError> {
        self.press(Button::Fire);
        self.wait("the engine runs", |world| world.plant.truth().runs)
    }

    /// Nothing is on but K0, and the engine stands.
    fn wait_rest(&self) -> Result<(), RigError> {
        self.wait("everything rests", |world| {
            let last = world.story().last();
            let is_off = last.is_some_and(|m| m.is_k0_pulled && m.asked == RelayImage::NONE);
            is_off && !world.plant.truth().runs
        })
    }

    fn wait(&self, what: &str, is: impl Fn(&World) -> bool) -> Result<(), RigError> {
        if self.world.wait(RUN_MAX, is) {
            return Ok(());
        }
        Err(RigError::Not(format!("not within {} s: {what}; {}", RUN_MAX.as_secs(), self.log())))
    }

    /// What `vigia-pump` said last.
    fn log(&self) -> String {
        let said = "journalctl -u vigia-pump -o cat --no-pager | tail -25";
        self.rig.run(said).unwrap_or_else(|e| e.to_string())
    }

    fn last_words(&self) -> String {
        let serial = self.rig.machine.serial();
        let lines: Vec<&str> = serial.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(12)..).unwrap_or_default();
        format!("vigia-pump: {}\nthe guest's last words:\n{}", self.log(), tail.join("\n"))
    }
}

/// A coil that K0 feeds is on.
fn is_any_behind_k0(coils: RelayImage) -> bool {
    let behind = [Output::Run, Output::Starter, Output::Contactor, Output::RefillValve];
    behind.into_iter().any(|output| coils.is_on(output))
}

fn sees(is: bool, otherwise: impl FnOnce() -> String) -> Result<(), RigError> {
    if is { Ok(()) } else { Err(RigError::Not(otherwise())) }
}
