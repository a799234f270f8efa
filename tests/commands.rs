//! Commands over a real broker, as a technician sends them: what is acknowledged is so on the wire.
//! Rows are those of section 6 of the specification, B-numbers those of its must-not-regress list.

#[path = "support/broker.rs"]
#[allow(dead_code, reason = "shared with the tests of the link")]
mod broker;
#[path = "support/control.rs"]
mod control;
#[path = "support/gpu.rs"]
mod gpu;
#[path = "support/instance.rs"]
mod instance;
#[path = "support/shared.rs"]
mod shared;

use std::time::Duration;

use broker::{rest, wait_for};
use control::{Site, picture};
use gpu::{Decoders, Gpu, take_in};
use instance::await_status;
use serde_json::{Value, json};
use vigia_sim::{Camera, RtspServer};

fn completed(ack: &Value) -> &Value {
    assert_eq!(ack["ack_status"], "completed", "{ack:#}");
    ack
}

#[track_caller]
fn refused(ack: &Value, code: &str, message: &str) {
    let said = ack["message"].as_str().unwrap_or_default();
    assert!(ack["ack_status"] == "error" && ack["code"] == code && said.contains(message), "{ack:#}");
}

/// What was said of a request, in its order.
fn said(site: &Site, id: &str) -> Vec<Value> {
    site.acks().iter().filter(|a| a["request_id"] == id).map(|a| a["ack_status"].clone()).collect()
}

/// The same with instances that have a GPU, on the doubles of TensorRT and CUDA.
fn on_a_gpu(of: impl FnOnce(&Site)) {
    let Some(mut site) = Site::start() else { return };
    let (gpu, models) = (Gpu::new("{precision: fp32}", Decoders::None), shared::folder());
    let ids = ["lookout-n", "lookout-n-int8"];
    ids.into_iter().for_each(|id| take_in(models.path(), id, [96, 64], 0.9));
    gpu.build(models.path(), &ids);
    site.environment = gpu.environment(&[("VIGIA_CUDA_DELAY", "1")]);
    (site.models, site.engine) = (models.path().to_owned(), "tensorrt");
    of(&site);
    let status = site.status_of_any();
    assert!(status["engine"]["name"] == "tensorrt" && status["engine"]["degraded"].is_null(), "{status:#}");
}

#[test]
fn after_pause_is_completed_no_detection_follows() {
    let Some(site) = Site::start() else { return };
    pauses(&site);
}

#[test]
fn after_pause_on_a_gpu_is_completed_no_detection_follows() {
    on_a_gpu(pauses);
}

/// Rows 14, 15, 17, 18, 84; B-01, B-06, B-11.
fn pauses(site: &Site) {
    let _vigia = site.running("hall", &(picture(1, 30) + &picture(2, 30)), "");
    site.await_detections(1, 5);
    let (mut gated, mut resumed) = (Vec::new(), Vec::new());
    for round in 0..20 {
        let id = site.tell(json!({ "command": "PaUsE" }));
        let ack = site.answer(&id, "pause");
        assert_eq!(said(site, &id), ["received", "completed"]);
        gated.push(ack["duration_ms"].as_f64().expect("a number"));
        let effect = &completed(&ack)["effect"];
        assert_eq!(effect["paused_sources"], json!([1, 2]));
        for last in effect["last_frame"].as_array().expect("what was said last") {
            let of = instance::payloads(&site.witness, &format!("nvr/detections/{}", last["source_id"]));
            assert_eq!(of.last().map(|d| &d["frame_id"]), Some(&last["frame_id"]), "the evidence holds");
        }
        rest(Duration::from_millis(if round == 0 { 500 } else { 40 }));
        assert_eq!(site.detections_after(&id), Vec::<Value>::new(), "round {round}");
        assert_eq!(site.status("hall")["status"], "paused");
        if round == 0 {
            completed(&site.order("pause", json!({})));
            let pong = site.order("ping", json!({}));
            assert_eq!(completed(&pong)["command"], "ping");
            let status = site.pong("hall");
            assert_eq!(
                (&status["pong"], &status["health"]["is_paused"]),
                (&json!(true), &json!(true)),
                "{status:#}"
            );
        }
        let asked = vigia::clock::now();
        completed(&site.order("resume", json!({})));
        site.await_detections(1, 2);
        resumed.push(vigia::clock::now().since(asked));
        assert_eq!(site.status("hall")["status"], "running");
    }
    // The half of them: a machine that does other things, too, may hold up a few.
    gated.sort_by(f64::total_cmp);
    resumed.sort();
    assert!(gated[10] < 50.0 && resumed[10] < Duration::from_secs(1), "{gated:?} ms, {resumed:?}");
    let id = site.tell(json!({ "command": "pause", "params": { "source_id": 2 } }));
    assert_eq!(completed(&site.answer(&id, "pause 2"))["effect"]["paused_sources"], json!([2]));
    site.await_detections(1, 10);
    assert!(site.detections_after(&id).iter().all(|d| d["source_id"] == 1), "room 2 is silent, others flow");
    let status = site.status("hall");
    assert_eq!(
        (&status["status"], &status["paused_sources"]),
        (&json!("running"), &json!([2])),
        "{status:#}"
    );
    completed(&site.order("pause", json!({ "source_id": 1, "timeout_s": 0.3 })));
    site.await_detections(1, 3);
    refused(
        &site.order("pause", json!({ "source_id": 9 })),
        "not_found",
        "Stream with source_id 9 not found",
    );
}

