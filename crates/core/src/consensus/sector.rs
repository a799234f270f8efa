//! Cameras that watch the same ground: do enough of them agree, and what became of it.

use alloc::vec::Vec;

use super::config::{Config, Rules, Sector, Smoke};
use super::eye::Eye;
use super::ids::{CameraId, ObjectId, SectorId, TriggerId, ZoneId};
use super::limits::REPEAT;
use super::record::{Decision, Miss, Record, Sight, What};
use super::tally::Tally;
use super::trace::{Note, Trace};
use crate::time::Instant;

/// A confirmed fire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    pub id: TriggerId,
    pub sector: SectorId,
    pub confirmed: Instant,
    /// When there was evidence last: whoever gets it late can tell how late.
    pub evidence: Instant,
    /// Those that agreed, in the order of the configuration.
    pub cameras: Vec<CameraId>,
    /// What they agreed on.
    pub objects: Vec<(CameraId, ObjectId)>,
    /// Water zones of these cameras; empty unless `zone_activation` is on.
    pub zones: Vec<ZoneId>,
}

/// What a sector comes to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict<'a> {
    /// Nobody votes.
    Clear,
    /// Somebody votes, but it is not enough.
    Doubtful(Miss),
    /// A fire, from its confirmation until it is acknowledged and the evidence has ended.
    Confirmed { trigger: &'a Trigger, acknowledged: bool },
}

/// What the outside is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A fire. Said again every [`REPEAT`] until [`super::Consensus::acknowledge`] is called (C1).
    Fire(Trigger),
    /// An acknowledged fire burns on; every `heartbeat` (C12).
    Persists(TriggerId),
    /// No evidence for a whole window. Says nothing about the water: that is the pump's to decide.
    Ended(TriggerId),
    /// Supervisory: smoke is seen in this sector, or no more.
    Smoke { sector: SectorId, seen: bool },
    /// Supervisory: whether enough cameras see to confirm a fire at all.
    Quorum { sector: SectorId, possible: bool, seeing: usize, needed: usize },
    /// A camera sees, or why it does not.
    Sight { camera: CameraId, sight: Sight },
}

/// ```text
///        agreement                 acknowledged             no evidence for a window
///  Calm ----------> Announced ---------------------> Burning ----------------------> Calm
///                   (repeated)                         ^       (keeps the trigger       |
///                                                      |        for the cooldown)       |
///                                                      +---- agreement in the cooldown -+
/// ```
#[derive(Debug)]
enum Fire {
    /// `last`: the fire before, and when it was acknowledged.
    Calm {
        last: Option<(Trigger, Instant)>,
    },
    Announced {
        trigger: Trigger,
        repeat: Instant,
    },
    Burning {
        trigger: Trigger,
        acknowledged: Instant,
        heartbeat: Instant,
    },
}

#[derive(Debug)]
pub(super) struct Watch {
    id: SectorId,
    fire: Fire,
    doubt: Option<Miss>,
    quorum: bool,
    smoke: bool,
    note: Note,
}

/// What all sectors of one step share.
pub(super) struct Round<'a> {
    pub now: Instant,
    /// The cameras had time to show that they see.
    pub settled: bool,
    pub config: &'a Config,
    pub eyes: &'a [Eye],
    /// The number of the next fire.
    pub next: &'a mut u64,
    pub trace: &'a mut Trace,
    pub events: &'a mut Vec<Event>,
}

impl Watch {
    pub fn new(id: SectorId) -> Self {
        Self {
            id,
            fire: Fire::Calm { last: None },
            doubt: None,
            quorum: true,
            smoke: false,
            note: Note::default(),
        }
    }

