//! Whether the machine may be restarted under the pump.

use super::Status;
use crate::pump::alarm::{Condition, Kind};
use crate::pump::outputs::Output;
use crate::pump::state::StateName;

/// What a restart of the box would disturb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stir {
    /// It is neither idle nor switched off.
    State(StateName),
    /// A valve drains, a siren sounds.
    Relay(Output),
    /// It stands until somebody resets it, or an engine turns that nobody asked for.
    Alarm(Condition),
}

impl Status {
    /// What a restart would disturb; nothing while the pump is idle or switched off, every relay is at rest and no
    /// alarm is latched. In MANUAL somebody at the engine may let water flow.
    #[must_use]
    pub fn stir(&self) -> Option<Stir> {
        if !matches!(self.state, StateName::Idle | StateName::Off) {
            return Some(Stir::State(self.state));
        }
        let unasked = Some(Condition::EngineUnasked).filter(|c| self.panel.is_active(*c));
        let alarm = self.panel.shown(Kind::Alarm).next().or(unasked).map(Stir::Alarm);
        alarm.or_else(|| self.relays.energised().next().map(Stir::Relay))
    }
}
