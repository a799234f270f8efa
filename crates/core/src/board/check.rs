//! What may be wrong with a board's lines, each with its sentence.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::{
    BankName, Contact, DEBOUNCE_MS_MAX, Drive, FEEDBACK_MS_MAX, Feedback, Level, Line, Lines,
    PULSES_PER_S_MAX, RawContact, RawFeedback, RawLines, Relay, Watchdog,
};
use crate::pump::plan::Wrong;
use crate::pump::{Output, Plan, RawPlan, Reading, Sensor};

/// Coils that must fall when the program dies (reliability 2.4).
const MUST_BE_BEHIND: [Output; 4] = [Output::Run, Output::Starter, Output::Contactor, Output::RefillValve];
/// Relays that stop the engine, keep its water path or call for help: a dead program must not take them away.
const MUST_NOT_BE_BEHIND: [Output; 5] =
    [Output::Kill, Output::MainValve, Output::Siren, Output::Strobe, Output::Contact];

/// The board's lines by themselves, or everything that is wrong with them.
///
/// `bank`: instead of the file's own.
pub fn read(raw: &RawLines, bank: Option<BankName>) -> Result<Lines, Vec<Wrong>> {
    let mut reader = Reader { raw, wrong: Vec::new() };
    let lines = reader.lines(bank.unwrap_or(raw.bank));
    if reader.wrong.is_empty() { Ok(lines) } else { Err(reader.wrong) }
}

/// The board's lines, good for this plan, or everything that is wrong with them.
pub fn check(
    raw: &RawLines,
    bank: Option<BankName>,
    written: &RawPlan,
    plan: &Plan,
) -> Result<Lines, Vec<Wrong>> {
    let mut reader = Reader { raw, wrong: Vec::new() };
    let lines = reader.lines(bank.unwrap_or(raw.bank));
    reader.missing(plan);
    // There is no wire to be cut in a simulation.
    if lines.bank == BankName::Gpio {
        reader.wiring(written);
        reader.behind(plan);
    }
    if reader.wrong.is_empty() { Ok(lines) } else { Err(reader.wrong) }
}

struct Reader<'a> {
    raw: &'a RawLines,
    wrong: Vec<Wrong>,
}

fn line(chip: &Option<String>, name: &str, offset: Option<u32>) -> Line {
    Line { chip: chip.clone(), name: name.to_string(), offset }
}

