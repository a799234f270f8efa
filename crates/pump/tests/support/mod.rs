//! A vigia-pump as a process of its own, with a plant inside, and a client at its socket.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::io::{BufRead as _, BufReader};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv, send,
    socket_with,
};
use rustix::process::{Pid, Signal, kill_process};
use vigia_core::link::{
    Alive, BootId, FRAME_BYTES, Frame, FromPump, Numbered, Refused, Sequence, Status, ToPump, Welcome,
};
use vigia_core::pump::{Demand, Order, Role, Source, StateName};
use vigia_core::time::Instant;
use vigia_pump::clock;

/// Nothing takes longer, on a busy machine either.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A site that runs soon and not for long.
pub const SITE: &str = "\
pump:
  preset: wildfire_engine
  inputs:
    engine_run: {broken_reads: inactive}
    engine_turning: {broken_reads: inactive}
    emergency_stop: {broken_reads: active}
    valve_open: {broken_reads: inactive}
  timings:
    pre_open_s: 0
    valve_travel_s_max: 1
    prime_s: 0.1
    crank_s: 1
    run_s_max: 60
    fire_off_s: 1
    throttle_lead_s: 1
    throttle_down_s: 0.1
    kill_s: 1
    valve_close_s: 11
    cooldown_s: 0
    test_s: 30
  policies:
    on_crash: fail_stop
";

pub fn hardware() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../hardware/simulated.yaml")
}

pub fn deadline() -> Instant {
    clock::now().after(PATIENCE)
}

/// Files of one box.
pub struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    /// A new box.
    pub fn new() -> Self {
        Self::with(SITE)
    }

    pub fn with(site: &str) -> Self {
        let place = Self { dir: tempfile::tempdir().expect("a folder") };
        std::fs::write(place.site(), site).expect("written");
        let status = Command::new(env!("CARGO_BIN_EXE_vigia-pump"))
            .args(["commission", "--state"])
            .arg(place.state())
            .status()
            .expect("it runs");
        assert!(status.success());
        place
    }

    pub fn site(&self) -> PathBuf {
        self.dir.path().join("site.yaml")
    }

    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub fn run(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    pub fn start(&self) -> Pump {
        self.start_with(&[])
    }

    pub fn start_with(&self, faults: &[&str]) -> Pump {
        let mut command = self.command();
        for fault in faults {
            command.args(["--fault", fault]);
        }
        Pump::spawn(command, self.run())
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vigia-pump"));
        command.args(["run", "--hardware"]).arg(hardware()).arg("--site").arg(self.site());
        command.arg("--state").arg(self.state()).arg("--run").arg(self.run());
        command
    }
}

/// A running program. Killed when dropped.
pub struct Pump {
    child: Child,
    run: PathBuf,
    lines: Receiver<String>,
    pub said: Vec<String>,
}

impl Drop for Pump {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            self.said.extend(self.lines.try_iter());
            eprintln!("vigia-pump said:\n{}", self.said.join("\n"));
        }
    }
}

impl Pump {
    pub fn spawn(mut command: Command, run: PathBuf) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("it starts");
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let (tell, lines) = channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)));
        Self { child, run, lines, said: Vec::new() }
    }

    /// Waits for a line that holds `word`.
    pub fn hear(&mut self, word: &str) -> String {
        let until = deadline();
        loop {
            match self.lines.recv_timeout(until.since(clock::now())) {
                Ok(line) => {
                    self.said.push(line.clone());
                    if line.contains(word) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("nobody says {word}");
                }
            }
        }
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, signal).expect("it is there");
    }

    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("dead");
    }

    /// Waits for the end.
    pub fn end(&mut self) -> ExitStatus {
        let until = deadline();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(clock::now() < until, "it does not end");
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    pub fn connect(&self) -> Client {
        Client::connect(&self.run)
    }

    /// Connected, greeted and welcome.
    pub fn greet(&self) -> (Client, Welcome) {
        let mut client = self.connect();
        let welcome = client.greet();
        (client, welcome)
    }
}

/// One end of the socket, as `vigia` would hold it.
pub struct Client {
    socket: OwnedFd,
    sent: Sequence,
    received: Sequence,
    pub events: Vec<Numbered>,
    pub statuses: u32,
    pub last: Option<Status>,
    next_alive: Instant,
    pub lively: bool,
}

impl Client {
    pub fn greet(&mut self) -> Welcome {
        self.say(ToPump::Hello);
        self.until("a welcome", |body| match body {
            FromPump::Welcome(welcome) => Some(*welcome),
            _ => None,
        })
    }

