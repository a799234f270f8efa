//! Each mode of the proxy, seen from both ends.
#![allow(clippy::unwrap_used, reason = "in a test, to panic is to report")]

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    time::{Duration, Instant},
};

use vigia_sim::{Mode, TcpProxy};

const PATIENCE: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_millis(300);

/// A client and a server with the proxy between them.
struct World {
    proxy: TcpProxy,
    listener: TcpListener,
}

impl World {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { proxy: TcpProxy::start(listener.local_addr().unwrap()).unwrap(), listener }
    }

    /// Both ends of a new connection.
    fn connect(&self) -> (TcpStream, TcpStream) {
        let client = self.dial();
        let (server, _) = self.listener.accept().unwrap();
        server.set_read_timeout(Some(PATIENCE)).unwrap();
        (client, server)
    }

    fn dial(&self) -> TcpStream {
        let client = TcpStream::connect(self.proxy.address()).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client
    }
}

#[track_caller]
fn check(mut from: &TcpStream, mut to: &TcpStream, text: &[u8]) {
    from.write_all(text).unwrap();
    let mut got = vec![0; text.len()];
    to.read_exact(&mut got).unwrap();
    assert_eq!(got, text);
}

#[track_caller]
fn check_silent(mut stream: &TcpStream) {
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
}

