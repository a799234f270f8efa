//! The link between `vigia`, which sees fires, and `vigia-pump`, which owns the relays.
//!
//! Both sit on one local `SOCK_SEQPACKET` socket: one packet is one frame of
//! [`FRAME_BYTES`], and nothing here needs a heap. This module knows bytes only; who opens
//! the socket, and when, is the business of the two programs.
//!
//! ```text
//! 0     4         6      7       8     16         32            188     192
//! "vgln" version   kind   0       seq   boot id    payload, then 0   CRC-32
//! ```
//! - [`Frame<ToPump>`] and [`Frame<FromPump>`] go one way each: a frame that travels in the
//!   wrong direction is refused like any other unknown kind.
//! - [`Frame::decode`] takes exactly what [`Frame::encode`] writes: any flipped bit, unknown
//!   word, spare byte or other version is a [`FrameError`].
//! - `seq` rises by one with each frame of a sender on a connection, from 1; [`Sequence`]
//!   refuses what comes twice or out of order.
//! - [`BootId`] is drawn anew at each start of a program: it says whether the other side is
//!   still the same.
//!
//! A conversation: `vigia` connects and says [`ToPump::Hello`]; the pump answers with
//! [`FromPump::Welcome`], then the events nobody has acknowledged, in the order of their
//! numbers, then [`FromPump::Status`]. From then on `vigia` says [`ToPump::Alive`] every
//! [`ALIVE_EVERY`], and the pump says its status as often and on each change. A side that is
//! silent for [`SILENT_MAX`] is taken for dead. Each demand and command gets exactly one
//! answer, which names the `seq` it answers.
#![deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod body;
mod event;
mod image;
#[cfg(test)]
mod tests;
mod wire;
mod words;

use core::fmt;
use core::time::Duration;

use thiserror::Error;

pub use body::{
    Alive, BankKind, CommandAck, DemandAck, DemandOutcome, Detection, FromPump, Keeping, Moment, Numbered,
    Refused, Status, ToPump, WatchdogRelay, Welcome, fingerprint,
};
pub use image::{Conditions, PanelImage, SeenImage};
use wire::{Reader, Writer};

/// How long each frame is.
pub const FRAME_BYTES: usize = 192;
/// Of the frames. Both programs come from one build; another version is refused.
pub const VERSION: u16 = 2;
/// How often both sides say that they are there.
pub const ALIVE_EVERY: Duration = Duration::from_millis(250);
/// Who says nothing for this long is taken for dead.
pub const SILENT_MAX: Duration = Duration::from_secs(1);

const MAGIC: [u8; 4] = *b"vgln";
const HEAD_BYTES: usize = 32;
const CRC_AT: usize = FRAME_BYTES - 4;
/// What a kind may need.
pub(crate) const PAYLOAD_BYTES: usize = CRC_AT - HEAD_BYTES;

/// One start of one program.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct BootId(pub [u8; 16]);

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    #[error("a frame has {FRAME_BYTES} bytes, not {0}")]
    Length(usize),
    #[error("it does not begin like a frame of this link")]
    Magic,
    #[error("it is of version {0}, and this program speaks {VERSION}")]
    Version(u16),
    #[error("its checksum is wrong")]
    Checksum,
    #[error("its kind {0} is not known in this direction")]
    Kind(u8),
    #[error("its {0} is none that there is")]
    Word(&'static str),
    #[error("its spare bytes are not zero")]
    Spare,
}

/// What one frame carries, in one of the two directions.
pub trait Body: Sized + sealed::Payload {}

pub(crate) mod sealed {
    use super::FrameError;
    use super::wire::{Reader, Writer};

    pub trait Payload: Sized {
        fn kind(&self) -> u8;
        fn put(&self, to: &mut Writer);
        fn take(kind: u8, from: &mut Reader<'_>) -> Result<Self, FrameError>;
    }
}

impl Body for ToPump {}
impl Body for FromPump {}

/// One packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<B> {
    /// The sender's.
    pub boot: BootId,
    pub seq: u64,
    pub body: B,
}

impl<B: Body> Frame<B> {
    #[must_use]
    pub fn encode(&self) -> [u8; FRAME_BYTES] {
        let mut payload = Writer::new();
        self.body.put(&mut payload);
        let mut bytes = [0; FRAME_BYTES];
        let mut rest = bytes.as_mut_slice();
        let mut put = |part: &[u8]| {
            if let Some((slot, tail)) = core::mem::take(&mut rest).split_at_mut_checked(part.len()) {
                slot.copy_from_slice(part);
                rest = tail;
            }
        };
        put(&MAGIC);
        put(&VERSION.to_le_bytes());
        put(&[self.body.kind(), 0]);
        put(&self.seq.to_le_bytes());
        put(&self.boot.0);
        put(payload.bytes());
        let (body, tail) = bytes.split_at_mut(CRC_AT);
        tail.copy_from_slice(&crc32fast::hash(body).to_le_bytes());
        bytes
    }

    /// `bytes`: one packet as it came.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        let frame: &[u8; FRAME_BYTES] = bytes.try_into().map_err(|_| FrameError::Length(bytes.len()))?;
        let (body, crc) = frame.split_at(CRC_AT);
        let mut head = Reader::new(body);
        if head.bytes::<4>()? != MAGIC {
            return Err(FrameError::Magic);
        }
        let version = u16::from_le_bytes(head.bytes()?);
        if version != VERSION {
            return Err(FrameError::Version(version));
        }
        if crc != crc32fast::hash(body).to_le_bytes() {
            return Err(FrameError::Checksum);
        }
        let [kind, spare] = head.bytes()?;
        if spare != 0 {
            return Err(FrameError::Spare);
        }
        let seq = u64::from_le_bytes(head.bytes()?);
        let boot = BootId(head.bytes()?);
        let body = B::take(kind, &mut head)?;
        if !head.is_rest_zero() {
            return Err(FrameError::Spare);
        }
        Ok(Self { boot, seq, body })
    }
}

/// Whether frames of one connection come once and in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sequence {
    last: u64,
}

/// A frame that was there before, or overtook another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("frame {got} came after {last}")]
pub struct OutOfOrder {
    pub last: u64,
    pub got: u64,
}

impl Sequence {
    /// Takes the number of the next frame in. Frames may be missing, none may come back.
    pub const fn admit(&mut self, seq: u64) -> Result<(), OutOfOrder> {
        if seq <= self.last {
            return Err(OutOfOrder { last: self.last, got: seq });
        }
        self.last = seq;
        Ok(())
    }

    /// The number for the next frame to send.
    pub const fn next(&mut self) -> u64 {
        self.last = self.last.saturating_add(1);
        self.last
    }
}
