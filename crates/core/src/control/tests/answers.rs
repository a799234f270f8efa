//! What is answered, remembered and documented.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::{Value, json};

use super::super::ledger::{LEDGER_BYTES_MAX, LEDGER_LEN_MAX};
use super::super::{
    Ack, AckStatus, Begun, COMMANDS, Code, Command, Echo, Effect, Entry, FrameRef, ItemResult, Ledger,
    Refusal, RequestId, Status, Ticket, asyncapi, docs, trace_id,
};
use super::command;
use crate::event::Utc;

fn wall(seconds: i128) -> Utc {
    Utc::from_unix_ns(seconds * 1_000_000_000)
}

fn ticket(request_id: Option<&str>) -> Ticket {
    Ticket {
        instance_id: "proc-a".into(),
        client_id: "nvr_processor_control-proc-a".into(),
        echo: Echo {
            command: "pause".into(),
            request_id: request_id.map(|id| RequestId::parse(id).unwrap()),
        },
        trace_id: trace_id("pause", 0xBEEF),
    }
}

// Spec 2.4.
#[test]
fn answers_look_like_this() {
    let received = json!({
        "instance_id": "proc-a",
        "command": "pause",
        "ack_status": "received",
        "timestamp": "2025-10-25T10:30:00.000Z",
        "client_id": "nvr_processor_control-proc-a",
        "trace_id": "cmd-pause-0000beef",
    });
    let with = |more: Value| {
        let (Value::Object(mut all), Value::Object(more)) = (received.clone(), more) else { panic!() };
        all.extend(more);
        Value::Object(all)
    };
    let now = wall(1_761_388_200);
    assert_eq!(json!(ticket(None).received(now)), received);
    let last = FrameRef { source_id: 2, frame_id: 188, timestamp: Some(now) };
    let effect = Effect { paused_sources: Some(vec![2]), last_frame: vec![last], ..Effect::default() };
    let completed = ticket(Some("r-1")).completed(now, Duration::from_micros(8_123), Some(effect));
    let want = with(json!({
        "ack_status": "completed",
        "request_id": "r-1",
        "duration_ms": 8.123,
        "effect": {
            "paused_sources": [2],
            "last_frame": [{ "source_id": 2, "frame_id": 188, "timestamp": "2025-10-25T10:30:00.000Z" }],
        },
    }));
    assert_eq!(json!(completed), want);
    let read: Ack = serde_json::from_value(want).unwrap();
    assert_eq!(read, completed);
    let why = Refusal::new(Code::Busy, "restart in progress");
    let refused = ticket(None).error(now, Duration::ZERO, &why, None);
    let want = json!({
        "ack_status": "error", "duration_ms": 0.0, "code": "busy", "message": "restart in progress",
    });
    assert_eq!(json!(refused), with(want));
}

#[test]
fn codes_have_one_spelling_each() {
    for code in Code::ALL {
        assert_eq!(serde_json::to_value(code).unwrap(), code.name());
    }
    let newer: Code = serde_json::from_value(json!("not_yet_invented")).unwrap();
    assert_eq!(newer, Code::Other);
    let mut names: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Code::ALL.len());
}

#[test]
fn traces_name_known_commands_only() {
    assert_eq!(trace_id("set_fps", 1), "cmd-set_fps-00000001");
    assert_eq!(trace_id("a b\n", u32::MAX), "cmd-unknown-ffffffff");
}

