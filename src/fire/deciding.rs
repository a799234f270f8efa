//! The thread that owns the consensus: what cameras see goes in, fires and conditions come out.

mod telling;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, Sender, after, select};
use vigia_core::config::Config;
use vigia_core::consensus::outside::Refusal as Unheard;
use vigia_core::consensus::{Event, Sight, Trigger};
use vigia_core::control::{Code, Refusal};
use vigia_core::event::Utc;
use vigia_core::pump::Kind;
use vigia_core::time::Instant;

use super::cameras::Table;
use super::courier::Job;
use super::feed::Food;
use super::panel::{Condition, Panel};
use super::spool::{Change, Open};
use super::start::keep;
use super::told::{self, Counts};
use super::topics::Topics;
use super::{Glance, News, Task, Told, why};
use crate::clock;
use crate::liveness::Pulse;
use crate::mqtt::{Incoming, Link, Worker};

/// Reports and messages taken between two steps.
const BATCH_MAX: usize = 256;
/// The pump's link hears of the cameras at least this often.
const ALIVE_EVERY: Duration = Duration::from_millis(500);
/// Without a consensus there is nothing to look at more often.
const IDLE: Duration = Duration::from_secs(1);
/// A loss is forgotten this long after the last one.
const LOSS_SHOWN: Duration = Duration::from_secs(60);

pub struct Tools {
    pub config: Config,
    pub boot: String,
    pub host: String,
    pub topics: Topics,
    pub worker: Worker,
    pub food: Food,
    pub tasks: Receiver<Task>,
    pub jobs: Sender<Job>,
    pub news: Option<Sender<News>>,
    pub asked: Sender<Incoming>,
    pub told: Sender<Told>,
    pub glance: Arc<ArcSwap<Glance>>,
    /// When a fire was last seen.
    pub seen: Arc<AtomicU64>,
    pub pulse: Pulse,
}

pub struct Deciding {
    tools: Tools,
    table: Option<Table>,
    panel: Panel,
    counts: Counts,
    /// Fires that burn, with their sectors.
    burning: BTreeMap<u64, String>,
    events: Vec<Event>,
    health_due: Instant,
    alive_due: Instant,
    /// What was lost so far, and when that was seen, as long as it is shown.
    lost: u64,
    lost_at: Option<Instant>,
    unasked: u64,
    /// The model at work has a class fire.
    knows_fire: bool,
    /// Cameras that never saw were told of.
    settled: bool,
}

impl Deciding {
    pub fn new(tools: Tools, table: Option<Table>) -> Self {
        let now = clock::now();
        let mut deciding = Self {
            tools,
            table,
            panel: Panel::default(),
            counts: Counts::default(),
            burning: BTreeMap::new(),
            events: Vec::new(),
            health_due: now,
            alive_due: now,
            lost: 0,
            lost_at: None,
            unasked: 0,
            knows_fire: true,
            settled: false,
        };
        deciding.panel.forget();
        deciding.tell_table();
        deciding
    }

    pub fn work(mut self) {
        let (links, incoming) = (self.tools.worker.events().clone(), self.tools.worker.incoming().clone());
        let (tasks, reports) = (self.tools.tasks.clone(), self.tools.food.reports.clone());
        let mut open = true;
        while open {
            self.tools.pulse.beat(clock::now());
            let wait = after(self.due().since(clock::now()));
            select! {
                recv(tasks) -> task => open = task.is_ok_and(|task| self.task(task)),
                recv(reports) -> report => if let Ok(report) = report {
                    self.report(&report);
                },
                recv(incoming) -> message => if let Ok(message) = message { self.hear(message) },
                recv(links) -> link => if let Ok(Link::Connected { .. }) = link { self.connected() },
                recv(wait) -> _ => {}
            }
            for _ in 0..BATCH_MAX {
                if let Ok(report) = reports.try_recv() {
                    self.report(&report);
                } else if let Ok(message) = incoming.try_recv() {
                    self.hear(message);
                } else {
                    break;
                }
            }
            self.step();
            self.tools.pulse.worked();
        }
        self.farewell();
    }

    fn due(&self) -> Instant {
        let now = clock::now();
        let step = self.table.as_ref().map_or(now.after(IDLE), |table| table.consensus.deadline());
        step.min(self.health_due)
    }

    fn report(&mut self, report: &super::feed::Report) {
        let Some(table) = &mut self.table else { return };
        table.take(clock::now(), report);
        if std::mem::replace(&mut self.knows_fire, report.knows_fire) != report.knows_fire {
            let text = "the model knows no class fire: no camera of this box can vote";
            let text = (!report.knows_fire).then(|| text.to_owned());
            self.set(Condition::new(Kind::Trouble, "model_without_fire", "detector"), text);
        }
    }

