//! A build that runs beside the detector, and can be cancelled.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, after, unbounded};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use vigia_core::config::Detector;

use super::job::{self, Job, JobError};
use super::progress::Line;
use crate::detect::manifest::Located;

/// A builder that doesn't come to a step by then is killed.
const CANCEL_WITHIN: Duration = Duration::from_secs(10);

/// What a build says.
#[derive(Debug)]
pub enum Event {
    Line(Line),
    /// The last one.
    Ended(Result<(), JobError>),
}

/// A build. Dropping it kills it.
#[derive(Debug)]
pub struct Building {
    pub model_id: String,
    pub events: Receiver<Event>,
    /// Means this very process, also after it has ended.
    process: Arc<OwnedFd>,
}

impl Building {
    /// Starts the build of a model's plan. It ends with the thread that calls this, if not before.
    ///
    /// # Errors
    /// [`JobError::Start`].
    pub fn start(located: &Located, config: &Detector, afresh: bool) -> Result<Self, JobError> {
        let job = Job::start(job::arguments(located, config, afresh))?;
        let none = || std::io::Error::other("it has no number");
        let pid = i32::try_from(job.id()).ok().and_then(Pid::from_raw).ok_or_else(none);
        let process =
            pid.and_then(|pid| Ok(pidfd_open(pid, PidfdFlags::empty())?)).map_err(JobError::Start)?;
        // A few hundred lines.
        let (tell, events) = unbounded();
        let follow = move || {
            let ended = job.follow(|_, line| {
                // Who started it may have no use for it any more.
                let _ = line.map(|line| tell.send(Event::Line(line)));
            });
            let _ = tell.send(Event::Ended(ended));
        };
        std::thread::Builder::new().name("engine-build".into()).spawn(follow).map_err(JobError::Start)?;
        Ok(Self { model_id: located.manifest.id.clone(), events, process: Arc::new(process) })
    }

    /// Asks it to end at its next step. [`Event::Ended`] tells when it has.
    pub fn cancel(&self) {
        let _ = pidfd_send_signal(&*self.process, Signal::TERM);
        let process = self.process.clone();
        let kill = move || {
            let _ = after(CANCEL_WITHIN).recv();
            // Of one that has ended it is an error, and nobody else is meant.
            let _ = pidfd_send_signal(&*process, Signal::KILL);
        };
        if std::thread::Builder::new().name("build-cancel".into()).spawn(kill).is_err() {
            let _ = pidfd_send_signal(&*self.process, Signal::KILL);
        }
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        let _ = pidfd_send_signal(&*self.process, Signal::KILL);
    }
}
