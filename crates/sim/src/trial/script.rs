//! What happens to a box: people, fires, faults, deaths.

use std::time::Duration;

use vigia_core::pump::{Order, Role, Sensor};
use vigia_core::time::Instant;

use crate::plant::{Button, Contact, Fault, Selector};

/// One thing that the world does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Deed {
    /// A fire before these cameras (bits), for so many seconds.
    Fire {
        cameras: u8,
        seconds: u16,
    },
    /// Something that looks like fire and does not grow, or is seen by one camera only.
    FalseAlarm {
        cameras: u8,
        seconds: u16,
        grows: bool,
    },
    Blind {
        camera: u8,
        seconds: u16,
    },
    Fault(Fault),
    Mend(Fault),
    Press(Button),
    Release(Button),
    Turn(Selector),
    HoldIgnition(bool),
    Order {
        id: u64,
        order: Order,
        role: Role,
        age_s: u8,
        retained: bool,
        twice: bool,
    },
    /// From the network: fresh and allowed, or not.
    Demand {
        id: u64,
        age_s: u8,
        authorised: bool,
        retained: bool,
    },
    FillTank,
    LinkBreaks {
        seconds: u8,
    },
    /// The pump program: at once, or between a step and the writing of its image.
    KillPump {
        back_ms: u16,
        within: bool,
        disk_lost: bool,
    },
    KillVigia {
        back_ms: u16,
    },
    PowerCut {
        seconds: u16,
    },
    /// The pump program does not get the processor.
    Hang {
        ms: u16,
    },
    FailSelfTest,
}

/// Deeds still to come, drawn one after the other.
#[derive(Debug, Clone)]
pub(super) struct Script {
    pub next_at: Instant,
    /// Releases, mends: consequences of earlier deeds.
    later: Vec<(Instant, Deed)>,
    faults: Vec<Fault>,
    ids: u64,
    mean_ms: u64,
    pub hangs: bool,
    pub cameras: u8,
}

impl Script {
    pub fn new(now: Instant, mean_ms: u64, hangs: bool, cameras: u8) -> Self {
        let (later, faults) = (Vec::with_capacity(32), Vec::with_capacity(8));
        Self { next_at: now, later, faults, ids: 1 << 32, mean_ms, hangs, cameras }
    }

    pub fn wake(&self) -> Instant {
        self.later.iter().map(|(at, _)| *at).fold(self.next_at, Instant::min)
    }

    /// What is due, one after the other.
    pub fn take(&mut self, now: Instant, rng: &mut fastrand::Rng) -> Option<Deed> {
        if let Some(place) = self.later.iter().position(|(at, _)| *at <= now) {
            return Some(self.later.swap_remove(place).1);
        }
        if self.next_at > now {
            return None;
        }
        self.next_at = now.after(Duration::from_millis(rng.u64(1..2 * self.mean_ms)));
        Some(self.draw(now, rng))
    }

    fn in_ms(&mut self, now: Instant, ms: u64, deed: Deed) {
        if self.later.len() < self.later.capacity() {
            self.later.push((now.after(Duration::from_millis(ms)), deed));
        }
    }

    fn draw(&mut self, now: Instant, rng: &mut fastrand::Rng) -> Deed {
        match rng.u8(..100) {
            0..20 => self.fire(rng),
            20..26 => Deed::FalseAlarm {
                cameras: 1 << rng.u8(..self.cameras),
                seconds: rng.u16(2..40),
                grows: rng.bool(),
            },
            26..30 => Deed::Blind { camera: rng.u8(..self.cameras), seconds: rng.u16(2..60) },
            30..52 => self.fault(now, rng),
            52..56 => Deed::Demand {
                id: rng.u64(1..4),
                age_s: rng.u8(..4),
                authorised: rng.u8(..4) != 0,
                retained: rng.u8(..4) == 0,
            },
            56..70 => self.order(rng),
            70..77 => self.button(now, rng),
            77..81 => self.selector(now, rng),
            81..83 => Deed::FillTank,
            83..85 => Deed::LinkBreaks { seconds: rng.u8(1..20) },
            85..92 => Deed::KillPump {
                back_ms: if rng.bool() { rng.u16(200..1000) } else { rng.u16(1000..15_000) },
                within: rng.bool(),
                disk_lost: rng.u8(..16) == 0,
            },
            92..95 => Deed::KillVigia { back_ms: rng.u16(500..20_000) },
            95..97 => Deed::PowerCut { seconds: rng.u16(1..300) },
            97 => Deed::FailSelfTest,
            _ if self.hangs => Deed::Hang { ms: rng.u16(200..7000) },
            _ => self.fire(rng),
        }
    }

    fn fire(&mut self, rng: &mut fastrand::Rng) -> Deed {
        let all = (1_u8 << self.cameras) - 1;
        let one = 1 << rng.u8(..self.cameras);
        Deed::Fire { cameras: (rng.u8(..) & all) | one, seconds: rng.u16(5..90) }
    }

    fn fault(&mut self, now: Instant, rng: &mut fastrand::Rng) -> Deed {
        if self.faults.len() > 3 || (!self.faults.is_empty() && rng.bool()) {
            let fault = self.faults.swap_remove(rng.usize(..self.faults.len()));
            return Deed::Mend(fault);
        }
        let fault = Fault::any(rng);
        self.faults.push(fault);
        // Most loose contacts are a matter of seconds.
        if matches!(fault, Fault::Contact(_, Contact::Flaps) | Fault::Contact(Sensor::EmergencyStop, _)) {
            self.in_ms(now, rng.u64(500..20_000), Deed::Mend(fault));
        }
        Deed::Fault(fault)
    }

    fn order(&mut self, rng: &mut fastrand::Rng) -> Deed {
        const ROLES: [Role; 5] = [Role::View, Role::Operate, Role::Arm, Role::Maintain, Role::Local];
        self.ids += 1;
        let mut order = Order::ALL[rng.usize(..Order::ALL.len())];
        if rng.u8(..4) == 0 {
            order = Order::Reset;
        }
        Deed::Order {
            id: self.ids,
            order,
            role: ROLES[rng.usize(..ROLES.len())].max(if rng.bool() { Role::Maintain } else { Role::View }),
            age_s: if rng.u8(..8) == 0 { rng.u8(8..16) } else { 0 },
            retained: rng.u8(..16) == 0,
            twice: rng.u8(..4) == 0,
        }
    }

    fn button(&mut self, now: Instant, rng: &mut fastrand::Rng) -> Deed {
        let button = [Button::Fire, Button::Fire, Button::Stop, Button::Reset][rng.usize(..4)];
        self.in_ms(now, rng.u64(50..6000), Deed::Release(button));
        Deed::Press(button)
    }

    fn selector(&mut self, now: Instant, rng: &mut fastrand::Rng) -> Deed {
        let to = if rng.bool() { Selector::Off } else { Selector::Manual };
        if to == Selector::Manual && rng.bool() {
            self.in_ms(now, 0, Deed::HoldIgnition(true));
            self.in_ms(now, rng.u64(1000..30_000), Deed::HoldIgnition(false));
        }
        self.in_ms(now, rng.u64(1000..40_000), Deed::Turn(Selector::Auto));
        Deed::Turn(to)
    }
}
