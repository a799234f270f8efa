//! The reference: what an instance is to be after each command, read out of the documents and not out
//! of the firmware. Small enough to be right by reading it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::order::{Order, Place, Reconfigure};

/// Nanoseconds of the wall clock.
pub type Wall = i128;
/// When a pause is over by itself; `None`: never.
type Until = Option<Wall>;

pub const MODELS: [&str; 2] = ["lookout-n", "lookout-n-int8"];
pub const NO_MODEL: &str = "nonesuch";
/// Rooms that the site file has; every other one is the stream server's, which does not answer.
pub const CONFIGURED: [u32; 3] = [1, 2, 3];
pub const HOME: &str = "test://pattern?width=160&height=120&fps=20";
pub const OTHER: &str = "test://pattern?width=160&height=120&fps=25";
pub const DEAD: &str = "rtsp://127.0.0.1:1/none";
pub const SERVER: &str = "rtsp://127.0.0.1:1/live";
pub const FPS: f64 = 6.0;
/// Like all thresholds here exact in single precision.
pub const SHARE: f64 = 0.5;

/// Instance and reference tell the end of a pause from different moments, this far apart.
const UNCLEAR_NS: Wall = 150_000_000;

#[derive(Debug, Clone, PartialEq)]
pub struct Room {
    pub uri: String,
    pub fps: f64,
    pub share: f64,
    pub followed: bool,
}

impl Room {
    fn is_reachable(&self) -> bool {
        self.uri.starts_with("test://")
    }
}

/// All that commands can change.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    pub model: &'static str,
    /// For rooms to come.
    pub fps: f64,
    pub share: f64,
    pub followed: bool,
    pub rooms: BTreeMap<u32, Room>,
    all: Option<Until>,
    single: BTreeMap<u32, Until>,
}

/// What comes of a command.
#[derive(Debug)]
pub struct Done {
    pub state: State,
    /// Whether the answer must say that nothing was touched.
    pub unchanged: bool,
    /// Of a batch, item by item.
    pub results: Vec<Result<(), Codes>>,
}

/// Any of these codes says rightly why nothing was done.
pub type Codes = &'static [&'static str];

impl State {
    pub fn configured() -> Self {
        let room = Room { uri: HOME.to_owned(), fps: FPS, share: SHARE, followed: false };
        Self {
            model: MODELS[0],
            fps: FPS,
            share: SHARE,
            followed: false,
            rooms: CONFIGURED.map(|id| (id, room.clone())).into(),
            all: None,
            single: BTreeMap::new(),
        }
    }

    /// `at`: when the command came to the instance.
    pub fn after(&self, order: &Order, at: Wall) -> Result<Done, Codes> {
        if order.is_query() {
            // Not even the time: what only asks may be looked at out of its order.
            return Ok(Done { state: self.clone(), unchanged: false, results: Vec::new() });
        }
        // What is just over stays for a moment: the instance may have seen it a little longer.
        let before = self.at(at - 2 * UNCLEAR_NS);
        let mut state = before.clone();
        let mut results = Vec::new();
        match order {
            Order::Pause { rooms, seconds } => state.pause(rooms, *seconds, at)?,
            Order::Resume { rooms } => state.resume(rooms)?,
            Order::Fps { fps, room: None } => state.set_fps(*fps),
            Order::Fps { fps, room: Some(room) } => state.room(*room)?.fps = *fps,
            Order::Confidence { share, room: None } => state.set_share(*share),
            Order::Confidence { share, room: Some(room) } => state.room(*room)?.share = *share,
            Order::Tracking(followed) => {
                state.followed = *followed;
                state.rooms.values_mut().for_each(|room| room.followed = *followed);
            }
            Order::Add(place) => state.add(place)?,
            Order::Remove(room) => state.remove(*room)?,
            Order::Move(Place { room, uri }) => state.room(*room)?.uri = address(*room, *uri),
            Order::Model(model) => state.model = model,
            Order::Reconfigure(changes) => state.reconfigure(changes)?,
            Order::Batch { items, atomic } => (state, results) = before.batch(items, *atomic, at)?,
            Order::Reload | Order::Restart | Order::Query(..) => {}
        }
        if !matches!(order, Order::Batch { .. }) {
            state.works(&before)?;
        }
        state.forget_pauses();
        let says_so = order.is_long() && !matches!(order, Order::Batch { .. } | Order::Restart);
        let unchanged = says_so && state.model == before.model && state.rooms == before.rooms;
        Ok(Done { state, unchanged, results })
    }

