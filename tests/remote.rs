//! What a technician asks of a box that has no shell, over a real broker: a factory reset, a support bundle.

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

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use broker::wait_for;
use control::{Site, picture};
use instance::{Instance, await_status, payloads};
use rauc::{AT_REST, RUNNING, Rig, ended};
use serde_json::{Value, json};

fn hut(site: &Site, it: &Rig, role: &str) -> Instance {
    let text = format!(
        "instance_id: hut\nmqtt: {{ host: 127.0.0.1, port: {} }}\nmetrics: {{ interval_s: 0 }}\nstreams:\n{}\
         detector: {{ engine: rten }}\ncontrol: {{ enabled: true, unsigned_role: {role} }}\n",
        site.broker.port,
        picture(1, 5)
    );
    it.write("etc/vigia/site.yaml", &text);
    let environment = it.environment();
    let environment: Vec<(&str, &str)> = environment.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let vigia = Instance::with_site(Path::new("models"), &text, &[], &environment);
    await_status(&site.witness, "nvr/control/status/hut", "running");
    vigia
}

fn new_box(rig: Option<Rig>) -> Option<Rig> {
    let it = rig?;
    std::fs::create_dir_all(it.at("etc/vigia")).expect("ours");
    Some(it)
}

/// R-30 holds for it as for an update; one box at a time, and the answer is out before the restart.
#[test]
fn a_reset_by_mqtt_names_its_box_and_answers_before_the_restart() {
    let Some(site) = Site::start() else { return };
    let Some(it) = new_box(Rig::running()) else { return };
    let _vigia = hut(&site, &it, "admin");
    let ask = |params| site.order("factory_reset", params);
    let refused = |answer: &Value, code: &str, phrase: &str| {
        assert_eq!((&answer["ack_status"], &answer["code"]), (&json!("error"), &json!(code)), "{answer:#}");
        assert!(answer["message"].as_str().is_some_and(|m| m.contains(phrase)), "{answer:#}");
    };
    refused(&ask(json!({})), "missing_param", "confirm");
    refused(&ask(json!({ "confirm": "attic" })), "invalid_param", "it must be hut");
    it.write("systemctl.says", RUNNING);
    refused(&ask(json!({ "confirm": "hut" })), "not_at_rest", "the pump is not at rest: Running");
    it.write("systemctl.says", AT_REST);
    it.write("data/update/trial.A", "0.2.0\n");
    refused(&ask(json!({ "confirm": "hut" })), "failed", "0.2.0 in slot A is on trial");
    std::fs::remove_file(it.at("data/update/trial.A")).expect("ours");
    let mark = it.at("data/factory-reset");
    assert!(!mark.exists() && !it.at("run/vigia-update/request/request.json").exists());
    // Whoever left the request is not believed.
    it.write("systemctl.says", RUNNING);
    let wish = json!({ "id": "0123456789abcdef", "wish": { "action": "reset" } });
    it.write("run/vigia-update/request/request.json", &wish.to_string());
    let unit = ended(it.carry_out(&[]));
    assert!(
        unit.code == 1 && unit.sentence().contains("not at rest: Running") && !mark.exists(),
        "{unit:#?}"
    );
    it.write("systemctl.says", AT_REST);
    let id = site.tell(json!({ "command": "factory_reset", "params": { "confirm": "hut" } }));
    let unit = it.carry_out(&["--grace-s", "15"]);
    let answer = site.answer(&id, "the reset");
    assert_eq!(answer["ack_status"], "completed", "{answer:#}");
    assert!(mark.exists() && it.reboots() == 0, "settled, and the restart is still to come");
    let told = payloads(&site.witness, "nvr/control/status/hut/update");
    let is_told = |v: &Value| v["update"]["text"].as_str().is_some_and(|text| text.contains("emptied"));
    assert!(told.iter().any(is_told), "{told:#?}");
    assert_eq!((ended(unit).code, it.reboots(), site.finals(&id).len()), (0, 1, 1));
}

