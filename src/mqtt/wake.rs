//! One bell for the worker: producers, paho's callbacks and shutdown all ring it.

use std::sync::Arc;
use std::task;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

/// Rings the worker. Cheap to clone, never blocks; rings before the worker looks are one.
#[derive(Debug, Clone)]
pub(super) struct Bell(Sender<()>);

/// The worker's side: waits for the bell or for time to pass.
#[derive(Debug)]
pub(super) struct Ear(Receiver<()>);

pub(super) fn pair() -> (Bell, Ear) {
    let (tx, rx) = bounded(1);
    (Bell(tx), Ear(rx))
}

impl Bell {
    pub(super) fn ring(&self) {
        // Full means that the worker has not yet answered an earlier ring: it will look.
        // Closed means that it is gone, and nobody needs waking.
        let _already_rung = self.0.try_send(());
    }
}

impl task::Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

impl Ear {
    /// Returns at the next ring, or after `limit`.
    pub(super) fn wait(&self, limit: Duration) {
        let _rung_or_late = self.0.recv_timeout(limit);
    }
}
