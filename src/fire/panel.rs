//! What holds now: alarm, supervisory and trouble, kept apart as fire panels do.
//!
//! Conditions of the consensus, of this program and of the pump program stand side by side. Whoever
//! reads the three retained topics knows all that is wrong without having listened before.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use vigia_core::event::Utc;
use vigia_core::pump::Kind;

/// One thing that holds or does not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    pub kind: Kind,
    /// For programs, e.g. `camera_blind`.
    pub name: String,
    /// Of what: a camera, a sector, the pump.
    pub subject: String,
}

impl Condition {
    #[must_use]
    pub fn new(kind: Kind, name: impl Into<String>, subject: impl Into<String>) -> Self {
        Self { kind, name: name.into(), subject: subject.into() }
    }
}

#[derive(Debug, Serialize)]
struct Held {
    since: Utc,
    text: String,
}

/// All that holds. Bounded by what there is to name: cameras, sectors, streams and a few words.
#[derive(Debug, Default)]
pub struct Panel {
    held: BTreeMap<Condition, Held>,
    /// Kinds whose topic is older than the truth.
    stale: [bool; 3],
}

/// In the order in which they are told.
pub const KINDS: [Kind; 3] = [Kind::Alarm, Kind::Supervisory, Kind::Trouble];

impl Panel {
    /// Returns whether it did not hold before.
    pub fn raise(&mut self, now: Utc, condition: Condition, text: impl Into<String>) -> bool {
        let text = text.into();
        if let Some(held) = self.held.get_mut(&condition) {
            if held.text != text {
                held.text = text;
                self.touch(condition.kind);
            }
            return false;
        }
        self.touch(condition.kind);
        self.held.insert(condition, Held { since: now, text });
        true
    }

    /// Returns whether it did hold.
    pub fn clear(&mut self, condition: &Condition) -> bool {
        let held = self.held.remove(condition).is_some();
        if held {
            self.touch(condition.kind);
        }
        held
    }

    /// The conditions of one subject become exactly these.
    pub fn replace(&mut self, now: Utc, subject: &str, with: Vec<(Condition, String)>) {
        let gone: Vec<Condition> = self
            .held
            .keys()
            .filter(|c| c.subject == subject && with.iter().all(|(new, _)| new != *c))
            .cloned()
            .collect();
        for condition in gone {
            self.clear(&condition);
        }
        for (condition, text) in with {
            self.raise(now, condition, text);
        }
    }

    /// How many hold.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        self.held.keys().filter(|c| c.kind == kind).count()
    }

    /// All of this name.
    pub fn clear_named(&mut self, name: &str) {
        let gone: Vec<Condition> = self.held.keys().filter(|c| c.name == name).cloned().collect();
        for condition in gone {
            self.clear(&condition);
        }
    }

    fn touch(&mut self, kind: Kind) {
        self.stale[place(kind)] = true;
    }

    /// All topics are to be told again: the broker may have forgotten them.
    pub fn forget(&mut self) {
        self.stale = [true; 3];
    }

    /// Kinds whose topic must be told; [`Self::told`] ends that.
    #[must_use]
    pub fn stale(&self) -> Vec<Kind> {
        KINDS.into_iter().filter(|kind| self.stale[place(*kind)]).collect()
    }

    pub fn told(&mut self, kind: Kind) {
        self.stale[place(kind)] = false;
    }

    /// The retained message of one kind.
    #[must_use]
    pub fn payload(&self, kind: Kind, host: &str, now: Utc) -> Value {
        let active: Vec<Value> = self
            .held
            .iter()
            .filter(|(condition, _)| condition.kind == kind)
            .map(|(c, held)| {
                json!({ "condition": c.name, "subject": c.subject, "since": held.since, "text": held.text })
            })
            .collect();
        json!({ "host": host, "timestamp": now, "kind": kind, "active": active })
    }
}

fn place(kind: Kind) -> usize {
    match kind {
        Kind::Alarm => 0,
        Kind::Supervisory => 1,
        Kind::Trouble => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_told_when_it_changes_and_only_then() {
        let (mut panel, now) = (Panel::default(), Utc::from_unix_ns(0));
        let blind = |camera| Condition::new(Kind::Trouble, "camera_blind", camera);
        assert!(panel.raise(now, blind("north"), "north is silent"));
        assert_eq!(panel.stale(), [Kind::Trouble]);
        panel.told(Kind::Trouble);
        assert!(!panel.raise(now, blind("north"), "north is silent"), "the same again is no news");
        assert_eq!(panel.stale(), []);
        panel.raise(now, blind("north"), "north is frozen");
        assert_eq!(panel.payload(Kind::Trouble, "box", now)["active"][0]["text"], "north is frozen");
        panel.replace(now, "north", vec![(Condition::new(Kind::Alarm, "fire", "north"), "it burns".into())]);
        assert_eq!(panel.stale(), [Kind::Alarm, Kind::Trouble]);
        assert_eq!(panel.payload(Kind::Trouble, "box", now)["active"], json!([]));
        assert_eq!(panel.payload(Kind::Alarm, "box", now)["active"][0]["condition"], "fire");
    }
}
