//! Files that are no configuration at all.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// Refused with these words, in one line.
#[track_caller]
fn refused(bytes: impl AsRef<[u8]>, words: &str) {
    let got = complaints(bytes);
    assert!(got.len() == 1 && got[0].contains(words), "{got:?}");
}

#[test]
fn nothing_at_all_is_the_defaults() {
    let defaults = load(None, None, variables(&[]), vec![]).unwrap();
    for text in ["", "\n", "# nothing\n", "---\n", "---\n...\n", "null", "~", "\u{feff}", "{}"] {
        assert_eq!(parse_site(text.as_bytes()).as_ref(), Ok(&defaults), "{text:?}");
    }
}

#[test]
fn garbage_is_named() {
    refused(b"\x7fELF\x02\x01\x01\0\0\0", "control character");
    refused(b"a: 1\nb: \xff\xfe", "site.yaml:2: is not UTF-8 text");
    refused("mqtt:\n  host: a\n port: 1", "site.yaml:3: is not valid YAML");
    refused("mqtt: {host: a", "is not valid YAML");
    refused("mqtt:\n\thost: a", "is not valid YAML");
    refused("- 1\n- 2", "must be a map of settings, got a list");
    refused("hello", "must be a map of settings, got the text `hello`");
    refused("a: 1\n---\nb: 2\n", "second document");
    refused("{a: 1}: 2", "list or map as a key");
    refused("log: !!map {}", "uses a tag");
    refused("log: &x {}", "uses an anchor");
    refused("log: *x", "");
}

#[test]
fn large_files_are_refused_unread() {
    refused(vec![b'#'; 2 * 1024 * 1024], "is larger than 1024 KiB");
    let folder = Folder::new();
    let site = folder.file("site.yaml", vec![b'#'; 2 * 1024 * 1024]);
    assert_eq!(
        folder.report(load_site(&site)),
        ["site.yaml: is larger than 1024 KiB: not a configuration file"]
    );
    assert!(load_site(Path::new("/dev/zero")).is_err());
}

#[test]
fn a_complaint_is_one_short_line() {
    check(
        "instance_id: \"a\\nb\\u0007\"",
        &["site.yaml:1: instance_id: must be 1 to 64 of A-Z a-z 0-9 . _ -, got `a\u{fffd}b\u{fffd}` \
         (this processor's name: 1 to 64 of A-Z a-z 0-9 . _ -, or null for a random one)"],
    );
    let long =
        complaints(format!("{}: 1\nstreams: [{{source_id: 1, uri: {}}}]", "k".repeat(900), "u".repeat(9000)));
    assert!(long.len() == 2 && long.iter().all(|line| line.len() < 800), "{long:?}");
}

#[test]
fn an_alias_bomb_is_a_dud() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let below = format!("*a{}, ", level - 1).repeat(9);
        bomb += &format!("a{level}: &a{level} [{below}]\n");
    }
    refused(&bomb, "uses an anchor");
}

/// The longest that a file of the largest size may take: an hour would be a denial of service.
const PARSE_MAX: Duration = Duration::from_secs(20);

#[test]
fn shapes_made_to_be_slow_are_not() {
    let size = 1024 * 1024 - 16;
    let shapes = [
        "[".repeat(size),
        "{".repeat(size),
        "- ".repeat(size / 2),
        "a: ".repeat(size / 3),
        "? ".repeat(size / 2),
        "\n".repeat(size),
        "x".repeat(size),
        format!("classes: [{}]", "a,".repeat(size / 2 - 8)),
        (0..size / 12).map(|i| format!("k{i}: 1\n")).collect(),
        format!("streams:\n{}", "- {}\n".repeat(size / 5 - 4)),
        format!("stream_defaults: {{classes: [{}]}}", "1,".repeat(size / 2 - 20)),
        format!("mqtt: {{host: \"{}\"}}", "\\u0041".repeat(size / 6 - 8)),
        format!("mqtt: {{{}}}", "host: a, ".repeat(size / 9 - 2)),
        format!("mqtt:\n  host: '{}'", "a\n  ".repeat(size / 4 - 8)),
    ];
    for shape in shapes {
        let start = now();
        let complaints = complaints(&shape);
        let took = start.elapsed();
        let head: String = shape.chars().take(40).collect();
        assert!(took < PARSE_MAX, "{head:?}: {took:?}");
        assert!(complaints.len() <= 501, "{head:?}");
    }
}

#[expect(clippy::disallowed_methods, reason = "measures the test itself, not the firmware")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_are_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse_site(&bytes);
    }

    #[test]
    fn any_yaml_like_text_is_taken_or_refused(
        text in prop::collection::vec(
            prop::sample::select(vec![
                "mqtt", "streams", "source_id", "host", ":", ": ", "- ", "-", "\n", "\n  ", "  ", "[", "]", "{", "}",
                ",", "\"", "'", "|", ">", "#", "&a", "*a", "!t", "?", "%", "@", "`", "---", "...", "1", "-1", "1.5",
                ".nan", "0x", "null", "true", "\t", "\r", "é", "\u{2028}", "<<", "~", "\\",
            ]),
            0..60,
        )
    ) {
        let text = text.concat();
        if let Err(e) = parse_site(text.as_bytes()) {
            prop_assert!(!e.violations.is_empty());
            prop_assert_eq!(e.to_string().lines().count(), e.violations.len());
        }
    }

    #[test]
    fn any_value_anywhere_is_taken_or_refused(
        key in prop::sample::select(vec![
            "instance_id", "stream_server", "stream_defaults.max_fps", "mqtt.port", "mqtt.tls", "detector.threads",
            "metrics.interval_s", "camera.silence_min_s", "streams", "streams[*].uri", "streams[0].source_id",
        ]),
        number in any::<f64>(), int in any::<i64>(), text in "\\PC{0,12}", which in 0..4,
    ) {
        let value: serde_json::Value = match which {
            0 => number.into(),
            1 => int.into(),
            2 => text.into(),
            _ => serde_json::json!([{ "source_id": int, "max_fps": number, "uri": text }]),
        };
        if let Ok(config) = load(None, None, variables(&[]), vec![Flag::new(key, value, "--flag")]) {
            prop_assert!(config.streams.iter().all(|s| s.max_fps > 0.0 && s.max_fps.is_finite()));
            prop_assert!(!config.streams.is_empty() && config.mqtt.port > 0);
        }
    }
}
