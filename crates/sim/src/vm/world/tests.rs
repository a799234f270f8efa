//! A guest that is played by the test, over the real socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use vigia_core::board::{self, RawLines};
use vigia_core::pump::{Output, RelayImage};

use super::*;
use crate::plant::PlantConfig;
use crate::vm::clock::rest;
use crate::vm::wire::{Ask, Order};
use crate::vm::wiring;

const BOARD: &str = r#"{
  "bank": "gpio",
  "outputs": {
    "main_valve": {"chip": "a", "line": "VALVE", "active": "high",
                   "feedback": {"chip": "b", "line": "VALVE-IS", "active": "high"}},
    "run": {"chip": "a", "line": "RUN", "active": "high"},
    "starter": {"chip": "a", "line": "STARTER", "active": "high"},
    "refill_valve": {"chip": "a", "line": "REFILL", "active": "high"}
  },
  "inputs": {"valve_open": {"chip": "b", "line": "OPEN", "active": "high", "bias": "external_down"}},
  "watchdog": {
    "heartbeat": {"chip": "a", "line": "BEAT"},
    "feedback": {"chip": "b", "line": "K0", "active": "high"},
    "behind": ["run", "starter", "refill_valve"]
  }
}"#;

struct Rig {
    guest: UnixStream,
    orders: BufReader<UnixStream>,
    lines: Arc<Lines>,
    world: World,
}

impl Rig {
    fn new(name: &str) -> Self {
        let raw: RawLines = serde_json::from_str(BOARD).expect("good");
        let board = board::read(&raw, None).expect("good");
        let layout = wiring::layout(&board, &[]).expect("good");
        let wiring = Wiring::of(&board, &layout).expect("good");
        let socket = std::env::temp_dir().join(format!("vigia-world-{name}-{}", std::process::id()));
        let off = "0".repeat(layout.len());
        let lines = Arc::new(Lines::listen(&socket, layout).expect("a socket"));
        let mut guest = UnixStream::connect(&socket).expect("connected");
        let orders = BufReader::new(guest.try_clone().expect("a copy"));
        let plant = Plant::new(PlantConfig::wildfire_engine(), 1);
        let world = World::new(plant, wiring, Arc::clone(&lines), 1);
        writeln!(guest, "hello 1 {} boot {off}", now().0).expect("said");
        let mut rig = Self { guest, orders, lines, world };
        rig.until("the host's first question", |ask| *ask == Ask::Now);
        rig.wait("up", |rig| rig.lines.boots().1);
        // The heartbeat's line came down from its pull: one edge, which pulls nothing and is soon forgotten.
        rest(K0_HOLDS);
        assert!(!rig.world.is_k0_pulled());
        rig
    }

    fn id(&self, name: &str) -> LineId {
        self.lines.layout().find(None, name).expect("there")
    }

    /// The guest's clock is the host's here.
    fn edge(&mut self, name: &str, level: u8) {
        let id = self.id(name).0;
        writeln!(self.guest, "edge {id} {level} {} trace\nmark {}", now().0, now().0).expect("said");
    }

    /// As seldom as pulls K0: two edges.
    fn beat(&mut self) {
        self.edge("BEAT", 1);
        self.edge("BEAT", 0);
    }

    /// Answers everything up to an order that fits.
    fn until(&mut self, what: &str, fits: impl Fn(&Ask) -> bool) {
        loop {
            let mut line = String::new();
            assert!(self.orders.read_line(&mut line).expect("readable") > 0, "{what} does not come");
            let order: Order = line.trim().parse().expect("an order");
            writeln!(self.guest, "{} {} done", order.number, now().0).expect("said");
            if fits(&order.ask) {
                return;
            }
        }
    }

    /// Turns with a beating guest.
    fn wait(&mut self, what: &str, is: impl Fn(&Self) -> bool) {
        for _ in 0..2000 {
            writeln!(self.guest, "mark {}", now().0).expect("said");
            rest(Duration::from_millis(2));
            self.world.turn(now());
            if is(self) {
                return;
            }
        }
        panic!("{what} does not come");
    }