    pub fn connect(run: &Path) -> Self {
        let address = SocketAddrUnix::new(run.join("pump.sock")).expect("short");
        let until = deadline();
        loop {
            let flags = SocketFlags::CLOEXEC;
            let socket =
                socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).expect("a socket");
            match connect(&socket, &address) {
                Ok(()) => return Self::new(socket),
                Err(Errno::NOENT | Errno::CONNREFUSED) if clock::now() < until => {
                    std::thread::park_timeout(Duration::from_millis(5));
                }
                Err(e) => panic!("no connection: {e}"),
            }
        }
    }

    fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            sent: Sequence::default(),
            received: Sequence::default(),
            events: Vec::new(),
            statuses: 0,
            last: None,
            next_alive: Instant(0),
            lively: true,
        }
    }

    pub fn say(&mut self, body: ToPump) -> u64 {
        let seq = self.sent.next();
        self.throw(&Frame { boot: BootId([3; 16]), seq, body }.encode()).expect("sent");
        seq
    }

    pub fn throw(&self, bytes: &[u8]) -> Result<(), Errno> {
        send(&self.socket, bytes, SendFlags::NOSIGNAL).map(drop)
    }

    pub fn try_throw(&self, bytes: &[u8]) -> Result<(), Errno> {
        send(&self.socket, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT).map(drop)
    }

    pub fn frame(&mut self, body: ToPump) -> [u8; FRAME_BYTES] {
        Frame { boot: BootId([3; 16]), seq: self.sent.next(), body }.encode()
    }

    /// The next frame, `None` at the end of the connection. Says that it is alive meanwhile.
    pub fn next(&mut self) -> Option<FromPump> {
        let until = deadline();
        loop {
            let now = clock::now();
            assert!(now < until, "nothing comes");
            if self.lively && now >= self.next_alive {
                self.next_alive = now.after(Duration::from_millis(250));
                let alive = Alive { cameras: 2, cameras_seeing: 2, detector: true, consensus: true };
                let seq = self.sent.next();
                // If it is gone, reading says so.
                let _ =
                    self.throw(&Frame { boot: BootId([3; 16]), seq, body: ToPump::Alive(alive) }.encode());
            }
            let mut fds = [PollFd::new(&self.socket, PollFlags::IN)];
            let timeout = clock::timespec(Duration::from_millis(100));
            if !matches!(poll(&mut fds, Some(&timeout)), Ok(1..)) {
                continue;
            }
            match self.receive() {
                Ok(None) => return None,
                Ok(Some(body)) => return Some(body),
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(e) => panic!("{e}"),
            }
        }
    }

    /// What is there already; `None` is the end.
    fn receive(&mut self) -> Result<Option<FromPump>, Errno> {
        let mut bytes = [0; FRAME_BYTES + 1];
        let len = match recv(&self.socket, &mut bytes, RecvFlags::DONTWAIT) {
            Ok((0, _)) | Err(Errno::CONNRESET) => return Ok(None),
            Ok((len, _)) => len,
            Err(e) => return Err(e),
        };
        let frame = Frame::<FromPump>::decode(&bytes[..len]).expect("a frame");
        self.received.admit(frame.seq).expect("in order");
        match frame.body {
            FromPump::Event(event) => self.events.push(event),
            FromPump::Status(status) => {
                self.statuses += 1;
                self.last = Some(status);
            }
            _ => {}
        }
        Ok(Some(frame.body))
    }

    /// Takes in all that is there.
    pub fn drain(&mut self) {
        while let Ok(Some(_)) = self.receive() {}
    }

    pub fn until<T>(&mut self, what: &str, mut found: impl FnMut(&FromPump) -> Option<T>) -> T {
        let until = deadline();
        loop {
            let Some(body) = self.next() else { panic!("the end, and no {what}") };
            if let Some(found) = found(&body) {
                return found;
            }
            assert!(clock::now() < until, "no {what}; last: {:?}", self.last);
        }
    }

    pub fn status(&mut self, what: &str, is: impl Fn(&Status) -> bool) -> Status {
        self.until(what, |body| match body {
            FromPump::Status(status) if is(status) => Some(*status),
            _ => None,
        })
    }

    pub fn state(&mut self, state: StateName) -> Status {
        self.status(&format!("{state:?}"), |status| status.now.state == state)
    }

    pub fn refused(&mut self) -> Refused {
        self.until("a refusal", |body| match body {
            FromPump::Refused(why) => Some(*why),
            _ => None,
        })
    }

    /// Until the other side closes.
    pub fn end(&mut self) {
        while self.next().is_some() {}
    }

    pub fn demand(&mut self, id: u64) -> vigia_core::link::DemandOutcome {
        let seq = self.say(ToPump::Demand(demand(id)));
        self.until("an answer", |body| match body {
            FromPump::DemandAck(ack) if ack.seq == seq => {
                assert_eq!(ack.id, id);
                Some(ack.outcome)
            }
            _ => None,
        })
    }

    pub fn order(&mut self, id: u64, order: Order, role: Role) -> Option<vigia_core::pump::Refusal> {
        let command = vigia_core::pump::Command { id, order, role, age: Duration::ZERO, retained: false };
        let seq = self.say(ToPump::Command(command));
        self.until("an answer", |body| match body {
            FromPump::CommandAck(ack) if ack.seq == seq => {
                assert_eq!((ack.id, ack.order), (id, order));
                Some(ack.refusal)
            }
            _ => None,
        })
    }
}

pub fn demand(id: u64) -> Demand {
    Demand {
        id,
        source: Source::Consensus,
        age: Duration::from_millis(5),
        persists: true,
        authorised: true,
        retained: false,
    }
}
