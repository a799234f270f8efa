//! The chips of the simulated board: made through configfs, pulled and looked at through sysfs.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use vigia_core::board::Level;

use super::AgentError;
use super::{Layout, LineId};
use crate::vm::layout::Chip;

const CONFIG: &str = "/sys/kernel/config/gpio-sim";
const DEVICES: &str = "/sys/devices/platform";

/// All lines, in the layout's order.
#[derive(Debug)]
pub struct Chips {
    lines: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    /// The kernel's own number over all chips: its trace knows no other name.
    number: u32,
    value: File,
    pull: File,
}

impl Chips {
    /// Makes the chips, or takes those that a former agent made.
    ///
    /// # Errors
    /// The kernel refuses, or has no gpio-sim.
    pub fn make(layout: &Layout) -> Result<Self, AgentError> {
        let mut lines = Vec::with_capacity(layout.len());
        for (place, chip) in layout.chips.iter().enumerate() {
            let folder = Path::new(CONFIG).join(format!("board{place}"));
            if !folder.exists() {
                make(&folder, chip)?;
            }
            let device = Path::new(DEVICES).join(read(&folder.join("dev_name"))?);
            let (base, bank) = (base(&device)?, device.join(read(&folder.join("bank0/chip_name"))?));
            for line in &chip.lines {
                lines.push(Line::open(&bank, base, line.offset)?);
            }
        }
        let mut chips = Self { lines };
        for (line, _, named) in layout.lines() {
            let failed = || AgentError::Missing { what: "pull", path: CONFIG.into() };
            chips.pull(line, named.pull).map_err(|_| failed())?;
        }
        Ok(chips)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Which line has the kernel's number.
    pub fn of_number(&self, number: u32) -> Option<LineId> {
        let place = self.lines.iter().position(|line| line.number == number)?;
        u16::try_from(place).ok().map(LineId)
    }

    /// What the line is at: what drives it, or the pull.
    pub fn level(&self, line: LineId) -> io::Result<Level> {
        let file = &self.line(line)?.value;
        let mut text = [0; 1];
        file.read_exact_at(&mut text, 0)?;
        Ok(if text == *b"1" { Level::High } else { Level::Low })
    }

    /// Who drives the line wins over it.
    pub fn pull(&mut self, line: LineId, to: Level) -> io::Result<()> {
        let word: &[u8] = match to {
            Level::Low => b"pull-down",
            Level::High => b"pull-up",
        };
        self.line(line)?.pull.write_all_at(word, 0)
    }

    fn line(&self, line: LineId) -> io::Result<&Line> {
        self.lines.get(usize::from(line.0)).ok_or_else(|| io::Error::other("the layout has no such line"))
    }
}

impl Line {
    fn open(bank: &Path, base: u32, offset: u32) -> Result<Self, AgentError> {
        let folder = bank.join(format!("sim_gpio{offset}"));
        let (value, pull) = (folder.join("value"), folder.join("pull"));
        Ok(Self {
            number: base + offset,
            value: File::open(&value).map_err(AgentError::at("can't open", &value))?,
            pull: OpenOptions::new().write(true).open(&pull).map_err(AgentError::at("can't open", &pull))?,
        })
    }
}

fn make(folder: &Path, chip: &Chip) -> Result<(), AgentError> {
    let bank = folder.join("bank0");
    for dir in [folder, &bank] {
        fs::create_dir(dir).map_err(AgentError::at("can't make", dir))?;
    }
    write(&bank.join("num_lines"), &chip.len.to_string())?;
    write(&bank.join("label"), &chip.label)?;
    for line in &chip.lines {
        let dir = bank.join(format!("line{}", line.offset));
        fs::create_dir(&dir).map_err(AgentError::at("can't make", &dir))?;
        write(&dir.join("name"), &line.name)?;
    }
    write(&folder.join("live"), "1")
}

/// The kernel's number of a chip's first line.
fn base(device: &Path) -> Result<u32, AgentError> {
    let class = device.join("gpio");
    let missing = || AgentError::Missing { what: "number of the chip", path: class.clone() };
    let chips = fs::read_dir(&class).map_err(AgentError::at("can't read", &class))?;
    let first: Option<PathBuf> = chips.flatten().map(|e| e.path().join("base")).find(|base| base.exists());
    read(&first.ok_or_else(missing)?)?.parse().map_err(|_| missing())
}

fn write(path: &Path, text: &str) -> Result<(), AgentError> {
    let mut file = OpenOptions::new().write(true).open(path).map_err(AgentError::at("can't open", path))?;
    file.write_all(text.as_bytes()).map_err(AgentError::at("can't write", path))
}

fn read(path: &Path) -> Result<String, AgentError> {
    let text = fs::read_to_string(path).map_err(AgentError::at("can't read", path))?;
    Ok(text.trim().to_owned())
}
