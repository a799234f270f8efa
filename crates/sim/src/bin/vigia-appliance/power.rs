//! The power of a box that goes, and what is left on its disk.

use std::path::PathBuf;
use std::process::Command;

use vigia_sim::vm::machine::run;
use vigia_sim::vm::rig::RigError;

use crate::machine::{Appliance, KEPT};
use crate::writes::{Writes, copy};

/// A moment of a machine that ran.
#[derive(Debug)]
pub struct Moment {
    /// Of [`Writes`], bytes.
    log: u64,
    /// UEFI's variables, which have no memory in between.
    vars: PathBuf,
}

impl Appliance {
    /// The power goes, and with it some of what the disk had not been told to flush.
    ///
    /// # Errors
    /// The disk cannot be made.
    pub fn power_cut(&mut self, rng: &mut fastrand::Rng) -> Result<(), RigError> {
        self.qemu.cut();
        self.writes.leave(self.writes.so_far()?, &self.disk(), || rng.bool()).map(drop)
    }

    /// How things stand, for [`Appliance::leave`]: as if the power went now. The machine goes on.
    ///
    /// # Errors
    /// It is off, or there is no room.
    pub fn moment(&self, vars: PathBuf) -> Result<Moment, RigError> {
        let signal = |name: &str| {
            let pid = self.qemu.pid().ok_or_else(|| RigError::Not("the machine is off".to_owned()))?;
            Ok::<_, RigError>(run("kill", Command::new("kill").args([name, &pid.to_string()]))?)
        };
        signal("-STOP")?;
        let seen = self.writes.so_far().and_then(|log| {
            copy(&self.sources.work.join(KEPT[1]), &vars)?;
            Ok(Moment { log, vars })
        });
        signal("-CONT")?;
        seen
    }

    /// What was written since it was switched on, kept for [`Appliance::leave`]; the machine is off.
    ///
    /// # Errors
    /// It cannot be moved.
    pub fn keep_writes(&self) -> Result<Writes, RigError> {
        self.writes.keep(self.sources.work.join("kept-writes"))
    }

    /// Its disk is as a power cut left it then; the machine is off.
    ///
    /// # Errors
    /// The disk cannot be made.
    pub fn leave(&self, writes: &Writes, moment: &Moment, rng: &mut fastrand::Rng) -> Result<u32, RigError> {
        copy(&moment.vars, &self.sources.work.join(KEPT[1]))?;
        writes.leave(moment.log, &self.disk(), || rng.bool())
    }
}
