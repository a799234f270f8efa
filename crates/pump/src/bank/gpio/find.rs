//! Which line is which: chips by label, lines by name, and by number where the board's file
//! says one. Chip numbers are not stable, so nothing is ever found by them.

use std::fmt::Write as _;
use std::path::PathBuf;

use gpiocdev::chip::{Chip, chips};
use thiserror::Error;
use vigia_core::board::Line;

/// Names that an error lists; `vigia gpio list` shows all.
const NAMES_SHOWN_MAX: usize = 40;

/// A chip of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenChip {
    pub path: PathBuf,
    pub label: String,
    pub lines: Vec<SeenLine>,
}

/// A line of a chip, and who has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenLine {
    pub offset: u32,
    pub name: String,
    /// Who holds it: another program, or the kernel.
    pub holder: Option<String>,
    pub is_output: bool,
}

/// A line that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub chip: PathBuf,
    pub label: String,
    pub offset: u32,
}

/// Why a line can't be had.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LineError {
    #[error("{at}: this machine has no GPIO chip, so there is no line {name}")]
    NoChips { at: String, name: String },
    #[error("{at}: there is no chip {chip}; there are {known}")]
    NoChip { at: String, chip: String, known: String },
    #[error("{at}: there is no line {name}{on}; there are {known}")]
    NoLine { at: String, name: String, on: String, known: String },
    #[error("{at}: {name} is a line of {chips}: name the chip")]
    Ambiguous { at: String, name: String, chips: String },
    #[error(
        "{at}: {name} is line {found} of {chip}, and must be {wanted}: this is another board or another kernel"
    )]
    Offset { at: String, name: String, chip: String, found: u32, wanted: u32 },
    #[error("{at}: {name} is in use by {holder}")]
    Busy { at: String, name: String, holder: String },
    #[error("{at}: {name} is on {chip} and the other relays on {others}: all must be on one chip")]
    Elsewhere { at: String, name: String, chip: String, others: String },
}

/// All chips that can be opened, with their lines.
///
/// # Errors
/// `/dev` cannot be read, or a chip that was there is not any more.
pub fn look() -> Result<Vec<SeenChip>, gpiocdev::Error> {
    let mut seen = Vec::new();
    for path in chips()? {
        let chip = Chip::from_path(&path)?;
        let info = chip.info()?;
        let mut lines = Vec::new();
        for offset in 0..info.num_lines {
            let line = chip.line_info(offset)?;
            let holder = line.used.then(|| match line.consumer.as_str() {
                "" => "the kernel".to_owned(),
                name => name.to_owned(),
            });
            let is_output = line.direction == gpiocdev::line::Direction::Output;
            lines.push(SeenLine { offset, name: line.name, holder, is_output });
        }
        seen.push(SeenChip { path, label: info.label, lines });
    }
    Ok(seen)
}

/// The one line that is meant.
///
/// # Errors
/// There is none, or more than one, or it is another one, or somebody has it. `at` is where
/// the board's file names it.
pub fn find(seen: &[SeenChip], at: &str, line: &Line) -> Result<Place, LineError> {
    let (at, name) = (at.to_owned(), line.name.clone());
    if seen.is_empty() {
        return Err(LineError::NoChips { at, name });
    }
    let is_meant = |chip: &&SeenChip| line.chip.as_ref().is_none_or(|label| *label == chip.label);
    let chips: Vec<&SeenChip> = seen.iter().filter(is_meant).collect();
    if chips.is_empty() {
        let chip = line.chip.clone().unwrap_or_default();
        let known = seen.iter().map(|c| c.label.as_str()).collect::<Vec<_>>().join(", ");
        return Err(LineError::NoChip { at, chip, known });
    }
    let mut found = chips.iter().flat_map(|chip| {
        chip.lines.iter().filter(|seen| seen.name == line.name).map(move |seen| (*chip, seen))
    });
    let Some((chip, seen_line)) = found.next() else {
        let on = line.chip.as_ref().map(|label| format!(" on {label}")).unwrap_or_default();
        return Err(LineError::NoLine { at, name, on, known: names(&chips) });
    };
    let label = chip.label.clone();
    if let Some((other, _)) = found.next() {
        return Err(LineError::Ambiguous { at, name, chips: format!("{label} and {}", other.label) });
    }
    let offset = seen_line.offset;
    if let Some(wanted) = line.offset.filter(|wanted| *wanted != offset) {
        return Err(LineError::Offset { at, name, chip: label, found: offset, wanted });
    }
    if let Some(holder) = seen_line.holder.clone() {
        return Err(LineError::Busy { at, name, holder });
    }
    Ok(Place { chip: chip.path.clone(), label, offset })
}

