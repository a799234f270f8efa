//! What checks look at: edges of lines, what the program says in its log and at its socket.

use std::collections::BTreeMap;
use std::time::Duration;

use vigia_core::board::Level;
use vigia_core::time::Instant;

use super::{Bench, LOOK_EVERY, RUN_MAX, sees};
use crate::vm::clock::{now, rest};
use crate::vm::lines::{Place, What};
use crate::vm::rig::RigError;
use crate::vm::smoke::table::ms;
use crate::vm::wire::{Edge, GuestTime};

/// What an emulator on a busy host may add to any time; the rows say how long it was.
const EMULATED: Duration = Duration::from_millis(150);

/// What a program has said since its last start, in the guest's shell.
pub(super) fn log_of(unit: &str) -> String {
    format!(
        "journalctl _SYSTEMD_INVOCATION_ID=$(systemctl show -p InvocationID --value {unit}) -o cat --no-pager"
    )
}

/// One line of the log.
#[derive(Debug)]
pub(super) struct Said {
    pub at: GuestTime,
    pub text: String,
}

impl Said {
    /// What stands behind a word, in seconds: `ran: 20.5s`.
    pub fn seconds(&self, word: &str) -> Result<f64, RigError> {
        let of = |text: &str, unit: &str, factor: f64| {
            let number = text.split_once(unit)?.0;
            number.parse::<f64>().ok().map(|n| n * factor)
        };
        let behind = self.text.split_once(word).map(|(_, behind)| behind.trim());
        let found = behind.and_then(|text| of(text, "ms", 1e-3).or_else(|| of(text, "s", 1.0)));
        found.ok_or_else(|| RigError::Not(format!("no {word:?} in {:?}", self.text)))
    }
}

/// Not later than this, by what is wanted and what the emulator may add.
pub(super) fn in_time(what: &str, seen: Duration, wanted: Duration) -> Result<(), RigError> {
    sees(seen <= wanted + EMULATED, || format!("{what} after {}; {} are wanted", ms(seen), ms(wanted)))
}

/// As long as it should be.
pub(super) fn lasts(what: &str, seen: Duration, wanted: Duration) -> Result<(), RigError> {
    // It is counted from the beginning of a cycle, and written at the end of one.
    const SHORTER_MAX: Duration = Duration::from_millis(20);
    sees(seen + SHORTER_MAX >= wanted, || format!("{what} lasted {}, not {}", ms(seen), ms(wanted)))?;
    in_time(what, seen, wanted)
}

impl Bench {
    /// The first edge of a line to this level from a place on.
    pub(super) fn edge(&self, from: Place, name: &str, level: Level) -> Result<Edge, RigError> {
        Ok(self.rig.lines.wait_for(self.rig.line(name)?, level, from, RUN_MAX)?)
    }

    /// All edges of a line up to now.
    pub(super) fn edges(&self, from: Place, name: &str) -> Result<Vec<Edge>, RigError> {
        let line = self.rig.line(name)?;
        // Marks come each 40 ms.
        rest(Duration::from_millis(100));
        let (told, _) = self.rig.lines.since(from);
        let edge = |what: &What| match what {
            What::Edge(edge) if edge.line == line => Some(*edge),
            _ => None,
        };
        Ok(told.iter().filter_map(|told| edge(&told.what)).collect())
    }

    /// The line has not gone to this level since then.
    pub(super) fn never(&self, from: Place, name: &str, level: Level) -> Result<(), RigError> {
        let edges = self.edges(from, name)?;
        let found = edges.iter().find(|edge| edge.level == level);
        sees(found.is_none(), || format!("{name} went {}; {}", level.name(), self.log()))
    }

    pub(super) fn is_high(&self, name: &str) -> Result<bool, RigError> {
        Ok(self.rig.lines.level(self.rig.line(name)?) == Some(Level::High))
    }

    /// No coil behind K0 had current between a moment of the host and one of the guest.
    pub(super) fn never_behind_k0(&self, from: Instant, until: GuestTime) -> Result<(), RigError> {
        let clock =
            self.rig.lines.clock().ok_or_else(|| RigError::Not("the guest has no clock".to_owned()))?;
        let until = clock.host(until);
        let story = self.story_since(from);
        let on = story.iter().find(|m| m.at < until && self.is_any_behind_k0(m));
        sees(on.is_none(), || format!("coils behind K0 were on before its test: {on:?}"))
    }

    /// The last line with these words since the program's last start.
    pub(super) fn said(&self, words: &str) -> Result<Option<Said>, RigError> {
        let text = self.rig.run(&format!("{} | grep -F -e '{words}' | tail -1", log_of("vigia-pump")))?;
        Ok(at_of(&text).map(|at| Said { at, text }))
    }

    /// How many lines with these words there are.
    pub(super) fn said_times(&self, words: &str) -> Result<u32, RigError> {
        let text = self.rig.run(&format!("{} | grep -cF -e '{words}' || true", log_of("vigia-pump")))?;
        text.parse().map_err(|_| RigError::Not(format!("grep counts {text:?}")))
    }

    pub(super) fn wait_said(&self, words: &str) -> Result<Said, RigError> {
        let since = now();
        while now().since(since) < RUN_MAX {
            if let Some(said) = self.said(words)? {
                return Ok(said);
            }
            rest(LOOK_EVERY);
        }
        Err(RigError::Not(format!("it never said {words:?}: {}", self.log())))
    }

    /// Asks again until a command of the guest's shell ends well.
    pub(super) fn wait_runs(&self, what: &str, command: &str) -> Result<(), RigError> {
        let since = now();
        while now().since(since) < RUN_MAX {
            if self.rig.run(command).is_ok() {
                return Ok(());
            }
            rest(LOOK_EVERY);
        }
        Err(RigError::Not(format!("not within {} s: {what}; {}", RUN_MAX.as_secs(), self.log())))
    }

    /// What the program says at its socket; nobody else may be there.
    pub(super) fn status(&self) -> Result<Status, RigError> {
        let text = self.rig.run("vigia-lines status /run/vigia/pump.sock")?;
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        Ok(Status(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
    }
}

/// `[12.345] event 4 (Idle): …`: by the clock that counts from the boot.
pub(super) fn at_of(text: &str) -> Option<GuestTime> {
    let (s, ms) = text.strip_prefix('[')?.split_once(']')?.0.split_once('.')?;
    let (s, ms): (u64, u64) = (s.parse().ok()?, ms.parse().ok()?);
    Some(GuestTime((s * 1000 + ms) * 1_000_000))
}

/// Names and values, as `vigia-lines status` prints them.
#[derive(Debug)]
pub(super) struct Status(BTreeMap<String, String>);

impl Status {
    pub fn word(&self, name: &str) -> &str {
        self.0.get(name).map_or("?", String::as_str)
    }

    pub fn number(&self, name: &str) -> Result<u64, RigError> {
        let word = self.word(name);
        word.parse().map_err(|_| RigError::Not(format!("the status says {name} {word}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_spans_are_read_from_the_log() {
        assert_eq!(at_of("[12.045] self-test passed"), Some(GuestTime(12_045_000_000)));
        assert_eq!(at_of("self-test [1.2] passed"), None);
        let said = |text: &str| Said { at: GuestTime(0), text: text.to_owned() };
        let is = |text: &str, s: f64| (said(text).seconds("ran:").expect(text) - s).abs() < 1e-9;
        assert!(is("RunInterrupted { ran: 20.5s }", 20.5) && is("RunInterrupted { ran: 950.25ms }", 0.95025));
        assert!(said("RunInterrupted").seconds("ran:").is_err());
    }
}
