//! What a board has: a line for each relay and each contact, and how it is wired.
//!
//! The board's file (`hardware/*.yaml`, key `lines`) names lines; the site's plan names
//! relays and contacts. [`check`] brings both together: every relay and contact of the plan
//! has a line, no line has two jobs, and what the plan says about a cut wire is what the
//! wiring makes of it.

mod raw;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

pub use raw::{BankName, Bias, Drive, Level, RawContact, RawFeedback, RawLines, RawRelay};

use crate::pump::plan::Wrong;
use crate::pump::{Output, Plan, RawPlan, Reading, Sensor};

/// A relay that takes longer to say where it stands has failed: the machine waits 250 ms.
pub const FEEDBACK_MS_MAX: i64 = 200;

/// One line of one chip.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// `None`: the name is the only one on this board.
    pub chip: Option<String>,
    pub name: String,
}

/// A relay's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    pub output: Output,
    pub line: Line,
    /// The level that energises it.
    pub active: Level,
    pub drive: Drive,
    pub feedback: Option<Feedback>,
}

/// The contact by which a relay says where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feedback {
    pub line: Line,
    pub active: Level,
    /// From the coil to the contact.
    pub delay: Duration,
}

/// A contact's line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    pub sensor: Sensor,
    pub line: Line,
    pub active: Level,
    pub bias: Bias,
    /// A cut or shorted wire is told apart from both levels.
    pub supervised: bool,
}

/// All lines, checked. Made by [`check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    pub bank: BankName,
    pub relays: Vec<Relay>,
    pub contacts: Vec<Contact>,
}

/// The board's lines, good for this plan, or everything that is wrong with them.
///
/// `bank`: instead of the file's own.
pub fn check(
    raw: &RawLines,
    bank: Option<BankName>,
    written: &RawPlan,
    plan: &Plan,
) -> Result<Lines, Vec<Wrong>> {
    let bank = bank.unwrap_or(raw.bank);
    let mut reader = Reader { raw, wrong: Vec::new() };
    reader.names();
    reader.twice();
    let relays = reader.relays();
    let contacts = reader.contacts();
    reader.missing(plan);
    // There is no wire to be cut in a simulation.
    if bank == BankName::Gpio {
        reader.wiring(written);
    }
    if reader.wrong.is_empty() { Ok(Lines { bank, relays, contacts }) } else { Err(reader.wrong) }
}

struct Reader<'a> {
    raw: &'a RawLines,
    wrong: Vec<Wrong>,
}

