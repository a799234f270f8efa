//! Who may command, and what is kept of it.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::super::rules::{self, Wrong};
use super::super::secret::Secrets;
use super::super::{CommandKey, Control, KeyMaterial, limits, raw};
use super::Faults;

pub(super) fn control(
    all: &raw::Config,
    topics: Option<(String, String)>,
    secrets: &Secrets,
    faults: &mut Faults,
) -> Option<Control> {
    let raw = &all.control;
    let journal = faults.text("control.journal", raw.journal.as_ref());
    let heartbeat = faults.keep("control.heartbeat_s", rules::metrics_interval(raw.heartbeat_s));
    let keys = keys(all, secrets, faults);
    if raw.unsigned_role.is_none() && raw.keys.is_empty() && raw.enabled {
        let wrong = Wrong::Conflict("is null and there are no keys: nobody could command");
        faults.clash("control.unsigned_role", "control.keys", wrong);
    }
    let (command_topic, status_topic) = topics?;
    Some(Control {
        enabled: raw.enabled,
        command_topic,
        status_topic,
        journal: journal?,
        heartbeat: heartbeat?,
        unsigned_role: raw.unsigned_role,
        keys: keys?,
    })
}

fn keys(all: &raw::Config, secrets: &Secrets, faults: &mut Faults) -> Option<Vec<CommandKey>> {
    let raw = &all.control.keys;
    if raw.len() > limits::KEYS_LEN_MAX {
        faults.add("control.keys", Wrong::TooMany { max: limits::KEYS_LEN_MAX, got: raw.len() });
        return None;
    }
    let mut first_of = BTreeMap::new();
    let checked: Vec<_> = raw
        .iter()
        .enumerate()
        .map(|(at, key)| {
            if let Some(first) = key.id.as_ref().and_then(|id| first_of.insert(id, at)) {
                let wrong = Wrong::Duplicate {
                    got: key.id.clone().unwrap_or_default(),
                    first: format!("control.keys[{first}]"),
                };
                faults.add(&format!("control.keys[{at}].id"), wrong);
            }
            one(at, key, all, secrets, faults)
        })
        .collect();
    checked.into_iter().collect()
}

fn one(
    at: usize,
    raw: &raw::CommandKey,
    all: &raw::Config,
    secrets: &Secrets,
    faults: &mut Faults,
) -> Option<CommandKey> {
    let path = |key: &str| format!("control.keys[{at}].{key}");
    let id = raw.id.as_deref().ok_or(Wrong::Missing).and_then(rules::text);
    let id = faults.keep(&path("id"), id);
    let role = faults.keep(&path("role"), raw.role.ok_or(Wrong::Missing));
    let material = match (&raw.credentials, &raw.public_key) {
        (Some(name), None) => super::credentials(&path("credentials"), Some(name), all, secrets, faults)?
            .map(|login| KeyMaterial::Hmac(login.password)),
        (None, Some(hex)) => faults.keep(&path("public_key"), public_key(hex)).map(KeyMaterial::Ed25519),
        (Some(_), Some(_)) | (None, None) => {
            faults.add(&path("credentials"), Wrong::Conflict("or public_key must be given, not both"));
            None
        }
    };
    Some(CommandKey { id: id?, role: role?, material: material? })
}

fn public_key(hex: &str) -> Result<[u8; 32], Wrong> {
    let bad = || Wrong::BadKey { got: hex.chars().take(80).collect::<String>().to_owned() };
    let mut key = [0; 32];
    if hex.len() != 64 || !hex.is_ascii() {
        return Err(bad());
    }
    for (at, byte) in key.iter_mut().enumerate() {
        let pair = hex.get(at * 2..at * 2 + 2).ok_or_else(bad)?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
    }
    Ok(key)
}
