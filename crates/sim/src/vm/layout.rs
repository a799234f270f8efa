//! Which chips and lines the simulated board has, and how each line is pulled when nobody drives it.
//!
//! ```text
//! chip tegra234-gpio 164
//! line 144 PAC.06 high
//! ```
//!
//! The text goes into the guest with the product's programs; both ends count lines in its order.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use vigia_core::board::Level;

use super::wire::LineId;

/// More lines than any board has; each costs the guest a look every 20 ms.
pub const LINES_LEN_MAX: usize = 128;
/// The kernel's own limit for a simulated bank is about this.
pub const CHIP_LEN_MAX: u32 = 1024;

/// One board.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layout {
    pub chips: Vec<Chip>,
}

/// One GPIO chip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chip {
    pub label: String,
    /// All its lines; most have no name.
    pub len: u32,
    pub lines: Vec<Named>,
}

/// A line with a name. Two may have the same: a test of who refuses that needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub offset: u32,
    pub name: String,
    /// Of an output: the level it has while nobody holds it. The worst case is its active one.
    pub pull: Level,
}

/// What is wrong with a layout, or with a question about it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LayoutError {
    #[error("layout, line {line}: {text:?} is neither `chip LABEL LEN` nor `line OFFSET NAME high|low`")]
    Text { line: usize, text: String },
    #[error("chip {chip} has {len} lines; it must have 1 to {CHIP_LEN_MAX}")]
    ChipLen { chip: String, len: u32 },
    #[error("line {offset} of chip {chip} stands twice, or the chip has no such line")]
    Offset { chip: String, offset: u32 },
    #[error("the layout has {0} named lines; at most {LINES_LEN_MAX}")]
    TooMany(usize),
    #[error("no line {0}: give it a place in the layout")]
    Unknown(String),
    #[error("there are several lines {0}: name the chip")]
    Ambiguous(String),
}

impl Layout {
    /// All named lines, in order.
    pub fn lines(&self) -> impl Iterator<Item = (LineId, &Chip, &Named)> {
        let all = self.chips.iter().flat_map(|chip| chip.lines.iter().map(move |line| (chip, line)));
        (0..).map(LineId).zip(all).map(|(id, (chip, line))| (id, chip, line))
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.chips.iter().map(|chip| chip.lines.len()).sum()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The one line of this name, on this chip if one is named.
    ///
    /// # Errors
    /// There is none, or there are several.
    pub fn find(&self, chip: Option<&str>, name: &str) -> Result<LineId, LayoutError> {
        let is = |c: &Chip, l: &Named| l.name == name && chip.is_none_or(|label| label == c.label);
        let mut all = self.lines().filter(|(_, c, l)| is(c, l)).map(|(id, ..)| id);
        let shown = || chip.map_or(name.to_owned(), |chip| format!("{chip}/{name}"));
        let first = all.next().ok_or_else(|| LayoutError::Unknown(shown()))?;
        all.next().map_or(Ok(first), |_| Err(LayoutError::Ambiguous(shown())))
    }

    /// For messages.
    #[must_use]
    pub fn name(&self, line: LineId) -> &str {
        self.lines().find(|(id, ..)| *id == line).map_or("?", |(.., named)| &named.name)
    }

    /// How each line is pulled at the start.
    #[must_use]
    pub fn pulls(&self) -> Vec<Level> {
        self.lines().map(|(.., line)| line.pull).collect()
    }

    /// # Errors
    /// The first thing that the kernel would refuse.
    pub fn check(&self) -> Result<(), LayoutError> {
        if self.len() > LINES_LEN_MAX {
            return Err(LayoutError::TooMany(self.len()));
        }
        for chip in &self.chips {
            if !(1..=CHIP_LEN_MAX).contains(&chip.len) {
                return Err(LayoutError::ChipLen { chip: chip.label.clone(), len: chip.len });
            }
            for (place, line) in chip.lines.iter().enumerate() {
                let again = chip.lines.iter().take(place).any(|other| other.offset == line.offset);
                if again || line.offset >= chip.len {
                    return Err(LayoutError::Offset { chip: chip.label.clone(), offset: line.offset });
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chip in &self.chips {
            writeln!(f, "chip {} {}", chip.label, chip.len)?;
            for line in &chip.lines {
                writeln!(f, "line {} {} {}", line.offset, line.name, line.pull.name())?;
            }
        }
        Ok(())
    }
}

impl FromStr for Layout {
    type Err = LayoutError;

    fn from_str(text: &str) -> Result<Self, LayoutError> {
        let mut layout = Self::default();
        for (number, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let done = match *words.as_slice() {
                ["chip", label, len] => len.parse().ok().map(|len| {
                    layout.chips.push(Chip { label: label.to_owned(), len, lines: Vec::new() });
                }),
                ["line", offset, name, pull] => named(offset, name, pull)
                    .and_then(|line| layout.chips.last_mut().map(|chip| chip.lines.push(line))),
                _ => None,
            };
            done.ok_or_else(|| LayoutError::Text { line: number + 1, text: line.to_owned() })?;
        }
        layout.check()?;
        Ok(layout)
    }
}

fn named(offset: &str, name: &str, pull: &str) -> Option<Named> {
    let pull = [Level::Low, Level::High].into_iter().find(|l| l.name() == pull)?;
    Some(Named { offset: offset.parse().ok()?, name: name.to_owned(), pull })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "chip tegra234-gpio 164\nline 144 PAC.06 high\nline 112 PR.04 low\n\
                        chip tegra234-gpio-aon 32\nline 9 PBB.01 low\nline 10 PR.04 low\n";

    #[test]
    fn a_layout_reads_as_it_is_written() {
        let layout: Layout = TEXT.parse().expect("good");
        assert_eq!(layout.to_string(), TEXT);
        assert_eq!(layout.pulls(), [Level::High, Level::Low, Level::Low, Level::Low]);
    }

    #[test]
    fn lines_are_found_by_name_and_chip() {
        let layout: Layout = TEXT.parse().expect("good");
        assert_eq!(layout.find(None, "PBB.01"), Ok(LineId(2)));
        assert_eq!(layout.find(Some("tegra234-gpio-aon"), "PR.04"), Ok(LineId(3)));
        assert_eq!(layout.find(None, "PR.04"), Err(LayoutError::Ambiguous("PR.04".to_owned())));
        let unknown = LayoutError::Unknown("tegra234-gpio/PBB.01".to_owned());
        assert_eq!(layout.find(Some("tegra234-gpio"), "PBB.01"), Err(unknown));
        assert_eq!(layout.name(LineId(2)), "PBB.01");
    }

    #[test]
    fn what_the_kernel_would_refuse_is_refused() {
        for (text, says) in [
            ("line 1 a low", "line 1"),
            ("chip a 8\nline 1 b up", "line 2"),
            ("chip a 0", "1 to"),
            ("chip a 8\nline 8 b low", "line 8"),
            ("chip a 8\nline 1 b low\nline 1 c low", "twice"),
        ] {
            let error = text.parse::<Layout>().expect_err(text);
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}
