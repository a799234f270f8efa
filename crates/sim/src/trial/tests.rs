//! The trials themselves, and that they can fail.

use super::*;

mod checker;

/// Issue 5: so many within the test command's time.
const SEEDS: u64 = 100_000;

#[test]
fn a_hundred_thousand_trials_are_sound() {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
    let mut counts = Counts::default();
    std::thread::scope(|scope| {
        let shares = (0..threads).map(|first| scope.spawn(move || share(first, threads)));
        for share in shares.collect::<Vec<_>>() {
            counts += share.join().expect("sound trials");
        }
    });
    println!("{SEEDS} trials: {counts:?}");
    // What never happens proves nothing.
    assert!(counts.runs > SEEDS / 2 && counts.confirmed > SEEDS / 2, "{counts:?}");
    assert!(counts.faults > SEEDS && counts.deaths > SEEDS / 2 && counts.latches > SEEDS / 10, "{counts:?}");
}

fn share(first: u64, of: u64) -> Counts {
    let mut counts = Counts::default();
    for seed in (first..SEEDS).step_by(usize::try_from(of).unwrap()) {
        let report = run(seed, &Options::default());
        assert!(report.is_sound(), "replay it with: vigia-sim sim --seed {seed} --trace\n{report}");
        counts += report.counts;
    }
    counts
}

#[test]
fn a_seed_gives_the_same_trial_each_time() {
    let options = Options { trace: true, ..Options::default() };
    for seed in 0..50 {
        let (one, other) = (run(seed, &options), run(seed, &options));
        assert_eq!(one.diary, other.diary, "seed {seed}");
        assert_eq!(one.counts, other.counts);
    }
}

/// Reliability 4.2: lines that hold their level, and nothing that notices.
#[test]
fn without_the_watchdog_relay_a_starter_outlives_its_program() {
    let options = Options { without_watchdog: true, ..Options::default() };
    let outlives = |seed| {
        matches!(
            run(seed, &options).broken,
            Some(Broken::OutlivesProgram { .. } | Broken::CrankedLong { .. } | Broken::CrankedRunning { .. })
        )
    };
    assert!((0..500).any(outlives));
}

#[test]
fn a_year_of_operation_is_sound() {
    let report = year::run(1, 365, &Options::default());
    assert!(report.is_sound(), "{report}");
    assert!(report.simulated >= Duration::from_secs(365 * 86_400));
    assert!(report.counts.runs > 52 && report.counts.confirmed > 52 && report.counts.deaths > 26, "{report}");
}

/// The report of a failure says how to see it again.
#[test]
fn a_report_names_its_seed_and_its_last_entries() {
    let report = run(7, &Options::default());
    assert_eq!(report.diary.len(), 30);
    let text = report.to_string();
    assert!(text.contains("seed 7") && text.lines().count() >= 31);
}
