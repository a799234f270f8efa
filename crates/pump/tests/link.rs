//! What must not be listened to is refused, and the program goes on.

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use support::{Client, Place, deadline, demand};
use vigia_core::link::{BootId, DemandOutcome, Detection, FRAME_BYTES, Frame, FromPump, Refused, ToPump};
use vigia_core::pump::{Demand, Refusal, StateName};
use vigia_pump::clock;

/// Frames with something wrong in them, their checksum right where it should be.
fn wrong_frames() -> Vec<Vec<u8>> {
    let good = Frame { boot: BootId([3; 16]), seq: 1000, body: ToPump::Demand(demand(1)) }.encode();
    let with = |at: usize, byte: u8| {
        let mut bytes = good;
        bytes[at] = byte;
        let crc = crc32fast::hash(&bytes[..FRAME_BYTES - 4]).to_le_bytes();
        bytes[FRAME_BYTES - 4..].copy_from_slice(&crc);
        bytes.to_vec()
    };
    let mut flipped = good;
    flipped[40] ^= 1;
    vec![
        vec![0],
        good[..100].to_vec(),
        [good.as_slice(), &[0]].concat(),
        vec![0xA5; 4096],
        vec![0; FRAME_BYTES],
        flipped.to_vec(),
        with(0, b'x'),
        with(6, 77),
        with(7, 1),
        with(40, 9),
        with(187, 1),
        // The pump's own.
        Frame { boot: BootId([3; 16]), seq: 1000, body: FromPump::Refused(Refused::Busy) }.encode().to_vec(),
    ]
}

#[test]
fn what_is_no_frame_is_refused_and_counted() {
    let place = Place::new();
    let mut pump = place.start();
    let (mut client, _) = pump.greet();
    let before = client.state(StateName::Idle);
    for (n, bytes) in (1..).zip(wrong_frames()) {
        client.throw(&bytes).expect("sent");
        assert_eq!(client.refused(), Refused::Malformed, "{bytes:?}");
        client.status("a count", |s| s.frames_refused == n);
    }
    pump.hear("frame refused");
    // Twice the same, and from before.
    let frame = client.frame(ToPump::EventAck { up_to: 0 });
    client.throw(&frame).expect("sent");
    client.throw(&frame).expect("sent");
    assert_eq!(client.refused(), Refused::OutOfOrder);
    // What was never sent.
    client.say(ToPump::EventAck { up_to: u64::MAX });
    assert_eq!(client.refused(), Refused::EventUnknown);
    let after = client.status("cycles", |s| s.cycles > before.cycles + 5);
    assert_eq!(after.now.state, StateName::Idle, "nothing moved");
    assert!(after.events_unacknowledged > 0);
    assert_eq!(client.demand(2), DemandOutcome::Accepted, "and it still listens");
}

/// Stale, replayed and unauthorised demands start nothing; the machine says why.
#[test]
fn what_is_stale_or_forged_starts_nothing() {
    type Change = fn(&mut Demand);
    let place = Place::new();
    let pump = place.start();
    let (mut client, _) = pump.greet();
    client.state(StateName::Idle);
    let rows: [(Change, Refusal); 3] = [
        (|d| d.retained = true, Refusal::Retained),
        (|d| d.age = Duration::from_millis(2001), Refusal::Stale),
        (|d| d.authorised = false, Refusal::Unauthorised),
    ];
    for (change, why) in rows {
        let mut demand = demand(5);
        change(&mut demand);
        let seq = client.say(ToPump::Demand(demand));
        let outcome = client.until("an answer", |body| match body {
            FromPump::DemandAck(ack) if ack.seq == seq => Some(ack.outcome),
            _ => None,
        });
        assert_eq!(outcome, DemandOutcome::Ignored { why });
    }
    let status = client.status("a status", |_| true);
    assert_eq!(status.now.state, StateName::Idle);
}

#[test]
fn another_version_is_told_so_and_dropped() {
    let place = Place::new();
    let mut pump = place.start();
    let mut client = pump.connect();
    client.lively = false;
    let mut frame = client.frame(ToPump::Hello);
    frame[4] = 1;
    client.throw(&frame).expect("sent");
    assert_eq!(client.refused(), Refused::Version);
    client.end();
    pump.hear("vigia is gone: Version");
    pump.greet();
}

#[test]
fn who_does_not_greet_or_falls_silent_is_dropped() {
    let place = Place::new();
    let mut pump = place.start();
    // Something else than Hello.
    let mut client = pump.connect();
    client.lively = false;
    client.say(ToPump::Demand(demand(1)));
    assert_eq!(client.refused(), Refused::Greeting);
    client.end();
    // Nothing at all.
    let mut client = pump.connect();
    client.lively = false;
    client.end();
    pump.hear("vigia is gone: NoGreeting");
    // Nothing any more.
    let (mut client, _) = pump.greet();
    client.status("detection", |s| s.detection == Detection::Whole);
    client.lively = false;
    client.status("silence", |s| s.detection == Detection::Silent);
    client.end();
    pump.hear("nobody is looking for fires");
    pump.hear("vigia is gone: Silent");
    // A second greeting.
    let (mut client, _) = pump.greet();
    client.say(ToPump::Hello);
    assert_eq!(client.refused(), Refused::Greeting);
}

