//! What the instance is to be: streams, model, rates. A command makes another one of it, or
//! is refused; [`diff`] says what has to be done, and the other way round how to undo it.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::command::{Batch, Command, NewStream, Reconfigure};
use super::refusal::{Code, Refusal};
use crate::config::limits::STREAMS_LEN_MAX;
use crate::config::{Config, Pace, SourceKind, Stream, StreamUri, Tracker};

/// Streams that run, and what streams to come get. Never without a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    pub model: String,
    /// Above 0.
    pub max_fps: f64,
    /// 0..=1
    pub confidence: f32,
    pub tracker: Tracker,
    /// In the order they came; unique ids, all enabled.
    pub streams: Vec<Stream>,
}

/// One thing to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    SwapModel {
        model: String,
    },
    AddStream(Box<Stream>),
    /// The same room from elsewhere or in another way: connect anew, with all that stands here.
    Repoint(Box<Stream>),
    SetRate {
        source_id: u32,
        max_fps: f64,
    },
    SetConfidence {
        source_id: u32,
        confidence: f32,
    },
    SetTracker {
        source_id: u32,
        tracker: Tracker,
    },
    RemoveStream {
        source_id: u32,
    },
}

impl Desired {
    /// What the configuration asks for.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            model: config.detector.model.clone(),
            max_fps: config.stream_defaults.max_fps,
            confidence: config.stream_defaults.confidence,
            tracker: config.stream_defaults.tracker,
            streams: config.streams.iter().filter(|stream| stream.enabled).cloned().collect(),
        }
    }

    #[must_use]
    pub fn stream(&self, source_id: u32) -> Option<&Stream> {
        self.streams.iter().find(|stream| stream.source_id == source_id)
    }

    #[must_use]
    pub fn source_ids(&self) -> Vec<u32> {
        self.streams.iter().map(|stream| stream.source_id).collect()
    }

    /// What it would be after the command; the same for commands that change nothing here
    /// (a reload has its own [`Overlay`](super::Overlay)). Of a batch that is not atomic,
    /// what its good items make.
    pub fn apply(&self, command: &Command, config: &Config) -> Result<Self, Refusal> {
        let mut next = self.clone();
        match command {
            Command::ChangeModel { model_id, .. } => next.model.clone_from(model_id),
            Command::SetFps { max_fps, source_id } => next.set_fps(*max_fps, *source_id)?,
            Command::SetConfidence { confidence, source_id } => {
                next.set_confidence(*confidence, *source_id)?
            }
            Command::EnableTracking { tracker } => next.set_tracker(*tracker),
            Command::AddStream(new) => next.add(new, config)?,
            Command::RemoveStream { source_id } => next.remove(*source_id)?,
            Command::ChangeStreamUri { source_id, uri } => next.repoint(*source_id, uri.as_ref(), config)?,
            Command::Reconfigure(changes) => next.reconfigure(changes, config)?,
            Command::Batch(Batch { commands, atomic }) => next.batch(commands, *atomic, config)?,
            Command::Pause { sources, .. } | Command::Resume { sources } => next.all_known(sources)?,
            Command::Stop
            | Command::Restart
            | Command::CancelBuild
            | Command::Status
            | Command::Ping
            | Command::Metrics
            | Command::Health
            | Command::RenameInstance { .. }
            | Command::ReloadConfig
            | Command::History { .. }
            | Command::Why { .. }
            | Command::Pump(_)
            | Command::Update(_)
            | Command::FactoryReset { .. }
            | Command::SupportBundle => {}
        }
        Ok(next)
    }

    fn one(&mut self, source_id: u32) -> Result<&mut Stream, Refusal> {
        let found = self.streams.iter_mut().find(|stream| stream.source_id == source_id);
        found.ok_or_else(|| Refusal::not_found(source_id))
    }

    fn all_known(&self, sources: &[u32]) -> Result<(), Refusal> {
        let stranger = sources.iter().find(|id| self.stream(**id).is_none());
        stranger.map_or(Ok(()), |id| Err(Refusal::not_found(*id)))
    }

    fn set_fps(&mut self, max_fps: f64, source_id: Option<u32>) -> Result<(), Refusal> {
        if let Some(id) = source_id {
            self.one(id)?.max_fps = max_fps;
            return Ok(());
        }
        self.max_fps = max_fps;
        self.streams.iter_mut().for_each(|stream| stream.max_fps = max_fps);
        Ok(())
    }

    fn set_confidence(&mut self, confidence: f32, source_id: Option<u32>) -> Result<(), Refusal> {
        if let Some(id) = source_id {
            self.one(id)?.confidence = confidence;
            return Ok(());
        }
        self.confidence = confidence;
        self.streams.iter_mut().for_each(|stream| stream.confidence = confidence);
        Ok(())
    }

    fn set_tracker(&mut self, tracker: Tracker) {
        self.tracker = tracker;
        self.streams.iter_mut().for_each(|stream| stream.tracker = tracker);
    }

    fn add(&mut self, new: &NewStream, config: &Config) -> Result<(), Refusal> {
        if self.stream(new.source_id).is_some() {
            let message = format!("Stream with source_id {} already exists", new.source_id);
            return Err(Refusal::new(Code::AlreadyExists, message));
        }
        if self.streams.len() >= STREAMS_LEN_MAX {
            let message = format!("Cannot add a stream (at most {STREAMS_LEN_MAX} are allowed)");
            return Err(Refusal::new(Code::TooManyStreams, message));
        }
        let stream = self.fresh(new.source_id, new.uri.as_ref(), config);
        self.streams.push(stream);
        Ok(())
    }

    /// A stream as the configuration has it; what commands have set for all goes before.
    pub(super) fn fresh(&self, source_id: u32, uri: Option<&StreamUri>, config: &Config) -> Stream {
        let defaults = &config.stream_defaults;
        let mut stream = configured(source_id, config);
        if self.max_fps != defaults.max_fps {
            stream.max_fps = self.max_fps;
        }
        if self.confidence != defaults.confidence {
            stream.confidence = self.confidence;
        }
        if self.tracker != defaults.tracker {
            stream.tracker = self.tracker;
        }
        if let Some(uri) = uri {
            point(&mut stream, uri, config);
        }
        stream
    }

    fn remove(&mut self, source_id: u32) -> Result<(), Refusal> {
        self.one(source_id)?;
        if self.streams.len() == 1 {
            return Err(last_stream());
        }
        self.streams.retain(|stream| stream.source_id != source_id);
        Ok(())
    }

    fn repoint(&mut self, source_id: u32, uri: Option<&StreamUri>, config: &Config) -> Result<(), Refusal> {
        let home = configured(source_id, config);
        point(self.one(source_id)?, uri.unwrap_or(&home.uri), config);
        Ok(())
    }

    /// Streams leave before others come, so that a room can be exchanged for another.
    fn reconfigure(&mut self, changes: &Reconfigure, config: &Config) -> Result<(), Refusal> {
        if let Some(model) = &changes.model_id {
            self.model.clone_from(model);
        }
        if let Some(max_fps) = changes.max_fps {
            self.set_fps(max_fps, None)?;
        }
        if let Some(confidence) = changes.confidence {
            self.set_confidence(confidence, None)?;
        }
        for id in &changes.remove_streams {
            self.one(*id)?;
            self.streams.retain(|stream| stream.source_id != *id);
        }
        for new in &changes.add_streams {
            self.add(new, config)?;
        }
        if self.streams.is_empty() { Err(last_stream()) } else { Ok(()) }
    }

    fn batch(&mut self, commands: &[Command], atomic: bool, config: &Config) -> Result<(), Refusal> {
        for (at, command) in commands.iter().enumerate() {
            match self.apply(command, config) {
                Ok(next) => *self = next,
                Err(_) if !atomic => {}
                Err(why) => return Err(batch_failed(at, command, &why)),
            }
        }
        Ok(())
    }
}

