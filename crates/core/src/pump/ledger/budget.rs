//! How much of something was used within a sliding window.

use core::time::Duration;

use crate::time::Instant;

/// Enough for a window in eighths, with one at each end.
pub(super) const PIECES_LEN: usize = 10;

/// What was used in about an eighth of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Piece {
    pub amount: Duration,
    /// Forgotten then: a whole window after the last of it.
    pub until: Instant,
    /// Later use makes a new piece.
    pub full_at: Instant,
}

/// Used amounts, oldest first. It may remember an eighth of a window too long, never too
/// short, and needs no more room however often something is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Budget {
    pub(super) pieces: [Piece; PIECES_LEN],
}

impl Budget {
    pub fn spend(&mut self, now: Instant, amount: Duration, window: Duration) {
        if amount.is_zero() {
            return;
        }
        let until = now.after(window);
        let used = self.pieces.iter().filter(|p| !p.amount.is_zero()).count();
        let last = used.checked_sub(1).and_then(|at| self.pieces.get_mut(at));
        if let Some(last) = last
            && (now < last.full_at || used == PIECES_LEN)
        {
            last.amount = last.amount.saturating_add(amount);
            last.until = until;
        } else if let Some(free) = self.pieces.get_mut(used) {
            *free = Piece { amount, until, full_at: now.after(window / 8) };
        }
    }

    pub fn spent(&self) -> Duration {
        self.pieces.iter().fold(Duration::ZERO, |sum, p| sum.saturating_add(p.amount))
    }

    pub fn age(&mut self, now: Instant) {
        let mut kept = [Piece::default(); PIECES_LEN];
        let young = self.pieces.iter().filter(|p| p.until > now);
        kept.iter_mut().zip(young).for_each(|(slot, piece)| *slot = *piece);
        self.pieces = kept;
    }

    pub fn visit(&mut self, f: &mut dyn FnMut(&'static str, &mut Instant)) {
        for piece in self.pieces.iter_mut().filter(|p| !p.amount.is_zero()) {
            f("use_forgotten", &mut piece.until);
            f("use_counted", &mut piece.full_at);
        }
    }
}
