//! The MQTT link against a real broker that is late, stalls, dies, refuses or is robbed of us.

#[path = "support/broker.rs"]
mod broker;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use broker::{Broker, TempDir, Witness, certificates, connect, free_port, rest, wait_for};
use parking_lot::RwLock;
use vigia::clock;
use vigia::mqtt::{
    BrokerConfig, Cause, Class, ConfigError, Limits, Link, Outbox, Protocol, Qos, Refused, Secret, Settings,
    Subscription, Timing, Tls, TopicError, Worker,
};
use vigia_sim::{Mode, TcpProxy};

/// Tests that measure take it for writing, the others for reading.
static QUIET: RwLock<()> = RwLock::new(());
const SOON: Duration = Duration::from_secs(30);

fn settings(port: u16, client_id: &str) -> Settings {
    Settings {
        component: "control_plane",
        broker: BrokerConfig {
            host: "127.0.0.1".to_owned(),
            port,
            username: None,
            password: None,
            protocol: Protocol::V5,
            keepalive: Duration::from_secs(30),
            client_id: client_id.to_owned(),
            tls: None,
            tls_required: false,
            will: None,
        },
        subscriptions: Vec::new(),
        limits: Limits::default(),
        timing: Timing {
            reconnect_min: Duration::from_millis(50),
            reconnect_max: Duration::from_millis(400),
            ..Timing::default()
        },
        clock: clock::now,
    }
}

fn start(settings: Settings) -> Worker {
    Worker::start(settings).expect("the settings are valid")
}

fn is_connected(worker: &Worker) -> bool {
    matches!(worker.link(), Link::Connected { .. })
}

fn connected(settings: Settings) -> Worker {
    let worker = start(settings);
    wait_for("the first connection", SOON, || is_connected(&worker));
    worker
}

fn put(outbox: &Outbox, class: Class, topic: &str, text: &str) -> Result<(), Refused> {
    let qos = if matches!(class, Class::Ack | Class::Status) { Qos::AtLeastOnce } else { Qos::AtMostOnce };
    outbox.publish(class, &Arc::from(topic), qos, false, |buf| buf.extend(text.as_bytes()))
}

/// Why the link went down since this was asked last; some causes stand for milliseconds only.
fn causes(worker: &Worker) -> impl Iterator<Item = Cause> {
    worker.events().try_iter().filter_map(|link| match link {
        Link::Down { cause } => Some(cause),
        Link::Connecting | Link::Connected { .. } => None,
    })
}

/// Waits until the link goes down for a cause that `wanted` accepts.
fn cause(worker: &Worker, wanted: impl Fn(&Cause) -> bool) -> Cause {
    let mut found = None;
    wait_for("the expected cause", SOON, || {
        found = causes(worker).find(|c| wanted(c));
        found.is_some()
    });
    found.expect("it was just found")
}

fn assert_balanced(outbox: &Outbox) {
    let counters = outbox.counters();
    assert!(counters.classes().iter().all(|c| c.balanced()), "{counters:?}");
}

#[test]
fn round_trip_in_both_protocols() {
    let _shared = QUIET.read();
    let Some(broker) = Broker::start("") else { return };
    for protocol in [Protocol::V5, Protocol::V311] {
        let witness = Witness::start(broker.port, "witness", "#").unwrap();
        let mut settings = settings(broker.port, "round-trip");
        settings.broker.protocol = protocol;
        let filters = ["cmd/+", "all"];
        settings.subscriptions =
            filters.map(|f| Subscription { filter: f.to_owned(), qos: Qos::AtLeastOnce }).to_vec();
        let worker = connected(settings);
        put(worker.outbox(), Class::Ack, "cmd/x", "ack ñ").unwrap();
        put(worker.outbox(), Class::Detection { source_id: 3, frame_id: 0 }, "det/3", "one").unwrap();
        put(worker.outbox(), Class::Latest, "health", "fine").unwrap();
        put(worker.outbox(), Class::Status, "all", "").unwrap();

        let first = worker.incoming().recv_timeout(SOON).unwrap();
        assert_eq!((first.topic.as_str(), &*first.payload), ("cmd/x", "ack ñ".as_bytes()));
        assert!(!first.retained && first.qos == Qos::AtLeastOnce);
        assert_eq!(worker.incoming().recv_timeout(SOON).unwrap().topic, "all");
        wait_for("all four at the witness", SOON, || witness.seen().len() == 4);
        let outbox = worker.outbox().clone();
        wait_for("proof of delivery", SOON, || outbox.counters().classes().iter().all(|c| c.published == 1));
        assert_balanced(&outbox);
        let farewell = worker.shutdown(Duration::from_secs(2));
        assert!(farewell.joined && farewell.undelivered == 0, "{farewell:?}");
        assert_eq!(put(&outbox, Class::Ack, "late", ""), Err(Refused::Closed));
        assert_balanced(&outbox);
    }
}

