//! K1 to K7, K16, K17, K21, K26: what growth is.

use alloc::vec::Vec;

use super::super::config::FrameSize;
use super::super::observation::in_shares;
use super::super::samples::{LEN_MAX, Samples};
use super::*;

/// Whether a camera votes after these areas, one each second.
fn votes(areas: &[f32]) -> bool {
    let mut site = Site::of(1, 1);
    site.film(areas.len().try_into().expect("few"), 1_000, |i| Vec::from([(0, 1, areas[i as usize])]));
    !site.core.voting(site.camera(0)).is_empty()
}

#[test]
fn growth_follows_the_table() {
    for (row, areas, growing) in [
        ("K1", &[0.010, 0.011, 0.013, 0.015, 0.018, 0.021, 0.025, 0.030][..], true),
        ("K2", &[0.025, 0.022, 0.020, 0.018, 0.015, 0.012, 0.010, 0.008], false),
        ("K3", &[0.010, 0.015, 0.012, 0.018, 0.016, 0.022, 0.020, 0.025], true),
        ("K4", &[0.010, 0.013, 0.016, 0.020], false),
        ("K5", &[0.010; 6], false),
        ("K6", &[0.010, 0.015, 0.020, 0.025, 0.030, 0.035], true),
        ("K7, exactly 1.2", &[0.010, 0.010, 0.010, 0.012, 0.012, 0.012], true),
        ("K7, a little less", &[0.010, 0.010, 0.010, 0.01199, 0.01199, 0.01199], false),
        ("five samples of six", &[0.010, 0.015, 0.020, 0.025, 0.030], false),
    ] {
        assert_eq!(votes(areas), growing, "{row}");
    }
}

#[test]
fn k3_has_the_medians_of_the_table() {
    let mut samples = Samples::default();
    for (i, area) in [0.010, 0.015, 0.012, 0.018, 0.016, 0.022, 0.020, 0.025].into_iter().enumerate() {
        samples.push(Instant(i as u64 * 1_000_000_000), area);
    }
    let growth = samples.growth(3).expect("enough samples");
    assert!((growth.ratio - 0.022 / 0.012).abs() < 1e-5, "{growth:?}");
    assert!((growth.least - 0.020 / 0.012).abs() < 1e-5, "{growth:?}");
    assert_eq!(growth.span.as_secs(), 7);
    // An even number has its median between the two in the middle.
    let growth = samples.growth(4).expect("enough samples");
    assert!((growth.ratio - 0.021 / 0.0135).abs() < 1e-4, "{growth:?}");
    assert_eq!(samples.growth(5), None, "ten samples for W 5");
    assert_eq!(samples.growth(0), None);
    assert_eq!(samples.growth(11), None);
}

#[test]
fn k16_and_k17_areas_are_shares_of_the_true_picture() {
    let share = |frame: FrameSize, [x1, y1, x2, y2]: [f32; 4]| {
        in_shares(&BBox { x1, y1, x2, y2 }, frame).map(|b| b.area())
    };
    let hd = share(HD, [100.0, 100.0, 300.0, 400.0]).expect("an area");
    assert!((hd - 60_000.0 / 2_073_600.0).abs() < 1e-6, "K16: {hd}");
    for (width, height, scale) in [(1280, 720, 1.5), (3840, 2160, 0.5), (640, 360, 3.0)] {
        let bbox = [100.0, 100.0, 300.0, 400.0].map(|v| v / scale);
        let got = share(FrameSize { width, height }, bbox).expect("an area");
        assert!((got / hd - 1.0).abs() < 0.01, "K17: {width}: {got}");
    }
    let unit = share(FrameSize::UNIT, [0.2, 0.2, 0.4, 0.7]).expect("an area");
    assert!((unit - 0.1).abs() < 1e-6, "{unit}");
    // What lies outside does not count; what lies outside altogether is nothing.
    assert_eq!(share(HD, [0.0, 0.0, 3840.0, 1080.0]), Some(1.0));
    for bad in [
        [1920.0, 0.0, 2000.0, 10.0],
        [f32::NAN, 0.0, 10.0, 10.0],
        [0.0, f32::INFINITY, 10.0, 10.0],
        [-1.0, 0.0, 10.0, 10.0],
        [10.0, 10.0, 5.0, 20.0],
        [10.0, 10.0, 10.0, 20.0],
        [10.0, 10.0, 20.0, 10.0],
    ] {
        assert_eq!(share(HD, bad), None, "{bad:?}");
    }
    for (width, height) in [(0, 1080), (1920, 0), (0, 0)] {
        assert_eq!(share(FrameSize { width, height }, [0.0, 0.0, 1.0, 1.0]), None, "no pixels");
    }
}

