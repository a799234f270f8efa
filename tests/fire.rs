//! Deciding, from what outside cameras say to what the pump does, over a real broker.

#[path = "support/broker.rs"]
#[allow(dead_code, reason = "shared with the tests of the link")]
mod broker;
#[path = "support/control.rs"]
mod control;
#[path = "support/fire.rs"]
mod fire;
#[path = "support/instance.rs"]
mod instance;
#[path = "support/shared.rs"]
mod shared;

use std::ffi::OsStr;
use std::time::Duration;

use broker::{rest, wait_for};
use control::{Site, picture};
use fire::{Ears, OUTSIDE, Outside, Pump};
use instance::Instance;
use serde_json::{Value, json};
use shared::Run;

fn vigia(site: &Site, args: &[&str]) -> Run {
    let port = site.broker.port.to_string();
    let mut all: Vec<&dyn AsRef<OsStr>> = args.iter().map(|a| a as &dyn AsRef<OsStr>).collect();
    all.extend([&"--mqtt-host" as &dyn AsRef<OsStr>, &"127.0.0.1", &"--mqtt-port", &port]);
    Run::vigia(&all)
}

/// K9, K14, K23, K24; C3, C9, C10.
#[test]
fn two_outside_cameras_confirm_and_why_says_what_was_missing_before() {
    let Some(site) = Site::start() else { return };
    let (ears, camera) = (Ears::open(&site), Outside::new(&site, "outside"));
    let grown = json!({ "confidence": 0.9, "bbox": [0.3, 0.3, 0.9, 0.9], "object_id": "a" }).to_string();
    // Kept by the broker since nobody knows when.
    camera.say("fire/detection/south", grown.as_bytes(), true);
    let _box = site.running("lookout", &picture(1, 5), OUTSIDE);
    ears.wait("system/fire_consensus/health", "online", |v| v["cameras_total"] == 2);
    ears.wait("system/trigger_telemetry/lookout/lwt", "online", |v| v["status"] == "online");
    // C2: once at least.
    let subscribed = site.broker.subscriptions();
    for filter in ["fire/detection/+", "frigate/events"] {
        assert!(subscribed.contains(&format!(" 1 {filter}\n")), "{subscribed}");
    }
    for _ in 0..8 {
        camera.see("north", "a", 0.2);
        rest(Duration::from_millis(200));
    }
    let large = format!("{{\"junk\":\"{}\"}}", "x".repeat(70_000));
    for (topic, payload) in [
        ("fire/detection/south", large.as_str()),
        ("fire/detection/south", "[0.3"),
        ("fire/detection/stranger", &grown),
        ("fire/detection/north", r#"{"confidence":0.9,"bbox":[0.1,0.1,0.05,0.05],"object_id":"b"}"#),
        ("fire/detection/north", r#"{"confidence":0.9,"bbox":[1],"object_id":"c"}"#),
        ("fire/detection/north", r#"{"confidence":0.3,"bbox":[0.1,0.1,0.4,0.4],"object_id":"d"}"#),
    ] {
        camera.say(topic, payload.as_bytes(), false);
    }
    let why = || vigia(&site, &["why", "--camera", "north", "--instance", "lookout"]);
    wait_for("the near miss", Duration::from_secs(20), || {
        why().stdout.contains("became 1.00 times as large")
    });
    let said = why();
    assert_eq!(said.code, 0, "{said:#?}");
    for sentence in [
        "camera north, object a: became 1.00 times as large; 1.20 is needed",
        "its box looks like left, top, width, height",
        "its box is not four numbers",
        "confidence 0.300; at least 0.700 counts",
    ] {
        assert!(said.stdout.contains(sentence), "{sentence}: {}", said.stdout);
    }
    let south = vigia(&site, &["why", "--camera", "south", "--json", "--instance", "lookout"]).json_lines();
    let refused: Vec<&Value> = south[0]["records"].as_array().expect("records").iter().collect();
    for reason in ["retained, so nobody knows how old it is", "too large", "no JSON object"] {
        assert!(refused.iter().any(|r| r["refused"] == reason), "{reason}: {south:#?}");
    }
    assert!(ears.heard("fire/trigger").is_empty(), "nothing burns");
    let stranger = vigia(&site, &["why", "--camera", "stranger", "--instance", "lookout"]);
    assert!(stranger.code == 1 && stranger.stdout.contains("no camera stranger"), "{stranger:#?}");

    camera.burn(&["north", "south"]);
    let fire = ears.wait("fire/trigger", "a fire", |_| true);
    assert_eq!(fire["consensus_cameras"], json!(["north", "south"]));
    assert_eq!(fire["fire_locations"], json!([["north", "f"], ["south", "f"]]));
    assert_eq!((&fire["action"], &fire["confidence"]), (&json!("trigger"), &json!("high")));
    assert_eq!((&fire["service_id"], fire.get("zones")), (&json!("lookout"), None), "{fire:#}");
    let alarm = ears.condition("alarm", "lookout", "fire");
    assert_eq!(alarm["subject"], "site");
    let why = || vigia(&site, &["why", "--instance", "lookout"]).stdout;
    wait_for("the broker has taken it over", Duration::from_secs(20), || why().contains("was taken over"));
    let said = why();
    println!("{said}");
    assert!(said.contains("sector site: FIRE 1: 2 votes, 2 needed"), "{said}");
    assert!(said.contains("camera south, object f: votes: it grows"), "{said}");
    let status = site.order("status", json!({}));
    assert_eq!(status["ack_status"], "completed");
    wait_for("the panel in the status", Duration::from_secs(5), || {
        site.status("lookout")["panel"]["alarm"] == 1
    });
    camera.burn(&["north", "south"]);
    assert_eq!(ears.heard("fire/trigger").len(), 1, "one fire is one trigger");
    // Silent now, so both go blind, and the sector says that it can't confirm anything.
    let silent = |v: &Value| v["active"].to_string().contains("camera north is silent: no new picture");
    ears.wait("system/trouble/lookout", "a silent camera", silent);
    let quorum = ears.condition("supervisory", "lookout", "quorum_impossible");
    assert!(quorum["text"].as_str().is_some_and(|t| t.contains("2 must agree")), "{quorum}");
}

/// R-24, R-29.
#[test]
fn a_test_picture_stands_still_and_streams_that_come_are_counted_or_said() {
    let Some(site) = Site::start() else { return };
    let ears = Ears::open(&site);
    let fire = "fire: { cameras_needed: 1, camera_timeout_s: 10 }\n";
    let _box = site.running("own", &picture(1, 10), fire);
    let health = |wanted: fn(&Value) -> bool| ears.wait("system/fire_consensus/health", "cameras", wanted);
    let seen = health(|v| v["cameras"]["1"]["sight"] == "sees" || v["cameras"]["1"]["sight"] == "frozen");
    assert_eq!(seen["cameras_total"], 1, "{seen:#}");
    let uri = "test://pattern?width=160&height=120&fps=10";
    let added = site.order("add_stream", json!({ "source_id": 8, "stream_uri": uri }));
    assert_eq!(added["ack_status"], "completed", "{added:#}");
    ears.wait("system/fire_consensus/health", "the new camera counts", |v| v["cameras_total"] == 2);
    let removed = site.order("remove_stream", json!({ "source_id": 8 }));
    assert_eq!(removed["ack_status"], "completed", "{removed:#}");
    let last = || ears.last("system/fire_consensus/health")["cameras_total"].clone();
    wait_for("the camera is gone", Duration::from_secs(40), || last() == 1);
    let slow = site.order("set_fps", json!({ "max_fps": 0.1 }));
    assert_eq!(slow["ack_status"], "completed", "{slow:#}");
    let outdated = ears.condition("trouble", "own", "cameras_outdated");
    assert!(outdated["text"].as_str().is_some_and(|t| t.contains("pictures a second")), "{outdated}");
    let why = vigia(&site, &["why", "--instance", "own", "--json"]).json_lines();
    assert!(why[0]["records"].is_array(), "{why:#?}");
}

/// R-24, H: the pump program is not there.
#[test]
fn an_absent_pump_is_trouble_everywhere() {
    let Some(site) = Site::start() else { return };
    let (ears, folder) = (Ears::open(&site), shared::folder());
    let (journal, socket) = (folder.path().join("journal.db"), folder.path().join("none.sock"));
    let more = format!(
        "control: {{ enabled: true, journal: {} }}\npump: {{ socket: {}, orders_from: [unsigned] }}\n",
        journal.display(),
        socket.display()
    );
    let _box = site.running("dry", &picture(1, 5), &more);
    let trouble = ears.condition("trouble", "dry", "pump_unreachable");
    assert!(trouble["text"].as_str().is_some_and(|t| t.contains("none.sock")), "{trouble}");
    ears.wait("gpio/status", "offline", |v| v["online"] == false);
    wait_for("the status tells it", Duration::from_secs(5), || {
        site.status("dry")["pump"]["reached"] == false
    });
    for action in ["status", "stop", "valve-open"] {
        let run = vigia(&site, &["ctl", "pump", action, "--instance", "dry"]);
        assert!(run.code == 1 && run.stdout.contains("is not reached"), "{action}: {run:#?}");
    }
    let typo = vigia(&site, &["ctl", "pump", "stopp", "--instance", "dry"]);
    assert!(typo.code == 2 && typo.stderr.contains("acknowledge"), "{typo:#?}");
    let watch = vigia(&site, &["watch", "--plain", "--seconds", "10"]);
    assert!(watch.stdout.contains("dry trouble: the pump program is not reached"), "{}", watch.stdout);
    let why = vigia(&site, &["ctl", "why", "--instance", "dry"]);
    assert!(why.code == 1 && why.stdout.contains("not available"), "{why:#?}");
}

struct Plant {
    site: Site,
    ears: Ears,
    pump: Pump,
    folder: tempfile::TempDir,
}

impl Plant {
    fn start() -> Option<Self> {
        let site = Site::start()?;
        let pump = Pump::start();
        let (ears, folder) = (Ears::open(&site), shared::folder());
        let secrets = folder.path().join("secrets.yaml");
        std::fs::write(&secrets, "boss: { username: boss, password: \"very secret\" }\n").expect("ours");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&secrets, mode).expect("ours");
        Some(Self { site, ears, pump, folder })
    }

    fn instance(&self) -> Instance {
        let dir = self.folder.path();
        let more = format!(
            "secrets_file: {}\ncontrol:\n  enabled: true\n  journal: {}\n  unsigned_role: operator\n  \
             keys: [{{ id: boss, role: technician, credentials: boss }}]\n{OUTSIDE}{}",
            dir.join("secrets.yaml").display(),
            dir.join("journal.db").display(),
            self.pump.section("unsigned, boss"),
        );
        self.site.instance("wet", &picture(1, 5), &more)
    }

    fn state(&self, state: &str) -> Value {
        self.ears.wait("gpio/status", state, |v| v["state"] == state)
    }

    fn told(&self, action: &str) -> Value {
        self.ears.wait("system/trigger_telemetry", action, |v| v["action"] == action)
    }
}

/// K24, C1: the demand reaches the pump, the run is told; kill -9 and a broker that is away lose none of it.
#[test]
fn a_fire_becomes_water_and_no_event_is_lost_over_kills() {
    let Some(mut plant) = Plant::start() else { return };
    let vigia = plant.instance();
    plant.state("IDLE");
    let camera = Outside::new(&plant.site, "outside");
    camera.burn(&["north", "south"]);
    plant.told("demand_accepted");
    plant.told("pump_sequence_start");
    let running = plant.told("engine_running");
    assert_eq!(running["host"], "wet");
    let state = &running["system_state"];
    assert_eq!((&state["main_valve"], &state["engine_on"]), (&json!(true), &json!(true)), "{running:#}");
    plant.ears.condition("alarm", "wet", "fire");
    plant.ears.condition("supervisory", "wet", "pump_simulated");
    vigia.signal("-KILL");
    drop(vigia);
    plant.site.broker.kill();
    // It goes on safely by itself, and vigia takes what it tells although nobody listens yet.
    let second = plant.instance();
    second.wait_log("pump_reached");
    second.wait_log("shutdown_complete");
    second.signal("-KILL");
    drop(second);
    plant.site.broker.launch();
    plant.site.reconnect();
    plant.ears.again(&plant.site);
    let _third = plant.instance();
    plant.told("shutdown_complete");
    let owed = || {
        let heard = plant.ears.last("gpio/status");
        heard["online"] == true && heard["events_unacknowledged"] == 0
    };
    wait_for("all events are acknowledged", Duration::from_secs(60), owed);
    let whole = || {
        let numbers = plant.ears.numbers();
        numbers.len() > 8 && numbers == (1..=numbers.len() as u64).collect::<Vec<_>>()
    };
    wait_for("no number is missing", Duration::from_secs(30), whole);
    // The pump program dies and comes back: noticed, and over.
    let heard = plant.ears.heard("system/trouble/wet").len();
    plant.pump.kill();
    let before = vigia::clock::now();
    plant.ears.condition_after(heard, "trouble", "wet", "pump_unreachable");
    let took = vigia::clock::now().since(before);
    assert!(took < Duration::from_secs(10), "within a second, and a busy machine's: {took:?}");
    plant.pump.again();
    wait_for("the trouble is over", Duration::from_secs(30), || {
        !plant.ears.last("system/trouble/wet").to_string().contains("pump_unreachable")
    });
}

/// H15, P33, T1 to T5: who may, and what everybody else is told.
#[test]
fn orders_come_only_from_those_the_site_lists() {
    let Some(plant) = Plant::start() else { return };
    let hand = Outside::new(&plant.site, "hand");
    hand.say("fire/emergency", b"stop", true);
    let vigia = plant.instance();
    plant.state("IDLE");
    let signed = |topic: &str, command: Value, key: &[u8]| {
        let text = command.to_string();
        let signature = hmac_hex(key, text.as_bytes());
        let payload = json!({ "signed": text, "key_id": "boss", "signature": signature });
        hand.say(topic, payload.to_string().as_bytes(), false);
    };
    let now = vigia::clock::utc;
    let refused = |code: &str, count: usize| {
        let of = || plant.site.acks().into_iter().filter(|a| a["code"] == code).count();
        wait_for(&format!("{count} x {code}"), Duration::from_secs(20), || of() >= count);
    };
    vigia.wait_log("order_retained");
    // An operator may stop, and not start.
    hand.say("fire/emergency", br#"{"action":"bypass_start"}"#, false);
    hand.say("fire/emergency", br#"{"command":"start","action":"stop"}"#, false);
    refused("forbidden", 1);
    refused("invalid_param", 1);
    hand.say("fire/trigger", br#"{"action":"trigger"}"#, false);
    refused("forbidden", 2);
    hand.say(
        "fire/emergency",
        format!("{{\"action\":\"stop\",\"x\":\"{}\"}}", "x".repeat(5_000)).as_bytes(),
        false,
    );
    refused("too_large", 1);
    let old = vigia_core::event::Utc::from_unix_ns(now().as_unix_ns() - 60_000_000_000);
    signed(
        "fire/trigger",
        json!({ "action": "trigger", "request_id": "t1", "issued_at": old }),
        b"very secret",
    );
    refused("expired", 1);
    signed("fire/trigger", json!({ "action": "trigger", "request_id": "t2", "issued_at": now() }), b"forged");
    refused("bad_signature", 1);
    assert!(plant.ears.heard("system/trigger_telemetry").iter().all(|v| v["action"] != "demand_accepted"));
    signed(
        "fire/trigger",
        json!({ "action": "trigger", "request_id": "t3", "issued_at": now() }),
        b"very secret",
    );
    let accepted = plant.told("demand_accepted");
    assert_eq!(accepted["source"], "network", "{accepted:#}");
    let ack = plant.site.answer("t3", "a trigger");
    assert_eq!(ack["ack_status"], "completed", "{ack:#}");
    hand.say("fire/emergency", b"STOP", false);
    plant.state("EMERGENCY_STOP");
    let shown =
        crate::vigia(&plant.site, &["ctl", "pump", "status", "--instance", "wet", "--json"]).json_lines();
    assert!(shown.iter().any(|v| v["state"] == "EMERGENCY_STOP"), "{shown:#?}");
    let silence = crate::vigia(&plant.site, &["ctl", "pump", "silence", "--instance", "wet"]);
    assert!(silence.code == 0 && silence.stdout.contains("completed"), "{silence:#?}");
    let reset = crate::vigia(&plant.site, &["ctl", "pump", "reset", "--instance", "wet"]);
    assert!(reset.code == 1 && reset.stdout.contains("technician"), "{reset:#?}");
}

fn hmac_hex(key: &[u8], text: &[u8]) -> String {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(key).expect("any length");
    mac.update(text);
    data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes())
}
