//! Decides from signs of life who stands, and whether a new start would help.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use vigia_core::time::Instant;

use super::{Part, Sign, ms};

/// After so many limits nothing but a new start helps.
const LIMITS_MAX: u32 = 2;
/// When nobody looked for this long the whole process stood: it was stopped, or the machine slept.
const BLACKOUT: Duration = Duration::from_secs(5);

/// Decides who stands. Age counts only while somebody looks.
#[derive(Debug, Default)]
pub struct Judge {
    parts: BTreeMap<Part, Record>,
    looked: Option<Instant>,
    /// Before this nobody could give a sign.
    awake: Instant,
}

#[derive(Debug, Default)]
struct Record {
    /// Who is silent for longest.
    silent: Silent,
    /// The same of those that worked.
    deadly: Silent,
    stalls: u64,
    is_stalled: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Silent {
    age: Duration,
    source_id: Option<u32>,
}

/// Somebody gave no sign for longer than the limit, or goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    pub part: Part,
    pub source_id: Option<u32>,
    pub age: Duration,
    pub stands: bool,
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.source_id {
            Some(id) => write!(f, "{} (stream {id})", self.part.name()),
            None => f.write_str(self.part.name()),
        }
    }
}

/// A part in the status of the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Row {
    pub ok: bool,
    pub age_ms: u64,
    pub limit_ms: u64,
    /// How often it stood since the start.
    pub stalls: u64,
}

/// All parts that this instance has, by name.
pub type Rows = BTreeMap<&'static str, Row>;

impl Judge {
    /// Looks at all signs at `now`; who turned from going to standing, or back.
    pub fn look(&mut self, now: Instant, signs: &[Sign]) -> Vec<Turn> {
        if self.looked.replace(now).is_some_and(|before| now.since(before) > BLACKOUT) {
            self.awake = now;
        }
        for record in self.parts.values_mut() {
            (record.silent, record.deadly) = (Silent::default(), Silent::default());
        }
        for sign in signs {
            let age = sign.last.map_or(Duration::ZERO, |last| now.since(last.max(self.awake)));
            let (record, silent) =
                (self.parts.entry(sign.part).or_default(), Silent { age, source_id: sign.source_id });
            if age > record.silent.age {
                record.silent = silent;
            }
            if sign.worked && age > record.deadly.age {
                record.deadly = silent;
            }
        }
        self.parts.iter_mut().filter_map(|(part, record)| record.turn(*part)).collect()
    }

    /// Nobody stands whom a new start would help.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.parts.iter().all(|(part, record)| record.deadly.age <= part.limit())
    }

    /// Who stands for so long that only a new start helps.
    #[must_use]
    pub fn given_up(&self) -> Option<Turn> {
        let mut lost = self.parts.iter().filter(|(part, r)| r.deadly.age > part.limit() * LIMITS_MAX);
        lost.next().map(|(part, r)| r.deadly.turn(*part, true))
    }

    #[must_use]
    pub fn rows(&self) -> Rows {
        let row = |(part, r): (&Part, &Record)| {
            let row = Row {
                ok: !r.is_stalled,
                age_ms: ms(r.silent.age),
                limit_ms: ms(part.limit()),
                stalls: r.stalls,
            };
            (part.name(), row)
        };
        self.parts.iter().map(row).collect()
    }
}

impl Record {
    fn turn(&mut self, part: Part) -> Option<Turn> {
        let stands = self.silent.age > part.limit();
        if std::mem::replace(&mut self.is_stalled, stands) == stands {
            return None;
        }
        self.stalls += u64::from(stands);
        Some(self.silent.turn(part, stands))
    }
}

