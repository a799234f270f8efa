//! One connection.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};
use vigia_core::link::{BootId, FRAME_BYTES, Frame, FrameError, FromPump, Refused, Sequence, ToPump};
use vigia_core::time::Instant;

use super::{CLIENT_SILENT_MAX, FRAMES_PER_CYCLE, GREETING_MAX};
use crate::voice::Departure;

/// What came in.
#[derive(Debug)]
pub enum Heard {
    Nothing,
    Said {
        seq: u64,
        what: ToPump,
    },
    Malformed(FrameError),
    /// A frame, but not now.
    Unwanted(Refused),
    Gone(Departure),
}

#[derive(Debug)]
pub struct Client {
    socket: OwnedFd,
    boot: BootId,
    sent: Sequence,
    received: Sequence,
    since: Instant,
    last_heard: Instant,
    has_greeted: bool,
    is_welcome: bool,
    /// The newest event it was told on this connection.
    told: u64,
    /// Since then it takes nothing in.
    full_since: Option<Instant>,
}

impl Client {
    pub fn new(socket: OwnedFd, boot: BootId, now: Instant) -> Self {
        Self {
            socket,
            boot,
            sent: Sequence::default(),
            received: Sequence::default(),
            since: now,
            last_heard: now,
            has_greeted: false,
            is_welcome: false,
            told: 0,
            full_since: None,
        }
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    pub fn receive(&mut self, now: Instant) -> Heard {
        // One more than a frame has, so that a longer one is seen to be longer.
        let mut bytes = [0; FRAME_BYTES + 1];
        let len = match recv(&self.socket, &mut bytes, RecvFlags::DONTWAIT) {
            Ok((0, _)) => return Heard::Gone(Departure::Closed),
            Ok((len, _)) => len,
            Err(Errno::AGAIN | Errno::INTR) => return Heard::Nothing,
            Err(Errno::CONNRESET) => return Heard::Gone(Departure::Closed),
            Err(e) => return Heard::Gone(Departure::Socket(e)),
        };
        let frame = match Frame::<ToPump>::decode(bytes.get(..len).unwrap_or_default()) {
            Ok(frame) => frame,
            Err(why) => return Heard::Malformed(why),
        };
        if self.received.admit(frame.seq).is_err() {
            return Heard::Unwanted(Refused::OutOfOrder);
        }
        let is_hello = frame.body == ToPump::Hello;
        if is_hello == self.has_greeted {
            return Heard::Unwanted(Refused::Greeting);
        }
        self.has_greeted = true;
        self.last_heard = now;
        Heard::Said { seq: frame.seq, what: frame.body }
    }

    /// Never waits: full is an error.
    pub fn send(&mut self, now: Instant, body: FromPump) -> Result<(), Errno> {
        let mut sent = self.sent;
        let frame = Frame { boot: self.boot, seq: sent.next(), body };
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let result = send(&self.socket, &frame.encode(), flags);
        match result {
            Ok(_) => {
                self.sent = sent;
                self.full_since = None;
                Ok(())
            }
            Err(e) => {
                self.full_since.get_or_insert(now);
                Err(e)
            }
        }
    }

    /// The last word. A socket that is closed with something unread loses what is on its way,
    /// so that is read first.
    pub fn dismiss(&mut self, now: Instant, why: Refused) {
        let mut bytes = [0; FRAME_BYTES];
        // Told or not, it goes.
        let _ = self.send(now, FromPump::Refused(why));
        for _ in 0..FRAMES_PER_CYCLE {
            if !matches!(recv(&self.socket, &mut bytes, RecvFlags::DONTWAIT), Ok((1.., _))) {
                break;
            }
        }
    }

    pub const fn welcomed(&mut self, first_event: u64) {
        self.is_welcome = true;
        self.told = first_event.saturating_sub(1);
    }

    pub const fn is_welcome(&self) -> bool {
        self.is_welcome
    }

    pub const fn told_up_to(&self) -> u64 {
        self.told
    }

    pub const fn told(&mut self, number: u64) {
        self.told = number;
    }

    /// Whether its time is up.
    pub fn must_go(&self, now: Instant) -> Option<Departure> {
        let full_for = self.full_since.map(|since| now.since(since));
        if !self.has_greeted && now.since(self.since) > GREETING_MAX {
            Some(Departure::NoGreeting)
        } else if full_for.is_some_and(|d| d > CLIENT_SILENT_MAX) {
            Some(Departure::Slow)
        } else if now.since(self.last_heard) > CLIENT_SILENT_MAX {
            Some(Departure::Silent)
        } else {
            None
        }
    }
}
