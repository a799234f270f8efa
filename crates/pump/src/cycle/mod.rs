//! The owner: one thread that has machine, relays, book and socket to itself.
//!
//! One cycle: contacts in, everything that was said in, each with a step of the machine and
//! its events in the book; then the whole relay image out and read back, and the heartbeat of
//! the watchdog relay if all of it went well and in time; then the answers, which so state an
//! effect. A cycle begins every [`EVERY`], at each deadline of the machine,
//! and when something is said or a contact changes. A gap between two cycles is told to the
//! machine by the time itself (I15).
//!
//! Until the lines have passed their test, no relay is energised whatever the machine says.

mod publish;
mod self_test;
mod watchdog;

use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use vigia_core::link::{
    ALIVE_EVERY, CommandAck, DemandAck, DemandOutcome, Detection, FromPump, Moment, Numbered, SeenImage,
    ToPump, Welcome,
};
use vigia_core::pump::{
    Command, Demand, Event, Events, Input, Machine, RelayImage, Seen, Sensor, SensorImage, StateName,
};
use vigia_core::time::Instant;

use crate::bank::Bank;
use crate::book::Book;
use crate::clock;
use crate::desk::{Desk, FRAMES_PER_CYCLE, Said};
use crate::lateness::Lateness;
use crate::ledger::Keeper;
use crate::notify::Notify;
use crate::privileges::Privileges;
use crate::voice::{Line, Note, Voice};
use publish::Published;
pub use self_test::Failure;
use self_test::{Lines, SelfTest};
use watchdog::Watchdog;

/// From cycle to cycle. Each healthy one gives the heartbeat line an edge: 20 Hz.
pub const EVERY: Duration = Duration::from_millis(50);
/// A cycle that begins later than this gives none (I23).
pub const LATE_MAX: Duration = Duration::from_millis(100);
/// An ordered stop takes the engine's coasting and the valve's; longer and it is left as it is.
pub const STOP_MAX: Duration = Duration::from_secs(150);

/// What the owner is given at the start.
#[derive(Debug)]
pub struct Parts {
    pub machine: Machine,
    pub bank: Bank,
    pub book: Book,
    pub keeper: Keeper,
    pub desk: Desk,
    pub voice: Voice,
    pub notify: Notify,
    /// Of the plan.
    pub fingerprint: u64,
    pub privileges: Privileges,
}

/// See the module.
#[derive(Debug)]
pub struct Owner {
    parts: Parts,
    self_test: SelfTest,
    watchdog: Watchdog,
    /// What was written and read back last.
    wrote: RelayImage,
    read: RelayImage,
    sensors: SensorImage,
    answers: Answers,
    published: Published,
    lateness: Lateness,
    cycles: u32,
    late_cycles: u32,
    /// The cycle began too late to say that all is well.
    is_late: bool,
    next_cycle: Instant,
    leaving_since: Option<Instant>,
    /// Since when, at the end, everything is off and K0 is not fed any more.
    off_since: Option<Instant>,
    detection: Detection,
    has_ledger_failed: bool,
    lines_error: Option<Errno>,
    /// Whether the last cycle fed the watchdog relay.
    beats: bool,
    /// An event was lost and not everything that was kept has been acknowledged since.
    has_gap: bool,
    lost_seen: u32,
}

/// What is to be answered once the relays are written.
#[derive(Debug)]
struct Answers {
    list: [Option<FromPump>; FRAMES_PER_CYCLE as usize],
    len: usize,
}

impl Answers {
    /// There are never more than frames that were taken in.
    fn push(&mut self, answer: FromPump) {
        if let Some(slot) = self.list.get_mut(self.len) {
            *slot = Some(answer);
            self.len += 1;
        }
    }
}

