//! What a service manager and a subscriber hear of an instance that lives, stands, and stops.

#[path = "support/broker.rs"]
#[allow(dead_code, reason = "shared with the tests of the link")]
mod broker;
#[path = "support/control.rs"]
mod control;
#[path = "support/fire.rs"]
mod fire;
#[path = "support/instance.rs"]
mod instance;
#[path = "support/manager.rs"]
mod manager;
#[path = "support/shared.rs"]
mod shared;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use broker::{Broker, TempDir, certificates, wait_for};
use control::{Site, picture};
use instance::Instance;
use manager::{LIMIT, Manager, PATIENCE};
use serde_json::Value;

fn site(port: u16, host: &str, streams: &str, more: &str) -> String {
    format!(
        "instance_id: alive\nmqtt: {{ host: {host}, port: {port} }}\nmetrics: {{ interval_s: 0 }}\nstreams:\n{streams}{more}"
    )
}

/// A camera and a broker that are away take nothing from it; what is stopped says nothing.
#[test]
fn the_service_manager_hears_of_a_process_that_works() {
    let Some(mut broker) = Broker::start("") else { return };
    let folder = shared::folder();
    let manager = Manager::at(&folder.path().join("notify"));
    let away = "  - { source_id: 2, uri: \"rtsp://127.0.0.1:1/away\" }\n";
    let text = site(broker.port, "127.0.0.1", &(picture(1, 5) + away), "");
    let mut vigia = Instance::with_site(Path::new("models"), &text, &[], &manager.environment());
    assert_eq!(manager.next(), "READY=1");
    // Started by then; a thread names itself once it runs.
    wait_for("the second camera's thread", PATIENCE, || thread(&vigia, "camera-2").is_some());
    manager.until("STATUS=running, 1 of 2 streams run, broker connected");
    manager.hears_in_time(5);
    broker.kill();
    manager.until("STATUS=running, 1 of 2 streams run, broker away");
    manager.hears_in_time(5);
    vigia.signal("-STOP");
    // What was on its way; then nothing, for longer than the manager waits.
    while manager.within(LIMIT / 2).is_some() {}
    assert_eq!(manager.within(LIMIT * 3), None);
    vigia.signal("-CONT");
    manager.hears_in_time(5);
    vigia.signal("-TERM");
    manager.until("STOPPING=1");
    assert!(vigia.wait(PATIENCE).success());
    assert!(!vigia.log().contains("stalled"), "{}", vigia.log());
}

/// The certificate of the broker lies on a mount that hangs: here, a pipe that nobody writes into. It worked
/// before, so a new start may help.
#[test]
fn who_stands_is_named_and_the_process_ends_by_itself() {
    let folder = TempDir::new();
    let at = |name: &str| folder.0.join(name);
    let Some(()) = certificates(&folder.0) else { return };
    let extra = format!("certfile {}\nkeyfile {}", at("broker.pem").display(), at("broker.key").display());
    let Some(mut broker) = Broker::start(&extra) else { return };
    let manager = Manager::hidden();
    let text = site(broker.port, "localhost", &picture(1, 5), "");
    let tls = format!(", tls: {{ ca_file: {} }} }}\nmetrics", at("ca.pem").display());
    let text = text.replace(" }\nmetrics", &tls);
    let mut vigia = Instance::with_site(Path::new("models"), &text, &[], &manager.environment());
    assert_eq!(manager.next(), "READY=1");
    vigia.wait_log("broker_connected");
    std::fs::remove_file(at("ca.pem")).expect("ours");
    assert!(Command::new("mkfifo").arg(at("ca.pem")).status().expect("coreutils").success());
    broker.kill();
    broker.launch();
    let (_, line) = manager.until("STATUS=running, 1 of 1 streams run, broker away; stalled: ");
    assert!(line.ends_with("stalled: mqtt"), "{line}");
    let (while_it_stands, line) = manager.until("STATUS=ending: ");
    assert!(line.contains("mqtt gave no sign of life for 2"), "{line}");
    assert!(while_it_stands.iter().all(|word| word != "WATCHDOG=1"), "{while_it_stands:?}");
    assert_eq!(vigia.wait(PATIENCE).code(), Some(1));
    let log = vigia.log();
    let told = log.lines().find(|l| l.contains("| stalled |")).expect("a line");
    assert!(told.contains("ERROR") && told.contains("mqtt: no sign of life"), "{told}");
    assert!(told.contains("limit_ms=10000") && told.contains("since=20"), "{told}");
    let last = log.lines().last().expect("lines");
    assert!(last.contains("given_up") && last.contains("ending with code 1"), "{last}");
}