    fn room(&mut self, room: u32) -> Result<&mut Room, Codes> {
        self.rooms.get_mut(&room).ok_or(&["not_found"])
    }

    fn pause(&mut self, rooms: &[u32], seconds: Option<f64>, at: Wall) -> Result<(), Codes> {
        self.all_known(rooms)?;
        let until = seconds.map(|seconds| at + nanoseconds(seconds));
        if rooms.is_empty() {
            self.all = Some(until);
        }
        self.single.extend(rooms.iter().map(|room| (*room, until)));
        Ok(())
    }

    /// Rooms that are not named stay silent when all were.
    fn resume(&mut self, rooms: &[u32]) -> Result<(), Codes> {
        self.all_known(rooms)?;
        if rooms.is_empty() {
            self.single.clear();
            self.all = None;
            return Ok(());
        }
        if let Some(all) = self.all.take() {
            for room in self.rooms.keys() {
                let own = self.single.get(room).copied().unwrap_or(all);
                // The longer of the two; one without an end is.
                self.single.insert(*room, own.zip(all).map(|(own, all)| own.max(all)));
            }
        }
        self.single.retain(|room, _| !rooms.contains(room));
        Ok(())
    }

    fn all_known(&self, rooms: &[u32]) -> Result<(), Codes> {
        if rooms.iter().all(|room| self.rooms.contains_key(room)) { Ok(()) } else { Err(&["not_found"]) }
    }

    fn set_fps(&mut self, fps: f64) {
        self.fps = fps;
        self.rooms.values_mut().for_each(|room| room.fps = fps);
    }

    fn set_share(&mut self, share: f64) {
        self.share = share;
        self.rooms.values_mut().for_each(|room| room.share = share);
    }

    fn add(&mut self, place: &Place) -> Result<(), Codes> {
        if self.rooms.contains_key(&place.room) {
            return Err(&["already_exists"]);
        }
        let uri = address(place.room, place.uri);
        let Self { fps, share, followed, .. } = *self;
        self.rooms.insert(place.room, Room { uri, fps, share, followed });
        Ok(())
    }

    fn remove(&mut self, room: u32) -> Result<(), Codes> {
        self.room(room)?;
        if self.rooms.len() == 1 {
            return Err(&["last_stream"]);
        }
        self.rooms.remove(&room);
        Ok(())
    }

    /// Rooms leave before others come.
    fn reconfigure(&mut self, changes: &Reconfigure) -> Result<(), Codes> {
        self.model = changes.model.unwrap_or(self.model);
        if let Some(fps) = changes.fps {
            self.set_fps(fps);
        }
        if let Some(share) = changes.share {
            self.set_share(share);
        }
        for room in &changes.remove {
            self.room(*room)?;
            self.rooms.remove(room);
        }
        for place in &changes.add {
            self.add(place)?;
        }
        if self.rooms.is_empty() { Err(&["last_stream"]) } else { Ok(()) }
    }

    /// One item after the other; of an atomic batch all or none.
    fn batch(
        &self,
        items: &[Order],
        atomic: bool,
        at: Wall,
    ) -> Result<(Self, Vec<Result<(), Codes>>), Codes> {
        let (mut state, mut results) = (self.clone(), Vec::new());
        for item in items {
            match state.after(item, at) {
                Ok(done) => {
                    state = done.state;
                    results.push(Ok(()));
                }
                Err(_) if atomic => return Err(&["batch_failed", "rolled_back"]),
                Err(codes) => results.push(Err(codes)),
            }
        }
        Ok((state, results))
    }

