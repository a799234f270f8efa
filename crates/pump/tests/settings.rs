//! Every mistake in the two files gets exit status 2 and a sentence: file, key, what is right.

mod support;

use std::path::Path;
use std::process::{Command, Output};

use support::{SITE, hardware};

const BOARD: &str = "\
lines:
  bank: simulated
  outputs:
    main_valve: {line: A, active: high}
    priming_valve: {line: B, active: high}
    refill_valve: {line: C, active: high}
    run: {line: D, active: high, feedback: {line: Z, active: high}}
    starter: {line: E, active: high}
    kill: {line: F, active: high}
    throttle_down: {line: G, active: high}
  inputs:
    engine_run: {line: H, active: high, bias: external_down}
    engine_turning: {line: I, active: high, bias: external_down}
    emergency_stop: {line: J, active: high, bias: external_up}
    valve_open: {line: K, active: high, bias: external_down}
  watchdog:
    heartbeat: {line: L}
    feedback: {line: M, active: high}
    behind: [run, starter, refill_valve]
";

fn check(board: &Path, site: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vigia-pump"))
        .args(["check", "--hardware"])
        .arg(board)
        .arg("--site")
        .arg(site)
        .args(more)
        .output()
        .expect("it runs")
}

struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        let files = Self { dir: tempfile::tempdir().expect("a folder") };
        files.write("board.yaml", BOARD);
        files.write("site.yaml", SITE);
        files
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.dir.path().join(name), text).expect("written");
    }

    fn check(&self, more: &[&str]) -> Output {
        check(&self.dir.path().join("board.yaml"), &self.dir.path().join("site.yaml"), more)
    }

    /// Refused with all of `words`, the file's name among them.
    fn refused(&self, words: &[&str], more: &[&str]) {
        let output = self.check(more);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
        assert!(words.iter().all(|word| said.contains(word)), "{words:?}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn good_files_are_good() {
    let files = Files::new();
    let output = files.check(&[]);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("good: plan "), "{said}");
    assert!(said.contains("unusual: ") && said.contains("pump.timings.prime_s is 0.1"), "{said}");
    assert!(check(&hardware(), &files.dir.path().join("site.yaml"), &[]).status.success());
    // vigia's own keys, in the same section and beside it.
    let site = SITE.replace("pump:\n", "pump:\n  socket: /run/vigia/pump.sock\n  orders_from: [unsigned]\n");
    files.write("site.yaml", format!("streams: [{{source_id: 0}}]\nmqtt: {{host: here}}\n{site}"));
    assert!(files.check(&[]).status.success());
}

