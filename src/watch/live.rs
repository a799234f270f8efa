//! The model fed from a broker, until the time is up or someone has seen enough.

use std::io::{self, Write};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvError, select};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use vigia_core::time::Instant;

use super::lines::Lines;
use super::model::{Change, Model};
use super::screen;
use crate::clock;
use crate::mqtt::{Incoming, Worker};

/// Keys are looked for this often.
const KEYS_EVERY: Duration = Duration::from_millis(50);
const DRAW_EVERY_MIN: Duration = Duration::from_millis(100);
/// Ages grow though nothing comes.
const DRAW_EVERY_MAX: Duration = Duration::from_secs(1);
/// The end and a change of the link are noticed within this.
const NAP_MAX: Duration = Duration::from_millis(500);

/// Why a view ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By a key, a signal, or because nobody reads any more.
    Asked,
    TimeUp,
}

/// One look at a broker.
#[derive(Debug)]
pub struct Watch {
    pub model: Model,
    pub worker: Worker,
    /// A signal asks to stop.
    pub stop: Receiver<()>,
    pub until: Option<Instant>,
}

/// What there is to do next.
enum Next {
    Message(Incoming),
    Link,
    Stop,
    Nothing,
}

impl Watch {
    /// Writes a line per change.
    ///
    /// # Errors
    /// If `out` fails other than by being closed, or the link's thread is gone.
    pub fn lines(&mut self, out: &mut impl Write) -> io::Result<End> {
        match self.write_lines(out) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(End::Asked),
            outcome => outcome,
        }
    }

    fn write_lines(&mut self, out: &mut impl Write) -> io::Result<End> {
        let mut lines = Lines::new(clock::now());
        writeln!(out, "{}", Lines::opening(&self.model))?;
        loop {
            out.flush()?;
            let now = clock::now();
            if self.is_over(now) {
                return Ok(End::TimeUp);
            }
            let next = self.next(now, lines.due().since(now).min(NAP_MAX))?;
            let now = self.tick();
            let mut say = Vec::new();
            match next {
                Next::Message(m) => {
                    let changes = self.apply(now, &m);
                    say = lines.changes(now, &self.model, &changes);
                }
                Next::Link => say.extend(lines.link(now, &self.model)),
                Next::Stop => return Ok(End::Asked),
                Next::Nothing => {}
            }
            say.extend(lines.summary(now, &self.model));
            for line in say {
                writeln!(out, "{line}")?;
            }
        }
    }

    /// Takes over the terminal, and gives it back however this ends.
    ///
    /// # Errors
    /// If the terminal can't be used, or the link's thread is gone.
    pub fn screen(&mut self) -> io::Result<End> {
        let mut terminal = Borrowed::take()?;
        let mut drawn = (None, Instant(0));
        let mut keys = Keys { usable: true };
        let mut keys_due = clock::now();
        loop {
            let now = clock::now();
            if self.is_over(now) {
                return Ok(End::TimeUp);
            }
            match self.next(now, keys_due.since(now))? {
                Next::Message(m) => {
                    let now = self.tick();
                    self.apply(now, &m);
                }
                Next::Stop => return Ok(End::Asked),
                Next::Link | Next::Nothing => {}
            }
            let now = self.tick();
            let mut resized = false;
            if now >= keys_due {
                keys_due = now.after(KEYS_EVERY);
                match keys.pressed() {
                    Key::Quit => return Ok(End::Asked),
                    Key::Resized => resized = true,
                    Key::None => {}
                }
            }
            let (version, at) = drawn;
            let changed = version != Some(self.model.version()) && now.since(at) >= DRAW_EVERY_MIN;
            if changed || resized || now.since(at) >= DRAW_EVERY_MAX {
                terminal.0.draw(|frame| screen::draw(frame, &self.model, now))?;
                drawn = (Some(self.model.version()), now);
            }
        }
    }

    /// Waits for whatever comes first, and takes note of the link.
    fn next(&mut self, now: Instant, wait: Duration) -> io::Result<Next> {
        let wait = self.until.map_or(wait, |until| wait.min(until.since(now)));
        select! {
            recv(self.stop) -> _ => Ok(Next::Stop),
            recv(self.worker.events()) -> link => {
                let link = link.map_err(link_ended)?;
                self.model.set_link(link);
                Ok(Next::Link)
            }
            recv(self.worker.incoming()) -> message => Ok(Next::Message(message.map_err(link_ended)?)),
            default(wait) => Ok(Next::Nothing),
        }
    }

    fn apply(&mut self, now: Instant, m: &Incoming) -> Vec<Change> {
        self.model.apply(now, &m.topic, &m.payload, m.retained)
    }

    fn tick(&mut self) -> Instant {
        let now = clock::now();
        self.model.tell_wall(now, clock::utc());
        self.model.set_lost(self.worker.stats().incoming_dropped);
        now
    }

    fn is_over(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now >= until)
    }
}

fn link_ended(_: RecvError) -> io::Error {
    io::Error::other("the MQTT link ended by itself")
}

/// The terminal, while it is ours. A panic gives it back too, by ratatui's hook.
struct Borrowed(DefaultTerminal);

impl Borrowed {
    fn take() -> io::Result<Self> {
        ratatui::try_init().map(Self).inspect_err(|_| {
            // Half taken over is given back as far as it goes.
            let _ = ratatui::try_restore();
        })
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        // A terminal that is gone needs no restoring.
        let _ = ratatui::try_restore();
    }
}

/// The keyboard, as long as there is one.
struct Keys {
    usable: bool,
}

enum Key {
    Quit,
    Resized,
    None,
}

impl Keys {
    fn pressed(&mut self) -> Key {
        let mut seen = Key::None;
        while self.usable && event::poll(Duration::ZERO).unwrap_or(false) {
            match event::read() {
                Ok(Event::Key(key)) if key.kind == KeyEventKind::Press => {
                    let control_c =
                        key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
                    if control_c || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
                        return Key::Quit;
                    }
                }
                Ok(Event::Resize(..)) => seen = Key::Resized,
                Ok(_) => {}
                Err(_) => self.usable = false,
            }
        }
        seen
    }
}
