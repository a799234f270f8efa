//! SIGKILL at all sorts of moments: nothing is forgotten, and nothing moves by itself.

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use support::{Client, Place, SITE};
use vigia_core::link::{FromPump, Numbered, ToPump, Welcome};
use vigia_core::pump::{Event, Order, Output, RelayImage, Role, StateName};

/// All that was ever said, by number: said again, it is the same.
#[derive(Default)]
struct Journal(BTreeMap<u64, Numbered>);

impl Journal {
    fn take(&mut self, client: &Client) {
        for event in &client.events {
            let known = self.0.insert(event.number, *event);
            assert!(known.is_none_or(|known| known == *event), "{event:?} was {known:?}");
        }
    }

    fn assert_whole(&self) {
        let numbers: Vec<u64> = self.0.keys().copied().collect();
        let expected: Vec<u64> = (1..=self.0.len() as u64).collect();
        assert_eq!(numbers, expected, "numbers without a hole");
    }
}

/// Reads up to the first status after the self-test; before it no relay may be on.
fn up_to_self_test(client: &mut Client, welcome: &Welcome) {
    client.until("the self-test", |body| match body {
        FromPump::Status(status) if status.self_tested => Some(()),
        FromPump::Status(status) => {
            assert_eq!(status.read_back, RelayImage::NONE, "driven before the self-test");
            None
        }
        _ => None,
    });
    let again = client.events.iter().filter(|e| e.number <= welcome.last_event).count() as u64;
    assert_eq!(again, welcome.last_event + 1 - welcome.first_event, "all that waited, before any status");
}

#[test]
fn a_killed_run_is_killed_again_and_its_refill_is_owed() {
    let place = Place::with(&SITE.replace("fire_off_s: 1\n", "fire_off_s: 50\n"));
    let mut journal = Journal::default();

    let pump = place.start();
    let (mut client, welcome) = pump.greet();
    up_to_self_test(&mut client, &welcome);
    client.state(StateName::Idle);
    assert_eq!(client.demand(1), vigia_core::link::DemandOutcome::Accepted);
    let running = client.status("two seconds of run", |s| s.now.current_runtime > Duration::from_secs(2));
    journal.take(&client);
    pump.kill();

    // Again, before its kill pulse is over: it is owed still.
    for round in 0..2 {
        let mut pump = place.start();
        let (mut client, welcome) = pump.greet();
        assert!(welcome.last_event > 0);
        up_to_self_test(&mut client, &welcome);
        let stopping = client.state(StateName::Stopping);
        assert!(stopping.read_back.is_on(Output::Kill), "round {round}");
        assert!(!stopping.read_back.is_on(Output::Run) && !stopping.read_back.is_on(Output::Starter));
        assert!(stopping.now.refill_owed >= running.now.refill_owed);
        let ran = client.events.iter().rev().find_map(|e| match e.event {
            Event::RunInterrupted { ran } => Some(ran),
            _ => None,
        });
        assert!(ran.is_some_and(|ran| ran >= running.now.current_runtime), "{ran:?}");
        if round == 1 {
            let refilling = client.state(StateName::Refilling);
            assert!(refilling.now.refill_owed >= running.now.refill_owed, "{refilling:?}");
        }
        journal.take(&client);
        if round == 1 {
            pump.hear("RunInterrupted");
        }
        pump.kill();
    }
    let pump = place.start();
    let (mut client, welcome) = pump.greet();
    up_to_self_test(&mut client, &welcome);
    let refilling = client.state(StateName::Refilling);
    assert!(!refilling.now.refill_owed.is_zero());
    journal.take(&client);
    journal.assert_whole();
}

/// At twenty moments from the first millisecond to the fourth second, from boot to a run by order. Some of what was said has
/// been acknowledged, some has not; nothing of it is missing in the end.
#[test]
fn twenty_kills_lose_no_event() {
    let place = Place::with(&SITE.replace("fire_off_s: 1\n", "fire_off_s: 50\n"));
    let mut journal = Journal::default();
    let mut book = None;
    for round in 0..20_u64 {
        let pump = place.start();
        let (mut client, welcome) = pump.greet();
        assert_eq!(*book.get_or_insert(welcome.book), welcome.book, "one book for all");
        // Two in three acknowledge something, first of all or in the middle of it.
        let acknowledges = round % 3 != 0;
        let moment = Duration::from_millis(round * 237 % 4000);
        let began = vigia_pump::clock::now();
        let mut has_ordered = false;
        while vigia_pump::clock::now().since(began) < moment {
            let Some(body) = client.next() else { panic!("it ended by itself") };
            match body {
                FromPump::Status(status) if !status.self_tested => {
                    assert_eq!(status.read_back, RelayImage::NONE, "round {round}");
                }
                FromPump::Status(status) => {
                    let is_at_rest = matches!(status.now.state, StateName::Idle | StateName::Refilling);
                    if is_at_rest && !has_ordered && round % 4 == 3 {
                        has_ordered = true;
                        client.order(100 + round, Order::Start, Role::Arm);
                    }
                }
                FromPump::Event(event) if acknowledges && event.number % 5 == 0 => {
                    journal.take(&client);
                    client.say(ToPump::EventAck { up_to: event.number });
                }
                _ => {}
            }
        }
        journal.take(&client);
        pump.kill();
    }
    let pump = place.start();
    let (mut client, welcome) = pump.greet();
    up_to_self_test(&mut client, &welcome);
    journal.take(&client);
    assert!(journal.0.len() as u64 >= welcome.last_event);
    journal.assert_whole();
    assert!(journal.0.len() > 30, "{}", journal.0.len());
}