#[test]
fn k21_what_is_old_is_forgotten() {
    let mut site = Site::of(1, 1);
    site.film(3, 1_000, |_| Vec::from([(0, 1, 0.01)]));
    assert_eq!(site.core.objects(site.camera(0)), 1);
    site.quiet(10);
    assert_eq!(site.core.objects(site.camera(0)), 1, "10 s are within the window");
    site.quiet(10);
    assert_eq!(site.core.objects(site.camera(0)), 0, "20 s are twice the window");
    let mut samples = Samples::default();
    (0..30u64).for_each(|s| samples.push(Instant(s * 1_000_000_000), 0.01));
    samples.forget_before(Instant(20_000_000_000));
    assert_eq!(samples.len(), 10, "recent ones stay");
}

/// Thirty frames a second for five minutes: the ring reaches back all the time, and never grows.
#[test]
fn many_samples_become_few() {
    let mut samples = Samples::default();
    let at = |frame: u64| Instant(frame * 33_333_333);
    for frame in 0..9_000u64 {
        samples.push(at(frame), 0.01 + frame as f32 * 1e-5);
        assert!(samples.len() <= LEN_MAX);
    }
    assert!(samples.len() >= LEN_MAX / 2, "{}", samples.len());
    let growth = samples.growth(3).expect("enough");
    assert!(growth.span.as_secs() > 280, "{growth:?}");
    assert!(growth.ratio > 6.0 && growth.ratio < 10.0, "{growth:?}");
    samples.forget_before(at(9_001));
    assert_eq!(samples.len(), 0);
    assert_eq!(samples.growth(1), None);
}

fn samples(areas: &[f32], ms: u64) -> Samples {
    let mut samples = Samples::default();
    let at = (0u64..).map(|i| Instant(i * ms * 1_000_000));
    at.zip(areas).for_each(|(at, area)| samples.push(at, *area));
    samples
}

/// What comes closer than a tenth of a second is one sample: the mean.
#[test]
fn close_samples_are_averaged() {
    assert_eq!(samples(&[1.0; 3], 100).len(), 3);
    assert_eq!(samples(&[1.0; 3], 99).len(), 2, "at 0 ms and 198 ms");
    let mut three = samples(&[1.0, 2.0, 6.0], 10);
    three.push(Instant(1_000_000_000), 6.0);
    assert_eq!(three.growth(1).map(|g| g.ratio), Some(2.0), "from a mean of 3 to 6");
}

/// The 65th sample finds the ring full: neighbours become one, and the next are twice as far apart.
#[test]
fn a_full_ring_merges_neighbours() {
    let areas: Vec<f32> = (1..=65u8).map(f32::from).collect();
    let mut full = samples(&areas, 100);
    assert_eq!(full.len(), 33);
    // 1.5, 3.5 and so on to 63.5, then 65.
    for (w, early, late) in [(1, 1.5, 65.0), (2, 2.5, 64.25), (3, 3.5, 63.5), (10, 10.5, 56.5)] {
        let ratio = full.growth(w).map_or(0.0, |growth| growth.ratio);
        assert!((ratio - late / early).abs() < 1e-5, "W {w}: {ratio}");
    }
    let last = Instant(6_400_000_000);
    let later = |ms: u64| Instant(last.0 + ms * 1_000_000);
    full.push(later(199), 67.0);
    assert_eq!(full.len(), 33);
    assert_eq!(full.growth(1).map(|g| g.ratio), Some(66.0 / 1.5));
    full.push(later(200), 1.0);
    assert_eq!(full.len(), 34);
    // Emptied, it measures as finely as in the beginning.
    full.forget_before(later(300));
    full.push(later(300), 1.0);
    full.push(later(400), 1.0);
    assert_eq!(full.len(), 2);
}