    fn coils(&self) -> Vec<Output> {
        self.world.story().last().expect("a story").coils.energised().collect()
    }

    /// K0 pulled and fell again: when, and what was under power meanwhile. On a busy machine a test may
    /// look too late to see it pulled; the story knows.
    fn pulled_and_fell(&self) -> Option<(Moment, Moment)> {
        let story = self.world.story();
        let [.., pulled, fell] = story else { return None };
        (pulled.is_k0_pulled && !fell.is_k0_pulled).then_some((*pulled, *fell))
    }
}

#[test]
fn a_beating_line_pulls_k0_and_its_contact_follows() {
    let mut rig = Rig::new("beats");
    rig.edge("RUN", 1);
    rig.wait("the line", |rig| rig.world.story().last().is_some_and(|m| m.asked.is_on(Output::Run)));
    assert_eq!(rig.coils(), []);
    rig.beat();
    // 300 ms later it falls, and takes the engine's ignition with it.
    rig.wait("K0's fall", |rig| rig.pulled_and_fell().is_some());
    let (pulled, fell) = rig.pulled_and_fell().expect("both");
    assert_eq!(pulled.coils.energised().collect::<Vec<_>>(), [Output::Run]);
    assert_eq!(fell.coils, RelayImage::NONE);
    assert_eq!(fell.at.since(pulled.at), K0_HOLDS);
    assert!(!rig.world.plant.truth().live.is_on(Output::Run));
    let k0 = rig.id("K0");
    rig.wait("the contact", |rig| rig.world.pulled(k0) == Some(Level::Low));
    for to in [Level::High, Level::Low] {
        rig.until("the contact's pulls", |ask| *ask == Ask::Pull { line: k0, to });
    }
}

#[test]
fn a_frozen_guest_loses_k0_by_the_hosts_time() {
    let mut rig = Rig::new("frozen");
    rig.edge("RUN", 1);
    rig.wait("the line", |rig| rig.world.story().last().is_some_and(|m| m.asked.is_on(Output::Run)));
    rig.beat();
    let since = now();
    // Not a mark any more.
    while rig.pulled_and_fell().is_none() {
        assert!(now().since(since) < Duration::from_secs(20), "K0 is still pulled");
        rest(Duration::from_millis(5));
        rig.world.turn(now());
    }
    let (pulled, fell) = rig.pulled_and_fell().expect("both");
    assert_eq!(fell.at.since(pulled.at), K0_HOLDS);
    assert!(now().since(since) >= K0_HOLDS);
}

#[test]
fn relays_report_and_valves_travel() {
    let mut rig = Rig::new("valve");
    rig.edge("VALVE", 1);
    let (open, relay) = (rig.id("OPEN"), rig.id("VALVE-IS"));
    rig.wait("the valve's relay", |rig| rig.world.plant.truth().live.is_on(Output::MainValve));
    rig.wait("its contact", |rig| rig.world.pulled(relay) == Some(Level::High));
    assert_eq!(rig.world.pulled(open), Some(Level::Low));
    // Faster than time: six seconds of travel.
    rig.world.plant.pass(now().after(Duration::from_secs(7)));
    rig.world.contacts(now());
    assert_eq!(rig.world.pulled(open), Some(Level::High));
}

#[test]
fn without_power_the_lines_go_where_their_pulls_take_them() {
    let mut rig = Rig::new("power");
    assert_eq!(rig.coils(), []);
    rig.guest.shutdown(std::net::Shutdown::Both).expect("gone");
    let since = now();
    while rig.lines.boots().1 {
        assert!(now().since(since) < Duration::from_secs(20), "nobody noticed");
        rest(Duration::from_millis(2));
    }
    rig.world.turn(now());
    rest(K0_HOLDS);
    rig.world.turn(now());
    // The heartbeat's line was pulled up, too: that one edge does not pull K0.
    assert!(rig.world.story().iter().all(|m| !m.is_k0_pulled), "{:?}", rig.world.story());
    assert_eq!(rig.coils(), [Output::MainValve]);
}