#[test]
fn retained_messages_are_marked_and_a_slow_app_loses_only_what_it_does_not_take() {
    let _shared = QUIET.read();
    let Some(broker) = Broker::start("") else { return };
    let publisher = connected(settings(broker.port, "publisher"));
    let topic = Arc::from("old/command");
    publisher.outbox().publish(Class::Status, &topic, Qos::AtLeastOnce, true, |b| b.push(b'!')).unwrap();
    wait_for("the PUBACK", SOON, || publisher.outbox().counters().status.published == 1);

    let mut slow = settings(broker.port, "slow");
    slow.subscriptions = vec![Subscription { filter: "#".to_owned(), qos: Qos::AtLeastOnce }];
    slow.limits.incoming_len_max = 4;
    let slow = connected(slow);
    for n in 0..20 {
        put(publisher.outbox(), Class::Ack, "cmd", &n.to_string()).unwrap();
    }
    wait_for("the loss to be counted", SOON, || slow.stats().incoming_dropped == 17);
    let first = slow.incoming().recv_timeout(SOON).unwrap();
    assert!(first.retained && first.topic == "old/command");
    assert!(is_connected(&slow));
}

#[test]
fn a_broker_that_comes_late_gets_the_newest_detections_and_every_status() {
    let _shared = QUIET.read();
    let Some(broker) = Broker::start("") else { return };
    let witness = Witness::start(broker.port, "witness", "#").unwrap();
    let door = TcpProxy::start(([127, 0, 0, 1], broker.port).into()).unwrap();
    door.set_mode(Mode::Refuse).unwrap();
    let worker = start(settings(door.address().port(), "early-bird"));
    let refused = cause(&worker, |c| matches!(c, Cause::Unreachable { .. }));
    assert!(refused.to_string().contains("Connection refused"), "{refused}");
    for n in 0..1_500_u32 {
        put(worker.outbox(), Class::Detection { source_id: n % 3, frame_id: 0 }, "det", &n.to_string())
            .unwrap();
    }
    for n in 0..1_100 {
        let verdict = put(worker.outbox(), Class::Status, "status", &n.to_string());
        assert_eq!(verdict.is_ok(), n < 1_024, "{n}: {verdict:?}");
    }
    let counters = worker.outbox().counters();
    assert_eq!((counters.detection.dropped, counters.status.dropped), (500, 76));
    let by_source: u64 = counters.dropped_by_source.iter().map(|(_, n)| n).sum();
    assert_eq!((by_source, counters.dropped_by_source.len()), (500, 3));
    assert_eq!(worker.outbox().depth(), 2_024);

    door.set_mode(Mode::Forward).unwrap();
    wait_for("everything to arrive", SOON, || witness.seen().len() == 2_024);
    assert_eq!(witness.numbers("det"), (500..1_500).collect::<Vec<_>>());
    assert_eq!(witness.numbers("status"), (0..1_024).collect::<Vec<_>>());
    wait_for("proof of delivery", SOON, || worker.outbox().counters().detection.published == 1_000);
    assert_balanced(worker.outbox());
}