impl Reader<'_> {
    fn refuse(&mut self, path: &str, value: impl ToString, should: &str) {
        let (path, value, should) = (path.to_string(), value.to_string(), should.to_string());
        self.wrong.push(Wrong { path, value, should });
    }

    /// Every line there is, with the place it was written.
    fn all(&self) -> Vec<(String, Line)> {
        let line = |chip: &Option<String>, name: &String| Line { chip: chip.clone(), name: name.clone() };
        let mut all = Vec::new();
        for (output, relay) in &self.raw.outputs {
            let path = format!("lines.outputs.{}", output.name());
            all.push((format!("{path}.line"), line(&relay.chip, &relay.line)));
            if let Some(feedback) = &relay.feedback {
                all.push((format!("{path}.feedback.line"), line(&feedback.chip, &feedback.line)));
            }
        }
        for (sensor, contact) in &self.raw.inputs {
            let path = format!("lines.inputs.{}.line", sensor.name());
            all.push((path, line(&contact.chip, &contact.line)));
        }
        all
    }

    fn names(&mut self) {
        for (path, line) in self.all() {
            let is_good = !line.name.is_empty() && line.name.len() <= 64 && line.name.is_ascii();
            if !is_good {
                self.refuse(&path, format!("{:?}", line.name), "it must be the name of a line, e.g. GPIO18");
            }
        }
    }

    /// A line without a chip may be the one of any chip.
    fn twice(&mut self) {
        let mut seen: BTreeMap<String, Vec<(Option<String>, String)>> = BTreeMap::new();
        for (path, line) in self.all() {
            let same = seen.entry(line.name.clone()).or_default();
            let clash =
                same.iter().find(|(chip, _)| chip.is_none() || line.chip.is_none() || *chip == line.chip);
            if let Some((_, first)) = clash {
                let should = format!("it must be a line of its own; {first} has it already");
                self.refuse(&path, &line.name, &should);
            }
            if let Some(same) = seen.get_mut(&line.name) {
                same.push((line.chip, path));
            }
        }
    }

    fn relays(&mut self) -> Vec<Relay> {
        let mut relays = Vec::new();
        for (output, relay) in &self.raw.outputs {
            let path = format!("lines.outputs.{}", output.name());
            let drive = relay.drive.unwrap_or(Drive::PushPull);
            let contradiction = match (drive, relay.active) {
                (Drive::OpenDrain, Level::High) => Some("an open drain only pulls down: active must be low"),
                (Drive::OpenSource, Level::Low) => Some("an open source only pulls up: active must be high"),
                (Drive::PushPull | Drive::OpenDrain | Drive::OpenSource, Level::High | Level::Low) => None,
            };
            if let Some(should) = contradiction {
                self.refuse(&format!("{path}.active"), relay.active.name(), should);
            }
            let feedback = relay.feedback.as_ref().map(|f| self.feedback(&path, f));
            let line = Line { chip: relay.chip.clone(), name: relay.line.clone() };
            relays.push(Relay { output: *output, line, active: relay.active, drive, feedback });
        }
        relays
    }

    fn feedback(&mut self, path: &str, raw: &RawFeedback) -> Feedback {
        let ms = raw.delay_ms.unwrap_or(50);
        if !(0..=FEEDBACK_MS_MAX).contains(&ms) {
            let should = format!("it must be between 0 and {FEEDBACK_MS_MAX}");
            self.refuse(&format!("{path}.feedback.delay_ms"), ms, &should);
        }
        let delay = Duration::from_millis(u64::try_from(ms).unwrap_or_default());
        Feedback { line: Line { chip: raw.chip.clone(), name: raw.line.clone() }, active: raw.active, delay }
    }

    fn contacts(&self) -> Vec<Contact> {
        let contact = |(sensor, contact): (&Sensor, &RawContact)| Contact {
            sensor: *sensor,
            line: Line { chip: contact.chip.clone(), name: contact.line.clone() },
            active: contact.active,
            bias: contact.bias,
            supervised: contact.supervised.unwrap_or(false),
        };
        self.raw.inputs.iter().map(contact).collect()
    }

    fn missing(&mut self, plan: &Plan) {
        for output in Output::ALL.into_iter().filter(|o| plan.has_output(*o)) {
            if !self.raw.outputs.contains_key(&output) {
                let path = format!("lines.outputs.{}", output.name());
                self.refuse(&path, "missing", "the site's plan uses this relay: name its line");
            }
        }
        for sensor in Sensor::ALL.into_iter().filter(|s| plan.has_input(*s)) {
            if !self.raw.inputs.contains_key(&sensor) {
                let path = format!("lines.inputs.{}", sensor.name());
                self.refuse(&path, "missing", "the site's plan uses this contact: name its line");
            }
        }
    }

    /// What a cut wire reads as follows from the pull and the polarity (H5).
    fn wiring(&mut self, plan: &RawPlan) {
        for (sensor, contact) in &self.raw.inputs {
            let Some(planned) = plan.inputs.get(sensor) else { continue };
            let path = format!("lines.inputs.{}", sensor.name());
            let supervised = contact.supervised.unwrap_or(false);
            match (planned.broken_reads, supervised) {
                (Reading::Fault, true) => {}
                (Reading::Fault, false) => self.refuse(
                    &format!("{path}.supervised"),
                    false,
                    "the site's plan says that a cut wire reads as a fault: supervise the line, or \
                     say what it reads as",
                ),
                (Reading::Active | Reading::Inactive, true) => self.refuse(
                    &format!("{path}.supervised"),
                    true,
                    "a cut wire then reads as a fault: the site's plan must say so (broken_reads: fault)",
                ),
                (reads, false) => {
                    let level = contact.bias.level();
                    let is_active = level == contact.active;
                    if is_active != (reads == Reading::Active) {
                        let word = if is_active { "active" } else { "inactive" };
                        let should = format!(
                            "a cut wire is pulled {} and reads {word}, and the site's plan says otherwise",
                            level.name()
                        );
                        self.refuse(&format!("{path}.bias"), contact.bias.name(), &should);
                    }
                }
            }
        }
    }
}
