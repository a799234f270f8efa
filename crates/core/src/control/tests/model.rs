//! Random commands against a model too simple to be wrong.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proptest::prelude::*;

use super::super::{
    Admission, Batch, Change, Code, Command, Desired, Input, Machine, NewStream, Overlay, Reconfigure,
    Status, diff,
};
use super::wanted::carried_out;
use super::{at, site, uri};
use crate::config::{Config, Tracker};

/// What anybody would expect.
#[derive(Debug, Clone, PartialEq)]
struct Model {
    model: String,
    rate_to_come: f64,
    confidence_to_come: f32,
    streams: BTreeMap<u32, (String, f64, f32, Tracker)>,
    all_paused: bool,
    paused: BTreeSet<u32>,
}

impl Model {
    fn of(config: &Config) -> Self {
        let streams = config
            .streams
            .iter()
            .map(|s| (s.source_id, (s.uri.expose().to_string(), s.max_fps, s.confidence, s.tracker)));
        Self {
            model: config.detector.model.clone(),
            rate_to_come: config.stream_defaults.max_fps,
            confidence_to_come: config.stream_defaults.confidence,
            streams: streams.collect(),
            all_paused: false,
            paused: BTreeSet::new(),
        }
    }

    /// Whether the command may be obeyed; if not, nothing changed.
    fn obey(&mut self, command: &Command) -> bool {
        let before = self.clone();
        let is_fine = self.try_to_obey(command) && !self.streams.is_empty();
        if !is_fine {
            *self = before;
        }
        is_fine
    }

    fn try_to_obey(&mut self, command: &Command) -> bool {
        match command {
            Command::ChangeModel { model_id, .. } => self.model.clone_from(model_id),
            Command::SetFps { max_fps, source_id } => {
                if source_id.is_none() {
                    self.rate_to_come = *max_fps;
                }
                return self.each(*source_id, |s| s.1 = *max_fps);
            }
            Command::SetConfidence { confidence, source_id } => {
                if source_id.is_none() {
                    self.confidence_to_come = *confidence;
                }
                return self.each(*source_id, |s| s.2 = *confidence);
            }
            Command::AddStream(new) => return self.add(new),
            Command::RemoveStream { source_id } => return self.streams.remove(source_id).is_some(),
            Command::ChangeStreamUri { source_id, uri } => {
                let to = uri.as_ref().map_or_else(|| home(*source_id), |uri| uri.expose().to_string());
                return self.each(Some(*source_id), |s| s.0.clone_from(&to));
            }
            Command::Reconfigure(r) => {
                if let Some(fps) = r.max_fps {
                    self.rate_to_come = fps;
                    self.each(None, |s| s.1 = fps);
                }
                return r.remove_streams.iter().all(|id| self.streams.remove(id).is_some())
                    && r.add_streams.iter().all(|new| self.add(new));
            }
            Command::Batch(Batch { commands, atomic }) => {
                let done: Vec<bool> = commands.iter().map(|c| self.obey(c)).collect();
                return !atomic || done.into_iter().all(|done| done);
            }
            Command::Pause { sources, .. } => {
                self.all_paused |= sources.is_empty();
                self.paused.extend(sources);
                return sources.iter().all(|id| self.streams.contains_key(id));
            }
            Command::Resume { sources } => {
                if !sources.iter().all(|id| self.streams.contains_key(id)) {
                    return false;
                }
                if self.all_paused && !sources.is_empty() {
                    self.paused.extend(self.streams.keys());
                }
                self.all_paused = false;
                self.paused.retain(|id| !sources.is_empty() && !sources.contains(id));
            }
            other => panic!("not generated: {other:?}"),
        }
        true
    }

    fn each(&mut self, id: Option<u32>, f: impl Fn(&mut (String, f64, f32, Tracker))) -> bool {
        let mut chosen = self.streams.iter_mut().filter(|(at, _)| id.is_none_or(|id| id == **at)).peekable();
        let any = chosen.peek().is_some();
        chosen.for_each(|(_, stream)| f(stream));
        any
    }