#[test]
fn a_broker_killed_and_restarted_loses_no_ack() {
    let _shared = QUIET.read();
    let Some(mut broker) = Broker::start("") else { return };
    for protocol in [Protocol::V5, Protocol::V311] {
        let mut settings = settings(broker.port, "survivor");
        settings.broker.protocol = protocol;
        settings.subscriptions = vec![Subscription { filter: "cmd".to_owned(), qos: Qos::AtLeastOnce }];
        let worker = connected(settings);
        let mut offered = 0_u64;
        for round in 1..=3 {
            for n in 0..300 {
                // Retained, one topic each, so that the broker can be asked what it has.
                let topic = Arc::from(format!("ack/{offered}"));
                let write = |b: &mut Vec<u8>| write!(b, "{offered}").expect("memory");
                worker.outbox().publish(Class::Ack, &topic, Qos::AtLeastOnce, true, write).unwrap();
                offered += 1;
                if n == 200 {
                    broker.kill();
                }
            }
            wait_for("the loss of the link", SOON, || !is_connected(&worker));
            // PUBACKs come in order. What the dead broker took responsibility for died with
            // it; all that it did not acknowledge must be with the next one.
            let acked = worker.outbox().counters().ack.published;
            broker.launch();
            wait_for("the next session", SOON, || worker.stats().connections > round);
            wait_for("every PUBACK", SOON, || worker.outbox().counters().ack.published == offered);
            let witness = Witness::start(broker.port, "witness", "#").unwrap();
            put(worker.outbox(), Class::Status, "end", "").unwrap();
            wait_for("the end of what the broker has", SOON, || witness.count("end") == 1);
            let kept: BTreeSet<u64> = witness.numbers("ack/").into_iter().collect();
            let lost: Vec<u64> = (acked..offered).filter(|n| !kept.contains(n)).collect();
            assert!(lost.is_empty() && acked < offered, "{protocol:?}: lost {lost:?}");
        }
        put(worker.outbox(), Class::Ack, "cmd", "still there").unwrap();
        assert_eq!(worker.incoming().recv_timeout(SOON).unwrap().payload, b"still there");
        println!("{protocol:?}: {offered} acks, resent {}", worker.outbox().counters().ack.resent);
        assert_balanced(worker.outbox());
        assert!(worker.shutdown(Duration::from_secs(1)).joined);
        broker.kill();
        broker.launch();
    }
}

#[test]
fn a_stalled_broker_never_holds_a_producer_up() {
    let _alone = QUIET.write();
    let Some(broker) = Broker::start("") else { return };
    let worker = connected(settings(broker.port, "stall"));
    let witness = Witness::start(broker.port, "witness", "#").unwrap();
    let outbox = worker.outbox().clone();
    let detections: Arc<str> = Arc::from("det");
    let payload = [b'x'; 300];
    let (mut spans, mut offered) = (Vec::with_capacity(10_000), 0_u64);
    let mut dropped_link_at = None;
    let since = clock::now();
    broker.freeze();
    while clock::now().since(since) < Duration::from_secs(8) {
        let class = Class::Detection { source_id: 0, frame_id: 0 };
        let before = clock::now();
        let verdict = outbox.publish(class, &detections, Qos::AtMostOnce, false, |b| {
            write!(b, "{offered:08}").expect("memory");
            b.extend(payload);
        });
        spans.push(clock::now().since(before));
        verdict.unwrap();
        if offered.is_multiple_of(100) {
            put(&outbox, Class::Ack, "ack", &offered.to_string()).unwrap();
        }
        if causes(&worker).any(|c| matches!(c, Cause::Stalled { .. })) {
            dropped_link_at.get_or_insert(clock::now().since(since));
        }
        offered += 1;
        rest(Duration::from_millis(1));
    }
    broker.thaw();
    wait_for("the link to be made again", SOON, || worker.stats().connections > 1 && is_connected(&worker));
    wait_for("the queue to drain", SOON, || {
        let c = outbox.counters();
        c.detection.queued + c.detection.in_flight + c.ack.queued + c.ack.in_flight == 0
    });
    spans.sort_unstable();
    let at = |share: usize| spans[(spans.len() - 1) * share / 1_000];
    println!("publish() p50 {:?} p99 {:?} max {:?} of {}", at(500), at(990), at(1_000), spans.len());
    println!("stall noticed after {dropped_link_at:?}; {:?}", outbox.counters());
    // The broker stood still for 8 s. Waiting for it would show; a busy machine must not.
    assert!(at(1_000) < Duration::from_secs(1), "publish() took {:?}", at(1_000));
    assert!(dropped_link_at.is_some_and(|d| d < Duration::from_millis(7_500)), "{dropped_link_at:?}");

    let c = outbox.counters();
    assert_eq!(c.ack.published, c.ack.offered, "acks are never lost");
    let number = |p: &[u8]| std::str::from_utf8(&p[..8]).ok().and_then(|t| t.parse::<u64>().ok());
    let newest = offered.saturating_sub(1_000)..offered;
    // On a busy machine the witness reads them later than the broker has them.
    wait_for(&format!("the newest {newest:?}, which survive"), SOON, || {
        let seen = witness.seen();
        let arrived: BTreeSet<u64> =
            seen.iter().filter(|s| s.topic == "det").filter_map(|s| number(&s.payload)).collect();
        newest.clone().all(|n| arrived.contains(&n))
    });
    assert!(c.detection.failed <= 64, "at most a window is lost: {c:?}");
    assert_balanced(&outbox);
}

