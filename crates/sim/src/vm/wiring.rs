//! The wires between lines and plant, as the board's file has them.
//!
//! A relay's coil gets its current if its line says so; one behind K0 only while K0 is pulled, too.

use std::collections::BTreeMap;

use vigia_core::board::{self, Level, Line};
use vigia_core::pump::{Output, Reading, RelayImage, Sensor};

use super::layout::{Chip, Layout, LayoutError, Named};
use super::wire::LineId;

/// A switch on the plant's side of a line, and the level it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Switch {
    pub line: LineId,
    pub active: Level,
}

/// The line of a relay, and the contact by which it reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayWire {
    pub output: Output,
    pub line: LineId,
    pub active: Level,
    pub feedback: Option<Switch>,
}

/// The line of a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContactWire {
    pub sensor: Sensor,
    pub switch: Switch,
    /// What the line is at when its wire is cut.
    pub cut: Level,
    /// Of a switch with two contacts: says the opposite.
    pub complement: Option<LineId>,
    /// It gives pulses, and so many at least each second while active.
    pub pulses_per_s_min: Option<u32>,
}

/// The watchdog relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterWire {
    pub heartbeat: LineId,
    pub feedback: Switch,
    pub behind: Vec<Output>,
}

/// All of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wiring {
    pub relays: Vec<RelayWire>,
    pub contacts: Vec<ContactWire>,
    pub master: Option<MasterWire>,
}

impl Wiring {
    /// # Errors
    /// The layout lacks a line of the board, or has several of its name.
    pub fn of(board: &board::Lines, layout: &Layout) -> Result<Self, LayoutError> {
        let find = |line: &Line| layout.find(line.chip.as_deref(), &line.name);
        let switch = |line: &Line, active| Ok(Switch { line: find(line)?, active });
        let relay = |relay: &board::Relay| {
            let feedback = relay.feedback.as_ref().map(|f| switch(&f.line, f.active)).transpose()?;
            Ok(RelayWire { output: relay.output, line: find(&relay.line)?, active: relay.active, feedback })
        };
        let contact = |contact: &board::Contact| {
            Ok(ContactWire {
                sensor: contact.sensor,
                switch: switch(&contact.line, contact.active)?,
                cut: contact.bias.level(),
                complement: contact.complement.as_ref().map(find).transpose()?,
                pulses_per_s_min: contact.pulses_per_s_min,
            })
        };
        let master = |master: &board::Watchdog| {
            let feedback = switch(&master.feedback, master.active)?;
            Ok(MasterWire { heartbeat: find(&master.heartbeat)?, feedback, behind: master.behind.clone() })
        };
        Ok(Self {
            relays: board.relays.iter().map(relay).collect::<Result<_, LayoutError>>()?,
            contacts: board.contacts.iter().map(contact).collect::<Result<_, LayoutError>>()?,
            master: board.watchdog.as_ref().map(master).transpose()?,
        })
    }

    /// Which relays the lines ask for.
    #[must_use]
    pub fn asked(&self, levels: &[Level]) -> RelayImage {
        let is = |wire: &RelayWire| levels.get(usize::from(wire.line.0)) == Some(&wire.active);
        RelayImage::read_back(|output| self.relays.iter().any(|w| w.output == output && is(w)))
    }

    /// Which coils get current.
    #[must_use]
    pub fn coils(&self, asked: RelayImage, is_k0_pulled: bool) -> RelayImage {
        let is_fed = |output| is_k0_pulled || !self.is_behind(output);
        RelayImage::read_back(|output| asked.is_on(output) && is_fed(output))
    }

    /// A coil that K0 feeds is on.
    #[must_use]
    pub fn is_any_behind(&self, coils: RelayImage) -> bool {
        coils.energised().any(|output| self.is_behind(output))
    }

    fn is_behind(&self, output: Output) -> bool {
        self.master.as_ref().is_some_and(|master| master.behind.contains(&output))
    }
}

impl ContactWire {
    /// What the line and its complement are at.
    #[must_use]
    pub fn levels(&self, reading: Reading) -> (Level, Level) {
        let (active, rest) = (self.switch.active, other(self.switch.active));
        match reading {
            Reading::Active => (active, rest),
            Reading::Inactive => (rest, active),
            Reading::Fault => (self.cut, self.cut),
        }
    }
}

#[must_use]
pub const fn other(level: Level) -> Level {
    match level {
        Level::Low => Level::High,
        Level::High => Level::Low,
    }
}

/// A layout with all lines of a board, as bad as can be: relays that nobody drives are on, contacts are cut,
/// K0 and the relays' own contacts say that nothing is pulled.
///
/// `lens`: of chips that have more lines than the board's file names.
///
/// # Errors
/// What the kernel would refuse.
pub fn layout(board: &board::Lines, lens: &[(&str, u32)]) -> Result<Layout, LayoutError> {
    let mut all: Vec<(&Line, Level)> = Vec::new();
    for relay in &board.relays {
        all.push((&relay.line, relay.active));
        all.extend(relay.feedback.as_ref().map(|f| (&f.line, other(f.active))));
    }
    for contact in &board.contacts {
        let lines = [Some(&contact.line), contact.complement.as_ref()];
        all.extend(lines.into_iter().flatten().map(|line| (line, contact.bias.level())));
    }
    if let Some(master) = &board.watchdog {
        all.push((&master.heartbeat, Level::High));
        all.push((&master.feedback, other(master.active)));
    }
    let layout = Layout { chips: chips(&all, lens) };
    layout.check()?;
    Ok(layout)
}

/// Lines without a chip lie on one of their own; lines without a number take what is free.
fn chips(all: &[(&Line, Level)], lens: &[(&str, u32)]) -> Vec<Chip> {
    const ANY: &str = "gpio";
    let mut chips: BTreeMap<&str, Vec<Named>> = BTreeMap::new();
    let (numbered, free): (Vec<_>, Vec<_>) = all.iter().partition(|(line, _)| line.offset.is_some());
    for (line, pull) in numbered.into_iter().chain(free) {
        let lines = chips.entry(line.chip.as_deref().unwrap_or(ANY)).or_default();
        let is_free = |offset: &u32| lines.iter().all(|l| l.offset != *offset);
        let offset = line.offset.or_else(|| (0..).find(is_free)).unwrap_or_default();
        lines.push(Named { offset, name: line.name.clone(), pull });
    }
    let chip = |(label, mut lines): (&str, Vec<Named>)| {
        lines.sort_by_key(|line| line.offset);
        let needed = lines.last().map_or(1, |line| line.offset + 1);
        let len = lens.iter().find(|(l, _)| *l == label).map_or(needed, |(_, len)| needed.max(*len));
        Chip { label: label.to_owned(), len, lines }
    };
    chips.into_iter().map(chip).collect()
}

#[cfg(test)]
mod tests;
