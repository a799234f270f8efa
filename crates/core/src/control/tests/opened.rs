//! Envelopes: spec nvr 2.2 and 2.3, checks 37 to 40, B-26.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::super::envelope::PAYLOAD_BYTES_MAX;
use super::super::{Code, Envelope, Limits, Opened, RequestId, Unreadable, open};
use super::own;
use crate::event::Utc;

/// 2025-10-25T10:30:00Z
const NOW_S: i128 = 1_761_388_200;

fn limits() -> Limits {
    Limits {
        now: Utc::from_unix_ns(NOW_S * 1_000_000_000),
        ahead_max: Duration::from_secs(30),
        age_max: Some(Duration::from_secs(300)),
    }
}

fn opened(payload: &str) -> Opened {
    open(payload.as_bytes(), false, &own(), &limits())
}

fn accepted(payload: &str) -> Envelope {
    match opened(payload) {
        Opened::Accepted(envelope) => envelope,
        other => panic!("{payload}: {other:?}"),
    }
}

fn refused(payload: &str) -> (Code, String) {
    match opened(payload) {
        Opened::Refused { refusal, .. } => (refusal.code, refusal.message),
        other => panic!("{payload}: {other:?}"),
    }
}

// Checks 38 to 40, B-26. We are proc-a.
#[test]
fn targets_are_matched_exactly() {
    let table = [
        (json!(null), true),
        (json!([]), true),
        (json!(["*"]), true),
        (json!(["x", "*"]), true),
        (json!("*"), true),
        (json!(["proc-a"]), true),
        (json!(["proc-a", "proc-c"]), true),
        (json!("proc-a"), true),
        (json!(["proc-b"]), false),
        (json!("proc"), false),
        (json!("proc-abc"), false),
        (json!(["PROC-A"]), false),
        (json!([" proc-a"]), false),
        (json!(""), false),
    ];
    for (targets, ours) in table {
        let payload = json!({ "command": "ping", "target_instances": targets }).to_string();
        let got = opened(&payload);
        assert_eq!(matches!(got, Opened::Accepted(_)), ours, "{payload}: {got:?}");
        assert_eq!(matches!(got, Opened::NotForUs), !ours, "{payload}: {got:?}");
    }
    assert!(matches!(opened(r#"{"command":"ping"}"#), Opened::Accepted(_)));
    // What is wrong with others' messages is not ours to say.
    assert!(matches!(opened(r#"{"command":5,"target_instances":["b"]}"#), Opened::NotForUs));
}

// Check 37.
#[test]
fn what_is_no_json_is_only_logged() {
    let table: [(&[u8], Unreadable); 5] = [
        (b"", Unreadable::Empty),
        (b" \n", Unreadable::Empty),
        (b"{\"command\":", Unreadable::NotJson { line: 1, column: 11 }),
        (b"pause", Unreadable::NotJson { line: 1, column: 1 }),
        (b"{\"command\":\"\xff\"}", Unreadable::NotUtf8 { at: 12 }),
    ];
    for (payload, want) in table {
        match open(payload, false, &own(), &limits()) {
            Opened::Unreadable(why) => assert_eq!(why, want),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(open(b"{\"command\":\"stop\"}", true, &own(), &limits()), Opened::Retained));
}

#[test]
fn wrong_envelopes_are_refused_in_these_words() {
    let table = [
        ("[1]", Code::Malformed, "Invalid payload: must be object, got list"),
        ("7", Code::Malformed, "Invalid payload: must be object, got number"),
        (r#"{"command":5}"#, Code::Malformed, "Invalid command: must be string, got number"),
        (r#"{"command":null}"#, Code::Malformed, "Invalid command: must be string, got null"),
        (r#"{"command":"x","params":[]}"#, Code::Malformed, "Invalid params: must be object, got list"),
        (
            r#"{"command":"x","target_instances":{}}"#,
            Code::Malformed,
            "Invalid target_instances: must be a list of strings, got object",
        ),
        (
            r#"{"command":"x","target_instances":["a",1]}"#,
            Code::Malformed,
            "Invalid target_instances: must be a list of strings, got number",
        ),
        (
            r#"{"command":"x","request_id":7}"#,
            Code::Malformed,
            "Invalid request_id: must be string, got number",
        ),
        (
            r#"{"command":"x","request_id":" "}"#,
            Code::Malformed,
            "Invalid request_id: must be non-empty string",
        ),
        (
            r#"{"command":"x","request_id":"a\nb"}"#,
            Code::Malformed,
            "Invalid request_id: holds a control character at byte 1",
        ),
        (
            r#"{"command":"stop","command":"pause"}"#,
            Code::Malformed,
            r#"Invalid payload: key "command" is given twice"#,
        ),
        (
            r#"{"command":"set_fps","params":{"max_fps":1,"max_fps":2}}"#,
            Code::Malformed,
            r#"Invalid payload: key "max_fps" is given twice"#,
        ),
        (
            r#"{"command":"x","expires_at":"2025-10-25T10:30:00Z"}"#,
            Code::Expired,
            "Command expired at 2025-10-25T10:30:00.000Z; it is 2025-10-25T10:30:00.000Z here",
        ),
        (
            r#"{"command":"x","issued_at":1761388231}"#,
            Code::IssuedInFuture,
            "Command was issued in the future, at 2025-10-25T10:30:31.000Z; it is \
             2025-10-25T10:30:00.000Z here",
        ),
        (
            r#"{"command":"x","issued_at":"2025-10-25T12:24:59+02:00"}"#,
            Code::Expired,
            "Command was issued at 2025-10-25T10:24:59.000Z, more than 300 s ago; it is \
             2025-10-25T10:30:00.000Z here",
        ),
        (
            r#"{"command":"x","issued_at":"2025-10-25T10:30:00"}"#,
            Code::Malformed,
            "Invalid issued_at: must be RFC 3339 with an offset, or seconds since 1970, got \
             \"2025-10-25T10:30:00\"",
        ),
        (
            r#"{"command":"x","expires_at":1761388200000}"#,
            Code::Malformed,
            "Invalid expires_at: must be RFC 3339 with an offset, or seconds since 1970, got 1761388200000",
        ),
        (
            r#"{"signed":"{\"command\":\"stop\"}","key_id":"k","signature":"00ff"}"#,
            Code::Malformed,
            "A signed command needs request_id and issued_at, or it could be replayed",
        ),
        (
            r#"{"signed":"{}","key_id":"k","signature":"0g"}"#,
            Code::Malformed,
            "Invalid signature: must be 1 to 64 bytes in hex",
        ),
    ];
    for (payload, code, message) in table {
        assert_eq!(refused(payload), (code, message.to_string()), "{payload}");
    }
}

#[test]
fn times_at_their_bounds_are_taken() {
    for times in [
        r#""expires_at":1761388200.001"#,
        r#""expires_at":null,"issued_at":null"#,
        r#""issued_at":1761388230"#,
        r#""issued_at":"2025-10-25T10:25:00Z""#,
        r#""timestamp":"whatever""#,
    ] {
        accepted(&format!(r#"{{"command":"x",{times}}}"#));
    }
}

#[test]
fn size_and_depth_are_limited() {
    let large = format!(r#"{{"command":"ping","x":"{}"}}"#, "a".repeat(PAYLOAD_BYTES_MAX));
    assert_eq!(refused(&large).0, Code::TooLarge);
    let nested =
        |n: usize| format!(r#"{{"command":"ping","request_id":"r","x":{}{}}}"#, "[".repeat(n), "]".repeat(n));
    accepted(&nested(15));
    for n in [16, 30_000] {
        match opened(&nested(n)) {
            Opened::Refused { echo, refusal } => {
                assert_eq!(refusal.code, Code::TooDeep);
                assert_eq!(echo.command, "ping");
                assert_eq!(echo.request_id, RequestId::parse("r").ok());
            }
            other => panic!("{other:?}"),
        }
    }
    let open_only = "[".repeat(PAYLOAD_BYTES_MAX);
    assert!(matches!(opened(&open_only), Opened::Unreadable(_)));
}

// Check 25: Python writes NaN.
#[test]
fn numbers_that_are_none_reach_the_check() {
    for odd in ["NaN", "Infinity", "-Infinity", "1e999"] {
        let payload = format!(r#"{{"command":"set_fps","x":"NaN \" NaN","params":{{"max_fps":{odd}}}}}"#);
        let refusal = accepted(&payload).command(&[]).unwrap_err();
        assert_eq!(refusal.message, format!(r#"Invalid max_fps: must be numeric, got "{odd}""#));
    }
    assert!(matches!(opened("{\"command\":NaN"), Opened::Unreadable(_)));
}

#[test]
fn what_was_asked_is_echoed() {
    let envelope = accepted(r#"{"command":" PaUsE ","request_id":"r-1","params":null,"unknown":[1]}"#);
    assert_eq!(envelope.echo.command, "pause");
    assert_eq!(envelope.echo.request_id.as_ref().map(RequestId::as_str), Some("r-1"));
    assert!(envelope.params.is_empty() && envelope.signature.is_none());
    let missing = accepted(r#"{"params":{}}"#);
    assert_eq!(missing.echo.command, "");
    assert_eq!(missing.command(&[]).unwrap_err().code, Code::UnknownCommand);
    let long = accepted(&json!({ "command": "x".repeat(1000) }).to_string());
    assert_eq!(long.echo.command.len(), 64);
    assert!(RequestId::parse(&"a".repeat(128)).is_ok() && RequestId::parse(&"a".repeat(129)).is_err());
}

#[test]
fn a_signature_covers_exact_bytes() {
    let text =
        r#"{ "command":"stop", "request_id":"r", "issued_at":1761388200, "target_instances":["proc-a"] }"#;
    let outer = json!({ "signed": text, "key_id": "tech-1", "signature": "00fF", "command": "ping" });
    let envelope = accepted(&outer.to_string());
    assert_eq!(envelope.echo.command, "stop", "only what was signed counts");
    let signature = envelope.signature.unwrap();
    assert_eq!((signature.key_id.as_str(), signature.text.as_str()), ("tech-1", text));
    assert_eq!(signature.bytes, vec![0, 255]);
    let elsewhere = outer.to_string().replace("proc-a", "proc-b");
    assert!(matches!(opened(&elsewhere), Opened::NotForUs));
}

#[test]
fn passwords_stay_out_of_logs() {
    let payload = r#"{"command":"add_stream","params":{"source_id":1,"x":[{"y":"a:hunter2@h"}],
        "stream_uri":"rtsp://admin:hunter2@10.0.0.9/live"}}"#;
    let envelope = accepted(payload);
    let shown = [format!("{envelope:?}"), envelope.shown_params().to_string()];
    assert!(shown.iter().all(|text| !text.contains("hunter2") && text.contains("10.0.0.9")), "{shown:?}");
}

#[test]
fn digests_tell_commands_apart() {
    let payloads = [
        r#"{"command":"set_fps","params":{"max_fps":1}}"#,
        r#"{"command":"set_fps","params":{"max_fps":2}}"#,
        r#"{"command":"pause"}"#,
        r#"{"command":"resume"}"#,
    ];
    let digests: Vec<u64> = payloads.iter().map(|p| accepted(p).digest()).collect();
    let again = accepted(r#"{"request_id":"x","params":{"max_fps":1},"command":"SET_FPS"}"#).digest();
    assert_eq!(digests[0], again);
    assert!((1..4).all(|i| !digests[..i].contains(&digests[i])));
}

proptest! {
    #[test]
    fn any_bytes_are_opened_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = open(&bytes, false, &own(), &limits());
    }

    #[test]
    fn any_edit_of_a_message_is_opened_without_panic(
        at in 0..200_usize, with in "\\PC{0,3}", cut in 0..4_usize,
    ) {
        let good = r#"{"command":"reconfigure","params":{"add_streams":[1,{"source_id":2}],"max_fps":NaN},
            "target_instances":["*"],"issued_at":1761388200,"expires_at":"2025-10-25T11:30:00Z"}"#;
        let (head, tail) = (good.chars().take(at), good.chars().skip(at + cut));
        let text: String = head.chain(with.chars()).chain(tail).collect();
        if let Opened::Accepted(envelope) = opened(&text) {
            let _ = (envelope.command(&[]), envelope.shown_params(), envelope.digest());
        }
    }
}
