//! Who gets in, what is refused, and what a server's going and coming looks like.
#![allow(clippy::unwrap_used, reason = "in a test, to panic is to report")]

mod common;

use std::net::TcpListener;

use common::{Client, PATIENCE};
use vigia_sim::{Camera, Codec, RtspServer, SimError};

fn camera() -> Camera {
    Camera::pattern(160, 120, 10)
}

#[test]
fn an_unknown_mount_is_404() {
    let server = RtspServer::start().unwrap();
    server.add("/live/0", camera()).unwrap();
    for path in ["/live/1", "/live", "/live/0/more", "/"] {
        let client = Client::watch(&server.url(path), Codec::H264);
        let complaint = client.complaint(PATIENCE).expect("a refusal");
        assert!(complaint.contains("404"), "{path}: {complaint}");
    }
}

#[test]
fn only_the_right_login_gets_in() {
    let server = RtspServer::start().unwrap();
    let locked = server.add("/locked", camera().with_login("admin", "s3cret")).unwrap();
    let other = server.add("/other", camera().with_login("guest", "guest")).unwrap();
    let open = server.add("/open", camera()).unwrap();
    assert_eq!(locked.url_with_login(), locked.url().replace("://", "://admin:s3cret@"));
    let ways: [&dyn Fn(); 2] = [&|| (), &|| server.ask_for_digest()];
    for ask in ways {
        ask();
        for good in [locked.url_with_login(), other.url_with_login(), open.url().to_owned()] {
            Client::watch(&good, Codec::H264).must_see();
        }
        for bad in [
            locked.url().to_owned(),
            locked.url().replace("://", "://admin:wrong@"),
            locked.url().replace("://", "://guest:guest@"),
        ] {
            let complaint = Client::watch(&bad, Codec::H264).complaint(PATIENCE).expect("a refusal");
            assert!(complaint.contains("401") || complaint.contains("Unauthorized"), "{bad}: {complaint}");
        }
    }
}

#[test]
fn tls_plays() {
    let server = RtspServer::start_tls(([127, 0, 0, 1], 0).into()).unwrap();
    let camera = server.add("/live/0", camera()).unwrap();
    assert!(camera.url().starts_with("rtsps://"));
    assert!(server.certificate_pem().unwrap().starts_with("-----BEGIN CERTIFICATE"));
    Client::watch(camera.url(), Codec::H264).must_see();
}

#[test]
fn a_server_comes_back_on_its_port() {
    let server = RtspServer::start().unwrap();
    let address = server.address();
    let url = server.add("/live/0", camera()).unwrap().url().to_owned();
    let client = Client::watch(&url, Codec::H264);
    client.must_see();
    drop(server);
    assert!(client.complaint(PATIENCE).is_some(), "its client is told");
    let away = Client::watch(&url, Codec::H264).complaint(PATIENCE);
    assert!(away.is_some_and(|c| c.contains("connect")));
    let server = RtspServer::start_on(address).unwrap();
    let camera = server.add("/live/0", Camera::pattern(320, 240, 10)).unwrap();
    assert_eq!(camera.url(), url);
    assert_eq!(Client::watch(&url, Codec::H264).must_see().width, 320);
}

#[test]
fn a_server_stops_right_after_its_start() {
    for _ in 0..50 {
        drop(RtspServer::start().unwrap());
    }
}

#[test]
fn a_removed_camera_is_gone_until_it_is_added() {
    let server = RtspServer::start().unwrap();
    let url = server.add("/live/0", camera()).unwrap().url().to_owned();
    let bystander = server.add("/live", camera()).unwrap();
    let client = Client::watch(&url, Codec::H264);
    let other = Client::watch(bystander.url(), Codec::H264);
    client.must_see();
    other.must_see();
    server.remove("/live/0").unwrap();
    assert!(client.complaint(PATIENCE).is_some());
    let complaint = Client::watch(&url, Codec::H264).complaint(PATIENCE).unwrap();
    assert!(complaint.contains("404"), "{complaint}");
    assert!(matches!(server.remove("/live/0"), Err(SimError::NoMount { .. })));
    server.add("/live/0", camera()).unwrap();
    Client::watch(&url, Codec::H264).must_see();
    assert_eq!(other.complaint(gst::ClockTime::ZERO), None);
    server.disconnect_all();
    assert!(other.complaint(PATIENCE).is_some());
}

#[test]
fn what_cannot_be_served_is_refused() {
    let server = RtspServer::start().unwrap();
    server.add("/taken", camera()).unwrap();
    server.add("/login", camera().with_login("admin", "a")).unwrap();
    let no_clip = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let rows = [
        ("taken", camera(), "must start with '/'"),
        ("/", camera(), "must start with '/'"),
        ("/a b", camera(), "no blank"),
        ("/taken", camera(), "already taken"),
        ("/new", camera().with_login("admin", "b"), "another password"),
        ("/new", Camera::file("/no/such.mp4"), "/no/such.mp4: No such file"),
        ("/new", Camera::file("/tmp"), "cannot play clip /tmp"),
        ("/new", Camera::file(no_clip), "cannot play clip"),
        ("/new", Camera::pattern(1, 1, 10), "from 16 to 7680"),
    ];
    for (path, camera, wanted) in rows {
        let error = server.add(path, camera).unwrap_err().to_string();
        assert!(error.contains(wanted), "{path}: {error}");
    }
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = RtspServer::start_on(taken.local_addr().unwrap()).unwrap_err();
    assert!(matches!(error, SimError::Listen { .. }), "{error}");
}
