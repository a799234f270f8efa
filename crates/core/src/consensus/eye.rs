//! What one camera has to say: the objects it follows, and whether it sees at all.

use alloc::vec::Vec;
use core::time::Duration;

use super::config::{Camera, Origin, Rules};
use super::ids::{CameraId, Class, ObjectId};
use super::limits::{AGE_MAX, OBJECTS_LEN_MAX, RECHECK};
use super::object::Object;
use super::observation::{Health, Observation, in_shares};
use super::record::{Because, Decision, Miss, PREDICATES, Predicate, Record, Sight, What};
use super::trace::{Note, Trace};
use crate::detection::BBox;
use crate::time::Instant;

/// Least overlap by which an object without a name, or with a new one, is known again.
const SAME_PLACE_IOU: f32 = 0.5;
/// A name unseen this long may have been lost by its tracker; ours keeps a track for 1 s.
const NAME_LOST_AFTER: Duration = Duration::from_secs(1);

/// What a camera votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Ballot {
    pub fire: bool,
    pub smoke: bool,
    /// A fire that once voted is in view.
    pub stands: bool,
    /// Since when it votes fire without a pause, and sees.
    pub since: Option<Instant>,
    /// From then to the last picture of what it votes for.
    pub lasted: Duration,
}

#[derive(Debug)]
pub(super) struct Eye {
    id: CameraId,
    objects: Vec<Object>,
    ballot: Ballot,
    /// When something came in that the ballot does not know yet, or may have aged.
    recheck: Instant,
    last_good: Option<Instant>,
    fault: Option<Sight>,
    told: Sight,
    /// When a fire that had voted was last seen.
    stood: Option<Instant>,
    unnamed: u32,
    notes: [Note; PREDICATES],
    refused: Note,
}

impl Eye {
    pub fn new(id: CameraId) -> Self {
        Self {
            id,
            objects: Vec::with_capacity(OBJECTS_LEN_MAX),
            ballot: Ballot::default(),
            recheck: Instant(0),
            last_good: None,
            fault: None,
            told: Sight::Unproven,
            stood: None,
            unnamed: 0,
            notes: [Note::default(); PREDICATES],
            refused: Note::default(),
        }
    }

    pub fn ballot(&self) -> Ballot {
        self.ballot
    }

    pub fn objects_len(&self) -> usize {
        self.objects.len()
    }

    /// Objects that vote fire at present, in the order of their names.
    pub fn voting(&self) -> Vec<ObjectId> {
        let voting = self.objects.iter().filter(|o| o.vote.is_some() && o.class == Class::Fire);
        let mut ids: Vec<ObjectId> = voting.map(|o| o.id).collect();
        ids.sort_unstable();
        ids
    }

    pub fn look(&mut self, now: Instant, health: Health) {
        self.fault = health.fault();
        if self.fault.is_none() && health.frame_advanced {
            self.last_good = Some(now);
        }
    }

    pub fn sight(&self, now: Instant, timeout: Duration) -> Sight {
        match (self.fault, self.last_good) {
            (Some(fault), _) => fault,
            (None, None) => Sight::Unproven,
            (None, Some(good)) if now.since(good) > timeout => Sight::Silent,
            (None, Some(_)) => Sight::Sees,
        }
    }

    /// The sight, if it is another than was told last.
    pub fn new_sight(&mut self, now: Instant, timeout: Duration) -> Option<Sight> {
        let sight = self.sight(now, timeout);
        let is_new = sight != self.told;
        self.told = sight;
        is_new.then_some(sight)
    }

    /// How long ago the last good picture came, for a sentence.
    pub fn blind_for(&self, now: Instant) -> Duration {
        now.since(self.last_good.unwrap_or(Instant(0)))
    }

    /// Whether its last good picture showed a fire, not longer ago than `hold`: a fire that blinds
    /// its camera or burns its cable is no fire that went out.
    pub fn blinded_by_fire(&self, now: Instant, lapse: Duration, hold: Duration) -> bool {
        match (self.stood, self.last_good) {
            (Some(stood), Some(good)) => good.since(stood) <= lapse && now.since(stood) <= hold,
            (None, _) | (_, None) => false,
        }
    }