#[test]
fn a_stalled_broker_is_noticed_when_only_detections_flow_or_nothing_at_all() {
    let _shared = QUIET.read();
    for (busy, protocol) in [(true, Protocol::V5), (true, Protocol::V311), (false, Protocol::V5)] {
        let Some(broker) = Broker::start("") else { return };
        let mut settings = settings(broker.port, "watch");
        settings.broker.protocol = protocol;
        settings.timing.stall_limit = Duration::from_millis(800);
        settings.timing.idle_probe_every = Duration::from_millis(300);
        let worker = connected(settings);
        broker.freeze();
        if busy {
            put(worker.outbox(), Class::Detection { source_id: 1, frame_id: 0 }, "det", "1").unwrap();
        }
        let since = clock::now();
        let why = cause(&worker, |c| matches!(c, Cause::Stalled { .. }));
        assert!(clock::now().since(since) < Duration::from_secs(5), "{why}");
        broker.thaw();
        wait_for("the link again", SOON, || worker.stats().connections > 1 && is_connected(&worker));
        assert_eq!(worker.outbox().counters().detection.failed, u64::from(busy));
    }
}

#[test]
fn a_broker_that_accepts_and_says_nothing_is_noticed() {
    let _shared = QUIET.read();
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut settings = settings(silent.local_addr().unwrap().port(), "patient");
    settings.timing.connect_timeout = Duration::from_secs(2);
    let since = clock::now();
    let worker = start(settings);
    let why = cause(&worker, |c| matches!(c, Cause::NoAnswer { .. }));
    assert!(clock::now().since(since) < Duration::from_secs(5), "{why}");
    assert!(matches!(why, Cause::NoAnswer { waited_s: 2..5, .. }), "{why}");
    assert!(why.to_string().contains("did not answer within"), "{why}");
    wait_for("another attempt", SOON, || worker.stats().attempts > 1);
    let since = clock::now();
    put(worker.outbox(), Class::Status, "s", "x").unwrap();
    let farewell = worker.shutdown(Duration::from_millis(200));
    assert!(clock::now().since(since) < Duration::from_secs(5));
    assert_eq!((farewell.undelivered, farewell.joined), (1, true));
}

#[test]
fn shutdown_is_bounded_with_a_stalled_broker() {
    let _shared = QUIET.read();
    let Some(broker) = Broker::start("") else { return };
    let worker = connected(settings(broker.port, "leaver"));
    broker.freeze();
    for n in 0..500 {
        put(worker.outbox(), Class::Ack, "ack", &n.to_string()).unwrap();
        put(worker.outbox(), Class::Detection { source_id: 0, frame_id: 0 }, "det", &"x".repeat(4_000))
            .unwrap();
    }
    let outbox = worker.outbox().clone();
    let since = clock::now();
    let farewell = worker.shutdown(Duration::from_secs(1));
    let took = clock::now().since(since);
    println!("shutdown with a stalled broker took {took:?}: {farewell:?}");
    assert!(
        took < Duration::from_secs(10) && farewell.joined && farewell.undelivered > 0,
        "{took:?} {farewell:?}"
    );
    assert_balanced(&outbox);
}

#[test]
fn shutdown_flushes_what_waits() {
    let _shared = QUIET.read();
    let Some(broker) = Broker::start("") else { return };
    let witness = Witness::start(broker.port, "witness", "#").unwrap();
    let worker = connected(settings(broker.port, "flusher"));
    for n in 0..900 {
        put(worker.outbox(), Class::Detection { source_id: 0, frame_id: 0 }, "det", &n.to_string()).unwrap();
        put(worker.outbox(), Class::Status, "status", &n.to_string()).unwrap();
    }
    let farewell = worker.shutdown(SOON);
    assert_eq!((farewell.undelivered, farewell.joined), (0, true));
    wait_for("all at the witness", SOON, || witness.seen().len() == 1_800);
}

