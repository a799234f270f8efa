//! `vigia gpio test`: relay by relay, each after a yes.

use std::io::{BufRead as _, Write as _, stderr, stdin};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::Args as ClapArgs;
use vigia_core::pump::Output;
use vigia_pump::commission::{CommissionError, Commissioning};

use super::super::{Failure, print};
use super::Board;
use super::report::{Outcome, Report, is_master_good, ms};

#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    board: Board,
    /// These relays only, e.g. siren; may be given several times
    #[arg(long, value_name = "NAME")]
    relay: Vec<String>,
    /// How long a relay is on, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(50..=5000))]
    hold: u64,
    /// Write the commissioning report into this file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// What to make sure of before a relay is clicked.
const fn warning(output: Output) -> &'static str {
    match output {
        Output::Starter => " THE ENGINE CRANKS: disconnect the starter's coil, or keep clear",
        Output::Run => " ignition and fuel: the engine may catch if it turns",
        Output::Contactor => " THE PUMP RUNS: open the isolator, or keep clear",
        Output::MainValve | Output::PrimingValve | Output::RefillValve => " water may flow",
        Output::Siren => " it is loud",
        Output::Kill | Output::ThrottleDown | Output::Strobe | Output::Contact => "",
    }
}

pub fn run(args: &Args) -> Result<(), Failure> {
    let chosen = args.relay.iter().map(|name| by_name(name)).collect::<Result<Vec<_>, _>>()?;
    let (mut lines, _stop) = super::open(&args.board)?;
    let fitted: Vec<Output> = lines.lines().relays.iter().map(|relay| relay.output).collect();
    if let Some(missing) = chosen.iter().find(|output| !fitted.contains(output)) {
        return Err(super::refused(&CommissionError::NoRelay(missing.name())));
    }
    let mut report =
        Report { board: args.board.hardware.display().to_string(), relays: Vec::new(), master: None };
    for output in fitted.into_iter().filter(|output| chosen.is_empty() || chosen.contains(output)) {
        report.relays.push((output.name(), one(&mut lines, output, Duration::from_millis(args.hold))?));
    }
    if chosen.is_empty() {
        report.master = master(&mut lines)?;
    }
    if let Some(to) = &args.report {
        report.write(to, &args.board.hardware)?;
        print(&format!("the report is in {}", to.display()))?;
    }
    if report.is_good() {
        print("everything that was clicked did as it should")
    } else {
        Err(Failure::Failed("not everything did as it should; see above".to_owned()))
    }
}

fn by_name(name: &str) -> Result<Output, Failure> {
    let known = || Output::ALL.map(Output::name).join(", ");
    Output::ALL
        .into_iter()
        .find(|output| output.name() == name)
        .ok_or_else(|| Failure::Usage(format!("--relay {name}: there are {}", known())))
}

fn one(lines: &mut Commissioning, output: Output, hold: Duration) -> Result<Outcome, Failure> {
    let name = output.name();
    if !ask(&format!("{name}:{} energise it for {} ms?", warning(output), hold.as_millis()))? {
        print(&format!("{name}: skipped"))?;
        return Ok(Outcome::Skipped);
    }
    let click = match lines.click(output, hold) {
        Ok(click) => click,
        Err(e @ CommissionError::Stopped) => return Err(super::refused(&e)),
        Err(e) => {
            let why = super::with_causes(&e);
            print(&format!("{name}: {why}"))?;
            return Ok(Outcome::Failed(why));
        }
    };
    let line = if click.line_follows { "the line follows" } else { "THE LINE DOES NOT FOLLOW" };
    let contact = click.contact.map_or("no contact fitted".to_owned(), |contact| {
        format!("its contact comes after {} ms and leaves after {} ms", ms(contact.comes), ms(contact.leaves))
    });
    print(&format!("{name}: {line}, {contact}"))?;
    let heard = ask(&format!("{name}: did this relay click, and no other?"))?;
    Ok(Outcome::Clicked { click, heard })
}

fn master(lines: &mut Commissioning) -> Result<Option<vigia_pump::commission::Master>, Failure> {
    let master = lines.master().map_err(|e| super::refused(&e))?;
    if let Some(m) = &master {
        print(&format!(
            "K0: comes after {} ms, falls after {} ms (line low) and {} ms (line high): {}",
            ms(m.comes),
            ms(m.falls_low),
            ms(m.falls_high),
            if is_master_good(m) { "good" } else { "NOT GOOD" }
        ))?;
    }
    Ok(master)
}

/// Only a yes is a yes; no answer is none.
fn ask(question: &str) -> Result<bool, Failure> {
    let mut out = stderr().lock();
    write!(out, "{question} [y/N] ").and_then(|()| out.flush()).map_err(Failure::failed)?;
    let mut answer = String::new();
    // A read goes on after a signal: without this, Ctrl-C would be heard after the answer only.
    super::ASKED.store(true, Ordering::SeqCst);
    let read = stdin().lock().read_line(&mut answer);
    super::ASKED.store(false, Ordering::SeqCst);
    read.map_err(Failure::failed)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
