//! From the configuration to running threads.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Sender, bounded, unbounded};
use serde_json::json;
use vigia_core::config::{Config, Stream};
use vigia_core::consensus::{Consensus, TriggerId};
use vigia_core::link::fingerprint;

use super::cameras::Table;
use super::courier::{self, Job};
use super::deciding::{self, Deciding};
use super::pump;
use super::spool::{Change, Left, Spool};
use super::topics::Topics;
use super::{Fire, FireError, feed};
use crate::liveness::{Part, Pulse, Roster};
use crate::mqtt::{Limits, Qos, Settings, Subscription, Timing, Will, Worker};
use crate::wire::Identity;
use crate::{clock, link};

/// Messages from the broker that may wait: outside cameras speak with every frame.
const INCOMING_LEN_MAX: usize = 2_048;
/// Orders and triggers that may wait for the app.
const ASKED_LEN_MAX: usize = 256;
/// A fire of an earlier life is told on, if it was seen this recently; what burns longer is seen again.
const FIRE_KEPT: Duration = Duration::from_secs(60);

impl Fire {
    /// Starts what the configuration asks for; nothing if it asks for neither fires nor a pump. Its threads
    /// owe signs of life from then on.
    ///
    /// # Errors
    /// [`FireError`]; then nothing runs.
    pub fn start(
        config: &Config,
        identity: &Identity,
        streams: &[Stream],
        roster: &Roster,
    ) -> Result<Option<Self>, FireError> {
        if config.fire.is_none() && config.pump.is_none() {
            return Ok(None);
        }
        let host = identity.instance_id.clone();
        let topics = Topics::new(config, &host);
        let spool = config.control.journal.as_deref().map(|path| Spool::beside(Path::new(path)));
        let (mut spool, mut left) = Spool::open(spool.as_deref())?;
        let open = settle(&mut spool, &mut left, &identity.boot_id)?;
        let table = table(config, streams, left.next_fire)?;
        let worker = Worker::start(settings(config, identity, &topics))?;
        roster.watch(Part::FireMqtt, None, worker.pulse());
        let outbox = worker.outbox().clone();
        let (feed, food) = feed::pair();
        let (tasks, task_inbox) = unbounded();
        let (jobs, job_inbox) = unbounded();
        let (asked_in, asked) = bounded(ASKED_LEN_MAX);
        let (told_in, told) = unbounded();
        let (end, done) = bounded::<()>(0);
        let glance = Arc::<arc_swap::ArcSwap<super::Glance>>::default();
        let seen = Arc::<std::sync::atomic::AtomicU64>::default();
        let pump_glance = Arc::<arc_swap::ArcSwap<pump::Glance>>::default();
        let news = match &config.pump {
            None => None,
            Some(pump) => {
                let (news, inbox) = unbounded();
                let tools = pump::Tools {
                    socket: pump.socket.clone(),
                    plan: pump.plan.as_ref().map(fingerprint),
                    host: host.clone(),
                    topics: topics.clone(),
                    outbox: outbox.clone(),
                    own: news.clone(),
                    inbox,
                    tasks: tasks.clone(),
                    jobs: jobs.clone(),
                    told: told_in.clone(),
                    glance: pump_glance.clone(),
                    open,
                    next_water: left.next_fire,
                    pulse: watched(roster, Part::PumpLink),
                };
                spawn("pump-link", end.clone(), move || pump::work(tools))?;
                Some(news)
            }
        };
        let tools = courier::Tools {
            spool,
            letters: left.letters,
            outbox,
            jobs: job_inbox,
            tasks: tasks.clone(),
            news: news.clone(),
            broker_takes: config.pump.is_none(),
            pulse: watched(roster, Part::Courier),
        };
        spawn("courier", end.clone(), move || courier::work(tools))?;
        let watches = table.is_some();
        let deciding = Deciding::new(
            deciding::Tools {
                config: config.clone(),
                boot: identity.boot_id.clone(),
                host: host.clone(),
                topics,
                worker,
                food,
                tasks: task_inbox,
                jobs: jobs.clone(),
                news: news.clone(),
                asked: asked_in,
                told: told_in,
                glance: glance.clone(),
                seen: seen.clone(),
                pulse: watched(roster, Part::Fire),
            },
            table,
        );
        spawn("fire", end, move || deciding.work())?;
        let feed = watches.then_some(feed);
        Ok(Some(Self { host, feed, tasks, news, jobs, asked, told, glance, pump: pump_glance, seen, done }))
    }
}

