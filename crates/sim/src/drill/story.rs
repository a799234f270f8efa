//! What was heard in one round.

use std::collections::BTreeSet;

use serde_json::Value;
use vigia_core::event::Utc;
use vigia_core::pump::{Output, RelayImage, StateName};
use vigia_core::time::Instant;

use crate::live::Heard;

const STATES: [StateName; 15] = [
    StateName::Boot,
    StateName::Idle,
    StateName::Priming,
    StateName::Starting,
    StateName::Running,
    StateName::ReducingRpm,
    StateName::Stopping,
    StateName::Refilling,
    StateName::Cooldown,
    StateName::LowPressure,
    StateName::Error,
    StateName::EmergencyStop,
    StateName::Off,
    StateName::Manual,
    StateName::Leaving,
];

/// A camera began or ceased to vote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vote {
    pub at: Instant,
    pub given: bool,
}

/// The pump as it was from a moment on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stand {
    pub at: Instant,
    pub state: Option<StateName>,
    pub relays: RelayImage,
}

/// Everything of one round, by the time at which it was heard.
#[derive(Debug, Clone, Default)]
pub struct Story {
    /// When the scene began.
    pub begun: Instant,
    /// When each camera's first frame with a fire left, the first one first.
    pub glass: Vec<Instant>,
    /// Events with a fire: when, and of which room.
    pub fires: Vec<(Instant, u32)>,
    pub votes: Vec<Vote>,
    pub confirmed: Option<Instant>,
    pub stands: Vec<Stand>,
    /// The main valve's relay is on.
    pub relay: Option<Instant>,
    /// The flow contact closes.
    pub water: Option<Instant>,
    /// Rooms that vigia looks at.
    pub(super) rooms: BTreeSet<u32>,
    pub(super) running: bool,
}

impl Story {
    /// Whether vigia looks at so many cameras and the pump is at rest.
    #[must_use]
    pub fn is_ready(&self, cameras: usize) -> bool {
        self.running
            && self.rooms.len() >= cameras
            && self.stands.last().is_some_and(|stand| stand.state == Some(StateName::Idle))
    }

    /// Takes a message in. What it does not understand is not for it.
    pub fn hear(&mut self, heard: &Heard) {
        let Ok(value) = serde_json::from_slice::<Value>(&heard.payload) else { return };
        let at = heard.at;
        match heard.topic.as_str() {
            "fire/trigger" => {
                self.confirmed.get_or_insert(at);
            }
            "system/trigger_telemetry" => self.stands(at, &value["system_state"]),
            "gpio/status" => {
                self.stands(at, &value);
                if value["sensors"]["flow"] == "yes" {
                    self.water.get_or_insert(at);
                }
            }
            topic => match topic.strip_prefix("nvr/detections/").map(str::parse) {
                Some(Ok(room)) => {
                    self.rooms.insert(room);
                    if shows_fire(&value) {
                        self.fires.push((at, room));
                    }
                }
                Some(Err(_)) => {}
                None => self.running |= value["status"] == "running",
            },
        }
    }

    fn stands(&mut self, at: Instant, value: &Value) {
        let Some(on) = value["relays"].as_array() else { return };
        let names: BTreeSet<&str> = on.iter().filter_map(Value::as_str).collect();
        let relays = RelayImage::read_back(|output| names.contains(output.name()));
        let state =
            STATES.into_iter().find(|name| serde_json::to_value(name).is_ok_and(|n| n == value["state"]));
        if relays.is_on(Output::MainValve) {
            self.relay.get_or_insert(at);
        }
        self.stands.push(Stand { at, state, relays });
    }

    /// How far it came, in words.
    #[must_use]
    pub fn farthest(&self) -> &'static str {
        match (self.fires.is_empty(), self.confirmed, self.relay) {
            (true, None, None) => "no fire was detected",
            (false, None, None) => "a fire was detected, and not confirmed; why.json says why not",
            (_, Some(_), None) => "a fire was confirmed, and no relay moved; see pump.log",
            (_, _, Some(_)) => "the main valve was opened, and no flow was reported; see pump.log",
        }
    }

    /// Cameras that reported a fire within the last second.
    #[must_use]
    pub fn seeing(&self, at: Instant) -> usize {
        let lately = |t: Instant| t <= at && at.since(t).as_secs_f64() < 1.0;
        let rooms: BTreeSet<u32> =
            self.fires.iter().filter(|(t, _)| lately(*t)).map(|(_, room)| *room).collect();
        rooms.len()
    }

    /// Objects that vote.
    #[must_use]
    pub fn voting(&self, at: Instant) -> usize {
        let before = self.votes.iter().filter(|vote| vote.at <= at);
        before.fold(0, |n: usize, vote| if vote.given { n + 1 } else { n.saturating_sub(1) })
    }
}

fn shows_fire(event: &Value) -> bool {
    event["detections"].as_array().is_some_and(|all| all.iter().any(|d| d["class_name"] == "fire"))
}

/// Votes among the records of `vigia why`; `utc` is the wall clock at `now`.
pub(super) fn votes(records: &[Value], now: Instant, utc: Utc) -> Vec<Vote> {
    let vote = |record: &Value| {
        let given = match record["decision"].as_str()? {
            "vote_given" => true,
            "vote_ended" => false,
            _ => return None,
        };
        let at: Utc = serde_json::from_value(record["at"].clone()).ok()?;
        let ns = i128::from(now.0) + at.as_unix_ns() - utc.as_unix_ns();
        Some(Vote { at: Instant(u64::try_from(ns).ok()?), given })
    };
    let mut votes: Vec<Vote> = records.iter().filter_map(vote).collect();
    votes.sort_unstable_by_key(|vote| vote.at);
    votes
}