#[test]
fn after_a_model_is_changed_every_detection_carries_it() {
    let Some(site) = Site::start() else { return };
    changes_models(&site);
}

#[test]
fn after_a_model_is_changed_on_a_gpu_every_detection_carries_it() {
    on_a_gpu(changes_models);
}

/// Rows 20 to 24; B-04, B-08, B-09, B-10, B-13.
fn changes_models(site: &Site) {
    let _vigia = site.running("swap", &(picture(1, 20) + &picture(2, 20)), "");
    for room in [1, 2] {
        site.await_detections(room, 3);
    }
    let (mut last_generation, mut shown) = (1, 0);
    for model in ["lookout-n-int8", "  lookout-n  ", "lookout-n-int8"] {
        let id = site.tell(json!({ "command": "change_model", "params": { "model_id": model } }));
        let ack = site.answer(&id, model);
        let effect = &completed(&ack)["effect"];
        assert_eq!(effect["model_id"], model.trim());
        last_generation += 1;
        assert_eq!(effect["generation"], last_generation, "{ack:#}");
        assert_eq!(said(site, &id), ["received", "completed"]);
        for room in [1, 2] {
            site.await_detections(room, 5);
            let all = instance::payloads(&site.witness, &format!("nvr/detections/{room}"));
            // Each swap cuts once.
            let swaps = all.windows(2).filter(|w| w[0]["model_id"] != w[1]["model_id"]).count();
            assert_eq!(
                swaps as u64 + 1,
                effect["generation"].as_u64().expect("a number"),
                "room {room} is mixed"
            );
        }
        let after = site.detections_after(&id);
        assert!(after.iter().all(|d| d["model_id"] == model.trim()), "none of the old one follows");
        let at = |frame: &Value| {
            let seen = site.witness.seen();
            seen.iter()
                .filter(|s| s.topic == format!("nvr/detections/{}", frame["source_id"]))
                .map(control::json_of)
                .find(|d| d["frame_id"] == frame["frame_id"])
                .expect("it is on the wire")
        };
        // Of rooms that gave one within a second.
        for first in effect["first_frame"].as_array().into_iter().flatten() {
            shown += 1;
            assert_eq!(at(first)["model_id"], model.trim(), "the evidence holds");
        }
        for last in effect["last_frame"].as_array().expect("frames") {
            assert_ne!(at(last)["model_id"], model.trim());
        }
    }
    assert!(shown > 0, "three changes, and none has shown its effect");
    let states = site.states("swap");
    assert!(states.windows(2).any(|w| w == ["reconfiguring", "running"]), "{states:?}");
    let unknown = site.order("change_model", json!({ "model_id": "nonesuch" }));
    refused(&unknown, "unknown_model", "nonesuch");
    site.await_detections(1, 2);
    let of_1 = instance::payloads(&site.witness, "nvr/detections/1");
    assert_eq!(of_1.last().map(|d| &d["model_id"]), Some(&json!("lookout-n-int8")));
    for (params, message) in [
        (json!({}), "Missing required parameter: model_id"),
        (json!({ "model_id": "" }), "non-empty"),
        (json!({ "model_id": "   " }), "non-empty"),
        (json!({ "model_id": 123 }), "must be string"),
        (json!({ "model_id": null }), "model_id"),
    ] {
        let ack = site.order("change_model", params);
        assert!(
            ack["ack_status"] == "error" && ack["message"].as_str().is_some_and(|m| m.contains(message)),
            "{ack:#}"
        );
    }
    refused(
        &site.ask(json!({ "command": "change_model" })),
        "missing_param",
        "Missing required parameter: model_id",
    );
    site.await_detections(1, 3);
    assert_eq!(site.status("swap")["status"], "running");
    let same = site.order("change_model", json!({ "model_id": "lookout-n-int8" }));
    assert_eq!(completed(&same)["effect"]["unchanged"], true);
}

