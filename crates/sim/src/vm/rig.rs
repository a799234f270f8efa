//! A board with its machine and its lines, ready to be switched on.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use vigia_core::board::{self, Level};

use super::board::{BoardError, load};
use super::clock::now;
use super::layout::LayoutError;
use super::lines::{Lines, LinesError};
use super::machine::{Machine, MachineError, Setup};
use super::product::{Product, pack};
use super::wire::{End, LineId};
use super::wiring::{Wiring, layout};

/// A boot takes 10 s on a machine that is free, and many times that on a busy one.
pub const BOOT_MAX: Duration = Duration::from_secs(240);
const SYSTEM_MAX: Duration = Duration::from_secs(120);

/// What to build from.
#[derive(Debug, Clone)]
pub struct Options {
    /// `tests/vm/build.sh` fills it.
    pub floor: PathBuf,
    /// This rig's own files; left there for whoever looks why.
    pub work: PathBuf,
    pub board: PathBuf,
    /// The product's files for `/opt/vigia`, if any.
    pub product: Option<PathBuf>,
    pub cpus: u32,
}

/// The rig. The machine is off at first.
#[derive(Debug)]
pub struct Rig {
    pub machine: Machine,
    pub lines: Arc<Lines>,
    pub board: board::Lines,
    pub wiring: Wiring,
}

/// How long the guest took to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boot {
    /// From the switch to the agent's first word, by the host's clock.
    pub to_lines: Duration,
    /// To systemd having started all it wanted to.
    pub to_system: Duration,
}

/// What went wrong with it.
#[derive(Debug, Error)]
pub enum RigError {
    #[error("{0}")]
    Machine(#[from] MachineError),
    #[error("{0}")]
    Lines(#[from] LinesError),
    #[error("{0}")]
    Board(#[from] BoardError),
    #[error("{0}")]
    Layout(#[from] LayoutError),
    #[error("can't find the programs beside this one: {0}")]
    Programs(#[source] std::io::Error),
    #[error("a thread can't be started: {0}")]
    Thread(#[source] std::io::Error),
    #[error("{command:?} in the guest ended with {end}: {says}")]
    Command { command: String, end: End, says: String },
    #[error("{0}")]
    Not(String),
}

impl Rig {
    /// # Errors
    /// Floor, board or programs are missing.
    pub fn new(options: &Options) -> Result<Self, RigError> {
        let board = load(&options.board)?;
        let layout = layout(&board, &[])?;
        let wiring = Wiring::of(&board, &layout)?;
        let beside = std::env::current_exe().map_err(RigError::Programs)?;
        let agent = beside.with_file_name("vigia-lines");
        let (socket, image) = (options.work.join("lines.sock"), options.work.join("product.squashfs"));
        let setup = Setup {
            floor: options.floor.clone(),
            work: options.work.clone(),
            product: image.clone(),
            socket: socket.clone(),
            cpus: options.cpus,
            memory_mib: Setup::MEMORY_MIB,
        };
        let machine = Machine::new(setup)?;
        pack(&Product { folder: options.product.as_deref(), agent: &agent, layout: &layout }, &image)?;
        let lines = Arc::new(Lines::listen(&socket, layout)?);
        Ok(Self { machine, lines, board, wiring })
    }

    /// Switches the machine on and waits for all of it.
    ///
    /// # Errors
    /// It does not start, or not in time.
    pub fn boot(&mut self) -> Result<Boot, RigError> {
        let (boots, _) = self.lines.boots();
        let since = now();
        self.machine.start()?;
        let to_lines = self.wait_up(boots, BOOT_MAX).map(|()| now().since(since))?;
        // What failed to start is for whoever asks about it.
        self.lines.run("systemctl is-system-running --wait", SYSTEM_MAX)?;
        Ok(Boot { to_lines, to_system: now().since(since) })
    }

    /// Waits for the guest after the first `boots` ones; says why there is none.
    ///
    /// # Errors
    /// It did not come.
    pub fn wait_up(&mut self, boots: u32, limit: Duration) -> Result<(), RigError> {
        let up = self.lines.wait_up(boots, limit);
        self.machine.check()?;
        up.map(drop)
            .map_err(|e| RigError::Not(format!("{e}; the guest's last words: {}", self.machine.serial())))
    }

    /// What a command says that ends well.
    ///
    /// # Errors
    /// It does not.
    pub fn run(&self, command: &str) -> Result<String, RigError> {
        const LIMIT: Duration = Duration::from_secs(60);
        let ran = self.lines.run(command, LIMIT)?;
        if ran.end == End::Code(0) {
            return Ok(ran.out.trim().to_owned());
        }
        let says = format!("{}{}", ran.out, ran.err).trim().to_owned();
        Err(RigError::Command { command: command.to_owned(), end: ran.end, says })
    }

    /// # Errors
    /// The board has no such line, or several.
    pub fn line(&self, name: &str) -> Result<LineId, RigError> {
        Ok(self.lines.layout().find(None, name)?)
    }

    /// As gpiod's tools and people write it: chip and number.
    ///
    /// # Errors
    /// The board has no such line, or several.
    pub fn place(&self, name: &str) -> Result<(String, u32), RigError> {
        let line = self.line(name)?;
        let mut all = self.lines.layout().lines();
        let found =
            all.find(|(id, ..)| *id == line).map(|(_, chip, named)| (chip.label.clone(), named.offset));
        found.ok_or_else(|| RigError::Not(format!("no line {name}")))
    }

    /// What a program in the guest reads.
    ///
    /// # Errors
    /// `gpioget` fails.
    pub fn read(&self, name: &str) -> Result<Level, RigError> {
        let (chip, offset) = self.place(name)?;
        match self.run(&format!("gpioget {chip} {offset}"))?.as_str() {
            "0" => Ok(Level::Low),
            "1" => Ok(Level::High),
            other => Err(RigError::Not(format!("gpioget {chip} {offset} says {other:?}"))),
        }
    }
}
