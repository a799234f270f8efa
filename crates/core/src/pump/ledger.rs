//! What must be true after the power comes back: refill owed, cranking and starts spent,
//! what latched, and whether a run was cut off.
//!
//! Nothing here needs a clock that runs while the box is off. What ages, ages only while
//! the box can see it, so time without power never shortens a lock-out.

use core::time::Duration;

use super::outputs::Output;
use super::state::Fault;
use crate::time::Instant;

mod budget;
mod record;

pub(super) use budget::Budget;
pub use record::{LEDGER_BYTES, LedgerError};

/// Six starts an hour are all there can be.
pub(super) const STARTS_LEN: usize = 6;
/// Orders whose ids are known.
pub(super) const RECENT_LEN: usize = 16;

/// The persisted part of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Ledger {
    pub(super) refill_owed: Duration,
    /// Engine hours.
    pub(super) run_total: Duration,
    pub(super) runs: u32,
    /// When each recent start stops counting.
    pub(super) starts: [Option<Instant>; STARTS_LEN],
    pub(super) cranking: Budget,
    pub(super) refilling: Budget,
    /// The run in hand, or the one that was cut off: how long it has lasted.
    pub(super) unfinished: Option<Duration>,
    /// Its engine was on: what the last record could not know is still to be added.
    pub(super) engine_on: bool,
    pub(super) fault: Option<Fault>,
    pub(super) stopped: bool,
    /// Uptime since the last weekly test.
    pub(super) since_test: Duration,
    /// Ids of orders that were looked at lately, newest first; 0 is none (I18).
    pub(super) recent: [u64; RECENT_LEN],
}

impl Ledger {
    /// A box that has never run.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub const fn refill_owed(&self) -> Duration {
        self.refill_owed
    }

    #[must_use]
    pub const fn run_total(&self) -> Duration {
        self.run_total
    }

    #[must_use]
    pub const fn runs(&self) -> u32 {
        self.runs
    }

    #[must_use]
    pub fn starts_spent(&self) -> usize {
        self.starts.iter().flatten().count()
    }

    pub(super) fn count_start(&mut self, until: Instant) {
        self.runs = self.runs.saturating_add(1);
        if let Some(slot) = self.starts.iter_mut().find(|slot| slot.is_none()) {
            *slot = Some(until);
        }
    }

    /// Forgets what is old enough.
    pub(super) fn age(&mut self, now: Instant) {
        self.cranking.age(now);
        self.refilling.age(now);
        let mut kept = [None; STARTS_LEN];
        let young = self.starts.iter().flatten().filter(|until| **until > now);
        kept.iter_mut().zip(young).for_each(|(slot, until)| *slot = Some(*until));
        self.starts = kept;
    }

    /// `ran` of pumping owes refill, up to a full tank.
    pub(super) fn owe(&mut self, ran: Duration, per_mille: u32, most: Duration) {
        let ns = ran.as_nanos().saturating_mul(u128::from(per_mille)) / 1000;
        let owed = Duration::from_nanos(u64::try_from(ns).unwrap_or(u64::MAX));
        self.refill_owed = self.refill_owed.saturating_add(owed).min(most.max(self.refill_owed));
    }

    pub(super) fn pay(&mut self, filled: Duration) {
        self.refill_owed = self.refill_owed.saturating_sub(filled);
    }

    pub(super) fn visit(&mut self, f: &mut dyn FnMut(&'static str, &mut Instant)) {
        self.starts.iter_mut().flatten().for_each(|at| f("start_forgotten", at));
        self.cranking.visit(f);
        self.refilling.visit(f);
    }
}

/// A fault as two bytes, and back.
pub(super) fn fault_bytes(fault: Option<Fault>) -> [u8; 2] {
    let Some(fault) = fault else { return [0, 0] };
    let at = Fault::PLAIN.iter().position(|f| *f == fault);
    match (fault, at) {
        (Fault::Relay { output }, _) => [255, output as u8],
        (_, Some(at)) => [u8::try_from(at + 1).unwrap_or(254), 0],
        (_, None) => [254, 0],
    }
}

pub(super) fn fault_of(bytes: [u8; 2]) -> Option<Option<Fault>> {
    match bytes {
        [0, 0] => Some(None),
        [255, output] => {
            let output = Output::ALL.get(usize::from(output)).copied()?;
            Some(Some(Fault::Relay { output }))
        }
        [code, 0] => Fault::PLAIN.get(usize::from(code) - 1).copied().map(Some),
        _ => None,
    }
}
