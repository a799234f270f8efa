//! The ledger as bytes of a fixed length, with a version and a checksum.

use core::time::Duration;

use thiserror::Error;

use super::budget::{Budget, PIECES_LEN, Piece};
use super::{Ledger, RECENT_LEN, fault_bytes, fault_of};
use crate::time::Instant;

/// How long a record is.
pub const LEDGER_BYTES: usize =
    2 + 4 + 2 + 8 + 8 + 4 + 8 + 8 + 6 * 4 + RECENT_LEN * 8 + 2 * PIECES_LEN * 12 + 4;
const MAGIC: [u8; 4] = *b"vgpl";
const VERSION: u16 = 2;
const STOPPED: u8 = 1;
const ENGINE_ON: u8 = 2;
const NO_RUN: u64 = u64::MAX;

/// Why bytes are no ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LedgerError {
    #[error("the ledger has {0} bytes, not {LEDGER_BYTES}")]
    Length(usize),
    #[error("the ledger's checksum is wrong")]
    Checksum,
    #[error("the ledger is of version {0}, not {VERSION}")]
    Version(u16),
    #[error("the ledger holds something that cannot be")]
    Content,
}

impl Ledger {
    /// Times become "so long from `now`".
    #[must_use]
    pub fn to_bytes(&self, now: Instant) -> [u8; LEDGER_BYTES] {
        let mut to = Writer { bytes: [0; LEDGER_BYTES], at: 0 };
        to.put(&MAGIC);
        to.put(&VERSION.to_le_bytes());
        let stopped = if self.stopped { STOPPED } else { 0 };
        let engine_on = if self.engine_on { ENGINE_ON } else { 0 };
        to.put(&[stopped + engine_on, 0]);
        to.put(&ms(self.refill_owed).to_le_bytes());
        to.put(&ms(self.run_total).to_le_bytes());
        to.put(&self.runs.to_le_bytes());
        to.put(&self.unfinished.map_or(NO_RUN, ms).to_le_bytes());
        // A week and more fits; the fault takes the two bytes above it.
        let [a, b, c, d, e, f, ..] = ms(self.since_test).to_le_bytes();
        to.put(&[a, b, c, d, e, f]);
        to.put(&fault_bytes(self.fault));
        for start in self.starts {
            to.put(&start.map_or(0, |until| ms32(until.since(now))).to_le_bytes());
        }
        for id in self.recent {
            to.put(&id.to_le_bytes());
        }
        for piece in self.cranking.pieces.iter().chain(&self.refilling.pieces) {
            to.put(&ms32(piece.amount).to_le_bytes());
            to.put(&ms32(piece.until.since(now)).to_le_bytes());
            to.put(&ms32(piece.full_at.since(now)).to_le_bytes());
        }
        let crc = crc32fast::hash(to.bytes.get(..to.at).unwrap_or_default());
        to.put(&crc.to_le_bytes());
        to.bytes
    }

    /// The same, `now` being whatever the clock says after the start.
    pub fn from_bytes(bytes: &[u8], now: Instant) -> Result<Self, LedgerError> {
        if bytes.len() != LEDGER_BYTES {
            return Err(LedgerError::Length(bytes.len()));
        }
        let mut from = Reader { bytes, at: 0 };
        let body = bytes.get(..LEDGER_BYTES - 4).unwrap_or_default();
        let crc = bytes.get(LEDGER_BYTES - 4..).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
        if crc != Some(crc32fast::hash(body)) || from.take::<4>()? != MAGIC {
            return Err(LedgerError::Checksum);
        }
        let version = u16::from_le_bytes(from.take()?);
        if version != VERSION {
            return Err(LedgerError::Version(version));
        }
        let [flags, spare] = from.take()?;
        if flags > STOPPED + ENGINE_ON || spare != 0 {
            return Err(LedgerError::Content);
        }
        let refill_owed = Duration::from_millis(u64::from_le_bytes(from.take()?));
        let run_total = Duration::from_millis(u64::from_le_bytes(from.take()?));
        let runs = u32::from_le_bytes(from.take()?);
        let unfinished = u64::from_le_bytes(from.take()?);
        let [a, b, c, d, e, f] = from.take()?;
        let since_test = Duration::from_millis(u64::from_le_bytes([a, b, c, d, e, f, 0, 0]));
        let fault = fault_of(from.take()?).ok_or(LedgerError::Content)?;
        let mut ledger = Self {
            refill_owed,
            run_total,
            runs,
            unfinished: (unfinished != NO_RUN).then(|| Duration::from_millis(unfinished)),
            fault,
            stopped: flags & STOPPED != 0,
            engine_on: flags & ENGINE_ON != 0,
            since_test,
            ..Self::default()
        };
        for slot in &mut ledger.starts {
            let left = u32::from_le_bytes(from.take()?);
            *slot = (left > 0).then(|| now.after(Duration::from_millis(u64::from(left))));
        }
        for id in &mut ledger.recent {
            *id = u64::from_le_bytes(from.take()?);
        }
        ledger.cranking = from.budget(now)?;
        ledger.refilling = from.budget(now)?;
        Ok(ledger)
    }
}

/// Rounded up: nothing is forgotten early.
fn ms(d: Duration) -> u64 {
    u64::try_from(d.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX - 1)
}

fn ms32(d: Duration) -> u32 {
    u32::try_from(ms(d)).unwrap_or(u32::MAX)
}

struct Writer {
    bytes: [u8; LEDGER_BYTES],
    at: usize,
}

impl Writer {
    fn put(&mut self, bytes: &[u8]) {
        if let Some(slot) = self.bytes.get_mut(self.at..self.at + bytes.len()) {
            slot.copy_from_slice(bytes);
        }
        self.at += bytes.len();
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], LedgerError> {
        let taken = self.bytes.get(self.at..self.at + N).and_then(|b| b.try_into().ok());
        self.at += N;
        taken.ok_or(LedgerError::Content)
    }

    fn budget(&mut self, now: Instant) -> Result<Budget, LedgerError> {
        let mut budget = Budget::default();
        for piece in &mut budget.pieces {
            let mut time = || self.take().map(|b| Duration::from_millis(u64::from(u32::from_le_bytes(b))));
            let (amount, until, full_at) = (time()?, time()?, time()?);
            if !amount.is_zero() {
                *piece = Piece { amount, until: now.after(until), full_at: now.after(full_at) };
            }
        }
        Ok(budget)
    }
}
