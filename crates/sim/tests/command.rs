//! The `vigia-sim` command: what it prints, when it stops, how it refuses.
#![allow(clippy::unwrap_used, reason = "in a test, to panic is to report")]

mod common;

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, Command, Stdio},
};

use common::Client;
use vigia_sim::Codec;

fn vigia_sim(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vigia-sim"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Starts it and reads a `ready` line for each camera.
fn start(args: &[&str], cameras: usize) -> (Child, Vec<String>) {
    let mut child = vigia_sim(args).spawn().unwrap();
    let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines().take(cameras);
    let urls = lines.map(|line| line.unwrap().strip_prefix("ready ").unwrap().to_owned()).collect();
    (child, urls)
}

#[test]
fn serves_until_its_input_closes() {
    let args = [
        "rtsp",
        "--listen=127.0.0.1:0",
        "--camera=/live/0=pattern:160x120@10",
        "--camera=/live/1=pattern:320x240@10:h265:gop=5",
        "--login=admin:s3cret",
        "--until-stdin-closes",
    ];
    let (mut child, urls) = start(&args, 2);
    assert!(urls[0].starts_with("rtsp://127.0.0.1:") && urls[0].ends_with("/live/0"), "{urls:?}");
    let login = |url: &str| url.replace("://", "://admin:s3cret@");
    assert_eq!(Client::watch(&login(&urls[0]), Codec::H264).must_see().width, 160);
    assert_eq!(Client::watch(&login(&urls[1]), Codec::H265).must_see().width, 320);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn stops_on_signals() {
    for signal in ["-INT", "-TERM"] {
        let args = ["rtsp", "--listen=127.0.0.1:0", "--tls", "--camera=/a=pattern:160x120@10"];
        let (mut child, urls) = start(&args, 1);
        assert!(urls[0].starts_with("rtsps://"));
        let killed = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        assert!(child.wait().unwrap().success(), "{signal}");
    }
}

#[test]
fn refuses_in_one_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = format!("--listen={}", taken.local_addr().unwrap());
    let free = "--listen=127.0.0.1:0";
    let good = "--camera=/a=pattern:160x120@10";
    let rows: [(&[&str], &str); 7] = [
        (&[free, "--camera=/a=/no/such.mp4"], "cannot read clip /no/such.mp4"),
        (&[free, "--camera=/a=pattern:160"], "neither a file nor pattern"),
        (&[free, "--camera=/a"], "must be MOUNT=SPEC"),
        (&[free, good, good], "already taken"),
        (&[free, good, "--login=admin"], "must be USER:PASSWORD"),
        (&[&taken, good], "cannot listen on 127.0.0.1"),
        (&[free, "--camera=a=pattern:160x120@10"], "must start with '/'"),
    ];
    for (args, wanted) in rows {
        let output = vigia_sim(&["rtsp"]).args(args).output().unwrap();
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {complaint}");
        assert!(complaint.contains(wanted), "{args:?}: {complaint}");
        assert_eq!(complaint.lines().count(), 1, "{complaint}");
    }
    let output = vigia_sim(&["rtsp"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn scenes_become_files() {
    let folder = std::env::temp_dir().join(format!("vigia-sim-{}-files", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let out = folder.join("sheet.png");
    let run = |args: &[&str]| vigia_sim(&["scenes"]).args(args).arg("--out").arg(&out).output().unwrap();
    let output = run(&["sheet", "--plot=fire", "--count=3", "--size=160x96", "--boxes"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 3);
    assert!(std::fs::read(&out).unwrap().starts_with(b"\x89PNG"));
    let rows: [(&[&str], &str); 6] = [
        (&["sheet", "--plot=flood"], "fire, friends or quiet"),
        (&["sheet", "--split=both"], "training or held-out"),
        (&["sheet", "--size=100x100"], "multiples of 8"),
        (&["video", "--plot=fire", "--seed=1", "--place=moon"], "one of these is expected"),
        (&["video", "--plot=fire", "--seed=-1"], "--seed"),
        (&["dataset", "--images=1", "--split=training", "--first-seed=x"], "invalid digit"),
    ];
    for (args, wanted) in rows {
        let output = run(args);
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {complaint}");
        assert!(complaint.contains(wanted), "{args:?}: {complaint}");
    }
    std::fs::remove_dir_all(&folder).ok();
}