/// One item of an atomic batch failed; nothing of it remains.
#[must_use]
pub fn batch_failed(at: usize, command: &Command, why: &Refusal) -> Refusal {
    let message = format!("commands[{at}] ({}): {}; nothing was changed", command.name(), why.message);
    Refusal::new(Code::BatchFailed, message)
}

fn last_stream() -> Refusal {
    Refusal::new(Code::LastStream, "Cannot remove last stream (at least one stream required)")
}

/// As the configuration has the room, or would.
pub(super) fn configured(source_id: u32, config: &Config) -> Stream {
    let entry = config.streams.iter().find(|stream| stream.source_id == source_id).cloned();
    Stream { enabled: true, ..entry.unwrap_or_else(|| config.stream_of_room(source_id)) }
}

/// Passwords of the configured camera go to the configured address and nowhere else.
pub(super) fn point(stream: &mut Stream, uri: &StreamUri, config: &Config) {
    if stream.uri == *uri {
        return;
    }
    let home = configured(stream.source_id, config);
    stream.uri = uri.clone();
    let is_home = home.uri == *uri;
    stream.credentials = home.credentials.filter(|_| is_home);
    stream.tls_ca_file = home.tls_ca_file.filter(|_| is_home || uri.kind() == SourceKind::Rtsps);
    stream.pace = if is_home { home.pace } else { Pace::Realtime };
}

/// What makes `new` of `old`, in the order to do it: what may fail first, what loses frames
/// last. The other way round undoes it. Empty even if defaults for streams to come differ.
#[must_use]
pub fn diff(old: &Desired, new: &Desired) -> Vec<Change> {
    let before: BTreeMap<u32, &Stream> = old.streams.iter().map(|s| (s.source_id, s)).collect();
    let mut changes = Vec::new();
    if old.model != new.model {
        changes.push(Change::SwapModel { model: new.model.clone() });
    }
    let mut settings = Vec::new();
    for stream in &new.streams {
        match before.get(&stream.source_id) {
            None => changes.push(Change::AddStream(Box::new(stream.clone()))),
            Some(was) if is_elsewhere(was, stream) => changes.push(Change::Repoint(Box::new(stream.clone()))),
            Some(was) => settings.extend(settings_of(was, stream)),
        }
    }
    changes.append(&mut settings);
    let gone = old.source_ids().into_iter().filter(|id| new.stream(*id).is_none());
    changes.extend(gone.map(|source_id| Change::RemoveStream { source_id }));
    changes
}

/// Whether more differs than can be set while it runs.
fn is_elsewhere(was: &Stream, now: &Stream) -> bool {
    let adjusted =
        Stream { max_fps: now.max_fps, confidence: now.confidence, tracker: now.tracker, ..was.clone() };
    adjusted != *now
}

fn settings_of(was: &Stream, now: &Stream) -> impl Iterator<Item = Change> + use<> {
    let source_id = now.source_id;
    let rate = (was.max_fps != now.max_fps).then_some(Change::SetRate { source_id, max_fps: now.max_fps });
    let confidence = (was.confidence != now.confidence)
        .then_some(Change::SetConfidence { source_id, confidence: now.confidence });
    let tracker =
        (was.tracker != now.tracker).then_some(Change::SetTracker { source_id, tracker: now.tracker });
    [rate, confidence, tracker].into_iter().flatten()
}