fn watched(roster: &Roster, part: Part) -> Pulse {
    let pulse = Pulse::default();
    roster.watch(part, None, &pulse);
    pulse
}

fn spawn(name: &str, end: Sender<()>, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    let run = move || {
        work();
        drop(end);
    };
    std::thread::Builder::new().name(name.into()).spawn(run).map(drop)
}

/// What is too old to be acted upon is let go, and said. Returns what is not.
fn settle(spool: &mut Spool, left: &mut Left, boot: &str) -> Result<Vec<super::spool::Open>, FireError> {
    let now = clock::now();
    let fresh = |fire: &super::spool::Open| fire.boot == boot && now.since(fire.evidence) <= FIRE_KEPT;
    let (open, lapsed): (Vec<_>, Vec<_>) = left.fires.drain(..).partition(fresh);
    let is_open = |id: u64| open.iter().any(|fire| fire.id == id);
    let (letters, old): (Vec<_>, Vec<_>) =
        left.letters.drain(..).partition(|letter| letter.fire.is_none_or(is_open));
    left.letters = letters;
    let mut changes: Vec<Change> = lapsed.iter().map(|fire| Change::Taken(fire.id)).collect();
    changes.extend(old.iter().map(|letter| Change::Delivered(letter.number)));
    for fire in &lapsed {
        tracing::warn!(
            component = "fire",
            event = "fire_lapsed",
            fire = fire.id,
            "a fire of an earlier life was not taken over, and is too old to be acted upon; if it burns, it is seen again"
        );
    }
    spool.write(&changes)?;
    Ok(open)
}

/// Streams that commands left must not keep the box from watching: the configured ones are good.
fn table(config: &Config, streams: &[Stream], first: u64) -> Result<Option<Table>, FireError> {
    let Some(now_wanted) = config.consensus(streams) else { return Ok(None) };
    let (wanted, outdated) = match now_wanted {
        Ok(wanted) => (wanted, None),
        Err(faults) => {
            let said = faults.first().map(ToString::to_string).unwrap_or_default();
            let configured = config.consensus(&config.streams).and_then(Result::ok);
            (configured.ok_or_else(|| FireError::Consensus(said.clone()))?, Some(said))
        }
    };
    let consensus = Consensus::new(wanted, clock::now(), TriggerId(first));
    Ok(Some(Table::new(consensus, config, streams, outdated)))
}

fn settings(config: &Config, identity: &Identity, topics: &Topics) -> Settings {
    let will = json!({
        "host": identity.instance_id, "status": "offline", "timestamp": clock::utc(), "boot_id": identity.boot_id,
    });
    let will = Will {
        topic: topics.presence.to_string(),
        payload: will.to_string().into_bytes(),
        qos: Qos::AtLeastOnce,
        retain: true,
    };
    // A name of its own each time: nobody can be evicted by a rename.
    let client = format!("vigia_fire-{}-{:08x}", identity.instance_id, fastrand::u32(..));
    let to = |filter: String| Subscription { filter, qos: Qos::AtLeastOnce };
    Settings {
        component: "fire",
        broker: link::broker(&config.mqtt, client, Some(will)),
        subscriptions: topics.filters(config).into_iter().map(to).collect(),
        limits: Limits { incoming_len_max: INCOMING_LEN_MAX, ..Limits::default() },
        timing: Timing::default(),
        clock: clock::now,
    }
}

/// Kept apart so that nobody has to know jobs.
pub(super) fn keep(jobs: &Sender<Job>, change: Change) {
    // The courier ends after everybody else.
    let _ = jobs.send(Job::Write(change));
}
