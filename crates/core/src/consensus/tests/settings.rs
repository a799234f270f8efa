//! Settings are taken whole or refused with sentences.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::*;

fn refused(raw: &raw::Consensus, own: &[Own]) -> Vec<String> {
    check(raw, own).expect_err("refused").iter().map(ToString::to_string).collect()
}

#[test]
fn defaults_are_those_of_the_specification() {
    let config = check(&raw::Consensus::default(), &streams(3)).expect("sound");
    let rules = &config.rules;
    assert_eq!((rules.window.as_secs(), rules.cooldown.as_secs()), (30, 300));
    assert_eq!((rules.confidence, rules.area_min, rules.area_max), (0.7, 0.001, 0.8));
    assert_eq!((rules.growth_ratio, config.cameras[0].pace.samples), (1.2, 3));
    assert_eq!(rules.camera_timeout.as_secs(), 60);
    assert_eq!(usize::try_from(limits::SAMPLES_MAX), Ok(super::super::samples::W_MAX));
    assert_eq!((config.sectors.len(), config.sectors[0].needed, config.sectors[0].cameras.len()), (1, 2, 3));
    assert_eq!(config.sectors[0].name, "site");
    assert_eq!(config.camera_of_source(2), config.camera_named("cam2"));
    assert_eq!(config.camera_of_source(9), None);
}

