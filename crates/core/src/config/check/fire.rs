//! What is believed to burn, and the pump that answers.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::super::rules::{self, Wrong};
use super::super::{Pump, Stream, UNSIGNED, limits, raw};
use super::Faults;
use crate::consensus::config::Origin;
use crate::consensus::{Class, Own, check};
use crate::pump::plan::parse::parse;

/// Longest address of a local socket.
const SOCKET_BYTES_MAX: usize = 107;

/// The consensus, held against the streams that are configured.
pub(super) fn consensus(all: &raw::Config, streams: Option<&[Stream]>, faults: &mut Faults) {
    let (Some(raw), Some(streams)) = (&all.fire, streams) else { return };
    let started = || streams.iter().filter(|s| s.enabled);
    let own: Vec<Own> =
        started().map(|s| Own { source_id: s.source_id, name: s.name.clone(), max_fps: s.max_fps }).collect();
    let config = match check(raw, &own) {
        Ok(config) => config,
        Err(found) => {
            for fault in found {
                faults.add(&format!("fire.{}", fault.path), Wrong::Fire(fault.wrong));
            }
            return;
        }
    };
    for (at, stream) in streams.iter().enumerate() {
        let votes = config.cameras.iter().any(|c| c.origin == Origin::Own { source_id: stream.source_id });
        let sees = stream.classes.is_empty()
            || stream.classes.iter().any(|class| Class::of_label(class) == Some(Class::Fire));
        if votes && !sees && stream.enabled {
            let wrong = Wrong::Conflict("leave out fire, so this camera of fire.cameras could never vote");
            faults.clash(&format!("streams[{at}].classes"), "fire", wrong);
        }
    }
}

pub(super) fn pump(all: &raw::Config, faults: &mut Faults) -> Option<Option<Pump>> {
    let Some(raw) = &all.pump else { return Some(None) };
    let socket = faults.keep("pump.socket", socket(&raw.socket));
    if all.control.journal.is_none() {
        let wrong = Wrong::Conflict("needs control.journal: what the pump tells must outlive this program");
        faults.clash("pump", "control.journal", wrong);
    }
    if raw.orders_from.len() > limits::KEYS_LEN_MAX {
        let wrong = Wrong::TooMany { max: limits::KEYS_LEN_MAX, got: raw.orders_from.len() };
        faults.add("pump.orders_from", wrong);
        return None;
    }
    for (at, name) in raw.orders_from.iter().enumerate() {
        let path = format!("pump.orders_from[{at}]");
        let known = || all.control.keys.iter().filter_map(|key| key.id.as_deref());
        if let Some(first) = raw.orders_from.iter().take(at).position(|other| other == name) {
            let first = format!("pump.orders_from[{first}]");
            faults.add(&path, Wrong::Duplicate { got: format!("`{name}`"), first });
        } else if name == UNSIGNED {
            if all.control.unsigned_role.is_none() {
                let wrong = Wrong::Conflict("is unsigned, but control.unsigned_role refuses them");
                faults.clash(&path, "control.unsigned_role", wrong);
            }
            if known().any(|id| id == UNSIGNED) {
                let wrong = Wrong::Conflict("means who signs nothing; give the key of this name another");
                faults.clash(&path, "control.keys", wrong);
            }
        } else if !known().any(|id| id == name) {
            let known: Vec<&str> = known().chain([UNSIGNED]).take(9).collect();
            let got: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
            faults.add(&path, Wrong::UnknownKey { got, known: known.join(", ") });
        }
    }
    let plan = raw.plan();
    match plan.as_ref().map(parse) {
        Some(Ok(parsed)) => outlasts(all, parsed.plan.fire_off(), faults),
        Some(Err(found)) => {
            for wrong in found {
                let says = format!("is {}: {}", wrong.value, wrong.should);
                faults.add(&format!("pump.{}", wrong.path), Wrong::Plan { says });
            }
        }
        None => {}
    }
    Some(Some(Pump { socket: socket?, orders_from: raw.orders_from.clone(), plan }))
}

/// C12: a burning fire is told every `fire.heartbeat_s`; the pump must outlast that one is lost.
fn outlasts(all: &raw::Config, fire_off: Option<Duration>, faults: &mut Faults) {
    let (Some(fire), Some(fire_off)) = (&all.fire, fire_off) else { return };
    if fire_off.as_secs_f64() <= 2.0 * fire.heartbeat_s {
        let wrong =
            Wrong::Conflict("must be longer than twice fire.heartbeat_s, or the pump stops while it burns");
        faults.clash("pump.timings.fire_off_s", "fire.heartbeat_s", wrong);
    }
}

fn socket(got: &str) -> Result<String, Wrong> {
    let path = rules::text(got)?;
    if path.len() > SOCKET_BYTES_MAX {
        return Err(Wrong::TooLong { max: SOCKET_BYTES_MAX, got: path.len() });
    }
    if !path.starts_with('/') {
        return Err(Wrong::Conflict("must be an absolute path"));
    }
    Ok(path)
}