/// A ring that was merged twice weighs what it merges.
#[test]
fn merged_samples_keep_their_weight() {
    // Three measurements of 1 and one of 5 in the first sample's time, one in every other's.
    let mut samples = Samples::default();
    for (ms, area) in [(0, 1.0), (10, 1.0), (20, 1.0), (100, 5.0)] {
        samples.push(Instant(ms * 1_000_000), area);
    }
    (2..65u64).for_each(|i| samples.push(Instant(i * 100_000_000), 8.0));
    assert_eq!(samples.growth(1).map(|g| g.ratio), Some(4.0), "from (3 x 1 + 5) / 4 to 8");
}

/// Areas too small for a number leave no growth behind.
#[test]
fn nothing_does_not_grow() {
    assert_eq!(samples(&[0.0, 0.0, 0.0, 0.01, 0.02, 0.03], 1_000).growth(3), None);
}

#[test]
fn steadiness_is_the_share_of_steps_that_do_not_fall() {
    for (areas, w, share) in [
        (&[1.0, 2.0, 1.0, 2.0, 1.0][..], 1, 0.5),
        (&[1.0, 2.0, 1.0, 2.0, 1.0], 2, 1.0),
        (&[1.0, 2.0, 3.0, 1.0], 1, 2.0 / 3.0),
        (&[4.0, 4.0, 1.0, 4.0, 4.0, 4.0], 2, 3.0 / 4.0),
        (&[4.0, 4.0, 1.0, 4.0, 1.0, 1.0], 3, 2.0 / 3.0),
        (&[1.0, 0.96, 0.94], 1, 1.0),
        (&[1.0, 0.94], 1, 0.0),
        (&[1.0], 1, 0.0),
    ] {
        assert_eq!(samples(areas, 1_000).steady_share(w), share, "{areas:?}, W {w}");
    }
}

#[test]
fn k26_a_burst_is_no_growth() {
    let mut site = Site::of(1, 1);
    site.good();
    for area in [0.010, 0.013, 0.017, 0.022, 0.029, 0.038] {
        site.now = Instant(site.now.0 + 160_000);
        site.fire(0, 1, area).expect("taken");
        site.step();
    }
    assert!(site.core.voting(site.camera(0)).is_empty());
    // Neither is one that is slow enough to be six samples, but shorter than the least span.
    let mut site = Site::of(1, 1);
    site.film(7, 400, |i| Vec::from([(0, 1, 0.01 * (1.0 + i as f32))]));
    assert!(site.core.voting(site.camera(0)).is_empty(), "2.4 s");
    site.film(2, 400, |i| Vec::from([(0, 1, 0.08 + 0.01 * i as f32)]));
    assert!(!site.core.voting(site.camera(0)).is_empty(), "3.2 s");
}

#[test]
fn steadiness_can_be_asked_for() {
    let steady = |areas: &[f32]| {
        let raw = raw::Consensus { cameras_needed: 1, growth_steady: 0.7, ..settings() };
        let mut site = Site::new(&raw, 1);
        site.film(areas.len().try_into().expect("few"), 1_000, |i| Vec::from([(0, 1, areas[i as usize])]));
        !site.core.voting(site.camera(0)).is_empty()
    };
    assert!(steady(&[0.010, 0.012, 0.014, 0.016, 0.018, 0.020]));
    assert!(!steady(&[0.010, 0.030, 0.010, 0.030, 0.010, 0.030, 0.010, 0.030]), "up and down");
}

/// Exactly the share that is asked for is enough: of two steps one rises.
#[test]
fn steadiness_counts_from_its_share_on() {
    for (growth_steady, votes) in [(0.5, true), (0.51, false)] {
        let raw = raw::Consensus { cameras_needed: 1, growth_samples: 1, growth_steady, ..settings() };
        let mut site = Site::new(&raw, 1);
        site.film(3, 2_000, |i| Vec::from([(0, 1, [0.010, 0.020, 0.015][i as usize])]));
        assert_eq!(!site.core.voting(site.camera(0)).is_empty(), votes, "{growth_steady}");
    }
}