    /// False: the end.
    fn task(&mut self, task: Task) -> bool {
        match task {
            Task::Close => return false,
            Task::Streams(streams) => {
                if let Some(table) = &mut self.table {
                    table.follow(&self.tools.config, &streams);
                    self.tell_table();
                }
            }
            Task::Why { number, query } => {
                let result = match &self.table {
                    Some(table) => why::answer(&table.consensus, &query),
                    None => Err(Refusal::new(Code::Unavailable, "this box watches for no fire")),
                };
                let _ = self.tools.told.send(Told::Answer { number, result });
            }
            Task::Condition(condition, Some(text)) => self.raise(condition, text),
            Task::Condition(condition, None) => self.clear(&condition),
            Task::PumpPanel(shown) => self.panel.replace(clock::utc(), "pump", shown),
            Task::Taken(fire) => self.taken(fire),
        }
        true
    }

    fn taken(&mut self, fire: u64) {
        if let Some(table) = &mut self.table {
            table.consensus.acknowledge(clock::now(), vigia_core::consensus::TriggerId(fire));
        }
        keep(&self.tools.jobs, Change::Taken(fire));
    }

    fn hear(&mut self, message: Incoming) {
        let topics = &self.tools.topics;
        if *message.topic == *topics.trigger || *message.topic == *topics.emergency {
            if self.tools.asked.try_send(message).is_err() {
                self.unasked += 1;
            }
            return;
        }
        let Some(table) = &mut self.table else { return };
        let Some(form) = self.tools.topics.form(&message.topic) else { return };
        let Err(refusal) = table.consensus.hear(clock::now(), form, &message.payload, message.retained)
        else {
            self.counts.taken += 1;
            return;
        };
        // What Frigate says of people and cars is nobody's fault.
        if let Unheard::OtherLabel { .. } = refusal {
            return;
        }
        self.counts.refused += 1;
        if self.counts.refused.is_power_of_two() {
            let (topic, count) = (&message.topic, self.counts.refused);
            tracing::warn!(component = "fire", event = "detection_refused", topic, count, %refusal, "not taken");
        }
    }

    /// Draws the conclusions, and tells them.
    fn step(&mut self) {
        let (now, utc) = (clock::now(), clock::utc());
        let mut events = std::mem::take(&mut self.events);
        if let Some(table) = &mut self.table {
            table.consensus.step(now, &mut events);
        }
        for event in events.drain(..) {
            self.happened(event, now, utc);
        }
        self.events = events;
        if self.table.as_mut().is_some_and(|table| table.change_over(now)) {
            tracing::info!(component = "fire", event = "cameras_changed", "the cameras that vote changed");
            for name in ["camera_blind", "quorum_impossible", "smoke"] {
                self.panel.clear_named(name);
            }
            self.settled = false;
            self.tell_table();
        }
        self.settle(now);
        self.losses(now);
        self.alive(now);
        self.publish(now, utc);
    }

    fn happened(&mut self, event: Event, now: Instant, utc: Utc) {
        let Some(table) = &self.table else { return };
        let config = table.consensus.config();
        match event {
            Event::Fire(trigger) => self.fire(&trigger, now, utc),
            Event::Persists(id) => {
                self.tools.seen.fetch_max(now.0, Ordering::AcqRel);
                self.news(News::Fire { id: id.0, evidence: now });
            }
            Event::Ended(id) => {
                self.news(News::Over(id.0));
                if let Some(sector) = self.burning.remove(&id.0) {
                    tracing::info!(
                        component = "fire",
                        event = "fire_ended",
                        fire = id.0,
                        sector,
                        "no camera sees it any more"
                    );
                    self.panel.clear(&Condition::new(Kind::Alarm, "fire", sector));
                }
            }
            Event::Smoke { sector, seen } => {
                let name = config.sector_name(sector).to_owned();
                let text = seen.then(|| format!("smoke is seen in sector {name}"));
                self.set(Condition::new(Kind::Supervisory, "smoke", name), text);
            }
            Event::Quorum { sector, possible, seeing, needed } => {
                let name = config.sector_name(sector).to_owned();
                let text = (!possible).then(|| {
                    format!("sector {name} can't confirm a fire: {seeing} cameras see, {needed} must agree")
                });
                self.set(Condition::new(Kind::Supervisory, "quorum_impossible", name), text);
            }
            Event::Sight { camera, sight } => {
                let name = config.camera_name(camera).to_owned();
                let text = (sight != Sight::Sees).then(|| format!("camera {name} {}", sight.words()));
                self.set(Condition::new(Kind::Trouble, "camera_blind", name), text);
            }
        }
    }