/// Rows 25 to 32; B-07, B-14, B-15.
#[test]
fn streams_come_and_go_without_disturbing_others() {
    let Some(site) = Site::start() else { return };
    let server = RtspServer::start().expect("server");
    for room in ["/live/0", "/live/8", "/live/10"] {
        server.add(room, Camera::pattern(160, 120, 15)).expect("mount");
    }
    // A busy machine's gap of a second is no disturbance.
    let patient = "camera: { silence_min_s: 10, connect_timeout_s: 8 }\n";
    let base = format!("stream_server: \"{}\"\n{patient}", server.url("/live"));
    let vigia = site.running("rooms", "  - { source_id: 0 }\n", &base);
    site.await_detections(0, 3);
    let added = site.order("add_stream", json!({ "source_id": 8 }));
    assert_eq!(completed(&added)["effect"]["first_frame"][0]["source_id"], 8);
    site.await_detections(8, 3);
    refused(
        &site.order("add_stream", json!({ "source_id": "8" })),
        "already_exists",
        "Stream with source_id 8 already exists",
    );
    let absent = site.order("add_stream", json!({ "source_id": 99 }));
    refused(&absent, "unreachable", "99");
    assert!(absent["duration_ms"].as_f64().is_some_and(|ms| ms < 12_000.0), "{absent:#}");
    let log = vigia.log();
    let of_0: Vec<_> =
        log.lines().filter(|l| l.contains("| stream_") && l.contains("source_id=0 ")).collect();
    assert!(of_0.len() == 2 && of_0[1].contains("state=running"), "room 0 was disturbed: {of_0:#?}");
    assert_eq!(site.status("rooms")["status"], "running", "a failed check leaves the state alone");
    site.await_detections(0, 2);
    let id = site.tell(json!({ "command": "remove_stream", "params": { "source_id": 0.9 } }));
    let gone = site.answer(&id, "remove");
    let last = &completed(&gone)["effect"]["last_frame"][0];
    site.await_detections(8, 5);
    assert!(site.detections_after(&id).iter().all(|d| d["source_id"] == 8));
    let of_0 = instance::payloads(&site.witness, "nvr/detections/0");
    assert_eq!(
        of_0.last().map(|d| &d["frame_id"]),
        Some(&last["frame_id"]),
        "the last frame is what the answer says"
    );
    refused(
        &site.order("remove_stream", json!({ "source_id": 8 })),
        "last_stream",
        "at least one stream required",
    );
    refused(
        &site.order("remove_stream", json!({ "source_id": 5 })),
        "not_found",
        "Stream with source_id 5 not found",
    );
    completed(&site.order("add_stream", json!({ "source_id": "10" })));
    for (params, message) in [
        (json!({ "source_id": -1 }), "cannot be negative"),
        (json!({ "source_id": "x" }), "must be numeric"),
        (json!({ "source_id": true }), "must be numeric"),
        (json!({}), "Missing required parameter: source_id"),
    ] {
        let ack = site.order("add_stream", params);
        assert!(ack["message"].as_str().is_some_and(|m| m.contains(message)), "{ack:#}");
    }
    for (fps, want) in [(json!("0.5"), 0.5), (json!(5), 5.0)] {
        completed(&site.order("set_fps", json!({ "max_fps": fps })));
        completed(&site.order("ping", json!({})));
        assert_eq!(site.pong("rooms")["config"]["max_fps"], want);
    }
    for fps in [json!(0), json!(-1.5), json!("x"), json!("NaN")] {
        let ack = site.order("set_fps", json!({ "max_fps": fps }));
        refused(&ack, "invalid_param", "Invalid max_fps");
    }
    completed(&site.order("ping", json!({})));
    assert_eq!(site.pong("rooms")["config"]["source_id_mapping"], json!([8, 10]));
}

