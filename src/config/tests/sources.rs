//! Which source wins, and what is said about the ones that are not files.

use super::*;

#[test]
fn later_layers_win() {
    let folder = Folder::new();
    let board = folder.file("board.yaml", "mqtt: {host: board, port: 1, username: board}\ndetector: {engine: rten, mode: latency}\nstream_defaults: {classes: [car, dog]}");
    let site = folder.file("site.yaml", "mqtt: {host: site, port: 2}\ndetector: {engine: openvino}\nstream_defaults: {classes: [person]}\nstreams: [{source_id: 9, max_fps: 3}, {source_id: 10}]");
    let env = variables(&[
        ("VIGIA_MQTT_HOST", "env"),
        ("VIGIA_MQTT_PORT", "3"),
        ("LOG_LEVEL", "WARNING"),
        ("JSON_LOGS", "True"),
        ("LOG_FILE", ""),
        ("PATH", "/bin"),
    ]);
    let flags =
        vec![Flag::new("mqtt.port", 4, "--mqtt-port"), Flag::new("streams[*].max_fps", 0.2, "--max-fps")];
    let config = load(Some(&board), Some(&site), env, flags).unwrap();
    assert_eq!((config.mqtt.host.as_str(), config.mqtt.port), ("env", 4));
    assert_eq!(config.mqtt.username.as_deref(), Some("board"));
    assert_eq!((config.detector.engine, config.detector.mode), (Engine::OpenVino, Mode::Latency));
    assert_eq!(config.stream_defaults.classes, ["person"], "lists are replaced whole");
    assert_eq!((config.log.level, config.log.json, config.log.file), (LogLevel::Warn, true, None));
    let rates: Vec<_> = config.streams.iter().map(|s| (s.source_id, s.max_fps)).collect();
    assert_eq!(rates, [(9, 0.2), (10, 0.2)]);
}

#[test]
fn rooms_from_the_command_line() {
    let ids = select(6, None, None, Some("1, 3,6")).unwrap();
    let flags = vec![
        Flag::new("stream_server", "rtsp://nvr/live/", "--stream-server"),
        Flag::rooms(&ids, "--streams"),
    ];
    let config = load(None, None, variables(&[]), flags).unwrap();
    let uris: Vec<_> = config.streams.iter().map(|s| s.uri.expose()).collect();
    assert_eq!(uris, ["rtsp://nvr/live/1", "rtsp://nvr/live/3", "rtsp://nvr/live/6"]);
    assert_eq!(config.stream_of_room(8).uri.expose(), "rtsp://nvr/live/8");
    assert_eq!(config.stream_of_room(3), config.streams[1]);
}

#[test]
fn variables_and_flags_are_named() {
    let folder = Folder::new();
    let board = folder.file("board.yaml", "detector: {engin: x}");
    let site = folder.file("site.yaml", "log: {level: 5}");
    let env = variables(&[
        ("VIGIA_MQTT_HOST", "a b"),
        ("VIGIA_MQTT_PORT", "x"),
        ("JSON_LOGS", "yes"),
        ("VIGIA_ENGINE", "openvin"),
    ]);
    let flags = vec![
        Flag::new("stream_defaults.max_fps", 0.0, "--max-fps"),
        Flag::new("metrics.interval_s", -1, "--metrics-interval"),
        Flag::new("mqtt.nothing", 1, "--nothing"),
        Flag::new("streams[7].name", "x", "--name"),
        Flag::new("stream_defaults.confidence", serde_json::Value::Null, "--confidence"),
    ];
    let got = folder.report(load(Some(&board), Some(&site), env, flags));
    let want = [
        "board.yaml:1: detector.engin: unknown key: did you mean `engine`?",
        "site.yaml:1: log.level: must be one of trace, debug, info, warn, error, got 5: put it in quotes (least severity written)",
        "environment JSON_LOGS: log.json: must be true or false, got the text `yes`: write true (whether lines are JSON)",
        "environment VIGIA_ENGINE: detector.engine: must be one of auto, openvino, rten, tensorrt, got the text `openvin`: did you mean `openvino`? (inference engine)",
        "environment VIGIA_MQTT_HOST: mqtt.host: must be a name or address alone, got `a b` (name or address of the broker, e.g. localhost)",
        "environment VIGIA_MQTT_PORT: mqtt.port: must be a whole number, got the text `x` (TCP port of the broker, e.g. 1883, or 8883 with TLS)",
        "flag --max-fps: stream_defaults.max_fps: must be > 0, got 0 (frames per second, e.g. 0.5)",
        "flag --metrics-interval: metrics.interval_s: cannot be negative, got -1 (seconds between reports, e.g. 10; 0 is off)",
        "flag --name: streams[7].name: does not exist: the list has fewer items",
        "flag --nothing: mqtt.nothing: is not a setting",
    ];
    assert_eq!(got, want, "\n{}", got.join("\n"));
}