    /// What nobody can know from the command alone: whether the model exists and the camera answers.
    fn works(&self, before: &Self) -> Result<(), Codes> {
        if !MODELS.contains(&self.model) {
            return Err(&["unknown_model"]);
        }
        let is_new = |(id, room): &(&u32, &Room)| before.rooms.get(id).is_none_or(|was| was.uri != room.uri);
        if self.rooms.iter().filter(is_new).all(|(_, room)| room.is_reachable()) {
            return Ok(());
        }
        // Taken back, where something else had been changed before.
        Err(&["unreachable", "rolled_back"])
    }

    /// A room that comes back is not silent.
    fn forget_pauses(&mut self) {
        self.single.retain(|room, _| self.rooms.contains_key(room));
    }

    /// At a later time: pauses that are over are gone.
    pub fn at(&self, at: Wall) -> Self {
        let mut state = self.clone();
        let is_over = |until: &Until| until.is_some_and(|until| until <= at);
        state.all = state.all.filter(|until| !is_over(until));
        state.single.retain(|_, until| !is_over(until));
        state
    }

    pub fn is_silent(&self, room: u32) -> bool {
        self.all.is_some() || self.single.contains_key(&room) || !self.rooms.contains_key(&room)
    }

    fn paused(&self) -> BTreeSet<u32> {
        self.rooms.keys().copied().filter(|room| self.is_silent(*room)).collect()
    }

    /// Whether a pause ends about then.
    fn is_unclear(&self, at: Wall) -> bool {
        let untils = self.all.iter().chain(self.single.values());
        untils.flatten().any(|until| (until - at).abs() < UNCLEAR_NS)
    }

    /// Whether a list of paused rooms that was told then is right; nothing if that is not clear.
    pub fn pauses_fit(&self, told: &Value, at: Wall) -> Option<bool> {
        let told: Option<BTreeSet<u32>> = serde_json::from_value(told.clone()).ok();
        (!self.is_unclear(at)).then(|| told == Some(self.at(at).paused()))
    }

    /// In what the answer to `ping` differs; `Err` if a pause ends about then.
    pub fn difference(&self, pong: &Value, at: Wall) -> Result<Option<String>, Unclear> {
        if self.is_unclear(at) {
            return Err(Unclear);
        }
        let now = self.at(at);
        let config = &pong["config"];
        let rooms = config["source_id_mapping"].as_array().into_iter().flatten();
        let uris = config["stream_uris"].as_array().into_iter().flatten();
        let told: BTreeMap<String, &Value> = rooms.map(Value::to_string).zip(uris).collect();
        let want: BTreeMap<String, Value> =
            now.rooms.iter().map(|(id, room)| (id.to_string(), json!(room.uri))).collect();
        let status = if now.all.is_some() { "paused" } else { "running" };
        let rows = [
            ("streams", json!(told), json!(want)),
            ("model_id", config["model_id"].clone(), json!(now.model)),
            ("engine.model_id", pong["engine"]["model_id"].clone(), json!(now.model)),
            ("max_fps", config["max_fps"].clone(), json!(now.fps)),
            ("confidence_threshold", config["confidence_threshold"].clone(), json!(now.share)),
            ("status", pong["status"].clone(), json!(status)),
            ("is_paused", pong["health"]["is_paused"].clone(), json!(now.all.is_some())),
        ];
        let row = rows.into_iter().find(|(_, told, want)| told != want);
        let row = row.map(|(name, told, want)| format!("{name} is {told}, the reference says {want}"));
        let paused = &pong["paused_sources"];
        let pauses = (self.pauses_fit(paused, at) == Some(false))
            .then(|| format!("paused_sources is {paused}, the reference says {:?}", now.paused()));
        Ok(row.or(pauses))
    }
}

/// A pause ends about now: what is told may be from before or after.
#[derive(Debug)]
pub struct Unclear;

fn address(room: u32, uri: Option<&str>) -> String {
    match uri {
        Some(uri) => uri.to_owned(),
        None if CONFIGURED.contains(&room) => HOME.to_owned(),
        None => format!("{SERVER}/{room}"),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "days fit in nanoseconds")]
fn nanoseconds(seconds: f64) -> Wall {
    (seconds * 1e9) as Wall
}
