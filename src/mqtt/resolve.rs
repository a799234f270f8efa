//! From the configured name to an open TCP connection, in a thread that may be slow.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, TryRecvError, bounded};

use super::link::Cause;
use super::wake::Bell;

type Answer = Result<TcpStream, Cause>;

/// Opens connections to one host, one at a time.
#[derive(Debug)]
pub(super) struct Opener {
    host: String,
    port: u16,
    bell: Bell,
    /// A request that is not answered yet. There is never a second one, so a name server
    /// that is silent for minutes costs one thread.
    pending: Option<Receiver<Answer>>,
}

impl Opener {
    pub(super) fn new(host: &str, port: u16, bell: Bell) -> Self {
        Self { host: host.to_owned(), port, bell, pending: None }
    }

    /// Asks for a connection, unless that is under way. Rings the bell when it is answered.
    pub(super) fn ask(&mut self, limit: Duration) -> Result<(), Cause> {
        if self.pending.is_some() {
            return Ok(());
        }
        let (tx, rx) = bounded(1);
        let (host, port, bell) = (self.host.clone(), self.port, self.bell.clone());
        let work = move || {
            // Nobody left to hear the answer is fine: the worker has shut down.
            let _heard = tx.send(open(&host, port, limit));
            bell.ring();
        };
        let spawned = thread::Builder::new().name("mqtt-open".to_owned()).spawn(work);
        spawned.map_err(|e| Cause::Library { why: e.to_string() })?;
        self.pending = Some(rx);
        Ok(())
    }

    pub(super) fn answer(&mut self) -> Option<Answer> {
        let answer = match self.pending.as_ref()?.try_recv() {
            Ok(answer) => answer,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => {
                Err(Cause::Library { why: "connecting thread died".to_owned() })
            }
        };
        self.pending = None;
        Some(answer)
    }
}

/// Tries all addresses of the name, IPv4 first, and reports the last failure.
fn open(host: &str, port: u16, limit: Duration) -> Answer {
    let unresolved = |why| Cause::NameNotResolved { host: host.to_owned(), why };
    let found = (host, port).to_socket_addrs().map_err(|e| unresolved(e.to_string()))?;
    let mut all: Vec<SocketAddr> = found.collect();
    all.sort_by_key(SocketAddr::is_ipv6);
    let mut last = unresolved("it has no address".to_owned());
    for address in all {
        match TcpStream::connect_timeout(&address, limit) {
            Ok(stream) => return Ok(stream),
            Err(e) => last = Cause::Unreachable { address: address.to_string(), why: plain(&e) },
        }
    }
    Err(last)
}

fn plain(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::TimedOut { "no answer".to_owned() } else { error.to_string() }
}