/// The number of a thread of this name.
fn thread(vigia: &Instance, name: &str) -> Option<String> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", vigia.pid())).expect("it runs");
    let named = |path: &Path| std::fs::read_to_string(path.join("comm")).is_ok_and(|c| c.trim() == name);
    let path = tasks.flatten().map(|task| task.path()).find(|path| named(path))?;
    Some(path.file_name()?.to_str()?.to_owned())
}

/// Holds threads of a process at their next system call, until it is dropped.
struct Hold(Child);

impl Hold {
    fn of(vigia: &Instance, threads: &[&str]) -> Self {
        let mut strace = Command::new("strace");
        strace.args(["-qq", "-o", "/dev/null", "-e", "trace=all", "-e", "inject=all:delay_enter=600000000"]);
        for name in threads {
            strace.args(["-p", &thread(vigia, name).expect(name)]);
        }
        Self(strace.stderr(Stdio::null()).spawn().expect("asked for before"))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // The kernel lets its threads go on.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether one process may hold the threads of another here.
fn can_hold() -> bool {
    let mut sleep = Command::new("sleep").arg("60").spawn().expect("coreutils");
    let mut strace = Command::new("timeout");
    strace.args(["1", "strace", "-qq", "-o", "/dev/null", "-p", &sleep.id().to_string()]);
    // 124: it held on until its time was up.
    let held = strace.stderr(Stdio::null()).status().is_ok_and(|status| status.code() == Some(124));
    let _ = sleep.kill();
    let _ = sleep.wait();
    if !held {
        shared::skipped("strace is not installed or may not attach: no thread can be made to hang");
    }
    held
}

/// Parts that are not ok in the last status.
fn stalled(status: &Value) -> Vec<String> {
    let rows = status["liveness"].as_object().expect("rows").iter();
    rows.filter(|(_, row)| row["ok"] == false).map(|(name, _)| name.clone()).collect()
}

/// Each thread that is watched, held from outside and let go in time: named, counted, and no reason to end.
#[test]
fn threads_that_hang_are_named_in_the_status_and_may_come_back() {
    if !can_hold() {
        return;
    }
    let Some(site) = Site::start() else { return };
    let folder = shared::folder();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let manager = Manager::at(&folder.path().join("notify"));
    let text = self::site(
        site.broker.port,
        "127.0.0.1",
        &picture(1, 5),
        &format!(
            "{}control: {{ enabled: true, journal: {} }}\npump: {{ socket: {} }}\n",
            fire::OUTSIDE,
            at("journal.db"),
            at("nobody.sock")
        ),
    );
    let mut vigia = Instance::with_site(Path::new("models"), &text, &[], &manager.environment());
    assert_eq!(manager.next(), "READY=1");
    site.await_detections(1, 3);
    vigia.wait_log("| fire | broker_connected");
    let status = || site.status("alive");
    let stand = |want: &[&str]| {
        let what = format!("{want:?} to stand");
        wait_for(&what, PATIENCE, || stalled(&status()) == want);
    };
    stand(&[]);
    let mut parts: Vec<_> = vigia::liveness::Part::ALL.iter().map(|part| part.name()).collect();
    parts.sort_unstable();
    let shown = site.status("alive")["liveness"].as_object().expect("rows").clone();
    assert!(shown.keys().eq(&parts), "{shown:?}");

    let foreign = Hold::of(&vigia, &["camera-1", "detect"]);
    let own = Hold::of(&vigia, &["fire", "mqtt-fire", "pump-link"]);
    stand(&["fire", "fire_mqtt", "pump_link"]);
    drop(own);
    stand(&[]);
    // Nobody takes what the camera delivers, either.
    stand(&["cameras", "engine", "frames"]);
    assert!(vigia.log().contains("cameras (stream 1): no sign of life"), "{}", vigia.log());
    drop(foreign);
    stand(&[]);
    let rows = status()["liveness"].clone();
    for (name, row) in rows.as_object().expect("rows") {
        let stood =
            ["cameras", "engine", "fire", "fire_mqtt", "frames", "pump_link"].contains(&name.as_str());
        assert_eq!(row["stalls"], u64::from(stood), "{name}: {rows:#}");
        assert_eq!(row["ok"], true, "{name}");
    }
    site.await_detections(1, 3);
    // Nothing that was said meanwhile waits in the socket.
    while manager.within(Duration::from_millis(1)).is_some() {}
    manager.hears_in_time(3);
    vigia.signal("-TERM");
    assert!(vigia.wait(PATIENCE).success());
    wait_for("its last word", PATIENCE, || status()["status"] == "disconnected");
}
