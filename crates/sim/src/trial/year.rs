//! A year of operation in seconds: for the bench, and for what only shows after months.

use std::time::Duration;

use vigia_core::pump::{Order, Role};

use super::broken::Broken;
use super::script::{Deed, Script};
use super::setting::Setting;
use super::stage::Stage;
use super::{Options, Report};

const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// `days` of the engine pump of Wildfire Watch with its own timeline: a test each week, a fire now
/// and then, faults and their repair, deaths of both programs, the refill of twenty hours after
/// each run.
#[must_use]
pub fn run(seed: u64, days: u32, options: &Options) -> Report {
    let setting = Setting::wildfire();
    let mut stage = Stage::new(&setting, seed, options.trace, options.timeline);
    stage.longest_sleep = Duration::from_secs(60);
    // While nothing burns there is nothing to see.
    stage.eyes.rest = Duration::from_secs(600);
    let ended = weeks(&mut stage, &setting, days);
    Report::of(seed, stage, ended)
}

fn weeks(stage: &mut Stage, setting: &Setting, days: u32) -> Result<(), Broken> {
    let cameras = u8::try_from(setting.cameras).unwrap_or(2);
    let end = stage.now.after(Duration::from_secs(86_400) * days);
    let mut script = Script::new(stage.now, setting.mean_ms, false, cameras);
    let mut id = 0;
    while stage.now < end {
        id += 1;
        let test =
            Deed::Order { id, order: Order::Test, role: Role::Arm, age_s: 0, retained: false, twice: true };
        stage.perform(test)?;
        let week = stage.now.after(WEEK).min(end);
        // Somebody comes by twice a day: resets, mends, puts the selector back.
        while stage.now < week {
            let visit = stage.now.after(Duration::from_secs(12 * 3600)).min(week);
            stage.play(visit, Some(&mut script))?;
            super::lively::visit(stage)?;
        }
    }
    Ok(())
}
