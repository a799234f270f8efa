//! What leaving a message in the outbox costs its producer, whatever the broker does.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use vigia::clock;
use vigia::mqtt::{
    BrokerConfig, Class, Counters, Limits, Link, Outbox, Protocol, Qos, Refused, Settings, Timing, Worker,
};
use vigia_core::detection::{BBox, Detection};
use vigia_core::event::{EventView, Found};

use super::record::ms;
use super::spread::Spread;
use crate::broker::{Broker, rest, wait_for};
use crate::resident_mib;

/// Messages are left in bursts, ten thousand a second: a hundred times what a busy box says, and
/// slow enough that a dead or frozen broker is noticed meanwhile.
const BURST: usize = 100;
const BURST_EVERY: Duration = Duration::from_millis(10);
/// Of twenty messages one is a state, one a metric, the rest detections.
const CYCLE: usize = 20;
const ROOMS: usize = 4;
const LIMIT_MS: f64 = 1.0;

/// `count` messages each while the broker works, is gone, and is frozen.
pub fn enqueue(count: usize) -> Value {
    let Some(mut broker) = Broker::start("") else { return Value::Null };
    let worker = Worker::start(settings(broker.port)).expect("the settings are valid");
    let connected = || matches!(worker.link(), Link::Connected { .. });
    let soon = Duration::from_secs(40);
    wait_for("the broker", soon, connected);
    // Buffers and queues grow to their limits before memory is compared.
    let _ = producer(worker.outbox(), count.min(5_000));
    let begun = resident_mib("self");
    let up = producer(worker.outbox(), count);
    broker.kill();
    let gone = producer(worker.outbox(), count);
    broker.launch();
    wait_for("the broker again", soon, connected);
    broker.freeze();
    let frozen = producer(worker.outbox(), count);
    broker.thaw();
    let accounts = worker.outbox().counters();
    let balanced = accounts.classes().iter().all(|class| class.balanced());
    let grown = resident_mib("self") - begun;
    let _ = worker.shutdown(Duration::from_secs(1));
    json!({
        "publishes_each": count, "up": up, "gone": gone, "frozen": frozen,
        "rss_mib_at_first": begun, "rss_mib_grown": grown, "accounts_balance": balanced, "limit_p99_ms": LIMIT_MS,
    })
}

fn settings(port: u16) -> Settings {
    Settings {
        component: "mqtt_sink",
        broker: BrokerConfig {
            host: "127.0.0.1".to_owned(),
            port,
            username: None,
            password: None,
            protocol: Protocol::V5,
            keepalive: Duration::from_secs(30),
            client_id: "enqueue".to_owned(),
            tls: None,
            tls_required: false,
            will: None,
        },
        subscriptions: Vec::new(),
        limits: Limits::default(),
        timing: Timing::default(),
        clock: clock::now,
    }
}

/// Leaves `count` messages and takes the time of each.
fn producer(outbox: &Outbox, count: usize) -> Value {
    let topics: Vec<Arc<str>> = (0..ROOMS).map(|room| format!("nvr/detections/{room}").into()).collect();
    let (state, metric): (Arc<str>, Arc<str>) =
        ("nvr/control/status/b".into(), "nvr/status/metrics/b".into());
    let before = outbox.counters();
    let (mut took, mut refused) = (Vec::with_capacity(count), 0_usize);
    for n in 0..count {
        if n % BURST == 0 {
            rest(BURST_EVERY);
        }
        let start = clock::now();
        let outcome = match n % CYCLE {
            0 => publish(outbox, Class::Status, &state, n),
            1 => publish(outbox, Class::Latest, &metric, n),
            _ => publish(outbox, detection(n), &topics[n % ROOMS], n),
        };
        took.push(ms(clock::now().since(start)));
        refused += usize::from(outcome.is_err());
    }
    let spread = Spread::of(took);
    let of = |count: fn(&Counters) -> u64| count(&outbox.counters()) - count(&before);
    json!({
        "enqueue_ms": spread, "is_met": spread.p99 <= LIMIT_MS, "refused_states": refused,
        "detections_published": of(|c| c.detection.published), "detections_dropped": of(|c| c.detection.dropped),
        "rss_mib": resident_mib("self"),
    })
}

fn detection(n: usize) -> Class {
    Class::Detection { source_id: u32::try_from(n % ROOMS).expect("a few rooms"), frame_id: n as u64 }
}

fn publish(outbox: &Outbox, class: Class, topic: &Arc<str>, n: usize) -> Result<(), Refused> {
    let qos = if class == Class::Status { Qos::AtLeastOnce } else { Qos::AtMostOnce };
    outbox.publish(class, topic, qos, false, |buffer| write_event(buffer, n))
}

/// An event with three boxes, as the sink writes it.
fn write_event(buffer: &mut Vec<u8>, n: usize) {
    let bbox = BBox { x1: 12.5, y1: 20.25, x2: 300.0, y2: 280.75 };
    let found =
        [0.91, 0.74, 0.52].map(|confidence| Detection { class_id: 0, confidence, bbox, tracker_id: None });
    let view = EventView {
        instance_id: "bench",
        source_id: 0,
        frame_id: n as u64,
        timestamp: clock::utc(),
        model_id: "lookout-n",
        inference_time_ms: 12.34,
        detections: Found { detections: &found, classes: &["person".to_owned()] },
        fps: Some(29.7),
        latency_ms: Some(21.5),
    };
    serde_json::to_writer(buffer, &view).expect("our own types fit JSON");
}
