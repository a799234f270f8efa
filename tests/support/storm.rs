//! The storm: commands out of a seed, right and wrong, in disorder, twice, too late, from several clients
//! at once, while the broker is restarted and the process is killed; beside it a reference that says
//! what must be so. Used by a test, which is short, and by the bench, which is not.

#[path = "storm/books.rs"]
mod books;
#[path = "storm/judge.rs"]
mod judge;
#[path = "storm/maker.rs"]
mod maker;
#[path = "storm/model.rs"]
mod model;
#[path = "storm/order.rs"]
mod order;
#[path = "storm/process.rs"]
mod process;
#[path = "storm/wire.rs"]
mod wire;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::Path;
use std::time::Duration;

use fastrand::Rng;
use serde_json::{Value, json};
use vigia::clock;

use crate::broker::Broker;
use books::{Books, Due, Fact};
use judge::Judge;
use maker::{Kind, Maker, Request};
use model::Unclear;
use order::Order;
use process::Vigia;
use wire::{Ear, Gone, Heard, Mouth};

const ID: &str = "storm";
const COMMANDS: &str = "nvr/control/commands";
const STATUS: &str = "nvr/control/status/storm";
const HISTORY: &str = "nvr/control/status/storm/history";
const DETECTIONS: &str = "nvr/detections/";
const CLIENTS: usize = 4;
/// Messages that wait to be sent; which of them goes next is drawn.
const DISORDER: usize = 8;
/// Longer than a start, a reconnection or the end of a pause takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Enough of the audit to find in it all that was open when something broke.
const AUDIT_LEN: u32 = 300;
const TRAIL_CHARS: usize = 400;
/// How long rates are watched at the end.
const WATCH: Duration = Duration::from_millis(1_500);

/// What kind of weather.
#[derive(Debug, Clone)]
pub struct Plan<'p> {
    pub models: &'p Path,
    pub seed: u64,
    pub commands: usize,
    pub broker_restarts: usize,
    pub kills: usize,
    /// Requests in flight.
    pub window: usize,
    /// One in so many long commands waits until none is in hand; the others are refused, or lucky.
    pub patient: u32,
    /// After so many commands all is quiet for a moment, and state and reference are compared.
    pub calm_every: usize,
    /// Level of the program's log.
    pub log: &'static str,
    /// How many of the last messages are shown when something is wrong.
    pub trail: usize,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    pub figures: Value,
    /// What was not as the reference says, with the last messages and the end of the log. The storm
    /// ends there: after it nothing can be said.
    pub mismatch: Option<String>,
}

type Outcome = Result<(), String>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blow {
    Broker,
    Process,
    /// The process is started when the broker is back.
    Both,
}

/// Lets it rage. `None`, said aloud, without mosquitto.
pub fn rage(plan: &Plan<'_>) -> Option<Report> {
    // Nagle's algorithm in the broker would hold small messages back.
    let broker = Broker::start("set_tcp_nodelay true")?;
    let since = clock::now();
    let mut storm = Storm::new(plan, broker);
    let mismatch = storm.run().err().map(|why| storm.describe(&why));
    let seconds = clock::now().since(since).as_secs_f64();
    Some(Report { figures: storm.figures(seconds, mismatch.is_some()), mismatch })
}

struct Storm<'p> {
    plan: &'p Plan<'p>,
    rng: Rng,
    maker: Maker,
    backlog: Vec<Request>,
    broker: Broker,
    vigia: Vigia,
    ear: Ear,
    mouths: Vec<Mouth>,
    books: Books,
    judge: Judge,
    /// Answers since something broke, to be put in order.
    held: Option<Vec<Fact>>,
    /// States heard: all, those of a first connection, those of the will.
    states: u64,
    births: u64,
    deaths: u64,
    pong: Option<Value>,
    history: Option<Value>,
    /// Histories told beyond those that were answered for.
    histories: u32,
    /// Detections of each room since it was asked.
    counts: BTreeMap<u32, u32>,
    trail: VecDeque<String>,
    sent: u64,
    restarts: u32,
    comparisons: u32,
}

