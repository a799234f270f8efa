//! Updates as a technician asks for them, with the real RAUC on two slots that are files. What happens after the restart is
//! the virtual appliance's to show.

#[path = "support/broker.rs"]
#[allow(dead_code, reason = "shared with the tests of the link")]
mod broker;
#[path = "support/control.rs"]
mod control;
#[path = "support/instance.rs"]
mod instance;
#[path = "support/rauc.rs"]
mod rauc;
#[path = "support/shared.rs"]
mod shared;

use std::path::Path;
use std::time::Duration;

use broker::wait_for;
use control::{Site, picture};
use instance::{Instance, await_status, payloads};
use rauc::{AT_REST, RUNNING, Rig, ended};
use serde_json::json;
use vigia::clock;

/// What `vigia` leaves: alarms, and seconds since a fire.
fn rest(alarms: usize, fire_s: Option<u64>, age_s: u64) -> String {
    let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("Linux");
    let ago = |s: u64| clock::now().0.saturating_sub(s * 1_000_000_000);
    let told = json!({ "alarms": alarms, "fire_at": fire_s.map(ago) });
    json!({ "boot_id": boot_id.trim(), "at": ago(age_s), "told": told }).to_string()
}

/// 0 at rest, 1 not, 2 cannot be told; a sentence for each reason.
#[test]
fn a_box_is_at_rest_or_says_why_not() {
    let Some(it) = Rig::new() else { return };
    let no_pump = "LoadState=loaded\nActiveState=inactive\nResult=exec-condition\nStatusText=\n";
    let dead = "LoadState=loaded\nActiveState=activating\nResult=watchdog\nStatusText=at rest: Idle\n";
    for (says, vigia, code, phrases) in [
        (AT_REST, rest(0, None, 0), 0, &["at rest"][..]),
        (no_pump, rest(0, None, 0), 0, &["at rest"]),
        (RUNNING, rest(0, None, 0), 1, &["the pump is not at rest: Running"]),
        (dead, rest(0, None, 0), 1, &["vigia-pump should run and does not (activating)"]),
        (AT_REST, rest(1, Some(120), 0), 1, &["an alarm stands", "a fire was seen 2 minutes ago"]),
        (AT_REST, rest(0, Some(3_500), 0), 1, &["58 minutes ago"]),
        (AT_REST, rest(1, Some(5), 60), 0, &["vigia does not run, so only the pump was asked"]),
        (AT_REST, String::new(), 0, &["only the pump was asked"]),
        (RUNNING, "{}".to_owned(), 1, &["Running"]),
        ("", rest(0, None, 0), 2, &["systemctl"]),
    ] {
        it.write("systemctl.says", says);
        it.write("run/vigia-box/rest.json", &vigia);
        let run = it.vigia(&["update", "idle"]);
        assert_eq!(run.code, code, "{says} {vigia}: {run:#?}");
        let said = run.stdout.clone() + &run.stderr;
        assert!(phrases.iter().all(|phrase| said.contains(phrase)), "{says} {vigia}: {run:#?}");
        let shown = it.vigia(&["update", "idle", "--json"]);
        assert_eq!(shown.code, code, "{shown:#?}");
    }
}

/// RAUC's own judgement of real bundles, and ours.
#[test]
fn a_bundle_is_looked_at_before_it_is_taken() {
    let Some(it) = Rig::new() else { return };
    let check = |bundle: &Path| it.vigia(&["update", "check", &bundle.display().to_string()]);
    let good = it.bundle("good.raucb", "vigia-test", "0.3.0", "keys");
    let run = check(&good);
    assert!(run.code == 0 && run.stdout.contains("0.3.0, newer than 0.2.0, which runs"), "{run:#?}");
    assert!(run.stdout.trim_end().ends_with("«vigia 0.3.0, TensorRT 10.16»"), "{run:#?}");
    // Going back is allowed down to the floor.
    let run = check(&it.bundle("floor.raucb", "vigia-test", "0.1.5", "keys"));
    assert!(run.code == 0 && run.stdout.contains("older than 0.2.0"), "{run:#?}");
    let mut bytes = std::fs::read(&good).expect("ours");
    bytes[200] ^= 1;
    std::fs::write(it.at("tampered.raucb"), &bytes).expect("ours");
    std::fs::write(it.at("torn.raucb"), &bytes[..bytes.len() / 2]).expect("ours");
    it.write("text.raucb", "no bundle");
    for (bundle, phrase) in [
        (it.at("tampered.raucb"), "no bundle that this box trusts"),
        (it.at("torn.raucb"), "no bundle that this box trusts"),
        (it.at("text.raucb"), "no bundle that this box trusts"),
        (it.bundle("strange.raucb", "vigia-test", "0.3.0", "stranger"), "no bundle that this box trusts"),
        (it.bundle("old.raucb", "vigia-test", "0.1.4", "keys"), "0.1.4 is older than 0.1.5"),
        (
            it.bundle("other.raucb", "vigia-jetson", "0.3.0", "keys"),
            "for vigia-jetson, this box is vigia-test",
        ),
        (it.bundle("named.raucb", "vigia-test", "0.3-rc1", "keys"), "«0.3-rc1», not numbers with dots"),
        (it.at("absent.raucb"), "No such file"),
        (it.at("data"), "is no file"),
    ] {
        let run = check(&bundle);
        assert!(run.code == 1 && run.sentence().contains(phrase), "{phrase}: {run:#?}");
    }
    for (bundle, phrase) in [("http://x/a.raucb", "https"), ("https://u:geheim@x/a.raucb", "password")] {
        let run = it.vigia(&["update", "install", bundle]);
        assert!(run.code == 2 && run.stderr.contains(phrase) && !run.stderr.contains("geheim"), "{run:#?}");
    }
}

