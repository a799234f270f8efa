//! Who listens at `NOTIFY_SOCKET`.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::io::ErrorKind;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

use vigia::clock;

pub const PATIENCE: Duration = Duration::from_secs(60);
/// The limit that the manager sets, and in which it must hear of us.
pub const LIMIT: Duration = Duration::from_secs(2);
const LIMIT_USEC: &str = "2000000";

/// A service manager's ear.
pub struct Manager {
    socket: UnixDatagram,
    name: String,
}

impl Manager {
    /// With a socket in the abstract namespace, as some managers have it.
    pub fn hidden() -> Self {
        let name = format!("vigia-liveness-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("short");
        Self::of(UnixDatagram::bind_addr(&address).expect("a socket"), format!("@{name}"))
    }

    pub fn at(path: &Path) -> Self {
        Self::of(UnixDatagram::bind(path).expect("a socket"), path.display().to_string())
    }

    fn of(socket: UnixDatagram, name: String) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).expect("a limit");
        Self { socket, name }
    }

    pub fn environment(&self) -> [(&str, &str); 2] {
        [("NOTIFY_SOCKET", &self.name), ("WATCHDOG_USEC", LIMIT_USEC)]
    }

    /// The next word, if one comes within `limit`.
    pub fn within(&self, limit: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(limit)).expect("a limit");
        let mut bytes = [0; 256];
        match self.socket.recv(&mut bytes) {
            Ok(len) => Some(String::from_utf8_lossy(&bytes[..len]).into_owned()),
            Err(e) if e.kind() == ErrorKind::WouldBlock => None,
            Err(e) => panic!("{e}"),
        }
    }

    /// The next word that is no line for people.
    pub fn next(&self) -> String {
        loop {
            let word = self.within(PATIENCE).expect("a word");
            if !word.starts_with("STATUS=") {
                return word;
            }
        }
    }

    /// Hears words up to one that starts so; which ones came before it.
    pub fn until(&self, start: &str) -> (Vec<String>, String) {
        let (mut before, until) = (Vec::new(), clock::now().after(PATIENCE));
        while clock::now() < until {
            let word = self.within(PATIENCE).expect("a word");
            if word.starts_with(start) {
                return (before, word);
            }
            before.push(word);
        }
        panic!("no {start} among {before:?}");
    }

    /// The manager would kill whoever is later than this.
    pub fn hears_in_time(&self, times: u32) {
        let mut last = clock::now();
        for _ in 0..times {
            assert_eq!(self.next(), "WATCHDOG=1");
            let gap = clock::now().since(std::mem::replace(&mut last, clock::now()));
            assert!(gap < LIMIT, "{gap:?} between two signs of life");
        }
    }
}