/// Somebody who takes nothing in holds nobody up.
#[test]
fn who_takes_nothing_in_is_dropped() {
    let place = Place::new();
    let mut pump = place.start();
    let (mut client, _) = pump.greet();
    // Each nonsense is answered, until nothing more fits.
    let until = deadline();
    let mut said = 0;
    while clock::now() < until {
        let frame = client.frame(ToPump::Alive(vigia_core::link::Alive::default()));
        match client.try_throw(&frame).and_then(|()| client.try_throw(&frame)) {
            Ok(()) => said += 1,
            Err(rustix::io::Errno::AGAIN) => std::thread::park_timeout(Duration::from_millis(20)),
            Err(_) => break,
        }
    }
    assert!(said > 50, "{said}");
    pump.hear("vigia is gone: Slow");
    let (mut client, _) = pump.greet();
    client.state(StateName::Idle);
}

#[test]
fn there_is_one_client() {
    let place = Place::new();
    let pump = place.start();
    let (mut first, _) = pump.greet();
    let mut second = pump.connect();
    second.lively = false;
    assert_eq!(second.refused(), Refused::Busy);
    second.end();
    first.state(StateName::Idle);
    drop(first);
    // Gone is gone at once.
    let until = deadline();
    loop {
        let mut third = pump.connect();
        third.lively = false;
        third.say(ToPump::Hello);
        match third.next() {
            Some(FromPump::Welcome(_)) => break,
            // It may have been closed before the refusal was read.
            Some(FromPump::Refused(Refused::Busy)) | None => assert!(clock::now() < until),
            other => panic!("{other:?}"),
        }
    }
}

/// A flood from a client gone mad: cycles go on, and what matters is still answered.
#[test]
fn a_flood_does_not_hold_up_the_cycles() {
    let place = Place::new();
    let pump = place.start();
    let (mut client, _) = pump.greet();
    let before = client.state(StateName::Idle);
    let until = clock::now().after(Duration::from_secs(3));
    let mut thrown = 0_u32;
    while clock::now() < until {
        // Good ones, as many as fit; read along, or it would be dropped for being slow.
        let frame = client.frame(ToPump::EventAck { up_to: 0 });
        match client.try_throw(&frame) {
            Ok(()) => thrown += 1,
            Err(_) => std::thread::park_timeout(Duration::from_millis(1)),
        }
        client.drain();
    }
    let last = client.last.expect("a status meanwhile");
    let cycles = last.cycles - before.cycles;
    assert!(thrown > 500, "{thrown} frames only");
    assert!(cycles >= 10, "{cycles} cycles in 3 s of flood");
    assert_eq!(last.now.state, StateName::Idle);
    assert_eq!(client.demand(3), DemandOutcome::Accepted);
    eprintln!(
        "{thrown} frames, {cycles} cycles, p99.9 {} us late, max {} us",
        last.late_us_p999, last.late_us_max
    );
}

const RUN: &str = "VIGIA_PUMP_TEST_RUN";

/// Not a test by itself: what a process of another user and group does, see below.
#[test]
fn stranger() {
    let Some(run) = std::env::var_os(RUN) else { return };
    let mut client = Client::connect(Path::new(&run));
    client.lively = false;
    assert_eq!(client.refused(), Refused::NotYou);
    client.end();
    println!("turned away");
}

/// Not a test by itself: what `vigia` does, of another user but of the pump's group.
#[test]
fn colleague() {
    let Some(run) = std::env::var_os(RUN) else { return };
    let mut client = Client::connect(Path::new(&run));
    client.greet();
    println!("let in");
}

#[test]
fn who_is_of_another_user_needs_the_group() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: only root can become somebody else");
        return;
    }
    let place = Place::new();
    let mut pump = place.start();
    pump.hear("self-test passed");
    // The folder would keep them out, too; here it is the pump that must.
    let open = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("chmod");
    };
    let run = place.run();
    open(run.parent().expect("a folder"), 0o755);
    open(&run, 0o755);
    open(&run.join("pump.sock"), 0o666);
    let program = run.join("stranger");
    std::fs::copy(std::env::current_exe().expect("this"), &program).expect("copied");
    open(&program, 0o755);
    let as_other = |group: &str, what: &str| {
        let output = Command::new("setpriv")
            .args(["--reuid=65534", group, "--clear-groups"])
            .arg(&program)
            .args(["--exact", what, "--nocapture"])
            .env(RUN, &run)
            .current_dir("/")
            .output();
        output.map(|output| {
            assert!(output.status.success(), "{output:?}");
            String::from_utf8_lossy(&output.stdout).into_owned()
        })
    };
    let Ok(said) = as_other("--regid=65534", "stranger") else {
        eprintln!("SKIPPED: there is no setpriv");
        return;
    };
    assert!(said.contains("turned away"), "{said}");
    pump.hear("turned away user 65534: NotYou");
    let own = format!("--regid={}", rustix::process::getegid().as_raw());
    assert!(as_other(&own, "colleague").expect("setpriv").contains("let in"));
    pump.hear("vigia is here");
    pump.hear("vigia is gone: Closed");
    let (mut client, _) = pump.greet();
    client.state(StateName::Idle);
}