/// Rows 16, 19, 33, 34, 47; B-02, B-03, B-05, B-12, B-17, B-19, B-23.
#[test]
fn a_restart_keeps_the_pause_and_never_deafens() {
    let Some(site) = Site::start() else { return };
    let _vigia = site.running("again", &picture(1, 20), "");
    assert_eq!(site.states("again")[..3], ["connected", "starting", "running"]);
    site.await_detections(1, 3);
    completed(&site.order("pause", json!({})));
    let id = site.tell(json!({ "command": "restart" }));
    let second = site.tell(json!({ "command": "restart" }));
    completed(&site.order("ping", json!({})));
    refused(&site.answer(&second, "second restart"), "busy", "restart in progress");
    completed(&site.answer(&id, "restart"));
    assert_eq!(site.status("again")["status"], "paused");
    rest(Duration::from_millis(300));
    assert_eq!(site.detections_after(&id), Vec::<Value>::new());
    completed(&site.order("resume", json!({})));
    site.await_detections(1, 3);
    completed(&site.order("metrics", json!({})));
    let report = instance::payloads(&site.witness, "nvr/control/status/metrics/again").remove(0);
    assert!(report["inference_throughput"].as_f64().is_some_and(|fps| fps > 0.0), "{report:#}");
    let states = site.states("again");
    assert!(states.iter().any(|s| s == "restarting"), "{states:?}");
}