/// From the wish to the restart, which waits for the water that began meanwhile.
#[test]
fn it_is_written_and_the_restart_waits_until_nothing_is_disturbed() {
    let Some(it) = Rig::running() else { return };
    // As soon as the slot is written.
    it.write("wet", RUNNING);
    let wish = it.start(&["update", "install", &it.good(), "--json"]);
    let unit = it.carry_out(&[]);
    wait_for("the pump to be waited for", Duration::from_secs(60), || {
        it.state()["text"]
            .as_str()
            .is_some_and(|text| text.contains("which waits: the pump is not at rest: Running"))
    });
    assert!(it.is_written() && it.reboots() == 0 && it.state()["phase"] == "waiting", "{}", it.state());
    let wish = ended(wish);
    let steps = wish.json_lines();
    // Which phases are seen before this one depends on how fast the small slot is written.
    let last = steps.last().map(|s| (&s["phase"], &s["version"]));
    assert_eq!(last, Some((&json!("waiting"), &json!("0.3.0"))), "{steps:#?}");
    std::fs::remove_file(it.at("wet")).expect("ours");
    let unit = ended(unit);
    assert!(unit.code == 0 && unit.stdout.contains("0.3.0 is written"), "{unit:#?}");
    assert_eq!((it.reboots(), it.state()["phase"].as_str()), (1, Some("restarting")));
    let status = it.vigia(&["update", "status", "--json"]).json_lines().remove(0);
    assert_eq!((&status["version"], &status["slot"]), (&json!("0.2.0"), &json!("A")), "{status:#}");
    assert_eq!(status["slots"]["next"], "B", "{status:#}");
    assert_eq!(status["slots"]["all"][1]["version"], "0.3.0", "{status:#}");
    let line = status["history"][0].as_str().unwrap_or_default();
    assert!(line.contains("Z A 0.2.0 0.3.0 is written"), "{line}");
    let text = it.vigia(&["update", "status"]).stdout;
    assert!(text.contains("slot B   0.3.0, good, does not run"), "{text}");
}

/// Whoever left the request is not believed: everything is asked again by the one with the rights.
#[test]
fn what_must_not_be_is_not_written_whoever_asks() {
    let Some(it) = Rig::running() else { return };
    let good = it.good();
    let old = it.bundle("old.raucb", "vigia-test", "0.1", "keys").display().to_string();
    it.write("systemctl.says", RUNNING);
    let run = it.vigia(&["update", "install", &good]);
    assert!(
        run.code == 1 && run.sentence().contains("not now: the pump is not at rest: Running"),
        "{run:#?}"
    );
    for (says, bundle, phrase) in [
        (RUNNING, &good, "the pump is not at rest: Running"),
        ("", &good, "systemctl"),
        (AT_REST, &old, "0.1 is older than 0.1.5"),
        (AT_REST, &"/dev/null".to_owned(), "is no file"),
    ] {
        it.write("systemctl.says", says);
        let wish = json!({ "id": "0123456789abcdef", "wish": { "action": "install", "bundle": bundle } });
        it.write("run/vigia-update/request/request.json", &wish.to_string());
        let run = ended(it.carry_out(&[]));
        assert!(run.code == 1 && run.sentence().contains(phrase), "{run:#?}");
        assert_eq!(it.state()["phase"], "failed");
        assert!(it.state()["text"].as_str().is_some_and(|text| text.contains(phrase)), "{}", it.state());
        assert!(it.read("data/update/history").lines().last().is_some_and(|l| l.contains("install refused")));
    }
    it.write("data/update/trial.A", "0.2.0\n");
    let wish = it.start(&["update", "install", &good]);
    let _refused = ended(it.carry_out(&[]));
    let run = ended(wish);
    assert!(run.code == 1 && run.sentence().contains("0.2.0 in slot A is on trial itself"), "{run:#?}");
    std::fs::remove_file(it.at("data/update/trial.A")).expect("ours");
    assert!(!it.is_written() && it.reboots() == 0);
    // Without an end to the water the restart is left to somebody else.
    it.write("systemctl.says", AT_REST);
    it.write("wet", RUNNING);
    let wish = it.start(&["update", "install", &good]);
    let unit = ended(it.carry_out(&["--wait-max-s", "0.2"]));
    assert!(unit.code == 0 && it.state()["phase"] == "installed" && it.reboots() == 0, "{unit:#?}");
    assert_eq!(ended(wish).code, 0);
}

