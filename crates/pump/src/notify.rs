//! What the service manager is told: `READY=1`, then `WATCHDOG=1` as long as the lines answer, and with `STATUS=`
//! whether a restart of the machine would disturb anything, each time that changes. Without `NOTIFY_SOCKET`, nothing.
//!
//! A relay that does not do as it is told is not for the service manager: a new start would not
//! mend it, and would take siren and status away. The watchdog relay hears of it.

use std::ffi::OsString;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use vigia_core::pump::{StateName, Status, Stir};
use vigia_core::time::Instant;

/// Healthy cycles in a row before this program says that it is ready.
const HEALTHY_CYCLES: u32 = 5;
/// Without a limit of its own the manager hears of us this often.
const EVERY_MAX: Duration = Duration::from_secs(1);
/// How the line begins while nothing would be disturbed; `vigia update idle` reads it.
pub const AT_REST: &str = "at rest: ";
pub const NOT_AT_REST: &str = "not at rest: ";

/// The way to the service manager, if there is one.
#[derive(Debug, Default)]
pub struct Notify {
    socket: Option<UnixDatagram>,
    every: Duration,
    healthy: u32,
    next: Option<Instant>,
    /// As it was last told.
    told: Option<(StateName, Option<Stir>)>,
}

impl Notify {
    /// From the variables `NOTIFY_SOCKET` and `WATCHDOG_USEC`.
    #[must_use]
    pub fn from_environment() -> Self {
        let usec = std::env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse().ok());
        let every = usec.map_or(EVERY_MAX, |usec| Duration::from_micros(usec) / 3).min(EVERY_MAX);
        let socket = std::env::var_os("NOTIFY_SOCKET").and_then(|name| connect(&name));
        Self { socket, every, ..Self::default() }
    }

    /// After each complete cycle.
    pub fn cycle(&mut self, now: Instant, do_lines_answer: bool, status: &Status) {
        let Some(socket) = &self.socket else { return };
        self.healthy = if do_lines_answer { self.healthy.saturating_add(1) } else { 0 };
        // It never blocks; a line that is lost is told in the next cycle.
        let stands = (status.state, status.stir());
        if self.told != Some(stands) && socket.send(line(stands).as_bytes()).is_ok() {
            self.told = Some(stands);
        }
        // Whoever is told that it is ready knows how it stands.
        if self.healthy < HEALTHY_CYCLES || self.told.is_none() || self.next.is_some_and(|at| now < at) {
            return;
        }
        let message: &[u8] = if self.next.is_none() { b"READY=1" } else { b"WATCHDOG=1" };
        if socket.send(message).is_ok() {
            self.next = Some(now.after(self.every));
        }
    }

    pub fn stopping(&self) {
        if let Some(socket) = &self.socket {
            // The manager sees the end anyway.
            let _ = socket.send(b"STOPPING=1");
        }
    }
}

fn line((state, stir): (StateName, Option<Stir>)) -> String {
    match stir {
        None => format!("STATUS={AT_REST}{state:?}"),
        Some(Stir::State(_)) => format!("STATUS={NOT_AT_REST}{state:?}"),
        Some(Stir::Relay(output)) => format!("STATUS={NOT_AT_REST}{state:?}, {} is energised", output.name()),
        Some(Stir::Alarm(condition)) => format!("STATUS={NOT_AT_REST}{state:?}, {condition:?} stands"),
    }
}

fn connect(name: &OsString) -> Option<UnixDatagram> {
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name).ok()?,
        None => SocketAddr::from_pathname(name).ok()?,
    };
    let socket = UnixDatagram::unbound().ok()?;
    socket.connect_addr(&address).ok()?;
    socket.set_nonblocking(true).ok()?;
    Some(socket)
}