#[test]
fn two_clients_with_one_id_are_told_apart_from_a_bad_network() {
    let _shared = QUIET.read();
    let Some(broker) = Broker::start("") else { return };
    for protocol in [Protocol::V5, Protocol::V311] {
        let mut twin = settings(broker.port, "twin");
        twin.broker.protocol = protocol;
        let (a, b) = (start(twin.clone()), start(twin));
        let either =
            || [&a, &b].into_iter().flat_map(causes).find(|c| matches!(c, Cause::AnotherClient { .. }));
        let mut why = None;
        wait_for("the quarrel to be recognised", SOON, || {
            why = either();
            why.is_some()
        });
        let why = why.unwrap();
        assert!(why.to_string().starts_with("another client uses the id \"twin\""), "{why}");
        assert!(b.shutdown(Duration::from_millis(100)).joined);
        wait_for("peace", SOON, || is_connected(&a));
    }
}

#[test]
fn refused_credentials_have_a_clear_cause_without_the_password() {
    let _shared = QUIET.read();
    let dir = TempDir::new();
    let passwords = dir.0.join("passwords");
    let made =
        Command::new("mosquitto_passwd").arg("-c").arg("-b").arg(&passwords).args(["box", "right"]).status();
    if !made.is_ok_and(|s| s.success()) {
        println!("SKIPPED: mosquitto_passwd is not installed");
        return;
    }
    let extra = format!("allow_anonymous false\npassword_file {}", passwords.display());
    let Some(broker) = Broker::start(&extra) else { return };
    for protocol in [Protocol::V5, Protocol::V311] {
        let mut wrong = settings(broker.port, "guest");
        wrong.broker.protocol = protocol;
        wrong.broker.username = Some("box".to_owned());
        wrong.broker.password = Some(Secret::new("hunter2-canary"));
        let mut right = wrong.clone();
        right.broker.password = Some(Secret::new("right"));
        assert!(!format!("{wrong:?}").contains("canary"));
        let worker = start(wrong);
        let why = cause(&worker, |c| matches!(c, Cause::CredentialsRefused { .. }));
        assert!(why.to_string().contains("refuses the user name or password (user \"box\")"), "{why}");
        assert!(!format!("{why:?} {why}").contains("canary"));
        drop(worker);
        assert!(connected(right).shutdown(Duration::from_secs(1)).joined);
    }
}

#[test]
fn tls_verifies_the_broker_and_says_so_when_it_fails() {
    let _shared = QUIET.read();
    let dir = TempDir::new();
    let Some(()) = certificates(&dir.0) else { return };
    let at = |name: &str| dir.0.join(name);
    let extra = format!("certfile {}\nkeyfile {}", at("broker.pem").display(), at("broker.key").display());
    let Some(broker) = Broker::start(&extra) else { return };
    let secure = |host: &str, ca: &str| {
        let mut s = settings(broker.port, "secure");
        s.broker.host = host.to_owned();
        s.broker.tls_required = true;
        s.broker.tls = Some(Tls { ca_file: at(ca), cert_file: None, key_file: None });
        s
    };
    let worker = connected(secure("localhost", "ca.pem"));
    put(worker.outbox(), Class::Ack, "a", "b").unwrap();
    assert_eq!(worker.shutdown(Duration::from_secs(2)).undelivered, 0);

    let refused = |s: Settings| cause(&start(s), |c| !matches!(c, Cause::NotStarted));
    assert!(matches!(refused(secure("localhost", "other.pem")), Cause::TlsRefused { .. }), "foreign CA");
    assert!(matches!(refused(secure("127.0.0.1", "ca.pem")), Cause::TlsRefused { .. }), "wrong name");
    assert!(matches!(refused(secure("localhost", "absent.pem")), Cause::TlsFile { .. }));
    let why = refused(settings(broker.port, "plain"));
    assert!(why.to_string().contains("does it want TLS"), "{why}");
    let mut none = secure("localhost", "ca.pem");
    none.broker.tls = None;
    assert_eq!(Worker::start(none).err(), Some(ConfigError::TlsRequired));
}

