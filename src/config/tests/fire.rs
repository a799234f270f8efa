//! The sections `fire` and `pump`: what holds, and the line for each mistake.

use super::*;

const GOOD: &str = "\
streams:
  - source_id: 1
  - { source_id: 2, name: yard, max_fps: 2 }
control: { journal: /tmp/j.db, unsigned_role: operator, keys: [{ id: tech-1, role: technician, public_key: \"0000000000000000000000000000000000000000000000000000000000000001\" }] }
";

fn with(more: &str) -> String {
    format!("{GOOD}{more}")
}

#[test]
fn a_site_without_them_is_as_before() {
    let config = parse_site(GOOD.as_bytes()).unwrap();
    assert!(config.fire.is_none() && config.pump.is_none() && config.consensus(&config.streams).is_none());
}

#[test]
fn what_holds() {
    let config = parse_site(
        with(
            "fire: { smoke: half, cameras: [{ name: yard, source_id: 2 }, { name: barn, boxes: size, updates: sparse }] }\n\
             pump: { orders_from: [tech-1, unsigned] }\nmqtt: { topic_prefix: site-1 }\n",
        )
        .as_bytes(),
    )
    .unwrap();
    let consensus = config.consensus(&config.streams).unwrap().unwrap();
    assert_eq!(consensus.cameras.len(), 2);
    assert_eq!(consensus.sectors[0].needed, 2);
    assert_eq!(config.pump.as_ref().unwrap().socket, "/run/vigia/pump.sock");
    assert_eq!(config.topic("fire/trigger"), "site-1/fire/trigger");
    let every = parse_site(with("fire: {}\n").as_bytes()).unwrap();
    let names: Vec<_> = every.consensus(&every.streams).unwrap().unwrap().cameras;
    assert_eq!(names.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["1", "yard"]);
    let plan = "pump: { preset: alarm_only }\n";
    assert!(parse_site(with(plan).as_bytes()).unwrap().pump.unwrap().plan.is_some());
}

#[test]
fn each_mistake_has_its_sentence() {
    for (more, phrase) in [
        ("fire: { window_s: 5 }\n", "site.yaml:5: fire.window_s: must be 10 to 300, got 5 (seconds"),
        ("fire: { smoke: maybe }\n", "fire.smoke: must be one of ignore, alarm, half, got the text `maybe`"),
        ("fire: { wndow_s: 30 }\n", "fire.wndow_s: unknown key: did you mean `window_s`?"),
        (
            "fire: { cameras: [{ name: a, source_id: 7 }] }\n",
            "there is no stream 7 on this box; there are 1, 2",
        ),
        ("fire: { cameras: [{ name: a }] }\n", "2 cameras must agree, but there are only 1"),
        (
            "fire: { cameras: [{ name: a }, { name: b }], sectors: [{ name: s, cameras: [a, c] }] }\n",
            "there is no camera `c`; there are a, b",
        ),
        ("fire: { growth_samples: 10, window_s: 10 }\n", "raise its max_fps or window_s"),
        ("fire: {}\nstream_defaults: { classes: [person] }\n", "leave out fire"),
        (
            "pump: { orders_from: [tech-2] }\n",
            "`tech-2` is no name in control.keys; there are tech-1, unsigned",
        ),
        ("pump: { orders_from: [tech-1, tech-1] }\n", "`tech-1` is already used by pump.orders_from[0]"),
        ("pump: { socket: pump.sock }\n", "pump.socket: must be an absolute path"),
        ("pump: { sockets: x }\n", "unknown key: did you mean `socket`?"),
        ("pump: { preset: wildfire_engine, timings: { crank_s: 90 } }\n", "pump.timings.crank_s"),
        (
            "pump: { preset: wildfire_engine, timings: { fire_off_s: 40 }, policies: { on_crash: fail_stop } }\nfire: { heartbeat_s: 20 }\n",
            "pump.timings.fire_off_s: must be longer than twice fire.heartbeat_s",
        ),
    ] {
        let got = complaints(with(more));
        assert!(got.iter().any(|line| line.contains(phrase)), "{more}: {got:#?}");
    }
    let got = complaints("streams: [{ source_id: 1 }]\npump: {}\n");
    assert!(got.iter().any(|line| line.contains("pump: needs control.journal")), "{got:#?}");
    let got = complaints(
        "control: { journal: x, unsigned_role: null }\nstreams: [{ source_id: 1 }]\npump: { orders_from: [unsigned] }\n",
    );
    assert!(got.iter().any(|line| line.contains("control.unsigned_role refuses them")), "{got:#?}");
}
