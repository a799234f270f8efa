//! Messages handed to paho that are not yet proven to have reached the broker.
//!
//! QoS 1 is proven by its PUBACK. For QoS 0 paho only knows that the kernel took the bytes,
//! and a stalled broker's kernel takes megabytes. So every few QoS 0 messages an
//! UNSUBSCRIBE for a filter that nobody subscribed is sent behind them: the broker reads in
//! order, so its UNSUBACK proves all that went before. It needs no topic, no permission and
//! no reader, and it doubles as the sign of life of an idle link.

use std::task::Waker;
use std::time::Duration;

use paho_mqtt::{DeliveryToken, Error, Token};
use vigia_core::time::Instant;

use super::dial::poll;
use super::lanes::{Entry, Outcome};
use super::outbox::Outbox;

/// Messages in flight, all classes.
const WINDOW_LEN_MAX: usize = 64;
/// The part of the window that detections and telemetry may fill.
const LOWER_LEN_MAX: usize = 48;
/// Bytes in flight above which detections and telemetry wait, so that little of what a
/// stalled broker will never read is lost with the link.
const BYTES_MAX: usize = 32 * 1024;
/// A probe is due behind this many unproven QoS 0 messages or bytes of them, or when the first has
/// waited. Large messages fill the window by their bytes long before they are many.
const PROBE_AFTER_LEN: usize = 16;
const PROBE_AFTER_BYTES: usize = BYTES_MAX / 4;
const PROBE_AFTER: Duration = Duration::from_millis(500);

/// What will prove delivery.
enum Proof {
    Puback(DeliveryToken),
    Probe,
    /// paho has given up on it; the link is gone.
    None,
}

struct Item {
    entry: Entry,
    len: usize,
    seq: u64,
    since: Instant,
    proof: Proof,
}

struct Probe {
    token: Token,
    covers: u64,
    since: Instant,
}

pub(super) struct Window {
    items: Vec<Item>,
    /// QoS 1 messages that may be in flight. Never more than the broker allows: paho would
    /// hold the surplus back, and every probe behind it.
    pubacks_max: usize,
    seq: u64,
    probe: Option<Probe>,
    /// Last time the broker proved to be alive.
    proven_at: Instant,
}

/// What a look at the tokens brought to light.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// The link is gone, by paho's word.
    pub(super) broken: bool,
    /// A message the broker refused, and why.
    pub(super) refused: Option<String>,
}

