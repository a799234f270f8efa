//! What the one who reads the guest's words shares with those who ask.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use vigia_core::board::Level;
use vigia_core::time::Instant;

use super::LinesError;
use super::heard::Heard;
use crate::vm::clock::now;
use crate::vm::layout::Layout;
use crate::vm::wire::{Ask, Feed, LineId, Order};

/// The first questions to a new guest for its time.
const QUESTIONS: u32 = 5;

#[derive(Debug)]
pub(super) struct Shared {
    pub layout: Layout,
    pub heard: Mutex<Heard>,
    pub changed: Condvar,
    to_guest: Mutex<Option<UnixStream>>,
    /// How the world pulls each line; every new guest is told.
    pulls: Mutex<Vec<Level>>,
    number: AtomicU32,
    is_ending: AtomicBool,
}

impl Shared {
    pub fn new(layout: Layout) -> Self {
        let pulls = layout.pulls();
        Self {
            heard: Mutex::new(Heard::new(pulls.clone(), now())),
            layout,
            changed: Condvar::new(),
            to_guest: Mutex::new(None),
            pulls: Mutex::new(pulls),
            number: AtomicU32::new(1),
            is_ending: AtomicBool::new(false),
        }
    }

    /// Takes one machine after the other.
    pub fn accept(&self, listener: &UnixListener) {
        for guest in listener.incoming() {
            if self.is_ending.load(Ordering::SeqCst) {
                return;
            }
            let Ok(guest) = guest else { continue };
            let Ok(to_guest) = guest.try_clone() else { continue };
            *lock(&self.to_guest) = Some(to_guest);
            self.listen_to(guest);
            *lock(&self.to_guest) = None;
            lock(&self.heard).gone(now());
            self.changed.notify_all();
        }
    }

    /// The machine that is connected is let go, and no other is taken.
    pub fn end(&self) {
        self.is_ending.store(true, Ordering::SeqCst);
        if let Some(guest) = lock(&self.to_guest).take() {
            // It is gone already, or will be now.
            let _ = guest.shutdown(Shutdown::Both);
        }
    }

    fn listen_to(&self, mut guest: UnixStream) {
        let (mut feed, mut bytes) = (Feed::default(), [0; 16 * 1024]);
        loop {
            match guest.read(&mut bytes) {
                Ok(0) => return,
                Ok(len) => {
                    let at = now();
                    feed.take(&bytes[..len], |line| self.hear(line, at));
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    fn hear(&self, line: &str, at: Instant) {
        let is_new = lock(&self.heard).hear(line, at);
        if is_new {
            // A guest that goes away right now comes up again, or is missed by whoever waits.
            let _ = self.greet();
        }
        self.changed.notify_all();
    }

    /// Tells a new guest how the world stands, and lets its programs start.
    fn greet(&self) -> Result<(), LinesError> {
        let pulls = lock(&self.pulls);
        for (line, to) in (0..).map(LineId).zip(pulls.iter()) {
            self.send(Ask::Pull { line, to: *to })?;
        }
        self.send(Ask::Go)?;
        for _ in 0..QUESTIONS {
            self.ask_time()?;
        }
        Ok(())
    }

    /// `None`: there is no guest; the next one will know.
    pub fn pull(&self, line: LineId, to: Level) -> Result<Option<u32>, LinesError> {
        let mut pulls = lock(&self.pulls);
        if let Some(pull) = pulls.get_mut(usize::from(line.0)) {
            *pull = to;
        }
        if !lock(&self.heard).is_up {
            return Ok(None);
        }
        self.send(Ask::Pull { line, to }).map(Some)
    }

    pub fn ask_time(&self) -> Result<u32, LinesError> {
        let number = self.number.fetch_add(1, Ordering::SeqCst);
        lock(&self.heard).asks_time(number, now());
        self.send_as(number, Ask::Now)
    }

    pub fn send(&self, ask: Ask) -> Result<u32, LinesError> {
        self.send_as(self.number.fetch_add(1, Ordering::SeqCst), ask)
    }

    fn send_as(&self, number: u32, ask: Ask) -> Result<u32, LinesError> {
        if !lock(&self.heard).is_up {
            return Err(LinesError::NotUp);
        }
        let line = format!("{}\n", Order { number, ask });
        let mut guest = lock(&self.to_guest);
        let guest = guest.as_mut().ok_or(LinesError::NotUp)?;
        guest.write_all(line.as_bytes()).map_err(|_| LinesError::Cut)?;
        Ok(number)
    }
}

/// Whoever panicked while holding it has left words and levels as they were.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