impl<'p> Storm<'p> {
    fn new(plan: &'p Plan<'p>, broker: Broker) -> Self {
        let (ear, mouths) = connected(broker.port);
        let mut vigia = Vigia::prepare(plan.models, ID, broker.port, plan.log);
        vigia.start();
        let mut maker = Maker::new(plan.seed, ID);
        Self {
            plan,
            rng: Rng::with_seed(plan.seed),
            backlog: (0..DISORDER).map(|_| maker.next()).collect(),
            maker,
            broker,
            vigia,
            ear,
            mouths,
            books: Books::default(),
            judge: Judge::new(),
            held: None,
            states: 0,
            births: 0,
            deaths: 0,
            pong: None,
            history: None,
            histories: 0,
            counts: BTreeMap::new(),
            trail: VecDeque::new(),
            sent: 0,
            restarts: 0,
            comparisons: 0,
        }
    }

    fn run(&mut self) -> Outcome {
        self.until("the first connection", |storm| storm.births > 0)?;
        self.compare()?;
        let mut blows = self.blows();
        for n in 0..self.plan.commands {
            while let Some((_, blow)) = blows.pop_if(|(at, _)| *at <= n) {
                self.strike(blow)?;
                // Some strike twice.
                if blows.last().is_none_or(|(at, _)| *at > n) {
                    self.settle()?;
                    self.compare()?;
                    self.probe()?;
                }
            }
            if n % self.plan.calm_every == self.plan.calm_every - 1 {
                self.settle()?;
                self.compare()?;
            }
            while self.books.errands.len() >= self.plan.window {
                self.listen(LOOK_EVERY)?;
                self.check_patience()?;
            }
            self.drain()?;
            let at = self.draw();
            let is_long = matches!(&self.backlog[at].kind, Kind::Order(order) if order.is_long());
            if is_long && self.rng.u32(0..self.plan.patient) == 0 {
                self.until("its turn", |storm| !storm.books.open_orders().any(Order::is_long))?;
            }
            self.next(at);
        }
        self.settle()?;
        self.compare()?;
        self.probe()?;
        self.watch()?;
        self.vigia.alarm().map_or(Ok(()), |line| Err(format!("the log says: {line}")))
    }

    /// When what breaks, the last first. One in four comes right after the one before.
    fn blows(&mut self) -> Vec<(usize, Blow)> {
        let kinds = std::iter::repeat_n(Blow::Broker, self.plan.broker_restarts)
            .chain(std::iter::repeat_n(Blow::Process, self.plan.kills));
        let mut kinds: Vec<_> = kinds.collect();
        self.rng.shuffle(&mut kinds);
        let each = self.plan.commands / (kinds.len() + 1);
        let mut at = 0;
        let mut blows = Vec::new();
        while let Some(kind) = kinds.pop() {
            let other = kinds.last().copied().filter(|other| *other != kind);
            if other.is_some() && self.rng.u32(0..4) == 0 {
                kinds.pop();
                at += each;
                blows.push((at + self.rng.usize(0..each.max(1)), Blow::Both));
            } else {
                let at_once = at > 0 && self.rng.u32(0..4) == 0;
                let place = match blows.last() {
                    Some((place, _)) if at_once => *place,
                    _ => at + self.rng.usize(0..each.max(1)),
                };
                blows.push((place, kind));
            }
            at += each;
        }
        blows.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        blows
    }

    /// Which message of the backlog goes next.
    fn draw(&mut self) -> usize {
        self.rng.usize(0..self.backlog.len())
    }

    /// Sends one more message: this one of the backlog, or an earlier one again.
    fn next(&mut self, at: usize) {
        let drawn = self.rng.u32(0..100);
        if drawn < 15
            && let Some((id, payload)) = self.books.earlier(|len| self.rng.usize(0..len))
        {
            if drawn >= 10 && self.books.is_kept(&id) {
                let other = maker::reused(&id);
                self.books.expect(&id, Due::Reused, other.clone(), false);
                return self.say(&other, false);
            }
            self.books.expect(&id, Due::Again, payload.clone(), false);
            return self.say(&payload, false);
        }
        let request = std::mem::replace(&mut self.backlog[at], self.maker.next());
        self.send(&request);
    }

