//! A loopback relay between paho and the broker, so that no write of paho's ever fails.
//!
//! In Paho C 1.3.16 a QoS 1 publish that meets a write error (broker killed, RST) is freed
//! twice and the process aborts: measured here within seconds, and open upstream as
//! paho.mqtt.c#1621 and #1622. A half-written QoS 0 publish that meets one reads an
//! uninitialised struct. Both need an error from `write`. So paho talks to a socket of
//! ours, which takes every byte until paho itself closes; when the broker goes, paho reads
//! a clean end of stream instead. TLS passes through untouched: for it the relay plays the
//! HTTP proxy that paho knows how to ask, and paho verifies the broker's real name.
//!
//! It also keeps name resolution and TCP connects out of paho, where they hold a lock that
//! all clients of the process need.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded};

const CHUNK_LEN: usize = 16 * 1024;
/// How long a goodbye may take to pass through.
const FLUSH_LIMIT: Duration = Duration::from_millis(100);
/// A proxy request longer than this is not paho's.
const REQUEST_LEN_MAX: usize = 4_096;

/// Two threads that copy bytes, for as long as one connection lasts.
#[derive(Debug)]
pub(super) struct Relay {
    broker: TcpStream,
    address: SocketAddr,
    /// Closed when paho has closed its end and everything was passed on.
    done: Receiver<()>,
}

impl Relay {
    /// Waits, in a thread, for paho to connect to [`Relay::address`]. With `tunnel`, paho
    /// will ask for a way through first, as of an HTTP proxy.
    pub(super) fn start(broker: TcpStream, tunnel: bool) -> io::Result<Self> {
        broker.set_nodelay(true)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let upstream = broker.try_clone()?;
        let (done_tx, done) = bounded::<()>(0);
        thread::Builder::new().name("mqtt-relay-up".to_owned()).spawn(move || {
            // An error here is paho or the broker gone; the other side is told by closing.
            let _ended = accept(&listener, &upstream, tunnel);
            let _closed_already = upstream.shutdown(Shutdown::Both);
            drop(done_tx);
        })?;
        Ok(Self { broker, address, done })
    }

    /// Where paho is to connect.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends the connection to the broker; paho reads the end of the stream.
    pub(super) fn hang_up(&self) {
        let _closed_already = self.broker.shutdown(Shutdown::Both);
    }
}

impl Drop for Relay {
    /// Lets a goodbye through, if paho has closed; then closes towards the broker.
    fn drop(&mut self) {
        let _done_or_late = self.done.recv_timeout(FLUSH_LIMIT);
        self.hang_up();
        // If paho never came, the thread still waits for it. If it did, nobody listens.
        let _nobody_there = TcpStream::connect_timeout(&self.address, FLUSH_LIMIT);
    }
}

/// Takes paho's one connection and serves it to its end.
fn accept(listener: &TcpListener, broker: &TcpStream, tunnel: bool) -> io::Result<()> {
    let (mut paho, _) = listener.accept()?;
    paho.set_nodelay(true)?;
    if tunnel {
        // Answered before it is asked: paho would look for the answer once, and then sleep
        // 250 ms with its lock held.
        paho.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        read_request(&mut paho)?;
    }
    let (from, to) = (broker.try_clone()?, paho.try_clone()?);
    thread::Builder::new().name("mqtt-relay-down".to_owned()).spawn(move || {
        // Whatever ended it, paho gets to read an end of stream, never a reset.
        let _ended = copy(&from, &to);
        let _closed_already = to.shutdown(Shutdown::Write);
    })?;
    if copy(&paho, broker).is_err() {
        // The broker is gone: tell paho, and swallow what it still writes until it closes.
        let _closed_already = broker.shutdown(Shutdown::Both);
        io::copy(&mut paho, &mut io::sink())?;
    }
    Ok(())
}

fn read_request(paho: &mut TcpStream) -> io::Result<()> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        if request.len() >= REQUEST_LEN_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        paho.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    Ok(())
}

fn copy(mut from: &TcpStream, mut to: &TcpStream) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK_LEN];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(len) => to.write_all(chunk.get(..len).unwrap_or_default())?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}
