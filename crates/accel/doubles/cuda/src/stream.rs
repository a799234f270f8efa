//! Streams: a queue and a thread each.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::capture::Capture;
use crate::driver;
use crate::op::Op;

/// A stream; its thread ends when it is closed and drained.
#[derive(Debug)]
pub struct Stream {
    queue: Mutex<Queue>,
    changed: Condvar,
    pub capture: Mutex<Option<Capture>>,
    /// The stream that stands for handle 0.
    pub is_default: bool,
}

#[derive(Debug)]
struct Queue {
    ops: VecDeque<Op>,
    /// Operations so far: enqueued, allowed to run, and done.
    pushed: u64,
    released: u64,
    done: u64,
    delay: bool,
    closed: bool,
}

impl Stream {
    /// With `delay` nothing runs before somebody waits for it.
    pub fn new(delay: bool, is_default: bool) -> Arc<Self> {
        let queue = Queue { ops: VecDeque::new(), pushed: 0, released: 0, done: 0, delay, closed: false };
        let stream = Arc::new(Stream {
            queue: Mutex::new(queue),
            changed: Condvar::new(),
            capture: Mutex::new(None),
            is_default,
        });
        let worker = stream.clone();
        std::thread::spawn(move || worker.work());
        stream
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_while<'a>(
        &self,
        queue: MutexGuard<'a, Queue>,
        condition: impl FnMut(&mut Queue) -> bool,
    ) -> MutexGuard<'a, Queue> {
        self.changed.wait_while(queue, condition).unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        loop {
            let mut queue = self.wait_while(self.lock(), |q| q.done == q.released && !q.closed);
            let Some(op) = queue.ops.pop_front() else { return };
            drop(queue);
            // After a sticky error nothing runs any more, but whoever waits must not wait for ever.
            if let Ok(driver) = driver::get()
                && !driver.is_broken()
                && let Err(code) = op.run(driver)
            {
                driver.break_down(code);
            }
            self.lock().done += 1;
            self.changed.notify_all();
        }
    }

    /// Gives the number to wait for.
    pub fn push(&self, op: Op) -> u64 {
        let mut queue = self.lock();
        queue.ops.push_back(op);
        queue.pushed += 1;
        if !queue.delay {
            queue.released = queue.pushed;
        }
        self.changed.notify_all();
        queue.pushed
    }

    pub fn wait(&self, ticket: u64) {
        let mut queue = self.lock();
        queue.released = queue.released.max(ticket);
        self.changed.notify_all();
        drop(self.wait_while(queue, |q| q.done < ticket));
    }

    pub fn wait_all(&self) {
        let ticket = self.lock().pushed;
        self.wait(ticket);
    }

    /// Whether so much is done. Who asks wants it to happen, so it may run from now on.
    pub fn is_done(&self, ticket: u64) -> bool {
        let mut queue = self.lock();
        let done = queue.done >= ticket;
        queue.released = queue.released.max(ticket);
        self.changed.notify_all();
        done
    }

    pub fn is_idle(&self) -> bool {
        let ticket = self.lock().pushed;
        self.is_done(ticket)
    }

    /// What is in the queue still runs.
    pub fn close(&self) {
        let mut queue = self.lock();
        queue.released = queue.pushed;
        queue.closed = true;
        self.changed.notify_all();
    }
}
