//! A simulated plant: engine or motor, valve, tank, battery, relays, contacts, buttons; and
//! everything that can be wrong with it.
//!
//! ```text
//! relays ─► lines ─► coils ─ K0, stop ─► contacts ─► starter, ignition, valves ─► rpm, water
//!             heartbeat ─┘                                                           │
//! sensors ◄──────────────────── contacts of the plant, with their faults ◄───────────┘
//! ```
//!
//! Promised: the same configuration, seed and calls give the same plant; time is told and never
//! asked; nothing is allocated after [`Plant::new`]; however far apart the calls are, litres and
//! seconds come out the same up to the rounding of a tenth of a second.
//!
//! It is no model of a certain engine. It errs where a controller must not rely on it: it catches
//! at random, contacts come late, and a fault is there at once.

use vigia_core::pump::{RelayImage, Sensor};
use vigia_core::time::Instant;

mod config;
mod contacts;
mod engine;
mod fault;
mod panel;
mod passing;
mod truth;
mod water;
mod wiring;

#[cfg(test)]
mod tests;

pub use config::{DriveConfig, EngineConfig, Ignition, PlantConfig, TankConfig, Watchdog};
pub use fault::{Contact, Fault};
pub use panel::{Button, Selector};
pub use truth::Truth;
pub use wiring::{K0_HOLDS, K0B_HOLDS};

use engine::Engine;
use fault::Faults;
use panel::Panel;
use water::Water;
use wiring::{Power, Wiring};

/// One plant.
#[derive(Debug, Clone)]
pub struct Plant {
    config: PlantConfig,
    rng: fastrand::Rng,
    /// `None` before the first call: it stands still whatever the clock says then.
    now: Option<Instant>,
    wiring: Wiring,
    /// What follows from lines, watchdog, faults and buttons; kept up to date by `refresh`.
    power: Power,
    engine: Engine,
    water: Water,
    battery: f64,
    faults: Faults,
    panel: Panel,
    truth: Truth,
}

impl Plant {
    #[must_use]
    pub fn new(config: PlantConfig, seed: u64) -> Self {
        let mut plant = Self {
            config,
            rng: fastrand::Rng::with_seed(seed),
            now: None,
            wiring: Wiring { wanted: RelayImage::NONE, silent_since: None },
            power: Power::NONE,
            engine: Engine::STILL,
            water: Water::new(&config),
            battery: 1.0,
            faults: Faults::NONE,
            panel: Panel::AT_REST,
            truth: Truth::default(),
        };
        plant.refresh();
        plant
    }

    #[must_use]
    pub fn config(&self) -> &PlantConfig {
        &self.config
    }

    /// Until `now` the lines stood as they were written last; from now on they stand like this.
    pub fn advance(&mut self, now: Instant, relays: &RelayImage) {
        self.pass(now);
        self.wiring.wanted = *relays;
        self.refresh();
    }

    /// Lets time pass with the lines as they are: for who has died, and for who only looks.
    pub fn pass(&mut self, now: Instant) {
        while self.step(now) < now {}
    }

    /// As [`Plant::pass`], but not beyond the first change of a contact or of what is under power.
    /// Returns when it is.
    pub fn pass_until_change(&mut self, limit: Instant) -> Instant {
        let before = self.contacts();
        loop {
            let at = self.step(limit);
            if at >= limit || self.faults.flap() || self.contacts() != before {
                return at;
            }
        }
    }

    /// Whether the heartbeat line toggles. The watchdog relay drops 300 ms after it ceased.
    pub fn heartbeat(&mut self, now: Instant, beats: bool) {
        self.pass(now);
        self.wiring.silent_since = match (beats, self.wiring.silent_since) {
            (true, _) => None,
            (false, None) => Some(now),
            (false, since) => since,
        };
        self.refresh();
    }

    /// Whether the watchdog relay is pulled.
    #[must_use]
    pub fn is_k0_pulled(&self) -> bool {
        self.now.is_none_or(|now| self.wiring.k0(now, self.config.watchdog))
    }

