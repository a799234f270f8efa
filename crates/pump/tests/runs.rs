//! A whole program: from its start to water, and every way in which a run ends.

mod support;

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::process::Signal;
use support::{Place, Pump, SITE};
use vigia_core::link::{BankKind, DemandOutcome, Detection, FromPump, Keeping, WatchdogRelay};
use vigia_core::pump::{Event, Order, Output, Refusal, RelayImage, Role, StateName, StopReason};

/// From the start to IDLE, loudly simulated, and nothing driven on the way.
#[test]
fn it_starts_to_idle_and_says_that_it_is_simulated() {
    let place = Place::new();
    let mut pump = place.start();
    let (mut client, welcome) = pump.greet();
    assert_eq!(welcome.bank, BankKind::Simulated);
    assert_eq!(welcome.first_event, 1);
    let mut before_test = 0;
    let idle = client.until("idle", |body| match body {
        FromPump::Status(status) => {
            if !status.self_tested {
                before_test += 1;
                assert_eq!(status.read_back, RelayImage::NONE);
            }
            (status.now.state == StateName::Idle && status.watchdog_fed).then_some(*status)
        }
        _ => None,
    });
    assert!(before_test > 0, "no status before the self-test");
    assert!(idle.self_tested && idle.bank.is_simulated());
    assert_eq!(idle.now.relays, RelayImage::NONE);
    let whole = client
        .status("detection and ledger", |s| s.detection == Detection::Whole && s.ledger == Keeping::Written);
    assert!(whole.cycles > 10);
    pump.hear("THE RELAYS ARE SIMULATED");
    pump.hear("self-test passed");
    pump.hear("IdleStateEntered");
}

/// A demand is acknowledged, water flows in order, the fire goes out, the engine is stopped.
#[test]
fn a_demand_is_acknowledged_and_runs_in_order() {
    let place = Place::with(&SITE.replace("fire_off_s: 1\n", "fire_off_s: 5\n"));
    let pump = place.start();
    let (mut client, _) = pump.greet();
    client.state(StateName::Idle);
    assert_eq!(client.demand(7), DemandOutcome::Accepted);
    let running = client.status("run", |s| s.read_back.is_on(Output::Run));
    assert!(running.read_back.is_on(Output::MainValve), "never without an open valve");
    assert_eq!(running.read_back, running.now.relays);
    client.state(StateName::Stopping);
    let after = client.state(StateName::Refilling);
    assert!(!after.now.refill_owed.is_zero());
    assert_eq!(after.runs, 1);
    let order: Vec<_> = client
        .events
        .iter()
        .filter_map(|e| match e.event {
            Event::StateChanged { to, .. } => Some(to),
            _ => None,
        })
        .collect();
    let expected = [
        StateName::Idle,
        StateName::Priming,
        StateName::Starting,
        StateName::Running,
        StateName::ReducingRpm,
        StateName::Stopping,
        StateName::Refilling,
    ];
    assert_eq!(order, expected);
    let numbers: Vec<u64> = client.events.iter().map(|e| e.number).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert_eq!(client.demand(8), DemandOutcome::Blocked { why: Refusal::RefillOwed });
}

/// Roles are judged by the machine; what is done is done on the relays when it is answered.
#[test]
fn orders_are_answered_with_their_effect() {
    let place = Place::new();
    let pump = place.start();
    let (mut client, _) = pump.greet();
    client.state(StateName::Idle);
    let refused = client.order(1, Order::ValveOpen, Role::Operate);
    assert_eq!(refused, Some(Refusal::Role { needs: Role::Arm }));
    assert_eq!(client.order(2, Order::ValveOpen, Role::Arm), None);
    assert_eq!(client.order(2, Order::ValveOpen, Role::Arm), Some(Refusal::Duplicate));
    client.status("an open valve", |s| s.read_back.is_on(Output::MainValve));
    assert_eq!(client.order(3, Order::ValveClose, Role::Arm), None);
    client.status("a shut valve", |s| !s.read_back.is_on(Output::MainValve));
    assert_eq!(client.order(4, Order::EmergencyStop, Role::Operate), None);
    let stopped = client.state(StateName::EmergencyStop);
    assert!(!stopped.watchdog_fed);
    assert_eq!(
        client.order(5, Order::Reset, Role::Maintain),
        Some(Refusal::Role { needs: Role::Local }),
        "only a hand at the box"
    );
}

