//! What became of orders.

use std::fmt;

use super::Garbled;
use super::text::{Coded, Fields};

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Done,
    Ran(Ran),
    Left { pid: u32 },
    Jitter(Spread),
    Refused(String),
}

/// A command that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    pub end: End,
    /// The last of what it said.
    pub out: String,
    pub err: String,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Code(i32),
    Signal(i32),
    /// It was killed, being over its time.
    Limit,
}

/// Latencies, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spread {
    pub samples: u32,
    pub p50: u64,
    pub p99: u64,
    pub p999: u64,
    pub max: u64,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Ran(ran) => write!(f, "ran {} {} {}", ran.end, Coded(&ran.out), Coded(&ran.err)),
            Self::Left { pid } => write!(f, "left {pid}"),
            Self::Jitter(s) => {
                write!(f, "jitter {} {} {} {} {}", s.samples, s.p50, s.p99, s.p999, s.max)
            }
            Self::Refused(why) => write!(f, "refused {}", Coded(why)),
        }
    }
}

impl Answer {
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, Garbled> {
        Ok(match fields.word()? {
            "done" => Self::Done,
            "ran" => Self::Ran(Ran { end: End::read(fields)?, out: fields.text()?, err: fields.text()? }),
            "left" => Self::Left { pid: fields.number()? },
            "jitter" => Self::Jitter(Spread {
                samples: fields.number()?,
                p50: fields.number()?,
                p99: fields.number()?,
                p999: fields.number()?,
                max: fields.number()?,
            }),
            "refused" => Self::Refused(fields.text()?),
            _ => return Err(fields.garbled()),
        })
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::Limit => f.write_str("limit"),
        }
    }
}

impl End {
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, Garbled> {
        match fields.word()? {
            "code" => Ok(Self::Code(fields.number()?)),
            "signal" => Ok(Self::Signal(fields.number()?)),
            "limit" => Ok(Self::Limit),
            _ => Err(fields.garbled()),
        }
    }
}
