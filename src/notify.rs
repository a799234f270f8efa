//! The way to the service manager (`sd_notify`), if one asked for it; else words go nowhere.
//!
//! `vigia-pump` has its own: the two share how a socket is opened, and differ in all the rest.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// A limit below this is none that anybody sets; it must not make a loop spin.
const EVERY_MIN: Duration = Duration::from_millis(10);

/// The open way.
#[derive(Debug, Default)]
pub struct Notify {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl Notify {
    /// From the variables `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    #[must_use]
    pub fn from_environment() -> Self {
        let number = |name: &str| std::env::var(name).ok()?.parse().ok();
        Self {
            socket: std::env::var_os("NOTIFY_SOCKET").and_then(|name| connect(&name)),
            watchdog: every(number("WATCHDOG_USEC"), number("WATCHDOG_PID"), std::process::id().into()),
        }
    }

    /// Whether anybody listens.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.socket.is_some()
    }

    /// How often the manager is to hear `WATCHDOG=1`, if it wants to.
    #[must_use]
    pub fn watchdog_every(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Says it without waiting. False: nobody heard it.
    pub fn tell(&self, word: &str) -> bool {
        self.socket.as_ref().is_some_and(|socket| socket.send(word.as_bytes()).is_ok())
    }
}

/// Thrice within the limit. One that was set for a parent of ours is none.
fn every(limit_usec: Option<u64>, for_pid: Option<u64>, own_pid: u64) -> Option<Duration> {
    let usec = limit_usec.filter(|usec| *usec > 0 && for_pid.is_none_or(|pid| pid == own_pid))?;
    Some((Duration::from_micros(usec) / 3).max(EVERY_MIN))
}

fn connect(name: &OsStr) -> Option<UnixDatagram> {
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name).ok()?,
        None => SocketAddr::from_pathname(name).ok()?,
    };
    let socket = UnixDatagram::unbound().ok()?;
    socket.connect_addr(&address).ok()?;
    socket.set_nonblocking(true).ok()?;
    Some(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manager_hears_of_us_thrice_within_its_limit() {
        for (limit_usec, for_pid, ms) in [
            (Some(30_000_000), None, Some(10_000)),
            (Some(30_000_000), Some(7), Some(10_000)),
            (Some(30_000_000), Some(8), None),
            (Some(1), None, Some(10)),
            (Some(0), None, None),
            (None, Some(7), None),
        ] {
            let want = ms.map(Duration::from_millis);
            assert_eq!(every(limit_usec, for_pid, 7), want, "{limit_usec:?} {for_pid:?}");
        }
    }
}
