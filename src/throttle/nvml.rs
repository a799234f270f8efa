//! Any NVIDIA GPU but a Jetson's.

use vigia_accel::nvml::Nvml;

use super::{Cause, Held};

/// The first GPU.
pub(super) struct Gauge(Nvml);

impl Gauge {
    /// Nothing where the library or a GPU is missing.
    pub(super) fn find() -> Option<Self> {
        Nvml::open().map(Self)
    }

    /// Nothing while it runs free, or doesn't answer.
    pub(super) fn read(&self) -> Option<Held> {
        let reasons = self.0.reasons()?;
        let rows = [(reasons.heat, Cause::Heat), (reasons.over_current, Cause::OverCurrent)];
        let causes: Vec<_> = rows.into_iter().filter(|(holds, _)| *holds).map(|(_, cause)| cause).collect();
        (!causes.is_empty()).then(|| Held {
            causes,
            temperature_c: self.0.temperature(),
            clock_mhz: self.0.clock(),
            clock_max_mhz: self.0.clock_max(),
        })
    }
}
