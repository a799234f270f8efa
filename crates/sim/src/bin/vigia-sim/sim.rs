//! `vigia-sim sim`: trials by seed.

use std::io::Write;
use std::path::PathBuf;
use std::{fs, io};

use clap::Args;
use vigia_sim::plot;
use vigia_sim::trial::{self, Counts, Options, Report};

use crate::Failure;

#[derive(Debug, Args)]
pub struct Sim {
    /// Which trial; with --runs the first of them
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// So many trials, each with the next seed
    #[arg(long, default_value_t = 1)]
    runs: u64,
    /// Print everything that happened
    #[arg(long)]
    trace: bool,
    /// Draw what happened into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Leave out the hardware watchdog relay, to see what fails without it
    #[arg(long)]
    without_watchdog: bool,
    /// So many days of operation instead of a trial
    #[arg(long, value_name = "DAYS")]
    days: Option<u32>,
    /// Go on after a failure and count them
    #[arg(long)]
    keep_going: bool,
}

impl Sim {
    pub fn run(&self) -> Result<(), Failure> {
        let options = Options {
            trace: self.trace,
            timeline: self.svg.is_some(),
            without_watchdog: self.without_watchdog,
        };
        let (mut counts, mut simulated_s, mut failed) = (Counts::default(), 0.0, None);
        let mut out = io::stdout().lock();
        for seed in self.seed..self.seed.saturating_add(self.runs) {
            let report = match self.days {
                Some(days) => trial::year::run(seed, days, &options),
                None => trial::run(seed, &options),
            };
            counts += report.counts;
            simulated_s += report.simulated.as_secs_f64();
            if self.runs == 1 || self.trace {
                writeln!(out, "{report}").map_err(Failure::Output)?;
            }
            self.draw(&report)?;
            if let Some(broken) = &report.broken {
                if self.keep_going {
                    writeln!(out, "seed {seed}: {broken}").map_err(Failure::Output)?;
                } else if self.runs > 1 {
                    writeln!(out, "{report}").map_err(Failure::Output)?;
                }
                failed.get_or_insert(seed);
                if !self.keep_going {
                    break;
                }
            }
        }
        if self.runs > 1 {
            let days = simulated_s / 86_400.0;
            writeln!(out, "{} trials, {days:.0} days simulated, {counts:?}", self.runs)
                .map_err(Failure::Output)?;
        }
        failed.map_or(Ok(()), |seed| Err(Failure::Broken { seed }))
    }

    fn draw(&self, report: &Report) -> Result<(), Failure> {
        let (Some(path), Some(timeline)) = (&self.svg, &report.timeline) else { return Ok(()) };
        let picture = plot::svg(&format!("seed {}", report.seed), &timeline.samples);
        fs::write(path, picture).map_err(|source| Failure::File { path: path.display().to_string(), source })
    }
}
