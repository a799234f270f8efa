//! What happened, as one SVG: state, cameras and votes, relays, and the plant, over one time axis.
//!
//! Promised: a picture of any length of samples has the same size, and no more shapes than it has
//! columns; text is what a reader of the README can read without zooming.

use std::fmt::Write;

use vigia_core::pump::{Output, StateName};
use vigia_core::time::Instant;

use crate::trial::Sample;

#[cfg(test)]
mod tests;

const WIDTH: f64 = 1200.0;
const LEFT: f64 = 150.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 46.0;
const ROW: f64 = 20.0;
const BAND: f64 = 64.0;
const GAP: f64 = 10.0;
/// Points of a curve: more can't be seen.
const POINTS_LEN_MAX: usize = 1500;

const INK: &str = "#1f2933";
const PALE: &str = "#d5dbe1";
const RELAY: &str = "#2b6cb0";
const FIRE: &str = "#c53030";
const VOTE: &str = "#dd6b20";
const WATER: &str = "#2c7a7b";

/// A curve: its name with the unit, its value, and its largest.
struct Curve {
    name: &'static str,
    colour: &'static str,
    of: fn(&Sample) -> f64,
}

const CURVES: [Curve; 4] = [
    Curve { name: "engine, rpm", colour: INK, of: |s| s.rpm },
    Curve { name: "main valve, % open", colour: RELAY, of: |s| s.valve * 100.0 },
    Curve { name: "flow, l/s", colour: WATER, of: |s| s.flow_l_per_s },
    Curve { name: "tank, l", colour: WATER, of: |s| s.level_l },
];

/// The whole picture. Without samples it says so.
#[must_use]
pub fn svg(title: &str, samples: &[Sample]) -> String {
    let mut picture = Picture::new(title, samples);
    let (Some(_), Some(_)) = (samples.first(), samples.last()) else {
        return picture.end("nothing was recorded");
    };
    picture.states(samples);
    picture.steps("cameras that see it", FIRE, samples, |s| s.seeing);
    picture.steps("objects that vote", VOTE, samples, |s| s.votes);
    for output in Output::ALL {
        if samples.iter().any(|s| s.relays.is_on(output)) {
            picture.bars(output.name(), RELAY, samples, |s| s.relays.is_on(output));
        }
    }
    for curve in &CURVES {
        picture.curve(curve, samples);
    }
    picture.end("")
}

struct Picture {
    body: String,
    title: String,
    from: Instant,
    seconds: f64,
    y: f64,
}

impl Picture {
    fn new(title: &str, samples: &[Sample]) -> Self {
        let from = samples.first().map_or(Instant(0), |s| s.at);
        let to = samples.last().map_or(from, |s| s.at);
        let seconds = to.since(from).as_secs_f64().max(1.0);
        Self { body: String::new(), title: escaped(title), from, seconds, y: TOP }
    }

    fn x(&self, at: Instant) -> f64 {
        LEFT + at.since(self.from).as_secs_f64() / self.seconds * (WIDTH - LEFT - RIGHT)
    }

    fn put(&mut self, shape: std::fmt::Arguments<'_>) {
        // Writing into a string does not fail.
        self.body.write_fmt(shape).unwrap_or_default();
        self.body.push('\n');
    }

    fn label(&mut self, y: f64, text: &str) {
        self.put(format_args!("<text x='{:.0}' y='{y:.1}' text-anchor='end'>{text}</text>", LEFT - 8.0));
    }

    fn rect(&mut self, from: f64, to: f64, y: f64, height: f64, colour: &str, name: &str) {
        let width = (to - from).max(0.7);
        self.put(format_args!(
            "<rect x='{from:.1}' y='{y:.1}' width='{width:.1}' height='{height:.1}' fill='{colour}'>\
             <title>{name}</title></rect>"
        ));
    }

    /// Stretches in which something stays the same: from, to, and what.
    fn stretches<T: PartialEq + Copy>(
        &self,
        samples: &[Sample],
        of: impl Fn(&Sample) -> T,
    ) -> Vec<(f64, f64, T)> {
        let mut stretches: Vec<(f64, f64, T)> = Vec::new();
        for sample in samples {
            let (x, what) = (self.x(sample.at), of(sample));
            match stretches.last_mut() {
                Some((_, to, last)) if *last == what => *to = x,
                Some((_, to, _)) => {
                    *to = x;
                    stretches.push((x, x, what));
                }
                None => stretches.push((x, x, what)),
            }
        }
        stretches
    }

    fn states(&mut self, samples: &[Sample]) {
        let y = self.y;
        self.label(y + 14.0, "pump is");
        for (from, to, state) in self.stretches(samples, |s| s.state) {
            let (name, colour) = shown(state);
            self.rect(from, to, y, ROW - 3.0, colour, name);
            // Where there is room to read it.
            if to - from > 7.0 * f64::from(u32::try_from(name.len()).unwrap_or(0)) {
                let at = f64::midpoint(from, to);
                self.put(format_args!(
                    "<text x='{at:.1}' y='{:.1}' text-anchor='middle' fill='white' class='s'>{name}</text>",
                    y + 13.0
                ));
            }
        }
        self.y += ROW + GAP;
    }

