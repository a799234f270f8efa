//! One connection through the proxy: two pumps, one for each way.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::proxy::{Mode, Shared};

const CHUNK_BYTES: usize = 64 << 10;
/// What one pump holds for later; beyond it, it stops reading.
const HELD_BYTES_MAX: usize = 8 << 20;
/// How often a write that the other side doesn't take looks whether it is still wanted.
const WRITE_TURN: Duration = Duration::from_millis(100);
/// Every so manieth byte is flipped.
const GARBAGE_STEP: u64 = 17;

/// The two sockets of a connection. The last owner closes them.
#[derive(Debug)]
pub(crate) struct Link {
    client: TcpStream,
    server: OnceLock<TcpStream>,
    is_cut: AtomicBool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    ToServer,
    ToClient,
}

impl Link {
    pub(crate) fn new(client: TcpStream) -> Self {
        Self { client, server: OnceLock::new(), is_cut: AtomicBool::new(false) }
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::SeqCst)
    }

    /// Ends the connection. Call it with the proxy's state locked.
    pub(crate) fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        for stream in [Some(&self.client), self.server.get()].into_iter().flatten() {
            // Wakes a pump that reads, and sends nothing. Fails if the peer has gone: good.
            stream.shutdown(Shutdown::Read).ok();
        }
    }

    /// Ends the connection so that both peers see a reset instead of an end. Call it locked, too.
    pub(crate) fn reset(&self) {
        for stream in [Some(&self.client), self.server.get()].into_iter().flatten() {
            // Fails if the peer has gone, and then there is nobody to see it.
            socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)).ok();
        }
        self.cut();
    }
}

/// Carries both ways until both have ended.
pub(crate) fn carry(shared: &Shared, link: &Link, server: TcpStream) {
    let server = {
        // Under the lock, so that a cut either finds this socket or is found below.
        let _state = shared.lock();
        link.server.get_or_init(|| server)
    };
    for stream in [&link.client, server] {
        // These fail on sockets that are dead; then the pumps end by themselves.
        stream.set_nodelay(true).ok();
        stream.set_write_timeout(Some(WRITE_TURN)).ok();
    }
    if link.is_cut() {
        return;
    }
    thread::scope(|scope| {
        let up = Pump::new(shared, link, Way::ToServer, &link.client, server, &shared.to_server_bytes);
        let down = Pump::new(shared, link, Way::ToClient, server, &link.client, &shared.to_client_bytes);
        let up = thread::Builder::new().name("sim-link-up".to_owned()).spawn_scoped(scope, || up.run());
        if up.is_ok() {
            down.run();
        }
    });
}

struct Pump<'a> {
    shared: &'a Shared,
    link: &'a Link,
    way: Way,
    from: &'a TcpStream,
    to: &'a TcpStream,
    count: &'a AtomicU64,
    passed_bytes: u64,
    /// What has been read, and when it may go on; in order.
    held: VecDeque<(Instant, Vec<u8>)>,
    held_bytes: usize,
}

impl<'a> Pump<'a> {
    fn new(
        shared: &'a Shared,
        link: &'a Link,
        way: Way,
        from: &'a TcpStream,
        to: &'a TcpStream,
        count: &'a AtomicU64,
    ) -> Self {
        Self { shared, link, way, from, to, count, passed_bytes: 0, held: VecDeque::new(), held_bytes: 0 }
    }

    fn run(mut self) {
        match self.run_once() {
            // This way has ended; the other may go on. A dead socket has no end to announce.
            Ok(()) if !self.link.is_cut() => drop(self.to.shutdown(Shutdown::Write)),
            Ok(()) => (),
            // One way that broke breaks both.
            Err(_) => self.shared.cut(self.link),
        }
    }

    fn run_once(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            self.send_due()?;
            if self.shared.mode_after_stall(self.link).is_none() {
                return Ok(());
            }
            let wait = self.held.front().map(|(due, _)| due.saturating_duration_since(now()));
            if wait == Some(Duration::ZERO) {
                continue;
            }
            if let (Some(wait), true) = (wait, self.held_bytes >= HELD_BYTES_MAX) {
                self.shared.wait(wait);
                continue;
            }
            self.from.set_read_timeout(wait)?;
            match self.from.read(&mut buffer) {
                Ok(0) => return self.send_rest(),
                Ok(n) => self.take(&mut buffer[..n]),
                Err(error) if is_turn(&error) => (),
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes what was read, as the mode will have it.
    fn take(&mut self, bytes: &mut [u8]) {
        // Without a mode the link has ended, and the next turn sees that.
        let Some(mode) = self.shared.mode_after_stall(self.link) else { return };
        let due = match mode {
            Mode::Silent => return,
            Mode::Delay(late) => now() + late,
            Mode::Garbage { after } if self.way == Way::ToClient => {
                for (byte, at) in bytes.iter_mut().zip(self.passed_bytes..) {
                    if at >= after && at % GARBAGE_STEP == 0 {
                        *byte ^= 0xff;
                    }
                }
                now()
            }
            Mode::Forward | Mode::Stall | Mode::Refuse | Mode::Reset | Mode::Garbage { after: _ } => now(),
        };
        self.passed_bytes += u64::try_from(bytes.len()).unwrap_or_default();
        self.held_bytes += bytes.len();
        self.held.push_back((due, bytes.to_vec()));
    }

    fn send_due(&mut self) -> io::Result<()> {
        while self.held.front().is_some_and(|(due, _)| *due <= now()) {
            let Some((_, bytes)) = self.held.pop_front() else { break };
            self.held_bytes -= bytes.len();
            self.send(&bytes)?;
        }
        Ok(())
    }

    /// Sends what is held when nothing more will come.
    fn send_rest(&mut self) -> io::Result<()> {
        while let Some((due, _)) = self.held.front()
            && !self.link.is_cut()
        {
            let wait = due.saturating_duration_since(now());
            if !wait.is_zero() {
                self.shared.wait(wait);
            }
            self.send_due()?;
        }
        Ok(())
    }

    fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.shared.mode_after_stall(self.link) {
                None => return Ok(()),
                Some(Mode::Silent) => return Ok(()),
                Some(_) => (),
            }
            // Counted first: whoever has received a byte may rely on finding it in the count.
            let count = |n: usize| u64::try_from(n).unwrap_or_default();
            self.count.fetch_add(count(bytes.len()), Ordering::Relaxed);
            let written = self.to.write(bytes);
            let rest = bytes.len() - written.as_ref().copied().unwrap_or_default();
            self.count.fetch_sub(count(rest), Ordering::Relaxed);
            match written {
                Ok(n) => bytes = &bytes[n..],
                Err(error) if is_turn(&error) => (),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn is_turn(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}

fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "delays a real connection by a real time")]
    Instant::now()
}
