//! The socket: who may sit at it, and what is said there.
//!
//! One client at a time, of this program's own user or main group, or root. It must greet within
//! [`GREETING_MAX`], speak within each [`CLIENT_SILENT_MAX`] and take in what it is told; else
//! it is dropped and may come again. Nothing here waits: what cannot be sent now is sent later
//! (events), left out (status, the next one is newer) or costs the connection (answers).
//!
//! At most [`FRAMES_PER_CYCLE`] frames are taken in per cycle of 50 ms; what a client says
//! beyond that waits in its own socket.

mod client;

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, listen, socket_with,
};
use rustix::process::{getegid, geteuid};
use thiserror::Error;
use vigia_core::link::{Alive, BootId, FrameError, FromPump, Refused, Status, ToPump, Welcome};
use vigia_core::time::Instant;

use crate::book::Book;
use crate::voice::{Departure, Note, Voice};
use client::{Client, Heard};

/// From the connection to its first frame.
pub const GREETING_MAX: Duration = Duration::from_secs(2);
/// Longer than [`vigia_core::link::SILENT_MAX`], at which it counts as gone: a busy box is
/// slow before it is dead.
pub const CLIENT_SILENT_MAX: Duration = Duration::from_secs(3);
/// What is listened to from one cycle to the next.
pub const FRAMES_PER_CYCLE: u8 = 64;
/// Events sent at once; the rest follows.
const EVENTS_AT_ONCE: usize = 64;
const BACKLOG: i32 = 8;
const CALLERS_AT_ONCE: usize = 4;

#[derive(Debug, Error)]
pub enum DeskError {
    #[error("the socket {path} cannot be made")]
    Socket { path: String, source: Errno },
}

/// What somebody said, to be answered by [`Desk::answer`] under its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    pub seq: u64,
    pub what: ToPump,
}

#[derive(Debug)]
pub struct Desk {
    listener: OwnedFd,
    boot: BootId,
    client: Option<Client>,
    refused: u32,
    /// Frames that may still be taken in before the next cycle.
    left: u8,
    alive: Option<(Instant, Alive)>,
}

impl Desk {
    /// Listens at `path`, where nobody else does.
    ///
    /// # Errors
    /// The socket cannot be made.
    pub fn open(path: &Path, boot: BootId) -> Result<Self, DeskError> {
        let listener =
            open(path).map_err(|source| DeskError::Socket { path: path.display().to_string(), source })?;
        Ok(Self { listener, boot, client: None, refused: 0, left: FRAMES_PER_CYCLE, alive: None })
    }

    /// What to wait for: callers, and what the client says unless it has said enough.
    #[must_use]
    pub fn wakes_by(&self) -> (BorrowedFd<'_>, Option<BorrowedFd<'_>>) {
        let client = self.client.as_ref().filter(|_| self.left > 0).map(Client::fd);
        (self.listener.as_fd(), client)
    }

    /// A new cycle begins.
    pub fn turn(&mut self) {
        self.left = FRAMES_PER_CYCLE;
    }

    /// Lets callers in, or turns them away.
    pub fn let_in(&mut self, now: Instant, voice: &mut Voice) {
        for _ in 0..CALLERS_AT_ONCE {
            let Ok(caller) = accept_with(&self.listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) else {
                return;
            };
            let Ok(who) = socket_peercred(&caller) else { continue };
            let uid = who.uid.as_raw();
            let why = if !(uid == geteuid().as_raw() || who.gid == getegid() || uid == 0) {
                Some(Refused::NotYou)
            } else if self.client.is_some() {
                Some(Refused::Busy)
            } else {
                None
            };
            let mut client = Client::new(caller, self.boot, now);
            match why {
                Some(why) => {
                    client.dismiss(now, why);
                    voice.note(now, Note::TurnedAway { uid, why });
                }
                None => {
                    let pid = who.pid.as_raw_nonzero().get();
                    voice.note(now, Note::Connected { pid, uid });
                    self.client = Some(client);
                }
            }
        }
    }

    /// The next thing that was said. What is no frame is refused here.
    pub fn hear(&mut self, now: Instant, voice: &mut Voice) -> Option<Said> {
        while self.left > 0 {
            let client = self.client.as_mut()?;
            let heard = client.receive(now);
            if !matches!(heard, Heard::Nothing) {
                self.left -= 1;
            }
            match heard {
                Heard::Nothing => return None,
                Heard::Gone(why) => self.drop_client(now, why, voice),
                Heard::Malformed(why) => {
                    self.refused = self.refused.saturating_add(1);
                    if self.is_worth_a_line() {
                        voice.note(now, Note::FrameRefused { why, so_far: self.refused });
                    }
                    self.refuse(now, malformed(why), voice);
                }
                Heard::Unwanted(why) => self.refuse_counted(now, why, voice),
                Heard::Said { seq, what } => {
                    if let ToPump::Alive(alive) = what {
                        self.alive = Some((now, alive));
                    }
                    return Some(Said { seq, what });
                }
            }
        }
        None
    }