#[track_caller]
fn check_reset(mut stream: &TcpStream) {
    let error = stream.read(&mut [0]).expect_err("a reset, not an end");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn forward() {
    let world = World::new();
    let (client, mut server) = world.connect();
    check(&client, &server, b"hello");
    check(&server, &client, b"world!");
    let counters = world.proxy.counters();
    assert_eq!((counters.accepted, counters.open), (1, 1));
    assert_eq!((counters.to_server_bytes, counters.to_client_bytes), (5, 6));
    // One way may end before the other.
    client.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(server.read(&mut [0]).unwrap(), 0);
    check(&server, &client, b"late");
    drop(server);
    assert_eq!((&client).read(&mut [0]).unwrap(), 0);
}

#[test]
fn much_goes_through_unharmed() {
    let world = World::new();
    let (mut client, mut server) = world.connect();
    let sent: Vec<u8> = (0..8_000_000_u32).map(|i| i.to_le_bytes()[0] ^ i.to_le_bytes()[1]).collect();
    let copy = sent.clone();
    let writer = std::thread::spawn(move || server.write_all(&copy));
    let mut got = Vec::new();
    client.read_to_end(&mut got).unwrap();
    writer.join().unwrap().unwrap();
    assert!(got == sent);
}

#[test]
fn stall_keeps_and_silent_loses() {
    for (mode, arrives) in [(Mode::Stall, true), (Mode::Silent, false)] {
        let world = World::new();
        let (client, server) = world.connect();
        check(&client, &server, b"before");
        world.proxy.set_mode(mode).unwrap();
        (&client).write_all(b"1").unwrap();
        (&server).write_all(b"2").unwrap();
        check_silent(&server);
        check_silent(&client);
        let late = world.dial();
        (&late).write_all(b"3").unwrap();
        check_silent(&late);
        world.proxy.set_mode(Mode::Forward).unwrap();
        if arrives {
            let mut byte = [0];
            (&server).read_exact(&mut byte).unwrap();
            assert_eq!(&byte, b"1");
            (&client).read_exact(&mut byte).unwrap();
            assert_eq!(&byte, b"2");
        }
        check(&client, &server, b"after");
        check(&server, &client, b"after");
    }
}

#[test]
fn silent_needs_no_server() {
    let world = World::new();
    let World { proxy, listener } = world;
    drop(listener);
    proxy.set_mode(Mode::Silent).unwrap();
    let client = TcpStream::connect(proxy.address()).unwrap();
    check_silent(&client);
    proxy.set_mode(Mode::Forward).unwrap();
    // Nobody is there to carry to, and now that shows.
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    assert!(matches!((&client).read(&mut [0]), Ok(0) | Err(_)));
    assert_eq!(proxy.counters().accepted, 1);
}

#[test]
fn refuse_and_listen_again() {
    let world = World::new();
    let (client, server) = world.connect();
    for _ in 0..3 {
        world.proxy.set_mode(Mode::Refuse).unwrap();
        let error = TcpStream::connect(world.proxy.address()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        check(&client, &server, b"what is open stays open");
        world.proxy.set_mode(Mode::Forward).unwrap();
        let (client, server) = world.connect();
        check(&client, &server, b"new");
    }
    assert_eq!(world.proxy.counters().accepted, 4);
}

#[test]
fn reset() {
    let world = World::new();
    let (client, server) = world.connect();
    check(&client, &server, b"before");
    world.proxy.set_mode(Mode::Reset).unwrap();
    check_reset(&client);
    check_reset(&server);
    // The reset may be quicker than the connection.
    match TcpStream::connect(world.proxy.address()) {
        Err(e) => assert_eq!(e.kind(), ErrorKind::ConnectionReset),
        Ok(late) => {
            late.set_read_timeout(Some(PATIENCE)).unwrap();
            check_reset(&late);
        }
    }
    world.proxy.set_mode(Mode::Forward).unwrap();
    let (client, server) = world.connect();
    check(&client, &server, b"after");
}

#[test]
fn a_reset_ends_a_stall() {
    let world = World::new();
    let (client, server) = world.connect();
    world.proxy.set_mode(Mode::Stall).unwrap();
    (&client).write_all(b"x").unwrap();
    check_silent(&server);
    world.proxy.set_mode(Mode::Reset).unwrap();
    check_reset(&client);
    check_reset(&server);
}

#[test]
fn garbage_begins_where_it_is_told() {
    let world = World::new();
    world.proxy.set_mode(Mode::Garbage { after: 100 }).unwrap();
    let (mut client, mut server) = world.connect();
    check(&client, &server, &[7; 1000]);
    server.write_all(&[7; 1000]).unwrap();
    let mut got = [0; 1000];
    client.read_exact(&mut got).unwrap();
    assert!(got[..100].iter().all(|b| *b == 7));
    assert!(got[100..].iter().filter(|b| **b != 7).count() > 10);
}

#[test]
fn delay() {
    let late = Duration::from_millis(200);
    let world = World::new();
    let (client, server) = world.connect();
    world.proxy.set_mode(Mode::Delay(late)).unwrap();
    let start = now();
    check(&client, &server, b"there");
    check(&server, &client, b"and back");
    assert!(start.elapsed() >= late * 2);
    // Late, not slow: much that is sent at once arrives in about one delay.
    let (mut from, bytes) = (server, vec![0; 4 << 20]);
    let size = bytes.len();
    let writer = std::thread::spawn(move || from.write_all(&bytes).map(|()| from));
    let start = now();
    let mut got = vec![0; size];
    (&client).read_exact(&mut got).unwrap();
    assert!((late..late * 40).contains(&start.elapsed()), "{:?}", start.elapsed());
    // What is on its way when the server ends arrives all the same.
    let mut from = writer.join().unwrap().unwrap();
    from.write_all(b"last words").unwrap();
    drop(from);
    let mut rest = String::new();
    (&client).read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "last words");
}

#[test]
fn a_drop_ends_connections() {
    for mode in [Mode::Forward, Mode::Stall, Mode::Silent, Mode::Refuse, Mode::Delay(PATIENCE)] {
        let world = World::new();
        let (client, server) = world.connect();
        world.proxy.set_mode(mode).unwrap();
        (&client).write_all(b"x").unwrap();
        let World { proxy, listener: _ } = world;
        drop(proxy);
        assert!(matches!((&client).read(&mut [0]), Ok(0) | Err(_)), "{mode:?}");
        drop(server);
    }
}

#[test]
fn urls_go_through() {
    let proxy = TcpProxy::start(([127, 0, 0, 1], 1).into()).unwrap();
    let here = proxy.address();
    for (url, via) in [
        ("rtsp://127.0.0.1:8554/live/0", format!("rtsp://{here}/live/0")),
        ("rtsps://u:p@h:1", format!("rtsps://u:p@{here}")),
        ("mqtt://h:1883/", format!("mqtt://{here}/")),
    ] {
        assert_eq!(proxy.url_via(url), via);
    }
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "measures a real delay")]
    Instant::now()
}