#[test]
fn a_name_without_address_is_a_cause() {
    let _shared = QUIET.read();
    let mut settings = settings(1_883, "lost");
    settings.broker.host = "no-such-host.invalid".to_owned();
    settings.timing.connect_timeout = Duration::from_secs(2);
    let worker = start(settings);
    let why = cause(&worker, |c| matches!(c, Cause::NameNotResolved { .. }));
    assert!(why.to_string().contains("no-such-host.invalid"), "{why}");
    assert!(worker.shutdown(Duration::from_millis(100)).joined);
}

#[test]
fn bad_topics_and_settings_are_refused_at_the_door() {
    let worker = start(settings(free_port(), "door"));
    for (topic, why) in [("a/+", TopicError::Wildcard), ("a\0", TopicError::Nul), ("", TopicError::Empty)] {
        assert_eq!(put(worker.outbox(), Class::Ack, topic, ""), Err(Refused::Topic(why)));
    }
    let huge = "x".repeat(300_000);
    assert_eq!(put(worker.outbox(), Class::Latest, "t", &huge), Err(Refused::TooLarge(300_000)));
    assert_balanced(worker.outbox());

    let changed = |change: fn(&mut Settings)| {
        let mut s = settings(1_883, "x");
        change(&mut s);
        Worker::start(s).err()
    };
    assert_eq!(changed(|s| s.broker.client_id.clear()), Some(ConfigError::ClientId));
    assert_eq!(changed(|s| s.broker.port = 0), Some(ConfigError::Port));
    assert!(matches!(changed(|s| s.broker.host = "mqtt://x".to_owned()), Some(ConfigError::Host(_))));
    assert_eq!(changed(|s| s.broker.username = Some("a\0".to_owned())), Some(ConfigError::Username));
    assert_eq!(changed(|s| s.limits.queue_len_max = 0), Some(ConfigError::Zero));
}

/// Ten seconds of anything: the books balance throughout, and no ack is lost.
#[test]
fn the_books_balance_under_random_faults() {
    let _shared = QUIET.read();
    let Some(mut broker) = Broker::start("") else { return };
    let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(20_261_121);
    println!("SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut settings = settings(broker.port, "storm");
    settings.timing.stall_limit = Duration::from_millis(400);
    settings.timing.connect_timeout = Duration::from_millis(500);
    let worker = connected(settings);
    let outbox = worker.outbox().clone();
    let since = clock::now();
    let (mut faults, mut frozen, mut dead) = (0, false, false);
    let mut fault_at = since;
    while clock::now().since(since) < Duration::from_secs(10) {
        for _ in 0..rng.u8(0..8) {
            let class = [
                Class::Ack,
                Class::Status,
                Class::Detection { source_id: rng.u32(0..4), frame_id: 0 },
                Class::Latest,
            ][rng.usize(0..4)];
            // A full queue is an answer too; it is counted, and checked below.
            let _maybe_full =
                put(&outbox, class, ["a", "b", "c"][rng.usize(0..3)], &"y".repeat(rng.usize(0..2_000)));
        }
        assert_balanced(&outbox);
        if clock::now() >= fault_at {
            fault_at = clock::now().after(Duration::from_millis(rng.u64(50..700)));
            faults += 1;
            match rng.u8(0..4) {
                _ if dead => {
                    broker.launch();
                    dead = false;
                }
                _ if frozen => {
                    broker.thaw();
                    frozen = false;
                }
                0 => {
                    broker.freeze();
                    frozen = true;
                }
                1 => {
                    broker.kill();
                    dead = true;
                }
                _ => drop(connect(broker.port, "storm")),
            }
        }
        rest(Duration::from_millis(2));
    }
    if dead {
        broker.launch();
    } else if frozen {
        broker.thaw();
    }
    wait_for("the storm to settle", Duration::from_secs(15), || {
        outbox.counters().classes().iter().all(|c| c.queued + c.in_flight == 0)
    });
    let counters = outbox.counters();
    println!("{faults} faults, {} connections: {counters:?}", worker.stats().connections);
    for class in [counters.ack, counters.status] {
        assert_eq!(class.published, class.accepted, "SEED={seed}");
    }
    assert_balanced(&outbox);
    assert!(worker.shutdown(Duration::from_secs(1)).joined);
}
