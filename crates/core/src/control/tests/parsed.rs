//! Commands and their parameters: spec nvr 2.7, checks 22, 24, 25, 30, 31, 35, 36, 46, 83.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::{COMMANDS, Code, Command, NewStream, Reconfigure, available, docs};
use super::{ALL, command, parse, uri};
use crate::config::{InstanceId, Role, Tracker};

fn words(name: &str, params: &str) -> (Code, String) {
    let refusal = parse(name, params).unwrap_err();
    (refusal.code, refusal.message)
}

/// Name, parameters, the message; codes by the message's first word.
#[test]
fn wrong_parameters_are_refused_in_these_words() {
    let table = [
        ("change_model", "", "Missing required parameter: model_id"),
        ("change_model", "{}", "Missing required parameter: model_id"),
        ("change_model", r#"{"model_id":123}"#, "Invalid model_id: must be string, got number"),
        ("change_model", r#"{"model_id":null}"#, "Invalid model_id: must be string, got null"),
        ("change_model", r#"{"model_id":""}"#, "Invalid model_id: must be non-empty string"),
        ("change_model", r#"{"model_id":"   "}"#, "Invalid model_id: must be non-empty string"),
        (
            "change_model",
            r#"{"model_id":"../x"}"#,
            "Invalid model_id: must be 1 to 128 of A-Z a-z 0-9 . _ -, got `../x`",
        ),
        ("set_fps", "", "Missing required parameter: max_fps"),
        ("set_fps", r#"{"max_fps":"x"}"#, r#"Invalid max_fps: must be numeric, got "x""#),
        ("set_fps", r#"{"max_fps":true}"#, "Invalid max_fps: must be numeric, got true"),
        ("set_fps", r#"{"max_fps":null}"#, "Invalid max_fps: must be numeric, got null"),
        ("set_fps", r#"{"max_fps":[1]}"#, "Invalid max_fps: must be numeric, got [1]"),
        ("set_fps", r#"{"max_fps":"NaN"}"#, r#"Invalid max_fps: must be numeric, got "NaN""#),
        ("set_fps", r#"{"max_fps":"-inf"}"#, r#"Invalid max_fps: must be numeric, got "-inf""#),
        ("set_fps", r#"{"max_fps":0}"#, "Invalid max_fps: must be > 0, got 0"),
        ("set_fps", r#"{"max_fps":-1.5}"#, "Invalid max_fps: must be > 0, got -1.5"),
        ("set_fps", r#"{"max_fps":5000}"#, "Invalid max_fps: must be at most 1000, got 5000"),
        ("add_stream", r#"{"source_id":"x"}"#, r#"Invalid source_id: must be numeric, got "x""#),
        ("add_stream", r#"{"source_id":"3.14"}"#, r#"Invalid source_id: must be numeric, got "3.14""#),
        ("add_stream", r#"{"source_id":false}"#, "Invalid source_id: must be numeric, got false"),
        ("add_stream", r#"{"source_id":-1}"#, "Invalid source_id: cannot be negative, got -1"),
        ("add_stream", r#"{"source_id":-0.5}"#, "Invalid source_id: cannot be negative, got -0.5"),
        ("add_stream", r#"{"source_id":"-1"}"#, r#"Invalid source_id: cannot be negative, got "-1""#),
        (
            "add_stream",
            r#"{"source_id":4294967296}"#,
            "Invalid source_id: must be 0..=4294967295, got 4294967296",
        ),
        (
            "add_stream",
            r#"{"source_id":1,"stream_uri":"rtsp://a:b@"}"#,
            "Invalid stream_uri: has no host after rtsp://, got `rtsp://***@`",
        ),
        ("change_stream_uri", r#"{"source_id":1}"#, "Missing required parameter: stream_uri"),
        ("set_confidence", r#"{"confidence":1.2}"#, "Invalid confidence: must be between 0 and 1, got 1.2"),
        ("enable_tracking", r#"{"enabled":"yes"}"#, "Invalid enabled: must be boolean, got string"),
        (
            "enable_tracking",
            r#"{"enabled":true,"mode":"sort"}"#,
            r#"Invalid mode: must be bytetrack, got "sort""#,
        ),
        ("rename_instance", "", "Missing required parameter: new_instance_id"),
        (
            "rename_instance",
            r#"{"new_instance_id":""}"#,
            "Invalid new_instance_id: must be 1 to 64 of A-Z a-z 0-9 . _ -, got ``",
        ),
        (
            "rename_instance",
            r#"{"new_instance_id":"ack"}"#,
            "Invalid new_instance_id: cannot be `ack`, which is part of a topic",
        ),
        ("pause", r#"{"timeout_s":0}"#, "Invalid timeout_s: must be between 0.1 and 604800, got 0"),
        ("pause", r#"{"source_ids":[]}"#, "Invalid source_ids: cannot be empty; leave it out for all"),
        ("pause", r#"{"source_ids":[1,"x"]}"#, r#"Invalid source_ids: item 1 must be numeric, got "x""#),
        (
            "pause",
            r#"{"source":2}"#,
            r#"Unknown parameter: "source". Known: source_id, source_ids, timeout_s, flush"#,
        ),
        ("history", r#"{"limit":0}"#, "Invalid limit: must be 1..=1000, got 0"),
        ("history", r#"{"command":"x"}"#, r#"Invalid command: "x" is no command"#),
        (
            "history",
            r#"{"since":"2025-10-25T10:30:00"}"#,
            "Invalid since: must be RFC 3339 with an offset, or seconds since 1970, got \
             \"2025-10-25T10:30:00\"",
        ),
        ("batch_commands", "", "Missing required parameter: commands"),
        ("batch_commands", r#"{"commands":[]}"#, "Invalid commands: cannot be empty"),
        ("batch_commands", r#"{"commands":{}}"#, "Invalid commands: must be list, got object"),
        ("batch_commands", r#"{"commands":[1]}"#, "Invalid commands[0]: must be object, got number"),
        (
            "batch_commands",
            r#"{"commands":[{"command":"resume"},{"command":"set_fps"}]}"#,
            "Invalid commands[1]: Missing required parameter: max_fps",
        ),
        (
            "batch_commands",
            r#"{"commands":[{"command":"batch_commands","params":{"commands":[]}}]}"#,
            "Invalid commands[0]: batch_commands can't be part of a batch",
        ),
        (
            "reconfigure",
            r#"{"add_streams":[8,{"source_id":-9}]}"#,
            "Invalid add_streams[1]: Invalid source_id: cannot be negative, got -9",
        ),
    ];
    for (name, params, message) in table {
        let code = match message {
            m if m.starts_with("Missing") => Code::MissingParam,
            m if m.starts_with("Unknown parameter") => Code::UnknownParam,
            m if m.contains("Missing") => Code::MissingParam,
            _ => Code::InvalidParam,
        };
        assert_eq!(words(name, params), (code, message.to_string()), "{name} {params}");
    }
}

#[test]
fn right_parameters_are_read() {
    let set_fps = |max_fps| Command::SetFps { max_fps, source_id: None };
    let add = |source_id| Command::AddStream(NewStream { source_id, uri: None });
    let change = |model: &str| Command::ChangeModel { model_id: model.into(), shadow_frames: None };
    let pause =
        |sources: &[u32], timeout| Command::Pause { sources: sources.to_vec(), timeout, flush: false };
    let table = [
        ("set_fps", r#"{"max_fps":"0.5"}"#, set_fps(0.5)),
        ("set_fps", r#"{"max_fps":5}"#, set_fps(5.0)),
        ("set_fps", r#"{"max_fps":" 2 ","source_id":null}"#, set_fps(2.0)),
        ("set_fps", r#"{"max_fps":1,"source_id":4}"#, Command::SetFps { max_fps: 1.0, source_id: Some(4) }),
        ("add_stream", r#"{"source_id":"10"}"#, add(10)),
        ("add_stream", r#"{"source_id":3.14}"#, add(3)),
        ("add_stream", r#"{"source_id":8.9}"#, add(8)),
        ("add_stream", r#"{"source_id":0}"#, add(0)),
        ("change_model", r#"{"model_id":"  yolov11x-640  "}"#, change("yolov11x-640")),
        ("PaUsE", "", pause(&[], None)),
        (" pause ", r#"{"source_id":2}"#, pause(&[2], None)),
        (
            "pause",
            r#"{"source_ids":[3,1,3],"source_id":2,"timeout_s":"1.5"}"#,
            pause(&[1, 2, 3], Some(Duration::from_millis(1500))),
        ),
        ("resume", r#"{"source_ids":null}"#, Command::Resume { sources: vec![] }),
        ("enable_tracking", r#"{"enabled":true}"#, Command::EnableTracking { tracker: Tracker::ByteTrack }),
        (
            "enable_tracking",
            r#"{"enabled":false,"mode":"ByteTrack"}"#,
            Command::EnableTracking { tracker: Tracker::None },
        ),
        (
            "change_stream_uri",
            r#"{"source_id":1,"stream_uri":null}"#,
            Command::ChangeStreamUri { source_id: 1, uri: None },
        ),
        (
            "change_stream_uri",
            r#"{"source_id":1,"stream_uri":"test://pattern"}"#,
            Command::ChangeStreamUri { source_id: 1, uri: Some(uri("test://pattern")) },
        ),
        (
            "rename_instance",
            r#"{"new_instance_id":"emergency-room-2"}"#,
            Command::RenameInstance { new_instance_id: InstanceId::parse("emergency-room-2").unwrap() },
        ),
        (
            "history",
            r#"{"command":"Set_FPS"}"#,
            Command::History { limit: 100, since: None, command: Some("set_fps") },
        ),
        (
            "reconfigure",
            r#"{"add_streams":[8,{"source_id":9,"stream_uri":"/a.mp4"}],"remove_streams":[0]}"#,
            Command::Reconfigure(Reconfigure {
                add_streams: vec![
                    NewStream { source_id: 8, uri: None },
                    NewStream { source_id: 9, uri: Some(uri("/a.mp4")) },
                ],
                remove_streams: vec![0],
                ..Reconfigure::default()
            }),
        ),
        // Commands without parameters take any, and ignore them.
        ("stop", r#"{"now":true}"#, Command::Stop),
    ];
    for (name, params, want) in table {
        assert_eq!(parse(name, params), Ok(want), "{name} {params}");
    }
    // Check 46.
    for bad in ["", "a/b", "x#", "a+", " "] {
        let params = json!({ "new_instance_id": bad }).to_string();
        assert_eq!(words("rename_instance", &params).0, Code::InvalidParam, "{bad}");
    }
}

#[test]
fn lists_have_limits() {
    let ids: Vec<u32> = (0..257).collect();
    let many = json!({ "commands": vec![json!({ "command": "resume" }); 65] }).to_string();
    assert_eq!(words("batch_commands", &many).1, "Invalid commands: must have at most 64 items, got 65");
    for (name, param) in
        [("pause", "source_ids"), ("reconfigure", "add_streams"), ("reconfigure", "remove_streams")]
    {
        let params = json!({ param: ids }).to_string();
        let message = format!("Invalid {param}: must have at most 256 items, got 257");
        assert_eq!(words(name, &params).1, message);
    }
}

// Check 35, B-25.
#[test]
fn unknown_commands_are_answered_with_the_list() {
    let refusal = Command::parse("invalid_command", &Map::new(), &[]).unwrap_err();
    assert_eq!(refusal.code, Code::UnknownCommand);
    assert_eq!(
        refusal.message,
        "Command 'invalid_command' not available. Available: add_stream, batch_commands, cancel_build, change_model, \
         change_stream_uri, enable_tracking, health, metrics, pause, ping, reconfigure, reload_config, \
         remove_stream, rename_instance, restart, resume, set_confidence, set_fps, status, stop"
    );
    assert!(words("", "").1.starts_with("Command '' not available. Available: "));
    assert!(words("a\nb", "").1.starts_with(r"Command 'a\nb' not"), "stays on one line");
}

#[test]
fn a_command_exists_only_with_its_capability() {
    assert!(parse("history", "").is_ok());
    assert_eq!(Command::parse("history", &Map::new(), &[]).unwrap_err().code, Code::UnknownCommand);
    assert_eq!(available(ALL).count(), COMMANDS.len());
    assert!(available(&[]).all(|spec| spec.name != "history"));
}

// Check 85 as far as it is pure.
#[test]
fn roles_allow_what_they_should() {
    let batch = |inside: &str| command("batch_commands", &format!(r#"{{"commands":[{inside}]}}"#));
    let set_fps = r#"{"command":"set_fps","params":{"max_fps":1}}"#;
    let table = [
        (command("ping", ""), Role::Viewer),
        (command("pause", ""), Role::Operator),
        (command("stop", ""), Role::Technician),
        (command("rename_instance", r#"{"new_instance_id":"x"}"#), Role::Admin),
        (batch(r#"{"command":"pause"}"#), Role::Operator),
        (batch(&format!(r#"{{"command":"pause"}},{set_fps}"#)), Role::Technician),
    ];
    for (command, least) in table {
        for role in [Role::Viewer, Role::Operator, Role::Technician, Role::Admin] {
            assert_eq!(command.permit(role).is_ok(), role >= least, "{} {role:?}", command.name());
            assert_eq!(json!(role), role.name());
        }
    }
    let refusal = Command::Stop.permit(Role::Viewer).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.message.as_str()),
        (Code::Forbidden, "stop needs the role technician, the sender is viewer")
    );
}

// B-09: what is required is asked for, whatever the table says of it.
#[test]
fn the_table_tells_the_truth() {
    for (at, spec) in COMMANDS.iter().enumerate() {
        let example = docs::example_command(spec).unwrap_or_else(|e| panic!("{}: {e}", spec.name));
        assert!(core::ptr::eq(example.spec(), *spec), "{} has its own row", spec.name);
        assert!(COMMANDS.iter().skip(at + 1).all(|other| other.name != spec.name), "{} twice", spec.name);
        let given: Map<String, Value> = serde_json::from_str(spec.example).unwrap_or_default();
        assert!(given.keys().all(|key| spec.params.iter().any(|p| p.name == key)), "{}", spec.name);
        for param in spec.params {
            let mut without = given.clone();
            without.remove(param.name);
            let result = Command::parse(spec.name, &without, ALL).map(drop);
            let missing = format!("Missing required parameter: {}", param.name);
            let is_missing = result.is_err_and(|e| e.message == missing);
            assert_eq!(is_missing, param.default.is_none(), "{} {}", spec.name, param.name);
            // Read at all: no kind takes this.
            without.insert(param.name.into(), json!({ "no": "such thing" }));
            let refusal = Command::parse(spec.name, &without, ALL).unwrap_err();
            assert!(refusal.message.starts_with(&format!("Invalid {}", param.name)), "{refusal}");
        }
    }
}

/// Any JSON, not too large.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(json!("rtsp://admin:hunter2@h/x")),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_]{1,12}", inner, 0..4)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_parameter_is_read_or_named_in_the_refusal(
        at in 0..COMMANDS.len(), value in any_json(), which in any::<prop::sample::Index>(),
    ) {
        let spec = COMMANDS[at];
        let mut params: Map<String, Value> = serde_json::from_str(spec.example).unwrap_or_default();
        if spec.params.is_empty() {
            return Ok(());
        }
        let param = spec.params[which.index(spec.params.len())];
        params.insert(param.name.into(), value);
        if let Err(refusal) = Command::parse(spec.name, &params, ALL) {
            prop_assert!(refusal.message.contains(param.name), "{refusal}");
            prop_assert!(refusal.message.len() < 2_000 && !refusal.message.contains("hunter2"), "{refusal}");
        }
    }
}
