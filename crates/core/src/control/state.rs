//! The one state of the instance. Nothing else remembers whether it is paused or busy.
//!
//! Outputs are level, not edge: after each step the gates of all streams are set to what
//! [`Machine::is_paused`] says, and the returned statuses are published.

use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::command::Command;
use super::pauses::Pauses;
use super::refusal::{Code, Refusal};
use super::spec::Class;
use super::status::Status;
use crate::time::Instant;

/// A long command that is being carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    Restart,
    /// By the command's name.
    Change(&'static str),
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The broker answered.
    LinkUp,
    LinkLost,
    /// The engine is loaded and the streams are being watched.
    Started,
    /// No sources: all.
    Pause {
        sources: Vec<u32>,
        timeout: Option<Duration>,
    },
    /// No sources: all. `streams`: all there are.
    Resume {
        sources: Vec<u32>,
        streams: Vec<u32>,
    },
    /// From the journal, or as they were before a batch that failed.
    SetPauses(Pauses),
    /// The streams there are after one came or went.
    Streams(Vec<u32>),
    /// A long command was admitted. From here to its end, others are refused.
    Claimed(Work),
    /// It passed every check and is being applied.
    Begun,
    /// It ended before it began: refused by a later check, or nothing to do.
    Released,
    /// Its effect is on the wire.
    Done,
    /// It failed, and what was before is back.
    RolledBack,
    /// It failed, or with no command in hand the engine did, and nothing works.
    Failed,
    /// A pause may be over.
    Time,
    Stop,
    /// The connection is closed in order, for good.
    Leave,
}

/// May a command be carried out?
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// At once, here.
    Now,
    /// By the worker. Goes with [`Input::Claimed`], before the next message is looked at.
    Enqueue(Work),
    Refuse(Refusal),
}

/// What the instance is, and what it is doing.
///
/// ```text
/// Free(Starting, Running, Failed) ── Claimed ──► Busy(Checking) ── Begun ──► Busy(Applying)
///   ▲                                                 │                          │
///   └────── Released, Done, RolledBack, Failed ───────┴──────────────────────────┘
/// all of these ── Stop ──► Stopped        all of these and Stopped ── Leave ──► Left
/// ```
/// The base, in brackets, is what work returns to; `Started` makes it Running at any time.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    Free(Base),
    Busy { base: Base, work: Work, stage: Stage },
    Stopped,
    Left { last: Status },
}

/// What the instance is apart from its work: what it returns to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base {
    Starting,
    Running,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Models and streams are tried; nobody has noticed anything yet.
    Checking,
    Applying,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Never,
    Up,
    Lost,
}

/// One per process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    phase: Phase,
    pauses: Pauses,
    link: Link,
}

impl Default for Machine {
    fn default() -> Self {
        Self { phase: Phase::Free(Base::Starting), pauses: Pauses::default(), link: Link::Never }
    }
}

impl Machine {
    /// What is to be published, in order. Inputs that make no sense in a state change nothing.
    #[must_use]
    pub fn step(&mut self, now: Instant, input: Input) -> Vec<Status> {
        let before = self.status();
        // Pausing what is paused changes no status, but is said again.
        let mut again = false;
        match input {
            Input::LinkUp => return self.link_up(),
            Input::LinkLost => self.link = Link::Lost,
            Input::Started => self.started(),
            Input::Pause { sources, timeout } => {
                self.pauses.pause(now, &sources, timeout);
                again = true;
            }
            Input::Resume { sources, streams } => {
                self.pauses.resume(&sources, &streams);
                again = true;
            }
            Input::SetPauses(pauses) => {
                again = pauses != self.pauses;
                self.pauses = pauses;
            }
            Input::Streams(streams) => self.pauses.keep(&streams),
            Input::Time => again = self.pauses.expire(now),
            Input::Claimed(work) => self.claimed(work),
            Input::Begun => self.begun(),
            Input::Released | Input::RolledBack => self.returned(),
            Input::Done => self.done(),
            Input::Failed => self.failed(),
            Input::Stop => self.stopped(),
            Input::Leave => self.left(),
        }
        let after = self.status();
        let is_heard = self.link == Link::Up && (after != before || again && !self.is_over());
        if is_heard { vec![after] } else { Vec::new() }
    }