fn names(chips: &[&SeenChip]) -> String {
    let named = || chips.iter().flat_map(|c| &c.lines).filter(|line| !line.name.is_empty());
    let mut text = named().take(NAMES_SHOWN_MAX).map(|l| l.name.as_str()).collect::<Vec<_>>().join(", ");
    let more = named().count().saturating_sub(NAMES_SHOWN_MAX);
    if more > 0 {
        // Writing to a String cannot fail.
        let _ = write!(text, " and {more} more (vigia gpio list)");
    }
    if text.is_empty() { "none with a name".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chip(label: &str, lines: &[(&str, Option<&str>)]) -> SeenChip {
        let line = |(offset, (name, holder)): (usize, &(&str, Option<&str>))| SeenLine {
            offset: u32::try_from(offset).expect("few"),
            name: (*name).to_owned(),
            holder: holder.map(str::to_owned),
            is_output: false,
        };
        let lines = lines.iter().enumerate().map(line).collect();
        SeenChip { path: format!("/dev/{label}").into(), label: label.to_owned(), lines }
    }

    fn line(chip: Option<&str>, name: &str, offset: Option<u32>) -> Line {
        Line { chip: chip.map(str::to_owned), name: name.to_owned(), offset }
    }

    #[test]
    fn a_line_is_found_by_name_and_by_nothing_else() {
        let seen = [
            chip("main", &[("", None), ("PQ.05", None), ("PA.00", Some("spi"))]),
            chip("aon", &[("PAA.00", None), ("PQ.05", None)]),
        ];
        let found = |line: &Line| find(&seen, "lines.outputs.run", line);
        let place = found(&line(Some("aon"), "PQ.05", Some(1))).expect("it");
        assert_eq!((place.label.as_str(), place.offset), ("aon", 1));
        assert_eq!(found(&line(None, "PAA.00", None)).expect("it").offset, 0);
        let rows: [(Line, &str); 6] = [
            (line(None, "PQ.05", None), "PQ.05 is a line of main and aon: name the chip"),
            (line(Some("main"), "PQ.05", Some(105)), "PQ.05 is line 1 of main, and must be 105"),
            (line(None, "PA.00", None), "PA.00 is in use by spi"),
            (line(None, "PQ.06", None), "there is no line PQ.06; there are PQ.05, PA.00, PAA.00, PQ.05"),
            (line(Some("main"), "PAA.00", None), "no line PAA.00 on main; there are PQ.05, PA.00"),
            (line(Some("gpio"), "PQ.05", None), "there is no chip gpio; there are main, aon"),
        ];
        for (line, sentence) in rows {
            let said = found(&line).expect_err(sentence).to_string();
            assert!(said.starts_with("lines.outputs.run: ") && said.contains(sentence), "{said}");
        }
        let said = find(&[], "lines.outputs.run", &line(None, "PQ.05", None)).expect_err("none").to_string();
        assert!(said.contains("no GPIO chip"), "{said}");
    }

    #[test]
    fn a_long_list_is_cut() {
        let lines: Vec<String> = (0..54).map(|i| format!("GPIO{i}")).collect();
        let lines: Vec<(&str, Option<&str>)> = lines.iter().map(|name| (name.as_str(), None)).collect();
        let said = find(&[chip("pinctrl-rp1", &lines)], "x", &line(None, "GPIO99", None)).expect_err("none");
        assert!(said.to_string().ends_with("GPIO39 and 14 more (vigia gpio list)"), "{said}");
    }
}