    /// Something well formed that cannot be.
    pub fn refuse_counted(&mut self, now: Instant, why: Refused, voice: &mut Voice) {
        self.refused = self.refused.saturating_add(1);
        if self.is_worth_a_line() {
            voice.note(now, Note::FrameUnwanted { why, so_far: self.refused });
        }
        self.refuse(now, why, voice);
    }

    /// A flood is told of at its first, second, fourth, eighth... frame.
    const fn is_worth_a_line(&self) -> bool {
        self.refused.is_power_of_two()
    }

    fn refuse(&mut self, now: Instant, why: Refused, voice: &mut Voice) {
        let Some(client) = &mut self.client else { return };
        let end = match why {
            Refused::Version => Departure::Version,
            Refused::Greeting => Departure::NoGreeting,
            Refused::Malformed
            | Refused::OutOfOrder
            | Refused::EventUnknown
            | Refused::Busy
            | Refused::NotYou
            | Refused::Silent => {
                // One who floods with nonsense need not be told each time.
                let _ = client.send(now, FromPump::Refused(why));
                return;
            }
        };
        client.dismiss(now, why);
        self.drop_client(now, end, voice);
    }

    /// To a Hello: from now on events and status are sent.
    pub fn welcome(&mut self, now: Instant, welcome: Welcome, voice: &mut Voice) {
        if let Some(client) = &mut self.client {
            client.welcomed(welcome.first_event);
        }
        self.answer(now, FromPump::Welcome(welcome), voice);
    }

    /// What must arrive: a client that does not take it in is dropped.
    pub fn answer(&mut self, now: Instant, answer: FromPump, voice: &mut Voice) {
        let Some(client) = &mut self.client else { return };
        if client.send(now, answer).is_err() {
            self.drop_client(now, Departure::Slow, voice);
        }
    }

    /// Events that were not sent yet, then the status where it is due.
    pub fn publish(&mut self, now: Instant, book: &Book, status: Option<&Status>) {
        let Some(client) = self.client.as_mut().filter(|c| c.is_welcome()) else { return };
        for _ in 0..EVENTS_AT_ONCE {
            let Some(event) = book.next_after(client.told_up_to()) else { break };
            if client.send(now, FromPump::Event(*event)).is_err() {
                break;
            }
            client.told(event.number);
        }
        if let Some(status) = status {
            // The next one is newer.
            let _ = client.send(now, FromPump::Status(*status));
        }
    }

    /// A client that never greeted, fell silent, or takes nothing in.
    pub fn look_after(&mut self, now: Instant, voice: &mut Voice) {
        let Some(client) = &mut self.client else { return };
        if let Some(why) = client.must_go(now) {
            client.dismiss(now, Refused::Silent);
            self.drop_client(now, why, voice);
        }
    }

    fn drop_client(&mut self, now: Instant, why: Departure, voice: &mut Voice) {
        self.client = None;
        self.alive = None;
        voice.note(now, Note::Gone { why });
    }

    /// Whether somebody is there who takes events in.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.client.as_ref().is_some_and(Client::is_welcome)
    }

    /// How well fires are being looked for, and when that was said.
    #[must_use]
    pub const fn alive(&self) -> Option<(Instant, Alive)> {
        self.alive
    }

    #[must_use]
    pub const fn refused(&self) -> u32 {
        self.refused
    }

    /// Whether an event of this number was sent on this connection.
    #[must_use]
    pub fn has_told(&self, number: u64) -> bool {
        self.client.as_ref().is_some_and(|client| number <= client.told_up_to())
    }
}

fn open(path: &Path) -> Result<OwnedFd, Errno> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let listener = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    // Left by one who was killed; the lock of the folder says that it is dead.
    match rustix::fs::unlink(path) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(e) => return Err(e),
    }
    bind(&listener, &address)?;
    // Whoever may open it is still asked who it is.
    rustix::fs::chmod(path, rustix::fs::Mode::from_raw_mode(0o660))?;
    listen(&listener, BACKLOG)?;
    Ok(listener)
}

/// A newer program must hear that it is one, before anything else.
const fn malformed(why: FrameError) -> Refused {
    match why {
        FrameError::Version(_) => Refused::Version,
        _ => Refused::Malformed,
    }
}
