//! The thread that waits for the disk, so that nobody else has to.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rustix::fs::fdatasync;
use rustix::io::Errno;
use vigia_core::pump::LEDGER_BYTES;

use super::slot::Slots;

type Record = [u8; LEDGER_BYTES];
/// A disk that refused is asked again.
const AGAIN: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct Desk {
    /// Only the newest counts.
    next: Option<(u64, Record)>,
    is_over: bool,
}

/// What both threads hold. The lock is held for copying a record, never over a write.
#[derive(Debug, Default)]
struct Shared {
    desk: Mutex<Desk>,
    changed: Condvar,
    written: AtomicU64,
    /// The last error, 0 for none.
    error: AtomicI32,
}

#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
}

impl Writer {
    pub fn start(dir: PathBuf, new_box: PathBuf) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("ledger".into())
            .spawn(move || Pen { dir, new_box, slots: None, has_written: false }.write_on(&theirs))?;
        Ok(Self { shared })
    }

    /// Never waits: `false` when the other thread is just taking a record.
    pub fn offer(&self, generation: u64, record: Record) -> bool {
        let Some(mut desk) = self.shared.desk.try_lock() else { return false };
        desk.next = Some((generation, record));
        drop(desk);
        self.shared.changed.notify_all();
        true
    }

    /// The newest generation on the disk.
    pub fn written(&self) -> u64 {
        self.shared.written.load(Ordering::Acquire)
    }

    pub fn error(&self) -> Option<Errno> {
        let raw = self.shared.error.load(Ordering::Relaxed);
        (raw != 0).then(|| Errno::from_raw_os_error(raw))
    }

    pub fn finish(&self, generation: u64, at_most: Duration) -> bool {
        let mut desk = self.shared.desk.lock();
        desk.is_over = true;
        self.shared.changed.notify_all();
        while self.written() < generation {
            if self.shared.changed.wait_for(&mut desk, at_most).timed_out() {
                return self.written() >= generation;
            }
        }
        true
    }
}

/// The thread's own.
struct Pen {
    dir: PathBuf,
    new_box: PathBuf,
    slots: Option<Slots>,
    has_written: bool,
}

impl Pen {
    fn write_on(mut self, shared: &Shared) {
        let mut desk = shared.desk.lock();
        loop {
            match desk.next.take() {
                None if desk.is_over => return,
                None => shared.changed.wait(&mut desk),
                Some((generation, record)) => {
                    let done =
                        parking_lot::MutexGuard::unlocked(&mut desk, || self.write(generation, &record));
                    match done {
                        Ok(()) => {
                            shared.error.store(0, Ordering::Relaxed);
                            shared.written.store(generation, Ordering::Release);
                            shared.changed.notify_all();
                        }
                        Err(e) => {
                            shared.error.store(e.raw_os_error(), Ordering::Relaxed);
                            if desk.is_over {
                                return;
                            }
                            // A newer one may have come meanwhile.
                            desk.next.get_or_insert((generation, record));
                            shared.changed.wait_for(&mut desk, AGAIN);
                        }
                    }
                }
            }
        }
    }

    fn write(&mut self, generation: u64, record: &Record) -> Result<(), Errno> {
        let errno = |e: std::io::Error| Errno::from_io_error(&e).unwrap_or(Errno::IO);
        let slots = match self.slots.take() {
            Some(slots) => slots,
            None => {
                std::fs::create_dir_all(&self.dir).map_err(errno)?;
                Slots::open(&self.dir).map_err(errno)?
            }
        };
        // Opened anew after an error: the disk may have been mounted meanwhile.
        fdatasync(slots.write(generation, record)?)?;
        if !self.has_written {
            let dir = std::fs::File::open(&self.dir).map_err(errno)?;
            dir.sync_all().map_err(errno)?;
            // From here on a missing ledger is a lost one.
            if self.new_box.exists() {
                std::fs::remove_file(&self.new_box).and_then(|()| dir.sync_all()).map_err(errno)?;
            }
            self.has_written = true;
        }
        self.slots = Some(slots);
        Ok(())
    }
}