    /// Takes what counts, and says why something does not.
    pub fn observe(
        &mut self,
        now: Instant,
        seen: &Observation,
        camera: &Camera,
        rules: &Rules,
        trace: &mut Trace,
    ) -> Result<(), Miss> {
        // A message proves that its camera speaks. Our own cameras prove with pictures (C8).
        if matches!(camera.origin, Origin::Outside { .. }) && self.fault.is_none() {
            self.last_good = Some(now);
        }
        let taken = self.take(now, seen, camera, rules, trace);
        if let Err(miss) = taken {
            let record = Record::of_camera(now, self.id, seen.object, What::Missed(miss));
            trace.miss(&mut self.notes[miss.predicate as usize], record);
        }
        taken
    }

    fn take(
        &mut self,
        now: Instant,
        seen: &Observation,
        camera: &Camera,
        rules: &Rules,
        trace: &mut Trace,
    ) -> Result<(), Miss> {
        // What a faulty picture shows is no evidence, neither now nor when it is good again.
        if self.fault.is_some() {
            return Err(Miss::seconds(Predicate::Seeing, self.blind_for(now), Duration::ZERO));
        }
        let at = seen.captured.min(now);
        let age = now.since(at);
        if age > AGE_MAX {
            return Err(Miss::seconds(Predicate::Age, age, AGE_MAX));
        }
        // Written so that NaN fails.
        if !(rules.confidence..=1.0).contains(&seen.confidence) {
            return Err(Miss::new(Predicate::Confidence, seen.confidence.into(), rules.confidence.into()));
        }
        let bbox = in_shares(&seen.bbox, seen.frame).ok_or(Miss::new(Predicate::Box, 0.0, 0.0))?;
        let area = bbox.area();
        if area < rules.area_min {
            return Err(Miss::new(Predicate::AreaMin, area.into(), rules.area_min.into()));
        }
        let place = self.place(at, seen, &bbox, rules, trace)?;
        let object = &mut self.objects[place];
        if at < object.seen {
            return Err(Miss::seconds(Predicate::Order, object.seen.since(at), Duration::ZERO));
        }
        object.sighted(at, bbox, area, rules, &camera.pace);
        self.recheck = Instant(0);
        if area > rules.area_max {
            return Err(Miss::new(Predicate::AreaMax, area.into(), rules.area_max.into()));
        }
        Ok(())
    }

    /// Where the object is kept: found again or new.
    fn place(
        &mut self,
        at: Instant,
        seen: &Observation,
        bbox: &BBox,
        rules: &Rules,
        trace: &mut Trace,
    ) -> Result<usize, Miss> {
        let known = |o: &Object| Some(o.id) == seen.object && o.class == seen.class;
        if let Some(place) = self.objects.iter().position(known) {
            return Ok(place);
        }
        let is_heir = |o: &Object| match seen.object {
            Some(_) => {
                let lost = o.ended || at.since(o.seen) > NAME_LOST_AFTER;
                lost && at.since(o.seen) <= rules.window
            }
            None => matches!(o.id, ObjectId::Unnamed(_)) && o.seen < at && at.since(o.seen) <= rules.window,
        };
        let same_place = self.objects.iter().enumerate().filter(|(_, o)| o.class == seen.class && is_heir(o));
        let same_place = same_place.map(|(place, o)| (place, o.bbox.iou(bbox)));
        let best = same_place.filter(|(_, iou)| *iou >= SAME_PLACE_IOU).max_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((place, _)) = best {
            let object = &mut self.objects[place];
            object.by_place = true;
            object.id = seen.object.unwrap_or(object.id);
            return Ok(place);
        }
        self.make_room(at, trace)?;
        let id = seen.object.unwrap_or_else(|| {
            self.unnamed = self.unnamed.wrapping_add(1);
            ObjectId::Unnamed(self.unnamed)
        });
        self.objects.push(Object::new(id, seen.class, at));
        Ok(self.objects.len() - 1)
    }

