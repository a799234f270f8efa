//! Boxes that have never run, with the site that a check needs: starts are limited by the hour, and trials are many.

use serde_json::json;
use vigia_core::pump::plan::parse;
use vigia_core::pump::{Plan, RawPlan};

use super::{Bench, stage};
use crate::plant::{Button, Plant, Selector};
use crate::vm::clock::rest;
use crate::vm::rig::RigError;

/// As they were staged.
const FILES: &str = "cp /opt/vigia/root/etc/vigia/* /etc/vigia/";
const NEW_BOX: &str = "rm -rf /var/lib/vigia/pump /run/vigia/* && mkdir -m 700 -p /var/lib/vigia/pump \
     && vigia-pump commission && chown -R vigia-pump:vigia /var/lib/vigia/pump";
/// The share of a tank that its floats call full, and one that they call neither full nor empty.
const FULL: f64 = 0.94;
const HALF: f64 = 0.5;

impl Bench {
    /// With the usual files.
    pub(super) fn as_new(&self) -> Result<(), RigError> {
        let command =
            format!("systemctl stop vigia-pump; {FILES} && {NEW_BOX} && systemctl start vigia-pump");
        self.rig.run(&command)?;
        self.wait_rest()
    }

    /// With another site than the usual one, a sound plant and a full tank; at rest.
    pub(super) fn fresh(&self, change: impl FnOnce(&mut RawPlan)) -> Result<Plan, RigError> {
        let plan = self.prepared(change)?;
        self.start()?;
        Ok(plan)
    }

    pub(super) fn start(&self) -> Result<(), RigError> {
        self.rig.run("systemctl start vigia-pump")?;
        self.wait_rest()
    }

    /// The same, and the program does not run yet.
    pub(super) fn prepared(&self, change: impl FnOnce(&mut RawPlan)) -> Result<Plan, RigError> {
        let mut site = stage::site()?;
        change(&mut site);
        let wrong = |e: String| RigError::Not(format!("the site of this check is wrong: {e}"));
        let plan = parse::parse(&site).map_err(|all| wrong(format!("{all:?}")))?.plan;
        // JSON is YAML.
        let text = serde_json::to_string_pretty(&json!({"pump": site})).map_err(|e| wrong(e.to_string()))?;
        // An ordered stop would wait for valves.
        self.rig.run("systemctl kill -s KILL vigia-pump; systemctl stop vigia-pump; true")?;
        self.world.with(|world| make_sound(&mut world.plant));
        self.wait("the engine stands", |world| world.plant.truth().rpm < 1.0)?;
        self.rig.run(&format!("{FILES} && {NEW_BOX}\ncat > /etc/vigia/site.yaml << 'END'\n{text}\nEND"))?;
        Ok(plan)
    }

    /// Neither float says anything, once they have settled.
    pub(super) fn half_a_tank(&self) {
        self.fill(HALF);
        // A float stands still for a second before it counts.
        rest(std::time::Duration::from_millis(1500));
    }

    pub(super) fn fill(&self, share: f64) {
        self.world.with(|world| {
            let volume = world.plant.config().tank.volume_l;
            world.plant.fill_to(share * volume);
        });
    }

    /// Switched off and on again, and as new: whatever was done to its kernel is gone.
    pub(super) fn boot_again(&mut self) -> Result<(), RigError> {
        self.rig.machine.cut();
        self.rig.boot()?;
        self.fresh(|_| {}).map(drop)
    }
}

/// Nothing is broken, nobody holds a button, and the tank is full.
pub(super) fn make_sound(plant: &mut Plant) {
    plant.mend_all();
    [Button::Stop, Button::Fire, Button::Reset].into_iter().for_each(|button| plant.press(button, false));
    plant.turn(Selector::Auto);
    let volume = plant.config().tank.volume_l;
    plant.fill_to(FULL * volume);
}
