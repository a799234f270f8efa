//! A Jetson's sysfs, as kernels 5.15 and 6.8 of L4T lay it out. Has not run on a Jetson.
//!
//! | file | tells |
//! |---|---|
//! | `class/devfreq/*.gpu` (`.ga10b`, `.gv11b`) `/cur_freq`, `max_freq` | clock, and what the power mode allows, in Hz |
//! | `class/thermal/cooling_device*/type`, `cur_state` | whether the kernel slows something down (not the fan) |
//! | `class/thermal/thermal_zone*/type`, `temp` | thousandths of a degree |
//! | `class/hwmon/hwmon*/oc*_event_cnt` | how often too much current was drawn |

use std::fs;
use std::path::{Path, PathBuf};

use super::{Cause, Held};

/// An event of too much current is told for so many readings: a minute.
const CURRENT_READINGS: u32 = 30;

/// One Jetson's files.
pub(super) struct Gauge {
    clock: PathBuf,
    cooling: Vec<PathBuf>,
    temperature: Option<PathBuf>,
    counters: Vec<PathBuf>,
    /// Of too much current, so far.
    events: u64,
    /// Readings for which the last one is still told.
    recent: u32,
}

impl Gauge {
    /// Nothing where the GPU has no clock below `sys`.
    pub(super) fn find(sys: &Path) -> Option<Self> {
        let is_gpu = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            ["gpu", "ga10b", "gv11b"].iter().any(|end| name.ends_with(end))
        };
        let clock = below(sys, "class/devfreq").into_iter().find(is_gpu)?;
        let thermal = below(sys, "class/thermal");
        let of = |what: &str, kind: &dyn Fn(&str) -> bool| -> Vec<PathBuf> {
            let named =
                |path: &&PathBuf| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(what));
            let fits = |path: &&PathBuf| text(&path.join("type")).is_some_and(|t| kind(&t.to_lowercase()));
            thermal.iter().filter(named).filter(fits).cloned().collect()
        };
        let slows =
            |kind: &str| kind.contains("throttle") || kind.contains("gpu") || kind.contains("hot-surface");
        let is_counter = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            name.starts_with("oc") && name.ends_with("_event_cnt")
        };
        let hwmon = below(sys, "class/hwmon").into_iter().flat_map(|dir| below(&dir, ""));
        let mut gauge = Self {
            clock,
            cooling: of("cooling_device", &slows),
            temperature: of("thermal_zone", &|kind| kind.contains("gpu")).pop(),
            counters: hwmon.filter(is_counter).collect(),
            events: 0,
            recent: 0,
        };
        // What was before is not news.
        gauge.events = gauge.count();
        Some(gauge)
    }

    fn count(&self) -> u64 {
        self.counters.iter().filter_map(|path| number(path)).sum()
    }

    /// Nothing while it runs free.
    pub(super) fn read(&mut self) -> Option<Held> {
        let events = self.count();
        self.recent = if events > self.events { CURRENT_READINGS } else { self.recent.saturating_sub(1) };
        self.events = events;
        let heat = self.cooling.iter().any(|device| number(&device.join("cur_state")) > Some(0));
        let rows = [(heat, Cause::Heat), (self.recent > 0, Cause::OverCurrent)];
        let causes: Vec<_> = rows.into_iter().filter(|(holds, _)| *holds).map(|(_, cause)| cause).collect();
        let mhz = |name: &str| Some(whole(number(&self.clock.join(name))? / 1_000_000));
        let degrees = || Some(whole(number(&self.temperature.as_ref()?.join("temp"))? / 1_000));
        (!causes.is_empty()).then(|| Held {
            causes,
            temperature_c: degrees(),
            clock_mhz: mhz("cur_freq"),
            clock_max_mhz: mhz("max_freq"),
        })
    }
}

fn below(dir: &Path, name: &str) -> Vec<PathBuf> {
    let mut paths: Vec<_> =
        fs::read_dir(dir.join(name)).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn text(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

fn number(path: &Path) -> Option<u64> {
    text(path)?.parse().ok()
}

fn whole(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jetson_tells_heat_and_current() {
        let sys = tempfile::tempdir().expect("the disk has room");
        let put = |name: &str, text: &str| {
            let path = sys.path().join("class").join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("the disk has room");
            fs::write(path, format!("{text}\n")).expect("the disk has room");
        };
        put("devfreq/15340000.vic/cur_freq", "115200000");
        assert!(Gauge::find(sys.path()).is_none(), "no GPU");
        put("devfreq/17000000.gpu/cur_freq", "612000000");
        put("devfreq/17000000.gpu/max_freq", "1300500000");
        put("thermal/thermal_zone0/type", "cpu-thermal");
        put("thermal/thermal_zone0/temp", "51000");
        put("thermal/thermal_zone1/type", "gpu-thermal");
        put("thermal/thermal_zone1/temp", "97250");
        put("thermal/cooling_device0/type", "pwm-fan");
        put("thermal/cooling_device0/cur_state", "3");
        put("thermal/cooling_device1/type", "gpu-throttle-alert");
        put("thermal/cooling_device1/cur_state", "0");
        put("hwmon/hwmon3/oc1_event_cnt", "7");
        put("hwmon/hwmon3/oc1_throt_en", "1");
        let mut gauge = Gauge::find(sys.path()).expect("it is a Jetson");
        assert_eq!(gauge.read(), None, "a fan that turns holds nothing back, nor do old events");
        put("thermal/cooling_device1/cur_state", "1");
        let hot = gauge.read().expect("it is hot");
        let said = "the GPU is held back by heat at 97 °C: it runs at 612 of 1300 MHz";
        assert_eq!((hot.sentence().as_str(), hot.causes), (said, vec![Cause::Heat]));
        put("hwmon/hwmon3/oc1_event_cnt", "8");
        put("thermal/cooling_device1/cur_state", "0");
        for reading in 0..CURRENT_READINGS {
            let causes = gauge.read().map(|held| held.causes);
            assert_eq!(causes, Some(vec![Cause::OverCurrent]), "{reading}");
        }
        assert_eq!(gauge.read(), None);
    }
}
