//! `vigia self-test --live`: whether the box that runs works, asked of its programs; with `before.json`, whether it does
//! again what it did before an update.
//!
//! What the site does not have passes by saying so. What did not work before the update is no fault of the update.

use serde::Serialize;
use serde_json::{Value, json};
use vigia_core::config::Config;
use vigia_core::event::Utc;

use super::{Check, Outcome};
use crate::clock;
use crate::update::Places;
use crate::update::work::{self, Work};

/// Quickest first: who falls back from one to a later one has lost something.
const ENGINES: [&str; 3] = ["tensorrt", "openvino", "rten"];

/// All of it. It names streams by their numbers.
#[derive(Debug, Serialize)]
pub struct Report {
    pub vigia: &'static str,
    pub taken: Utc,
    pub passed: bool,
    /// Until the plan is built the processor stands in for the GPU, or nothing detects: to be asked again.
    pub building: bool,
    pub checks: Vec<Check>,
}

/// Asks; `hears` is told of each check when it is done.
pub fn run(config: &Config, places: &Places, mut hears: impl FnMut(&Check)) -> Report {
    let mut checks = Vec::new();
    let mut note = |check: Check| {
        hears(&check);
        checks.push(check);
    };
    let now = work::now(places);
    match (&now, work::before(places)) {
        (None, _) => {
            note(Check::failed("vigia", "vigia has not told for 15 s how it works: does its service run?"));
        }
        (_, Err(e)) => note(Check::failed("before", e)),
        (Some(now), Ok(before)) => {
            note(instance(now));
            note(cameras(now, before.as_ref()));
            note(engine(now, before.as_ref()));
            super::broker::check(config, now, before.as_ref(), &mut note);
        }
    }
    Report {
        vigia: env!("CARGO_PKG_VERSION"),
        taken: clock::utc(),
        passed: checks.iter().all(|c| c.outcome != Outcome::Failed),
        building: now.is_some_and(|now| now.is_building && (now.degraded.is_some() || now.engine.is_none())),
        checks,
    }
}

fn instance(now: &Work) -> Check {
    const NAME: &str = "vigia";
    match &*now.status {
        "running" | "paused" => Check::passed(NAME, format!("it is {}", now.status), Value::Null),
        other => Check::failed(NAME, format!("it is {other}, not running")),
    }
}

fn cameras(now: &Work, before: Option<&Work>) -> Check {
    const NAME: &str = "cameras";
    let why = |id: &u32| match now.cameras.get(id).map(|camera| camera.why.as_deref()) {
        Some(Some(why)) => format!("camera {id} has given no picture: {why}"),
        Some(None) => format!("camera {id} has given no picture"),
        None => format!("camera {id} is not there"),
    };
    let gave = now.cameras.values().filter(|camera| camera.gave).count();
    let figures = json!({ "cameras": now.cameras.len(), "gave": gave });
    let Some(before) = before else {
        // How it was nobody knows: one that works shows that cameras can.
        let silent: Vec<String> = now.cameras.keys().map(why).collect();
        return match (now.cameras.len(), gave) {
            (0, _) => Check::passed(NAME, "the site has none", figures),
            (_, 0) => Check { figures, ..Check::failed(NAME, silent.join("; ")) },
            (all, gave) => Check::passed(NAME, format!("{gave} of {all} have given pictures"), figures),
        };
    };
    let gives = before.cameras.iter().filter(|(_, camera)| camera.gives).map(|(id, _)| id);
    let wanted: Vec<&u32> = gives.collect();
    let is_silent = |id: &&&u32| !now.cameras.get(id).is_some_and(|camera| camera.gave);
    let silent: Vec<String> = wanted.iter().filter(is_silent).map(|id| why(id)).collect();
    if !silent.is_empty() {
        let said = format!("{}; before the update pictures came", silent.join("; "));
        return Check { figures, ..Check::failed(NAME, said) };
    }
    let said = match wanted.len() {
        0 => "none gave pictures before the update, so none is asked for".to_owned(),
        1 => "the one that gave pictures before the update has given one".to_owned(),
        n => format!("all {n} that gave pictures before the update have given one"),
    };
    Check::passed(NAME, said, figures)
}

