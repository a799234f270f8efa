//! From the lines to what is really under power: coils, contacts, watchdog relay, stop button.

use std::time::Duration;

use vigia_core::pump::{Output, RelayImage};
use vigia_core::time::Instant;

use super::config::{PlantConfig, Watchdog};
use super::fault::{Fault, Faults};
use super::panel::{Panel, Selector};

/// From the last heartbeat to the drop of K0.
pub const K0_HOLDS: Duration = Duration::from_millis(300);
/// The same for ignition and contactor where the site rides through a crash.
pub const K0B_HOLDS: Duration = Duration::from_secs(5);

/// The lines as they were written last, and the heartbeat.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wiring {
    pub wanted: RelayImage,
    /// Since when the heartbeat is missing.
    pub silent_since: Option<Instant>,
}

/// What is under power at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Power {
    /// Contacts as they stand.
    pub contacts: RelayImage,
    /// What they feed.
    pub live: RelayImage,
    /// The watchdog relay or the stop button kills what runs without power.
    pub killed: bool,
}

impl Power {
    pub const NONE: Self = Self { contacts: RelayImage::NONE, live: RelayImage::NONE, killed: false };
}

const fn is_behind_k0(output: Output) -> bool {
    matches!(output, Output::Starter | Output::Run | Output::Contactor | Output::RefillValve)
}

impl Wiring {
    pub fn k0(&self, now: Instant, watchdog: Watchdog) -> bool {
        watchdog == Watchdog::Absent || self.silent_since.is_none_or(|since| now.since(since) < K0_HOLDS)
    }

    fn k0b(&self, now: Instant, watchdog: Watchdog) -> bool {
        match watchdog {
            Watchdog::Absent => true,
            Watchdog::FailStop => self.k0(now, watchdog),
            Watchdog::FailRun => self.silent_since.is_none_or(|since| now.since(since) < K0B_HOLDS),
        }
    }

    /// When a relay drops by itself next.
    pub fn drops_at(&self, now: Instant) -> Option<Instant> {
        let since = self.silent_since?;
        [K0_HOLDS, K0B_HOLDS].into_iter().map(|holds| since.after(holds)).find(|at| *at > now)
    }

    pub fn power(&self, now: Instant, config: &PlantConfig, faults: &Faults, panel: &Panel) -> Power {
        let (k0, k0b) = (self.k0(now, config.watchdog), self.k0b(now, config.watchdog));
        let stopped = config.hard_wired_stop && panel.stop;
        let fed = |output: Output| match output {
            Output::Run | Output::Contactor => k0b && !stopped,
            other => !is_behind_k0(other) || (k0 && !stopped),
        };
        let contacts = RelayImage::read_back(|output| {
            let coil = self.wanted.is_on(output) && fed(output);
            (coil && !faults.has(Fault::RelayDead(output))) || faults.has(Fault::RelayWelded(output))
        });
        let by_hand = panel.hand_run && panel.selector == Selector::Manual && !stopped;
        let live = RelayImage::read_back(|output| {
            (contacts.is_on(output) && fed(output)) || (output == Output::Run && by_hand)
        });
        Power { contacts, live, killed: !k0b || stopped }
    }
}
