//! What the plant says: debounced, supervised, and never better than what is known.
//!
//! A contact that is broken, flapping, stuck or in contradiction to another one reads as
//! [`Seen::Unknown`], which every decision treats as the worst case, and it is a trouble.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::plan::{Inputs, Supervision};
use crate::time::Instant;

/// A contact by what it says when it is active. Polarity is the board's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sensor {
    /// The tank is nearly empty.
    FloatLow,
    /// The tank is full.
    FloatHigh,
    /// Water stands where it should not.
    Overflow,
    /// Pressure behind the pump is as it should be.
    Pressure,
    /// Water moves.
    Flow,
    /// Limit switch: the main valve is fully open.
    ValveOpen,
    /// Limit switch: the main valve is fully shut.
    ValveClosed,
    /// The engine runs by itself (alternator, oil pressure), or the motor draws current.
    EngineRun,
    /// The crankshaft turns at all.
    EngineTurning,
    OilLow,
    TempHigh,
    Overspeed,
    /// Below two thirds of nominal.
    BatteryLow,
    /// Somebody presses the hard-wired stop, or its loop is broken.
    EmergencyStop,
    /// The selector stands at AUTO. Neither this nor MANUAL: it stands at OFF.
    SelectorAuto,
    SelectorManual,
    FireButton,
    ResetButton,
    /// Auxiliary contact of the starter relay: it is really closed.
    StarterClosed,
}

/// How many sensors there are.
pub const SENSORS_LEN: usize = 19;

impl Sensor {
    pub const ALL: [Self; SENSORS_LEN] = [
        Self::FloatLow,
        Self::FloatHigh,
        Self::Overflow,
        Self::Pressure,
        Self::Flow,
        Self::ValveOpen,
        Self::ValveClosed,
        Self::EngineRun,
        Self::EngineTurning,
        Self::OilLow,
        Self::TempHigh,
        Self::Overspeed,
        Self::BatteryLow,
        Self::EmergencyStop,
        Self::SelectorAuto,
        Self::SelectorManual,
        Self::FireButton,
        Self::ResetButton,
        Self::StarterClosed,
    ];

    /// As people write it in a plan.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FloatLow => "float_low",
            Self::FloatHigh => "float_high",
            Self::Overflow => "overflow",
            Self::Pressure => "pressure",
            Self::Flow => "flow",
            Self::ValveOpen => "valve_open",
            Self::ValveClosed => "valve_closed",
            Self::EngineRun => "engine_run",
            Self::EngineTurning => "engine_turning",
            Self::OilLow => "oil_low",
            Self::TempHigh => "temp_high",
            Self::Overspeed => "overspeed",
            Self::BatteryLow => "battery_low",
            Self::EmergencyStop => "emergency_stop",
            Self::SelectorAuto => "selector_auto",
            Self::SelectorManual => "selector_manual",
            Self::FireButton => "fire_button",
            Self::ResetButton => "reset_button",
            Self::StarterClosed => "starter_closed",
        }
    }

    pub(super) const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// What a contact says at one moment, polarity already applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    Inactive,
    Active,
    /// A supervised line that is cut or shorted, a value out of range, or nothing read yet.
    #[default]
    Fault,
}

/// All contacts at one moment. Those a site does not have are ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SensorImage([Reading; SENSORS_LEN]);

impl SensorImage {
    /// Each contact at rest.
    pub const QUIET: Self = Self([Reading::Inactive; SENSORS_LEN]);

    #[must_use]
    #[inline]
    pub fn get(&self, sensor: Sensor) -> Reading {
        self.0.get(sensor as usize).copied().unwrap_or(Reading::Fault)
    }

    #[must_use]
    #[inline]
    pub fn with(mut self, sensor: Sensor, reading: Reading) -> Self {
        if let Some(slot) = self.0.get_mut(sensor as usize) {
            *slot = reading;
        }
        self
    }
}

/// A gauge used as a contact: out of its range it is broken, not low.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gauge {
    /// What the transmitter can say when it is whole, in its own unit (a 4-20 mA loop: 3.6 to 21).
    pub valid: (f32, f32),
    /// Active from here on upwards.
    pub active_from: f32,
    /// Inactive again only this far below `active_from`.
    pub hysteresis: f32,
}

impl Gauge {
    /// `before`: what it read last.
    #[must_use]
    pub fn read(&self, value: f32, before: Reading) -> Reading {
        let (low, high) = self.valid;
        // Also false for what is not a number.
        if !(value >= low && value <= high) {
            return Reading::Fault;
        }
        let from = match before {
            Reading::Active => self.active_from - self.hysteresis,
            Reading::Inactive | Reading::Fault => self.active_from,
        };
        if value >= from { Reading::Active } else { Reading::Inactive }
    }
}

/// What is known about something that a contact tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Seen {
    /// The site has no such contact.
    Absent,
    No,
    Yes,
    /// There is one, and it cannot be believed.
    Unknown,
}

impl Seen {
    #[must_use]
    pub const fn is_yes(self) -> bool {
        matches!(self, Self::Yes)
    }

    /// Yes, or it may well be: for what is dangerous when true.
    #[must_use]
    pub const fn may_be(self) -> bool {
        matches!(self, Self::Yes | Self::Unknown)
    }
}

