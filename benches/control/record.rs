//! What a broker passes on, in the order and at the time it comes: one raw connection, so that
//! "after" means after on the wire.

use std::collections::BTreeMap;
use std::io::{BufReader, Write as _};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};
use serde_json::Value;
use vigia::clock;
use vigia_core::event::{DetectionEvent, topic_source};
use vigia_core::time::Instant;

use super::packets;
use crate::broker::connect;

pub const COMMANDS: &str = "nvr/control/commands";
pub const DETECTIONS: &str = "nvr/detections/";

/// A message at its arrival.
pub struct Arrival {
    pub at: Instant,
    pub topic: String,
    pub payload: Vec<u8>,
}

impl Arrival {
    /// The stream whose detections these are, by the topic alone.
    pub fn room(&self) -> Option<u32> {
        self.topic.starts_with(DETECTIONS).then(|| topic_source(&self.topic)).flatten()
    }

    pub fn detection(&self) -> Option<DetectionEvent> {
        self.room().map(|_| serde_json::from_slice(&self.payload).expect("a detection event"))
    }

    /// The final answer to a request, if this is one.
    pub fn answer(&self, request_id: &str) -> Option<Value> {
        let is_ack = self.topic.ends_with("/ack");
        let ack: Value = is_ack.then(|| serde_json::from_slice(&self.payload).expect("an answer"))?;
        (ack["request_id"] == request_id && ack["ack_status"] != "received").then_some(ack)
    }
}

/// Everything that arrived on one connection. A thread of its own reads and takes the time; what it
/// read is taken in by [`Record::rest`] and [`Record::wait`].
pub struct Record {
    stream: TcpStream,
    feed: Receiver<Arrival>,
    pub arrivals: Vec<Arrival>,
}

impl Record {
    pub fn start(port: u16, client_id: &str, filter: &str) -> Self {
        let mut stream = connect(port, client_id).expect("the broker answers");
        stream.write_all(&packets::subscribe(filter)).expect("the broker takes it");
        let mut reader = BufReader::with_capacity(256 * 1024, stream.try_clone().expect("a socket"));
        let (found, feed) = unbounded();
        thread::spawn(move || {
            while let Ok((topic, payload)) = packets::next_published(&mut reader) {
                // Who listened may be gone.
                let _ = found.send(Arrival { at: clock::now(), topic, payload });
            }
        });
        Self { stream, feed, arrivals: Vec::new() }
    }

    /// Lets time pass and takes in what comes meanwhile.
    pub fn rest(&mut self, span: Duration) {
        let until = clock::now().after(span);
        while let Ok(arrival) = self.feed.recv_timeout(until.since(clock::now())) {
            self.arrivals.push(arrival);
        }
    }

    /// Waits for an arrival that `wanted` knows; its place, and what `wanted` made of it.
    pub fn wait<T>(&mut self, limit: Duration, wanted: impl Fn(&Arrival) -> Option<T>) -> Option<(usize, T)> {
        let until = clock::now().after(limit);
        loop {
            let arrival = self.feed.recv_timeout(until.since(clock::now())).ok()?;
            let found = wanted(&arrival);
            self.arrivals.push(arrival);
            if let Some(found) = found {
                return Some((self.arrivals.len() - 1, found));
            }
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let _already_gone = self.stream.shutdown(Shutdown::Both);
    }
}

/// Milliseconds from each detection of a stream to its next.
pub fn gaps(arrivals: &[Arrival]) -> BTreeMap<u32, Vec<f64>> {
    let (mut last, mut gaps) = (BTreeMap::new(), BTreeMap::<u32, Vec<f64>>::new());
    for arrival in arrivals {
        let Some(room) = arrival.room() else { continue };
        if let Some(before) = last.insert(room, arrival.at) {
            gaps.entry(room).or_default().push(ms(arrival.at.since(before)));
        }
    }
    gaps
}

pub fn ms(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}
