//! One count of a sector's votes, and whether they are enough.

use core::time::Duration;

use super::config::{Config, Rules, Sector, Smoke};
use super::eye::Eye;
use super::record::{Miss, Predicate, Sight};
use crate::time::Instant;

/// One count of all votes of a sector.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tally {
    pub seeing: usize,
    pub fire: usize,
    /// Cameras that see smoke and no fire, and all that see smoke.
    pub smoke_only: usize,
    pub smoke: usize,
    /// Somebody sees a fire that had voted, or was blinded by one.
    pub evidence: bool,
    /// The longest time that one camera has voted without a pause.
    pub longest: Duration,
}

impl Tally {
    pub fn of(now: Instant, sector: &Sector, config: &Config, eyes: &[Eye]) -> Self {
        let rules = &config.rules;
        let mut count =
            Self { seeing: 0, fire: 0, smoke_only: 0, smoke: 0, evidence: false, longest: Duration::ZERO };
        for id in &sector.cameras {
            let (Some(eye), Some(camera)) = (eyes.get(id.index()), config.cameras.get(id.index())) else {
                continue;
            };
            count.evidence |= eye.blinded_by_fire(now, camera.pace.lapse, rules.blind_hold);
            if eye.sight(now, rules.camera_timeout) != Sight::Sees {
                continue;
            }
            let ballot = eye.ballot();
            count.seeing += 1;
            count.evidence |= ballot.stands;
            count.smoke += usize::from(ballot.smoke);
            if ballot.fire {
                count.fire += 1;
                count.longest = count.longest.max(ballot.lasted);
            } else if ballot.smoke {
                count.smoke_only += 1;
            }
        }
        count
    }

    /// k of n. Smoke adds half votes at most, and never without fire; one camera alone must go on
    /// for a while.
    pub fn agreement(&self, sector: &Sector, rules: &Rules) -> Result<usize, Miss> {
        let smoke = match rules.smoke {
            Smoke::Half => self.smoke_only,
            Smoke::Ignore | Smoke::Alarm => 0,
        };
        let halves = self.fire * 2 + smoke;
        if self.fire == 0 {
            return Err(Miss::count(Predicate::FireSeen, 0, 1));
        }
        if halves < sector.needed * 2 {
            let mut miss = Miss::count(Predicate::Agreement, halves, sector.needed);
            miss.measured /= 2.0;
            return Err(miss);
        }
        if self.fire + smoke == 1 && self.longest < sector.single {
            return Err(Miss::seconds(Predicate::Alone, self.longest, sector.single));
        }
        Ok(halves)
    }
}