/// One contact's filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Filter {
    steady: Reading,
    raw: Reading,
    /// When `raw` becomes `steady`.
    settles: Option<Instant>,
    /// Changes of `raw` since the window began.
    changes: u8,
    window_until: Option<Instant>,
    flapping: bool,
}

/// All filters, and whom to distrust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Sensors {
    filters: [Filter; SENSORS_LEN],
    fitted: u32,
    /// Stuck or contradicted, by [`Sensor::bit`].
    distrusted: u32,
    /// Without a new image until then, nothing is known.
    fresh_until: Option<Instant>,
    has_image: bool,
}

impl Sensors {
    pub fn new(inputs: &Inputs) -> Self {
        Self {
            filters: [Filter::default(); SENSORS_LEN],
            fitted: inputs.fitted(),
            distrusted: 0,
            fresh_until: None,
            has_image: false,
        }
    }

    pub fn refit(&mut self, inputs: &Inputs) {
        self.fitted = inputs.fitted();
    }

    pub const fn is_fitted(&self, sensor: Sensor) -> bool {
        self.fitted & sensor.bit() != 0
    }

    /// Takes in one image.
    pub fn take(&mut self, now: Instant, image: &SensorImage, by: &Supervision) {
        let first = !self.has_image;
        self.has_image = true;
        self.fresh_until = by.image_age_max.map(|age| now.after(age));
        for sensor in Sensor::ALL.into_iter().filter(|s| self.fitted & s.bit() != 0) {
            let Some(filter) = self.filters.get_mut(sensor as usize) else { continue };
            let raw = image.get(sensor);
            if first {
                *filter = Filter { steady: raw, raw, ..Filter::default() };
            } else if raw != filter.raw {
                filter.changed(now, sensor, raw, by);
            }
        }
    }

    /// Lets time pass over the filters.
    pub fn settle(&mut self, now: Instant) {
        for filter in &mut self.filters {
            if filter.settles.is_some_and(|at| at <= now) {
                filter.settles = None;
                filter.steady = filter.raw;
            }
            if filter.window_until.is_some_and(|until| until <= now) {
                filter.window_until = None;
                filter.changes = 0;
                filter.flapping = false;
            }
        }
        if self.fresh_until.is_some_and(|until| until <= now) {
            self.fresh_until = None;
            self.has_image = false;
        }
    }

    pub fn see(&self, sensor: Sensor) -> Seen {
        if !self.is_fitted(sensor) {
            return Seen::Absent;
        }
        let Some(filter) = self.filters.get(sensor as usize) else { return Seen::Unknown };
        if !self.has_image || filter.flapping || self.distrusted & sensor.bit() != 0 {
            return Seen::Unknown;
        }
        match filter.steady {
            Reading::Inactive => Seen::No,
            Reading::Active => Seen::Yes,
            Reading::Fault => Seen::Unknown,
        }
    }

    /// What the contact says, whether or not it is believed.
    pub fn claims(&self, sensor: Sensor) -> bool {
        self.has_image
            && self.is_fitted(sensor)
            && self.filters.get(sensor as usize).is_some_and(|f| f.steady == Reading::Active)
    }

    pub fn is_flapping(&self, sensor: Sensor) -> bool {
        self.is_fitted(sensor) && self.filters.get(sensor as usize).is_some_and(|f| f.flapping)
    }

    pub fn distrust(&mut self, sensor: Sensor, is: bool) {
        if is {
            self.distrusted |= sensor.bit();
        } else {
            self.distrusted &= !sensor.bit();
        }
    }

    pub fn is_distrusted(&self, sensor: Sensor) -> bool {
        self.distrusted & sensor.bit() != 0
    }

    /// Whether every fitted contact has been read and stands still.
    pub fn is_settled(&self) -> bool {
        let moving = |f: &Filter| f.settles.is_some();
        self.has_image && !self.filters.iter().any(moving)
    }

    /// The fitted contacts that can't be believed, by [`Sensor::bit`].
    pub fn unknown(&self) -> u32 {
        Sensor::ALL.into_iter().filter(|s| self.see(*s) == Seen::Unknown).map(Sensor::bit).sum()
    }

    pub fn visit(&mut self, f: &mut dyn FnMut(&'static str, &mut Instant)) {
        for filter in &mut self.filters {
            filter.settles.iter_mut().for_each(|at| f("contact_settles", at));
            filter.window_until.iter_mut().for_each(|at| f("contact_window", at));
        }
        self.fresh_until.iter_mut().for_each(|at| f("sensors_stale", at));
    }
}

impl Filter {
    fn changed(&mut self, now: Instant, sensor: Sensor, raw: Reading, by: &Supervision) {
        self.raw = raw;
        let wait = by.debounce(sensor, raw);
        self.settles = (raw != self.steady).then(|| now.after(wait));
        if let Some(flap) = &by.flap {
            // Each change keeps the window open, so a contact is believed again only after
            // a whole window of rest.
            self.changes = self.changes.saturating_add(1);
            if self.window_until.is_none() || self.flapping {
                self.window_until = Some(now.after(flap.window));
            }
            self.flapping |= self.changes > flap.changes_max;
        }
    }
}
