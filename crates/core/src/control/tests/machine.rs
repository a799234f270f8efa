//! The state machine: spec nvr 2.5, 2.8, 2.9, checks 16 to 19, 33, 34, 47, 84 and the
//! must-not-regress items that are a matter of state.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use super::super::{Admission, COMMANDS, Class, Code, Command, Input, Machine, Pauses, Status, Work, docs};
use super::{at, command};

const SWAP: Work = Work::Change("change_model");

fn pause(sources: &[u32], seconds: Option<u64>) -> Input {
    Input::Pause { sources: sources.to_vec(), timeout: seconds.map(Duration::from_secs) }
}

fn resume(sources: &[u32]) -> Input {
    Input::Resume { sources: sources.to_vec(), streams: vec![0, 1, 2] }
}

/// Connected, and running unless `boot`.
fn machine(boot: bool) -> Machine {
    let mut machine = Machine::default();
    assert_eq!(machine.step(at(0), Input::LinkUp), [Status::Connected, Status::Starting]);
    if !boot {
        assert_eq!(machine.step(at(0), Input::Started), [Status::Running], "B-08: the boot says running");
    }
    machine
}

/// Each input with what is published, one second apart.
fn check(mut machine: Machine, steps: &[(Input, &[Status])]) -> Machine {
    for (second, (input, want)) in (1..).zip(steps) {
        let got = machine.step(at(second), input.clone());
        assert_eq!(got, *want, "step {second}: {input:?}");
    }
    machine
}

// Check 47.
#[test]
fn a_boot_says_connected_starting_running() {
    check(
        Machine::default(),
        &[(Input::LinkUp, &[Status::Connected, Status::Starting]), (Input::Started, &[Status::Running])],
    );
}

// Check 44, B-19, and a broker that comes late.
#[test]
fn each_connection_tells_the_truth() {
    check(
        machine(false),
        &[
            (pause(&[], None), &[Status::Paused]),
            (Input::LinkLost, &[]),
            (Input::LinkUp, &[Status::Paused]),
            (Input::LinkLost, &[]),
            (resume(&[]), &[]),
            (Input::LinkUp, &[Status::Running]),
        ],
    );
    check(
        Machine::default(),
        &[(Input::Started, &[]), (Input::LinkUp, &[Status::Connected, Status::Running])],
    );
}

// Checks 16 to 18, B-03, B-11.
#[test]
fn pausing_works_at_any_time_and_twice() {
    let booting = check(
        machine(true),
        &[
            (pause(&[], None), &[Status::Paused]),
            (Input::Started, &[]),
            (pause(&[], None), &[Status::Paused]),
        ],
    );
    assert!(booting.is_paused(0) && booting.pauses().is_all_paused());
    let resumed = check(booting, &[(resume(&[]), &[Status::Running]), (resume(&[]), &[Status::Running])]);
    assert!(!resumed.is_paused(0));
}

// Checks 19 and 33, B-12.
#[test]
fn a_restart_keeps_the_pause() {
    let done = check(
        machine(false),
        &[
            (pause(&[], None), &[Status::Paused]),
            (Input::Claimed(Work::Restart), &[]),
            (Input::Begun, &[Status::Restarting]),
            (Input::Done, &[Status::Paused]),
        ],
    );
    assert!(done.is_paused(1));
    check(done, &[(resume(&[]), &[Status::Running])]);
}

#[test]
fn changes_end_in_the_state_that_is_true() {
    let begun = |first: Input, shown: &'static [Status]| {
        check(
            machine(false),
            &[(first, shown), (Input::Claimed(SWAP), &[]), (Input::Begun, &[Status::Reconfiguring])],
        )
    };
    let table = [
        (Input::Done, Status::Running, Status::Paused),
        (Input::RolledBack, Status::Running, Status::Paused),
        (Input::Failed, Status::Error, Status::Error),
    ];
    for (end, running, paused) in table {
        let flowing = check(begun(Input::Time, &[]), &[(end.clone(), &[running])]);
        assert_eq!(flowing.work(), None);
        check(begun(pause(&[], None), &[Status::Paused]), &[(end, &[paused])]);
    }
}

// Spec 2.8 step 1: a refusal by a check leaves the retained state alone.
#[test]
fn what_never_began_is_never_shown() {
    for end in [Input::Released, Input::Done, Input::RolledBack] {
        let over = check(machine(false), &[(Input::Claimed(SWAP), &[]), (end, &[])]);
        assert_eq!((over.status(), over.work()), (Status::Running, None));
    }
}

