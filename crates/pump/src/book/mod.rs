//! The book of events: each has a number and is kept until `vigia` has acknowledged it.
//!
//! The control thread writes each event into a file of fixed size below `--run` (a tmpfs, so
//! that nothing waits for a disk) before it writes the relay image of that step. So they
//! outlive a kill of this program, and numbers go on after it. They do not outlive the box;
//! then a new book begins, with a new name.
//!
//! When [`EVENTS_LEN`] events wait, the first half stays and the second makes room from its
//! oldest: how an incident began is kept, and how it stands. What was let go is counted.

mod file;
#[cfg(test)]
mod tests;

use std::path::Path;

use rustix::io::Errno;
use vigia_core::link::{BootId, Moment, Numbered};
use vigia_core::pump::Event;
use vigia_core::time::Instant;

use file::{Head, Pages};

/// Events that may wait.
pub const EVENTS_LEN: usize = 512;
const FIRST_LEN: usize = EVENTS_LEN / 2;

/// See the module.
#[derive(Debug)]
pub struct Book {
    /// `None`: there is no file. Events are then kept in memory only.
    pages: Option<Pages>,
    head: Head,
    /// By page. What was acknowledged is overwritten later.
    slots: Box<[Option<Numbered>; EVENTS_LEN]>,
    /// Pages of the waiting events, in the order of their numbers; the first `waiting` count,
    /// the others are free pages.
    order: Box<[u16; EVENTS_LEN]>,
    waiting: usize,
    /// The number given last.
    last: u64,
    error: Option<Errno>,
}

impl Book {
    /// Opens the book below `dir`, or begins one. An error leaves a book in memory.
    #[must_use]
    pub fn open(dir: &Path, new_id: BootId) -> Self {
        let mut order = Box::new([0; EVENTS_LEN]);
        (0..).zip(order.iter_mut()).for_each(|(page, slot)| *slot = page);
        let mut book = Self {
            pages: None,
            head: Head { id: new_id, acknowledged: 0, lost: 0 },
            slots: Box::new([None; EVENTS_LEN]),
            order,
            waiting: 0,
            last: 0,
            error: None,
        };
        match Pages::open(dir, new_id) {
            Ok((pages, head)) => {
                book.pages = Some(pages);
                book.head = head;
                book.read_back();
            }
            Err(e) => book.error = Some(e),
        }
        book
    }

    fn read_back(&mut self) {
        self.last = self.head.acknowledged;
        let Some(pages) = &self.pages else { return };
        let mut found = Vec::with_capacity(EVENTS_LEN);
        for (page, slot) in (0_u16..).zip(self.slots.iter_mut()) {
            let event = pages.event(page, self.head.id);
            self.last = self.last.max(event.map_or(0, |e| e.number));
            *slot = event.filter(|e| e.number > self.head.acknowledged);
            if let Some(event) = slot {
                found.push((event.number, page));
            }
        }
        found.sort_unstable();
        self.waiting = found.len();
        let free = (0_u16..).take(EVENTS_LEN).filter(|page| !found.iter().any(|(_, p)| p == page));
        let pages = found.iter().map(|(_, page)| *page).chain(free);
        self.order.iter_mut().zip(pages).for_each(|(slot, page)| *slot = page);
    }

    /// Takes an event in. Returns it with its number.
    pub fn enter(&mut self, at: Instant, event: Event, after: Moment) -> Numbered {
        self.last = self.last.saturating_add(1);
        let entry = Numbered { number: self.last, at, event, after };
        if self.waiting == EVENTS_LEN {
            // The oldest of the second half makes room, and its page is taken.
            if let Some(second) = self.order.get_mut(FIRST_LEN..) {
                second.rotate_left(1);
            }
            self.waiting -= 1;
            self.head.lost = self.head.lost.saturating_add(1);
            self.write_head();
        }
        if let Some(page) = self.order.get(self.waiting).copied() {
            if let Some(slot) = self.slots.get_mut(usize::from(page)) {
                *slot = Some(entry);
            }
            let written = self.pages.as_ref().map_or(Ok(()), |p| p.write(page, self.head.id, entry));
            self.note(written);
            self.waiting += 1;
        }
        entry
    }

    /// All up to `number` are in safe hands. Whether there is such a number.
    pub fn acknowledge(&mut self, number: u64) -> bool {
        if number > self.last {
            return false;
        }
        let done = self.waiting().take_while(|e| e.number <= number).count();
        if done > 0 {
            // Their pages go behind those that wait, to be used again.
            if let Some(used) = self.order.get_mut(..self.waiting) {
                used.rotate_left(done);
            }
            self.waiting -= done;
            self.head.acknowledged = number;
            self.write_head();
        }
        true
    }

    /// The first event after `number` that still waits.
    #[must_use]
    pub fn next_after(&self, number: u64) -> Option<&Numbered> {
        let list = self.order.get(..self.waiting).unwrap_or_default();
        let at = list.partition_point(|page| self.slot(*page).is_some_and(|e| e.number <= number));
        list.get(at).and_then(|page| self.slot(*page))
    }

    /// Those that wait, by their numbers.
    pub fn waiting(&self) -> impl Iterator<Item = &Numbered> {
        self.order.iter().take(self.waiting).filter_map(|page| self.slot(*page))
    }

    #[must_use]
    pub fn waiting_len(&self) -> u16 {
        u16::try_from(self.waiting).unwrap_or(u16::MAX)
    }

    /// The number given last; 0 in a new book.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.last
    }

    #[must_use]
    pub const fn id(&self) -> BootId {
        self.head.id
    }

    /// Events that nobody will hear of, in this book.
    #[must_use]
    pub const fn lost(&self) -> u32 {
        self.head.lost
    }

    /// Why the file could not be written, once.
    pub const fn take_error(&mut self) -> Option<Errno> {
        self.error.take()
    }

    fn slot(&self, page: u16) -> Option<&Numbered> {
        self.slots.get(usize::from(page)).and_then(Option::as_ref)
    }

    fn write_head(&mut self) {
        let written = self.pages.as_ref().map_or(Ok(()), |p| p.write_head(&self.head));
        self.note(written);
    }

    /// Said once, not with each event.
    fn note(&mut self, written: Result<(), Errno>) {
        if let Err(e) = written {
            self.error.get_or_insert(e);
        }
    }
}