impl Owner {
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let now = clock::now();
        Self {
            has_gap: parts.book.lost() > 0 && parts.book.waiting_len() > 0,
            lost_seen: parts.book.lost(),
            parts,
            self_test: SelfTest::default(),
            watchdog: Watchdog::default(),
            wrote: RelayImage::NONE,
            read: RelayImage::NONE,
            sensors: SensorImage::QUIET,
            answers: Answers { list: [None; FRAMES_PER_CYCLE as usize], len: 0 },
            published: Published::default(),
            lateness: Lateness::default(),
            cycles: 0,
            late_cycles: 0,
            is_late: false,
            next_cycle: now,
            leaving_since: None,
            off_since: None,
            detection: Detection::Silent,
            has_ledger_failed: false,
            lines_error: None,
            beats: false,
        }
    }

    /// Goes on until it is told to stop and everything is off. `stop` becomes readable then.
    /// Returns whether all was off in the end.
    pub fn run(&mut self, stop: &std::os::unix::net::UnixStream) -> bool {
        loop {
            let now = clock::now();
            if now >= self.next_cycle {
                self.note_lateness(now.since(self.next_cycle));
                let next = self.next_cycle.after(EVERY);
                // What was missed is not caught up with.
                self.next_cycle = if next > now { next } else { now.after(EVERY) };
                self.parts.desk.turn();
            }
            self.cycle(now);
            if let Some(since) = self.leaving_since {
                let is_off = self.parts.machine.has_left();
                if self.may_let_go(now, is_off) || now.since(since) > STOP_MAX {
                    return is_off && self.wrote == RelayImage::NONE;
                }
            }
            if self.wait(stop) && self.leaving_since.is_none() {
                self.leave(clock::now());
            }
        }
    }

    /// Everything is off and K0 has fallen: what a line does that nobody holds is the board's business.
    fn may_let_go(&mut self, now: Instant, is_off: bool) -> bool {
        if !is_off {
            self.off_since = None;
            return false;
        }
        let since = *self.off_since.get_or_insert(now);
        self.parts.bank.is_pulled() != Some(true) || now.since(since) >= watchdog::FALLS
    }

    /// The last words, and what is still to be written down.
    pub fn finish(mut self, in_order: bool) -> Voice {
        self.parts.notify.stopping();
        self.parts.voice.note(clock::now(), Note::Stopped { in_order });
        self.parts.keeper.finish(Duration::from_secs(2));
        self.parts.voice
    }

    fn leave(&mut self, now: Instant) {
        self.leaving_since = Some(now);
        self.parts.voice.note(now, Note::Stopping);
        self.step(now, Input::Shutdown);
    }

    /// Until the next cycle is due or something wakes it; whether it is told to stop.
    fn wait(&self, stop: &std::os::unix::net::UnixStream) -> bool {
        let due = self.parts.machine.deadline().map_or(self.next_cycle, |(at, _)| at.min(self.next_cycle));
        let (listener, client) = self.parts.desk.wakes_by();
        let contacts = self.parts.bank.wakes_by();
        // Told once is enough; its end stays readable.
        let stop_fd = if self.leaving_since.is_none() { Some(stop) } else { None };
        let mut fds = [
            PollFd::new(&listener, PollFlags::IN),
            PollFd::new(client.as_ref().unwrap_or(&listener), PollFlags::IN),
            PollFd::new(contacts.as_ref().unwrap_or(&listener), PollFlags::IN),
            match stop_fd {
                Some(stop) => PollFd::new(stop, PollFlags::IN),
                None => PollFd::new(&listener, PollFlags::IN),
            },
        ];
        let timeout = clock::timespec(due.since(clock::now()));
        // An error is a signal: look again.
        if poll(&mut fds, Some(&timeout)).is_err() {
            return false;
        }
        let [.., stop_poll] = &fds;
        stop_fd.is_some() && stop_poll.revents().contains(PollFlags::IN)
    }

    fn cycle(&mut self, now: Instant) {
        self.cycles = self.cycles.saturating_add(1);
        self.sensors = self.parts.bank.sensors(now);
        self.step(now, Input::Sensors(self.sensors));
        while let Some(said) = self.parts.desk.hear(now, &mut self.parts.voice) {
            self.take(now, said);
        }
        // After that, so that who has just gone is not in the way of who comes.
        self.parts.desk.let_in(now, &mut self.parts.voice);
        let is_good = self.write(now);
        self.beats = is_good && !self.is_late && self.wants_beats(now);
        self.parts.bank.heartbeat(now, self.beats);
        self.parts.keeper.tend();
        let status = self.parts.machine.status();
        self.parts.notify.cycle(now, self.lines_error.is_none(), &status);
        self.look_around(now);
        self.publish(now);
    }

    fn note_lateness(&mut self, late: Duration) {
        self.lateness.note(late);
        self.is_late = late > LATE_MAX;
        self.late_cycles = self.late_cycles.saturating_add(u32::from(self.is_late));
    }

    /// Whether the watchdog relay is to be pulled: for the test of it, and while nothing latched.
    fn wants_beats(&mut self, now: Instant) -> bool {
        let is_at_rest = self.parts.machine.status().state == StateName::Idle;
        if self.off_since.is_some() {
            return false;
        }
        if !self.self_test.has_passed() {
            return self.self_test.asks_for_beats();
        }
        self.parts.machine.permits_watchdog()
            && !self.watchdog.withholds(now, is_at_rest, self.parts.bank.is_beat_high())
    }

    /// The stop button and the selector cut the coil of the watchdog relay, too (hardware/wiring.md).
    fn may_be_cut(&self) -> bool {
        let machine = &self.parts.machine;
        let auto = machine.see(Sensor::SelectorAuto);
        machine.see(Sensor::EmergencyStop).may_be() || matches!(auto, Seen::No | Seen::Unknown)
    }

    /// One step of the machine. Its events are in the book, and its ledger is kept, before
    /// any relay follows.
    fn step(&mut self, now: Instant, input: Input) -> Events {
        let events = self.parts.machine.step(now, input).clone();
        let after = self.moment();
        for event in events.iter() {
            // A report of health that nobody hears is of no use later.
            if *event != Event::HealthReport || self.parts.desk.is_heard() {
                self.enter(now, *event, after);
            }
        }
        if events.must_persist() {
            let record = self.parts.machine.ledger_record();
            self.parts.keeper.keep(now, record);
        }
        events
    }

    fn enter(&mut self, now: Instant, event: Event, after: Moment) {
        let entry: Numbered = self.parts.book.enter(now, event, after);
        if event != Event::HealthReport {
            self.parts.voice.say(now, Line::Event(entry));
        }
    }

    fn moment(&self) -> Moment {
        let machine = &self.parts.machine;
        let status = machine.status();
        Moment {
            state: status.state,
            epoch: status.epoch,
            fault: status.fault,
            relays: status.relays,
            seen: SeenImage::of(|sensor| machine.see(sensor)),
            refill_owed: status.refill_owed,
            current_runtime: status.current_runtime,
            total_runtime: status.total_runtime,
            armed: status.is_armed,
        }
    }

    /// Something that `vigia` said.
    fn take(&mut self, now: Instant, Said { seq, what }: Said) {
        match what {
            ToPump::Hello => {
                let book = &self.parts.book;
                let first = book.next_after(0).map_or(book.last() + 1, |event| event.number);
                let welcome = Welcome {
                    plan: self.parts.fingerprint,
                    bank: self.parts.bank.kind(),
                    book: book.id(),
                    first_event: first,
                    last_event: book.last(),
                };
                self.parts.desk.welcome(now, welcome, &mut self.parts.voice);
                self.published.is_due = true;
            }
            ToPump::Demand(demand) => {
                let events = self.step(now, Input::Demand(demand));
                let outcome = demand_outcome(&events, &demand);
                self.answers.push(FromPump::DemandAck(DemandAck { seq, id: demand.id, outcome }));
            }
            ToPump::Command(command) => {
                let events = self.step(now, Input::Command(command));
                let refusal = command_refusal(&events, &command);
                let Command { id, order, .. } = command;
                self.answers.push(FromPump::CommandAck(CommandAck { seq, id, order, refusal }));
            }
            ToPump::Alive(_) => {}
            ToPump::EventAck { up_to } => {
                if !self.parts.desk.has_told(up_to) || !self.parts.book.acknowledge(up_to) {
                    let why = vigia_core::link::Refused::EventUnknown;
                    self.parts.desk.refuse_counted(now, why, &mut self.parts.voice);
                }
            }
        }
    }

    /// Writes the whole image, reads it back, and once more if that changed it. Whether every
    /// line can be written and read, and none is on that is to be off: only the watchdog relay
    /// can end that. One that does not come is for the machine to judge; the watchdog relay may
    /// be the one that feeds it.
    fn write(&mut self, now: Instant) -> bool {
        for _ in 0..2 {
            let image =
                if self.self_test.has_passed() { self.parts.machine.relays() } else { RelayImage::NONE };
            let epoch = self.parts.machine.epoch();
            let result = self.parts.bank.write(now, image).and_then(|()| self.parts.bank.read_back(now));
            self.note_lines(now, result.err());
            self.wrote = image;
            // What cannot be read reads as its opposite.
            self.read = result.unwrap_or_else(|_| RelayImage::read_back(|o| !image.is_on(o)));
            self.step(now, Input::ReadBack { epoch, wrote: image, read: self.read });
            let lines = Lines {
                are_same: image == self.read,
                is_pulled: self.parts.bank.is_pulled(),
                may_be_cut: self.may_be_cut(),
            };
            if let Some(verdict) = self.self_test.look(now, lines) {
                self.parts.voice.note(now, Note::SelfTest(verdict));
                self.step(now, Input::SelfTest(verdict.is_ok()));
            }
            if !self.self_test.has_passed() || self.parts.machine.relays() == image {
                break;
            }
        }
        self.lines_error.is_none() && self.read.differences(self.wrote).all(|o| self.wrote.is_on(o))
    }

    fn note_lines(&mut self, now: Instant, error: Option<Errno>) {
        if let Some(e) = error.filter(|e| self.lines_error != Some(*e)) {
            self.parts.voice.note(now, Note::Relays(e));
        }
        self.lines_error = error;
    }
}