impl Window {
    pub(super) fn new(receive_max: usize, now: Instant) -> Self {
        // One less than allowed, so that a probe always passes paho's flow control.
        let pubacks_max = receive_max.saturating_sub(1).clamp(1, WINDOW_LEN_MAX);
        Self { items: Vec::with_capacity(WINDOW_LEN_MAX), pubacks_max, seq: 0, probe: None, proven_at: now }
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn is_full(&self) -> bool {
        let pubacks = self.items.iter().filter(|i| matches!(i.proof, Proof::Puback(_))).count();
        self.items.len() >= WINDOW_LEN_MAX || pubacks >= self.pubacks_max
    }

    /// True if only urgent messages may enter now.
    pub(super) fn urgent_only(&self) -> bool {
        let lower = self.items.iter().filter(|i| !i.entry.class.is_urgent()).count();
        lower >= LOWER_LEN_MAX || self.items.iter().map(|i| i.len).sum::<usize>() >= BYTES_MAX
    }

    /// Takes in a message that paho has accepted; `puback` is its token if it is QoS 1.
    pub(super) fn admit(&mut self, entry: Entry, puback: Option<DeliveryToken>, now: Instant) {
        self.seq += 1;
        let proof = puback.map_or(Proof::Probe, Proof::Puback);
        self.items.push(Item { len: entry.payload.len(), entry, seq: self.seq, since: now, proof });
    }

    /// Settles what has been proven or refused since the last look.
    pub(super) fn settle(&mut self, outbox: &Outbox, waker: &Waker, now: Instant) -> Findings {
        let mut found = Findings::default();
        let proven_to = self.probed(waker, &mut found);
        let before = self.items.len();
        self.items.retain_mut(|item| {
            let outcome = match &mut item.proof {
                Proof::Probe if item.seq <= proven_to => Outcome::Published,
                Proof::Probe | Proof::None => return true,
                Proof::Puback(token) => match poll(token, waker) {
                    None => return true,
                    Some(Ok(())) => Outcome::Published,
                    Some(Err(Error::ReasonCode(code, _))) => {
                        found.refused = Some(format!("{}: {code}", item.entry.topic));
                        Outcome::Failed
                    }
                    Some(Err(_)) => {
                        found.broken = true;
                        item.proof = Proof::None;
                        return true;
                    }
                },
            };
            outbox.settle(item.entry.class, outcome);
            outbox.recycle(std::mem::take(&mut item.entry.payload));
            false
        });
        if proven_to > 0 || self.items.len() < before {
            self.proven_at = now;
        }
        found
    }

    /// Sequence number up to which a probe has just proven delivery; 0 if none has.
    fn probed(&mut self, waker: &Waker, found: &mut Findings) -> u64 {
        let Some(probe) = &mut self.probe else { return 0 };
        let Some(answer) = poll(&mut probe.token, waker) else { return 0 };
        let covers = probe.covers;
        self.probe = None;
        match answer {
            // Whatever the broker thinks of the filter, it has read up to here.
            Ok(_) | Err(Error::ReasonCode(..)) => covers,
            Err(_) => {
                found.broken = true;
                0
            }
        }
    }

    /// How long the oldest message or probe has waited for its proof.
    pub(super) fn oldest_age(&self, now: Instant) -> Duration {
        let item = self.items.first().map(|i| i.since);
        let probe = self.probe.as_ref().map(|p| p.since);
        let oldest = item.into_iter().chain(probe).min();
        oldest.map_or(Duration::ZERO, |since| now.since(since))
    }

    /// Time until a probe is due; zero if it is. `hurry` asks for proof at once.
    pub(super) fn probe_due_in(&self, now: Instant, idle_every: Duration, hurry: bool) -> Duration {
        if self.probe.is_some() {
            return idle_every;
        }
        let mut unproven = self.items.iter().filter(|i| matches!(i.proof, Proof::Probe));
        let (len, bytes) = unproven.clone().fold((0, 0), |(len, bytes), i| (len + 1, bytes + i.len));
        let few = len < PROBE_AFTER_LEN && bytes < PROBE_AFTER_BYTES;
        match unproven.next() {
            Some(first) if !hurry && few => PROBE_AFTER.saturating_sub(now.since(first.since)),
            Some(_) => Duration::ZERO,
            None if self.items.is_empty() => idle_every.saturating_sub(now.since(self.proven_at)),
            None => idle_every,
        }
    }

    pub(super) fn probe_sent(&mut self, token: Token, now: Instant) {
        // An idle probe has nothing to cover; 0 would read as "nothing proven".
        self.seq = self.seq.max(1);
        self.probe = Some(Probe { token, covers: self.seq, since: now });
    }

    /// The link is gone: urgent messages return to the head of their queue in order, the
    /// others are lost and counted.
    pub(super) fn give_back(self, outbox: &Outbox) {
        for item in self.items.into_iter().rev() {
            if item.entry.class.is_urgent() {
                outbox.put_back(item.entry, true);
            } else {
                outbox.settle(item.entry.class, Outcome::Failed);
                outbox.recycle(item.entry.payload);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::Qos;
    use super::super::class::Class;
    use super::*;

    fn detection(len: usize) -> Entry {
        Entry {
            class: Class::Detection { source_id: 0, frame_id: 1 },
            place: 0,
            topic: Arc::from("nvr/detections/0"),
            payload: vec![b' '; len],
            qos: Qos::AtMostOnce,
            retain: false,
        }
    }

    /// Detections with many boxes once came in bursts, half a second apart.
    #[test]
    fn what_closes_the_window_has_a_probe_due_behind_it() {
        for (len, bytes) in [(1, 300), (15, 300), (16, 300), (2, 3_000), (3, 3_000), (8, 4_096), (1, 60_000)]
        {
            let mut window = Window::new(usize::from(u16::MAX), Instant(0));
            (0..len).for_each(|_| window.admit(detection(bytes), None, Instant(0)));
            let due_in = window.probe_due_in(Instant(0), Duration::from_secs(10), false);
            let much = len >= PROBE_AFTER_LEN || len * bytes >= PROBE_AFTER_BYTES;
            let want = if much { Duration::ZERO } else { PROBE_AFTER };
            assert_eq!(due_in, want, "{len} messages of {bytes} bytes");
            assert!(!window.urgent_only() || due_in.is_zero(), "{len} of {bytes} wait for nothing");
        }
    }
}
