//! Rules as tables: what is accepted, what is refused, and in which words.

extern crate std;

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::rules::{self, InstanceId};
use super::{SelectError, SourceKind, StreamUri, TestPattern, masked, select};

#[test]
fn passwords_are_masked_in_any_uri() {
    let table = [
        ("rtsp://host/live", "rtsp://host/live"),
        ("rtsp://admin:pw@host:554/live", "rtsp://***@host:554/live"),
        ("rtsp://admin:p@ss@host/live", "rtsp://***@host/live"),
        ("rtsp://admin:p/w@host/live", "rtsp://***@host/live"),
        ("rtsp://admin:p?w#x@host/live", "rtsp://***@host/live"),
        ("rtsp://admin:http://@host/live", "rtsp://***@host/live"),
        ("rtsp://a:b@[fe80::1]:554/x", "rtsp://***@[fe80::1]:554/x"),
        ("rtsp://[fe80::1]:554/x", "rtsp://[fe80::1]:554/x"),
        ("admin:pw@host/live", "***@host/live"),
        ("ad:min://pw@host", "***@host"),
        ("RTSP://a:b@h", "RTSP://***@h"),
        ("rtsp://@h", "rtsp://***@h"),
        ("@", "***@"),
        ("", ""),
        ("rtsp://h/s?user=a&password=b&channel=1", "rtsp://h/s?user=a&password=***&channel=1"),
        ("rtsp://h/user=a_password=b_channel=1", "rtsp://h/user=a_password=***"),
        ("rtsp://h/?TOKEN=a/b==", "rtsp://h/?TOKEN=***"),
        ("file:///media/a@b.mp4", "file:///media/a@b.mp4"),
        ("/media/a@b.mp4", "/media/a@b.mp4"),
        ("test://pattern?width=4", "test://pattern?width=4"),
    ];
    for (uri, want) in table {
        assert_eq!(masked(uri), want, "{uri}");
    }
}

#[test]
fn a_uri_shows_no_password_in_any_form() {
    let uri = StreamUri::parse("rtsp://admin:hunter2@10.0.0.9/live").unwrap();
    let shown = [uri.to_string(), std::format!("{uri:?}"), serde_json::to_string(&uri).unwrap()];
    assert!(shown.iter().all(|text| !text.contains("hunter2")), "{shown:?}");
    assert_eq!(uri.expose(), "rtsp://admin:hunter2@10.0.0.9/live");
    assert!(uri.has_user());
    assert!(!StreamUri::parse("rtsp://host/live@2").unwrap().has_user());
}

#[test]
fn uris_name_their_kind() {
    let table = [
        ("rtsp://h", Some(SourceKind::Rtsp)),
        ("rtsp://u:p@h:554/x?y", Some(SourceKind::Rtsp)),
        ("rtsps://[::1]:322/x", Some(SourceKind::Rtsps)),
        ("file:///a b.mp4", Some(SourceKind::File)),
        ("/a.mp4", Some(SourceKind::File)),
        ("./a.mp4", Some(SourceKind::File)),
        ("media/a.mp4", Some(SourceKind::File)),
        ("v4l2:///dev/video0", Some(SourceKind::V4l2)),
        ("test://pattern", Some(SourceKind::Test)),
        ("test://pattern?width=64&height=48&fps=5", Some(SourceKind::Test)),
        ("", None),
        ("  ", None),
        ("camera", None),
        ("rtsp:/host/x", None),
        ("rtsp://", None),
        ("rtsp:///x", None),
        ("rtsp://:554/x", None),
        ("rtsp://h:0/x", None),
        ("rtsp://h:70000/x", None),
        ("rtsp://h:x/x", None),
        ("rtsp://ho st/x", None),
        ("rtsp://[::1/x", None),
        ("http://h/x", None),
        ("file://a.mp4", None),
        ("file:///", None),
        ("v4l2://video0", None),
        ("test://noise", None),
        ("test://pattern?width=0", None),
        ("test://pattern?colour=red", None),
        ("/a\n.mp4", None),
    ];
    for (text, want) in table {
        assert_eq!(StreamUri::parse(text).ok().map(|uri| uri.kind()), want, "{text}");
    }
    let path = |text| StreamUri::parse(text).unwrap().path().map(ToString::to_string);
    assert_eq!(path("file:///a.mp4").as_deref(), Some("/a.mp4"));
    assert_eq!(path("v4l2:///dev/video0").as_deref(), Some("/dev/video0"));
    assert_eq!(path("rtsp://h/x"), None);
    let pattern = StreamUri::parse("test://pattern?fps=5").unwrap().test_pattern();
    assert_eq!(pattern, Some(TestPattern { width: 640, height: 480, fps: 5 }));
}

#[test]
fn the_stream_server_loses_its_slashes() {
    for text in ["rtsp://h:8554/live", "rtsp://h:8554/live/", "rtsp://h:8554/live//"] {
        let server = StreamUri::parse_server(text).unwrap();
        assert_eq!(server.of_room(3).expose(), "rtsp://h:8554/live/3");
    }
    for text in ["", "/", "rtsp://", "http://h", "/srv/live", "file:///x"] {
        assert!(StreamUri::parse_server(text).is_err(), "{text}");
    }
}