    /// Full: the object with the least behind it goes, but none that ever voted.
    fn make_room(&mut self, at: Instant, trace: &mut Trace) -> Result<(), Miss> {
        if self.objects.len() < OBJECTS_LEN_MAX {
            return Ok(());
        }
        let miss = Miss::count(Predicate::Room, self.objects.len() + 1, OBJECTS_LEN_MAX);
        let weight = |o: &Object| (o.grew.is_some(), o.samples.len(), o.seen);
        let least = self.objects.iter().enumerate().min_by_key(|(_, o)| weight(o));
        match least {
            Some((place, object)) if object.grew.is_none() => {
                let record = Record::of_camera(at, self.id, Some(object.id), What::Missed(miss));
                trace.miss(&mut self.notes[Predicate::Room as usize], record);
                self.objects.swap_remove(place);
                Ok(())
            }
            Some(_) | None => Err(miss),
        }
    }

    /// The source follows the object no more. What is known of it is kept for a while: its fire may
    /// go on under another name.
    pub fn ended(&mut self, object: ObjectId) {
        for gone in self.objects.iter_mut().filter(|o| o.id == object) {
            gone.ended = true;
            self.recheck = Instant(0);
        }
    }

    /// Counts anew if anything came in, or could have aged since.
    pub fn count(&mut self, now: Instant, camera: &Camera, rules: &Rules, trace: &mut Trace) {
        if now < self.recheck {
            return;
        }
        self.recheck = now.after(RECHECK);
        while let Some(old) = self.objects.iter().position(|o| now.since(o.seen) > rules.window) {
            self.drop_object(now, old, trace);
        }
        let mut ballot = Ballot::default();
        let mut voted = Instant(0);
        for object in &mut self.objects {
            let judged = object.judge(now, rules, &camera.pace);
            note(self.id, now, object, judged, trace);
            let votes = object.vote.is_some();
            match object.class {
                Class::Fire => {
                    ballot.fire |= votes;
                    voted = if votes { voted.max(object.seen) } else { voted };
                    if object.stands(now, &camera.pace) {
                        ballot.stands = true;
                        self.stood = self.stood.max(Some(object.seen));
                    }
                }
                Class::Smoke => ballot.smoke |= votes,
            }
        }
        if ballot.fire && self.sight(now, rules.camera_timeout) == Sight::Sees {
            let since = self.ballot.since.unwrap_or(now);
            ballot.since = Some(since);
            ballot.lasted = voted.since(since);
        }
        self.ballot = ballot;
    }

    /// Somebody spoke for this camera, and was not understood or not allowed to.
    pub fn refused(&mut self, now: Instant, reason: &'static str, trace: &mut Trace) {
        trace.miss(&mut self.refused, Record::of_camera(now, self.id, None, What::Refused(reason)));
    }

    /// A vote that nobody counts because the camera does not see: worth knowing.
    pub fn note_blind_vote(&mut self, now: Instant, timeout: Duration, trace: &mut Trace) {
        if self.ballot.fire && self.told != Sight::Sees {
            let miss = Miss::seconds(Predicate::Seeing, self.blind_for(now), timeout);
            let record = Record::of_camera(now, self.id, None, What::Missed(miss));
            trace.miss(&mut self.notes[Predicate::Seeing as usize], record);
        }
    }

    fn drop_object(&mut self, now: Instant, place: usize, trace: &mut Trace) {
        let object = self.objects.swap_remove(place);
        if object.vote.is_some() {
            let what = What::Decided(Decision::VoteEnded);
            trace.decided(Record::of_camera(now, self.id, Some(object.id), what));
        }
    }
}

/// Remembers what became of an object's vote.
fn note(
    camera: CameraId,
    now: Instant,
    object: &mut Object,
    judged: Result<Because, Miss>,
    trace: &mut Trace,
) {
    let record = |what| Record::of_camera(now, camera, Some(object.id), what);
    let before = object.vote;
    match judged {
        // Growing or kept: it votes. Whoever flickers between them would fill the ring with that.
        Ok(because) if before.is_none() => {
            trace.decided(record(What::Decided(Decision::VoteGiven(because))));
        }
        Ok(_) => {}
        Err(miss) => {
            if before.is_some() {
                trace.decided(record(What::Decided(Decision::VoteEnded)));
            }
            let record = record(What::Missed(miss));
            trace.miss(&mut object.note, record);
        }
    }
    object.vote = judged.ok();
}