    fn send(&mut self, request: &Request) {
        self.books.enter(request);
        self.say(&request.payload, request.retain);
        let has_twin = matches!(request.kind, Kind::Order(_) | Kind::Wrong(_)) && self.rng.u32(0..25) == 0;
        if has_twin {
            self.books.sent_twice(&request.id);
            self.say(&request.payload, false);
        }
    }

    fn say(&mut self, payload: &[u8], retain: bool) {
        self.sent += 1;
        self.note(">", COMMANDS, payload);
        let mouth = self.rng.usize(0..self.mouths.len());
        // A broker that dies under it is noticed by the ear; what got no answer is sent again.
        let _gone = self.mouths[mouth].say(COMMANDS, payload, retain);
    }

    /// Sends an order alone and waits for its answer.
    fn ask(&mut self, order: Order) -> Outcome {
        let request = self.maker.of(order);
        self.send(&request);
        self.until("the answer", |storm| storm.books.errands.is_empty())
    }

    fn note(&mut self, sign: &str, topic: &str, payload: &[u8]) {
        if self.trail.len() >= self.plan.trail {
            self.trail.pop_front();
        }
        let head = &payload[..payload.len().min(TRAIL_CHARS)];
        self.trail.push_back(format!("{sign} {topic} {}", String::from_utf8_lossy(head)));
    }

    /// Hears one message, if one comes within the limit. Whether one came.
    fn listen(&mut self, limit: Duration) -> Result<bool, String> {
        match self.ear.next(limit) {
            Ok(Some(heard)) => self.hear(&heard).map(|()| true),
            Ok(None) => Ok(false),
            Err(Gone) => Err("the broker hung up".to_owned()),
        }
    }

    /// What has come so far.
    fn drain(&mut self) -> Outcome {
        while self.listen(Duration::ZERO)? {}
        Ok(())
    }

    fn until(&mut self, what: &str, ready: impl Fn(&Self) -> bool) -> Outcome {
        let until = clock::now().after(PATIENCE);
        while !ready(self) {
            self.listen(LOOK_EVERY)?;
            self.check_patience()?;
            if clock::now() >= until {
                return Err(format!("waited {PATIENCE:?} in vain for: {what}"));
            }
        }
        Ok(())
    }

    fn check_patience(&mut self) -> Outcome {
        if !self.vigia.is_running() {
            return Err("the process ended by itself".to_owned());
        }
        self.books.overdue().map_or(Ok(()), Err)
    }

    fn hear(&mut self, heard: &Heard) -> Outcome {
        if heard.topic.starts_with(DETECTIONS) {
            let event: Value = serde_json::from_slice(&heard.payload).map_err(|e| e.to_string())?;
            let room = event["source_id"].as_u64().and_then(|id| u32::try_from(id).ok()).unwrap_or(u32::MAX);
            *self.counts.entry(room).or_default() += 1;
            return self.judge.detection(&event, self.held.is_none());
        }
        self.note("<", &heard.topic, &heard.payload);
        if heard.topic.ends_with("/ack") {
            let text = String::from_utf8_lossy(&heard.payload);
            return self.answer(&text).map_err(|why| format!("{why}: {text}"));
        }
        let Ok(told) = serde_json::from_slice::<Value>(&heard.payload) else {
            return Err(format!("{} is no JSON", heard.topic));
        };
        if heard.topic == HISTORY {
            self.history = Some(told);
            self.histories += 1;
        } else if heard.topic == STATUS {
            self.states += 1;
            self.births += u64::from(told["status"] == "connected");
            self.deaths += u64::from(told["reason"] == "lwt");
            self.pong = Some(told).filter(|told| told["pong"] == true).or(self.pong.take());
        }
        Ok(())
    }

