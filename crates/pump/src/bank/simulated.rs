//! A plant inside of this program, driven by the real clock.

use std::time::Duration;

use vigia_core::pump::{Plan, RelayImage, SensorImage};
use vigia_core::time::Instant;
use vigia_sim::plant::{Button, Plant, PlantConfig};

use super::drill::{Drill, Trouble};

/// The heartbeat line toggles for so long after a cycle, and then stands still.
const BEATS_FOR: Duration = Duration::from_millis(150);
/// Drills of one start.
const DRILLS_LEN_MAX: usize = 32;

#[derive(Debug)]
pub struct Simulated {
    plant: Plant,
    /// By their time, soonest first.
    drills: Vec<(Instant, Trouble)>,
    done: usize,
    /// The last cycle that let the heartbeat go on.
    beat: Option<Instant>,
}

impl Simulated {
    pub fn new(plan: &Plan, drills: &[Drill], now: Instant) -> Self {
        const SEED: u64 = 1;
        let mut drills: Vec<_> =
            drills.iter().take(DRILLS_LEN_MAX).map(|d| (now.after(d.after), d.trouble)).collect();
        drills.sort_by_key(|(at, _)| *at);
        let mut plant = Plant::new(PlantConfig::of(plan), SEED);
        plant.heartbeat(now, false);
        Self { plant, drills, done: 0, beat: None }
    }

    pub fn sensors(&mut self, now: Instant) -> SensorImage {
        while let Some((_, trouble)) = self.drills.get(self.done).filter(|(at, _)| *at <= now) {
            match *trouble {
                Trouble::Fault(fault) => self.plant.fault(fault),
                Trouble::Press(button, is) => self.plant.press(button, is),
                Trouble::Turn(selector) => self.plant.turn(selector),
                Trouble::Mend => {
                    self.plant.mend_all();
                    self.plant.press(Button::Stop, false);
                }
            }
            self.done += 1;
        }
        // A program that does not get its turn feeds no watchdog relay.
        if let Some(beat) = self.beat.take_if(|beat| now.since(*beat) > BEATS_FOR) {
            self.plant.heartbeat(beat.after(BEATS_FOR), false);
        }
        self.plant.pass(now);
        self.plant.sensors()
    }

    pub fn write(&mut self, now: Instant, image: RelayImage) {
        self.plant.advance(now, &image);
    }

    pub fn read_back(&mut self, now: Instant) -> RelayImage {
        self.plant.pass(now);
        self.plant.feedback()
    }

    pub fn is_pulled(&self) -> bool {
        self.plant.is_k0_pulled()
    }

    pub fn heartbeat(&mut self, now: Instant, beats: bool) {
        self.beat = beats.then_some(now);
        self.plant.heartbeat(now, beats);
    }
}
