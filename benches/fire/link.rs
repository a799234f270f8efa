//! A client at the pump program's socket, in vigia's place. It waits in the kernel, so that a time ends when
//! a frame is there.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv, send,
    socket_with, socketpair,
};
use vigia::clock;
use vigia_core::link::{Alive, BootId, FRAME_BYTES, Frame, FromPump, Sequence, Status, ToPump, Welcome};

use super::broker::wait_for;

/// On a machine that others use as well, a program may take its time to start.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Client {
    socket: OwnedFd,
    sent: Sequence,
    /// The newest event that was told.
    pub told: u64,
}

impl Client {
    /// Connects as soon as somebody listens there.
    pub fn greet(path: &Path) -> (Self, Welcome) {
        let mut found = None;
        wait_for("a welcome of the pump program", PATIENCE, || {
            found = Self::try_greet(path).ok();
            found.is_some()
        });
        found.expect("just found")
    }

    fn try_greet(path: &Path) -> Result<(Self, Welcome), Errno> {
        let (address, flags) = (SocketAddrUnix::new(path)?, SocketFlags::CLOEXEC);
        let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        connect(&socket, &address)?;
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
        let mut client = Self { socket, sent: Sequence::default(), told: 0 };
        client.try_say(ToPump::Hello)?;
        // Who still has another client says so, and hangs up.
        loop {
            match client.next()? {
                FromPump::Welcome(welcome) => return Ok((client, welcome)),
                FromPump::Refused(_) => return Err(Errno::CONNREFUSED),
                _ => {}
            }
        }
    }

    fn try_say(&mut self, body: ToPump) -> Result<u64, Errno> {
        let seq = self.sent.next();
        let bytes = Frame { boot: BootId([7; 16]), seq, body }.encode();
        send(&self.socket, &bytes, SendFlags::NOSIGNAL).map(|_| seq)
    }

    pub fn say(&mut self, body: ToPump) -> u64 {
        self.try_say(body).expect("the pump program takes it")
    }

    pub fn say_alive(&mut self) {
        self.say(ToPump::Alive(Alive { cameras: 2, cameras_seeing: 2, detector: true, consensus: true }));
    }

    fn next(&mut self) -> Result<FromPump, Errno> {
        let mut bytes = [0; FRAME_BYTES];
        let len = match recv(&self.socket, &mut bytes, RecvFlags::empty())? {
            (0, _) => return Err(Errno::CONNRESET),
            (len, _) => len,
        };
        let body = Frame::<FromPump>::decode(&bytes[..len]).expect("a frame").body;
        if let FromPump::Event(event) = body {
            self.told = event.number;
        }
        Ok(body)
    }

    pub fn until<T>(&mut self, mut found: impl FnMut(FromPump) -> Option<T>) -> T {
        loop {
            let body = self.next().expect("the pump program speaks");
            if let Some(found) = found(body) {
                return found;
            }
        }
    }

    pub fn status(&mut self, is: impl Fn(&Status) -> bool) -> Status {
        self.until(|body| match body {
            FromPump::Status(status) if is(&status) => Some(status),
            _ => None,
        })
    }
}

/// Somebody who sends each frame back and does nothing else.
pub struct Echo(OwnedFd);

impl Echo {
    pub fn start() -> Self {
        let (kind, flags) = (SocketType::SEQPACKET, SocketFlags::CLOEXEC);
        let (ours, theirs) = socketpair(AddressFamily::UNIX, kind, flags, None).expect("sockets");
        thread::spawn(move || {
            let mut bytes = [0; FRAME_BYTES];
            while let Ok((1.., _)) = recv(&theirs, &mut bytes, RecvFlags::empty()) {
                // Who asked may be gone.
                let _ = send(&theirs, &bytes, SendFlags::NOSIGNAL);
            }
        });
        Self(ours)
    }

    pub fn there_and_back(&self) -> Duration {
        let mut bytes = [0; FRAME_BYTES];
        let sent = clock::now();
        send(&self.0, &bytes, SendFlags::NOSIGNAL).expect("it listens");
        recv(&self.0, &mut bytes, RecvFlags::empty()).expect("it answers");
        clock::now().since(sent)
    }
}