    fn answer(&mut self, text: &str) -> Outcome {
        let Some(fact) = self.books.hear(text)? else { return Ok(()) };
        if self.held.is_none() && matches!(fact.order, Order::Query("history", _)) && fact.code.is_none() {
            self.histories =
                self.histories.checked_sub(1).ok_or("it is answered, and no history was told")?;
        }
        match &mut self.held {
            Some(held) => held.push(fact),
            None => self.judge.fact(&fact, self.books.open_orders())?,
        }
        Ok(())
    }

    /// Something breaks, and is mended. Commands go on blindly meanwhile.
    fn strike(&mut self, blow: Blow) -> Outcome {
        self.drain()?;
        let deaths = self.deaths;
        self.note("!", &format!("{blow:?}"), b"");
        if blow != Blow::Process {
            self.broker.kill();
            self.restarts += 1;
        }
        if blow != Blow::Broker {
            self.vigia.kill();
        }
        // What was said before is heard in its order; from here on it is not.
        if blow == Blow::Process {
            self.heard_to_the_end(|storm| storm.deaths > deaths)?;
        } else {
            while let Ok(Some(heard)) = self.ear.next(PATIENCE) {
                self.hear(&heard)?;
            }
            self.books.may_echo();
        }
        // What the old connection still brought is no sign of the new one.
        let (states, births) = (self.states, self.births);
        if self.held.is_none() {
            self.judge.nothing_odd(self.books.open_orders())?;
        }
        self.judge.forget_frames();
        self.held.get_or_insert_default();
        if blow != Blow::Process {
            self.broker.launch();
            (self.ear, self.mouths) = connected(self.broker.port);
        }
        if blow != Blow::Broker {
            self.books.lives += 1;
            self.vigia.start();
        }
        for _ in 0..self.rng.usize(0..6) {
            let at = self.draw();
            self.next(at);
            self.listen(LOOK_EVERY)?;
        }
        match blow {
            Blow::Broker => self.until("the link", |storm| storm.states > states)?,
            Blow::Process | Blow::Both => self.until("the new process", |storm| storm.births > births)?,
        }
        self.books.repeat();
        let open: Vec<_> = self.books.errands.iter().map(|e| (e.payload.clone(), e.retain)).collect();
        open.iter().for_each(|(payload, retain)| self.say(payload, *retain));
        Ok(())
    }

    /// The will comes after all that the process said.
    fn heard_to_the_end(&mut self, is_end: impl Fn(&Self) -> bool) -> Outcome {
        let until = clock::now().after(PATIENCE);
        while !is_end(self) {
            self.listen(LOOK_EVERY)?;
            if clock::now() >= until {
                return Err("the broker never said that the process is gone".to_owned());
            }
        }
        Ok(())
    }

    /// All is answered; what was heard in disorder is put in the order of its effects, which is that of
    /// the audit.
    fn settle(&mut self) -> Outcome {
        self.until("all answers", |storm| storm.books.errands.is_empty())?;
        if self.held.is_none() {
            return Ok(());
        }
        self.history = None;
        self.ask(Order::Query("history", json!({ "limit": AUDIT_LEN })))?;
        let (history, mut held) =
            (self.history.take().unwrap_or_default(), self.held.take().unwrap_or_default());
        let newest_first = history["entries"].as_array().into_iter().flatten();
        let first_answers = newest_first.filter(|entry| entry["code"] != "request_id_reused");
        let places: HashMap<_, _> =
            first_answers.enumerate().filter_map(|(at, e)| Some((e["request_id"].as_str()?, at))).collect();
        let lost = |fact: &&Fact| !fact.order.is_query() && !places.contains_key(fact.id.as_str());
        if let Some(fact) = held.iter().find(lost) {
            return Err(format!("the audit does not have {fact:?}"));
        }
        held.sort_by_key(|fact| {
            std::cmp::Reverse(places.get(fact.id.as_str()).copied().unwrap_or(usize::MAX))
        });
        self.histories = 0;
        self.judge.forget_frames();
        // Who kept whom busy can't be told any more.
        let somebody = Order::Restart;
        for fact in held {
            let judged = self.judge.fact(&fact, std::iter::once(&somebody));
            judged.map_err(|why| format!("{why}: {fact:?}"))?;
        }
        Ok(())
    }