#[test]
fn items_of_a_batch_are_answered_one_by_one() {
    let item = command("add_stream", r#"{"source_id":8}"#);
    let done = ItemResult::of(&item, &Ok(()));
    assert_eq!(json!(done), json!({ "command": "add_stream", "ack_status": "completed" }));
    let failed = ItemResult::of(&Command::Restart, &Err(Refusal::new(Code::Busy, "no")));
    assert_eq!((failed.ack_status, failed.code), (AckStatus::Error, Some(Code::Busy)));
}

fn id(n: usize) -> RequestId {
    RequestId::parse(&format!("r-{n}")).unwrap()
}

#[test]
fn a_request_is_answered_once_and_repeated() {
    let mut ledger = Ledger::default();
    assert_eq!(ledger.begin(wall(0), &id(1), 7), Begun::New);
    assert_eq!(ledger.begin(wall(1), &id(1), 7), Begun::InProgress);
    ledger.finish(&id(1), "done".to_string());
    ledger.finish(&id(1), "again".to_string());
    ledger.finish(&id(2), "nobody".to_string());
    assert_eq!(ledger.begin(wall(2), &id(1), 7), Begun::Done("done"));
    match ledger.begin(wall(2), &id(1), 8) {
        Begun::Refused(why) => {
            assert_eq!(why.code, Code::RequestIdReused);
            assert_eq!(why.message, "request_id was used at 1970-01-01T00:00:00.000Z for another command");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(ledger.len(), 1);
}

#[test]
fn a_ledger_survives_the_process() {
    let mut ledger = Ledger::default();
    for n in 0..3 {
        let _ = ledger.begin(wall(100), &id(n), 0);
    }
    ledger.finish(&id(0), "a".to_string());
    ledger.finish(&id(1), "b".to_string());
    let text = serde_json::to_string(&ledger.entries().collect::<Vec<_>>()).unwrap();
    let entries: Vec<Entry> = serde_json::from_str(&text).unwrap();
    let mut again = Ledger::restore(entries, wall(200));
    assert_eq!(again.unfinished().map(|e| e.request_id.as_str()).collect::<Vec<_>>(), ["r-2"]);
    assert_eq!(again.begin(wall(200), &id(1), 0), Begun::Done("b"));
    again.finish(&id(2), "interrupted".to_string());
    assert_eq!(again.begin(wall(200), &id(2), 0), Begun::Done("interrupted"));
    // A week later they are forgotten; one in progress never is.
    let _ = again.begin(wall(200), &id(9), 0);
    assert_eq!(again.begin(wall(200 + 7 * 86_400 + 1), &id(1), 0), Begun::New);
    let left: Vec<&str> = again.entries().map(|e| e.request_id.as_str()).collect();
    assert_eq!(left, ["r-9", "r-1"]);
}

#[test]
fn a_ledger_is_bounded() {
    let mut ledger = Ledger::default();
    for n in 0..LEDGER_LEN_MAX + 10 {
        assert_eq!(ledger.begin(wall(0), &id(n), 0), Begun::New);
        ledger.finish(&id(n), "x".to_string());
    }
    assert_eq!(ledger.len(), LEDGER_LEN_MAX);
    assert_eq!(ledger.begin(wall(0), &id(10), 0), Begun::Done("x"));
    assert_eq!(ledger.begin(wall(0), &id(9), 0), Begun::New, "the oldest went");
    let large = "x".repeat(LEDGER_BYTES_MAX / 8);
    for n in 0..20 {
        let _ = ledger.begin(wall(0), &id(100_000 + n), 0);
        ledger.finish(&id(100_000 + n), large.clone());
    }
    let bytes: usize = ledger.entries().filter_map(|e| e.ack.as_ref()).map(String::len).sum();
    assert!(bytes <= LEDGER_BYTES_MAX, "{bytes}");
    let mut stuck = Ledger::default();
    for n in 0..LEDGER_LEN_MAX {
        assert_eq!(stuck.begin(wall(0), &id(n), 0), Begun::New);
    }
    match stuck.begin(wall(0), &id(LEDGER_LEN_MAX), 0) {
        Begun::Refused(why) => assert_eq!(why.code, Code::Overloaded),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_documents_name_everything() {
    let text = docs::markdown("nvr/control/commands", "nvr/control/status");
    for spec in COMMANDS {
        assert!(text.contains(&format!("### {}\n", spec.name)), "{}", spec.name);
        assert!(text.contains(&docs::mosquitto_pub(spec, "localhost", "nvr/control/commands")));
        for param in spec.params {
            assert!(text.contains(&format!("| `{}` | {} |", param.name, param.kind.type_text())));
            assert!(docs::help(spec).contains(param.meaning), "{}", docs::help(spec));
        }
    }
    let named = |name: &str| text.contains(&format!("| `{name}` |"));
    assert!(Code::ALL.iter().all(|code| named(code.name())));
    assert!(Status::ALL.iter().all(|status| named(status.name())));
    // No cell breaks its table.
    for table in text.split("\n\n").filter(|block| block.starts_with('|')) {
        let columns: Vec<usize> = table.lines().map(|line| line.matches('|').count()).collect();
        assert!(columns.iter().all(|n| *n == columns[0]), "{table}");
    }
    assert_eq!(
        docs::mosquitto_pub(COMMANDS[0], "localhost", "nvr/control/commands"),
        "mosquitto_pub -h localhost -q 1 -t nvr/control/commands \
         -m '{\"command\":\"pause\",\"params\":{\"source_id\":2,\"timeout_s\":600}}'"
    );
    for field in ["duration_ms", "trace_id", "first_frame", "paused_sources", "restart_needed"] {
        assert!(named(field), "{field}");
    }
    assert!(!text.contains("|  |"), "everything has a meaning");
    assert!(docs::overview(&[]).lines().count() == COMMANDS.len() - 6);
}

#[test]
fn the_asyncapi_document_refers_to_what_exists() {
    let document = asyncapi::document("0.1.0", "nvr/control/commands", "nvr/control/status");
    assert_eq!(document["asyncapi"], "3.0.0");
    let messages = document["components"]["messages"].as_object().unwrap();
    assert_eq!(messages.len(), COMMANDS.len() + 2, "no name is used twice");
    for spec in COMMANDS {
        let payload = &document["components"]["messages"][spec.name]["payload"];
        assert_eq!(payload["properties"]["command"]["const"], spec.name);
        for param in spec.params {
            let schema = &payload["properties"]["params"]["properties"][param.name];
            assert_eq!(schema["description"], param.meaning, "{} {}", spec.name, param.name);
        }
    }
    let text = document.to_string();
    let refs: Vec<&str> =
        text.split(r##""$ref":"#"##).skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(refs.len() > COMMANDS.len());
    for pointer in refs {
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
    let ack = &document["components"]["schemas"]["Ack"];
    assert!(ack["properties"]["effect"].is_object() && ack["properties"]["trace_id"].is_object(), "{ack}");
}
