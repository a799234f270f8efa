//! The app's desk: jobs go out to the operator, progress comes back.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use serde_json::Value;
use vigia_core::config::Config;
use vigia_core::control::{Command, Desired, Effect, Refusal};

use super::evidence::Inquiry;
use super::operator::work;
use super::plans::News;
use super::running::Ended;
use super::sink::Sink;
use crate::camera::Report;
use crate::camera::latest::Latest;
use crate::clock;
use crate::liveness::Roster;
use crate::mqtt::{Settings, Worker};
use crate::wire::Identity;

/// What the operator works with.
pub struct Tools {
    pub config: Config,
    pub latest: Arc<Latest>,
    pub inquiry: Inquiry,
    /// Makes the sink of each new detector.
    pub sink: Box<dyn Fn() -> Sink + Send>,
    pub reports: Sender<Report>,
    pub ended: Sender<Ended>,
    /// Where cameras and detector are watched.
    pub roster: Roster,
}

/// What is to be done.
#[derive(Debug)]
pub enum Job {
    /// Loads the model and starts all streams.
    Start(Desired),
    /// The same, after everything was taken down.
    Restart(Desired),
    Apply(Box<Plan>),
    /// Makes a connection under another name.
    Connect(Box<Settings>, Box<Identity>),
    /// Lets the old connection say what waits, and ends it.
    Retire(Box<Worker>),
}

/// Changes that belong to one command.
#[derive(Debug)]
pub struct Plan {
    /// One per command of a batch, else one.
    pub steps: Vec<Step>,
    /// Each step has its result.
    pub is_batch: bool,
    /// All or nothing; else each step for itself.
    pub atomic: bool,
    /// Frames on which a new model is compared with the old one before the switch.
    pub shadow_frames: u32,
    /// What is so on paper: streams to come may get other settings than the operator knows.
    pub base: Desired,
    pub config: Config,
}

#[derive(Debug)]
pub struct Step {
    pub command: Command,
    /// What is to be afterwards, if the command does not say it alone.
    pub next: Option<Desired>,
}

/// How a job goes on.
#[derive(Debug)]
pub enum Progress {
    /// It passed every check; from here on it may be noticed.
    Begun,
    Ended(Box<Outcome>),
    /// Another engine is at work though nobody asked for it; as the status shows it.
    Engine(Value),
    /// The engine at work stays a substitute, for this reason.
    Degraded(String),
    /// Of a plan that is built meanwhile.
    Build(News),
    /// A plan is being measured: another frame is done.
    Measured,
    Connected(Result<(Worker, Box<Identity>), Refusal>),
    Retired,
}

/// What came of a job. `reached` is what is so now.
#[derive(Debug)]
pub struct Outcome {
    /// Of [`Job::Start`].
    pub is_start: bool,
    pub result: Result<(), Refusal>,
    pub effect: Effect,
    pub reached: Desired,
    /// Whether it came as far as [`Progress::Begun`].
    pub begun: bool,
    /// Cameras and detector are at work.
    pub works: bool,
    /// The engine as the status shows it, if it is another one.
    pub engine: Option<Value>,
}

/// The app's end.
#[derive(Debug)]
pub struct Desk {
    jobs: Option<Sender<Job>>,
    cancels: Option<Sender<String>>,
    pub progress: Receiver<Progress>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Desk {
    /// # Errors
    /// If the operating system gives no thread.
    pub fn open(tools: Tools, desired: Desired) -> std::io::Result<Self> {
        // One job is out at a time: the machine admits no second.
        let (jobs, inbox) = bounded(1);
        // As many as there are commands; builds are rare.
        let (cancels, cancelled) = unbounded();
        let (told, progress) = unbounded();
        let thread = std::thread::Builder::new()
            .name("operator".into())
            .spawn(move || work(tools, desired, told, &inbox, cancelled))?;
        Ok(Self { jobs: Some(jobs), cancels: Some(cancels), progress, thread: Some(thread) })
    }

    pub fn give(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // The thread ends only after this sender has.
            let _ = jobs.send(job);
        }
    }

    /// Ends the build of this model's plan.
    pub fn cancel_build(&self, model_id: String) {
        if let Some(cancels) = &self.cancels {
            // As above.
            let _ = cancels.send(model_id);
        }
    }

    /// Everything stops, in at most `limit`; a job that takes longer is left behind.
    pub fn close(&mut self, limit: Duration) {
        drop((self.jobs.take(), self.cancels.take()));
        let until = clock::now().after(limit);
        // The progress channel is closed when the thread has ended.
        while self.progress.recv_timeout(until.since(clock::now())).is_ok() {}
        if let Some(thread) = self.thread.take()
            && thread.is_finished()
        {
            let _ = thread.join();
        }
    }
}
