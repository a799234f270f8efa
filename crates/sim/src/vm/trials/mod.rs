//! The real programs on real lines, watched from outside: what `make test-gpio` and the short test of
//! `make test` run.
//!
//! The lines' pulls are adverse, as nothing else would show a fault: a relay's line that nobody drives reads as
//! on. What must hold then is held by K0 alone, and by who drives the line next.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use vigia_core::pump::Output;
use vigia_core::time::Instant;

use super::clock::{now, rest};
use super::rig::{Options, Rig, RigError};
use super::smoke::table::{self, Row, Table};
use super::world::{Moment, Turning, World};
use crate::plant::{Button, Plant, PlantConfig};

mod armed;
mod checks;
mod frozen;
mod gpio;
mod kills;
mod list;
mod power;
mod run;
mod site;
mod stage;
mod stress;
mod vigia;
mod watch;

pub use list::Choice;

/// From a press to water, and from water to rest: seconds of the plan, many more on a busy host.
const RUN_MAX: Duration = Duration::from_secs(120);

const BOOTS_MAX: u32 = 3;
/// Six cycles without a heartbeat, and K0 falls.
const STALL: Duration = Duration::from_millis(150);
const AGAIN_MAX: u32 = 2;

const LOOK_EVERY: Duration = Duration::from_millis(300);
const HEARTBEAT: &str = "relay-heartbeat";

/// What one check saw, or why it failed.
type Seeing = Result<String, RigError>;

/// How much of everything.
#[derive(Debug, Clone, Copy)]
pub struct Counts {
    pub kills: u32,
    pub power_cuts: u32,
    pub vigia_kills: u32,
    pub fires: u32,
    pub stops: u32,
    pub seed: u64,
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
    /// Of what is to be seen again.
    stalls: Vec<Duration>,
}

/// Runs all of it; rows are told as they come.
///
/// # Errors
/// There is no machine at all.
pub fn run<'a>(
    sources: &Sources,
    counts: Counts,
    choice: &Choice,
    tell: impl FnMut(&Row) + 'a,
) -> Result<Table<'a>, RigError> {
    let trials = choice.trials()?;
    let mut bench = Bench::new(sources, counts.seed)?;
    let mut table = Table::new(tell);
    table.check("boot to rest", bench.boot());
    if table.is_good() {
        table.check("jitter of 1 ms sleeps", bench.jitter());
        for trial in trials {
            // The row before may have booted.
            if !bench.is_clock_true()? {
                bench.begin_anew()?;
            }
            let seen = bench.steadily(|bench| (trial.see)(bench, counts));
            table.check(trial.name, bench.with_stalls(seen));
        }
    }
    if !table.is_good() {
        table.note(&bench.last_words());
    }
    Ok(table)
}

