//! What the consensus says of itself on MQTT (spec wildfire 2.5).

use serde_json::{Map, Value, json};
use vigia_core::consensus::{Consensus, Sight, Trigger, Verdict};
use vigia_core::event::Utc;
use vigia_core::time::Instant;

use super::why::wall;

/// A confirmed fire. `confidence` and `trigger_count` are what the predecessor called them.
#[must_use]
pub fn trigger(consensus: &Consensus, trigger: &Trigger, host: &str, now: Instant, utc: Utc) -> Value {
    let config = consensus.config();
    let cameras: Vec<&str> = trigger.cameras.iter().map(|id| config.camera_name(*id)).collect();
    let places: Vec<_> =
        trigger.objects.iter().map(|(id, object)| (config.camera_name(*id), object.to_string())).collect();
    let mut payload = json!({
        "action": "trigger",
        "confidence": "high",
        "timestamp": wall(trigger.confirmed, now, utc),
        "trigger_id": trigger.id.0,
        "trigger_count": trigger.id.0,
        "sector": config.sector_name(trigger.sector),
        "consensus_cameras": cameras,
        "fire_locations": places,
        "service_id": host,
    });
    if config.rules.zone_activation {
        let zones: Vec<&str> = trigger.zones.iter().map(|id| config.zone_name(*id)).collect();
        payload["zones"] = json!(zones);
    }
    payload
}

/// What happened since the start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    pub fires: u64,
    pub last_fire: Option<Instant>,
    /// Messages about cameras that were taken, and that were not.
    pub taken: u64,
    pub refused: u64,
    /// Reports and messages that came faster than they were taken.
    pub lost: u64,
}

/// The retained state of the consensus.
#[must_use]
pub fn health(consensus: &Consensus, counts: Counts, host: &str, now: Instant, utc: Utc) -> Value {
    let config = consensus.config();
    let mut cameras = Map::new();
    let (mut online, mut detecting) = (0, 0);
    for (id, camera) in config.camera_ids().zip(&config.cameras) {
        let sight = consensus.sight(id);
        let voting = consensus.voting(id).len();
        online += usize::from(sight == Sight::Sees);
        detecting += usize::from(consensus.objects(id) > 0);
        let told = json!({
            "online": sight == Sight::Sees,
            "sight": sight.name(),
            "active_objects": consensus.objects(id),
            "voting": voting,
        });
        cameras.insert(camera.name.clone(), told);
    }
    let sectors: Vec<Value> = config
        .sector_ids()
        .zip(&config.sectors)
        .map(|(id, sector)| {
            json!({
                "name": sector.name,
                "cameras_needed": sector.needed,
                "quorum_possible": consensus.quorum_possible(id),
                "state": state(consensus.verdict(id)),
            })
        })
        .collect();
    let whole = config.sector_ids().all(|id| consensus.quorum_possible(id));
    let verdicts = || config.sector_ids().map(|id| consensus.verdict(id));
    let worst = verdicts().map(state).max_by_key(|state| rank(state)).unwrap_or("idle");
    json!({
        "service": "fire_consensus",
        "service_id": host,
        "timestamp": utc,
        "status": "online",
        "healthy": whole && counts.lost == 0,
        "consensus_state": worst,
        "trigger_count": counts.fires,
        "last_trigger_ago": counts.last_fire.map_or(-1.0, |at| now.since(at).as_secs_f64().round()),
        "cameras_total": config.cameras.len(),
        "cameras_online": online,
        "cameras_detecting": detecting,
        "consensus_threshold": config.sectors.iter().map(|s| s.needed).min(),
        "messages": { "taken": counts.taken, "refused": counts.refused, "lost": counts.lost },
        "sectors": sectors,
        "cameras": cameras,
    })
}

fn state(verdict: Verdict<'_>) -> &'static str {
    match verdict {
        Verdict::Clear => "idle",
        Verdict::Doubtful(_) => "doubtful",
        Verdict::Confirmed { acknowledged: false, .. } => "announced",
        Verdict::Confirmed { acknowledged: true, .. } => "burning",
    }
}

fn rank(state: &str) -> u8 {
    match state {
        "idle" => 0,
        "doubtful" => 1,
        "burning" => 2,
        _ => 3,
    }
}
