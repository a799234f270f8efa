//! What boxes say of fires, alarms and their pumps: the panel's three topics, and the pump's state.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::words::clean;

/// Conditions kept of one kind.
const CONDITIONS_LEN_MAX: usize = 64;
/// Boxes remembered.
const BOXES_LEN_MAX: usize = 32;

/// A retained message of the panel.
#[derive(Debug, Deserialize)]
pub(super) struct Panel {
    pub(super) host: String,
    pub(super) kind: String,
    active: Vec<Condition>,
}

#[derive(Debug, Deserialize)]
struct Condition {
    #[serde(default)]
    text: String,
}

/// `gpio/status`.
#[derive(Debug, Deserialize)]
pub(super) struct Pump {
    pub(super) host: String,
    #[serde(default)]
    online: bool,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    relays: Vec<String>,
}

/// One box.
#[derive(Debug, Default)]
pub(super) struct Board {
    /// Sentences by kind: alarm, supervisory, trouble.
    held: BTreeMap<String, Vec<String>>,
    pub(super) pump: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Boards(BTreeMap<String, Board>);

impl Boards {
    pub(super) fn of(&self, host: &str) -> Option<&Board> {
        self.0.get(host)
    }

    fn board(&mut self, host: &str) -> &mut Board {
        if !self.0.contains_key(host) && self.0.len() >= BOXES_LEN_MAX {
            self.0.pop_first();
        }
        self.0.entry(host.to_owned()).or_default()
    }

    /// Lines for what changed.
    pub(super) fn take_panel(&mut self, panel: Panel) -> Vec<String> {
        let (host, kind) = (clean(&panel.host), clean(&panel.kind));
        let now: Vec<String> = panel.active.iter().take(CONDITIONS_LEN_MAX).map(|c| clean(&c.text)).collect();
        let board = self.board(&host);
        let before = board.held.insert(kind.clone(), now.clone()).unwrap_or_default();
        let new = now.iter().filter(|text| !before.contains(text)).map(|t| format!("{host} {kind}: {t}"));
        let over = before.iter().filter(|text| !now.contains(text));
        new.chain(over.map(|t| format!("{host} {kind} over: {t}"))).collect()
    }

    pub(super) fn take_pump(&mut self, pump: Pump) -> Vec<String> {
        let host = clean(&pump.host);
        let relays = if pump.relays.is_empty() { "none".to_owned() } else { pump.relays.join(", ") };
        let text = match (pump.online, pump.state) {
            (true, Some(state)) => clean(&format!("{state}, relays on: {relays}")),
            (_, _) => "not reached".to_owned(),
        };
        let board = self.board(&host);
        let same = board.pump.as_ref() == Some(&text);
        board.pump = Some(text.clone());
        if same { Vec::new() } else { vec![format!("{host} pump: {text}")] }
    }
}

impl Board {
    /// The most important first: kind and sentence.
    pub(super) fn conditions(&self) -> impl Iterator<Item = (&str, &str)> {
        // By luck the alphabet has them in the right order.
        self.held.iter().flat_map(|(kind, texts)| texts.iter().map(move |t| (kind.as_str(), t.as_str())))
    }
}