    pub fn verdict(&self) -> Verdict<'_> {
        match (&self.fire, self.doubt) {
            (Fire::Announced { trigger, .. }, _) => Verdict::Confirmed { trigger, acknowledged: false },
            (Fire::Burning { trigger, .. }, _) => Verdict::Confirmed { trigger, acknowledged: true },
            (Fire::Calm { .. }, Some(miss)) => Verdict::Doubtful(miss),
            (Fire::Calm { .. }, None) => Verdict::Clear,
        }
    }

    /// Whether enough cameras see; true until told otherwise.
    pub fn quorum(&self) -> bool {
        self.quorum
    }

    /// Counts, decides and tells.
    pub fn step(&mut self, round: &mut Round) {
        let (now, rules) = (round.now, &round.config.rules);
        let Some(sector) = round.config.sectors.get(self.id.index()) else { return };
        let count = Tally::of(now, sector, round.config, round.eyes);
        self.supervise(&count, sector, round);
        let agreed = count.agreement(sector, rules);
        self.doubt = agreed.err().filter(|_| count.fire + count.smoke_only > 0);
        if let (Some(miss), Fire::Calm { .. }) = (self.doubt, &self.fire) {
            round.trace.miss(&mut self.note, Record::of_sector(now, self.id, What::Missed(miss)));
        }
        let fire = core::mem::replace(&mut self.fire, Fire::Calm { last: None });
        self.fire = match fire {
            Fire::Calm { last } => self.calm(last, agreed.ok(), sector, round),
            Fire::Announced { mut trigger, mut repeat } => {
                note_evidence(&mut trigger, now, &count);
                if now >= repeat {
                    round.events.push(Event::Fire(trigger.clone()));
                    repeat = now.after(REPEAT);
                }
                Fire::Announced { trigger, repeat }
            }
            Fire::Burning { mut trigger, acknowledged, mut heartbeat } => {
                note_evidence(&mut trigger, now, &count);
                if now.since(trigger.evidence) > rules.window {
                    self.decided(now, Decision::Ended(trigger.id), round.trace);
                    round.events.push(Event::Ended(trigger.id));
                    Fire::Calm { last: Some((trigger, acknowledged)) }
                } else {
                    if count.evidence && now >= heartbeat {
                        round.events.push(Event::Persists(trigger.id));
                        heartbeat = now.after(rules.heartbeat);
                    }
                    Fire::Burning { trigger, acknowledged, heartbeat }
                }
            }
        };
    }

    /// Whether this sector waited for it. The cooldown begins now and not before (C1).
    pub fn acknowledge(&mut self, now: Instant, id: TriggerId, rules: &Rules, trace: &mut Trace) -> bool {
        let fire = core::mem::replace(&mut self.fire, Fire::Calm { last: None });
        let (fire, taken) = match fire {
            Fire::Announced { trigger, .. } if trigger.id == id => {
                self.decided(now, Decision::Acknowledged(id), trace);
                let heartbeat = now.after(rules.heartbeat);
                (Fire::Burning { trigger, acknowledged: now, heartbeat }, true)
            }
            // Told twice is fine; the first time counts.
            Fire::Burning { trigger, acknowledged, heartbeat } => {
                let same = trigger.id == id;
                (Fire::Burning { trigger, acknowledged, heartbeat }, same)
            }
            Fire::Calm { last } => {
                let same = last.as_ref().is_some_and(|(trigger, _)| trigger.id == id);
                (Fire::Calm { last }, same)
            }
            Fire::Announced { .. } => (fire, false),
        };
        self.fire = fire;
        taken
    }

    /// Nothing burns as far as this sector knows. `votes`: half votes, if they are enough.
    fn calm(
        &self,
        last: Option<(Trigger, Instant)>,
        votes: Option<usize>,
        sector: &Sector,
        round: &mut Round,
    ) -> Fire {
        let (now, rules) = (round.now, &round.config.rules);
        let last = last.filter(|(_, acknowledged)| now.since(*acknowledged) < rules.cooldown);
        let Some(half_votes) = votes else { return Fire::Calm { last } };
        if let Some((mut trigger, acknowledged)) = last {
            // The same fire flares up: no second trigger (K11), but nobody need doubt that it burns.
            self.decided(now, Decision::Rekindled(trigger.id), round.trace);
            round.events.push(Event::Persists(trigger.id));
            trigger.evidence = now;
            return Fire::Burning { trigger, acknowledged, heartbeat: now.after(rules.heartbeat) };
        }
        let id = TriggerId(*round.next);
        *round.next = round.next.saturating_add(1);
        let trigger = self.trigger(id, sector, round);
        let needed = sector.needed;
        self.decided(now, Decision::Confirmed { trigger: id, half_votes, needed }, round.trace);
        round.events.push(Event::Fire(trigger.clone()));
        Fire::Announced { trigger, repeat: now.after(REPEAT) }
    }

    fn trigger(&self, id: TriggerId, sector: &Sector, round: &Round) -> Trigger {
        let (now, config) = (round.now, round.config);
        let timeout = config.rules.camera_timeout;
        let mut trigger = Trigger {
            id,
            sector: self.id,
            confirmed: now,
            evidence: now,
            cameras: Vec::new(),
            objects: Vec::new(),
            zones: Vec::new(),
        };
        for id in &sector.cameras {
            let (Some(eye), Some(camera)) = (round.eyes.get(id.index()), config.cameras.get(id.index()))
            else {
                continue;
            };
            if !eye.ballot().fire || eye.sight(now, timeout) != Sight::Sees {
                continue;
            }
            trigger.cameras.push(*id);
            trigger.objects.extend(eye.voting().into_iter().map(|object| (*id, object)));
            if config.rules.zone_activation {
                trigger.zones.extend(&camera.zones);
            }
        }
        trigger.zones.sort_unstable();
        trigger.zones.dedup();
        trigger
    }

    /// Coverage and smoke: supervisory, whatever burns.
    fn supervise(&mut self, count: &Tally, sector: &Sector, round: &mut Round) {
        let (seeing, needed) = (count.seeing, sector.needed);
        let possible = seeing >= needed || (!round.settled && self.quorum);
        if possible != self.quorum {
            self.quorum = possible;
            round.events.push(Event::Quorum { sector: self.id, possible, seeing, needed });
            let decision = if possible {
                Decision::QuorumBack { seeing, needed }
            } else {
                Decision::QuorumLost { seeing, needed }
            };
            self.decided(round.now, decision, round.trace);
        }
        let smoke = round.config.rules.smoke != Smoke::Ignore && count.smoke > 0;
        if smoke != self.smoke {
            self.smoke = smoke;
            round.events.push(Event::Smoke { sector: self.id, seen: smoke });
            let decision = if smoke { Decision::SmokeSeen } else { Decision::SmokeGone };
            self.decided(round.now, decision, round.trace);
        }
    }

    fn decided(&self, now: Instant, decision: Decision, trace: &mut Trace) {
        trace.decided(Record::of_sector(now, self.id, What::Decided(decision)));
    }
}

fn note_evidence(trigger: &mut Trigger, now: Instant, count: &Tally) {
    if count.evidence {
        trigger.evidence = now;
    }
}