/// Rows 35 to 40; B-10, B-26; the envelope's times and the ledger.
#[test]
fn envelopes_are_read_as_written_or_refused() {
    let Some(site) = Site::start() else { return };
    // Kept by the broker since nobody knows when: a stale command is not obeyed.
    site.send(br#"{"command":"pause"}"#, true);
    let vigia = site.running("proc-abc", &picture(1, 5), "");
    for (command, code) in [
        (json!({ "command": "invalid_command" }), "unknown_command"),
        (json!({ "command": 5 }), "malformed"),
        (json!({ "command": "ping", "params": [] }), "malformed"),
        (json!({ "command": "ping", "target_instances": 7 }), "malformed"),
        (json!({}), "unknown_command"),
        (json!({ "command": "pause", "expires_at": "2001-01-01T00:00:00Z" }), "expired"),
        (json!({ "command": "pause", "issued_at": "2201-01-01T00:00:00Z" }), "issued_in_future"),
    ] {
        let ack = site.ask(command.clone());
        assert!(ack["code"] == code && ack["instance_id"] == "proc-abc", "{command}: {ack:#}");
    }
    let ack = site.order("invalid_command", json!({}));
    refused(&ack, "unknown_command", "Available: add_stream, batch_commands, ");
    let unknown = site.tell(json!({ "command": "invalid_command" }));
    site.answer(&unknown, "unknown");
    assert_eq!(said(&site, &unknown), ["received", "error"]);
    let told = site.witness.count("nvr/control/status/proc-abc");
    completed(&site.order("status", json!({})));
    assert!(site.witness.count("nvr/control/status/proc-abc") > told, "it is told");
    let before = site.acks().len();
    for nobody in [json!(["proc"]), json!("proc"), json!(["proc-abc-2", "other"])] {
        site.tell(json!({ "command": "pause", "target_instances": nobody }));
    }
    site.send(b"{broken", false);
    site.send(&[0xff, 0xfe, 0x00], false);
    site.send(&vec![b'['; 100_000], false);
    for all in
        [json!(["*"]), json!([]), json!(null), json!(["*", "x"]), json!("proc-abc"), json!(["proc-abc"])]
    {
        completed(&site.ask(json!({ "command": "ping", "target_instances": all })));
    }
    let others: Vec<_> = site.acks().into_iter().skip(before).filter(|a| a["command"] == "pause").collect();
    assert_eq!(others, Vec::<Value>::new());
    vigia.wait_log("json_decode_error");
    // Found in review: an envelope that was refused must not answer for another's request.
    let broken = site.ask(json!({ "command": 5, "request_id": "later" }));
    refused(&broken, "malformed", "");
    site.tell(json!({ "command": "set_fps", "params": { "max_fps": 6 }, "request_id": "later" }));
    wait_for("its own answer", Duration::from_secs(10), || site.finals("later").len() == 2);
    completed(&site.finals("later")[1]);
    let again = json!({ "command": "set_fps", "params": { "max_fps": 4 }, "request_id": "mine" });
    let first = site.ask(again.clone());
    completed(&first);
    site.tell(again);
    wait_for("the stored answer", Duration::from_secs(5), || site.finals("mine").len() == 2);
    assert_eq!(site.finals("mine")[1], first, "word for word");
    let reused = json!({ "command": "set_fps", "params": { "max_fps": 3 }, "request_id": "mine" });
    site.tell(reused);
    wait_for("a refusal", Duration::from_secs(5), || site.finals("mine").len() == 3);
    refused(&site.finals("mine")[2], "request_id_reused", "");
}

/// Rows 45, 46; B-20.
#[test]
fn a_new_name_leaves_no_ghost() {
    let Some(site) = Site::start() else { return };
    let _other = site.running("taken", &picture(7, 1), "");
    let vigia = site.running("old", &picture(1, 20), "");
    site.await_detections(1, 2);
    for (name, code) in [("", ""), ("a/b", ""), ("x#", ""), ("taken", "name_taken")] {
        let ack = site.ask(json!({
            "command": "rename_instance", "params": { "new_instance_id": name }, "target_instances": ["old"]
        }));
        assert!(ack["ack_status"] == "error" && (code.is_empty() || ack["code"] == code), "{name}: {ack:#}");
    }
    let id = site.tell(json!({
        "command": "rename_instance", "params": { "new_instance_id": "emergency-room-2" }, "target_instances": ["old"]
    }));
    let ack = site.answer(&id, "rename");
    assert_eq!(completed(&ack)["instance_id"], "emergency-room-2");
    let status = site.status("emergency-room-2");
    assert_eq!((&status["renamed_from"], &status["status"]), (&json!("old"), &json!("running")));
    site.await_detections(1, 3);
    assert!(
        site.detections_after(&id)
            .iter()
            .filter(|d| d["source_id"] == 1)
            .all(|d| d["instance_id"] == "emergency-room-2")
    );
    let late = broker::Witness::start(site.broker.port, "late", "nvr/control/status/+").expect("broker");
    wait_for("retained states", Duration::from_secs(5), || late.count("nvr/control/status/") >= 2);
    let topics: Vec<_> = late.seen().into_iter().map(|s| s.topic).collect();
    assert!(!topics.contains(&"nvr/control/status/old".to_owned()), "{topics:?}");
    let ghost = site.tell(json!({ "command": "ping", "target_instances": ["old"] }));
    let new = |command: &str, params: Value| {
        site.ask(json!({ "command": command, "params": params, "target_instances": ["emergency-room-2"] }))
    };
    completed(&new("metrics", json!({})));
    assert_eq!(said(&site, &ghost), Vec::<Value>::new());
    let report = instance::payloads(&site.witness, "nvr/control/status/metrics/emergency-room-2").remove(0);
    assert_eq!(report["instance_id"], "emergency-room-2");
    completed(&new("pause", json!({})));
    completed(&new("rename_instance", json!({ "new_instance_id": "third" })));
    assert_eq!(site.status("third")["status"], "paused");
    vigia.signal("-KILL");
    let willed = || site.status("third")["reason"] == "lwt";
    wait_for("the will has moved with the name", Duration::from_secs(10), willed);
}

/// Rows 48, 77, 85; B-22.
#[test]
fn stop_ends_the_process_after_its_answer() {
    let Some(site) = Site::start() else { return };
    let secrets = shared::folder();
    let path = secrets.path().join("secrets.yaml");
    std::fs::write(&path, "boss: { username: boss, password: \"very secret\" }\n").expect("ours");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&path, mode).expect("ours");
    let more = format!(
        "secrets_file: {}\ncontrol: {{ enabled: true, unsigned_role: operator, keys: [{{ id: boss, role: admin, credentials: boss }}] }}\n",
        path.display()
    );
    let mut vigia = site.running("ends", &picture(1, 20), &more);
    site.await_detections(1, 2);
    refused(&site.order("stop", json!({})), "forbidden", "stop needs the role");
    assert!(vigia.is_running());
    refused(&site.order("history", json!({ "limit": 5 })), "forbidden", "history needs the role");
    let signed = |command: Value| {
        let text = command.to_string();
        let signature = hmac_hex(b"very secret", text.as_bytes());
        let signed = json!({ "signed": text, "key_id": "boss", "signature": signature });
        site.send(signed.to_string().as_bytes(), false);
    };
    let now = || vigia::clock::utc();
    signed(
        json!({ "command": "history", "params": { "limit": 5, "command": "stop" }, "request_id": "past", "issued_at": now() }),
    );
    completed(&site.answer("past", "history"));
    let told = instance::payloads(&site.witness, "nvr/control/status/ends/history");
    let denied = &told.last().expect("entries")["entries"][0];
    assert_eq!((&denied["command"], &denied["code"]), (&json!("stop"), &json!("forbidden")), "{denied:#}");
    let text =
        json!({ "command": "stop", "request_id": "bye", "issued_at": vigia::clock::utc() }).to_string();
    let wrong = json!({ "signed": text, "key_id": "boss", "signature": "00" });
    site.send(wrong.to_string().as_bytes(), false);
    wait_for("a refusal", Duration::from_secs(5), || !site.finals("bye").is_empty());
    refused(&site.finals("bye")[0], "bad_signature", "");
    signed(json!({ "command": "stop", "request_id": "really", "issued_at": now() }));
    completed(&site.answer("really", "stop"));
    assert_eq!(vigia.wait(Duration::from_secs(5)).code(), Some(0));
    await_status(&site.witness, "nvr/control/status/ends", "disconnected");
    let states = site.states("ends");
    assert!(states.ends_with(&["stopped".to_owned(), "disconnected".to_owned()]), "{states:?}");
    assert_eq!(site.detections_after("really"), Vec::<Value>::new());
    let seen = site.witness.seen();
    let last = |topic: &str, word: &str| {
        let says =
            |s: &broker::Seen| s.topic.ends_with(topic) && String::from_utf8_lossy(&s.payload).contains(word);
        seen.iter().rposition(says).expect(word)
    };
    let answered = last("/ack", "completed");
    assert!(last("/ends", "\"status\":\"stopped\"") < answered);
    let after = seen[answered + 1..].iter().filter(|s| !s.payload.is_empty());
    let after: Vec<_> = after.map(|s| s.topic.as_str()).collect();
    let only = after.iter().all(|topic| *topic == "nvr/control/status/ends");
    assert!(only && !after.is_empty(), "it says that it is gone, and nothing else: {after:?}");
    assert!(!vigia.log().contains("very secret"));
}