    /// Whether a command may be carried out now. Roles are looked at elsewhere.
    #[must_use]
    pub fn admit(&self, command: &Command) -> Admission {
        match (&self.phase, command.class()) {
            (_, Class::Query) => Admission::Now,
            (Phase::Stopped | Phase::Left { .. }, Class::Gate) if *command == Command::Stop => Admission::Now,
            (Phase::Stopped | Phase::Left { .. }, Class::Gate | Class::Change) => {
                Admission::Refuse(Refusal::new(Code::Stopping, "the instance is stopping"))
            }
            (Phase::Free(_) | Phase::Busy { .. }, Class::Gate) => Admission::Now,
            (Phase::Free(_), Class::Change) if *command == Command::Restart => {
                Admission::Enqueue(Work::Restart)
            }
            (Phase::Free(_), Class::Change) => Admission::Enqueue(Work::Change(command.name())),
            (Phase::Busy { work, .. }, Class::Change) => Admission::Refuse(busy(*work)),
        }
    }

    /// The truth, whether or not anybody can hear it.
    #[must_use]
    pub fn status(&self) -> Status {
        match self.phase {
            Phase::Free(base) | Phase::Busy { base, stage: Stage::Checking, .. } => match base {
                Base::Failed => Status::Error,
                Base::Starting | Base::Running if self.pauses.is_all_paused() => Status::Paused,
                Base::Starting => Status::Starting,
                Base::Running => Status::Running,
            },
            Phase::Busy { stage: Stage::Applying, work: Work::Restart, .. } => Status::Restarting,
            Phase::Busy { stage: Stage::Applying, work: Work::Change(_), .. } => Status::Reconfiguring,
            Phase::Stopped => Status::Stopped,
            Phase::Left { .. } => Status::Disconnected,
        }
    }

    /// What it was before it left.
    #[must_use]
    pub fn last_status(&self) -> Option<Status> {
        match self.phase {
            Phase::Left { last } => Some(last),
            Phase::Free(_) | Phase::Busy { .. } | Phase::Stopped => None,
        }
    }

    /// Whether this stream must be silent: by command, or because the instance stops.
    #[must_use]
    pub fn is_paused(&self, source_id: u32) -> bool {
        self.is_over() || self.pauses.is_paused(source_id)
    }

    /// The long command in hand, checked or applied.
    #[must_use]
    pub fn work(&self) -> Option<Work> {
        match self.phase {
            Phase::Busy { work, .. } => Some(work),
            Phase::Free(_) | Phase::Stopped | Phase::Left { .. } => None,
        }
    }

    #[must_use]
    pub fn pauses(&self) -> &Pauses {
        &self.pauses
    }

    /// When to come back with [`Input::Time`].
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.pauses.deadline()
    }

    fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Stopped | Phase::Left { .. })
    }

    /// The first time says `connected`; later only the truth is told again (B-19).
    fn link_up(&mut self) -> Vec<Status> {
        let first = self.link == Link::Never;
        self.link = Link::Up;
        if first { vec![Status::Connected, self.status()] } else { vec![self.status()] }
    }

    fn started(&mut self) {
        if let Phase::Free(base) | Phase::Busy { base, .. } = &mut self.phase {
            *base = Base::Running;
        }
    }

    fn claimed(&mut self, work: Work) {
        if let Phase::Free(base) = self.phase {
            self.phase = Phase::Busy { base, work, stage: Stage::Checking };
        }
    }

    fn begun(&mut self) {
        if let Phase::Busy { stage, .. } = &mut self.phase {
            *stage = Stage::Applying;
        }
    }

    /// To what was before.
    fn returned(&mut self) {
        if let Phase::Busy { base, .. } = self.phase {
            self.phase = Phase::Free(base);
        }
    }

    /// A change proves that detections flow, save during the start, which says so itself.
    fn done(&mut self) {
        let Phase::Busy { base, work, stage } = self.phase else { return };
        self.phase = Phase::Free(match (stage, base) {
            (Stage::Checking, base) => base,
            (Stage::Applying, Base::Starting) if work != Work::Restart => Base::Starting,
            (Stage::Applying, Base::Starting | Base::Running | Base::Failed) => Base::Running,
        });
    }

    fn failed(&mut self) {
        if let Phase::Free(_) | Phase::Busy { .. } = self.phase {
            self.phase = Phase::Free(Base::Failed);
        }
    }

    fn stopped(&mut self) {
        if let Phase::Free(_) | Phase::Busy { .. } = self.phase {
            self.phase = Phase::Stopped;
        }
    }

    fn left(&mut self) {
        if self.last_status().is_none() {
            self.phase = Phase::Left { last: self.status() };
        }
    }
}

fn busy(work: Work) -> Refusal {
    match work {
        Work::Restart => Refusal::new(Code::Busy, "restart in progress"),
        Work::Change(name) => {
            Refusal::new(Code::Busy, alloc::format!("restart in progress: {name} is not finished"))
        }
    }
}