    fn add(&mut self, new: &NewStream) -> bool {
        let address = new.uri.as_ref().map_or_else(|| home(new.source_id), |uri| uri.expose().to_string());
        let stream = (address, self.rate_to_come, self.confidence_to_come, Tracker::None);
        !self.streams.contains_key(&new.source_id) && self.streams.insert(new.source_id, stream).is_none()
    }
}

fn home(id: u32) -> String {
    format!("rtsp://go2rtc:8554/live/{id}")
}

fn simple() -> impl Strategy<Value = Command> {
    let id = || 0..5_u32;
    let ids =
        || prop::collection::btree_set(0..5_u32, 0..3).prop_map(|set| set.into_iter().collect::<Vec<_>>());
    let fps = || prop_oneof![Just(0.5), Just(1.0), Just(7.0)];
    let place = || prop_oneof![Just(None), Just(Some(uri("test://pattern"))), Just(Some(uri("/a.mp4")))];
    prop_oneof![
        prop_oneof![Just("a"), Just("b")]
            .prop_map(|m| Command::ChangeModel { model_id: m.into(), shadow_frames: None }),
        (fps(), prop::option::of(id()))
            .prop_map(|(max_fps, source_id)| Command::SetFps { max_fps, source_id }),
        (prop_oneof![Just(0.25), Just(0.5)], prop::option::of(id()))
            .prop_map(|(confidence, source_id)| Command::SetConfidence { confidence, source_id }),
        (id(), place()).prop_map(|(source_id, uri)| Command::AddStream(NewStream { source_id, uri })),
        id().prop_map(|source_id| Command::RemoveStream { source_id }),
        (id(), place()).prop_map(|(source_id, uri)| Command::ChangeStreamUri { source_id, uri }),
        (prop::option::of(fps()), ids(), ids()).prop_map(|(max_fps, add, remove_streams)| {
            let add_streams = add.into_iter().map(|source_id| NewStream { source_id, uri: None }).collect();
            Command::Reconfigure(Reconfigure {
                max_fps,
                add_streams,
                remove_streams,
                ..Reconfigure::default()
            })
        }),
        ids().prop_map(|sources| Command::Pause { sources, timeout: None, flush: false }),
        ids().prop_map(|sources| Command::Resume { sources }),
    ]
}

fn commands() -> impl Strategy<Value = Vec<Command>> {
    let is_pure = |c: &Command| !matches!(c, Command::Pause { .. } | Command::Resume { .. });
    let batch = (prop::collection::vec(simple().prop_filter("changes", is_pure), 1..4), any::<bool>())
        .prop_map(|(commands, atomic)| Command::Batch(Batch { commands, atomic }));
    prop::collection::vec(prop_oneof![6 => simple(), 1 => batch], 1..30)
}

/// What the body does with one command, without cameras. Whether it was obeyed.
fn carry_out(machine: &mut Machine, desired: &mut Desired, command: &Command, config: &Config) -> bool {
    let now = at(1);
    let Ok(next) = desired.apply(command, config) else { return false };
    match (command, machine.admit(command)) {
        (Command::Pause { sources, timeout, .. }, Admission::Now) => {
            drop(machine.step(now, Input::Pause { sources: sources.clone(), timeout: *timeout }));
        }
        (Command::Resume { sources }, Admission::Now) => {
            let input = Input::Resume { sources: sources.clone(), streams: desired.source_ids() };
            drop(machine.step(now, input));
        }
        (_, Admission::Enqueue(work)) => {
            drop(machine.step(now, Input::Claimed(work)));
            let changes = diff(desired, &next);
            if changes.is_empty() {
                drop(machine.step(now, Input::Released));
            } else {
                assert_eq!(machine.step(now, Input::Begun), [Status::Reconfiguring]);
                let made = carried_out(desired, &changes);
                assert_eq!(diff(&made, &next), [], "the differences make the one of the other");
                assert_eq!(diff(&carried_out(&made, &diff(&made, desired)), desired), [], "and undo it");
                drop(machine.step(now, Input::Streams(next.source_ids())));
                drop(machine.step(now, Input::Done));
            }
            *desired = next;
        }
        (_, other) => panic!("{other:?}"),
    }
    true
}

