//! NVIDIA's management library, found at run time: is the GPU held back, and how fast does it run?

use std::fmt;
use std::mem::MaybeUninit;

use nvml_wrapper_sys::bindings::{
    NvmlLib, nvmlClockType_enum_NVML_CLOCK_SM as SM_CLOCK,
    nvmlClocksThrottleReasonHwPowerBrakeSlowdown as BRAKE, nvmlClocksThrottleReasonHwSlowdown as SLOWDOWN,
    nvmlClocksThrottleReasonHwThermalSlowdown as HARD_HEAT,
    nvmlClocksThrottleReasonSwThermalSlowdown as SOFT_HEAT, nvmlDevice_t, nvmlReturn_t,
    nvmlTemperatureSensors_enum_NVML_TEMPERATURE_GPU as GPU_SENSOR,
};

const LIBRARY: &str = "libnvidia-ml.so.1";

/// Why a GPU runs slower than it could. `SwPowerCap` is left out: under load a card's clock goes by the limit of its power, as
/// it was built to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reasons {
    pub heat: bool,
    pub over_current: bool,
}

impl Reasons {
    /// Of the bits of `nvmlClocksEventReasons`.
    #[must_use]
    pub fn of(bits: u64) -> Self {
        let has = |bit: u32| bits & u64::from(bit) != 0;
        let heat = has(SOFT_HEAT) || has(HARD_HEAT);
        // A slowdown without a cause is the hardware's protection against what it draws.
        Self { heat, over_current: has(BRAKE) || (has(SLOWDOWN) && !heat) }
    }
}

/// One GPU, as the library sees it.
pub struct Nvml {
    library: NvmlLib,
    device: nvmlDevice_t,
}

// SAFETY: NVML is thread-safe by its documentation, and a handle belongs to the process.
unsafe impl Send for Nvml {}

impl fmt::Debug for Nvml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nvml")
    }
}

impl Nvml {
    /// The first GPU; nothing without the library, a driver that runs, or a GPU.
    #[must_use]
    pub fn open() -> Option<Self> {
        // SAFETY: NVIDIA's library by the name that its driver installs; its initialisers are made for this.
        let library = unsafe { NvmlLib::new(LIBRARY) }.ok()?;
        let start = *library.nvmlInit_v2.as_ref().ok()?;
        let handle = *library.nvmlDeviceGetHandleByIndex_v2.as_ref().ok()?;
        // SAFETY: the signature is that of nvml.h.
        if unsafe { start() } != 0 {
            return None;
        }
        // SAFETY: the out parameter is a local.
        let device = ask(|at| unsafe { handle(0, at) })?;
        Some(Self { library, device })
    }

    /// What holds it back now; nothing if it doesn't say.
    #[must_use]
    pub fn reasons(&self) -> Option<Reasons> {
        let call = *self.library.nvmlDeviceGetCurrentClocksThrottleReasons.as_ref().ok()?;
        // SAFETY: the handle is the library's, the out parameter a local.
        ask(|at| unsafe { call(self.device, at) }).map(Reasons::of)
    }

    /// In °C.
    #[must_use]
    pub fn temperature(&self) -> Option<u32> {
        let call = *self.library.nvmlDeviceGetTemperature.as_ref().ok()?;
        // SAFETY: as in `reasons`.
        ask(|at| unsafe { call(self.device, GPU_SENSOR, at) })
    }

    /// In MHz.
    #[must_use]
    pub fn clock(&self) -> Option<u32> {
        let call = *self.library.nvmlDeviceGetClockInfo.as_ref().ok()?;
        // SAFETY: as in `reasons`.
        ask(|at| unsafe { call(self.device, SM_CLOCK, at) })
    }

    /// What the clock can be at most, in MHz.
    #[must_use]
    pub fn clock_max(&self) -> Option<u32> {
        let call = *self.library.nvmlDeviceGetMaxClockInfo.as_ref().ok()?;
        // SAFETY: as in `reasons`.
        ask(|at| unsafe { call(self.device, SM_CLOCK, at) })
    }
}

impl Drop for Nvml {
    fn drop(&mut self) {
        if let Ok(end) = &self.library.nvmlShutdown {
            // SAFETY: each `open` that succeeded ends once.
            unsafe { end() };
        }
    }
}

/// The out parameter of a call that went well.
fn ask<T>(call: impl FnOnce(*mut T) -> nvmlReturn_t) -> Option<T> {
    let mut value = MaybeUninit::uninit();
    if call(value.as_mut_ptr()) != 0 {
        return None;
    }
    // SAFETY: the library writes its out parameter before it says success.
    Some(unsafe { value.assume_init() })
}

#[cfg(test)]
mod tests {
    use nvml_wrapper_sys::bindings::nvmlClocksThrottleReasonSwPowerCap as POWER_CAP;

    use super::*;

    #[test]
    fn bits_have_their_reason() {
        let rows = [
            (0, (false, false)),
            // Idle, and clocks that somebody set.
            (1 | 2, (false, false)),
            (u64::from(POWER_CAP), (false, false)),
            (u64::from(SOFT_HEAT), (true, false)),
            (u64::from(SLOWDOWN | HARD_HEAT), (true, false)),
            (u64::from(SLOWDOWN), (false, true)),
            (u64::from(SLOWDOWN | BRAKE), (false, true)),
            (u64::from(POWER_CAP | HARD_HEAT), (true, false)),
        ];
        for (bits, (heat, over_current)) in rows {
            assert_eq!(Reasons::of(bits), Reasons { heat, over_current }, "{bits}");
        }
    }
}
