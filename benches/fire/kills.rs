//! SIGKILL at random moments of either program, while the pump has something to tell and the broker comes
//! and goes. What the pump ever wrote into its book, somebody outside must have heard.
//!
//! A broker that is killed forgets who listened, and what comes before they listen again is told to nobody.
//! So vigia reaches it through a proxy, which opens when the witnesses are there.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use fastrand::Rng;
use serde_json::Value;
use tempfile::TempDir;
use vigia::clock;
use vigia_sim::{Mode, TcpProxy};

use super::broker::rest;
use super::control::{Site, picture};
use super::heard;
use super::plant::{Ears, OUTSIDE, Outside, Pump};
use crate::Instance;
use crate::control::spread::Progress;

/// From one kill to the next, most of them soon: a start, a handshake and a commit take less.
const APART_MS: (f64, f64) = (50.0, 4_000.0);
/// Between two things said to the box.
const SAID_EVERY: Duration = Duration::from_millis(40);
/// Each makes events, obeyed or refused. None of them latches what only a hand could reset.
const WORDS: [&str; 8] =
    ["silence", "acknowledge", "valve_open", "valve_close", "disarm", "arm", "test", "reset"];
/// In these turns of eight the broker dies, is there again, and dies and is there again at once.
const DIES: usize = 3;
const RETURNS: usize = 5;
const RESTARTS: usize = 7;
const TURNS: usize = 8;
/// A fire before the outside cameras begins anew after so many looks.
const LOOKS: i32 = 60;

pub fn kills(seed: u64, count: usize) -> Value {
    let Some(mut field) = Field::start(seed) else { return Value::Null };
    let begun = clock::now();
    let mut progress = Progress::start("kills", count);
    for nth in 0..count {
        match nth % TURNS {
            DIES => field.broker_dies(),
            RETURNS => field.broker_returns(),
            RESTARTS => {
                field.broker_dies();
                field.broker_returns();
            }
            _ => {}
        }
        field.talk();
        field.kill();
        progress.is_at(nth + 1);
    }
    let seconds = clock::now().since(begun).as_secs_f64();
    heard::count(field, seconds)
}

/// Both programs, a broker behind a proxy, and who speaks and listens there.
pub struct Field {
    site: Site,
    proxy: TcpProxy,
    pub ears: Ears,
    /// `None` while the broker is away.
    pub hand: Option<Outside>,
    pub pump: Pump,
    pub vigia: Instance,
    pub text: String,
    pub folder: TempDir,
    random: Rng,
    looks: i32,
    pub tally: Tally,
}

#[derive(Default)]
pub struct Tally {
    pub of_vigia: usize,
    pub of_pump: usize,
    /// Ended before they were killed.
    pub by_themselves: usize,
    pub broker_deaths: usize,
}

impl Field {
    fn start(seed: u64) -> Option<Self> {
        let site = Site::start()?;
        let broker = SocketAddr::from((Ipv4Addr::LOCALHOST, site.broker.port));
        let proxy = TcpProxy::start(broker).expect("a proxy");
        let folder = tempfile::tempdir().expect("a folder");
        let pump = Pump::start();
        let text = format!(
            "instance_id: field\nmqtt: {{ host: 127.0.0.1, port: {} }}\nmetrics: {{ interval_s: 0 }}\n\
             control: {{ enabled: true, journal: {}, unsigned_role: technician }}\nstreams:\n{}{OUTSIDE}{}",
            proxy.address().port(),
            folder.path().join("journal.db").display(),
            picture(1, 5),
            pump.section("unsigned"),
        );
        let (ears, hand) = (Ears::open(&site), Some(Outside::new(&site, "hand")));
        let (vigia, random, tally) = (start(&text), Rng::with_seed(seed), Tally::default());
        let field = Self { site, proxy, ears, hand, pump, vigia, text, folder, random, looks: 0, tally };
        field.ears.wait("gpio/status", "the pump is reached", |v| v["online"] == true);
        Some(field)
    }

    fn broker_dies(&mut self) {
        self.hand = None;
        self.site.broker.kill();
        self.proxy.set_mode(Mode::Reset).expect("a proxy");
        self.tally.broker_deaths += 1;
    }

    pub fn broker_returns(&mut self) {
        self.site.broker.launch();
        self.site.reconnect();
        self.ears.again(&self.site);
        self.hand = Some(Outside::new(&self.site, "hand"));
        self.proxy.set_mode(Mode::Forward).expect("a proxy");
    }

    /// Orders and growing fires, until a random moment.
    fn talk(&mut self) {
        let (least, most) = APART_MS;
        let apart = least + (most - least) * self.random.f64().powi(2);
        let until = clock::now().after(Duration::from_secs_f64(apart / 1e3));
        loop {
            let left = until.since(clock::now());
            if left.is_zero() {
                return;
            }
            if let Some(hand) = &self.hand {
                let word = self.random.choice(WORDS).expect("words");
                hand.say("fire/emergency", word.as_bytes(), false);
                let (object, look) = (self.looks / LOOKS, self.looks % LOOKS);
                let side = 0.05 * 1.03_f64.powi(look);
                ["north", "south"].iter().for_each(|camera| hand.see(camera, &object.to_string(), side));
                self.looks += 1;
            }
            rest(left.min(SAID_EVERY));
        }
    }

    /// Kills one of both and starts it again.
    fn kill(&mut self) {
        if self.random.bool() {
            self.tally.of_vigia += 1;
            self.kill_vigia();
            self.vigia = start(&self.text);
        } else {
            self.tally.of_pump += 1;
            self.tally.by_themselves += usize::from(!self.pump.is_running());
            self.pump.kill();
            self.pump.again();
        }
    }

    pub fn kill_vigia(&mut self) {
        if let Some(status) = self.vigia.0.try_wait().expect("ours") {
            eprintln!("{}\nvigia ended by itself: {status}", self.vigia.log());
            self.tally.by_themselves += 1;
        }
        self.vigia.0.kill().expect("ours");
        self.vigia.0.wait().expect("ours");
    }
}

pub fn start(text: &str) -> Instance {
    Instance::start(&Path::new(env!("CARGO_MANIFEST_DIR")).join("models"), text)
}