#[test]
fn rooms_are_selected() {
    // Acceptance checks 1 to 3.
    assert_eq!(select(6, None, None, Some("1, 3,6")), Ok(vec![1, 3, 6]));
    assert_eq!(select(6, Some(1), Some(4), None), Ok(vec![1, 2, 3, 4]));
    assert_eq!(select(6, Some(4), None, None), Ok((4..=9).collect()));
    assert_eq!(select(6, None, None, None), Ok((0..=5).collect()));
    assert_eq!(select(6, Some(1), Some(4), Some("8")), Ok(vec![8]), "a list wins over a range");
    assert_eq!(select(1, Some(u32::MAX), None, None), Ok(vec![u32::MAX]));
}

#[test]
fn bad_selections_are_refused() {
    use SelectError::{Duplicate, EmptyList, EmptyRange, EndAlone, NoneWanted, NotANumber};
    assert_eq!(select(6, None, Some(4), None), Err(EndAlone { end: 4 }));
    assert_eq!(select(6, Some(4), Some(2), None), Err(EmptyRange { start: 4, end: 2 }));
    assert_eq!(select(0, None, None, None), Err(NoneWanted));
    assert_eq!(select(6, None, None, Some(" ")), Err(EmptyList));
    assert_eq!(select(6, None, None, Some("1,2,1")), Err(Duplicate { id: 1 }));
    for item in ["x", "1.5", "-1", "+1", "", "4294967296", "0x1"] {
        let list = std::format!("7,{item}");
        assert_eq!(select(6, None, None, Some(&list)), Err(NotANumber { item: item.into() }));
    }
    assert_eq!(select(u32::MAX, None, None, None), Err(SelectError::TooMany { len: 4_294_967_295 }));
    assert_eq!(select(6, Some(0), Some(u32::MAX), None), Err(SelectError::TooMany { len: 4_294_967_296 }));
    assert_eq!(select(2, Some(u32::MAX), None, None), Err(SelectError::BeyondLast { n: 2, start: u32::MAX }));
}

#[test]
fn rules_say_what_would_be_right() {
    let sentence = |result: Result<(), super::Wrong>| result.map_err(|wrong| wrong.to_string());
    let table = [
        (sentence(rules::fps(0.0).map(drop)), "must be > 0, got 0"),
        (sentence(rules::fps(-1.5).map(drop)), "must be > 0, got -1.5"),
        (sentence(rules::fps(f64::NAN).map(drop)), "must be > 0, got NaN"),
        (sentence(rules::fps(f64::INFINITY).map(drop)), "must be at most 1000, got inf"),
        (sentence(rules::share(1.2).map(drop)), "must be between 0 and 1, got 1.2"),
        (sentence(rules::share(-0.1).map(drop)), "must be between 0 and 1, got -0.1"),
        (sentence(rules::share(f32::NAN).map(drop)), "must be between 0 and 1, got NaN"),
        (sentence(rules::metrics_interval(-1.0).map(drop)), "cannot be negative, got -1"),
        (sentence(rules::metrics_interval(f64::NAN).map(drop)), "must be at most 86400, got NaN"),
        (sentence(rules::int::<u16>(70_000, 1, 65_535).map(drop)), "must be 1..=65535, got 70000"),
        (sentence(rules::seconds(0.0).map(drop)), "must be between 0.01 and 3600, got 0"),
        (sentence(rules::topic(None, "a/+/b").map(drop)), "must not hold # or +, got `a/+/b`"),
        (sentence(rules::topic(None, "").map(drop)), "cannot be empty"),
        (sentence(InstanceId::parse("ack").map(drop)), "cannot be `ack`, which is part of a topic"),
        (sentence(rules::model_name("../x").map(drop)), "must be 1 to 128 of A-Z a-z 0-9 . _ -, got `../x`"),
    ];
    for (got, want) in table {
        assert_eq!(got, Err(want.to_string()));
    }
}

#[test]
fn names_and_topics_at_their_bounds() {
    assert!(InstanceId::parse(&"a".repeat(64)).is_ok());
    for bad in ["", "a b", "a/b", "x#", "é", "..", "metrics", &"a".repeat(65)] {
        assert!(InstanceId::parse(bad).is_err(), "{bad}");
    }
    assert!(rules::topic(None, &"a".repeat(200)).is_ok());
    for bad in ["/a", "a/", "/", "#", "a+", "a\0b", "$SYS/x", &"a".repeat(201)] {
        assert!(rules::topic(None, bad).is_err(), "{bad}");
    }
    assert_eq!(rules::topic(Some("site-1"), "nvr/x").as_deref(), Ok("site-1/nvr/x"));
    assert!(rules::topic(Some("p"), &"a".repeat(199)).is_err(), "the limit counts the prefix");
    assert!(rules::qos(1).is_ok() && rules::qos(2).is_err() && rules::qos(-1).is_err());
    assert_eq!(rules::metrics_interval(0.0), Ok(None));
}

proptest! {
    #[test]
    fn no_user_part_survives_masking(
        user in "[a-z]{1,8}", password in "[!-~]{6,20}", host in "[a-z]{1,8}", path in "[a-z0-9/]{0,12}",
    ) {
        // What stands after the '@' is made of other letters only by luck.
        prop_assume!(!host.contains(&password) && !path.contains(&password));
        let uri = std::format!("rtsp://{user}:{password}@{host}/{path}");
        prop_assert_eq!(masked(&uri), std::format!("rtsp://***@{host}/{path}"));
    }

    #[test]
    fn any_text_is_masked_and_parsed_without_panic(text in "\\PC{0,60}") {
        let _ = masked(&text);
        if let Ok(uri) = StreamUri::parse(&text) {
            prop_assert_eq!(uri.path().is_some(), matches!(uri.kind(), SourceKind::File | SourceKind::V4l2));
        }
        let _: Result<Vec<u32>, _> = select(6, None, None, Some(&text));
    }
}
