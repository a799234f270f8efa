//! The pump program: the real machine, its ledger's keeper, its cycle, and its ways to die.

use std::time::Duration;

use vigia_core::pump::{Event, Input, Ledger, Machine, Plan, RelayImage, Restored, SensorImage, StateName};
use vigia_core::time::Instant;

use crate::plant::Plant;

/// The owner thread's period.
pub(super) const CYCLE: Duration = Duration::from_millis(100);

/// A ledger on its way to the disk.
#[derive(Debug, Clone, Copy)]
struct Page {
    ledger: Ledger,
    at: Instant,
    done: Instant,
}

/// What is on the disk, and what is not there yet.
#[derive(Debug, Clone, Copy, Default)]
struct Keeper {
    on_disk: Option<(Ledger, Instant)>,
    writing: Option<Page>,
    next: Option<(Ledger, Instant)>,
}

#[derive(Debug, Clone)]
pub(super) struct Hand {
    pub plan: Plan,
    pub machine: Option<Machine>,
    /// The lines as they stand.
    pub lines: RelayImage,
    /// As they were read last.
    pub image: SensorImage,
    pub read: RelayImage,
    /// Of the last step, in order.
    pub events: Vec<Event>,
    pub events_lost: bool,
    pub must_persist: bool,
    /// When it steps next.
    pub wake: Instant,
    pub last_step: Instant,
    /// When it is started again, being dead.
    pub starts_at: Option<Instant>,
    /// Counts its lives.
    pub session: u32,
    /// Dies between the next step and the writing of its image.
    pub doomed: bool,
    /// The disk loses what it holds.
    pub disk_lost: bool,
    keeper: Keeper,
    /// Dearer disks are slower.
    pub write_ms: u64,
}

impl Hand {
    pub fn new(plan: Plan, now: Instant, write_ms: u64) -> Self {
        Self {
            plan,
            machine: None,
            lines: RelayImage::NONE,
            image: SensorImage::QUIET,
            read: RelayImage::NONE,
            events: Vec::with_capacity(64),
            events_lost: false,
            must_persist: false,
            wake: now,
            last_step: now,
            starts_at: Some(now),
            session: 0,
            doomed: false,
            disk_lost: false,
            keeper: Keeper::default(),
            write_ms,
        }
    }

    pub fn state(&self) -> Option<StateName> {
        self.machine.as_ref().map(Machine::state)
    }

    /// Whether contacts or relays stand otherwise than they were read.
    pub fn looks_old(&self, plant: &Plant) -> bool {
        self.image != plant.sensors() || self.read != plant.feedback()
    }

    /// Takes the lines over, all of them off, and reads what was written down. Returns whether the
    /// ledger was there.
    pub fn start(&mut self, now: Instant) -> bool {
        self.keep(now);
        let read = match self.keeper.on_disk {
            _ if core::mem::take(&mut self.disk_lost) => Restored::Lost,
            None if self.session == 0 => Restored::Fresh,
            None => Restored::Lost,
            Some((ledger, at)) => match Ledger::from_bytes(&ledger.to_bytes(at), now) {
                Ok(ledger) => Restored::Found(ledger),
                Err(_) => Restored::Lost,
            },
        };
        self.keeper.writing = None;
        self.keeper.next = None;
        self.session += 1;
        self.starts_at = None;
        self.lines = RelayImage::NONE;
        self.machine = Some(Machine::new(self.plan, read, now));
        self.wake = now;
        self.last_step = now;
        // The keeper writes what it starts with.
        let fresh = matches!(read, Restored::Fresh);
        if fresh {
            self.keeper.on_disk = Some((Ledger::new(), now));
        }
        fresh || matches!(read, Restored::Found(_))
    }

    /// The lines stay as they are. What was being written is not there.
    pub fn die(&mut self, now: Instant, back_after: Duration) {
        self.keep(now);
        self.machine = None;
        self.doomed = false;
        self.starts_at = Some(now.after(back_after));
    }

    /// One step. The events are in `self.events` afterwards.
    pub fn step(&mut self, now: Instant, input: Input) {
        let Some(machine) = &mut self.machine else { return };
        let events = machine.step(now, input);
        self.events.clear();
        self.events.extend_from_slice(events.as_slice());
        self.events_lost = events.lost() > 0;
        self.must_persist = events.must_persist();
        self.last_step = now;
        if self.must_persist {
            self.persist(now);
        }
    }

    fn persist(&mut self, now: Instant) {
        let Some(machine) = &self.machine else { return };
        let ledger = *machine.ledger();
        self.keep(now);
        if self.keeper.writing.is_some() {
            self.keeper.next = Some((ledger, now));
        } else {
            let done = now.after(Duration::from_millis(self.write_ms));
            self.keeper.writing = Some(Page { ledger, at: now, done });
        }
    }

    /// Lets the disk finish what it had time for.
    fn keep(&mut self, now: Instant) {
        while let Some(page) = self.keeper.writing.filter(|page| page.done <= now) {
            self.keeper.on_disk = Some((page.ledger, page.at));
            let done = page.done.after(Duration::from_millis(self.write_ms));
            self.keeper.writing = self.keeper.next.take().map(|(ledger, at)| Page { ledger, at, done });
        }
    }
}
