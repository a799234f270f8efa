//! What goes into the guest: both files of the site, the programs, and the units as they ship.
//!
//! `vigia-pump` starts at boot, as on a box. The broker and `vigia` start when a trial wants them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use vigia_core::pump::plan::parse;
use vigia_core::pump::{Plan, RawPlan};

use super::Sources;
use crate::vm::blind;
use crate::vm::machine::{file, run};
use crate::vm::rig::RigError;

pub const BOARD: &str = "hardware/virtual.yaml";
const UNITS: &str = "appliance/units";

/// A plan that is over soon, for most contacts of an engine pump. The refill is paid in seconds.
const SITE: &str = "\
pump:
  preset: wildfire_engine
  outputs: [main_valve, priming_valve, refill_valve, run, starter, kill, throttle_down, siren, strobe]
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

/// What `vigia` reads beside it: two cameras that others speak for, and a test picture for the detector,
/// which is not what is tried here.
const CAMERAS: &str = "\
instance_id: vm
mqtt: {host: 127.0.0.1}
metrics: {interval_s: 0}
streams:
  - {source_id: 1, uri: \"test://pattern?width=160&height=120&fps=1\", max_fps: 1}
detector: {models_dir: /opt/vigia/models, model: blind, engine: rten, threads: 1}
control: {enabled: true, journal: /var/lib/vigia/journal.db}
fire:
  cameras: [{name: north}, {name: south}]
  growth_span_s: 1
  window_s: 10
  camera_timeout_s: 10
  heartbeat_s: 1
";

/// Nobody else is on this machine.
const BROKER: &str = "listener 1883 127.0.0.1\nallow_anonymous true\npersistence false\n";
const BROKER_UNIT: &str = "[Service]\nType=notify\nExecStart=/usr/sbin/mosquitto -c /etc/vigia/broker.conf\n";

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
    program(&folder, &root, "vigia")?;
    blind::import(&beside("vigia")?, &folder.join("models"))?;
    write(&root.join("etc/vigia/site.yaml"), format!("{SITE}{CAMERAS}"))?;
    write(&root.join("etc/vigia/broker.conf"), BROKER)?;
    write(&units.join("broker.service"), BROKER_UNIT)?;
    copy(&sources.project.join(BOARD), &root.join("etc/vigia/board.yaml"))?;
    let ours = |name: &str| sources.project.join(UNITS).join(name);
    for unit in ["vigia-pump.service", "vigia.service"] {
        copy(&ours(unit), &units.join(unit))?;
    }
    link(Path::new("../vigia-pump.service"), &units.join("multi-user.target.wants/vigia-pump.service"))?;
    copy(&ours("vigia.sysusers.conf"), &root.join("usr/lib/sysusers.d/vigia.conf"))?;
    copy(&ours("vigia.tmpfiles.conf"), &root.join("usr/lib/tmpfiles.d/vigia.conf"))?;
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
    let to = with_folder(&folder.join("bin").join(name))?;
    run("strip", Command::new("strip").arg("-o").arg(&to).arg(beside(name)?))?;
    link(&Path::new("/opt/vigia/bin").join(name), &root.join("usr/bin").join(name))
}

fn beside(name: &str) -> Result<PathBuf, RigError> {
    Ok(std::env::current_exe().map_err(RigError::Programs)?.with_file_name(name))
}

fn with_folder(path: &Path) -> Result<PathBuf, RigError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(file("can't make", folder))?;
    }
    Ok(path.to_owned())
}

fn write(to: &Path, what: impl AsRef<[u8]>) -> Result<(), RigError> {
    Ok(fs::write(with_folder(to)?, what).map_err(file("can't write", to))?)
}

fn copy(from: &Path, to: &Path) -> Result<(), RigError> {
    Ok(fs::copy(from, with_folder(to)?).map(drop).map_err(file("can't copy", from))?)
}

fn link(from: &Path, to: &Path) -> Result<(), RigError> {
    Ok(symlink(from, with_folder(to)?).map_err(file("can't make", to))?)
}