    /// What is read back: the relays' own contacts, or only their lines.
    #[must_use]
    pub fn feedback(&self) -> RelayImage {
        if !self.config.has_feedback {
            return self.wiring.wanted;
        }
        self.power.contacts
    }

    pub fn fault(&mut self, fault: Fault) {
        match fault {
            Fault::Stall => self.engine.stall(),
            Fault::TankEmptied => self.water.level_l = self.water.level_l.min(self.config.tank.low_l() / 2.0),
            Fault::BatteryFlat => self.battery = self.battery.min(0.1),
            _ => {}
        }
        self.faults.set(fault, true);
        self.refresh();
    }

    pub fn mend(&mut self, fault: Fault) {
        if fault == Fault::BatteryFlat {
            self.battery = 1.0;
        }
        self.faults.set(fault, false);
        self.refresh();
    }

    /// Everything, with a new battery and an engine that catches each time.
    pub fn mend_all(&mut self) {
        self.faults = Faults::NONE;
        self.battery = 1.0;
        if let Some(DriveConfig::Engine(engine)) = &mut self.config.drive {
            engine.catches = 1.0;
        }
        self.refresh();
    }

    #[must_use]
    pub fn has(&self, fault: Fault) -> bool {
        self.faults.has(fault)
    }

    /// Whether a contact says what is so.
    #[must_use]
    pub fn is_honest(&self, sensor: Sensor) -> bool {
        self.faults.contact(sensor).is_none()
    }

    /// Whether no fault is there.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.faults == Faults::NONE
    }

    pub fn press(&mut self, button: Button, is: bool) {
        self.panel.press(button, is);
        self.refresh();
    }

    pub fn turn(&mut self, selector: Selector) {
        self.panel.selector = selector;
        self.refresh();
    }

    /// The key at the panel: it holds the ignition in MANUAL, and let go it stops what runs
    /// without power.
    pub fn hold_ignition(&mut self, is: bool) {
        self.panel.hand_run = is;
        if let (false, Some(DriveConfig::Engine(engine))) = (is, self.config.drive)
            && engine.ignition == Ignition::EnergiseToStop
            && self.panel.selector == Selector::Manual
        {
            self.engine.stall();
        }
        self.refresh();
    }

    /// Somebody fills the tank by hand.
    pub fn fill_to(&mut self, level_l: f64) {
        self.water.level_l = level_l.clamp(0.0, self.config.tank.volume_l);
        self.refresh();
    }

    #[must_use]
    pub fn selector(&self) -> Selector {
        self.panel.selector
    }

    #[must_use]
    pub fn is_stop_pressed(&self) -> bool {
        self.panel.stop
    }

    #[must_use]
    pub fn truth(&self) -> &Truth {
        &self.truth
    }

    /// Lines, watchdog, faults or buttons have changed.
    fn refresh(&mut self) {
        let now = self.now.unwrap_or_default();
        self.power = self.wiring.power(now, &self.config, &self.faults, &self.panel);
        self.truth.live = self.power.live;
        self.truth.k0 = self.wiring.k0(now, self.config.watchdog);
        self.note();
    }

    /// Keeps the truth up to date.
    fn note(&mut self) {
        let truth = &mut self.truth;
        truth.rpm = self.engine.rpm;
        truth.runs = self.engine.fires;
        truth.valve = self.water.valve;
        truth.prime = self.water.prime;
        truth.level_l = self.water.level_l;
        truth.flow_l_per_s = self.water.flow_l_per_s;
        truth.overflow_l = self.water.overflow_l;
        truth.delivered_l = self.water.delivered_l;
        truth.filled_l = self.water.filled_l;
        truth.battery = self.battery;
    }
}

fn rated(drive: &DriveConfig) -> f64 {
    match drive {
        DriveConfig::Engine(engine) => engine.rated_rpm,
        DriveConfig::Electric { .. } => EngineConfig::USUAL.rated_rpm,
    }
}
