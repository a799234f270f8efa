//! What is wrong with a file, in the words and at the lines a person gets to read.

use super::*;

/// Every setting there is, each with a value it cannot have.
const ALL_WRONG: &str = "\
instance_id: a/b
stream_server: http://x
secrets_file: ''
streams:
  - source_id: -1
    uri: rtps://admin:pw@host
    name: ''
    max_fps: -1
    transport: tpc
    credentials: 5
    tls_ca_file: [a]
    confidence: 1.2
    classes: [a, a]
    tracker: byte
    pace: fast
    loop: 1
    enabled: yes
  - uri: rtsp://h/x
stream_defaults:
  max_fps: 0
  transport: 3
  tracker: null
  classes: person
  confidence: -0.1
detector:
  model: a/b
  models_dir: ''
  engine: cuda
  mode: fast
  confidence: 2
  nms_iou: .nan
  detections_max: 0
  threads: 1.5
  openvino_dir: ''
camera:
  decoder: nvdec
  connect_timeout_s: 0
  silence_min_s: '1'
  reconnect_min_s: -1
  reconnect_max_s: .inf
mqtt:
  host: a/b
  port: 70000
  username: true
  password_file: 7
  protocol: 5
  keepalive_s: 0
  topic_prefix: /a
  detections_topic: a/#
  detections_qos: 3
  metrics_topic: ''
  queue_len_max: -5
  tls:
    ca_file: ''
    cert_file: ''
    key_file: ''
    required: 1
control:
  enabled: no
  command_topic: a/
  status_topic: $SYS/a
metrics:
  interval_s: -1
log:
  level: verbose
  json: 'true'
  file: ''
";

/// Some of what is said about them.
const SENTENCES: [&str; 10] = [
    "site.yaml:8: streams[0].max_fps: must be > 0, got -1 (frames per second, e.g. 0.5)",
    "site.yaml:12: streams[0].confidence: must be between 0 and 1, got 1.2 (least confidence to report, e.g. 0.5)",
    "site.yaml:18: streams[1].source_id: is missing (number of the room or camera, e.g. 3; unique)",
    "site.yaml:9: streams[0].transport: must be one of tcp, udp, got the text `tpc`: did you mean `tcp`? (how RTSP media travels)",
    "site.yaml:17: streams[0].enabled: must be true or false, got the text `yes`: write true (whether this stream is started)",
    "mqtt.port: must be 1..=65535, got 70000 (TCP port of the broker, e.g. 1883, or 8883 with TLS)",
    "mqtt.protocol: must be one of 5, 3.1.1, got 5: put it in quotes (protocol version, in quotes)",
    "metrics.interval_s: cannot be negative, got -1 (seconds between reports, e.g. 10; 0 is off)",
    "detector.nms_iou: must be a number, got .nan",
    "camera.silence_min_s: must be a number, got the text `1`: write it without quotes",
];

#[test]
fn every_field_wrong_is_every_field_reported() {
    let complaints = complaints(ALL_WRONG);
    for (number, line) in (1..).zip(ALL_WRONG.lines()).filter(|(_, line)| !line.ends_with(':')) {
        let of_line: Vec<_> =
            complaints.iter().filter(|c| c.starts_with(&format!("site.yaml:{number}: "))).collect();
        if line.contains("uri: rtsp:") {
            continue; // the stream without a source_id
        }
        let key = line.trim_start_matches([' ', '-']).split(':').next().unwrap();
        assert!(of_line.iter().any(|c| c.contains(key)), "{number}: {line}: {of_line:?}\n{complaints:#?}");
    }
    let all = complaints.join("\n");
    for sentence in SENTENCES {
        assert!(all.contains(sentence), "{sentence}\nis not in\n{all}");
    }
    assert!(!all.contains("admin") && !all.contains("pw@"), "{all}");
}

#[test]
fn refusals_name_field_and_value() {
    // Acceptance check 5.
    check(
        "streams: []",
        &[
            "site.yaml:1: streams: cannot be empty (cameras to watch, e.g. a list of items like `- source_id: 0`)",
        ],
    );
    check(
        "streams:\n",
        &[
            "site.yaml:1: streams: must be a list, got nothing (cameras to watch, e.g. a list of items like `- source_id: 0`)",
        ],
    );
    check(
        "stream_defaults: {max_fps: 0}",
        &["site.yaml:1: stream_defaults.max_fps: must be > 0, got 0 (frames per second, e.g. 0.5)"],
    );
    check(
        "detector:\n  confidence: 1.2",
        &[
            "site.yaml:2: detector.confidence: must be between 0 and 1, got 1.2 (least confidence to report, e.g. 0.5)",
        ],
    );
    check(
        "stream_defaults: {max_fps: \"0.5\"}",
        &[
            "site.yaml:1: stream_defaults.max_fps: must be a number, got the text `0.5`: write it without quotes (frames per second, e.g. 0.5)",
        ],
    );
}