/// A row of hours says how far it is.
fn went(done: u32, count: u32) {
    const EVERY: u32 = 10;
    if done.is_multiple_of(EVERY) && done < count {
        eprintln!("{done} of {count}");
    }
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
        Ok(Self { rig, world, rng: fastrand::Rng::with_seed(seed), stalls: Vec::new() })
    }

    /// What fails while the emulator stands still has shown nothing: K0 falls, and rightly. It is seen again, on a
    /// box as new, and the row says so.
    fn steadily<T>(&mut self, mut see: impl FnMut(&mut Self) -> Result<T, RigError>) -> Result<T, RigError> {
        for _ in 0..AGAIN_MAX {
            let _ = self.rig.lines.take_stall();
            let failed = match see(self) {
                Ok(seen) => return Ok(seen),
                Err(failed) => failed,
            };
            let stall = self.rig.lines.take_stall();
            if stall < STALL {
                return Err(RigError::Not(format!(
                    "{failed} (the emulator stood still for {})",
                    table::ms(stall)
                )));
            }
            eprintln!("the emulator stood still for {}; once more: {failed}", table::ms(stall));
            self.stalls.push(stall);
            self.begin_anew()?;
        }
        see(self)
    }

    /// How a row tells of what was seen again.
    fn with_stalls(&mut self, seen: Seeing) -> Seeing {
        let stalls = std::mem::take(&mut self.stalls);
        let Some(worst) = stalls.iter().max() else { return seen };
        let (times, worst) = (stalls.len(), table::ms(*worst));
        seen.map(|text| {
            format!("{text}; {times} times seen again: the emulator stood still for up to {worst}")
        })
    }

    /// Another box, and a plant that nobody has touched.
    fn begin_anew(&mut self) -> Result<(), RigError> {
        self.rig.machine.cut();
        self.rig.machine.renew_disk()?;
        self.world.with(|world| site::make_sound(&mut world.plant));
        self.boot().map(drop)
    }

    /// Switched on, until K0 is fed and nothing else is on.
    fn boot(&mut self) -> Seeing {
        let (mut since, mut place) = (now(), self.rig.lines.place());
        let mut boot = self.rig.boot()?;
        for _ in 0..BOOTS_MAX {
            if self.is_clock_true()? {
                break;
            }
            self.rig.machine.cut();
            (since, place) = (now(), self.rig.lines.place());
            boot = self.rig.boot()?;
        }
        self.wait_armed(place, None)?;
        self.wait_rest()?;
        let armed = now().since(since).as_secs_f64();
        Ok(format!("lines up after {:.1} s, idle after {armed:.1} s", boot.to_lines.as_secs_f64()))
    }

    /// A kernel that boots beside a busy host may measure its clock wrongly, and goes by that from then on.
    fn is_clock_true(&self) -> Result<bool, RigError> {
        const SPAN: Duration = Duration::from_secs(2);
        let (here, there) = (now(), self.rig.lines.time()?);
        rest(SPAN);
        let (passed, told) = (now().since(here), self.rig.lines.time()?.since(there));
        Ok(passed.abs_diff(told) < SPAN / 25)
    }

    fn jitter(&self) -> Seeing {
        let spread = self.rig.lines.jitter(500)?;
        Ok(table::jitter(&spread))
    }

    /// A coil that K0 feeds was on.
    fn is_any_behind_k0(&self, moment: &Moment) -> bool {
        self.rig.wiring.is_any_behind(moment.coils)
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

    /// The engine runs by its own ignition.
    fn start_a_run(&self) -> Result<(), RigError> {
        self.press(Button::Fire);
        self.wait("the engine runs", |world| {
            world.plant.truth().runs && world.story().last().is_some_and(|m| m.coils.is_on(Output::Run))
        })
    }

    /// Nothing is on but K0 and what tells people of the fire, the engine stands, and the machine says that it is
    /// idle.
    fn wait_rest(&self) -> Result<(), RigError> {
        let tells = |output| matches!(output, Output::Siren | Output::Strobe);
        let is_at_rest = |m: &Moment| m.is_k0_pulled && m.asked.energised().all(tells);
        let since = now();
        while now().since(since) < RUN_MAX {
            let is_off = self
                .world
                .with(|world| world.story().last().is_some_and(is_at_rest) && !world.plant.truth().runs);
            if is_off && self.state()? == "Idle" {
                return Ok(());
            }
            rest(LOOK_EVERY);
        }
        Err(RigError::Not(format!("not at rest within {} s; {}", RUN_MAX.as_secs(), self.log())))
    }

    /// The machine's state, as it told it last since its start.
    fn state(&self) -> Result<String, RigError> {
        let said = self.said(" to: ")?.map(|said| said.text).unwrap_or_default();
        let state = said.rsplit_once(" to: ").map_or("", |(_, state)| state);
        Ok(state.trim_end_matches([' ', '}']).to_owned())
    }

    fn wait(&self, what: &str, is: impl Fn(&World) -> bool) -> Result<(), RigError> {
        if self.world.wait(RUN_MAX, is) {
            return Ok(());
        }
        Err(RigError::Not(format!("not within {} s: {what}; {}", RUN_MAX.as_secs(), self.log())))
    }

    /// What both programs said last.
    fn log(&self) -> String {
        let said = "journalctl -u vigia -o cat --no-pager | cut -c-200 | tail -25; \
                    journalctl -u vigia-pump -o cat --no-pager | tail -25";
        self.rig.run(said).unwrap_or_else(|e| e.to_string())
    }

    fn last_words(&self) -> String {
        let serial = self.rig.machine.serial();
        let lines: Vec<&str> = serial.lines().collect();
        let tail = lines.get(lines.len().saturating_sub(12)..).unwrap_or_default();
        format!("{}\nthe guest's last words:\n{}", self.log(), tail.join("\n"))
    }
}

fn sees(is: bool, otherwise: impl FnOnce() -> String) -> Result<(), RigError> {
    if is { Ok(()) } else { Err(RigError::Not(otherwise())) }
}
