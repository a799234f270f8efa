//! One connection to the pump program: frames out, and a thread that reads frames in.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use crossbeam_channel::Sender;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType};
use thiserror::Error;
use vigia_core::link::{BootId, FRAME_BYTES, Frame, FromPump, Sequence, ToPump};

use super::News;

/// Why there is no connection.
#[derive(Debug, Error)]
pub enum SocketError {
    #[error("{path}: {source}")]
    Connect { path: String, source: Errno },
    #[error("the pump program does not take what is sent: {0}")]
    Send(Errno),
    #[error("a thread can't be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// An open connection. Dropping it ends its reader.
#[derive(Debug)]
pub struct Connection {
    socket: Arc<OwnedFd>,
    boot: BootId,
    sent: Sequence,
}

impl Connection {
    /// Connects; what comes in goes to `news` under `number`.
    ///
    /// # Errors
    /// [`SocketError`]: nobody listens there, or may not be spoken to.
    pub fn open(path: &str, boot: BootId, number: u64, news: Sender<News>) -> Result<Self, SocketError> {
        let failed = |source| SocketError::Connect { path: path.to_owned(), source };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
            .map_err(failed)?;
        let address = SocketAddrUnix::new(path).map_err(failed)?;
        // Whoever does not accept at once is tried again later: nobody waits here.
        rustix::net::connect(&socket, &address).map_err(failed)?;
        rustix::io::ioctl_fionbio(&socket, false).map_err(failed)?;
        let socket = Arc::new(socket);
        let reader = socket.clone();
        std::thread::Builder::new().name("pump-reader".into()).spawn(move || read(&reader, number, &news))?;
        Ok(Self { socket, boot, sent: Sequence::default() })
    }

    /// Sends a frame; its number.
    ///
    /// # Errors
    /// [`SocketError::Send`]: the connection is of no use any more.
    pub fn send(&mut self, body: ToPump) -> Result<u64, SocketError> {
        let seq = self.sent.next();
        let bytes = Frame { boot: self.boot, seq, body }.encode();
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        match rustix::net::send(&*self.socket, &bytes, flags) {
            Ok(FRAME_BYTES) => Ok(seq),
            Ok(_) => Err(SocketError::Send(Errno::MSGSIZE)),
            Err(errno) => Err(SocketError::Send(errno)),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // It may be closed already; the reader wakes up in any case.
        let _ = rustix::net::shutdown(&*self.socket, Shutdown::Both);
    }
}

/// Reads until the connection ends. A frame that is none is said and left out: its number is missing,
/// and what it carried is said again by the pump.
fn read(socket: &OwnedFd, number: u64, news: &Sender<News>) {
    let mut order = Sequence::default();
    let mut bad = 0_u64;
    // One more, so that a longer packet is not taken for a whole one.
    let mut buffer = [0; FRAME_BYTES + 1];
    let why = loop {
        let got = match rustix::net::recv(socket, &mut buffer, RecvFlags::empty()) {
            Ok((0, _)) => break "it closed the connection".to_owned(),
            Ok((got, _)) => got,
            Err(Errno::INTR) => continue,
            Err(errno) => break errno.to_string(),
        };
        let frame = Frame::<FromPump>::decode(buffer.get(..got).unwrap_or_default());
        let why = match frame {
            Ok(frame) => match order.admit(frame.seq) {
                Ok(()) => {
                    if news.send(News::Frame(number, Box::new(frame))).is_err() {
                        return;
                    }
                    continue;
                }
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        bad += 1;
        if bad.is_power_of_two() {
            tracing::warn!(
                component = "pump_link",
                event = "frame_refused",
                bad,
                why,
                "a frame of the pump's is not taken"
            );
        }
    };
    // Who asked may be gone.
    let _ = news.send(News::Lost(number, why));
}