/// Spec 3.3: bounds of each timing, and those that contradict each other.
#[test]
fn each_mistake_in_the_plan_is_refused() {
    let files = Files::new();
    // Key, too little, too much.
    let bounds = [
        ("pre_open_s", "-1", "61"),
        ("prewarn_s", "-1", "31"),
        ("valve_travel_s_max", "0.9", "121"),
        ("prime_s", "0.05", "601"),
        ("crank_s", "0", "16"),
        ("crank_rest_s", "9", "61"),
        ("crank_attempts", "0", "7"),
        ("crank_turn_s_max", "0.5", "6"),
        ("run_s_max", "59", "14401"),
        ("fire_off_s", "0.5", "14401"),
        ("throttle_lead_s", "-1", "601"),
        ("throttle_down_s", "0", "61"),
        ("kill_s", "0.5", "16"),
        ("stop_s_max", "4", "61"),
        ("spin_down_s", "9", "61"),
        ("valve_close_s", "9", "3601"),
        ("cooldown_s", "-1", "3601"),
        ("off_s_min", "29", "601"),
        ("starts_per_hour_max", "0", "7"),
        ("dry_s_max", "9", "301"),
        ("pressure_check_s", "-1", "301"),
        ("pressure_lost_s", "0.1", "5"),
        ("refill_s_max", "59", "82801"),
        ("refill_s_per_day_max", "59", "86401"),
        ("health_s", "0", "3601"),
        ("demand_age_s_max", "0", "3"),
        ("test_s", "29", "3601"),
        ("test_every_days", "0", "32"),
    ];
    let without = |key: &str| -> String {
        let marks = format!("    {key}: ");
        SITE.lines().filter(|line| !line.starts_with(&marks)).map(|line| format!("{line}\n")).collect()
    };
    for (key, low, high) in bounds {
        for value in [low, high] {
            let with = format!("  timings:\n    {key}: {value}\n");
            files.write("site.yaml", without(key).replace("  timings:\n", &with));
            files.refused(&["site.yaml: ", &format!("pump.timings.{key} is {value}: it must be")], &[]);
        }
        for value in [".nan", ".inf", "soon", "[1]", "{}"] {
            let with = format!("  timings:\n    {key}: {value}\n");
            files.write("site.yaml", without(key).replace("  timings:\n", &with));
            files.refused(&["site.yaml: ", &format!("pump.timings.{key}")], &[]);
        }
    }
    let rows: [(&str, &str, &str); 20] = [
        ("throttle_lead_s: 1\n", "throttle_lead_s: 60\n", "must be shorter than timings.run_s_max"),
        ("throttle_lead_s: 1\n", "throttle_lead_s: 55\n", "leave at least 10 s"),
        ("prime_s: 0.1\n", "prime_s: 30\n", "must not exceed half of timings.run_s_max"),
        ("test_s: 30\n", "test_s: 61\n", "must not be longer than timings.run_s_max"),
        ("kill_s: 1\n", "kill_s: 2\n", "not be shorter than timings.kill_s and timings.spin_down_s"),
        ("crank_s: 1\n", "crank_s: 15\n    crank_rest_s: 10\n", "not be shorter than timings.crank_s"),
        ("crank_s: 1\n", "crank_s: 15.1\n", "pump.timings.crank_s is 15.1"),
        ("    on_crash: fail_stop\n", "    gravity_feed: false\n", "choose fail_stop or fail_run"),
        ("on_crash: fail_stop", "on_crash: perhaps", "pump.policies.on_crash"),
        ("emergency_stop: {broken_reads: active}", "emergency_stop: {broken_reads: inactive}", "a cut wire"),
        ("valve_open: {broken_reads: inactive}", "valve_open: {broken_reads: active}", "a cut wire"),
        ("valve_open: {broken_reads: inactive}", "valve_open: {}", "pump.inputs.valve_open"),
        (
            "engine_run: {broken_reads: inactive}",
            "engine_run: {broken_reads: inactive, debounce_ms: 2001}",
            "pump.inputs.engine_run.debounce_ms is 2001",
        ),
        ("engine_run: {", "engine_rum: {", "engine_rum"),
        ("preset: wildfire_engine", "preset: steam", "pump.preset"),
        ("  preset: wildfire_engine\n", "", "preset"),
        ("  preset: wildfire_engine\n", "  preset: wildfire_engine\n  pins: 12,13,14\n", "pins"),
        ("  inputs:\n", "  outputs: [main_valve, run]\n  inputs:\n", "without starter"),
        (
            "  inputs:\n",
            "  outputs: [main_valve, main_valve, run, starter]\n  inputs:\n",
            "each relay must be named once",
        ),
        ("  timings:\n", "  tank: {volume_l: 100}\n  timings:\n", "go together"),
    ];
    for (old, new, sentence) in rows {
        assert!(SITE.contains(old), "{old}");
        files.write("site.yaml", SITE.replacen(old, new, 1));
        files.refused(&["site.yaml: ", sentence], &[]);
    }
}

#[test]
fn each_mistake_on_the_board_is_refused() {
    let files = Files::new();
    let rows: [(&str, &str, &str); 13] = [
        ("    starter: {line: E, active: high}\n", "", "lines.outputs.starter is missing"),
        (
            "    valve_open: {line: K, active: high, bias: external_down}\n",
            "",
            "lines.inputs.valve_open is missing",
        ),
        (
            "starter: {line: E",
            "starter: {line: A",
            "lines.outputs.starter.line is A: it must be a line of its own",
        ),
        ("engine_run: {line: H", "engine_run: {line: A", "lines.inputs.engine_run.line is A"),
        ("feedback: {line: Z", "feedback: {line: A", "lines.outputs.run.feedback.line is A"),
        (
            "feedback: {line: Z, active: high}",
            "feedback: {line: Z, active: high, delay_ms: 500}",
            "delay_ms is 500",
        ),
        (
            "kill: {line: F, active: high}",
            "kill: {line: F, active: high, drive: open_drain}",
            "active must be low",
        ),
        (
            "kill: {line: F, active: high}",
            "kill: {line: F, active: low, drive: open_source}",
            "active must be high",
        ),
        ("kill: {line: F, active: high}", "kill: {line: F}", "lines.outputs.kill"),
        ("kill: {line: F, active: high}", "kill: {line: F, active: 1}", "lines.outputs.kill.active"),
        ("line: K, active: high, bias: external_down", "line: K, active: high", "lines.inputs.valve_open"),
        ("bank: simulated", "bank: pretend", "lines.bank"),
        ("  bank: simulated\n", "", "bank"),
    ];
    for (old, new, sentence) in rows {
        assert!(BOARD.contains(old), "{old}");
        files.write("board.yaml", BOARD.replacen(old, new, 1));
        files.refused(&["board.yaml: ", sentence], &[]);
    }
    // With real wires the pull must fit, too.
    files.write(
        "board.yaml",
        BOARD.replace(
            "line: K, active: high, bias: external_down",
            "line: K, active: high, bias: external_up",
        ),
    );
    files.refused(
        &["board.yaml: lines.inputs.valve_open.bias", "a cut wire is pulled high"],
        &["--bank", "gpio"],
    );
    files.write("board.yaml", BOARD.replace("  watchdog:\n    heartbeat: {line: L}\n    feedback: {line: M, active: high}\n    behind: [run, starter, refill_valve]\n", ""));
    files.refused(&["board.yaml: lines.watchdog is missing"], &["--bank", "gpio"]);
    // A board that fits, on a machine that is another one: every line by its place, none is taken.
    files.write("board.yaml", BOARD.replace("line: A,", "line: no-such-line,"));
    let places =
        ["lines.outputs.main_valve.line", "lines.outputs.run.feedback.line", "lines.watchdog.heartbeat.line"];
    files.refused(&["board.yaml: ", "no-such-line"], &["--bank", "gpio"]);
    files.refused(&places, &["--bank", "gpio"]);
}