#[test]
fn files_are_read_strictly() {
    let read = |text: &str| serde_json::from_str::<raw::Consensus>(text);
    let raw = read(r#"{"cameras":[{"name":"barn","updates":"sparse"}],"smoke":"half","window_s":12}"#)
        .expect("read");
    assert_eq!((raw.smoke, raw.window_s, raw.cooldown_s), (raw::Smoke::Half, 12.0, 300.0));
    assert!(read(r#"{"cooldown":30}"#).is_err(), "an unknown key is a mistake");
    assert!(read(r#"{"cameras":[{"name":"a","zone":"b"}]}"#).is_err());
    assert!(read(r#"{"smoke":"always"}"#).is_err());
}

/// The ranges of spec 2.6 and ours, at their ends.
#[test]
fn numbers_out_of_range_are_refused() {
    type Set = fn(&mut raw::Consensus, f64);
    let rows: [(&str, Set, f64, f64); 16] = [
        ("cameras_needed", |r, v| r.cameras_needed = v as i64, 1.0, 10.0),
        ("single_camera_s", |r, v| r.single_camera_s = v, 3.0, 300.0),
        ("window_s", |r, v| r.window_s = v, 10.0, 300.0),
        ("cooldown_s", |r, v| r.cooldown_s = v, 0.0, 3600.0),
        ("confidence", |r, v| r.confidence = v, 0.0, 1.0),
        ("area_min", |r, v| r.area_min = v, 0.0, 1.0),
        ("area_max", |r, v| r.area_max = v, 0.0, 1.0),
        ("growth_ratio", |r, v| r.growth_ratio = v, 1.0, 5.0),
        ("growth_samples", |r, v| r.growth_samples = v as i64, 1.0, 10.0),
        ("growth_span_s", |r, v| r.growth_span_s = v, 1.0, 60.0),
        ("growth_steady", |r, v| r.growth_steady = v, 0.0, 1.0),
        ("keep_s", |r, v| r.keep_s = v, 0.0, 3600.0),
        ("large_s", |r, v| r.large_s = v, 3.0, 120.0),
        ("camera_timeout_s", |r, v| r.camera_timeout_s = v, 10.0, 600.0),
        ("blind_hold_s", |r, v| r.blind_hold_s = v, 0.0, 600.0),
        ("heartbeat_s", |r, v| r.heartbeat_s = v, 1.0, 60.0),
    ];
    for (name, set, min, max) in rows {
        // Wide enough around it that nothing else contradicts.
        let base = raw::Consensus { window_s: 300.0, area_min: 0.0, ..raw::Consensus::default() };
        for (value, fine) in
            [(min, true), (max, true), (min - 1.0, false), (max + 1.0, false), (f64::NAN, false)]
        {
            if value.is_nan() && (name == "cameras_needed" || name == "growth_samples") {
                continue;
            }
            let mut raw = base.clone();
            set(&mut raw, value);
            let outcome = check(&raw, &streams(10));
            let own = outcome
                .err()
                .unwrap_or_default()
                .iter()
                .any(|f| f.path == name && matches!(f.wrong, Wrong::Outside { .. }));
            assert_eq!(own, !fine, "{name}: {value}");
        }
    }
    let said = refused(&raw::Consensus { window_s: 5.0, ..raw::Consensus::default() }, &streams(2));
    assert_eq!(said[0], "fire.window_s: must be 10 to 300, got 5");
}

#[test]
fn contradictions_are_refused_in_a_sentence() {
    let base = raw::Consensus::default;
    let sector = |name: &str, cameras: &[&str], needed: Option<i64>| raw::Sector {
        name: name.into(),
        cameras: cameras.iter().map(ToString::to_string).collect(),
        cameras_needed: needed,
        single_camera_s: None,
    };
    let rows: Vec<(raw::Consensus, usize, &str)> = Vec::from([
        (
            raw::Consensus { area_min: 0.8, ..base() },
            2,
            "area_min: must be below area_max, which is 0.8; got 0.8",
        ),
        (raw::Consensus { area_min: 0.3, ..base() }, 2, "area_min: must be below large_area, which is 0.25"),
        (
            raw::Consensus { large_area: 0.9, ..base() },
            2,
            "large_area: must not be above area_max, which is 0.8",
        ),
        (
            raw::Consensus { growth_span_s: 30.0, ..base() },
            2,
            "growth_span_s: must be below window_s, which is 30",
        ),
        (
            raw::Consensus { lapse_s: 31.0, ..base() },
            2,
            "lapse_s: must not be above window_s, which is 30; got 31",
        ),
        (base(), 1, "cameras_needed: 2 cameras must agree, but there are only 1; lower it or add cameras"),
        (base(), 0, "cameras: needs at least one camera"),
        (
            raw::Consensus { sectors: Vec::from([sector("a", &["cam0", "cam1"], Some(3))]), ..base() },
            2,
            "sectors[0].cameras_needed: 3 cameras must agree, but there are only 2",
        ),
        (
            raw::Consensus { sectors: Vec::from([sector("a", &["cam0", "cam9", "cam1"], None)]), ..base() },
            2,
            "sectors[0].cameras[1]: there is no camera `cam9`; there are cam0, cam1",
        ),
        (
            raw::Consensus { sectors: Vec::from([sector("a", &["cam0", "cam1"], None)]), ..base() },
            3,
            "sectors: `cam2` is in no sector, so its votes would count nowhere; add it to one",
        ),
        (
            raw::Consensus { sectors: Vec::from([sector("a", &["cam0", "cam0"], Some(1))]), ..base() },
            1,
            "sectors[0].cameras[1]: `cam0` is there twice",
        ),
        (
            raw::Consensus {
                sectors: Vec::from([sector("a", &["cam0"], Some(1)), sector("a", &["cam0"], Some(1))]),
                ..base()
            },
            1,
            "sectors[1].name: `a` is there twice",
        ),
        (
            raw::Consensus { cameras: Vec::from([own_camera(0), own_camera(7)]), ..base() },
            2,
            "cameras[1].source_id: there is no stream 7 on this box; there are 0, 1",
        ),
        (
            raw::Consensus { cameras: Vec::from([own_camera(0), own_camera(0)]), ..base() },
            2,
            "cameras[1].name: `cam0` is there twice",
        ),
        (
            raw::Consensus {
                cameras: Vec::from([own_camera(0), raw::Camera { name: "yard".into(), ..own_camera(0) }]),
                ..base()
            },
            2,
            "cameras[1].name: `yard` is there twice",
        ),
        (
            raw::Consensus { cameras: Vec::from([outside_camera("x"), outside_camera("x")]), ..base() },
            0,
            "cameras[1].name: `x` is there twice",
        ),
        (
            raw::Consensus { cameras: Vec::from([outside_camera("x"), outside_camera("\n")]), ..base() },
            0,
            "cameras[1].name: must be 1 to 64 bytes without control characters",
        ),
        (
            raw::Consensus {
                cameras: Vec::from([
                    outside_camera("x"),
                    raw::Camera { width: Some(640), name: "y".into(), ..Default::default() },
                ]),
                ..base()
            },
            0,
            "cameras[1].width: width and height are given together or not at all",
        ),
        (
            raw::Consensus {
                cameras: Vec::from([
                    own_camera(0),
                    raw::Camera { width: Some(640), height: Some(3), ..own_camera(1) },
                ]),
                ..base()
            },
            2,
            "cameras[1].width: is for outside cameras only",
        ),
        (
            raw::Consensus {
                cameras: Vec::from([
                    outside_camera("x"),
                    raw::Camera { height: Some(3), ..outside_camera("y") },
                ]),
                ..base()
            },
            0,
            "cameras[1].height: must be 16 to 65535, got 3",
        ),
        (raw::Consensus { zone_activation: true, ..base() }, 2, "cameras[0].zones: `cam0` has no zones"),
    ]);
    for (raw, own, sentence) in rows {
        let said = refused(&raw, &streams(own));
        assert!(said.iter().any(|s| s.starts_with("fire.") && s.contains(sentence)), "{sentence}: {said:?}");
    }
}

/// A stream that is too slow for the rules would never vote, and nobody would know why.
#[test]
fn slow_streams_are_refused_with_the_numbers() {
    let mut own = streams(2);
    own[1].max_fps = 0.05;
    let said = refused(&raw::Consensus::default(), &own);
    assert!(said[0].contains("stream 1 gives 0.05 pictures a second, so 1 in window_s"), "{said:?}");
    assert!(said[1].contains("stream 1 gives a picture each 20 s"), "{said:?}");
    let slow = raw::Consensus { window_s: 120.0, lapse_s: 20.0, ..raw::Consensus::default() };
    assert!(check(&slow, &own).is_ok());
    assert_eq!(refused(&raw::Consensus { window_s: 119.0, ..slow }, &own).len(), 1);
}

/// Only the streams that vote must give pictures enough.
#[test]
fn a_stream_that_does_not_vote_may_be_slow() {
    let mut own = streams(2);
    own[1].max_fps = 0.05;
    let cameras = Vec::from([own_camera(0), outside_camera("barn")]);
    assert!(check(&raw::Consensus { cameras, ..raw::Consensus::default() }, &own).is_ok());
}

#[test]
fn a_name_is_one_line_that_can_be_read() {
    let (longest, too_long) = ("n".repeat(64), "n".repeat(65));
    for (name, shown) in [
        ("barn", None),
        ("east slope", None),
        (longest.as_str(), None),
        (too_long.as_str(), Some(longest.as_str())),
        ("", Some("")),
        ("  ", Some("  ")),
        ("ba\nrn", Some("barn")),
    ] {
        let cameras = Vec::from([outside_camera(name), outside_camera("gate")]);
        let said = check(&raw::Consensus { cameras, ..raw::Consensus::default() }, &[]).err();
        let said = said.map(|faults| faults[0].to_string());
        let sentence =
            "fire.cameras[0].name: must be 1 to 64 bytes without control characters, got ".to_owned();
        assert_eq!(said, shown.map(|shown| sentence + "`" + shown + "`"), "{name:?}");
    }
}

#[test]
fn as_much_as_is_allowed_is_taken() {
    let names = || (0..limits::CAMERAS_LEN_MAX).map(|i| format!("c{i}"));
    let zones: Vec<String> = (0..limits::ZONES_LEN_MAX).map(|i| format!("z{i}")).collect();
    let camera = |name: String| raw::Camera { zones: zones.clone(), ..outside_camera(&name) };
    let sector =
        |at: usize| raw::Sector { name: format!("s{at}"), cameras: names().collect(), ..Default::default() };
    let raw = raw::Consensus {
        cameras: names().map(camera).collect(),
        sectors: (0..limits::SECTORS_LEN_MAX).map(sector).collect(),
        ..raw::Consensus::default()
    };
    let config = check(&raw, &[]).expect("sound");
    assert_eq!((config.cameras.len(), config.sectors.len(), config.zones.len()), (256, 64, 64));
}

#[test]
fn all_violations_are_told_at_once() {
    let raw =
        raw::Consensus { window_s: 1.0, confidence: 2.0, growth_ratio: 0.0, ..raw::Consensus::default() };
    assert!(refused(&raw, &streams(1)).len() >= 4);
    let many = raw::Consensus {
        cameras: (0..300).map(|i| outside_camera(&format!("c{i}"))).collect(),
        ..raw::Consensus::default()
    };
    assert!(refused(&many, &[])[0].contains("cameras: may have at most 256 items, got 300"));
    let sectors = (0..65).map(|i| raw::Sector { name: format!("s{i}"), ..Default::default() }).collect();
    let many = raw::Consensus { sectors, ..raw::Consensus::default() };
    assert!(refused(&many, &streams(2))[0].contains("sectors: may have at most 64 items"));
    let zones = (0..65).map(|i| format!("z{i}")).collect();
    let cameras = Vec::from([raw::Camera { zones, ..own_camera(0) }, own_camera(1)]);
    let many = raw::Consensus { cameras, ..raw::Consensus::default() };
    assert!(refused(&many, &streams(2))[0].contains("may have at most 64 items, got 65"));
}