/// The hard-wired stop, in the middle of a run.
#[test]
fn the_stop_button_stops_a_run() {
    let place = Place::with(&SITE.replace("fire_off_s: 1\n", "fire_off_s: 50\n"));
    let pump = place.start_with(&["stop_pressed@7", "stop_released@9"]);
    let (mut client, _) = pump.greet();
    client.state(StateName::Idle);
    assert_eq!(client.demand(1), DemandOutcome::Accepted);
    let stopped = client.state(StateName::EmergencyStop);
    assert!(!stopped.now.relays.is_on(Output::Run) && !stopped.now.relays.is_on(Output::Starter));
    assert!(stopped.now.relays.is_on(Output::Kill), "and killed");
    assert_eq!(client.demand(2), DemandOutcome::Blocked { why: Refusal::StopPressed });
}

/// `vigia` dies in the middle of a run: it ends as planned, and all of it is told afterwards.
#[test]
fn a_run_is_finished_without_vigia() {
    let place = Place::with(&SITE.replace("fire_off_s: 1\n", "fire_off_s: 3\n"));
    let mut pump = place.start();
    let (mut client, welcome) = pump.greet();
    client.state(StateName::Idle);
    assert_eq!(client.demand(1), DemandOutcome::Accepted);
    client.state(StateName::Running);
    let seen = client.events.last().map_or(0, |e| e.number);
    drop(client);
    pump.hear("vigia is gone");
    pump.hear("ShutdownComplete");
    let (mut client, again) = pump.greet();
    assert_eq!((again.book, again.first_event), (welcome.book, 1));
    assert!(again.last_event > seen);
    let status = client.until("a status", |body| match body {
        FromPump::Status(status) => Some(*status),
        _ => None,
    });
    assert!(!status.read_back.is_on(Output::Run));
    let numbers: Vec<u64> = client.events.iter().map(|e| e.number).collect();
    assert_eq!(
        numbers,
        (1..=numbers.len() as u64).collect::<Vec<_>>(),
        "all of them again, before the status"
    );
    assert!(client.events.iter().any(|e| matches!(e.event, Event::ShutdownComplete { .. })));
    let up_to = client.events.last().map_or(0, |e| e.number);
    client.say(vigia_core::link::ToPump::EventAck { up_to });
    client.status("nothing waiting", |s| s.events_unacknowledged == 0);
}

/// SIGTERM in the middle of a run: an ordered stop, then the end.
#[test]
fn told_to_end_it_stops_in_order() {
    let place = Place::with(&SITE.replace("fire_off_s: 1\n", "fire_off_s: 50\n"));
    let mut pump = place.start();
    let (mut client, _) = pump.greet();
    client.state(StateName::Idle);
    assert_eq!(client.demand(1), DemandOutcome::Accepted);
    client.status("run", |s| s.read_back.is_on(Output::Run));
    pump.signal(Signal::TERM);
    let stopping = client.state(StateName::Stopping);
    assert!(stopping.now.relays.is_on(Output::Kill) && stopping.now.relays.is_on(Output::MainValve));
    client.end();
    let reasons: Vec<_> = client
        .events
        .iter()
        .filter_map(|e| match e.event {
            Event::ShutdownInitiated { reason } => Some(reason),
            _ => None,
        })
        .collect();
    assert_eq!(reasons, [StopReason::Shutdown]);
    let last = client.last.map(|s| (s.read_back, s.watchdog));
    assert_eq!(last, Some((RelayImage::NONE, WatchdogRelay::Fallen)), "it lets go of no line that K0 feeds");
    assert!(pump.end().success());
    pump.hear("ended, everything is off");
}

#[test]
fn told_to_end_at_rest_it_ends() {
    let place = Place::new();
    let mut pump = place.start();
    let (mut client, _) = pump.greet();
    client.state(StateName::Idle);
    pump.signal(Signal::TERM);
    assert!(pump.end().success());
    // Nobody has to be there for it, and it need not be at rest yet.
    let mut pump = place.start();
    pump.hear("started");
    pump.signal(Signal::TERM);
    assert!(pump.end().success());
}