    fn bars(&mut self, name: &str, colour: &str, samples: &[Sample], is: impl Fn(&Sample) -> bool) {
        let y = self.y;
        self.label(y + 13.0, &name.replace('_', " "));
        self.put(format_args!(
            "<line x1='{LEFT}' x2='{:.1}' y1='{:.1}' y2='{:.1}' stroke='{PALE}'/>",
            WIDTH - RIGHT,
            y + ROW - 4.0,
            y + ROW - 4.0
        ));
        for (from, to, on) in self.stretches(samples, is) {
            if on {
                self.rect(from, to, y + 3.0, ROW - 8.0, colour, name);
            }
        }
        self.y += ROW;
    }

    fn steps(
        &mut self,
        name: &'static str,
        colour: &'static str,
        samples: &[Sample],
        of: fn(&Sample) -> usize,
    ) {
        let most = samples.iter().map(of).max().unwrap_or(0).max(1);
        let (y, height) = (self.y, ROW * 1.4);
        self.label(y + 14.0, name);
        for (from, to, n) in self.stretches(samples, of) {
            if n > 0 {
                let part = height * share(n, most);
                self.rect(from, to, y + height - part, part, colour, &n.to_string());
            }
        }
        self.y += height + GAP;
    }

    fn curve(&mut self, curve: &Curve, samples: &[Sample]) {
        let (y, of) = (self.y + GAP, curve.of);
        let most = samples.iter().map(of).fold(0.0, f64::max).max(1e-9);
        self.label(y + 14.0, curve.name);
        self.label(y + 28.0, &format!("to {most:.0}"));
        self.put(format_args!(
            "<line x1='{LEFT}' x2='{:.1}' y1='{:.1}' y2='{:.1}' stroke='{PALE}'/>",
            WIDTH - RIGHT,
            y + BAND,
            y + BAND
        ));
        let every = samples.len().div_ceil(POINTS_LEN_MAX).max(1);
        let mut points = String::new();
        for sample in samples.iter().step_by(every).chain(samples.last()) {
            let up = y + BAND * (1.0 - of(sample) / most);
            write!(points, "{:.1},{up:.1} ", self.x(sample.at)).unwrap_or_default();
        }
        let colour = curve.colour;
        self.put(format_args!(
            "<polyline points='{points}' fill='none' stroke='{colour}' stroke-width='1.5'/>"
        ));
        self.y += BAND + GAP;
    }

    fn axis(&mut self) {
        let every = tick_s(self.seconds);
        let bottom = self.y + 6.0;
        let mut at = 0.0;
        while at <= self.seconds {
            let x = LEFT + at / self.seconds * (WIDTH - LEFT - RIGHT);
            self.put(format_args!(
                "<line x1='{x:.1}' x2='{x:.1}' y1='{:.1}' y2='{bottom:.1}' stroke='{PALE}' \
                 stroke-dasharray='2 4'/><text x='{x:.1}' y='{:.1}' text-anchor='middle'>{}</text>",
                TOP - 6.0,
                bottom + 16.0,
                clock(at, self.seconds)
            ));
            at += every;
        }
        self.y = bottom + 24.0;
    }

    fn end(mut self, remark: &str) -> String {
        self.axis();
        let (height, title, body) = (self.y + 4.0, &self.title, &self.body);
        format!(
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height:.0}' \
             font-family='sans-serif' font-size='12' fill='{INK}'>\n\
             <style>.s{{font-size:10px}}</style>\n\
             <rect width='100%' height='100%' fill='white'/>\n\
             <text x='{LEFT}' y='24' font-size='16'>{title} {remark}</text>\n{body}</svg>\n"
        )
    }
}

/// A step of the axis that gives some ten marks.
fn tick_s(seconds: f64) -> f64 {
    const STEPS_S: [f64; 14] =
        [1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14_400.0, 86_400.0];
    let fits = |step: &f64| seconds / step <= 14.0;
    STEPS_S.into_iter().find(fits).unwrap_or(seconds / 10.0)
}

/// In minutes where the whole picture is longer than five.
fn clock(seconds: f64, of: f64) -> String {
    if of < 300.0 { format!("{seconds:.0} s") } else { format!("{:.1} min", seconds / 60.0) }
}

#[expect(clippy::cast_precision_loss, reason = "a handful of cameras")]
fn share(n: usize, most: usize) -> f64 {
    n as f64 / most as f64
}

fn shown(state: Option<StateName>) -> (&'static str, &'static str) {
    match state {
        None => ("dead", "#000000"),
        Some(StateName::Boot) => ("boot", "#718096"),
        Some(StateName::Idle) => ("idle", "#a0aec0"),
        Some(StateName::Priming) => ("priming", "#4c51bf"),
        Some(StateName::Starting) => ("starting", "#b7791f"),
        Some(StateName::Running) => ("running", "#2f855a"),
        Some(StateName::ReducingRpm) => ("reducing", "#48796b"),
        Some(StateName::Stopping) => ("stopping", "#805ad5"),
        Some(StateName::Refilling) => ("refilling", "#2b6cb0"),
        Some(StateName::Cooldown) => ("cooldown", "#63879b"),
        Some(StateName::LowPressure) => ("low pressure", "#c53030"),
        Some(StateName::Error) => ("error", "#c53030"),
        Some(StateName::EmergencyStop) => ("emergency stop", "#822727"),
        Some(StateName::Off) => ("off", "#4a5568"),
        Some(StateName::Manual) => ("manual", "#4a5568"),
        Some(StateName::Leaving) => ("leaving", "#4a5568"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