/// What became of a demand, from the events of its step.
fn demand_outcome(events: &Events, demand: &Demand) -> DemandOutcome {
    let found = events.iter().find_map(|event| match *event {
        Event::DemandAccepted { id, .. } if id == demand.id => Some(DemandOutcome::Accepted),
        Event::TriggerBlocked { id, why } if id == demand.id => Some(DemandOutcome::Blocked { why }),
        Event::TriggerBlockedRefilling { id, .. } if id == demand.id => {
            Some(DemandOutcome::Blocked { why: vigia_core::pump::Refusal::RefillOwed })
        }
        Event::TriggerIgnored { id, why } if id == demand.id => Some(DemandOutcome::Ignored { why }),
        Event::ErrorStateTriggerIgnored { id, fault } if id == demand.id => {
            Some(DemandOutcome::Fault { fault })
        }
        _ => None,
    });
    // The machine answers each demand; were it not so, the safe answer is "say it again".
    found.unwrap_or(DemandOutcome::Blocked { why: vigia_core::pump::Refusal::Booting })
}

fn command_refusal(events: &Events, command: &Command) -> Option<vigia_core::pump::Refusal> {
    events.iter().find_map(|event| match *event {
        Event::CommandRefused { id, order, why } if id == command.id && order == command.order => Some(why),
        _ => None,
    })
}

const _: () = assert!(EVERY.as_millis() * 2 < ALIVE_EVERY.as_millis());
