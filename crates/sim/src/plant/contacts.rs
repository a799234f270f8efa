//! What the contacts say: by the plant's own truth, and as the wires bring it.

use vigia_core::pump::{Output, Reading, RelayImage, Sensor, SensorImage};

use super::engine::{RUNS_FROM_RPM, TURNS_FROM_RPM};
use super::water::{self, OPEN_FROM, SHUT_UP_TO};
use super::{Fault, Plant, Selector, rated};

/// Two thirds of nominal, as a share of a full charge; what cranking takes from it meanwhile.
pub(super) const BATTERY_LOW: f64 = 0.25;
const BATTERY_SAG: f64 = 0.1;

impl Plant {
    /// All contacts at this moment, as the wires bring them.
    #[must_use]
    pub fn sensors(&self) -> SensorImage {
        let now = self.now.unwrap_or_default();
        let mut image = SensorImage::QUIET;
        for sensor in Sensor::ALL {
            let reading = self.faults.read(now, sensor, self.is_active(sensor));
            if reading != Reading::Inactive {
                image = image.with(sensor, reading);
            }
        }
        image
    }

    /// What the contacts say, faults left out, as bits; the relays' own; and what is under power.
    pub(super) fn contacts(&self) -> (u32, RelayImage, RelayImage) {
        let bits = Sensor::ALL.into_iter().filter(|s| self.is_active(*s)).fold(0, |b, s| b | 1 << s as u32);
        (bits, self.feedback(), self.power.live)
    }

    /// What a contact would say if it were sound.
    fn is_active(&self, sensor: Sensor) -> bool {
        let (tank, water, rpm) = (&self.config.tank, &self.water, self.engine.rpm);
        let runs = self.engine.fires && rpm > RUNS_FROM_RPM;
        match sensor {
            Sensor::FloatLow => water.level_l <= tank.low_l(),
            Sensor::FloatHigh => water.level_l >= tank.high_l(),
            Sensor::Overflow => water.level_l >= tank.over_l(),
            Sensor::Pressure => {
                let sucks = water.level_l > 0.0 && !self.faults.has(Fault::SuctionBlocked);
                rpm > 2.0 * RUNS_FROM_RPM && water.prime >= water::PRIMED_FROM && sucks
            }
            Sensor::Flow => water.flow_l_per_s > 0.1 * tank.pump_l_per_s,
            Sensor::ValveOpen => water.valve >= OPEN_FROM,
            Sensor::ValveClosed => water.valve <= SHUT_UP_TO,
            Sensor::EngineRun => runs,
            Sensor::EngineTurning => rpm > TURNS_FROM_RPM,
            Sensor::OilLow => runs && self.faults.has(Fault::NoOil),
            Sensor::TempHigh => runs && self.faults.has(Fault::Overheats),
            Sensor::Overspeed => runs && rpm > 1.1 * self.config.drive.map_or(f64::MAX, |d| rated(&d)),
            Sensor::BatteryLow => {
                let sag = if self.power.live.is_on(Output::Starter) { BATTERY_SAG } else { 0.0 };
                self.battery - sag < BATTERY_LOW
            }
            Sensor::EmergencyStop => self.panel.stop,
            Sensor::SelectorAuto => self.panel.selector == Selector::Auto,
            Sensor::SelectorManual => self.panel.selector == Selector::Manual,
            Sensor::FireButton => self.panel.fire,
            Sensor::ResetButton => self.panel.reset,
            Sensor::StarterClosed => self.power.contacts.is_on(Output::Starter),
        }
    }
}