proptest! {
    #[test]
    fn any_commands_lead_where_the_model_leads(commands in commands()) {
        let config = site(&[0, 1]);
        let (mut desired, mut model) = (Desired::of(&config), Model::of(&config));
        let mut machine = Machine::default();
        let _ = machine.step(at(0), Input::LinkUp);
        let _ = machine.step(at(0), Input::Started);
        for command in &commands {
            let obeyed = carry_out(&mut machine, &mut desired, command, &config);
            prop_assert_eq!(obeyed, model.obey(command), "{:?}", command);
            model.paused.retain(|id| model.streams.contains_key(id));
            let streams = desired.streams.iter().map(|s| {
                (s.source_id, (s.uri.expose().to_string(), s.max_fps, s.confidence, s.tracker))
            });
            prop_assert_eq!(streams.collect::<BTreeMap<_, _>>(), model.streams.clone());
            prop_assert_eq!(&desired.model, &model.model);
            let silent = |id: &u32| model.all_paused || model.paused.contains(id);
            prop_assert!(model.streams.keys().all(|id| machine.is_paused(*id) == silent(id)), "{:?}", model);
            let status = if model.all_paused { Status::Paused } else { Status::Running };
            prop_assert_eq!(machine.status(), status);
        }
        let saved = Overlay::of(&desired, &config).onto(&config, &BTreeMap::new());
        prop_assert_eq!(diff(&desired, &saved.desired), []);
        prop_assert!(saved.lost.is_empty() && saved.outdated.is_empty());
    }

    #[test]
    fn any_inputs_keep_the_machine_sane(inputs in prop::collection::vec(input(), 0..60)) {
        let mut machine = Machine::default();
        let mut told = None;
        let mut linked = false;
        for (second, input) in (0..).zip(inputs) {
            linked = match input { Input::LinkUp => true, Input::LinkLost => false, _ => linked };
            let published = machine.step(at(second), input.clone());
            prop_assert!(linked || published.is_empty(), "{input:?}");
            told = published.last().copied().or(told.filter(|_| linked));
            // Whoever listens knows the truth, after each step.
            prop_assert!(!linked || told == Some(machine.status()), "{input:?}: {machine:?}");
            let busy = matches!(machine.admit(&Command::Restart),
                Admission::Refuse(ref refusal) if refusal.code == Code::Busy);
            prop_assert_eq!(busy, machine.work().is_some());
            prop_assert!(machine.deadline().is_none_or(|due| due > at(second)) || input != Input::Time);
        }
    }

    #[test]
    fn differences_are_as_few_as_possible(commands in commands()) {
        let config = site(&[0, 1]);
        let old = Desired::of(&config);
        let new = commands.iter().fold(old.clone(), |d, c| d.apply(c, &config).unwrap_or(d));
        let changes = diff(&old, &new);
        let touched = |id: u32| changes.iter().any(|change| match change {
            Change::SwapModel { .. } => false,
            Change::AddStream(s) | Change::Repoint(s) => s.source_id == id,
            Change::SetRate { source_id, .. } | Change::SetConfidence { source_id, .. }
            | Change::SetTracker { source_id, .. } | Change::RemoveStream { source_id } => *source_id == id,
        });
        for id in 0..5 {
            prop_assert_eq!(touched(id), old.stream(id) != new.stream(id), "{}", id);
        }
    }
}

fn input() -> impl Strategy<Value = Input> {
    use super::super::Work;
    let sources = || prop::collection::vec(0..3_u32, 0..3);
    let seconds = prop::option::of((1..20_u64).prop_map(core::time::Duration::from_secs));
    let progress = prop::sample::select(alloc::vec![
        Input::LinkUp,
        Input::LinkLost,
        Input::Started,
        Input::Claimed(Work::Restart),
        Input::Claimed(Work::Change("set_fps")),
        Input::Begun,
        Input::Released,
        Input::Done,
        Input::RolledBack,
        Input::Failed,
        Input::Time,
        Input::Stop,
        Input::Leave,
    ]);
    prop_oneof![
        4 => progress,
        1 => (sources(), seconds).prop_map(|(sources, timeout)| Input::Pause { sources, timeout }),
        1 => sources().prop_map(|sources| Input::Resume { sources, streams: alloc::vec![0, 1, 2] }),
        1 => sources().prop_map(Input::Streams),
    ]
}