// B-13: after a failure commands are taken, and may heal it.
#[test]
fn an_error_can_be_left() {
    let broken = || check(machine(false), &[(Input::Failed, &[Status::Error])]);
    assert_eq!(broken().admit(&Command::Restart), Admission::Enqueue(Work::Restart));
    check(broken(), &[(Input::Started, &[Status::Running])]);
    check(
        broken(),
        &[
            (Input::Claimed(Work::Restart), &[]),
            (Input::Begun, &[Status::Restarting]),
            (Input::Done, &[Status::Running]),
        ],
    );
    let rolled_back = check(
        broken(),
        &[
            (Input::Claimed(SWAP), &[]),
            (Input::Begun, &[Status::Reconfiguring]),
            (Input::RolledBack, &[Status::Error]),
        ],
    );
    // A pause is taken even now, and is not forgotten.
    let paused = check(rolled_back, &[(pause(&[], None), &[Status::Error])]);
    check(paused, &[(Input::Started, &[Status::Paused])]);
}

#[test]
fn a_change_during_the_start_does_not_end_it() {
    check(
        machine(true),
        &[
            (Input::Claimed(SWAP), &[]),
            (Input::Begun, &[Status::Reconfiguring]),
            (Input::Done, &[Status::Starting]),
            (Input::Claimed(SWAP), &[]),
            (Input::Started, &[Status::Running]),
            (Input::Begun, &[Status::Reconfiguring]),
            (Input::RolledBack, &[Status::Running]),
        ],
    );
}

// Check 48.
#[test]
fn after_stop_only_disconnected_follows() {
    let stopped = check(
        machine(false),
        &[
            (pause(&[1], Some(5)), &[Status::Running]),
            (Input::Claimed(SWAP), &[]),
            (Input::Begun, &[Status::Reconfiguring]),
            (Input::Stop, &[Status::Stopped]),
            (Input::Done, &[]),
            (Input::Failed, &[]),
            (resume(&[]), &[]),
            (Input::Stop, &[]),
            (Input::Started, &[]),
            (Input::Leave, &[Status::Disconnected]),
            (Input::Leave, &[]),
            (Input::Stop, &[]),
        ],
    );
    assert_eq!(stopped.last_status(), Some(Status::Stopped));
    assert!(stopped.is_paused(7), "gates are shut");
    let killed = check(machine(false), &[(Input::Leave, &[Status::Disconnected])]);
    assert_eq!(killed.last_status(), Some(Status::Running));
}

// Check 84.
#[test]
fn streams_are_paused_one_by_one() {
    let all = [0, 1, 2];
    let mut m = check(machine(false), &[(pause(&[2], None), &[Status::Running])]);
    assert_eq!(m.pauses().paused_sources(&all), [2]);
    assert!(m.is_paused(2) && !m.is_paused(0));
    m = check(m, &[(pause(&[], None), &[Status::Paused]), (resume(&[1]), &[Status::Running])]);
    assert_eq!(m.pauses().paused_sources(&all), [0, 2], "the others stay silent");
    assert!(!m.is_paused(3), "a stream added now is not");
    m = check(m, &[(Input::Streams(vec![0, 1]), &[])]);
    assert!(!m.is_paused(2), "a removed stream comes back unpaused");
    m = check(m, &[(resume(&[]), &[Status::Running])]);
    assert_eq!(*m.pauses(), Pauses::default());
}

