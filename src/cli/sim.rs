//! `vigia sim`: a whole simulated box under virtual time, replayed from its seed.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use vigia_sim::plot;
use vigia_sim::trial::{self, Counts, Options, Report};

use super::{Failure, print};

#[derive(Debug, ClapArgs)]
#[command(after_help = "Exit codes: 0 every invariant held, 1 one was broken, 2 wrong usage.\n\
    Examples:\n  vigia sim --seed 7 --trace\n  vigia sim --seed 1 --runs 10000\n  vigia sim --seed 7 --svg run.svg")]
pub struct Args {
    /// Which trial; with --runs the first of them
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// So many trials, each with the next seed, up to the first that breaks an invariant
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// Print everything that happened
    #[arg(long)]
    trace: bool,
    /// Draw what happened in the last trial
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let last = args.seed.saturating_add(args.runs - 1);
    let (mut counts, mut simulated_s) = (Counts::default(), 0.0);
    for seed in args.seed..=last {
        let timeline = args.svg.is_some() && seed == last;
        let mut report = trial::run(seed, &Options { trace: args.trace, timeline, ..Options::default() });
        if report.broken.is_some() && args.svg.is_some() && !timeline {
            // Most are not drawn, so that many are quick; this one is worth it.
            report = trial::run(seed, &Options { trace: args.trace, timeline: true, ..Options::default() });
        }
        counts += report.counts;
        simulated_s += report.simulated.as_secs_f64();
        let broken = report.broken.is_some();
        if args.runs == 1 || args.trace || broken {
            print(&report.to_string())?;
        }
        if broken || seed == last {
            draw(args, &report)?;
        }
        if broken {
            let text = format!("an invariant is broken; replay it with: vigia sim --seed {seed} --trace");
            return Err(Failure::Failed(text));
        }
    }
    if args.runs > 1 {
        print(&summary(args.runs, simulated_s, counts))?;
    }
    Ok(())
}

fn summary(runs: u64, simulated_s: f64, counts: Counts) -> String {
    let Counts { fires, confirmed, runs: starts, faults, deaths, orders, .. } = counts;
    let days = simulated_s / 86_400.0;
    format!(
        "{runs} trials, all sound: {days:.1} days simulated, {fires} fires, {confirmed} confirmed, \
         {starts} engine starts, {faults} faults, {deaths} deaths, {orders} orders"
    )
}

fn draw(args: &Args, report: &Report) -> Result<(), Failure> {
    let (Some(path), Some(timeline)) = (&args.svg, &report.timeline) else { return Ok(()) };
    let picture = plot::svg(&format!("vigia sim, seed {}", report.seed), &timeline.samples);
    std::fs::write(path, picture).map_err(|e| Failure::Failed(format!("{}: {e}", path.display())))
}