fn hmac_hex(key: &[u8], text: &[u8]) -> String {
    use hmac::{Hmac, KeyInit, Mac};
    let mac = Hmac::<sha2::Sha256>::new_from_slice(key).expect("any key").chain_update(text);
    data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes())
}

/// Row 44 and the issue's journal: what commands changed comes back after a kill; a request asked
/// again after it gets its stored answer.
#[test]
fn what_was_commanded_outlives_a_kill() {
    let Some(site) = Site::start() else { return };
    let folder = shared::folder();
    let journal = folder.path().join("journal.db");
    let more = format!("control: {{ enabled: true, journal: {} }}\n", journal.display());
    let streams = picture(1, 10) + &picture(2, 10);
    let vigia = site.running("kept", &streams, &more);
    completed(&site.order("change_model", json!({ "model_id": "lookout-n-int8" })));
    completed(&site.ask(json!({ "command": "set_fps", "params": { "max_fps": 7 }, "request_id": "seven" })));
    completed(&site.order("remove_stream", json!({ "source_id": 2 })));
    completed(&site.order("pause", json!({})));
    let first = site.finals("seven");
    vigia.signal("-KILL");
    drop(vigia);
    await_status(&site.witness, "nvr/control/status/kept", "disconnected");
    let _again = site.instance("kept", &streams, &more);
    wait_for("the state from before", Duration::from_secs(30), || {
        site.states("kept").ends_with(&["disconnected", "connected", "paused"].map(str::to_owned))
    });
    wait_for("the streams", Duration::from_secs(30), || {
        completed(&site.order("ping", json!({})));
        site.pong("kept")["engine"]["model_id"] == "lookout-n-int8"
    });
    let config = &site.pong("kept")["config"];
    let want = (json!([1]), json!(7.0), json!("lookout-n-int8"));
    assert_eq!(
        (&config["source_id_mapping"], &config["max_fps"], &config["model_id"]),
        (&want.0, &want.1, &want.2)
    );
    site.tell(json!({ "command": "set_fps", "params": { "max_fps": 7 }, "request_id": "seven" }));
    wait_for("the stored answer", Duration::from_secs(5), || site.finals("seven").len() == 2);
    assert_eq!(site.finals("seven")[1], first[0]);
    completed(&site.order("resume", json!({})));
    site.await_detections(1, 3);
}