#[test]
fn going_back_needs_a_slot_that_may_run() {
    let Some(it) = Rig::running() else { return };
    let roll_back = || {
        let wish = it.start(&["update", "rollback"]);
        let unit = ended(it.carry_out(&[]));
        (ended(wish), unit)
    };
    let (run, _) = roll_back();
    assert!(run.code == 1 && run.sentence().contains("what slot B holds is not known"), "{run:#?}");
    let wish = it.start(&["update", "install", &it.good()]);
    assert_eq!(ended(it.carry_out(&[])).code, 0);
    assert_eq!(ended(wish).code, 0);
    it.write("primary", "A");
    it.write("state.B", "bad");
    let (run, _) = roll_back();
    assert!(run.code == 1 && run.sentence().contains("slot B is marked as bad"), "{run:#?}");
    it.write("state.B", "good");
    it.write("data/update/floor", "0.4\n");
    let (run, _) = roll_back();
    assert!(run.code == 1 && run.sentence().contains("holds 0.3.0, older than 0.4"), "{run:#?}");
    it.write("data/update/floor", "0.1.5\n");
    let (run, unit) = roll_back();
    assert!(run.code == 0 && unit.code == 0, "{run:#?} {unit:#?}");
    assert_eq!((it.read("primary").trim(), it.reboots()), ("B", 2));
}

/// The same over MQTT: progress on a topic, one final answer, and a box that says what it is.
#[test]
fn an_update_is_asked_for_by_mqtt() {
    let Some(site) = Site::start() else { return };
    let Some(it) = Rig::running() else { return };
    let text = format!(
        "instance_id: hut\nmqtt: {{ host: 127.0.0.1, port: {} }}\nmetrics: {{ interval_s: 0 }}\nstreams:\n{}\
         control: {{ enabled: true, unsigned_role: admin }}\n",
        site.broker.port,
        picture(1, 5)
    );
    let environment = it.environment();
    let environment: Vec<(&str, &str)> = environment.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let _vigia = Instance::with_site(Path::new("models"), &text, &[], &environment);
    await_status(&site.witness, "nvr/control/status/hut", "running");
    let topic = "nvr/control/status/hut/update";
    let told = || payloads(&site.witness, topic);
    wait_for("its version", Duration::from_secs(30), || told().iter().any(|v| v["version"] == "0.2.0"));
    // Whoever wants to restart the box learns of alarms from here.
    wait_for("its rest", Duration::from_secs(30), || {
        it.read("run/vigia-box/rest.json").contains("\"alarms\":0")
    });
    let ask = |params| site.order("update", params);
    let checked = ask(json!({ "action": "check", "bundle": it.good() }));
    assert_eq!(checked["ack_status"], "completed", "{checked:#}");
    assert!(told().iter().any(|v| v["checked"]["version"] == "0.3.0"));
    for (params, code, phrase) in [
        (json!({ "action": "install" }), "missing_param", "bundle"),
        (json!({ "action": "install", "bundle": "http://x/a" }), "invalid_param", "https"),
        (json!({ "action": "rollback", "bundle": "/a" }), "invalid_param", "takes none"),
        (json!({ "action": "check", "bundle": "/nowhere.raucb" }), "failed", "No such file"),
        (json!({ "action": "format" }), "invalid_param", "status, check, install or rollback"),
    ] {
        let answer = ask(params);
        assert_eq!((&answer["ack_status"], &answer["code"]), (&json!("error"), &json!(code)), "{answer:#}");
        assert!(answer["message"].as_str().is_some_and(|m| m.contains(phrase)), "{answer:#}");
    }
    it.write("systemctl.says", RUNNING);
    let answer = ask(json!({ "action": "install", "bundle": it.good() }));
    assert_eq!(answer["code"], "not_at_rest", "{answer:#}");
    it.write("systemctl.says", AT_REST);
    it.write("wet", RUNNING);
    // The answer waits for no question to RAUC: under emulation, the restart was faster.
    it.hold_rauc_status();
    let id =
        site.tell(json!({ "command": "update", "params": { "action": "install", "bundle": it.good() } }));
    let unit = it.carry_out(&[]);
    let answer = site.answer(&id, "the installation");
    assert_eq!(answer["ack_status"], "completed", "{answer:#}");
    assert!(it.is_written() && it.reboots() == 0);
    it.write("answered", "");
    wait_for("the other slot to be next", Duration::from_secs(30), || {
        told().last().is_some_and(|v| v["slots"]["next"] == "B")
    });
    let told = told();
    // Which phases are seen on the way depends on how fast the small slot is written.
    let under_way = ["checking", "installing", "waiting"];
    assert!(told.iter().any(|v| under_way.iter().any(|phase| v["update"]["phase"] == *phase)), "{told:#?}");
    std::fs::remove_file(it.at("wet")).expect("ours");
    assert_eq!(ended(unit).code, 0);
    assert_eq!((site.finals(&id).len(), it.reboots()), (1, 1));
}