#[test]
fn files_that_cannot_be_read() {
    let folder = Folder::new();
    let absent = folder.0.path().join("absent.yaml");
    let got = folder.report(load(Some(folder.0.path()), Some(&absent), variables(&[]), vec![]));
    assert_eq!(got.len(), 2);
    assert!(got[0].ends_with("cannot be read: it is not a file"), "{got:?}");
    assert!(got[1].starts_with("absent.yaml: cannot be read: No such file"), "{got:?}");
}

#[test]
fn credentials_come_from_the_secrets_file() {
    let folder = Folder::new();
    let secrets = folder.private(
        "secrets.yaml",
        "front: {username: viewer, password: hunter2}\nback: {username: u, password: p}",
        0o600,
    );
    let password = folder.private("mqtt", "s3cret\n", 0o400);
    let text = format!(
        "secrets_file: {}\nmqtt: {{username: vigia, password_file: {}}}\nstreams:\n- {{source_id: 1, uri: 'rtsp://h/x', credentials: front}}",
        secrets.display(),
        password.display()
    );
    let site = folder.file("site.yaml", &text);
    let config = load_site(&site).unwrap();
    let credentials = config.streams[0].credentials.as_ref().unwrap();
    assert_eq!((credentials.username.as_str(), credentials.password.expose()), ("viewer", "hunter2"));
    assert_eq!(config.mqtt.password.as_ref().unwrap().expose(), "s3cret");
    for shown in [format!("{config:?}"), serde_json::to_string(&config).unwrap()] {
        assert!(!shown.contains("hunter2") && !shown.contains("s3cret") && shown.contains("***"), "{shown}");
    }
    let env = variables(&[("MQTT_PASSWORD", "other"), ("MQTT_USERNAME", "me")]);
    let config = load(None, Some(&site), env, vec![]).unwrap();
    assert_eq!(config.mqtt.password.unwrap().expose(), "other", "the environment wins");
    assert_eq!(config.mqtt.username.as_deref(), Some("me"));
    let site = folder.file("site.yaml", text.replace("credentials: front", "credentials: side"));
    assert_eq!(
        folder.report(load_site(&site)),
        [
            "site.yaml:4: streams[0].credentials: `side` is not in secrets_file, which has back, front (an entry of secrets_file, e.g. front-door)"
        ]
    );
}

#[test]
fn secrets_that_others_may_read_are_refused() {
    let folder = Folder::new();
    for mode in [0o644, 0o640, 0o604, 0o660, 0o601] {
        let path = folder.private("secrets.yaml", "front: {username: a, password: hunter2}", mode);
        let text = format!(
            "secrets_file: {}\nmqtt: {{username: a,\n  password_file: {}}}\nstreams: [{{source_id: 1, credentials: front}}]",
            path.display(),
            path.display()
        );
        let site = folder.file("site.yaml", text);
        let want = format!("secrets.yaml may be read by others: its mode is {mode:04o}, want 0600");
        let got = folder.report(load_site(&site));
        assert_eq!(
            got,
            [
                format!("site.yaml:1: secrets_file: {want}"),
                format!("site.yaml:3: mqtt.password_file: {want}")
            ]
        );
    }
}

#[test]
fn a_wrong_secrets_file_shows_no_secret() {
    let folder = Folder::new();
    let text = "front:\n  username: viewer\n  password: 8675309\nback:\n  username: u\nside: hunter2\nshed:\n  passwort: hunter2\n  hunter2:\n  username: u\n  password: p";
    let secrets = folder.private("secrets.yaml", text, 0o600);
    let site = folder.file(
        "site.yaml",
        format!("secrets_file: {}\nstreams: [{{source_id: 1, credentials: front}}]", secrets.display()),
    );
    let got = folder.report(load_site(&site));
    let want = [
        "secrets.yaml:3: front.password: must be text, got something else: put it in quotes (password at the camera, as text; in quotes if it looks like a number)",
        "secrets.yaml:4: back.password: is missing",
        "secrets.yaml:6: side: must be a map of settings, got something else (a user name and a password)",
        "secrets.yaml:8: shed: has an unknown key: want password, username",
        "secrets.yaml:9: shed: has an unknown key: want password, username",
    ];
    assert_eq!(got, want, "\n{}", got.join("\n"));
}
