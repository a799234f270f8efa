//! The kernel's own events of its GPIO lines, with its own times.
//!
//! `gpio_value` comes with each write of a line, whether it changes anything or not: one event per line,
//! also where one call writes many. Just before the write; after it where a line is made an output.
//! `gpio_direction` comes when a line is made an input or an output. Letting a line go makes no event,
//! nor does a pull.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;
use vigia_core::board::Level;

use super::{AgentError, Feed, GuestTime};

/// An instance of our own: nobody else's settings, nobody else's events.
const FOLDER: &str = "/sys/kernel/tracing/instances/vigia";

/// Reads are left out: a program that looks at twenty lines a hundred times a second would fill it.
const SETTINGS: [(&str, &str); 7] = [
    ("trace_clock", "mono"),
    ("buffer_size_kb", "2048"),
    // Otherwise nobody is woken before the buffer is half full.
    ("buffer_percent", "0"),
    ("events/gpio/gpio_value/filter", "get==0"),
    ("events/gpio/gpio_value/enable", "1"),
    ("events/gpio/gpio_direction/enable", "1"),
    ("tracing_on", "1"),
];

/// Something happened to a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    pub at: GuestTime,
    /// The kernel's.
    pub number: u32,
    pub what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Set(Level),
    Turned { drives: bool },
}

/// The open pipe.
#[derive(Debug)]
pub struct Trace {
    pipe: File,
    feed: Feed,
}

impl Trace {
    /// # Errors
    /// The kernel has no such trace.
    pub fn open() -> Result<Self, AgentError> {
        let folder = Path::new(FOLDER);
        if !folder.exists() {
            fs::create_dir(folder).map_err(AgentError::at("can't make", folder))?;
        }
        for (name, value) in SETTINGS {
            let path = folder.join(name);
            fs::write(&path, value).map_err(AgentError::at("can't write", &path))?;
        }
        let (path, flags) = (folder.join("trace_pipe"), OFlags::NONBLOCK.bits().cast_signed());
        let pipe = OpenOptions::new().read(true).custom_flags(flags).open(&path);
        let pipe = pipe.map_err(AgentError::at("can't open", &path))?;
        Ok(Self { pipe, feed: Feed::default() })
    }

    /// All there is. Returns whether the kernel has thrown some away.
    pub fn drain(&mut self, events: &mut Vec<Event>) -> bool {
        let (mut bytes, mut lost) = ([0; 4096], false);
        loop {
            match self.pipe.read(&mut bytes) {
                Ok(0) => return lost,
                Ok(len) => self.feed.take(&bytes[..len], |line| {
                    lost |= line.contains("[LOST ");
                    events.extend(event(line));
                }),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return lost,
            }
        }
    }

    /// Readable when there is something.
    pub fn wakes_by(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

/// `  gpioset-210   [000] .....    14.123456: gpio_value: 600 set 1`. A program's name may hold anything,
/// so it is read from the event on.
fn event(line: &str) -> Option<Event> {
    let (value, direction) = (line.rsplit_once(": gpio_value: "), line.rsplit_once(": gpio_direction: "));
    let (before, after) = value.or(direction)?;
    let mut words = after.split_ascii_whitespace();
    let number = words.next()?.parse().ok()?;
    let what = match (words.next()?, words.next()?) {
        ("set", "0") => What::Set(Level::Low),
        ("set", "1") => What::Set(Level::High),
        ("in", "(0)") => What::Turned { drives: false },
        ("out", "(0)") => What::Turned { drives: true },
        _ => return None,
    };
    Some(Event { at: time(before.split_ascii_whitespace().next_back()?)?, number, what })
}

/// Seconds with six places.
fn time(text: &str) -> Option<GuestTime> {
    let (s, us) = text.split_once('.')?;
    let (s, us): (u64, u64) = (s.parse().ok()?, (us.len() == 6).then(|| us.parse().ok())??);
    Some(GuestTime((s * 1_000_000 + us) * 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<(u64, u32, What)>) {
        let expected = expected.map(|(us, number, what)| Event { at: GuestTime(us * 1000), number, what });
        assert_eq!(event(line), expected, "{line}");
    }

    #[test]
    fn events_are_read_as_the_kernel_prints_them() {
        let high = What::Set(Level::High);
        check(
            "         gpioset-310     [000] .....    14.223456: gpio_value: 600 set 1",
            Some((14_223_456, 600, high)),
        );
        check(
            " a b: gpio_value: 1-31  [001] d..1. 100000.000001: gpio_value: 7 set 0",
            Some((100_000_000_001, 7, What::Set(Level::Low))),
        );
        let line = "  vigia-pump-9 [000] .....     0.000010: gpio_direction: 512 out (0)";
        check(line, Some((10, 512, What::Turned { drives: true })));
        let line = "  vigia-pump-9 [000] .....     0.000010: gpio_direction: 512  in (0)";
        check(line, Some((10, 512, What::Turned { drives: false })));
    }

    #[test]
    fn what_did_not_happen_is_no_event() {
        check("  vigia-pump-9 [000] .....     0.000010: gpio_direction: 512 out (-22)", None);
        check("CPU:0 [LOST 12 EVENTS]", None);
        check("  x-9 [000] ..... 1.5: gpio_value: 512 set 1", None);
        check(": gpio_value: ", None);
    }
}