#[test]
fn pauses_end_by_themselves() {
    let mut m = machine(false);
    assert_eq!(m.deadline(), None);
    assert_eq!(m.step(at(10), pause(&[], Some(60))), [Status::Paused]);
    assert_eq!(m.step(at(10), pause(&[2], Some(90))), [Status::Paused]);
    assert_eq!(m.deadline(), Some(at(70)));
    assert_eq!(m.step(at(69), Input::Time), []);
    assert_eq!(m.step(at(70), Input::Time), [Status::Running]);
    assert_eq!((m.is_paused(0), m.is_paused(2), m.deadline()), (false, true, Some(at(100))));
    assert_eq!(m.step(at(100), Input::Time), [Status::Running], "said again: paused_sources is another");
    assert_eq!((m.is_paused(2), m.deadline()), (false, None));
    // A later pause replaces an earlier one, also its end.
    assert_eq!(m.step(at(100), pause(&[], Some(5))), [Status::Paused]);
    assert_eq!(m.step(at(101), pause(&[], None)), [Status::Paused]);
    assert_eq!(m.deadline(), None);
    assert_eq!(m.step(at(200), resume(&[])), [Status::Running]);
    // Of a pause of all that becomes single pauses, the longer end counts.
    let _ = m.step(at(300), pause(&[1], Some(50)));
    let _ = m.step(at(300), pause(&[], Some(20)));
    let _ = m.step(at(300), resume(&[2]));
    assert_eq!(m.deadline(), Some(at(320)));
    let _ = m.step(at(320), Input::Time);
    assert_eq!((m.is_paused(0), m.is_paused(1), m.is_paused(2)), (false, true, false));
}

#[test]
fn a_batch_that_failed_gives_the_pauses_back() {
    let mut m = check(machine(false), &[(pause(&[1], None), &[Status::Running])]);
    let before = m.pauses().clone();
    let _ = m.step(at(9), resume(&[]));
    assert_eq!(m.step(at(9), Input::SetPauses(before.clone())), [Status::Running]);
    assert_eq!(*m.pauses(), before);
    assert_eq!(m.step(at(9), Input::SetPauses(before)), []);
}

// Checks 33 and 34: all commands × all states.
#[test]
fn commands_are_admitted_by_class_and_state() {
    let run = |steps: &[Input]| {
        let mut m = machine(false);
        steps.iter().cloned().for_each(|input| drop(m.step(at(1), input)));
        m
    };
    let claimed = Input::Claimed(Work::Restart);
    let states: [(Machine, bool, bool); 7] = [
        // machine, whether long ones may, whether it is over
        (machine(true), true, false),
        (run(&[]), true, false),
        (run(&[Input::Failed]), true, false),
        (run(core::slice::from_ref(&claimed)), false, false),
        (run(&[claimed, Input::Begun]), false, false),
        (run(&[Input::Stop]), false, true),
        (run(&[Input::Leave]), false, true),
    ];
    for (m, is_free, is_over) in &states {
        for spec in COMMANDS {
            let command = docs::example_command(spec).unwrap();
            let got = m.admit(&command);
            let name = format!("{} in {:?}", spec.name, m.status());
            match command.class() {
                Class::Query => assert_eq!(got, Admission::Now, "{name}"),
                Class::Gate if *is_over && spec.name != "stop" => refused(&got, Code::Stopping, &name),
                Class::Gate => assert_eq!(got, Admission::Now, "{name}"),
                Class::Change if *is_over => refused(&got, Code::Stopping, &name),
                Class::Change if *is_free => assert!(matches!(got, Admission::Enqueue(_)), "{name}"),
                Class::Change => refused(&got, Code::Busy, &name),
            }
        }
    }
    let words = |m: &Machine| match m.admit(&Command::Restart) {
        Admission::Refuse(refusal) => refusal.message,
        other => panic!("{other:?}"),
    };
    assert_eq!(words(&run(&[Input::Claimed(Work::Restart)])), "restart in progress");
    let swapping = run(&[Input::Claimed(SWAP), Input::Begun]);
    assert_eq!(words(&swapping), "restart in progress: change_model is not finished");
}

fn refused(got: &Admission, code: Code, name: &str) {
    assert!(matches!(got, Admission::Refuse(refusal) if refusal.code == code), "{name}: {got:?}");
}

#[test]
fn work_is_named_after_its_command() {
    let m = machine(false);
    let set_fps = command("set_fps", r#"{"max_fps":1}"#);
    assert_eq!(m.admit(&set_fps), Admission::Enqueue(Work::Change("set_fps")));
    assert_eq!(m.admit(&Command::Restart), Admission::Enqueue(Work::Restart));
    // The second claim of two is nobody's.
    let m = check(m, &[(Input::Claimed(SWAP), &[]), (Input::Claimed(Work::Restart), &[])]);
    assert_eq!(m.work(), Some(SWAP));
}

#[test]
fn statuses_have_one_spelling() {
    for status in Status::ALL {
        assert_eq!(serde_json::to_value(status).unwrap(), status.name());
    }
    let names: Vec<&str> = Status::ALL.iter().map(|s| s.name()).collect();
    assert_eq!(names.len(), 9);
}
