//! A world that turns by itself.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::World;
use crate::vm::clock::{now, rest};

const TURN: Duration = Duration::from_millis(5);

/// Turns while it lives.
#[derive(Debug)]
pub struct Turning {
    world: Arc<Mutex<World>>,
    is_ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Turning {
    /// # Errors
    /// There is no thread to be had.
    pub fn start(world: World) -> io::Result<Self> {
        let world = Arc::new(Mutex::new(world));
        let is_ending = Arc::new(AtomicBool::new(false));
        let (turned, end) = (Arc::clone(&world), Arc::clone(&is_ending));
        let thread = thread::Builder::new().name("world".to_owned()).spawn(move || {
            while !end.load(Ordering::SeqCst) {
                turned.lock().unwrap_or_else(PoisonError::into_inner).turn(now());
                rest(TURN);
            }
        })?;
        Ok(Self { world, is_ending, thread: Some(thread) })
    }

    /// Something in the world is looked at, or broken. It stands still meanwhile.
    pub fn with<T>(&self, work: impl FnOnce(&mut World) -> T) -> T {
        work(&mut self.world.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for something to be so.
    ///
    /// Returns whether it was within `limit`.
    pub fn wait(&self, limit: Duration, is: impl Fn(&World) -> bool) -> bool {
        let since = now();
        loop {
            if self.with(|world| is(world)) {
                return true;
            }
            if now().since(since) >= limit {
                return false;
            }
            rest(TURN);
        }
    }
}

impl Drop for Turning {
    fn drop(&mut self) {
        self.is_ending.store(true, Ordering::SeqCst);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
