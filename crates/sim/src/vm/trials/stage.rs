//! What goes into the guest: both files of the site, the program, and the units as they ship.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use vigia_core::pump::plan::parse;
use vigia_core::pump::{Plan, RawPlan};

use super::Sources;
use crate::vm::machine::{file, run};
use crate::vm::rig::RigError;

pub const BOARD: &str = "hardware/virtual.yaml";
const UNITS: &str = "appliance/units";

/// A plan that is over soon, for most contacts of an engine pump. The refill is paid in seconds.
const SITE: &str = "\
pump:
  preset: wildfire_engine
  inputs:
    float_high: {broken_reads: inactive}
    pressure: {broken_reads: inactive}
    flow: {broken_reads: inactive}
    valve_open: {broken_reads: inactive}
    engine_run: {broken_reads: active}
    engine_turning: {broken_reads: active}
    emergency_stop: {broken_reads: active}
    fire_button: {broken_reads: inactive}
    reset_button: {broken_reads: inactive}
  timings:
    pre_open_s: 0
    valve_travel_s_max: 2
    prime_s: 0.5
    crank_s: 2
    run_s_max: 60
    fire_off_s: 8
    throttle_lead_s: 1
    throttle_down_s: 0.5
    kill_s: 1
    valve_close_s: 11
    cooldown_s: 0
    test_s: 30
  tank:
    refill_multiplier: 1
  policies:
    on_crash: fail_stop
";

/// The folder for `/opt/vigia`, and the plan in it.
pub struct Staged {
    pub folder: PathBuf,
    pub plan: Plan,
}

#[derive(Deserialize)]
struct SiteFile {
    pump: RawPlan,
}

pub fn stage(sources: &Sources) -> Result<Staged, RigError> {
    let folder = sources.work.join("stage");
    // What an earlier run left.
    let _ = fs::remove_dir_all(&folder);
    let root = folder.join("root");
    let units = root.join("etc/systemd/system");
    program(&folder, &root, "vigia-pump")?;
    write(&root.join("etc/vigia/site.yaml"), SITE)?;
    copy(&sources.project.join(BOARD), &root.join("etc/vigia/board.yaml"))?;
    let ours = |name: &str| sources.project.join(UNITS).join(name);
    copy(&ours("vigia-pump.service"), &units.join("vigia-pump.service"))?;
    link(Path::new("../vigia-pump.service"), &units.join("multi-user.target.wants/vigia-pump.service"))?;
    copy(&ours("vigia.sysusers.conf"), &root.join("usr/lib/sysusers.d/vigia.conf"))?;
    copy(&ours("99-vigia-gpio.rules"), &root.join("etc/udev/rules.d/99-vigia-gpio.rules"))?;
    Ok(Staged { folder, plan: plan()? })
}

fn plan() -> Result<Plan, RigError> {
    let parsed = parse::parse(&site()?).map(|parsed| parsed.plan);
    parsed.map_err(|all| RigError::Not(format!("the site of the trials is wrong: {all:?}")))
}

/// The usual one, for those who need it otherwise.
pub fn site() -> Result<RawPlan, RigError> {
    let site: Result<SiteFile, _> = serde_saphyr::from_str(SITE);
    site.map(|site| site.pump).map_err(|e| RigError::Not(format!("the site of the trials is wrong: {e}")))
}

/// A program from beside this one, without the names of its functions, where the units look for it.
fn program(folder: &Path, root: &Path, name: &str) -> Result<(), RigError> {
    let beside = std::env::current_exe().map_err(RigError::Programs)?;
    let to = with_folder(&folder.join("bin").join(name))?;
    run("strip", Command::new("strip").arg("-o").arg(&to).arg(beside.with_file_name(name)))?;
    link(&Path::new("/opt/vigia/bin").join(name), &root.join("usr/bin").join(name))
}

fn with_folder(path: &Path) -> Result<PathBuf, RigError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(file("can't make", folder))?;
    }
    Ok(path.to_owned())
}

fn write(to: &Path, text: &str) -> Result<(), RigError> {
    Ok(fs::write(with_folder(to)?, text).map_err(file("can't write", to))?)
}

fn copy(from: &Path, to: &Path) -> Result<(), RigError> {
    Ok(fs::copy(from, with_folder(to)?).map(drop).map_err(file("can't copy", from))?)
}

fn link(from: &Path, to: &Path) -> Result<(), RigError> {
    Ok(symlink(from, with_folder(to)?).map_err(file("can't make", to))?)
}