#[test]
fn two_on_the_same_relays_are_one_too_many() {
    let place = Place::new();
    let mut first = place.start();
    first.hear("self-test passed");
    let mut second = place.start();
    assert_eq!(second.end().code(), Some(1));
    second.hear("belongs to another vigia-pump that is running");
    let (mut client, _) = first.greet();
    client.state(StateName::Idle);
}

/// A program that did not get its turn knows it by the time itself (I15).
#[test]
fn a_gap_between_cycles_is_told() {
    let place = Place::new();
    let pump = place.start();
    let (mut client, _) = pump.greet();
    client.state(StateName::Idle);
    pump.signal(Signal::STOP);
    std::thread::park_timeout(Duration::from_millis(800));
    pump.signal(Signal::CONT);
    let gap = client.until("a late cycle", |body| match body {
        FromPump::Event(numbered) => match numbered.event {
            Event::CycleLate { gap } => Some(gap),
            _ => None,
        },
        _ => None,
    });
    assert!(gap > Duration::from_millis(500), "{gap:?}");
    let late = client.status("a late status", |s| s.late_us_max > 500_000);
    assert!(late.panel.active.has(vigia_core::pump::Condition::CycleLate));
}

/// After a gap that the site rides through, the watchdog relay comes back and with it what it fed:
/// a relay that does not come is no reason to let it go, only one that does not leave.
#[test]
fn a_run_that_rides_through_a_gap_gets_its_relays_back() {
    let site = SITE.replace("fail_stop", "fail_run").replace("fire_off_s: 1\n", "fire_off_s: 50\n");
    let place = Place::with(&site);
    let pump = place.start();
    let (mut client, _) = pump.greet();
    client.state(StateName::Idle);
    assert_eq!(client.demand(7), DemandOutcome::Accepted);
    let both = |image: RelayImage| image.is_on(Output::Run) && image.is_on(Output::RefillValve);
    let before =
        client.status("a run with its refill", |s| s.now.state == StateName::Running && both(s.read_back));
    pump.signal(Signal::STOP);
    // Longer than the watchdog relay of starter and refill holds, shorter than that of the ignition.
    std::thread::park_timeout(Duration::from_millis(800));
    pump.signal(Signal::CONT);
    let gap = |body: &FromPump| match body {
        FromPump::Event(numbered) => matches!(numbered.event, Event::CycleLate { .. }).then_some(()),
        _ => None,
    };
    client.until("a late cycle", gap);
    let long_after = before.cycles + 100;
    let after = client.status("seconds later", |s| s.cycles > long_after && s.watchdog_fed);
    assert!(after.now.state == StateName::Running, "{after:?}");
    assert!(both(after.read_back), "{after:?}");
}

/// The service manager hears of complete cycles, and of nothing before them.
#[test]
fn the_service_manager_is_told() {
    let place = Place::new();
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(support::PATIENCE)).expect("a limit");
    let mut command = place.command();
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "1000000");
    let mut pump = Pump::spawn(command, place.run());
    let next = || {
        let mut bytes = [0; 64];
        let len = socket.recv(&mut bytes).expect("a message");
        String::from_utf8_lossy(&bytes[..len]).into_owned()
    };
    let mut lines = Vec::new();
    let mut next_sign = || loop {
        let word = next();
        match word.strip_prefix("STATUS=") {
            Some(line) => lines.push(line.to_owned()),
            None => return word,
        }
    };
    assert_eq!(next_sign(), "READY=1");
    assert_eq!(next_sign(), "WATCHDOG=1");
    assert_eq!(next_sign(), "WATCHDOG=1");
    assert_eq!(lines[0], "not at rest: Boot", "it is told before it is ready");
    // A run is told from its first valve on, and what it leaves latched.
    let (mut client, _) = pump.greet();
    client.state(StateName::Idle);
    assert_eq!(client.demand(9), DemandOutcome::Accepted);
    let told = |lines: &[String], want: &str| lines.iter().any(|line| line == want);
    let until = support::deadline();
    while !told(&lines, "not at rest: Idle, Fire stands") {
        assert!(vigia_pump::clock::now() < until, "{lines:?}");
        let word = next();
        lines.extend(word.strip_prefix("STATUS=").map(str::to_owned));
    }
    assert!(told(&lines, "at rest: Idle") && told(&lines, "not at rest: Priming"), "{lines:?}");
    pump.signal(Signal::TERM);
    while next() != "STOPPING=1" {}
    assert!(pump.end().success());
}