#[test]
fn unknown_and_repeated_keys() {
    check(
        "mqtt:\n  hosst: a\n  password: hunter2\nstreams:\n- source_id: 1\n  passwort: x\n- source_id: 2\n  password: y",
        &[
            "site.yaml:2: mqtt.hosst: unknown key: did you mean `host`?",
            "site.yaml:3: mqtt.password: unknown key: passwords are kept in password_file, never here",
            "site.yaml:6: streams[0].passwort: unknown key",
            "site.yaml:8: streams[1].password: unknown key: passwords are kept in secrets_file, never here",
        ],
    );
    check(
        "log:\n  json: true\nlog:\n  json: false\nmetrics: {interval_s: 1, interval_s: 2}",
        &[
            "site.yaml:3: log: is given twice: first at site.yaml:1",
            "site.yaml:5: metrics.interval_s: is given twice: first at site.yaml:5",
        ],
    );
    check(
        "zzz: 1\n5: 2\n~: 3",
        &["site.yaml:1: zzz: unknown key", "site.yaml:2: 5: unknown key", "site.yaml:3: ~: unknown key"],
    );
}

#[test]
fn settings_that_do_not_go_together() {
    check(
        "streams:\n- source_id: 4\n- source_id: 4\n- {source_id: 5, uri: rtsp://h/x, pace: max, tls_ca_file: a}\n\
         - {source_id: 6, uri: /a.mp4, pace: max, credentials: a}\n- {source_id: 7, enabled: false}",
        &[
            "site.yaml:3: streams[1].source_id: 4 is already used by streams[0] (number of the room or camera, e.g. 3; unique)",
            "site.yaml:4: streams[2].pace: max is for files: a camera has its own pace (how fast a file is read: as recorded, or as fast as the engine takes it)",
            "site.yaml:4: streams[2].tls_ca_file: is for rtsps:// cameras only (certificates that an rtsps camera must be signed by, e.g. /etc/vigia/ca.pem)",
            "site.yaml:5: streams[3].credentials: names an entry of secrets_file, which is not set (an entry of secrets_file, e.g. front-door)",
            "site.yaml:5: streams[3].credentials: are for rtsp:// and rtsps:// cameras only (an entry of secrets_file, e.g. front-door)",
        ],
    );
    check(
        "camera:\n  reconnect_min_s: 5\n  reconnect_max_s: 2",
        &[
            "site.yaml:2: camera.reconnect_min_s: 5 must not be above camera.reconnect_max_s, which is 2 (seconds before the first try to reconnect, e.g. 0.2)",
        ],
    );
    check(
        "mqtt: {tls: {cert_file: a}, password_file: b}",
        &[
            "site.yaml:1: mqtt.password_file: needs mqtt.username (file holding the password alone, readable by its owner only (mode 0600))",
            "site.yaml:1: mqtt.tls.cert_file: needs mqtt.tls.key_file (our certificate, if the broker asks for one; needs key_file)",
        ],
    );
    check(
        "control: {command_topic: nvr/detections/5}",
        &[
            "site.yaml:1: control.command_topic: must not lie under mqtt.detections_topic, or we would receive our own messages (topic commands arrive on, e.g. nvr/control/commands)",
        ],
    );
    check(
        "streams: [{source_id: 1, enabled: false}]",
        &[
            "site.yaml:1: streams: at least one must be enabled (cameras to watch, e.g. a list of items like `- source_id: 0`)",
        ],
    );
}

#[test]
fn a_refused_setting_is_not_blamed_twice() {
    check(
        "camera:\n  reconnect_min_s: 5\n  reconnect_max_s: \"9\"",
        &[
            "site.yaml:3: camera.reconnect_max_s: must be a number, got the text `9`: write it without quotes (most seconds between tries to reconnect, e.g. 1.0)",
        ],
    );
    check(
        "streams:\n- rtsp://u:pw@h/x\n- {source_id: x}",
        &[
            "site.yaml:2: streams[0]: must be a map of settings, got the text `rtsp://***@h/x` (one camera, file or test picture)",
            "site.yaml:3: streams[1].source_id: must be a whole number, got the text `x` (number of the room or camera, e.g. 3; unique)",
        ],
    );
}

#[test]
fn the_schema_and_the_checks_agree_on_bounds() {
    let schema = schema();
    let mut bounds = 0;
    for (section, name) in [
        ("detector", "Detector"),
        ("camera", "Camera"),
        ("mqtt", "Mqtt"),
        ("metrics", "Metrics"),
        ("stream_defaults", "StreamDefaults"),
    ] {
        for (key, field) in schema["$defs"][name]["properties"].as_object().unwrap() {
            for (bound, step) in [("minimum", -1.0), ("maximum", 1.0)] {
                let Some(limit) = field[bound].as_f64() else { continue };
                // Alone, reconnect_min_s = 3600 is above the other's default.
                let pair =
                    if section == "camera" { "{reconnect_min_s: 0.01, reconnect_max_s: 3600, " } else { "{" };
                let pair = if key.starts_with("reconnect_m") { "{" } else { pair };
                let at = complaints(format!("{section}: {pair}{key}: {limit}}}"));
                let beyond = complaints(format!("{section}: {pair}{key}: {}}}", limit + step));
                let is_cross = at.iter().all(|line| line.contains("must not be above"));
                assert!(is_cross, "{section}.{key} {limit}: {at:?}");
                assert!(beyond.iter().any(|line| line.contains(", got ")), "{section}.{key}: {beyond:?}");
                bounds += 1;
            }
        }
    }
    assert!(bounds >= 24, "{bounds}");
}