#[test]
fn a_bundle_comes_in_parts_whole_and_without_secrets() {
    let Some(site) = Site::start() else { return };
    let Some(it) = new_box(Rig::new()) else { return };
    it.write("etc/vigia/mqtt-password", "Broker-Wort-9\n");
    // More than is sent at once, of what cannot be packed small.
    let noise: String = std::iter::repeat_with(fastrand::alphanumeric).take(900_000).collect();
    it.write(
        "journal",
        &format!("said Broker-Wort-9 to rtsp://me:Kamera-Wort-5@10.0.0.8/b\n{noise}\nthe end\n"),
    );
    let journal = it.at("journal").display().to_string();
    it.write("bin/journalctl", &format!("#!/bin/sh\ncat '{journal}'\n"));
    std::fs::set_permissions(it.at("bin/journalctl"), std::fs::Permissions::from_mode(0o755)).expect("ours");
    let _vigia = hut(&site, &it, "admin");
    let (out, port) = (it.at("hall.tar.gz").display().to_string(), site.broker.port.to_string());
    let asked = it.start(&[
        "ctl",
        "support_bundle",
        "--out",
        &out,
        "--instance",
        "hut",
        "--timeout",
        "120",
        "--mqtt-host",
        "127.0.0.1",
        "--mqtt-port",
        &port,
    ]);
    wait_for("a wish", Duration::from_secs(60), || it.at("run/vigia-update/request/support").exists());
    let busy = site.order("support_bundle", json!({}));
    assert_eq!(busy["code"], "busy", "{busy:#}");
    let packed = it.vigia(&["support-bundle", "--requested"]);
    assert_eq!(packed.code, 0, "{packed:#?}");
    let run = ended(asked);
    assert!(
        run.code == 0 && run.stdout.contains("\"parts\":") && run.stdout.contains("look into it"),
        "{run:#?}"
    );
    let told = || payloads(&site.witness, "nvr/control/status/hut/support");
    wait_for("all parts at the witness", Duration::from_secs(30), || {
        told().last().is_some_and(|part| part["part"] == part["parts"])
    });
    let parts = told();
    assert!(parts.len() > 4 && parts.iter().all(|p| p["parts"] == json!(parts.len())), "{}", parts.len());
    assert_eq!(
        std::fs::read(&out).expect("it came"),
        std::fs::read(it.at("data/support/support.tar.gz")).expect("kept")
    );
    let shown = Command::new("tar").args(["-xzOf", &out]).output().expect("tar is there");
    let text = String::from_utf8_lossy(&shown.stdout);
    assert!(
        shown.status.success()
            && text.contains("said *** to rtsp://***@10.0.0.8/b")
            && text.contains("the end")
    );
    assert!(!text.contains("Wort"), "a secret is in it");
    let mode = |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode(Path::new(&out)), mode(&it.at("data/support/support.tar.gz"))), (0o600, 0o640));
    // A wish that is none is not carried out again and again.
    it.write("run/vigia-update/request/support", "../../etc/shadow");
    let run = it.vigia(&["support-bundle", "--requested"]);
    assert!(run.code == 1 && run.sentence().contains("it is no wish"), "{run:#?}");
    assert!(!it.at("run/vigia-update/request/support").exists());
    for (args, phrase) in [
        (&["ctl", "support_bundle", "--instance", "hut"][..], "--out"),
        (&["ctl", "support_bundle", "--out", "new"], "--instance"),
        (&["ctl", "ping", "--out", "new"], "nothing else brings a file"),
        (&["ctl", "support_bundle", "--instance", "hut", "--out", &out], "there already"),
    ] {
        let run = it.vigia(args);
        assert!(run.code == 2 && run.stderr.contains(phrase), "{run:#?}");
    }
}

/// Both are for admins, as updates are.
#[test]
fn a_technician_neither_resets_nor_reads_journals() {
    let Some(site) = Site::start() else { return };
    let Some(it) = new_box(Rig::new()) else { return };
    let _vigia = hut(&site, &it, "technician");
    for (command, params) in [("factory_reset", json!({ "confirm": "hut" })), ("support_bundle", json!({}))] {
        let answer = site.order(command, params);
        assert_eq!(answer["code"], "forbidden", "{answer:#}");
    }
    assert!(!it.at("run/vigia-update/request/support").exists());
}