    /// Said again and again until somebody takes it over.
    fn fire(&mut self, trigger: &Trigger, now: Instant, utc: Utc) {
        self.tools.seen.fetch_max(trigger.evidence.0, Ordering::AcqRel);
        self.news(News::Fire { id: trigger.id.0, evidence: trigger.evidence });
        let Some(table) = &self.table else { return };
        let sector = table.consensus.config().sector_name(trigger.sector).to_owned();
        if self.burning.insert(trigger.id.0, sector.clone()).is_some() {
            return;
        }
        let payload = told::trigger(&table.consensus, trigger, &self.tools.host, now, utc);
        self.counts.fires += 1;
        self.counts.last_fire = Some(now);
        tracing::error!(component = "fire", event = "fire_confirmed", fire = trigger.id.0, sector, %payload, "FIRE");
        let open = Open { id: trigger.id.0, boot: self.tools.boot.clone(), evidence: trigger.evidence };
        keep(&self.tools.jobs, Change::Fire(open));
        let (topic, payload) = (self.tools.topics.trigger.to_string(), payload.to_string().into_bytes());
        keep(&self.tools.jobs, Change::Letter { topic, payload, fire: Some(trigger.id.0) });
        let text = format!("fire {} in sector {sector}", trigger.id.0);
        self.raise(Condition::new(Kind::Alarm, "fire", sector), text);
    }

    /// Cameras that never saw anything: nobody told of them, because nothing changed.
    fn settle(&mut self, now: Instant) {
        let Some(table) = &self.table else { return };
        if self.settled || !table.is_settled(now) {
            return;
        }
        self.settled = true;
        let config = table.consensus.config();
        let blind = config.camera_ids().map(|id| (config.camera_name(id), table.consensus.sight(id)));
        let blind: Vec<_> = blind
            .filter(|(_, sight)| *sight != Sight::Sees)
            .map(|(name, sight)| (name.to_owned(), format!("camera {name} {}", sight.words())))
            .collect();
        for (name, text) in blind {
            self.raise(Condition::new(Kind::Trouble, "camera_blind", name), text);
        }
    }

    fn losses(&mut self, now: Instant) {
        let lost = self.tools.food.lost() + self.tools.worker.stats().incoming_dropped + self.unasked;
        let condition = || Condition::new(Kind::Trouble, "input_lost", "consensus");
        if lost != self.lost {
            self.lost = lost;
            self.counts.lost = lost;
            self.lost_at = Some(now);
            let text = format!("{lost} reports and messages came faster than they were taken");
            self.raise(condition(), text);
        } else if self.lost_at.is_some_and(|at| now.since(at) > LOSS_SHOWN) {
            self.lost_at = None;
            self.clear(&condition());
        }
    }

    fn alive(&mut self, now: Instant) {
        if now < self.alive_due {
            return;
        }
        self.alive_due = now.after(ALIVE_EVERY);
        if let Some(table) = &self.table {
            self.news(News::Alive(table.alive(now)));
        }
    }

    /// What the table of cameras lacks.
    fn tell_table(&mut self) {
        let Some(table) = &self.table else { return };
        let outdated = table.outdated.clone();
        let text = outdated.map(|why| format!("the cameras that vote are not the present streams: {why}"));
        let uncounted = table.uncounted.clone();
        self.set(Condition::new(Kind::Trouble, "cameras_outdated", "consensus"), text);
        self.panel.clear_named("stream_uncounted");
        for id in uncounted {
            let text = format!("stream {id} is no camera of fire.cameras: what it sees does not count");
            self.raise(Condition::new(Kind::Supervisory, "stream_uncounted", id.to_string()), text);
        }
    }

    fn set(&mut self, condition: Condition, text: Option<String>) {
        match text {
            Some(text) => self.raise(condition, text),
            None => self.clear(&condition),
        }
    }

    fn raise(&mut self, condition: Condition, text: String) {
        let (name, subject, kind) = (condition.name.clone(), condition.subject.clone(), condition.kind);
        if self.panel.raise(clock::utc(), condition, text.clone()) {
            tracing::warn!(component = "fire", event = "condition_raised", ?kind, name, subject, "{text}");
        }
    }

    fn clear(&mut self, condition: &Condition) {
        if self.panel.clear(condition) {
            let (name, subject) = (&condition.name, &condition.subject);
            tracing::info!(component = "fire", event = "condition_restored", name, subject, "restored");
        }
    }

    fn news(&self, news: News) {
        if let Some(pump) = &self.tools.news {
            let _ = pump.send(news);
        }
    }
}