    /// Nobody asks for anything: what the box says of itself is what the reference says.
    fn compare(&mut self) -> Outcome {
        let until = clock::now().after(PATIENCE);
        self.comparisons += 1;
        loop {
            self.pong = None;
            self.ask(Order::Query("ping", json!({})))?;
            let pong = self.pong.take().ok_or("a ping was answered, and no pong came")?;
            let starts = pong["status"] == "starting" || pong["engine"].is_null();
            match self.judge.pong(&pong) {
                Ok(Ok(())) if !starts => break,
                Ok(Ok(()) | Err(Unclear)) => {}
                Err(_) if starts => {}
                Err(why) => return Err(format!("{why}: {pong}")),
            }
            if clock::now() >= until {
                return Err(format!("it does not come to rest: {pong}"));
            }
            self.rest(LOOK_EVERY * 5)?;
        }
        self.judge.nothing_odd(std::iter::empty())
    }

    /// Hears what comes for a while.
    fn rest(&mut self, span: Duration) -> Outcome {
        let until = clock::now().after(span);
        while clock::now() < until {
            self.listen(until.since(clock::now()))?;
        }
        Ok(())
    }

    /// What no status shows: each room's settings are as the reference has them if setting them changes
    /// nothing.
    fn probe(&mut self) -> Outcome {
        let state = self.judge.state().clone();
        self.ask(Order::Tracking(state.followed))?;
        for (id, room) in state.rooms {
            self.ask(Order::Fps { fps: room.fps, room: Some(id) })?;
            self.ask(Order::Confidence { share: room.share, room: Some(id) })?;
        }
        Ok(())
    }

    /// At the end all rooms speak again, none faster than it may.
    fn watch(&mut self) -> Outcome {
        self.ask(Order::Resume { rooms: Vec::new() })?;
        self.counts.clear();
        let rooms = self.judge.state().rooms.clone();
        self.until("a detection of each room", |storm| rooms.keys().all(|id| storm.counts.contains_key(id)))?;
        self.counts.clear();
        self.rest(WATCH)?;
        for (id, room) in &rooms {
            let count = self.counts.get(id).copied().unwrap_or(0);
            // What waited while the listener was busy comes at once.
            if f64::from(count) > room.fps * WATCH.as_secs_f64() * 1.25 + 3.0 {
                return Err(format!(
                    "room {id} gave {count} detections in {WATCH:?} at {} a second",
                    room.fps
                ));
            }
        }
        self.judge.nothing_odd(std::iter::empty())
    }

    fn describe(&self, why: &str) -> String {
        let trail: Vec<_> = self.trail.iter().map(String::as_str).collect();
        format!(
            "{why}\n--- seed {} after {} messages; the last of them (> sent, < heard) ---\n{}\n--- reference ---\n{:?}\n\
             --- log ---\n{}",
            self.plan.seed,
            self.sent,
            trail.join("\n"),
            self.judge.state(),
            self.vigia.log_end()
        )
    }

    fn figures(&mut self, seconds: f64, failed: bool) -> Value {
        let latencies = &mut self.books.latencies_ms;
        latencies.sort_unstable_by(f64::total_cmp);
        let at = |per_cent: usize| latencies.get(latencies.len().saturating_sub(1) * per_cent / 100).copied();
        json!({
            "seed": self.plan.seed, "messages_sent": self.sent, "final_answers": self.books.finals,
            "answer_ms": { "p50": at(50), "p99": at(99), "max": at(100) }, "slowest": self.books.slowest.1,
            "comparisons": self.comparisons, "mismatches": u32::from(failed),
            "broker_restarts": self.restarts, "kills": self.books.lives, "seconds": seconds,
        })
    }
}

/// An ear and some mouths.
fn connected(port: u16) -> (Ear, Vec<Mouth>) {
    let ear = Ear::open(port, &["nvr/detections/#", "nvr/control/status/#"]).expect("the broker answers");
    let mouth = |n| Mouth::open(port, &format!("client-{n}")).expect("the broker answers");
    (ear, (0..CLIENTS).map(mouth).collect())
}
