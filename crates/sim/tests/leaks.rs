//! What is left of servers and connections that have gone. One test: it counts what the whole
//! process has.
#![allow(clippy::unwrap_used, reason = "in a test, to panic is to report")]

mod common;

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    thread,
    time::Duration,
};

use common::{Client, TinyClip};
use vigia_sim::{Camera, Codec, RtspServer, TcpProxy};

const CONNECTIONS: u64 = 10_000;
const SERVERS: u32 = 5;

#[test]
fn nothing_is_left() {
    let clip = TinyClip::make("leaks");
    // Once for what GStreamer and GLib make and keep.
    serve_and_stop(&clip);
    let (threads, files) = wait_until_stable();
    for _ in 0..SERVERS {
        serve_and_stop(&clip);
    }
    check("servers", threads, files);
    carry_connections();
    check("connections", threads, files);
}

/// A server is dropped while its cameras are watched.
fn serve_and_stop(clip: &TinyClip) {
    let server = RtspServer::start().unwrap();
    let cameras = [Camera::pattern(160, 120, 10), Camera::file(clip.path())];
    let mounts = ["/pattern", "/clip"].into_iter().zip(cameras);
    let mounts: Vec<_> = mounts.map(|(path, camera)| server.add(path, camera).unwrap()).collect();
    let clients: Vec<_> = mounts.iter().map(|m| Client::watch(m.url(), Codec::H264)).collect();
    for client in &clients {
        client.must_see();
    }
    drop(server);
}

fn carry_connections() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = TcpProxy::start(listener.local_addr().unwrap()).unwrap();
    let echo = thread::spawn(move || {
        for _ in 0..CONNECTIONS {
            let (mut stream, _) = listener.accept().unwrap();
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            stream.write_all(&byte).unwrap();
        }
    });
    for i in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(proxy.address()).unwrap();
        let byte = [u8::try_from(i % 256).unwrap()];
        stream.write_all(&byte).unwrap();
        let mut back = [0];
        stream.read_exact(&mut back).unwrap();
        assert_eq!(back, byte);
    }
    echo.join().unwrap();
    let counters = proxy.counters();
    assert_eq!(
        (counters.accepted, counters.to_server_bytes, counters.to_client_bytes),
        (CONNECTIONS, CONNECTIONS, CONNECTIONS)
    );
}

/// How many threads and open files this process has.
fn count() -> (usize, usize) {
    let entries = |path| fs::read_dir(path).unwrap().count();
    (entries("/proc/self/task"), entries("/proc/self/fd"))
}

/// GStreamer's thread pools let idle threads go after a while: waits until none has for a second.
fn wait_until_stable() -> (usize, usize) {
    let (mut last, mut same) = (count(), 0);
    while same < 10 {
        pause();
        let now = count();
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    last
}

#[track_caller]
fn check(what: &str, threads: usize, files: usize) {
    for _ in 0..150 {
        let now = count();
        // Pools differ by a thread or two with the timing; a leak would be one or more per round.
        if now.0 < threads + 3 && now.1 < files + 3 {
            return;
        }
        pause();
    }
    panic!("after {what}: {:?} threads and files, {:?} before", count(), (threads, files));
}

fn pause() {
    let (_never, ticks) = mpsc::channel::<()>();
    ticks.recv_timeout(Duration::from_millis(100)).unwrap_err();
}
