//! The pump program with its simulated plant, and the plan that both programs read.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use vigia_core::pump::plan::{Plan, RawPlan, parse::parse};

use super::{Children, Folder, program};

const BOARD: &str = "hardware/simulated.yaml";

/// The engine pump of Wildfire Watch. All that comes before water lasts as long as at a site; what
/// comes after is shortened, so that a run is over in minutes.
const PLAN: &str = r#"{
  "preset": "wildfire_engine",
  "inputs": {
    "engine_run": { "broken_reads": "inactive" },
    "engine_turning": { "broken_reads": "inactive" },
    "float_low": { "broken_reads": "active" },
    "float_high": { "broken_reads": "inactive" },
    "flow": { "broken_reads": "inactive" },
    "valve_open": { "broken_reads": "inactive" },
    "emergency_stop": { "broken_reads": "active" }
  },
  "outputs": [
    "main_valve", "priming_valve", "refill_valve", "run", "starter", "kill", "throttle_down", "siren", "strobe"
  ],
  "timings": {
    "run_s_max": 90, "fire_off_s": 30, "throttle_lead_s": 10, "valve_close_s": 20, "cooldown_s": 5,
    "prime_s": 30, "dry_s_max": 45, "pressure_check_s": 30, "refill_s_max": 600, "test_s": 30
  },
  "tank": { "refill_multiplier": 2 },
  "policies": { "on_crash": "fail_stop" }
}"#;

/// What the plan shortens, for whoever watches.
pub const NOTICE: &str = "the plan's timings until water are those of a site, but for 30 s of priming instead of \
     180; shortened are the longest run (90 s), the run after the fire (30 s), refilling, draining and cooldown; detections count from confidence 0.5, the shipped detector's, not 0.7";

/// The plan as vigia and the pump program understand it.
///
/// # Errors
/// One sentence.
pub fn plan() -> Result<Plan, String> {
    let raw: RawPlan = serde_json::from_str(PLAN).map_err(|e| format!("the drill's plan is no plan: {e}"))?;
    let parsed = parse(&raw).map_err(|wrong| format!("the drill's plan is refused: {wrong:?}"))?;
    Ok(parsed.plan)
}

/// The section `pump` of the site file.
pub(super) fn section(folder: &Folder) -> Result<Value, String> {
    let mut section: Value = serde_json::from_str(PLAN).map_err(|e| format!("the drill's plan: {e}"))?;
    section["socket"] = json!(folder.state("run").join("pump.sock"));
    section["orders_from"] = json!([]);
    Ok(section)
}

/// The pump program.
#[derive(Debug)]
pub struct Pump;

impl Pump {
    /// Starts one that has never run.
    ///
    /// # Errors
    /// One sentence.
    pub fn start(children: &mut Children, folder: &Folder, site: &Path) -> Result<(), String> {
        let program = program("vigia-pump")?;
        let (state, run) = (folder.state("pump"), folder.state("run"));
        let made = Command::new(&program).args(["commission", "--state"]).arg(&state).output();
        let made = made.map_err(|e| format!("vigia-pump can't be started: {e}"))?;
        if !made.status.success() {
            return Err(format!("vigia-pump: {}", String::from_utf8_lossy(&made.stderr).trim()));
        }
        let mut command = Command::new(&program);
        command.args(["run", "--hardware", BOARD, "--site"]).arg(site);
        command.arg("--state").arg(&state).arg("--run").arg(&run);
        command.stdout(Stdio::null()).stderr(folder.log("pump.log")?);
        children.spawn("vigia-pump", &mut command)
    }
}
