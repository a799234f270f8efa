//! Trials: a whole simulated box from a seed, under virtual time.
//!
//! ```text
//! fires, lamps ─► cameras ─► Consensus ─► link ─► pump Machine ─► relays ─► plant
//!                                 ▲        │lossy,    ▲  │ledger              │
//!                                 └────────┘late      │  ▼                    │
//!            people, faults, deaths (script)          └─ disk    contacts ◄───┘
//! ```
//!
//! The consensus and the pump machine are the real ones; everything around them is drawn from the
//! seed. First everything goes wrong that can, and the [`judge`] looks at the plant's truth after
//! each step (safety). Then all is mended, and good things must happen (liveness): rest, water for
//! a fire, a full tank.
//!
//! [`run`] is a pure function of seed and options: a failure is replayed by its seed alone.

use std::fmt;
use std::time::Duration;

mod broken;
mod cameras;
mod counts;
mod deeds;
mod diary;
mod hand;
pub mod judge;
mod link;
mod lively;
mod script;
mod setting;
mod stage;
mod timeline;
pub mod year;

#[cfg(test)]
mod tests;

pub use broken::Broken;
pub use counts::Counts;
pub use diary::{Entry, Note};
pub use script::Deed;
pub use timeline::{Sample, Timeline};

use script::Script;
use setting::Setting;
use stage::Stage;

/// How a trial is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Keep the whole diary, not only its end.
    pub trace: bool,
    /// Keep what a plot is drawn from.
    pub timeline: bool,
    /// Leave out the hardware watchdog relay of reliability 2.4, to see what fails without it.
    pub without_watchdog: bool,
}

/// What came of a trial.
#[derive(Debug, Clone)]
pub struct Report {
    pub seed: u64,
    pub broken: Option<Broken>,
    pub simulated: Duration,
    pub counts: Counts,
    /// The last entries, or all.
    pub diary: Vec<Entry>,
    pub timeline: Option<Timeline>,
}

impl Report {
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.broken.is_none()
    }

    fn of(seed: u64, stage: Stage, ended: Result<(), Broken>) -> Self {
        Self {
            seed,
            broken: ended.err(),
            simulated: Duration::from_nanos(stage.now.0),
            counts: stage.counts,
            diary: stage.diary.read(),
            timeline: stage.timeline,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for entry in &self.diary {
            writeln!(f, "{entry}")?;
        }
        let Counts { steps, fires, confirmed, runs, faults, deaths, orders, latches, .. } = self.counts;
        match &self.broken {
            Some(broken) => writeln!(f, "seed {} step {steps}: {broken}", self.seed)?,
            None => writeln!(f, "seed {}: sound", self.seed)?,
        }
        write!(
            f,
            "{:.0} s simulated: {fires} fires, {confirmed} confirmed, {runs} engine starts, {faults} faults, \
             {deaths} deaths, {orders} orders, {latches} latches",
            self.simulated.as_secs_f64()
        )
    }
}

/// One trial.
#[must_use]
pub fn run(seed: u64, options: &Options) -> Report {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut setting = Setting::draw(&mut rng);
    if options.without_watchdog {
        setting = setting.without_watchdog();
    }
    let mut stage = Stage::new(&setting, seed, options.trace, options.timeline);
    let cameras = u8::try_from(setting.cameras).unwrap_or(2);
    let mut script = Script::new(stage.now, setting.mean_ms, !setting.jumps, cameras);
    let danger = Duration::from_millis(rng.u64(20_000..120_000));
    let until = stage.now.after(danger);
    let ended = stage
        .play(until, Some(&mut script))
        .and_then(|()| lively::end_well(&mut stage, setting.jumps && seed.is_multiple_of(16)));
    Report::of(seed, stage, ended)
}
