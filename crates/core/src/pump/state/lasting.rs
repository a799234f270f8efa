//! What counts only when it lasts, and what is repeated.

use core::time::Duration;

use crate::pump::outputs::Output;
use crate::time::Instant;

/// The kill relay after a stop: a pulse, and another while the engine is seen to turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(in crate::pump) struct Kill {
    pub on_until: Option<Instant>,
    pub again_at: Option<Instant>,
}

/// Something that counts only when it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(in crate::pump) struct Watch(pub Option<Instant>);

impl Watch {
    /// Whether `is` has held for `long`.
    pub fn holds(&mut self, now: Instant, is: bool, long: Duration) -> bool {
        if !is {
            self.0 = None;
            return false;
        }
        let due = *self.0.get_or_insert(now.after(long));
        if due <= now {
            // Kept, so that it stays true, at a place in time that does not grow old.
            self.0 = Some(Instant(0));
        }
        due <= now
    }

    pub const fn is_held(&self) -> bool {
        matches!(self.0, Some(Instant(0)))
    }
}

impl Kill {
    pub fn begin(now: Instant, pulse: Option<Duration>) -> Self {
        Self { on_until: pulse.map(|pulse| now.after(pulse)), again_at: None }
    }

    /// A pulse and a pause of the same length in turn, while it turns.
    pub fn tick(self, now: Instant, pulse: Option<Duration>, turns: bool) -> Self {
        let Some(pulse) = pulse else { return Self::default() };
        match self {
            Self { on_until: Some(until), .. } if until <= now => {
                Self { on_until: None, again_at: Some(now.after(pulse)) }
            }
            Self { on_until: None, again_at: Some(at) } if at <= now => {
                if turns {
                    Self::begin(now, Some(pulse))
                } else {
                    Self::default()
                }
            }
            Self { on_until: None, again_at: None } if turns => Self::begin(now, Some(pulse)),
            waiting => waiting,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(in crate::pump) struct Watches {
    pub flow_stuck: Watch,
    pub low_tank: Watch,
    pub engine_unasked: Watch,
    pub valve_lost: Watch,
    pub starter_welded: Watch,
    pub relays: [Watch; Output::ALL.len()],
    pub fire: Option<Instant>,
    pub remind: Option<Instant>,
    pub late_until: Option<Instant>,
}
