//! When two states are the same: apart from the time of day, and from what cannot change what
//! they do.

extern crate std;

use core::time::Duration;
use std::hash::{Hash, Hasher};

use super::super::super::alarm::Panel;
use super::super::super::ledger::Ledger;
use super::super::super::state::{Phase, State};
use super::{BASE, World};
use crate::time::Instant;

/// 128 bits stand for a state; two of a few million never share them by chance.
pub fn key(world: &World) -> u128 {
    let mut words = Words(0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344);
    world.hash(&mut words);
    u128::from(words.0) << 64 | u128::from(words.1)
}

/// Fast over long states of small words.
struct Words(u64, u64);

impl Hasher for Words {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
        self.1 = (self.1 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }

    fn write_u8(&mut self, n: u8) {
        self.write_u64(u64::from(n));
    }

    fn write_u16(&mut self, n: u16) {
        self.write_u64(u64::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }

    fn write_isize(&mut self, n: isize) {
        self.write_u64(n.unsigned_abs() as u64);
    }

    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A moment as its distance from now. What is past is past.
pub fn moved(at: Instant, now: Instant) -> Instant {
    if at == Instant(0) { at } else { BASE.after(at.since(now)) }
}

/// The same state as if it were [`BASE`] now, without what cannot change what it does.
pub fn rebase(state: &mut State, now: Instant) {
    state.visit(&mut |_, at| *at = moved(*at, now));
    state.now = BASE;
    state.epoch = 0;
    state.panel = Panel::default();
    state.untrusted = 0;
    state.watches.fire = None;
    state.checkpoint_at = None;
    plain(&mut state.ledger);
    if let Phase::Stopping { ran, .. } = &mut state.phase {
        *ran = Duration::ZERO;
    }
}

pub fn plain(ledger: &mut Ledger) {
    ledger.run_total = Duration::ZERO;
    ledger.runs = 0;
    ledger.since_test = Duration::ZERO;
}
