//! Every line that is read: contacts, their complements, feedback of relays and of K0.
//!
//! One request for each chip. An edge wakes the cycle; what counts is the level, read each
//! cycle, because the kernel drops edges when too many come (reliability 2.3). Pulses of a flow
//! meter are the exception: only their edges can be counted, and they wake nobody.

use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use gpiocdev::Request;
use gpiocdev::line::{EdgeDetection, Value, Values};
use rustix::event::epoll;
use vigia_core::board::{Bias, Level};
use vigia_core::time::Instant;

use super::super::BankError;
use super::CONSUMER;
use super::find::Place;
use super::pulses::Pulses;

/// Edges that the kernel keeps from one cycle to the next.
const EDGES_LEN: u32 = 256;
/// Edges taken in one go, and goes in one cycle: a storm must not hold the cycle up.
const EDGES_AT_ONCE: usize = 32;
const READS_MAX: usize = 16;

/// A line to be read.
#[derive(Debug)]
pub struct Wanted {
    pub place: Place,
    pub active: Level,
    pub bias: Option<Bias>,
    pub debounce: Duration,
    pub kind: Kind,
}

/// Why it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A change wakes the cycle.
    Contact,
    /// Only its level counts.
    Level,
    Pulses {
        per_s_min: u32,
    },
}

/// Where a line's level is found after [`Inputs::read`].
#[derive(Debug, Clone, Copy)]
pub struct Slot {
    bank: usize,
    offset: u32,
}

impl Slot {
    /// Of no line: never active.
    pub const fn none() -> Self {
        Self { bank: usize::MAX, offset: u32::MAX }
    }
}

#[derive(Debug)]
struct Bank {
    request: Request,
    values: Values,
    wakes: bool,
}

#[derive(Debug)]
struct Meter {
    slot: Slot,
    pulses: Pulses,
}

/// All of them.
#[derive(Debug)]
pub struct Inputs {
    banks: Vec<Bank>,
    meters: Vec<Meter>,
    wake: OwnedFd,
    edges: Box<[u64]>,
}

impl Inputs {
    /// Requests all lines; the slots are in the order of the lines.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn open(wanted: &[Wanted]) -> Result<(Self, Vec<Slot>), BankError> {
        let mut groups: Vec<(PathBuf, bool, Vec<&Wanted>)> = Vec::new();
        let mut slots = Vec::new();
        for line in wanted {
            let is_meter = matches!(line.kind, Kind::Pulses { .. });
            let is_same =
                |(chip, meters, _): &(PathBuf, bool, Vec<_>)| *chip == line.place.chip && *meters == is_meter;
            let bank = groups.iter().position(is_same).unwrap_or(groups.len());
            match groups.get_mut(bank) {
                Some((_, _, lines)) => lines.push(line),
                None => groups.push((line.place.chip.clone(), is_meter, vec![line])),
            }
            slots.push(Slot { bank, offset: line.place.offset });
        }
        let meter = |(line, slot): (&Wanted, &Slot)| match line.kind {
            Kind::Pulses { per_s_min } => Some(Meter { slot: *slot, pulses: Pulses::new(per_s_min) }),
            Kind::Contact | Kind::Level => None,
        };
        let meters = wanted.iter().zip(&slots).filter_map(meter).collect();
        let wake = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(BankError::Wake)?;
        let mut banks = Vec::new();
        for (chip, is_meter, lines) in groups {
            let bank = request(&chip, is_meter, &lines)
                .map_err(|source| BankError::Request { chip: chip.display().to_string(), source })?;
            if bank.wakes {
                let data = epoll::EventData::new_u64(0);
                epoll::add(&wake, &bank.request, data, epoll::EventFlags::IN).map_err(BankError::Wake)?;
            }
            banks.push(bank);
        }
        let edges_len = banks.first().map_or(0, |bank| bank.request.edge_event_u64_size()) * EDGES_AT_ONCE;
        Ok((Self { banks, meters, wake, edges: vec![0; edges_len].into() }, slots))
    }

    /// Takes in the edges and reads all levels.
    ///
    /// # Errors
    /// A chip does not answer.
    pub fn read(&mut self, now: Instant) -> Result<(), gpiocdev::Error> {
        for (at, bank) in self.banks.iter_mut().enumerate() {
            for _ in 0..READS_MAX {
                if !bank.request.has_edge_event()? {
                    break;
                }
                let bytes = bank.request.read_edge_events_into_slice(&mut self.edges)?;
                count(&mut self.meters, at, &bank.request, &self.edges, bytes, now);
            }
            bank.request.values(&mut bank.values)?;
        }
        Ok(())
    }

    /// Whether a line is active, as of the last [`Self::read`].
    pub fn is_active(&self, slot: Slot) -> bool {
        let bank = self.banks.get(slot.bank);
        bank.and_then(|bank| bank.values.get(slot.offset)) == Some(Value::Active)
    }

    /// Whether pulses come fast enough.
    pub fn flows(&mut self, slot: Slot, now: Instant) -> bool {
        let is_it = |meter: &&mut Meter| meter.slot.bank == slot.bank && meter.slot.offset == slot.offset;
        self.meters.iter_mut().find(is_it).is_some_and(|meter| meter.pulses.are_enough(now))
    }

    /// Readable when a contact has changed.
    pub fn wakes_by(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

/// The pulses among the edges that were read.
fn count(meters: &mut [Meter], bank: usize, request: &Request, edges: &[u64], bytes: usize, now: Instant) {
    if !meters.iter().any(|meter| meter.slot.bank == bank) {
        return;
    }
    let len = request.edge_event_u64_size().max(1);
    for edge in edges.chunks_exact(len).take(bytes / (len * size_of::<u64>())) {
        let Ok(event) = request.edge_event_from_slice(edge) else { continue };
        let is_it = |meter: &&mut Meter| meter.slot.bank == bank && meter.slot.offset == event.offset;
        if let Some(meter) = meters.iter_mut().find(is_it) {
            meter.pulses.note(now);
        }
    }
}

fn request(chip: &PathBuf, is_meter: bool, lines: &[&Wanted]) -> Result<Bank, gpiocdev::Error> {
    let mut wanted = Request::builder();
    wanted.on_chip(chip).with_consumer(CONSUMER).with_kernel_event_buffer_size(EDGES_LEN);
    let mut values = Values::default();
    for line in lines {
        wanted.with_line(line.place.offset).as_input();
        match line.active {
            Level::High => wanted.as_active_high(),
            Level::Low => wanted.as_active_low(),
        };
        wanted.with_bias(line.bias.map(|bias| match bias {
            Bias::PullUp => gpiocdev::line::Bias::PullUp,
            Bias::PullDown => gpiocdev::line::Bias::PullDown,
            // The board's resistor is to be alone.
            Bias::ExternalUp | Bias::ExternalDown => gpiocdev::line::Bias::Disabled,
        }));
        let edges = match line.kind {
            Kind::Contact => Some(EdgeDetection::BothEdges),
            Kind::Pulses { .. } => Some(EdgeDetection::RisingEdge),
            Kind::Level => None,
        };
        wanted.with_edge_detection(edges).with_debounce_period(line.debounce);
        values.set(line.place.offset, Value::Inactive);
    }
    let wakes = !is_meter && lines.iter().any(|line| line.kind == Kind::Contact);
    Ok(Bank { request: wanted.request()?, values, wakes })
}