#[test]
fn files_that_are_none_are_refused() {
    let files = Files::new();
    for name in ["board.yaml", "site.yaml"] {
        let good = std::fs::read(files.dir.path().join(name)).expect("it");
        let rows: [(&[u8], &str); 7] = [
            (b"", "is missing"),
            (b"detector: {engine: auto}\n", "is missing"),
            (b"\xff\xfe", "is not UTF-8"),
            (b"pump: [\n", ""),
            (b"pump: {preset: electric, preset: electric}\nlines: {bank: gpio, bank: gpio}\n", "uplicate"),
            (b"pump: 7\nlines: 7\n", ""),
            (b"- pump\n- lines\n", ""),
        ];
        for (bytes, sentence) in rows {
            files.write(name, bytes);
            files.refused(&[&format!("{name}: "), sentence], &[]);
        }
        files.write(name, vec![b'#'; 1024 * 1024 + 1]);
        files.refused(&[name, "is larger than 1 MiB"], &[]);
        std::fs::remove_file(files.dir.path().join(name)).expect("removed");
        files.refused(&[name, "cannot be read"], &[]);
        std::fs::create_dir(files.dir.path().join(name)).expect("made");
        files.refused(&[name, "is not a file"], &[]);
        std::fs::remove_dir(files.dir.path().join(name)).expect("removed");
        files.write(name, good);
    }
    // Both at once are both told.
    files.write("board.yaml", BOARD.replace("line: E", "line: A"));
    files.write("site.yaml", SITE.replace("crank_s: 1\n", "crank_s: 99\n"));
    files.refused(&["site.yaml: pump.timings.crank_s is 99"], &[]);
    files.write("board.yaml", "lines: {bank: pretend}\n");
    files.refused(&["site.yaml: pump.timings.crank_s is 99", "board.yaml: lines.bank"], &[]);
}

/// Nothing starts on a mistake, and a drill is no drill on real lines.
#[test]
fn a_mistake_starts_nothing() {
    let files = Files::new();
    let run = files.dir.path().join("run");
    let start = |more: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_vigia-pump"))
            .args(["run", "--hardware"])
            .arg(files.dir.path().join("board.yaml"))
            .arg("--site")
            .arg(files.dir.path().join("site.yaml"))
            .arg("--run")
            .arg(&run)
            .arg("--state")
            .arg(files.dir.path().join("state"))
            .args(more)
            .output()
            .expect("it runs")
    };
    assert_eq!(start(&["--fault", "earthquake@1"]).status.code(), Some(2));
    assert_eq!(start(&["--fault", "stall"]).status.code(), Some(2));
    assert_eq!(start(&["--bank", "gpio"]).status.code(), Some(2));
    let fits = BOARD.replace("bank: simulated", "bank: gpio");
    files.write("board.yaml", fits);
    let output = start(&["--fault", "stall@1"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("simulated bank only"), "{output:?}");
    files.write("site.yaml", "pump: {preset: steam}\n");
    assert_eq!(start(&[]).status.code(), Some(2));
    assert!(!run.exists(), "nothing was touched");
}

/// What a technician starts from is good, on the board that is everywhere.
#[test]
fn the_example_of_a_site_is_good() {
    let site = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs/site.example.yaml");
    let said = check(&hardware(), &site, &[]);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}
