//! All trials in their order, and which of them are run.

use super::checks::{boards, faults, ledger, start, stop, water};
use super::{Bench, Counts, Seeing, frozen, gpio, kills, power, run, stress, vigia};
use crate::vm::rig::RigError;

/// One row of the table.
#[derive(Clone, Copy)]
pub(super) struct Trial {
    pub name: &'static str,
    /// Part of `make test`.
    is_short: bool,
    pub see: fn(&mut Bench, Counts) -> Seeing,
}

/// Which of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    All,
    /// What `make test` has time for.
    Short,
    /// Those whose names hold this.
    Only(String),
}

impl Choice {
    /// # Errors
    /// There is no such trial.
    pub(super) fn trials(&self) -> Result<Vec<Trial>, RigError> {
        let is_chosen = |trial: &&Trial| match self {
            Self::All => true,
            Self::Short => trial.is_short,
            Self::Only(words) => trial.name.to_lowercase().contains(&words.to_lowercase()),
        };
        let chosen: Vec<Trial> = TRIALS.iter().filter(is_chosen).copied().collect();
        if chosen.is_empty() {
            let all = TRIALS.iter().map(|trial| trial.name).collect::<Vec<_>>().join("\n  ");
            return Err(RigError::Not(format!("there is no such trial; there are\n  {all}")));
        }
        Ok(chosen)
    }
}

const fn short(name: &'static str, see: fn(&mut Bench, Counts) -> Seeing) -> Trial {
    Trial { name, is_short: true, see }
}

const fn long(name: &'static str, see: fn(&mut Bench, Counts) -> Seeing) -> Trial {
    Trial { name, is_short: false, see }
}

const TRIALS: &[Trial] = &[
    short("a run by the button", |b, _| run::by_the_button(b)),
    short("the stop button in a run", |b, _| run::stop_button(b)),
    long("P2 valves first", |b, _| start::p02_valves_open_at_once_and_the_engine_waits(b)),
    long("P3 crank, then ignition", |b, _| start::p03_the_starter_drops_before_the_ignition_comes(b)),
    long("P16 full float", |b, _| water::p16_a_full_float_ends_the_refill(b)),
    long("P18 float wire cut", |b, _| water::p18_a_cut_float_wire_is_not_full(b)),
    long("P21 no flow at all", |b, _| water::p21_no_flow_from_the_start_stops_the_engine(b)),
    long("P22 flow, P23 flow lost", |b, _| water::p22_p23_flow_is_watched_for_as_long_as_it_runs(b)),
    long("P24 nothing sees water", |b, _| water::p24_without_sensors_it_says_that_it_is_unprotected(b)),
    long("P25 flow stuck at rest", |b, _| water::p25_a_stuck_flow_contact_is_told_before_a_start(b)),
    long("P29 starter does not follow", |b, _| {
        faults::p29_a_starter_that_does_not_follow_gets_no_ignition(b)
    }),
    long("P29 lines that are gone", |b, _| faults::p29_lines_that_cannot_be_written_start_nothing(b)),
    long("P31 fault while throttled", |b, _| faults::p31_a_fault_lets_go_of_throttle_and_ignition(b)),
    long("P32 stop in each state", |b, _| stop::p32_an_emergency_stop_on_lines_in_every_state(b)),
    long("P39 a bouncing button", |b, _| start::p39_a_bouncing_button_starts_once(b)),
    long("P40 button at cold boot", |b, _| start::p40_the_button_alone_starts_and_not_while_held_at_boot(b)),
    long("P44 systemctl stop", |b, _| stop::p44_an_ordered_stop_in_every_state_leaves_all_off(b)),
    long("P45 ledger after kill -9", |b, _| ledger::p45_a_kill_in_a_run_is_known_afterwards(b)),
    long("P45 ledger after a power cut", |b, _| ledger::p45_a_power_cut_in_a_run_is_known_afterwards(b)),
    long("P48 wrong boards", |b, _| boards::p48_a_board_that_is_wrong_is_refused_in_one_sentence(b)),
    long("cycles at rest", |b, _| stress::cycles_at_rest(b)),
    long("cycles under load", |b, _| stress::cycles_under_load(b)),
    long("stop button under load", |b, c| stress::the_stop_button_under_load(b, c.stops)),
    long("a full disk", |b, _| stress::a_full_disk_stops_no_run(b)),
    short("kills of vigia-pump", |b, c| kills::a_dead_vigia_pump_lets_k0_fall(b, c.kills)),
    short("power cuts in a run", |b, c| power::a_power_cut_in_a_run_is_survived(b, c.power_cuts)),
    long("vigia gpio", |b, _| gpio::every_relay_clicks_alone(b)),
    long("vigia comes up", |b, _| vigia::it_comes_up_and_reaches_the_pump(b)),
    long("fire to main valve", |b, c| vigia::a_confirmed_fire_opens_the_valve(b, c.fires)),
    long("vigia dies in a run", |b, c| vigia::a_vigia_that_dies_changes_no_run(b, c.vigia_kills)),
    long("a frozen kernel in a run", |b, _| frozen::a_frozen_kernel_lets_k0_fall_and_is_reset(b)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_choose_rows() {
        let names =
            |choice: Choice| choice.trials().map(|all| all.iter().map(|t| t.name).collect::<Vec<_>>());
        assert_eq!(names(Choice::Only("p16".to_owned())).expect("one"), ["P16 full float"]);
        assert_eq!(names(Choice::All).expect("all").len(), TRIALS.len());
        let short = names(Choice::Short).expect("some");
        assert!(short.contains(&"power cuts in a run") && short.len() < TRIALS.len(), "{short:?}");
        let error = names(Choice::Only("p99".to_owned())).expect_err("none");
        assert!(error.to_string().contains("P48 wrong boards"), "{error}");
    }
}
