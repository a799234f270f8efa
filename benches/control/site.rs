//! A box under command: the real program, a real broker, a sender, and a record of all that is said.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use vigia::clock;

use super::packets;
use super::record::{Arrival, COMMANDS, Record, gaps, ms};
use super::spread::Spread;
use crate::Instance;
use crate::broker::{Broker, connect};

/// Frames per second of each camera.
pub const FPS: u32 = 30;
const ID: &str = "bench";
/// On a machine that others use as well, an engine may take a minute to open.
const PATIENCE: Duration = Duration::from_secs(300);

pub struct Site {
    pub vigia: Instance,
    pub record: Record,
    sender: TcpStream,
    requests: u32,
    pub broker: Broker,
    _journal: TempDir,
}

/// A final answer, and where it lies in the record.
pub struct Answer {
    pub place: usize,
    pub ack: Value,
    /// From the sending of the command.
    pub took_ms: f64,
}

impl Answer {
    pub fn is_completed(&self) -> bool {
        self.ack["ack_status"] == "completed"
    }

    /// Panics with the whole answer if it is a refusal: a step that meets one measures nothing.
    pub fn completed(self) -> Self {
        assert!(self.is_completed(), "{:#}", self.ack);
        self
    }
}

/// The address of a camera that costs next to nothing, so that the engine gets the cores.
pub fn picture() -> String {
    format!("test://pattern?width=160&height=120&fps={FPS}")
}

/// What is so while nobody commands anything.
pub struct Steady {
    /// Milliseconds between the detections of a stream, all streams together.
    pub gaps: Vec<f64>,
    /// How busy the box is, for who reads the figures.
    pub load: Value,
}

impl Site {
    /// A box that watches `rooms` and keeps a journal as one in the field does; `detector` is YAML
    /// for that section. `None`, said aloud, without mosquitto.
    pub fn start(models: &Path, rooms: &[u32], detector: &str) -> Option<Self> {
        // Nagle's algorithm in the broker would hold messages back for up to 40 ms, and it is vigia
        // that is measured.
        let broker = Broker::start("set_tcp_nodelay true")?;
        let journal = tempfile::tempdir().expect("a folder");
        let mut site = format!(
            "instance_id: {ID}\nmqtt: {{ host: 127.0.0.1, port: {} }}\nmetrics: {{ interval_s: 0 }}\n\
             control: {{ enabled: true, journal: {} }}\ndetector: {{ {detector} }}\n\
             stream_defaults: {{ max_fps: {FPS} }}\nstreams:\n",
            broker.port,
            journal.path().join("journal.db").display()
        );
        for room in rooms {
            site.push_str(&format!("  - {{ source_id: {room}, uri: \"{}\" }}\n", picture()));
        }
        let record = Record::start(broker.port, "record", "nvr/#");
        let sender = connect(broker.port, "technician").expect("the broker answers");
        sender.set_nodelay(true).expect("a socket");
        let vigia = Instance::start(models, &site);
        let mut site = Self { vigia, record, sender, requests: 0, broker, _journal: journal };
        for room in rooms {
            site.await_detection(*room);
        }
        site.record.rest(Duration::from_secs(1));
        Some(site)
    }

    fn await_detection(&mut self, room: u32) {
        let is_there = |arrival: &Arrival| (arrival.room() == Some(room)).then_some(());
        assert!(self.record.wait(PATIENCE, is_there).is_some(), "no detection of room {room}");
    }

    /// Publishes packets as they are.
    pub fn push(&mut self, packets: &[u8]) {
        self.sender.write_all(packets).expect("the broker takes it");
    }

    /// Sends a command and waits for its final answer. Panics with the log if there is none: then
    /// there is no figure either.
    pub fn ask(&mut self, name: &str, params: &Value) -> Answer {
        let answer = self.try_ask(name, params, PATIENCE);
        answer.unwrap_or_else(|| panic!("{}\nno answer to {name}, {params}", self.vigia.log()))
    }

    pub fn try_ask(&mut self, name: &str, params: &Value, patience: Duration) -> Option<Answer> {
        self.requests += 1;
        let id = format!("b-{}", self.requests);
        let command = json!({ "command": name, "params": params, "request_id": id }).to_string();
        let packet = packets::publish(COMMANDS, command.as_bytes());
        let sent = clock::now();
        self.push(&packet);
        let (place, ack) = self.record.wait(patience, |arrival| arrival.answer(&id))?;
        let took_ms = ms(self.record.arrivals[place].at.since(sent));
        Some(Answer { place, ack, took_ms })
    }

    /// The place in the record where the command of this answer passed the broker: what lies before
    /// it came to the broker before it.
    pub fn place_of_command(&self, answer: &Answer) -> usize {
        let before = &self.record.arrivals[..answer.place];
        before.iter().rposition(|arrival| arrival.topic == COMMANDS).expect("it was sent")
    }

    /// Watches the box for a while.
    pub fn steady(&mut self, span: Duration) -> Steady {
        let (from, cpu, all) = (self.record.arrivals.len(), self.vigia.cpu_s(), machine_cpu_s());
        self.record.rest(span);
        let cores = |since: f64, now: f64| (now - since) / span.as_secs_f64();
        let (cores, all) = (cores(cpu, self.vigia.cpu_s()), cores(all, machine_cpu_s()));
        let gaps = gaps(&self.record.arrivals[from..]);
        let rate = |gaps: &Vec<f64>| 1e3 * gaps.len() as f64 / gaps.iter().sum::<f64>();
        let rates: BTreeMap<_, _> = gaps.iter().map(|(room, gaps)| (room.to_string(), rate(gaps))).collect();
        let gaps: Vec<_> = gaps.into_values().flatten().collect();
        let load = json!({
            "streams": rates.len(), "offered_fps": FPS, "processed_fps": rates,
            "vigia_cores_busy": cores, "machine_cores_busy": all, "gap_ms": Spread::of(gaps.iter().copied()),
        });
        Steady { gaps, load }
    }
}

/// Processor seconds of all processes so far (proc(5), stat): more than vigia's means company, whose
/// share is in every figure.
fn machine_cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks = stat.lines().next().unwrap_or_default().split_whitespace().skip(1).take(8);
    let idle = |column: usize| column == 3 || column == 4;
    let busy = ticks.enumerate().filter(|(column, _)| !idle(*column));
    busy.filter_map(|(_, ticks)| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