impl Reader<'_> {
    fn refuse(&mut self, path: &str, value: impl ToString, should: &str) {
        let (path, value, should) = (path.to_string(), value.to_string(), should.to_string());
        self.wrong.push(Wrong { path, value, should });
    }

    fn lines(&mut self, bank: BankName) -> Lines {
        self.names();
        self.twice();
        if bank == BankName::Gpio {
            self.one_chip();
            self.pads();
        }
        let pads = self.raw.pads.as_ref().map(|pads| pads.controller.clone());
        let (relays, contacts) = (self.relays(), self.contacts());
        Lines { bank, relays, contacts, watchdog: self.watchdog(), pads }
    }

    /// Every line there is, with the place it was written.
    fn all(&self) -> Vec<(String, Line)> {
        let mut all = Vec::new();
        for (output, relay) in &self.raw.outputs {
            let path = format!("lines.outputs.{}", output.name());
            all.push((format!("{path}.line"), line(&relay.chip, &relay.line, relay.offset)));
            if let Some(f) = &relay.feedback {
                all.push((format!("{path}.feedback.line"), line(&f.chip, &f.line, f.offset)));
            }
        }
        for (sensor, contact) in &self.raw.inputs {
            let path = format!("lines.inputs.{}", sensor.name());
            all.push((format!("{path}.line"), line(&contact.chip, &contact.line, contact.offset)));
            if let Some(c) = &contact.complement {
                all.push((format!("{path}.complement.line"), line(&c.chip, &c.line, c.offset)));
            }
        }
        if let Some(watchdog) = &self.raw.watchdog {
            let (beat, master) = (&watchdog.heartbeat, &watchdog.feedback);
            let of = |what: &str| format!("lines.watchdog.{what}.line");
            all.push((of("heartbeat"), line(&beat.chip, &beat.line, beat.offset)));
            all.push((of("feedback"), line(&master.chip, &master.line, master.offset)));
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
            let line = line(&relay.chip, &relay.line, relay.offset);
            let (output, active, pad) = (*output, relay.active, relay.pad.clone());
            relays.push(Relay { output, line, active, drive, feedback, pad });
        }
        relays
    }

    fn feedback(&mut self, path: &str, raw: &RawFeedback) -> Feedback {
        let ms = self.within(&format!("{path}.feedback.delay_ms"), raw.delay_ms, 50, 0..=FEEDBACK_MS_MAX);
        let line = line(&raw.chip, &raw.line, raw.offset);
        Feedback { line, active: raw.active, delay: Duration::from_millis(ms) }
    }

    /// A number, or its default; refused outside of its range.
    fn within(
        &mut self,
        path: &str,
        value: Option<i64>,
        default: i64,
        range: core::ops::RangeInclusive<i64>,
    ) -> u64 {
        let value = value.unwrap_or(default);
        if !range.contains(&value) {
            self.refuse(path, value, &format!("it must be between {} and {}", range.start(), range.end()));
        }
        u64::try_from(value).unwrap_or_default()
    }

    fn contacts(&mut self) -> Vec<Contact> {
        let inputs = &self.raw.inputs;
        inputs.iter().map(|(sensor, contact)| self.contact(*sensor, contact)).collect()
    }

    fn contact(&mut self, sensor: Sensor, raw: &RawContact) -> Contact {
        let path = format!("lines.inputs.{}", sensor.name());
        // Pulses must all be seen.
        let default = if raw.pulses_per_s_min.is_some() { 0 } else { 1 };
        let ms = self.within(&format!("{path}.debounce_ms"), raw.debounce_ms, default, 0..=DEBOUNCE_MS_MAX);
        let pulses = raw.pulses_per_s_min.map(|per_s| {
            let at = format!("{path}.pulses_per_s_min");
            u32::try_from(self.within(&at, Some(per_s), 1, 1..=PULSES_PER_S_MAX)).unwrap_or(u32::MAX)
        });
        if pulses.is_some() && sensor != Sensor::Flow {
            let should = "only a flow meter gives pulses: leave it out";
            self.refuse(&format!("{path}.pulses_per_s_min"), pulses.unwrap_or_default(), should);
        }
        if pulses.is_some() && raw.complement.is_some() {
            let should = "pulses have no complement: leave one of the two out";
            self.refuse(&format!("{path}.complement"), "given", should);
        }
        Contact {
            sensor,
            line: line(&raw.chip, &raw.line, raw.offset),
            active: raw.active,
            bias: raw.bias,
            debounce: Duration::from_millis(ms),
            complement: raw.complement.as_ref().map(|c| line(&c.chip, &c.line, c.offset)),
            pulses_per_s_min: pulses,
        }
    }

    fn watchdog(&self) -> Option<Watchdog> {
        let raw = self.raw.watchdog.as_ref()?;
        let (beat, master) = (&raw.heartbeat, &raw.feedback);
        Some(Watchdog {
            heartbeat: line(&beat.chip, &beat.line, beat.offset),
            pad: beat.pad.clone(),
            feedback: line(&master.chip, &master.line, master.offset),
            active: master.active,
            behind: raw.behind.clone(),
        })
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

    /// One write sets all relays, and only the lines of one chip can be written at once.
    fn one_chip(&mut self) {
        let mut first: Option<(Output, &String)> = None;
        let raw = self.raw;
        for (output, relay) in &raw.outputs {
            let Some(chip) = &relay.chip else { continue };
            let (other, same) = *first.get_or_insert((*output, chip));
            if chip != same {
                let should = format!("all relays must be on one chip, and {} is on {same}", other.name());
                self.refuse(&format!("lines.outputs.{}.chip", output.name()), chip, &should);
            }
        }
    }

    /// The watchdog relay holds what must fall, and nothing that must not.
    fn behind(&mut self, plan: &Plan) {
        let Some(watchdog) = &self.raw.watchdog else {
            if MUST_BE_BEHIND.into_iter().any(|o| plan.has_output(o)) {
                let should = "a line holds its level when this program dies: name the heartbeat and feedback \
                              of the relay that makes the pump safe then (hardware/wiring.md)";
                self.refuse("lines.watchdog", "missing", should);
            }
            return;
        };
        for output in MUST_BE_BEHIND {
            if plan.has_output(output) && !watchdog.behind.contains(&output) {
                let should = format!("{} must fall when this program dies: wire it behind K0", output.name());
                self.refuse("lines.watchdog.behind", "incomplete", &should);
            }
        }
        for output in MUST_NOT_BE_BEHIND {
            if watchdog.behind.contains(&output) {
                let should = format!(
                    "{} must stay when this program dies: it needs a supply of its own",
                    output.name()
                );
                self.refuse("lines.watchdog.behind", output.name(), &should);
            }
        }
    }

    fn pads(&mut self) {
        let controller = self.raw.pads.as_ref().map(|pads| pads.controller.as_str());
        let asks = self.raw.outputs.values().any(|relay| relay.pad.is_some())
            || self.raw.watchdog.as_ref().is_some_and(|w| w.heartbeat.pad.is_some());
        match controller {
            None if asks => {
                self.refuse("lines.pads", "missing", "a pad is asked for: name its controller");
            }
            Some(name) if name.is_empty() || name.contains('/') || name.starts_with('.') => {
                let should = "it must be the name of a folder, e.g. 2430000.pinmux";
                self.refuse("lines.pads.controller", format!("{name:?}"), should);
            }
            None | Some(_) => {}
        }
    }

    /// What a cut wire reads as follows from the pull and the polarity (H5).
    fn wiring(&mut self, plan: &RawPlan) {
        for (sensor, contact) in &self.raw.inputs {
            let Some(planned) = plan.inputs.get(sensor) else { continue };
            let path = format!("lines.inputs.{}", sensor.name());
            match (planned.broken_reads, contact.complement.is_some()) {
                (Reading::Fault, true) => {}
                (Reading::Fault, false) => self.refuse(
                    &format!("{path}.complement"),
                    "missing",
                    "the site's plan says that a cut wire reads as a fault: name the second contact of the \
                     switch, or say what a cut wire reads as",
                ),
                (Reading::Active | Reading::Inactive, true) => self.refuse(
                    &format!("{path}.complement"),
                    "given",
                    "a cut wire then reads as a fault: the site's plan must say so (broken_reads: fault)",
                ),
                (reads, false) => {
                    let level = contact.bias.level();
                    // A cut wire gives no pulses, wherever it is pulled.
                    let is_active = level == contact.active && contact.pulses_per_s_min.is_none();
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