fn engine(now: &Work, before: Option<&Work>) -> Check {
    const NAME: &str = "engine";
    let Some(name) = now.engine.as_deref() else {
        return Check::failed(NAME, "no model is loaded");
    };
    let was_degraded = before.is_some_and(|before| before.degraded.is_some());
    if let Some(why) = now.degraded.as_ref().filter(|_| !was_degraded) {
        return Check::failed(NAME, format!("{name} stands in for the GPU: {why}"));
    }
    let rank = |name: &str| ENGINES.iter().position(|known| *known == name);
    let had = before.and_then(|before| before.engine.as_deref()).unwrap_or(name);
    if rank(had) < rank(name) {
        return Check::failed(NAME, format!("{had} detected before the update, and now it is {name}"));
    }
    let gave = now.cameras.values().any(|camera| camera.gave);
    match now.has_looked {
        true if was_degraded => Check::passed(
            NAME,
            format!("{name} detects; the GPU did not before the update, either"),
            Value::Null,
        ),
        true => Check::passed(NAME, format!("{name} detects"), Value::Null),
        false if gave && !now.is_paused => {
            Check::failed(NAME, format!("{name} has not looked at any picture"))
        }
        false => {
            Check::passed(NAME, format!("{name} is loaded; there was no picture to look at"), Value::Null)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::update::work::Camera;

    fn camera(gives: bool, gave: bool) -> Camera {
        Camera { gives, gave, why: (!gives).then(|| "nobody answers".to_owned()) }
    }

    fn box_with(cameras: &[(u32, Camera)], engine: &str) -> Work {
        let cameras = cameras.iter().cloned().collect();
        let status = "running".to_owned();
        Work { status, cameras, engine: Some(engine.to_owned()), has_looked: true, ..Work::default() }
    }

    #[test]
    fn cameras_are_held_against_what_they_did_before() {
        let (on, off, lost) = (camera(true, true), camera(false, false), camera(false, true));
        let with = |cameras: &[(u32, Camera)]| box_with(cameras, "rten");
        for (before, now, outcome, phrase) in [
            (None, with(&[]), Outcome::Passed, "the site has none"),
            (None, with(&[(1, on.clone()), (2, off.clone())]), Outcome::Passed, "1 of 2"),
            (
                None,
                with(&[(1, off.clone())]),
                Outcome::Failed,
                "camera 1 has given no picture: nobody answers",
            ),
            (
                Some(with(&[(1, off.clone())])),
                with(&[(1, off.clone())]),
                Outcome::Passed,
                "none is asked for",
            ),
            (Some(with(&[(1, on.clone())])), with(&[(1, lost.clone())]), Outcome::Passed, "has given one"),
            (
                Some(with(&[(1, on.clone())])),
                with(&[(1, off.clone())]),
                Outcome::Failed,
                "before the update pictures",
            ),
            (
                Some(with(&[(7, on.clone())])),
                with(&[(1, on.clone())]),
                Outcome::Failed,
                "camera 7 is not there",
            ),
        ] {
            let check = cameras(&now, before.as_ref());
            assert!(check.outcome == outcome && check.said.contains(phrase), "{phrase}: {check:?}");
        }
    }

    #[test]
    fn an_engine_must_not_be_less_than_before() {
        let on = [(1, camera(true, true))];
        let with = |engine: &str| box_with(&on, engine);
        let degraded = |engine: &str| Work { degraded: Some("no plan".into()), ..with(engine) };
        let blind = Work { has_looked: false, ..with("rten") };
        for (before, now, outcome, phrase) in [
            (None, with("rten"), Outcome::Passed, "rten detects"),
            (Some(with("rten")), with("tensorrt"), Outcome::Passed, "tensorrt detects"),
            (Some(with("tensorrt")), with("openvino"), Outcome::Failed, "tensorrt detected before"),
            (Some(with("openvino")), with("rten"), Outcome::Failed, "openvino detected before"),
            (
                Some(with("tensorrt")),
                degraded("rten"),
                Outcome::Failed,
                "rten stands in for the GPU: no plan",
            ),
            (None, degraded("rten"), Outcome::Failed, "stands in"),
            (Some(degraded("rten")), degraded("rten"), Outcome::Passed, "did not before the update"),
            (None, blind.clone(), Outcome::Failed, "has not looked"),
            (None, Work { is_paused: true, ..blind }, Outcome::Passed, "no picture to look at"),
            (None, Work { engine: None, ..with("rten") }, Outcome::Failed, "no model is loaded"),
        ] {
            let check = engine(&now, before.as_ref());
            assert!(check.outcome == outcome && check.said.contains(phrase), "{phrase}: {check:?}");
        }
    }
}
