//! How long a refill takes, from a factor or from litres.

use alloc::format;
use core::time::Duration;

use super::super::Refill;
use super::super::limits as l;
use super::Reader;

impl Reader<'_> {
    /// From a factor, or from litres; both together contradict each other sooner or later.
    pub(super) fn refill(&mut self, run_max: Duration) -> Refill {
        let (raw, t) = (&self.raw.tank, &self.raw.timings);
        let cycle_given = t.refill_s_max;
        let mut cycle_max = self.time(&l::REFILL, cycle_given);
        let budget = self.time(&l::REFILL_DAY, t.refill_s_per_day_max);
        let litres = [raw.volume_l, raw.pump_l_per_min, raw.refill_l_per_min];
        let multiplier = match litres {
            [None, None, None] => self.number(&l::MULTIPLIER, raw.refill_multiplier),
            [Some(volume), Some(pump), Some(refill)] => {
                if let Some(multiplier) = raw.refill_multiplier {
                    self.refuse(
                        "tank.refill_multiplier",
                        multiplier,
                        "litres are given as well; keep one of them",
                    );
                }
                let volume = self.number(&l::VOLUME, Some(volume));
                let pump = self.number(&l::PUMP_FLOW, Some(pump));
                let refill = self.number(&l::REFILL_FLOW, Some(refill));
                self.litres(volume, pump, refill, run_max, cycle_given.is_some(), &mut cycle_max);
                (pump / refill).clamp(0.001, l::MULTIPLIER.max)
            }
            _ => {
                self.refuse(
                    "tank",
                    "incomplete",
                    "volume_l, pump_l_per_min and refill_l_per_min go together, or else give refill_multiplier",
                );
                l::MULTIPLIER.min
            }
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within its bounds")]
        let per_mille = libm::ceil(multiplier * 1000.0) as u32;
        let window = Duration::from_secs(l::DAY_S);
        Refill { per_mille, cycle_max, budget, window, dwell: Duration::from_secs(l::TAP_DWELL_S) }
    }

    /// the longest run is bound by what is in the tank.
    fn litres(
        &mut self,
        volume: f64,
        pump: f64,
        refill: f64,
        run_max: Duration,
        cycle_given: bool,
        cycle_max: &mut Duration,
    ) {
        let empty_s = volume / pump * 60.0;
        if run_max.as_secs_f64() > empty_s {
            self.refuse(
                "timings.run_s_max",
                run_max.as_secs_f64(),
                &format!("tank.volume_l at tank.pump_l_per_min is empty after {empty_s:.0} s; it must not be longer"),
            );
        }
        let full_s = volume / refill * 60.0;
        if full_s > l::REFILL.max {
            self.refuse("tank.refill_l_per_min", refill, "the tank would take longer than 23 h to fill");
        } else if cycle_given && cycle_max.as_secs_f64() < full_s {
            self.refuse(
                "timings.refill_s_max",
                cycle_max.as_secs_f64(),
                &format!("the tank takes {full_s:.0} s to fill; it must not be shorter"),
            );
        } else if !cycle_given {
            *cycle_max =
                Duration::from_secs_f64(libm::ceil(full_s * 1.1).clamp(l::REFILL.min, l::REFILL.max));
        }
    }
}
