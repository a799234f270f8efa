//! What the host and the agent in the guest say to each other: lines of text over a serial port.
//!
//! ```text
//! host → guest   7 pull 3 high            guest → host   hello 1 812345678 6f1c… 0100
//!                8 run 5000 ls%20/data                   edge 3 1 812399999 trace
//!                                                        7 812399000 done
//! ```
//!
//! Orders are numbered, and each gets one answer with its number. Everything else the guest says on its
//! own. Times are the guest's: nanoseconds of its `CLOCK_MONOTONIC`. A line that nobody understands is an
//! error of the one who reads it, never a guess: the guest may be cut off in the middle of a line.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;
use vigia_core::board::Level;

mod answer;
mod text;

pub use answer::{Answer, End, Ran, Spread};
pub use text::Feed;
use text::{Coded, Fields};

/// Both ends are built together; this finds an old agent in a new guest all the same.
pub const VERSION: u32 = 1;
/// A longer line is no line.
pub const LINE_LEN_MAX: usize = 64 * 1024;
/// So much of what a command says comes back: the end of it.
pub const TAIL_LEN_MAX: usize = 8 * 1024;

/// Nanoseconds of the guest's `CLOCK_MONOTONIC`; they begin anew with each boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct GuestTime(pub u64);

impl GuestTime {
    /// Zero if `earlier` is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// A line's place in the [`Layout`](super::layout::Layout).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineId(pub u16);

/// One order of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub number: u32,
    pub ask: Ask,
}

/// What the host wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// The guest's time.
    Now,
    /// All contacts stand as they should: whoever waits for the lines may start.
    Go,
    /// The world pulls a line. Answered with the time just before.
    Pull { line: LineId, to: Level },
    /// Runs a command of the shell to its end or up to a limit.
    Run { limit: Duration, command: String },
    /// Starts one that goes on.
    Leave { command: String },
    /// How late the guest wakes after sleeps of 1 ms.
    Jitter { samples: u32 },
}

/// How the guest knows of an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// By the kernel's own trace: to the microsecond.
    Trace,
    /// By a pull that was ordered: to the microsecond.
    Pull,
    /// By looking: some milliseconds late. A line let go is seen only so.
    Look,
}

/// A line has changed its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    pub line: LineId,
    pub level: Level,
    pub at: GuestTime,
    pub seen: Seen,
}

/// What the guest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// The lines are there, and stand like this.
    Hello {
        at: GuestTime,
        boot: String,
        levels: Vec<Level>,
    },
    Edge(Edge),
    /// Somebody made a line an output, or an input.
    Turned {
        line: LineId,
        drives: bool,
        at: GuestTime,
    },
    /// All that happened before this moment has been said.
    Mark(GuestTime),
    /// The kernel's trace ran over: edges may be missing.
    Lost,
    Answer {
        number: u32,
        at: GuestTime,
        answer: Answer,
    },
}

/// What was read is not of this language.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not understood: {0:?}")]
pub struct Garbled(pub String);

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.number)?;
        match &self.ask {
            Ask::Now => f.write_str("now"),
            Ask::Go => f.write_str("go"),
            Ask::Pull { line, to } => write!(f, "pull {} {}", line.0, digit(*to)),
            Ask::Run { limit, command } => write!(f, "run {} {}", limit.as_millis(), Coded(command)),
            Ask::Leave { command } => write!(f, "leave {}", Coded(command)),
            Ask::Jitter { samples } => write!(f, "jitter {samples}"),
        }
    }
}

impl FromStr for Order {
    type Err = Garbled;

    fn from_str(text: &str) -> Result<Self, Garbled> {
        let mut fields = Fields::of(text);
        let number = fields.number()?;
        let ask = match fields.word()? {
            "now" => Ask::Now,
            "go" => Ask::Go,
            "pull" => Ask::Pull { line: LineId(fields.number()?), to: level(&mut fields)? },
            "run" => Ask::Run { limit: Duration::from_millis(fields.number()?), command: fields.text()? },
            "leave" => Ask::Leave { command: fields.text()? },
            "jitter" => Ask::Jitter { samples: fields.number()? },
            _ => return Err(fields.garbled()),
        };
        fields.end()?;
        Ok(Self { number, ask })
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hello { at, boot, levels } => {
                let levels: String = levels.iter().map(|l| digit(*l)).collect();
                write!(f, "hello {VERSION} {} {} {}", at.0, Coded(boot), Coded(&levels))
            }
            Self::Edge(e) => {
                write!(f, "edge {} {} {} {}", e.line.0, digit(e.level), e.at.0, e.seen.name())
            }
            Self::Turned { line, drives, at } => {
                write!(f, "turned {} {} {}", line.0, if *drives { "out" } else { "in" }, at.0)
            }
            Self::Mark(at) => write!(f, "mark {}", at.0),
            Self::Lost => f.write_str("lost"),
            Self::Answer { number, at, answer } => write!(f, "{number} {} {answer}", at.0),
        }
    }
}

impl FromStr for Word {
    type Err = Garbled;

    fn from_str(text: &str) -> Result<Self, Garbled> {
        let mut fields = Fields::of(text);
        let word = match fields.word()? {
            "hello" => hello(&mut fields)?,
            "edge" => Self::Edge(Edge {
                line: LineId(fields.number()?),
                level: level(&mut fields)?,
                at: GuestTime(fields.number()?),
                seen: Seen::of(&mut fields)?,
            }),
            "turned" => Self::Turned {
                line: LineId(fields.number()?),
                drives: fields.one_of("in", "out")?,
                at: GuestTime(fields.number()?),
            },
            "mark" => Self::Mark(GuestTime(fields.number()?)),
            "lost" => Self::Lost,
            number => {
                let number = number.parse().map_err(|_| fields.garbled())?;
                let at = GuestTime(fields.number()?);
                Self::Answer { number, at, answer: Answer::read(&mut fields)? }
            }
        };
        fields.end()?;
        Ok(word)
    }
}

fn hello(fields: &mut Fields<'_>) -> Result<Word, Garbled> {
    if fields.number::<u32>()? != VERSION {
        return Err(fields.garbled());
    }
    let (at, boot) = (GuestTime(fields.number()?), fields.text()?);
    let levels = fields.text()?;
    let levels: Option<Vec<Level>> = levels.chars().map(of_digit).collect();
    Ok(Word::Hello { at, boot, levels: levels.ok_or_else(|| fields.garbled())? })
}

impl Seen {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Pull => "pull",
            Self::Look => "look",
        }
    }

    fn of(fields: &mut Fields<'_>) -> Result<Self, Garbled> {
        let name = fields.word()?;
        let all = [Self::Trace, Self::Pull, Self::Look];
        all.into_iter().find(|s| s.name() == name).ok_or_else(|| fields.garbled())
    }
}

const fn digit(level: Level) -> char {
    match level {
        Level::Low => '0',
        Level::High => '1',
    }
}

const fn of_digit(digit: char) -> Option<Level> {
    match digit {
        '0' => Some(Level::Low),
        '1' => Some(Level::High),
        _ => None,
    }
}

fn level(fields: &mut Fields<'_>) -> Result<Level, Garbled> {
    Ok(if fields.one_of("0", "1")? { Level::High } else { Level::Low })
}

#[cfg(test)]
mod tests;
