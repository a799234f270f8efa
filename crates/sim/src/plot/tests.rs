//! What a picture shows.

use super::*;
use crate::trial::{self, Options};

#[test]
fn a_trial_becomes_a_picture_with_every_relay_that_was_used() {
    let report = trial::run(5, &Options { timeline: true, ..Options::default() });
    let samples = report.timeline.expect("a timeline").samples;
    let picture = svg("a < b", &samples);
    assert!(picture.starts_with("<svg") && picture.ends_with("</svg>\n"));
    assert!(picture.contains("a &lt; b"));
    for output in Output::ALL {
        let used = samples.iter().any(|s| s.relays.is_on(output));
        assert_eq!(picture.contains(&format!("<title>{}</title>", output.name())), used, "{output:?}");
    }
    assert!(picture.len() < 2_000_000, "{} bytes", picture.len());
}

#[test]
fn nothing_becomes_a_picture_too() {
    assert!(svg("", &[]).contains("nothing was recorded"));
}

#[test]
fn an_axis_has_some_ten_marks() {
    for seconds in [1.0, 33.0, 600.0, 5000.0, 90_000.0] {
        let marks = seconds / tick_s(seconds);
        assert!((1.0..=14.0).contains(&marks), "{seconds}: {marks}");
    }
}