/// Rows 49, 76, 82, 83; B-16.
#[test]
fn several_changes_are_one_or_none() {
    let Some(site) = Site::start() else { return };
    let _vigia = site.running("many", &(picture(1, 10) + &picture(2, 10)), "");
    site.await_detections(2, 3);
    let bad = site
        .order("reconfigure", json!({ "model_id": "lookout-n-int8", "max_fps": 3, "remove_streams": [9] }));
    refused(&bad, "not_found", "9");
    let atomic = json!({ "atomic": true, "commands": [
        { "command": "set_fps", "params": { "max_fps": 2 } },
        { "command": "remove_stream", "params": { "source_id": 2 } },
        { "command": "remove_stream", "params": { "source_id": 2 } },
        { "command": "pause" },
    ] });
    refused(&site.order("batch_commands", atomic), "batch_failed", "commands[2] (remove_stream)");
    completed(&site.order("ping", json!({})));
    let config = site.pong("many")["config"].clone();
    assert_eq!((&config["max_fps"], &config["source_id_mapping"]), (&json!(30.0), &json!([1, 2])));
    // What is refused only when two changes are made already takes them back.
    let undone = json!({ "atomic": true, "commands": [
        { "command": "set_fps", "params": { "max_fps": 2 } },
        { "command": "remove_stream", "params": { "source_id": 2 } },
        { "command": "add_stream", "params": { "source_id": 3, "stream_uri": "rtsp://127.0.0.1:1/x" } },
    ] });
    let ack = site.order("batch_commands", undone);
    refused(&ack, "rolled_back", "commands[2] (add_stream)");
    assert_eq!(ack["effect"]["rolled_back"], true, "{ack:#}");
    completed(&site.order("ping", json!({})));
    let config = site.pong("many")["config"].clone();
    assert_eq!((&config["max_fps"], &config["source_id_mapping"]), (&json!(30.0), &json!([1, 2])));
    site.await_detections(2, 2);
    let loose = json!({ "commands": [
        { "command": "set_confidence", "params": { "confidence": 0.3 } },
        { "command": "remove_stream", "params": { "source_id": 9 } },
        { "command": "enable_tracking", "params": { "enabled": true } },
    ] });
    let ack = site.order("batch_commands", loose);
    let results = completed(&ack)["effect"]["results"].as_array().expect("results");
    let states: Vec<_> = results.iter().map(|r| r["ack_status"].as_str().expect("text")).collect();
    assert_eq!(states, ["completed", "error", "completed"], "{ack:#}");
    let all = json!({ "model_id": "lookout-n-int8", "max_fps": 9, "confidence_threshold": 0.4, "remove_streams": [2] });
    completed(&site.order("reconfigure", all));
    completed(&site.order("ping", json!({})));
    let config = site.pong("many")["config"].clone();
    assert_eq!((&config["max_fps"], &config["source_id_mapping"]), (&json!(9.0), &json!([1])));
    completed(&site.order("metrics", json!({})));
    let report = instance::payloads(&site.witness, "nvr/control/status/metrics/many").remove(0);
    assert_eq!(report["latency_reports"][0]["source_id"], 1, "{report:#}");
    assert_eq!(report["sources_metadata"][0]["resolution"], "160x120");
    let late = broker::Witness::start(site.broker.port, "late", "nvr/control/status/#").expect("broker");
    wait_for("what is kept", Duration::from_secs(5), || late.count("nvr/control/status/many") > 0);
    assert_eq!(late.count("nvr/control/status/metrics/many"), 0, "a report is of its moment");
    let dead = "  - { source_id: 1, uri: \"rtsp://127.0.0.1:1/x\" }\n";
    let _blind = site.running("blind", dead, "");
    let nothing = site.ask(json!({ "command": "metrics", "target_instances": ["blind"] }));
    refused(&nothing, "unavailable", "no frame was processed yet");
    completed(&site.ask(json!({ "command": "health", "target_instances": ["many"] })));
    let health = instance::payloads(&site.witness, "nvr/control/status/many/health").remove(0);
    assert_eq!(health["status"], "healthy", "{health:#}");
}
