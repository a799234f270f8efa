//! The thread that keeps what must not be lost, and brings it to the broker.
//!
//! A message is on the disk before it is offered, and stays there until the broker has it: at least
//! once, over lost links, restarts of the broker and a kill of this program. Whoever gave it hears
//! when it is on the disk, not before.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, never, select};
use vigia_core::link::BootId;
use vigia_core::pump::Kind;
use vigia_core::time::Instant;

use super::panel::Condition;
use super::spool::{Change, Letter, Spool, WAITING_MAX};
use super::{News, Task};
use crate::clock;
use crate::liveness::Pulse;
use crate::mqtt::{Class, Outbox, Qos, Receipt};

/// Messages that are offered to the broker at a time; the rest waits on the disk.
const OFFERED_MAX: usize = 128;
/// Changes written together.
const BATCH_MAX: usize = 256;
/// After the disk or the broker refused something.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// What is given to the courier.
#[derive(Debug)]
pub enum Job {
    Write(Change),
    /// An event of the pump's, whose link waits to hear that it is on the disk.
    Event {
        book: BootId,
        number: u64,
        topic: Arc<str>,
        payload: Vec<u8>,
    },
    /// What waits is written, then it ends.
    Close,
}

/// What the courier works with.
pub struct Tools {
    pub spool: Spool,
    pub letters: Vec<Letter>,
    pub outbox: Outbox,
    pub jobs: Receiver<Job>,
    pub tasks: Sender<Task>,
    pub news: Option<Sender<News>>,
    /// A fire is taken over when the broker has it: nobody else is there to take it.
    pub broker_takes: bool,
    /// Never says that it worked: a disk that hangs is the same after a new start, and fires are told to the
    /// pump without it.
    pub pulse: Pulse,
}

struct Courier {
    tools: Tools,
    /// On the disk and not yet offered.
    waiting: VecDeque<Letter>,
    /// Offered, with the fire that it tells of.
    offered: Vec<Letter>,
    /// Written as soon as the disk takes it.
    unwritten: Vec<Change>,
    /// Events among these: book and number.
    owed: Vec<(BootId, u64)>,
    again: Option<Instant>,
    /// Troubles that were told and hold.
    troubles: BTreeSet<&'static str>,
}

/// Works until it is told to close.
pub fn work(mut tools: Tools) {
    let waiting = std::mem::take(&mut tools.letters).into();
    let (offered, unwritten, owed) = (Vec::new(), Vec::new(), Vec::new());
    let troubles = BTreeSet::new();
    Courier { tools, waiting, offered, unwritten, owed, again: None, troubles }.work();
}

impl Courier {
    fn work(&mut self) {
        let (jobs, receipts) = (self.tools.jobs.clone(), self.tools.outbox.receipts().clone());
        loop {
            self.offer();
            let again = self.again.map_or_else(never, |at| crossbeam_channel::after(at.since(clock::now())));
            let mut open = true;
            self.tools.pulse.rest();
            select! {
                recv(jobs) -> job => open = job.is_ok_and(|job| self.take(job)),
                recv(receipts) -> receipt => if let Ok(receipt) = receipt { self.receipt(receipt) },
                recv(again) -> _ => self.again = None,
            }
            self.tools.pulse.beat(clock::now());
            while self.unwritten.len() < BATCH_MAX && open {
                if let Ok(job) = jobs.try_recv() {
                    open = self.take(job);
                } else if let Ok(receipt) = receipts.try_recv() {
                    self.receipt(receipt);
                } else {
                    break;
                }
            }
            self.write();
            if !open {
                return;
            }
        }
    }

    /// False: it is to end.
    fn take(&mut self, job: Job) -> bool {
        match job {
            Job::Close => return false,
            Job::Write(change) => self.unwritten.push(change),
            Job::Event { book, number, topic, payload } => {
                if self.backlog() >= WAITING_MAX {
                    // Not taken: the pump goes on keeping it, and says it again.
                    self.trouble(
                        "spool_full",
                        Some("the broker is away for too long: the pump keeps its events"),
                    );
                    return true;
                }
                let topic = topic.to_string();
                self.unwritten.push(Change::Event { book, number, topic, payload });
                self.owed.push((book, number));
            }
        }
        true
    }

    fn backlog(&self) -> u64 {
        (self.waiting.len() + self.offered.len() + self.unwritten.len()) as u64
    }

    fn receipt(&mut self, receipt: Receipt) {
        let Some(at) = self.offered.iter().position(|l| l.number == receipt.number) else { return };
        let letter = self.offered.remove(at);
        if receipt.taken {
            self.unwritten.push(Change::Delivered(letter.number));
            self.trouble("not_published", None);
            if let Some(fire) = letter.fire.filter(|_| self.tools.broker_takes) {
                let _ = self.tools.tasks.send(Task::Taken(fire));
            }
        } else {
            self.trouble("not_published", Some("the broker refuses what must be published: look at its ACL"));
            self.again = Some(clock::now().after(AGAIN_AFTER));
            self.waiting.push_front(letter);
        }
    }

    fn write(&mut self) {
        if self.unwritten.is_empty() {
            return;
        }
        match self.tools.spool.write(&self.unwritten) {
            Ok(letters) => {
                self.unwritten.clear();
                self.waiting.extend(letters);
                self.trouble("spool_failed", None);
                if self.backlog() < WAITING_MAX / 2 {
                    self.trouble("spool_full", None);
                }
                for (book, number) in self.owed.drain(..) {
                    if let Some(news) = &self.tools.news {
                        let _ = news.send(News::Kept { book, number });
                    }
                }
            }
            Err(error) => {
                tracing::error!(component = "fire", event = "spool_failed", %error, "trying again");
                self.trouble("spool_failed", Some(&error.to_string()));
                // The pump says its events again; everything else waits here.
                self.owed.clear();
                self.unwritten.retain(|change| !matches!(change, Change::Event { .. }));
                self.again = Some(clock::now().after(AGAIN_AFTER));
            }
        }
    }

    fn offer(&mut self) {
        while self.again.is_none() && self.offered.len() < OFFERED_MAX {
            let Some(letter) = self.waiting.pop_front() else { return };
            let topic: Arc<str> = letter.topic.as_str().into();
            let write = |buffer: &mut Vec<u8>| buffer.extend_from_slice(&letter.payload);
            let class = Class::Kept(letter.number);
            match self.tools.outbox.publish(class, &topic, Qos::AtLeastOnce, false, write) {
                Ok(()) => self.offered.push(letter),
                Err(refused) => {
                    tracing::debug!(component = "fire", event = "letter_waits", %refused);
                    self.waiting.push_front(letter);
                    self.again = Some(clock::now().after(AGAIN_AFTER));
                }
            }
        }
    }

    fn trouble(&mut self, name: &'static str, text: Option<&str>) {
        let news = if text.is_some() { self.troubles.insert(name) } else { self.troubles.remove(name) };
        if !news {
            return;
        }
        let condition = Condition::new(Kind::Trouble, name, "spool");
        let _ = self.tools.tasks.send(Task::Condition(condition, text.map(str::to_owned)));
    }
}