impl Silent {
    fn turn(self, part: Part, stands: bool) -> Turn {
        Turn { part, source_id: self.source_id, age: self.age, stands }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn sign(part: Part, last_s: u64, worked: bool) -> Sign {
        let last = (last_s > 0).then_some(Instant(last_s * S));
        Sign { part, source_id: None, last, worked }
    }

    /// A judge that looked each second up to `now_s`.
    fn judge(now_s: u64, signs: &[Sign]) -> Judge {
        let mut judge = Judge::default();
        (1..=now_s).for_each(|at| drop(judge.look(Instant(at * S), signs)));
        judge
    }

    /// At 100 s: the last sign in seconds, whether it worked; is it ok, is `WATCHDOG=1` given, is it the end?
    #[test]
    fn who_stands_is_said_and_ends_the_process_only_if_it_worked_before() {
        for (part, last_s, worked, ok, alive, end) in [
            (Part::App, 100, true, true, true, false),
            (Part::App, 90, true, true, true, false),
            (Part::App, 89, true, false, false, false),
            (Part::App, 80, true, false, false, false),
            (Part::App, 79, true, false, false, true),
            (Part::Mqtt, 79, false, false, true, false),
            (Part::FireMqtt, 1, false, false, true, false),
            (Part::Fire, 79, true, false, false, true),
            (Part::PumpLink, 79, true, false, false, true),
            // Its disk is the same after a new start; it never says that it worked.
            (Part::Courier, 79, false, false, true, false),
            (Part::Cameras, 70, true, true, true, false),
            (Part::Cameras, 69, true, false, false, false),
            (Part::Cameras, 39, true, false, false, true),
            (Part::Cameras, 39, false, false, true, false),
            (Part::Frames, 39, true, false, false, true),
            (Part::Engine, 39, true, false, false, true),
            // Nothing is owed: no camera, all paused, no inference under way.
            (Part::Cameras, 0, true, true, true, false),
            (Part::Frames, 0, true, true, true, false),
            (Part::Engine, 0, true, true, true, false),
        ] {
            let judge = judge(100, &[sign(part, last_s, worked)]);
            let row = judge.rows()[part.name()];
            let got = (row.ok, judge.is_alive(), judge.given_up().is_some());
            assert_eq!(got, (ok, alive, end), "{part:?} {last_s} {worked}: {row:?}");
            let age_ms = if last_s > 0 { (100 - last_s) * 1_000 } else { 0 };
            assert_eq!((row.age_ms, row.limit_ms), (age_ms, ms(part.limit())), "{part:?}");
            assert_eq!(row.stalls, u64::from(!ok));
        }
        assert!(judge(100, &[]).is_alive(), "who has nothing to watch lives");
    }

    #[test]
    fn a_camera_that_never_came_up_hides_none_that_hangs() {
        let camera = |id, last_s, worked| Sign { source_id: Some(id), ..sign(Part::Cameras, last_s, worked) };
        let judge = judge(100, &[camera(4, 1, false), camera(5, 39, true), camera(6, 100, true)]);
        assert_eq!(judge.rows()["cameras"].age_ms, 99_000);
        let end = judge.given_up().expect("one of them worked");
        assert_eq!((end.source_id, end.to_string().as_str()), (Some(5), "cameras (stream 5)"));
    }

    #[test]
    fn stalls_are_told_once_and_counted() {
        let mut judge = Judge::default();
        let mut turns = Vec::new();
        for at in 1..=60 {
            // It stands from 20 s to 35 s, and from 40 s to 55 s.
            let last = match at {
                20..35 => 20,
                40..55 => 40,
                _ => at,
            };
            let told = judge.look(Instant(at * S), &[sign(Part::Mqtt, last, true)]);
            turns.extend(told.iter().map(|turn| (at, turn.stands)));
        }
        assert_eq!(turns, [(31, true), (35, false), (51, true), (55, false)]);
        assert_eq!(judge.rows()["mqtt"].stalls, 2);
    }

    /// A process that was stopped, and a machine that slept, find nobody guilty.
    #[test]
    fn what_the_whole_process_missed_is_nobodys_stall() {
        let mut judge = judge(10, &[sign(Part::App, 10, true)]);
        assert!(judge.look(Instant(3_600 * S), &[sign(Part::App, 10, true)]).is_empty());
        assert!(judge.is_alive() && judge.given_up().is_none());
        // From then on the usual limits hold.
        for at in 3_601..=3_621 {
            judge.look(Instant(at * S), &[sign(Part::App, 10, true)]);
        }
        assert_eq!(judge.given_up().map(|turn| turn.age), Some(Duration::from_secs(21)));
    }
}
